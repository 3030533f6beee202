package loop

import (
	"fmt"
	"math"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// steering is what Run's goroutine remembers.
type steering struct {
	mode    Mode
	keep    *keeper
	state   discipline.State
	epoch   discipline.Epoch
	phase   time.Duration
	slewing bool
	served  bool // the kernel was told of a served timeline once
	steps   uint64
	sets    uint64
	last    *sysclock.Interference
	setAt   discipline.Raw // of the last KindSet
	fights  []discipline.Raw
	yielded bool           // another daemon fights: only observe
	quietAt discipline.Raw // of the last sign of it
	savedAt discipline.Raw
	saved   bool
	hurry   bool // the clock was set during the turn
	limited bool // max_frequency_ppm keeps the host clock from the timeline
	rtcAt   discipline.Raw
	tick    time.Duration // the raw clock's step, as last measured
	tickAt  discipline.Raw
	stepped bool            // since the battery clock was last kept
	armed   discipline.Leap // what the kernel was told of last …
	armedAt int64           // … with the first second after it, UTC
}

const (
	kernelGrowth = 500.0                  // ppm: by how much the kernel's maxerror grows by itself (MAXFREQ)
	slewMost     = 450.0                  // ppm beside the learned rate …
	slewLeast    = 200.0                  // … and no less is enough
	fightCount   = 3                      // signs of another daemon …
	fightSpan    = 5 * time.Minute        // … within this end our steering …
	fightQuiet   = 15 * time.Minute       // … until it was quiet for this long
	setNoise     = 100 * time.Microsecond // between two readings of a turn
	lateLeap     = 60                     // seconds, by which no host clock that is slewed is behind
	limitNoise   = 1.0                    // ppm of the learned rate that the limit cuts off
	setRemember  = 10 * time.Minute       // how long the warning of a set clock stands
	saveEvery    = time.Hour
	rtcEvery     = time.Hour
)

func (s *steering) next() time.Duration {
	if s.hurry {
		return 0
	}
	if s.slewing && s.phase.Abs() > quickPhase {
		return quickTick
	}
	return tick
}

// choose takes the mode that Decide chose.
func (l *Loop) choose(c chosen) {
	l.o.Decide = nil
	if c.mode == System && !l.o.Clock.CanSet() {
		c.mode, c.why = Observe, "the clock can't be set"
	}
	l.s.mode = c.mode
	l.o.Engine.SetObserving(c.mode != System)
	l.log.Info("clock mode", "mode", string(c.mode), "why", c.why)
}

// steer reads the host clock, moves it as the engine says, tells the kernel how good it is, and
// publishes. m is the measurement that was taken in this turn, or nil.
func (l *Loop) steer(m *discipline.Measurement) error {
	s := &l.s
	read, err := l.o.Clock.Read()
	if err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	if s.mode != Follow {
		l.others(read)
	}
	s.slewing = false
	deciding := l.o.Decide != nil
	decision := discipline.Decision{Action: discipline.Hold, FrequencyPPM: read.FrequencyPPM}
	if !deciding {
		decision = l.o.Engine.Steer(read)
	}
	snap := l.engine()
	steers := s.mode == System && !s.yielded
	if steers && decision.Action != discipline.Hold {
		if err := l.apply(decision, snap); err != nil {
			return err
		}
		if read, err = l.o.Clock.Read(); err != nil {
			return fmt.Errorf("clock: %w", err)
		}
	}
	h := l.describe(snap, read, decision.Action)
	if steers {
		if err := l.tell(snap, h, read); err != nil {
			return err
		}
		if err := l.confirm(read); err != nil {
			return err
		}
	}
	if h.Kernel, err = l.o.Clock.Kernel(); err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	own := snap
	if s.mode == Follow && snap.Serving() {
		h.MaxError = max(h.MaxError, h.Kernel.MaxError)
		snap = l.follow(snap, h)
	}
	s.limited = steers && decision.Action == discipline.Slew &&
		math.Abs(snap.FrequencyPPM) > math.Abs(decision.FrequencyPPM)+limitNoise && snap.FrequencyPPM*float64(h.Phase) > 0
	l.warn(own, h)
	s.phase = h.Phase
	l.host.Store(h) // first: its mode says how the snapshot is to be read
	l.publish(own)
	l.report(snap, h, decision)
	l.remember(snap, h)
	if m != nil {
		s.keep.track(line(snap, h, decision, m))
	}
	return nil
}

// apply carries a decision out.
func (l *Loop) apply(d discipline.Decision, snap *discipline.Snapshot) error {
	s := &l.s
	switch d.Action {
	case discipline.Panic:
		return fmt.Errorf("%w: %s", ErrPanic, d.Reason)
	case discipline.Step:
		l.log.Warn("stepping the host clock", "by", d.Phase, "why", d.Reason)
		if err := l.o.Clock.Step(d.Phase); err != nil {
			return fmt.Errorf("clock: %w", err)
		}
		s.steps++
		s.stepped = true
	case discipline.Slew:
		s.slewing = true
	}
	// A slew is kept slow enough that the kernel's own growth of maxerror covers it if this process is killed in the
	// middle of it. While the rate is known badly that would be too slow, and tell says nothing good instead.
	feed, most := snap.FrequencyPPM, slewMost
	if covered := spare(snap, feed-slewMost) - 1; covered > slewLeast {
		most = math.Min(most, covered)
	}
	if err := l.o.Clock.SetFrequency(l.within(math.Max(feed-most, math.Min(feed+most, d.FrequencyPPM)))); err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	return nil
}

// within keeps a frequency to what the operator allows.
func (l *Loop) within(ppm float64) float64 {
	if most := l.o.MaxFrequencyPPM; most > 0 {
		return math.Max(-most, math.Min(most, ppm))
	}
	return ppm
}

// describe works out where the host clock is.
func (l *Loop) describe(snap *discipline.Snapshot, read discipline.HostReading, a discipline.Action) *Host {
	h := &Host{At: read.Raw, Mode: l.s.mode, Deciding: l.o.Decide != nil, Width: read.Width,
		FrequencyPPM: read.FrequencyPPM, MaxError: forever, Action: a,
		Steps: l.s.steps, Set: l.s.sets, Last: l.s.last}
	if !snap.Serving() {
		return h
	}
	h.Phase, h.PhaseKnown = phaseOf(snap, read), true
	h.MaxError = snap.MaxError(read.Raw) + h.Phase.Abs() + read.Width
	return h
}

// tell keeps STA_UNSYNC, maxerror, esterror, the TAI offset and a coming leap second true.
func (l *Loop) tell(snap *discipline.Snapshot, h *Host, read discipline.HostReading) error {
	s := &l.s
	var k sysclock.KernelStatus
	switch {
	case snap.Serving():
		// The kernel adds its growth once a second; what comes sooner joins here.
		const ahead = 2 * time.Second
		apart := math.Abs(h.FrequencyPPM - snap.FrequencyPPM)
		grow := snap.MaxErrorPPM + apart
		k = sysclock.KernelStatus{Synchronized: true,
			MaxError: h.MaxError + time.Duration(grow*1e-6*float64(ahead)) + time.Microsecond,
			EstError: snap.EstError(h.At) + h.Phase.Abs()}
		// If this process is killed now, nobody tells the kernel more: what it was told must hold with its own growth.
		if apart > spare(snap, h.FrequencyPPM) {
			k = sysclock.KernelStatus{MaxError: forever, EstError: forever}
		}
		u := snap.UTCAt(h.At)
		k.Leap, k.TAIOffset = s.arm(snap, u, read.Real), u.TAIOffset
		k.Once = k.Leap != discipline.LeapNone && u.Seconds >= s.armedAt-2 // a clock that is slewed is ahead by less
		late := k.Leap != discipline.LeapNone && u.Seconds >= s.armedAt
		if edge := snap.LeapAt - u.Seconds; late || snap.LeapAt != 0 && edge > -5 && edge < 5 {
			k.TAIOffset = 0 // the kernel moves it itself at the leap
		}
		s.served = true
	case !s.served:
		// A restart: what the last run told the kernel still grows as promised.
		return nil
	default:
		k = sysclock.KernelStatus{MaxError: forever, EstError: forever}
	}
	if err := l.o.Clock.SetStatus(k); err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	return nil
}

// spare is by how much, ppm, the host clock may run beside the learned rate so that its error grows by no more than the
// kernel says, while it runs at ppm relative to the raw clock. It is negative while the rate is known too badly for that.
func spare(snap *discipline.Snapshot, ppm float64) float64 {
	return kernelGrowth*(1+ppm*1e-6) - snap.RateBoundPPM - discipline.MostWanderPPM // later than RateBoundPPM covers
}

// confirm looks whether somebody set the clock after it was read and before the kernel was told
// how good it is: then what was told is taken back, and the next turn follows at once.
func (l *Loop) confirm(read discipline.HostReading) error {
	again, err := l.o.Clock.Read()
	if err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	l.s.hurry = false
	passed := float64(again.Raw-read.Raw) * (1 + read.FrequencyPPM*1e-6)
	moved := time.Duration(again.Real - read.Real - int64(passed))
	if moved.Abs() <= setNoise+read.Width+again.Width {
		return nil
	}
	l.s.hurry = true
	if err := l.o.Clock.SetStatus(sysclock.KernelStatus{MaxError: forever, EstError: forever}); err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	return nil
}

// arm returns the leap that the kernel must be told of now. A host clock that is behind the timeline has not made it yet when
// that has: told of none any more it would not, and be a second off.
func (s *steering) arm(snap *discipline.Snapshot, u discipline.UTC, real int64) discipline.Leap {
	if today := leapToday(snap, u); today != discipline.LeapNone {
		s.armed, s.armedAt = today, snap.LeapAt
	} else if passed := u.Seconds - s.armedAt; passed < 0 || passed > lateLeap || real >= s.armedAt*1e9 {
		s.armed = discipline.LeapNone
	}
	return s.armed
}

// leapToday returns the leap that the kernel must be told of: it acts at the end of the present
// UTC day, whatever the month.
func leapToday(snap *discipline.Snapshot, u discipline.UTC) discipline.Leap {
	if snap.Leap != discipline.LeapInsert && snap.Leap != discipline.LeapDelete || snap.LeapAt == 0 {
		return discipline.LeapNone
	}
	if left := snap.LeapAt - u.Seconds; left <= 0 || left > 86_400-60 {
		return discipline.LeapNone
	}
	return snap.Leap
}

// leave ends the steering in order: the slew stops, the learned rate stays.
func (l *Loop) leave() {
	if l.s.mode == System && !l.s.yielded && l.s.served {
		if err := l.settle(); err != nil {
			l.log.Error("leaving the clock", "err", err)
		}
	}
	l.s.keep.last(l.o.Engine)
}

func (l *Loop) settle() error {
	read, err := l.o.Clock.Read()
	if err != nil {
		return err
	}
	snap := l.engine()
	if !snap.Serving() {
		return l.o.Clock.SetStatus(sysclock.KernelStatus{MaxError: forever, EstError: forever})
	}
	stays := l.within(snap.FrequencyPPM)
	if err := l.o.Clock.SetFrequency(stays); err != nil {
		return err
	}
	h := l.describe(snap, read, discipline.Hold)
	h.FrequencyPPM = stays
	return l.tell(snap, h, read)
}

// refuse publishes that nothing is served any more, and tells the kernel.
func (l *Loop) refuse() {
	l.publish(unsynchronized(l.snap.Load()))
	if l.s.mode == System {
		l.disown()
	}
}

// disown tells the kernel that nobody vouches for its clock, if it was ever told otherwise.
func (l *Loop) disown() {
	if l.s.served {
		if err := l.o.Clock.SetStatus(sysclock.KernelStatus{MaxError: forever, EstError: forever}); err != nil {
			l.log.Error("telling the kernel that its clock is unsynchronized", "err", err)
		}
	}
}
