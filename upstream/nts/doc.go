// Package nts protects NTP packets with Network Time Security (RFC 8915 §5): extension fields,
// AEAD, cookies, and both ends of an exchange.
//
// A client turns a cookie into a request and a datagram into a Response, or into an Error whose
// reason is counted; no byte of a datagram is believed before everything that must hold was
// checked. A server does the same the other way round and keeps nothing of its clients.
package nts
