package mqtt

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ntsgw/ntsgw/downstream/beacon"
)

// reason says why something was refused or not sent. The words are those of metrics, status and
// log.
type reason = beacon.Reason

// Why a request was not answered, beyond the beacon package's own reasons; requests are judged in
// the order size, name, MAC, replay, rate.
const (
	reasonUnknownNode reason = "unknown-node" // the topic names no enrolled node
	reasonRevokedNode reason = "revoked-node" // … or one that is revoked
	reasonReplay      reason = "replay"       // the nonce was seen before, or the request is or was to be retained
	reasonRate        reason = "rate"         // the node asks too often
	reasonTotalRate   reason = "total-rate"   // all nodes together ask too often
	reasonBusy        reason = "busy"         // too many requests wait already
	reasonSend        reason = "send"         // the broker did not take the answer
	reasonKeys        reason = "keys"         // there is no signing key for the present time
)

// What the embedded broker refuses.
const (
	reasonACL         reason = "acl"          // not permitted to write there
	reasonAnonymous   reason = "anonymous"    // no user: off loopback, or too many
	reasonLogin       reason = "login"        // wrong user or password
	reasonProtocol    reason = "protocol"     // not MQTT as it should be
	reasonSilent      reason = "silent"       // many did not say who they are, most of them this peer's
	reasonNodeClients reason = "node-clients" // one node has too many connections
	reasonOther       reason = "other"
)

// tally counts by reason. Safe for concurrent use.
type tally struct{ n map[reason]*atomic.Uint64 }

func newTally() tally {
	t := tally{n: make(map[reason]*atomic.Uint64)}
	for _, r := range []reason{
		beacon.ReasonSize, reasonUnknownNode, reasonRevokedNode, beacon.ReasonMalformed, beacon.ReasonWrongKind,
		beacon.ReasonWrongAlg, beacon.ReasonUnknownKID, beacon.ReasonBadSignature, reasonReplay, reasonRate, reasonTotalRate,
		beacon.ReasonUnsynchronized, beacon.ReasonLeapSecond, beacon.ReasonEpochChanged, beacon.ReasonSuspended,
		beacon.ReasonTooSlow, beacon.ReasonRange, beacon.ReasonOutsideValidity, reasonBusy, reasonSend, reasonKeys,
		reasonACL, reasonAnonymous, reasonLogin, reasonProtocol, reasonSilent, reasonNodeClients, reasonOther,
	} {
		t.n[r] = new(atomic.Uint64)
	}
	return t
}

func (t tally) add(r reason) {
	c := t.n[r]
	if c == nil {
		c = t.n[reasonOther]
	}
	c.Add(1)
}

// words returns what is not zero.
func (t tally) words() map[string]uint64 {
	m := make(map[string]uint64)
	for r, c := range t.n {
		if n := c.Load(); n != 0 {
			m[string(r)] = n
		}
	}
	return m
}

// traffic is what was counted of one broker. Safe for concurrent use.
type traffic struct {
	refused   tally // requests, logins, topics
	answered  atomic.Uint64
	published atomic.Uint64 // beacons that were handed to it
	dropped   atomic.Uint64 // beacons that it was not there for, or too slow for
}

func newTraffic() *traffic { return &traffic{refused: newTally()} }

func (t *traffic) add(r reason) { t.refused.add(r) }

// into puts the numbers into what is shown of the broker.
func (t *traffic) into(st *BrokerStatus) {
	st.Published, st.Dropped, st.Answered, st.Refused = t.published.Load(), t.dropped.Load(), t.answered.Load(), t.refused.words()
}

// counters are the numbers of the beacons themselves. Safe for concurrent use.
type counters struct {
	skipped tally         // that were not made
	beacons atomic.Uint64 // signed

	mu         sync.Mutex
	skippedFor reason
	skippedAt  time.Time
}

func newCounters() *counters { return &counters{skipped: newTally()} }

// skip counts a beacon that was not made, once an interval however often it was tried.
func (c *counters) skip(r reason, interval time.Duration) {
	now := time.Now()
	c.mu.Lock()
	again := c.skippedFor == r && now.Sub(c.skippedAt) < interval
	if !again {
		c.skippedFor, c.skippedAt = r, now
	}
	c.mu.Unlock()
	if !again {
		c.skipped.add(r)
	}
}
