package mqtt

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"math"
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
)

const (
	// How often the timeline's state is looked at: a change is on the retained topics within it.
	statePoll = 100 * time.Millisecond
	// How old the retained state becomes while nothing changes.
	stateRefresh = time.Minute
)

// publisher makes the beacons and keeps the retained topics current. One goroutine runs it.
type publisher struct {
	s *Server
	// now wakes run for a beacon out of turn: whoever listens to a broker that has come back need not
	// wait out an interval.
	now     chan struct{}
	keyTold time.Time // when a failure to renew was last logged; zero: none stands

	mu       sync.Mutex // guards what last returns
	sequence uint32
	at       time.Time
	renewal  error // the newest outcome of renewing the keys
}

func newPublisher(s *Server) *publisher { return &publisher{s: s, now: make(chan struct{}, 1)} }

// soon asks for a beacon at once.
func (p *publisher) soon() {
	select {
	case p.now <- struct{}{}:
	default:
	}
}

func (p *publisher) renewalError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.renewal
}

func (p *publisher) last() (uint32, *time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at.IsZero() {
		return p.sequence, nil
	}
	at := p.at
	return p.sequence, &at
}

// run publishes until ctx ends.
func (p *publisher) run(ctx context.Context) error {
	interval := p.s.opts.Config.Interval
	p.s.keep.set(p.s.topics.status, []byte("online"), false)
	var (
		due      = time.Now() // of the next beacon
		written  stateKey
		writtenT time.Time
	)
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		case <-p.now:
			due = time.Now()
		}
		p.publishKeys()
		snap, raw := p.s.opts.Timeline.Snapshot(), p.s.opts.Clock.Now()
		intact := p.s.guard.Intact(snap.Epoch) // looked for each time, so that a suspend is not first seen together with a new epoch
		now := time.Now()
		if k := keyOf(snap, intact); k != written || now.Sub(writtenT) >= stateRefresh {
			p.s.keep.set(p.s.topics.state, stateJSON(snap, raw, k.state), true)
			if k != written {
				p.s.opts.Log.Debug("state published", "state", k.state.String())
			}
			written, writtenT = k, now
			p.refresh()
		}
		if !now.Before(due) {
			following := due.Add(interval)
			if !following.After(now) { // late by more than an interval: begin anew
				following = now.Add(interval)
			}
			if p.beacon(following) {
				due = following
			} // else as soon as there is time again
		}
		wait := statePoll
		if d := time.Until(due); d > 0 {
			wait = min(wait, d)
		}
		t.Reset(wait)
	}
}

// publishKeys keeps the retained delegations and the serial that responses name current.
func (p *publisher) publishKeys() {
	for _, alg := range p.s.algs {
		if _, d := p.s.opts.Keys.Online(alg); d != nil {
			p.s.keep.set(p.s.topics.key[alg], d, false)
		}
	}
	p.s.resp.serial.Store(p.s.opts.Keys.Serial())
	p.refresh()
}

// refresh brings the embedded broker's retained topics up to date; the others do so themselves.
func (p *publisher) refresh() {
	if p.s.embedded != nil {
		p.s.embedded.refresh(p.s.keep)
	}
}

// beacon makes and publishes one beacon, under each algorithm's key, and reports whether it did.
// For each the time is read last: what follows is the signature and the hand-over.
func (p *publisher) beacon(following time.Time) bool {
	p.mu.Lock()
	sequence := p.sequence + 1
	p.mu.Unlock()
	if !p.renew() {
		return false
	}
	made := false
	for _, alg := range p.s.algs {
		m, st, why := p.sign(alg, sequence, following)
		if why != "" {
			p.s.count.skip(why, p.s.opts.Config.Interval)
			continue
		}
		p.hand(m)
		p.s.count.beacons.Add(1)
		p.mu.Lock()
		p.sequence, p.at = sequence, st.UTC()
		p.mu.Unlock()
		made = true
	}
	return made
}

// renew lets the keys follow the timeline and publishes what is new before anything is signed with
// it. It reports whether there is time at all.
func (p *publisher) renew() bool {
	o := &p.s.opts
	snap := o.Timeline.Snapshot()
	st, err := beacon.StatementAt(snap, o.Clock.Now())
	why := beacon.ReasonOf(err)
	if err == nil && !p.s.guard.Intact(snap.Epoch) {
		why = beacon.ReasonSuspended
	}
	if why != "" {
		p.s.count.skip(why, o.Config.Interval)
		return false
	}
	changed, err := o.Keys.Renew(st.UTC())
	p.mu.Lock()
	p.renewal = err
	p.mu.Unlock()
	if err == nil {
		p.keyTold = time.Time{}
	} else if time.Since(p.keyTold) > time.Minute {
		o.Log.Error("signing keys not renewed, the present ones stay", "error", err)
		p.keyTold = time.Now()
	}
	if changed && err == nil {
		o.Log.Info("online keys changed", "serial", o.Keys.Serial())
	}
	p.publishKeys()
	return true
}

// sign makes one beacon, or says why there is none.
func (p *publisher) sign(alg beacon.Alg, sequence uint32, following time.Time) (message, beacon.Statement, reason) {
	o := &p.s.opts
	key, _ := o.Keys.Online(alg)
	if key == nil {
		return message{}, beacon.Statement{}, reasonKeys
	}
	next := time.Until(following)
	snap := o.Timeline.Snapshot()
	now := o.Clock.Now()
	b, err := beacon.FromSnapshot(snap, now, sequence, next)
	if err != nil {
		return message{}, beacon.Statement{}, beacon.ReasonOf(err)
	}
	if !p.s.guard.Intact(snap.Epoch) {
		return message{}, beacon.Statement{}, beacon.ReasonSuspended
	}
	if !o.Keys.Covers(alg, &b.Statement) {
		return message{}, beacon.Statement{}, beacon.ReasonOutsideValidity
	}
	msg, err := b.AppendSigned(make([]byte, 0, beacon.MaxMessage), key, o.Gateway)
	if err != nil {
		return message{}, beacon.Statement{}, reasonKeys
	}
	return message{topic: p.s.topics.beacon[alg], payload: msg, at: time.Now()}, b.Statement, ""
}

// hand gives one message to every broker. The others don't wait for the embedded one's fan-out.
func (p *publisher) hand(m message) {
	for _, e := range p.s.external {
		e.offer(m)
	}
	if p.s.embedded != nil {
		p.s.embedded.offer(m)
	}
}

// stateKey is what a change of which rewrites the retained state at once.
type stateKey struct {
	state   discipline.State
	epoch   discipline.Epoch
	leap    discipline.Leap
	stratum uint8
	tai     int
}

// keyOf is of what s lets us state: nothing when the machine was suspended since its epoch began.
func keyOf(s *discipline.Snapshot, intact bool) stateKey {
	k := stateKey{s.State, s.Epoch, s.Leap, s.Stratum, s.TAIOffset}
	if !intact && s.Serving() {
		k.state = discipline.Unsynchronized
	}
	return k
}

// stateDoc is the retained state, for people and home automation: nothing in it is authenticated.
type stateDoc struct {
	State    string   `json:"state"`
	MaxError *float64 `json:"max_error_seconds"` // null: nothing is promised
	EstError *float64 `json:"est_error_seconds"`
	Stratum  uint8    `json:"stratum"`
	Leap     int8     `json:"leap"`
	Epoch    string   `json:"epoch"`
	Time     string   `json:"time,omitempty"` // when this was written, by the timeline
}

// stateJSON writes what s says at now, in the state that keyOf found.
func stateJSON(s *discipline.Snapshot, now discipline.Raw, state discipline.State) []byte {
	d := stateDoc{State: state.String(), Stratum: s.Stratum, Leap: int8(s.Leap), Epoch: hex.EncodeToString(s.Epoch[:])}
	if state == s.State && s.Serving() {
		m, e := seconds(s.MaxError(now)), seconds(s.EstError(now))
		d.MaxError, d.EstError = &m, &e
		d.Time = s.UTCAt(now).Time().Format(time.RFC3339)
	} else {
		d.Stratum = 16
	}
	b, err := json.Marshal(d)
	if err != nil {
		return []byte(`{"state":"unsynchronized"}`) // a float64 that JSON can't say: promise nothing
	}
	return b
}

// seconds rounds up to a microsecond, so that the text stays short and the bound true.
func seconds(d time.Duration) float64 { return math.Ceil(float64(d)/1e3) / 1e6 }
