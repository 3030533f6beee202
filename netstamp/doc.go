// Package netstamp asks the kernel for software time stamps of a socket's datagrams and reads them
// out of control messages (SO_TIMESTAMPING, Documentation/networking/timestamping.rst).
//
// File descriptors and control messages come in; CLOCK_REALTIME stamps in nanoseconds since 1970 go
// out. Nothing here waits or keeps anything.
package netstamp
