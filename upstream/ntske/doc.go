// Package ntske is NTS key establishment (RFC 8915 §4): the record codec and both halves of the
// exchange over a TLS 1.3 connection. A connection comes in; keys, cookies and the address of
// the NTP server come out, or a typed Error whose reason is counted.
package ntske
