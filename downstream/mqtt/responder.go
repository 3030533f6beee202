package mqtt

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/suspend"
)

// nonceMemory is how many nonces of each node are remembered.
const nonceMemory = 1024

// totalRate is how many exchanges a second all nodes together may have, for each one a second that
// a single node may.
const totalRate = 2000.0

// responder answers exchange requests: each check of the protocol in its order, then one time.
// Safe for concurrent use; requests of different nodes don't wait for each other.
type responder struct {
	timeline Timeline
	clock    Clock
	nodes    *Nodes
	gateway  string
	rate     float64 // tokens a second and node
	burst    float64
	guard    *suspend.Guard
	failures *failureLog
	serial   atomic.Uint32 // of the current delegations

	total bucket // of all nodes together

	mu    sync.RWMutex
	state map[string]*nodeState // of nodes that made an authentic request
}

// nodeState is what is remembered of one node under one key.
type nodeState struct {
	generation uint32

	mu        sync.Mutex
	nonces    [][beacon.NonceSize]byte // a ring once it is full
	at        int
	tokens    bucket
	exchanges uint64
	last      time.Time
	halfWidth time.Duration // negative: never reported
}

func newResponder(o *Options, g *suspend.Guard) *responder {
	r := &responder{
		timeline: o.Timeline, clock: o.Clock, nodes: o.Nodes, gateway: o.Gateway,
		rate: o.Config.RequestRate, burst: float64(o.Config.RequestBurst),
		guard: g, failures: newFailureLog(o.Log, o.Clock), state: make(map[string]*nodeState),
	}
	total := max(totalRate, totalRate*o.Config.RequestRate)
	r.total.fill(total, 2*total, o.Clock.Now())
	return r
}

// arrival is called when a request's last byte has arrived. The epoch is read first: a change after
// that is noticed.
func arrival(t Timeline, c Clock) beacon.Arrival {
	e := t.Snapshot().Epoch
	return beacon.Arrival{Raw: c.Now(), Epoch: e}
}

// question is a request that passed every check and is owed an answer.
type question struct {
	node *nodeKeys
	seen *nodeState
	req  beacon.Request
	at   beacon.Arrival
	via  *traffic // of the broker that it came through
}

// refuse counts a request that is not answered.
func (r *responder) refuse(via *traffic, why reason, node string) {
	via.add(why)
	r.failures.note(why, node)
}

// admit makes the checks in the protocol's order: size, name, MAC, nonce, rate. node is what the
// topic names. Nothing is remembered of a request before its MAC was found right. What is refused
// has been counted.
func (r *responder) admit(via *traffic, node string, payload []byte, at beacon.Arrival) (question, bool) {
	q, why := r.judge(node, payload, at)
	if why != "" {
		r.refuse(via, why, node)
		return question{}, false
	}
	q.via = via
	return q, true
}

func (r *responder) judge(node string, payload []byte, at beacon.Arrival) (question, reason) {
	if len(payload) > beacon.MaxMessage {
		return question{}, beacon.ReasonSize
	}
	if r.nodes == nil {
		return question{}, reasonUnknownNode
	}
	k := r.nodes.lookup(node)
	switch {
	case k == nil:
		return question{}, reasonUnknownNode
	case k.State != NodeActive:
		return question{}, reasonRevokedNode
	}
	req, err := beacon.OpenRequest(payload, k.mac)
	if err != nil {
		return question{}, beacon.ReasonOf(err)
	}
	st := r.of(k)
	if why := st.admit(req.Nonce, at.Raw, &r.total); why != "" {
		return question{}, why
	}
	return question{node: k, seen: st, req: req, at: at}, ""
}

// answer states the time and seals it, or counts why not and returns nil: one snapshot for t3 and
// its bound, the suspend looked for after t3 was read and before anything is sealed.
func (r *responder) answer(q *question) []byte {
	snap := r.timeline.Snapshot()
	t3 := r.clock.Now()
	suspended := !r.guard.Intact(snap.Epoch)
	resp, err := beacon.Answer(&q.req, q.at, snap, t3, suspended, r.serial.Load())
	if err != nil {
		r.refuse(q.via, beacon.ReasonOf(err), q.node.Name)
		return nil
	}
	b, err := resp.AppendSealed(make([]byte, 0, beacon.MaxMessage), q.node.mac)
	if err != nil {
		r.refuse(q.via, beacon.ReasonOf(err), q.node.Name)
		return nil
	}
	q.seen.answered(resp.UTC(), &q.req)
	q.via.answered.Add(1)
	return b
}

// of returns the memory of a node, a fresh one for a new key.
func (r *responder) of(k *nodeKeys) *nodeState {
	r.mu.RLock()
	st := r.state[k.Name]
	r.mu.RUnlock()
	if st != nil && st.generation == k.Generation {
		return st
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if st = r.state[k.Name]; st == nil || st.generation != k.Generation {
		st = &nodeState{generation: k.Generation, halfWidth: -1}
		st.tokens.fill(r.rate, r.burst, r.clock.Now())
		r.state[k.Name] = st
	}
	return st
}

// admit spends a token of the node, and one of all nodes', for a nonce that was not seen before; or
// it says why not.
func (s *nodeState) admit(nonce [beacon.NonceSize]byte, now discipline.Raw, total *bucket) reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.nonces {
		if s.nonces[i] == nonce {
			return reasonReplay
		}
	}
	if len(s.nonces) < nonceMemory {
		s.nonces = append(s.nonces, nonce)
	} else {
		s.nonces[s.at] = nonce
		s.at = (s.at + 1) % nonceMemory
	}
	switch {
	case !s.tokens.take(now):
		return reasonRate
	case !total.take(now):
		return reasonTotalRate
	}
	return ""
}

func (s *nodeState) answered(at time.Time, req *beacon.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchanges++
	s.last = at
	if req.HasHalfWidth {
		s.halfWidth = time.Duration(req.HalfWidth) * time.Microsecond
	}
}

// forget drops the memory of nodes that are no longer active under the key it belongs to.
func (r *responder) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, st := range r.state {
		if k := r.nodes.lookup(name); k == nil || k.State != NodeActive || k.Generation != st.generation {
			delete(r.state, name)
		}
	}
}

// status returns what was seen of each node.
func (r *responder) status() []NodeStatus {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]NodeStatus, 0, len(r.state))
	for name, st := range r.state {
		st.mu.Lock()
		n := NodeStatus{Node: name, Generation: st.generation, Exchanges: st.exchanges}
		if st.exchanges > 0 {
			at := st.last
			n.LastExchange = &at
		}
		if st.halfWidth >= 0 {
			w := st.halfWidth.Seconds()
			n.HalfWidthSeconds = &w
		}
		st.mu.Unlock()
		out = append(out, n)
	}
	return out
}

// failureLog writes at most a line a second about refused requests, and says how many it left out.
// This is the bucket that all failures share: an attacker spends it, and no node's own.
type failureLog struct {
	log     *slog.Logger
	clock   Clock
	bucket  bucket
	omitted atomic.Uint64
}

const (
	failureRate  = 1.0 // lines a second
	failureBurst = 8.0
)

func newFailureLog(l *slog.Logger, c Clock) *failureLog {
	f := &failureLog{log: l, clock: c}
	f.bucket.fill(failureRate, failureBurst, c.Now())
	return f
}

func (f *failureLog) note(why reason, node string) {
	if !f.bucket.take(f.clock.Now()) {
		f.omitted.Add(1)
		return
	}
	if !beacon.ValidName(node) {
		node = "" // an attacker's text stays out of the log
	}
	f.log.Info("exchange refused", "reason", string(why), "node", node, "omitted", f.omitted.Swap(0))
}
