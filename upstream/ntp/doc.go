// Package ntp is the NTPv4 packet and its time formats (RFC 5905 §6 and §7.3), and a UDP socket
// whose datagrams carry the kernel's own time stamps.
//
// Bytes come in and typed values go out, or the other way round. Nothing here decides what to
// believe: see upstream/nts for what must hold before a packet is used.
package ntp
