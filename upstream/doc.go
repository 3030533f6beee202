// Package upstream asks NTS servers for the time: one Source a server, a configuration in,
// authenticated discipline.Measurements out (RFC 8915, RFC 5905). What cannot be
// authenticated never leaves it.
//
// A Source is two halves. The poller decides when to make keys, when to ask and what to believe;
// it is told packets and raw times, does no I/O, and is tested in virtual time. The runner around
// it owns the socket, the TLS connections and the goroutines. Trust, the clock and the network
// come in as Options.
//
// A server passes through these phases: resting (a key exchange is due at some time), keying,
// polling (a request is due at some time), waiting (for its answer). Keys are made again when
// cookies are used up, when a NAK is confirmed by the deadline, when Trust no longer stands by
// the session, and when certificate dates that had been deferred can be judged. Key exchanges
// that come to nothing back off, and count as failed until their session has lasted.
package upstream
