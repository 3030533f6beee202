// Package upstreamtest is an NTS server for tests that lies on demand: over real sockets on
// loopback, with a certificate authority of its own, it answers honestly or in any of the wrong
// ways that it has a name for.
package upstreamtest
