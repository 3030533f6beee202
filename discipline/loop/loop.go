// Package loop runs a Discipline against a clock: measurements and source events come in
// through channels; the host clock is steered, the kernel told how good its clock is, and one
// immutable Snapshot after the other published.
package loop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/discipline/thermal"
)

// ErrPanic is what Run returns, wrapped, when following the timeline would move the host clock
// by more than the panic threshold. The program then ends with exit code 3.
var ErrPanic = errors.New("refused a clock change beyond panic_threshold")

// Mode says what the loop does to the host clock.
type Mode string

// The modes; the words are those of clock.mode.
const (
	System  Mode = "system"  // steer it
	Observe Mode = "observe" // measure it only
	Follow  Mode = "follow"  // another daemon steers it: measure, compare, and bound both
)

// Clock is the host clock: *sysclock.System or *sysclock.Observer. The first three are called
// from several goroutines, the others from Run's only.
type Clock interface {
	Now() discipline.Raw
	Suspended() time.Duration
	ReadPair() discipline.HostReading
	Read() (discipline.HostReading, error)
	Kernel() (sysclock.KernelState, error)
	Interference() []sysclock.Interference
	CanSet() bool
	SetFrequency(ppm float64) error
	Step(d time.Duration) error
	SetStatus(sysclock.KernelStatus) error
}

// Engine is what decides: *discipline.Discipline. Run's goroutine owns it.
type Engine interface {
	Update(discipline.Measurement) error
	SetSource(name string, s discipline.Standing)
	Advance(now discipline.Raw)
	Temperature(now discipline.Raw, celsius float64)
	Suspended(now discipline.Raw)
	Snapshot() *discipline.Snapshot
	Steer(discipline.HostReading) discipline.Decision
	SetObserving(on bool)
	Learned() (freqPPM, stdPPM float64, ok bool)
}

// SourceEvent tells that a source began or ceased to answer, or is denied.
type SourceEvent struct {
	Name string
	discipline.Standing
}

// Store keeps what outlives the process; *Files does. Each is called rarely, from one goroutine.
type Store interface {
	SaveDrift(freqPPM, stdPPM float64) error // the raw clock's learned rate error
}

// RTC keeps the battery clock; *sysclock.RTC does. It is called rarely, from one goroutine.
type RTC interface {
	// Keep sets the battery clock to the host clock where it is off by seconds; stepped: the
	// host clock was just stepped.
	Keep(stepped bool) error
}

// Options are what New needs. Engine, Clock and Measurements are required.
type Options struct {
	Engine       Engine
	Clock        Clock
	Mode         Mode
	Measurements <-chan discipline.Measurement
	Sources      <-chan SourceEvent
	Temperatures <-chan thermal.Reading // nil: no thermometer
	// Decide, when not nil, chooses the mode while the loop already measures (clock.mode =
	// "auto"): until it returns, the host clock is left alone. It runs once in a goroutine that
	// Run waits for. Why is one sentence for the log.
	Decide func(ctx context.Context) (mode Mode, why string)
	// MaxErrorLimit is the largest bound that may be served, for the host clock's part of it while another daemon steers
	// that; 0: any. The engine keeps to it by itself.
	MaxErrorLimit time.Duration
	// MaxFrequencyPPM is the largest frequency that the host clock is given; 0: any. The engine keeps to it by itself.
	MaxFrequencyPPM float64
	Store           Store // nil: nothing is kept
	RTC             RTC   // nil: the battery clock is left to the kernel
	// Tick, when not nil, measures the step of the raw clock (see discipline.TickOf): at the start and every few
	// seconds, as the kernel changes to a coarser counter when it finds the finer one unsteady.
	Tick     func() time.Duration
	Tracking io.Writer    // nil: no tracking log; see trackingHeader
	Log      *slog.Logger // nil: none
	// Refused, when not nil, is told the source and reason word of each measurement that the
	// engine refused.
	Refused func(source, reason string)
}

// Host is what is known of the host clock at one instant. It is immutable.
type Host struct {
	At           discipline.Raw
	Mode         Mode
	Deciding     bool                   // clock.mode = "auto" has not chosen yet; Mode is observe so far
	Phase        time.Duration          // timeline minus host clock; 0 while nothing is served
	PhaseKnown   bool                   // Phase means something
	Width        time.Duration          // the reading's error
	FrequencyPPM float64                // what the kernel applies to REALTIME relative to RAW
	MaxError     time.Duration          // bound on the host clock's error; the largest Duration when none
	Kernel       sysclock.KernelState   // as read back
	Action       discipline.Action      // the last one
	Steps        uint64                 // how often the host clock was stepped
	Set          uint64                 // how often others set it
	Last         *sysclock.Interference // the newest of what others did; nil: nothing
}

// Loop owns an Engine. Snapshot and Host are safe for concurrent use.
type Loop struct {
	o    Options
	log  *slog.Logger
	snap atomic.Pointer[discipline.Snapshot]
	host atomic.Pointer[Host]
	base atomic.Int64 // BOOTTIME − MONOTONIC when the timeline began
	s    steering
}

// CoarseClockError says that the raw clock is too coarse for a gateway.
type CoarseClockError struct{ Step time.Duration }

// Error says how coarse it is and what to do.
func (e *CoarseClockError) Error() string {
	return fmt.Sprintf("the raw clock (CLOCK_MONOTONIC_RAW) moves in steps of %v, more than %v, so this host is not fit for a gateway; %s",
		shown(e.Step), discipline.MostRawTick, finerClock)
}

// shown is a measured step for a person: it is no more than a few nanoseconds above the true one.
func shown(step time.Duration) time.Duration { return step.Round(100 * time.Nanosecond) }

// finerClock is what to do about a coarse raw clock.
const finerClock = "give the kernel a finer clock source: /sys/devices/system/clocksource/clocksource0 has available_clocksource and current_clocksource"

// New returns a Loop that Run starts. A raw clock that is too coarse is a *CoarseClockError.
func New(o Options) (*Loop, error) {
	switch {
	case o.Engine == nil || o.Clock == nil || o.Measurements == nil:
		return nil, errors.New("loop: engine, clock and measurements are required")
	case o.Decide != nil:
		o.Mode = Observe
	case o.Mode != System && o.Mode != Observe && o.Mode != Follow:
		return nil, fmt.Errorf("loop: clock mode %q is not system, observe or follow", o.Mode)
	}
	if o.Mode == System && !o.Clock.CanSet() {
		return nil, errors.New("loop: mode system needs a clock that can be set")
	}
	l := &Loop{o: o, log: o.Log}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.s.mode = o.Mode
	if l.measureTick(); l.s.tick > discipline.MostRawTick {
		return nil, &CoarseClockError{l.s.tick}
	}
	l.base.Store(int64(o.Clock.Suspended()))
	l.publish(l.engine())
	l.host.Store(&Host{At: o.Clock.Now(), Mode: o.Mode, Deciding: o.Decide != nil, MaxError: forever})
	return l, nil
}

// measureTick measures the step of the raw clock.
func (l *Loop) measureTick() {
	if l.o.Tick != nil {
		l.s.tick, l.s.tickAt = l.o.Tick(), l.o.Clock.Now()
	}
}

// engine is the engine's snapshot with a bound that covers a coarse raw clock: who hands time on allows for
// discipline.RawTick.
func (l *Loop) engine() *discipline.Snapshot {
	s := l.o.Engine.Snapshot()
	if over := discipline.Coarse(l.s.tick); s.Serving() {
		s.MaxErrorAt += over
		s.RootDispersion += over
	}
	return s
}

// Snapshot returns what may be served now: the timeline, and while another daemon steers the host clock only what holds for that, too.
func (l *Loop) Snapshot() *discipline.Snapshot {
	s := l.Timeline()
	if h := l.host.Load(); s.Serving() && h.Mode == Follow {
		return l.follow(s, h)
	}
	return s
}

// Timeline returns the newest snapshot, whatever the host clock shows. One that is older than a minute, because the process
// was stopped or starved, is returned as unsynchronized: its growth isn't sure to hold. So is one from before a
// suspend that the loop hasn't noticed yet.
func (l *Loop) Timeline() *discipline.Snapshot {
	base := time.Duration(l.base.Load()) // before the snapshot: it is set after the one that ends the timeline is published
	s := l.snap.Load()
	tells := s.Serving() || s.CandidateTAI != 0
	if tells && (discipline.Slept(l.o.Clock.Suspended, base) || l.o.Clock.Now().Sub(s.At) >= stale) {
		return unsynchronized(s)
	}
	return s
}

// follow widens a snapshot so that its bound holds for the host clock as well, which another daemon steers and may
// have stepped a moment ago. Without a majority of one's own nothing tells how far off it is.
func (l *Loop) follow(s *discipline.Snapshot, h *Host) *discipline.Snapshot {
	if s.State != discipline.Synchronized {
		return unsynchronized(s)
	}
	p := l.o.Clock.ReadPair()
	w := *s
	w.MaxErrorAt = max(s.MaxErrorAt, h.Kernel.MaxError, s.MaxError(p.Raw)+phaseOf(s, p).Abs()+p.Width)
	w.MaxErrorPPM += math.Abs(h.FrequencyPPM - s.FrequencyPPM)
	w.RootDispersion = max(w.RootDispersion, w.MaxErrorAt-w.RootDelay/2)
	if limit := l.o.MaxErrorLimit; limit > 0 && w.MaxError(p.Raw) > limit {
		return unsynchronized(&w)
	}
	return &w
}

// unsynchronized is a snapshot of which nothing may be served, nor any date judged by.
func unsynchronized(s *discipline.Snapshot) *discipline.Snapshot {
	u := *s
	u.State, u.Stratum, u.Leap = discipline.Unsynchronized, 16, discipline.LeapUnknown
	u.CandidateTAI, u.CandidateError = 0, 0
	return &u
}

// phaseOf is by how much the timeline is ahead of the host clock.
func phaseOf(s *discipline.Snapshot, r discipline.HostReading) time.Duration {
	return time.Duration(s.UTCAt(r.Raw).UnixNano() - r.Real)
}

// Host returns what is known of the host clock.
func (l *Loop) Host() *Host { return l.host.Load() }

func (l *Loop) publish(s *discipline.Snapshot) { l.snap.Store(s) }
