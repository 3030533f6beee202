package watch

import (
	"context"
	"strings"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
)

// FollowOptions is what Follow needs. Session.Topics is filled in.
type FollowOptions struct {
	Session   Options
	Enrolment beacon.Enrolment
	// RatePPM is the stated rate error of the raw clock that the node runs on, relative to true time.
	RatePPM float64
	// Every is between exchanges; 0: none are made.
	Every time.Duration
	// Suspended is BOOTTIME − MONOTONIC: a change of it means that the raw clock stood still.
	Suspended func() time.Duration
	Random    interface{ Read([]byte) (int, error) }
	// On is told of every message, from one goroutine.
	On func(Event)
}

// Event is one message and what the node knows after it.
type Event struct {
	At         discipline.Raw // when the message had arrived
	Kind       beacon.Kind
	Statement  *beacon.Statement // of an accepted beacon or response
	Sequence   uint32            // of a beacon
	Delegation *beacon.Delegation
	RoundTrip  time.Duration // of a response
	Better     bool          // the node knows more than before
	Err        error         // why it was refused; nil: accepted

	Knowledge beacon.Knowledge
	UTC       beacon.Bounds // at At
	Estimate  time.Time     // when Knowledge is Bounded
	HalfWidth time.Duration // how far the estimate may be off
	Alarms    beacon.Alarm
}

// rate is how the raw clock counts.
func (o *FollowOptions) rate() beacon.Rate {
	return beacon.Rate{CountNanos: 1, Tick: uint32(discipline.RawTick), RhoPPB: beacon.RhoFromPPM(o.RatePPM)}
}

// follower is one node at work.
type follower struct {
	opt     FollowOptions
	node    *beacon.Node
	mac     *beacon.MACKey
	session *Session
	held    *beacon.Delegation
	asked   discipline.Raw
	slept   time.Duration
	topics  map[string]beacon.Kind

	answered   bool // an answer was accepted since the last look
	unanswered int  // requests since the last answer
}

// Follow keeps a node of one gateway until ctx ends.
func Follow(ctx context.Context, opt FollowOptions) error {
	f := &follower{opt: opt, slept: opt.Suspended(), topics: map[string]beacon.Kind{}}
	var err error
	f.node, err = beacon.NewNode(beacon.NodeConfig{Enrolments: []beacon.Enrolment{opt.Enrolment}, Rate: opt.rate(), Random: opt.Random})
	if err != nil {
		return err
	}
	e := opt.Enrolment
	if e.Root != nil {
		suffix := ""
		if e.Root.Alg() == beacon.ES256 {
			suffix = "-es256"
		}
		f.topics["beacon"+suffix], f.topics["key"+suffix] = beacon.KindBeacon, beacon.KindDelegation
	}
	if e.NodeKey != nil {
		if f.mac, err = beacon.NewMACKey(*e.NodeKey, e.Gateway, e.Node, e.Generation); err != nil {
			return err
		}
		f.topics["resp/"+e.Node] = beacon.KindResponse
	}
	opt.Session.Topics = nil
	for t := range f.topics {
		opt.Session.Topics = append(opt.Session.Topics, t)
	}
	connected := make(chan struct{}, 1)
	tell := opt.Session.State
	opt.Session.State = func(err error) {
		if err == nil {
			select {
			case connected <- struct{}{}:
			default:
			}
		}
		if tell != nil {
			tell(err)
		}
	}
	if f.session, err = Open(opt.Session); err != nil {
		return err
	}
	defer f.session.Close()
	return f.run(ctx, connected)
}

func (f *follower) run(ctx context.Context, connected <-chan struct{}) error {
	every := f.opt.Every
	if every <= 0 || f.mac == nil {
		every = time.Duration(1<<63 - 1)
		connected = nil
	}
	// The first request goes out soon after each connect, the others at their interval.
	const settle = 200 * time.Millisecond
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-connected:
			timer.Reset(min(settle, every))
		case <-timer.C:
			f.ask(ctx)
			// Nobody answers before time is known: ask again soon, then less and less often.
			timer.Reset(min(every, time.Second<<f.unanswered))
			f.unanswered = min(f.unanswered+1, 12)
		case m := <-f.session.Messages():
			if f.take(m); f.answered {
				f.answered, f.unanswered = false, 0
				timer.Reset(every)
			}
		}
	}
}

// wake tells the node when its clock stood still.
func (f *follower) wake() {
	if discipline.Slept(f.opt.Suspended, f.slept) {
		f.slept = f.opt.Suspended()
		f.node.Discontinuity()
	}
}

// ask makes one exchange; an answer that does not come is asked for again at the next interval.
func (f *follower) ask(ctx context.Context) {
	f.wake()
	f.asked = f.opt.Session.Now()
	msg, err := f.node.Request(0, beacon.Ticks(f.asked))
	if err == nil {
		err = f.session.Publish(ctx, "req/"+f.opt.Enrolment.Node, msg)
	}
	if err != nil {
		ev := Event{At: f.asked, Kind: beacon.KindRequest, Err: err}
		f.know(&ev)
		f.opt.On(ev)
	}
}

func (f *follower) take(m Message) {
	kind, ok := f.topics[m.Topic]
	if !ok {
		return
	}
	f.wake()
	ev := Event{At: m.At, Kind: kind}
	ev.Better, ev.Err = f.node.Feed(0, kind, m.Payload, beacon.Ticks(m.At))
	if ev.Err == nil {
		f.decode(&ev, m)
	}
	f.know(&ev)
	f.opt.On(ev)
}

// know fills in what the node knows at ev.At.
func (f *follower) know(ev *Event) {
	c, at := f.node.Clock(), beacon.Ticks(ev.At)
	ev.Knowledge, ev.UTC, ev.Alarms = c.Know(at), c.UTC(at), c.Alarms()
	if t, half, ok := c.Now(at); ok {
		ev.Estimate, ev.HalfWidth = t, half
	}
}

// decode reads an accepted message once more, for people: a node keeps only what it proves.
func (f *follower) decode(ev *Event, m Message) {
	e := &f.opt.Enrolment
	switch ev.Kind {
	case beacon.KindDelegation:
		if d, err := beacon.VerifyDelegation(m.Payload, e.Root, e.Gateway); err == nil {
			f.held, ev.Delegation = &d, &d
		}
	case beacon.KindBeacon:
		if f.held == nil {
			return
		}
		if b, err := beacon.VerifyBeacon(m.Payload, f.held.Key, e.Gateway); err == nil {
			ev.Statement, ev.Sequence = &b.Statement, b.Sequence
		}
	case beacon.KindResponse:
		if r, err := beacon.OpenResponse(m.Payload, f.mac); err == nil {
			ev.Statement, ev.RoundTrip, f.answered = &r.Statement, m.At.Sub(f.asked), true
		}
	}
}

// AlarmWords names the alarms that stand.
func AlarmWords(a beacon.Alarm) string {
	var words []string
	for _, w := range []struct {
		bit  beacon.Alarm
		word string
	}{{beacon.AlarmContradiction, "contradiction"}, {beacon.AlarmFloor, "before-floor"}, {beacon.AlarmWithheld, "delegation-withheld"}} {
		if a&w.bit != 0 {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, " ")
}
