package loop

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

const (
	forever    = time.Duration(math.MaxInt64)
	tick       = time.Second            // between looks at the clock
	tickEvery  = 5 * time.Second        // between looks at the raw clock's step
	quickTick  = 250 * time.Millisecond // while a phase is slewed out
	quickPhase = 100 * time.Microsecond // … that is larger than this
	stale      = time.Minute
)

type chosen struct {
	mode Mode
	why  string
}

// Run steers until ctx ends (it then returns nil), the panic threshold refuses a change
// (ErrPanic), or the clock can't be read or set. It leaves the kernel's frequency at the
// learned rate and the kernel's maximum error growing by itself.
func (l *Loop) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()

	keep := newKeeper(l.o, l.log)
	wait.Go(keep.run)
	defer close(keep.jobs)

	var decided chan chosen
	if l.o.Decide != nil {
		decided = make(chan chosen, 1)
		wait.Go(func() {
			mode, why := l.o.Decide(ctx)
			decided <- chosen{mode, why}
		})
	}
	l.s.keep = keep

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var m *discipline.Measurement
		select {
		case <-ctx.Done():
			l.leave()
			return nil
		case got, ok := <-l.o.Measurements:
			if !ok {
				l.o.Measurements = nil
				continue
			}
			m = &got
			l.news()
		case e, ok := <-l.o.Sources:
			l.heard(e, ok)
		case r := <-l.o.Temperatures:
			l.o.Engine.Temperature(r.At, r.Celsius)
		case c := <-decided:
			l.choose(c)
		case <-timer.C:
		}
		if err := l.turn(m); err != nil {
			l.refuse()
			return err
		}
		timer.Reset(l.s.next())
	}
}

// news takes what was told of the sources by now: a source tells that it answers before what it says, and that it is denied soon
// after what it is denied for.
func (l *Loop) news() {
	for {
		select {
		case e, ok := <-l.o.Sources:
			l.heard(e, ok)
		default:
			return
		}
	}
}

// heard takes a source event; ok is false at the end of all.
func (l *Loop) heard(e SourceEvent, ok bool) {
	if !ok {
		l.o.Sources = nil
		return
	}
	l.o.Engine.SetSource(e.Name, e.Standing)
}

// turn is one round: a suspend first, then the measurement, then the clock.
func (l *Loop) turn(m *discipline.Measurement) error {
	e := l.o.Engine
	slept := l.suspended()
	if m != nil {
		if slept {
			m = nil // it began before the suspend
		} else if err := e.Update(*m); err != nil {
			l.refused(m.Source, err)
			m = nil
		}
	}
	now := l.o.Clock.Now()
	if now.Sub(l.s.tickAt) >= tickEvery {
		l.measureTick()
	}
	e.Advance(now)
	return l.steer(m)
}

// suspended tells the engine of a suspend, and reports whether there was one.
func (l *Loop) suspended() bool {
	base := time.Duration(l.base.Load())
	if !discipline.Slept(l.o.Clock.Suspended, base) {
		return false
	}
	is := l.o.Clock.Suspended()
	l.o.Engine.Suspended(l.o.Clock.Now())
	// Nothing of the old timeline may be found once the new base is seen.
	l.publish(l.engine())
	l.base.Store(int64(is))
	l.log.Warn("the machine was suspended: time is acquired anew", "for", is-base)
	return true
}

func (l *Loop) refused(source string, err error) {
	if l.o.Refused == nil {
		return
	}
	reason := "refused"
	if r := (*discipline.Refusal)(nil); errors.As(err, &r) {
		reason = r.Reason
	}
	l.o.Refused(source, reason)
}
