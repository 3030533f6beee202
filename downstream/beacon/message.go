package beacon

import (
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// MaxMessage is the length that no message exceeds, in bytes: with a topic of 48 characters the
// whole MQTT 3.1.1 packet then fits into the 256 bytes that small clients have as a buffer.
const MaxMessage = 200

// NonceSize is the length of a nonce, in bytes.
const NonceSize = 16

// Kind says what a message is. It is part of what is signed, so that none can stand in for another.
type Kind uint8

// The kinds.
const (
	KindBeacon     Kind = iota + 1 // one way, signed, for all
	KindDelegation                 // the root's statement about the online key
	KindRequest                    // a node's question
	KindResponse                   // the gateway's answer to it
)

// String returns the word that stands in the signed data: beacon, key, req or resp.
func (k Kind) String() string {
	switch k {
	case KindBeacon:
		return "beacon"
	case KindDelegation:
		return "key"
	case KindRequest:
		return "req"
	case KindResponse:
		return "resp"
	}
	return "unknown"
}

// Statement is what beacons and responses say of time: at the moment t, true time lay in
// [t − MaxError, t + MaxError].
type Statement struct {
	Seconds   uint32           // t: UTC seconds since 1970, POSIX numbering
	Nanos     uint32           // t: 0 … 999,999,999
	MaxError  time.Duration    // E, RFC 9581's guarantee: 0 ≤ E < 65,536 s
	Epoch     [8]byte          // names the timeline; new at each of its jumps
	State     discipline.State // Synchronized or Holdover
	Stratum   uint8            // 1 … 15
	Leap      discipline.Leap  // at the end of the month that t is in: −1, 0, 1, or 2 for unknown
	TAIOffset uint8            // TAI − UTC at t, seconds
}

// TAI returns t on the TAI scale: nanoseconds since 1970-01-01T00:00:00 TAI.
func (s *Statement) TAI() int64 {
	return (int64(s.Seconds)+int64(s.TAIOffset))*1e9 + int64(s.Nanos)
}

// UTC returns t.
func (s *Statement) UTC() time.Time { return time.Unix(int64(s.Seconds), int64(s.Nanos)).UTC() }

// Beacon is the one-way statement. It proves that true time is at least t − MaxError from the
// moment it has arrived.
type Beacon struct {
	Statement
	Sequence uint32 // counts the beacons of a gateway's run
	NextIn   uint16 // seconds to the next beacon
}

// Request asks for time. Its nonce never repeats under one node key.
type Request struct {
	Nonce        [NonceSize]byte
	HalfWidth    uint32 // telemetry: half the width of the node's interval, µs
	HasHalfWidth bool
}

// Response answers a request: t is when it was made, Turnaround before that the request arrived.
type Response struct {
	Statement
	Nonce      [NonceSize]byte // the request's
	Turnaround time.Duration   // t3 − t2: never more than what really elapsed; 0 ≤ Turnaround < 2^32 ns
	Serial     uint32          // of the current delegation
}

// Delegation is the root's statement that a key signs beacons with times in [NotBefore, NotAfter].
type Delegation struct {
	Key       *PublicKey // of the root's own algorithm
	Serial    uint32     // the highest that was seen wins
	NotBefore uint32     // UTC seconds since 1970
	NotAfter  uint32     // UTC seconds since 1970, inclusive
}

// Covers reports whether a message with time t may count under the delegated key.
func (d *Delegation) Covers(t *Statement) bool {
	if t.Seconds < d.NotBefore || t.Seconds > d.NotAfter {
		return false
	}
	return t.Seconds < d.NotAfter || t.Nanos == 0
}

// ValidName reports whether s may name a gateway or a node: 1–16 characters of a–z, 0–9 and -.
func ValidName(s string) bool {
	if len(s) < 1 || len(s) > 16 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
