package ptp

import (
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"sync"
)

// Why a message of another was not answered or not used, or why one of ours was not sent.
const (
	reasonMalformed      = "malformed"         // shorter than it says or must be
	reasonVersion        = "version"           // not PTP version 2
	reasonProfile        = "profile"           // of another profile, such as gPTP
	reasonDomain         = "domain"            // of another domain
	reasonOwn            = "own-identity"      // in our own name
	reasonPeerDelay      = "peer-delay"        // of the peer delay mechanism, where end-to-end delays are spoken
	reasonEndToEnd       = "end-to-end"        // a Delay_Req where the peer delay mechanism is spoken
	reasonUnicast        = "unicast"           // a Pdelay_Req by unicast: neighbours have a group for it
	reasonNotAsked       = "not-asked"         // an answer to us, who ask nothing
	reasonOtherMaster    = "other-grandmaster" // Announce, Sync or Follow_Up of another
	reasonUnsupported    = "unsupported"       // signalling, management
	reasonRate           = "rate"              // more requests than are answered
	reasonUnsynchronized = "unsynchronized"    // the timeline promises nothing
	reasonSuspended      = "suspended"         // the machine slept since the timeline began
	reasonNoStamp        = "no-stamp"          // the kernel gave no time stamp, or the host clock was set meanwhile
	reasonLate           = "late"              // the stamp was too old to be carried to the raw clock well
	reasonEpoch          = "epoch"             // the timeline jumped between a message and its time
	reasonSend           = "send"              // the system did not take it
)

// The states of a port.
const (
	StateServing = "serving"
	StateSilent  = "silent"  // the timeline promises nothing, or jumped just now, or the kernel gives no stamps
	StateWaiting = "waiting" // the interface is not there or down, or takes nothing
)

// Status is a copy of what a Server knows of itself: safe to keep.
type Status struct {
	Identity string `json:"clock_identity"` // hex; empty before the first interface came up
	Domain   int    `json:"domain"`
	Ports    []Port `json:"ports"`
}

// Port is one interface.
type Port struct {
	Interface   string            `json:"interface"`
	Mechanism   string            `json:"delay_mechanism"` // e2e or p2p
	Transport   string            `json:"transport"`       // udp4 or udp6
	State       string            `json:"state"`
	Error       string            `json:"error,omitempty"`          // why it waits, or is silent while there is time
	Class       int               `json:"clock_class,omitempty"`    // this and the next two as last announced; absent: not yet
	Accuracy    int               `json:"clock_accuracy,omitempty"` // the enumeration of IEEE 1588-2019 table 5
	MaxError    float64           `json:"max_error_seconds,omitempty"`
	Announced   uint64            `json:"announced"`
	Synced      uint64            `json:"synced"`   // Sync with its Follow_Up
	Answered    uint64            `json:"answered"` // Delay_Req, or Pdelay_Req with both messages
	Refused     map[string]uint64 `json:"refused"`
	OtherMaster string            `json:"other_grandmaster,omitempty"` // the last one that announced itself, hex

	notThere bool // the error is that the interface is not there
}

func (p *Port) wait(err error) {
	p.State, p.Error, p.notThere = StateWaiting, err.Error(), errors.Is(err, ErrNotThere)
}

// counters is safe for concurrent use.
type counters struct {
	mu       sync.Mutex
	s        Status
	identity ClockIdentity
}

func (c *counters) port(i int, f func(*Port)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.s.Ports[i])
}

func (c *counters) refuse(i int, reason string) {
	c.port(i, func(p *Port) { p.Refused[reason]++ })
}

// identify gives the clock's identity: that of the first interface that asks.
func (c *counters) identify(own ClockIdentity) ClockIdentity {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.identity == (ClockIdentity{}) {
		c.identity = own
	}
	return c.identity
}

func (c *counters) status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.s
	if c.identity != (ClockIdentity{}) {
		s.Identity = hex.EncodeToString(c.identity[:])
	}
	s.Ports = slices.Clone(s.Ports)
	for i := range s.Ports {
		s.Ports[i].Refused = maps.Clone(s.Ports[i].Refused)
	}
	return s
}
