package nts

import (
	"maps"
	"sync"
)

// Why no answer was given, beyond the reasons of packages upstream/nts and upstream/ntske.
const (
	reasonUnsynchronized = "unsynchronized" // the timeline promises nothing
	reasonLeapSecond     = "leap-second"    // during an inserted second NTP has no name for the time, and across a leap t3 − t2 is a second off
	reasonSuspended      = "suspended"      // the machine slept since the timeline began
	reasonReplay         = "replay"         // the very same request was answered before
	reasonTruncated      = "packet-size"    // a datagram longer than any request
	reasonSend           = "send"           // the system did not take the answer
	reasonBusy           = "ke-busy"        // too many connections
	reasonBusyPeer       = "ke-busy-peer"   // too many of one address, or IPv6 /64
	reasonAccept         = "ke-accept"      // the system did not give us the connection
	reasonOther          = "other"
)

// Status is a copy of what a Server knows of itself: safe to keep.
type Status struct {
	KEAddress  string            `json:"ke_address"`
	NTPAddress string            `json:"ntp_address"`
	Stamps     bool              `json:"kernel_stamps"` // the kernel's receive stamps are used
	Accepted   uint64            `json:"ke_accepted"`   // NTS-KE exchanges
	Answered   uint64            `json:"answered"`      // requests
	NAKs       uint64            `json:"naks"`          // requests told to come back over NTS-KE
	Refused    map[string]uint64 `json:"refused"`       // connections and requests, by reason
}

// counters is safe for concurrent use.
type counters struct {
	mu sync.Mutex
	s  Status
}

func (c *counters) refuse(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s.Refused == nil {
		c.s.Refused = map[string]uint64{}
	}
	c.s.Refused[reason]++
}

func (c *counters) with(f func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.s)
}

func (c *counters) status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.s
	if s.Refused = maps.Clone(s.Refused); s.Refused == nil {
		s.Refused = map[string]uint64{}
	}
	return s
}
