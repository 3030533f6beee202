// Package upstream asks NTS servers for the time: one Source a server, a configuration in,
// authenticated discipline.Measurements out (RFC 8915, RFC 5905). What cannot be
// authenticated never leaves it.
package upstream
