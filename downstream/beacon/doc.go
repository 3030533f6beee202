// Package beacon is the signed time statement: a gateway's snapshot goes in, small messages that a
// node can verify come out, and a node's interval clock makes of them what it may be sure of.
// It follows docs/beacon-protocol.md: CBOR (RFC 8949 §4.2.1), COSE (RFC 9052, RFC 9053, RFC 9864),
// extended time (RFC 9581), key thumbprints (RFC 9679) and HKDF (RFC 5869).
//
// Nothing here reads a clock, opens a socket or starts a goroutine.
package beacon
