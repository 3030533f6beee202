package sysclock

import (
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
)

// ErrObserver is what an Observer answers to everything that would set the clock.
var ErrObserver = errors.New("the clock is only observed, never set")

// kernel is what a System stands on; tests put a simulated one here.
type kernel interface {
	adjtime(*kernelTimex) (state int, err error)
	pair() discipline.HostReading
	now() discipline.Raw
	suspended() time.Duration
}

type realKernel struct{}

func (realKernel) adjtime(t *kernelTimex) (int, error) { return realAdjtime(t) }
func (realKernel) pair() discipline.HostReading        { return ReadPair() }
func (realKernel) now() discipline.Raw                 { return Now() }
func (realKernel) suspended() time.Duration            { return Suspended() }

// host is what can be read of the host clock, whether it is set or not. One goroutine owns it.
// Now, Suspended and ReadPair alone are safe for concurrent use.
type host struct {
	k     kernel
	watch watch
}

// Now reads CLOCK_MONOTONIC_RAW.
func (h *host) Now() discipline.Raw { return h.k.now() }

// Suspended is how long the machine was suspended since boot.
func (h *host) Suspended() time.Duration { return h.k.suspended() }

// ReadPair reads REALTIME beside RAW, nothing else. Safe for concurrent use.
func (h *host) ReadPair() discipline.HostReading { return h.k.pair() }

// Read reads REALTIME beside RAW, and the frequency that the kernel applies.
func (h *host) Read() (discipline.HostReading, error) {
	r, t, err := reading(h.k)
	if err != nil {
		return discipline.HostReading{}, wrap("reading the kernel's clock state", err)
	}
	r.FrequencyPPM = joinFrequency(t.tick, t.freq)
	h.watch.see(r, &t)
	return r, nil
}

// Kernel returns what the kernel says of its clock.
func (h *host) Kernel() (KernelState, error) {
	var t kernelTimex
	state, err := h.k.adjtime(&t)
	if err != nil {
		return KernelState{}, wrap("reading the kernel's clock state", err)
	}
	return decode(&t, state), nil
}

// Interference returns, and forgets, what others did to the clock since the last call.
func (h *host) Interference() []Interference { return h.watch.take() }

// System is the host clock, which it sets. One goroutine owns it. Now, Suspended and ReadPair
// alone are safe for concurrent use.
type System struct {
	host
	taken bool            // the kernel's own loop was put out of action
	made  discipline.Leap // the kernel made that leap second, as SetStatus still asks for it
}

// NewSystem returns the host clock. It sets nothing yet.
func NewSystem() *System { return &System{host: host{k: realKernel{}}} }

// CanSet reports true: this clock is one that is set. Whether the kernel agrees is what
// MaySetTime says, and PermissionError at the first try.
func (*System) CanSet() bool { return true }

// SetFrequency makes REALTIME run (1 + ppm·10⁻⁶) times as fast as RAW, through freq up to
// ±500 ppm and through tick and freq beyond, up to ±MaxFrequencyPPM. The resolution is
// 2⁻¹⁶ ppm. The first call puts the kernel's own loop (PLL, adjtime) out of action.
func (s *System) SetFrequency(ppm float64) error {
	if math.IsNaN(ppm) || math.Abs(ppm) > MaxFrequencyPPM {
		return fmt.Errorf("setting the clock's frequency: %v ppm is beyond the kernel's ±%v ppm", ppm, float64(MaxFrequencyPPM))
	}
	const op = "setting the clock's frequency"
	if err := s.takeOver(); err != nil {
		return wrap(op, err)
	}
	h, t, err := reading(s.k)
	if err != nil {
		return wrap(op, err)
	}
	s.watch.see(h, &t)
	tick, freq := splitFrequency(ppm, t.tick)
	return wrap(op, s.set(kernelTimex{modes: unix.ADJ_FREQUENCY | unix.ADJ_TICK, tick: tick, freq: freq}, 0))
}

// Step moves REALTIME by d at once. The kernel then calls its clock unsynchronized until
// SetStatus says otherwise.
func (s *System) Step(d time.Duration) error {
	const op = "stepping the clock"
	if err := s.takeOver(); err != nil {
		return wrap(op, err)
	}
	h, t, err := reading(s.k)
	if err != nil {
		return wrap(op, err)
	}
	s.watch.see(h, &t)
	sec := int64(d / time.Second)
	nsec := int64(d % time.Second)
	if nsec < 0 { // the kernel wants the fraction positive
		sec, nsec = sec-1, nsec+1e9
	}
	err = s.set(kernelTimex{modes: unix.ADJ_SETOFFSET | unix.ADJ_NANO, sec: sec, usec: nsec}, d)
	s.watch.set = true
	return wrap(op, err)
}

// set changes the clock, which moves it by so much at once, and looks whether somebody else did in the same moment.
func (s *System) set(to kernelTimex, by time.Duration) error {
	if _, err := s.k.adjtime(&to); err != nil {
		return err
	}
	h, t, err := reading(s.k)
	if err != nil {
		return err
	}
	s.watch.after(h, &t, by)
	return nil
}

// SetStatus tells the kernel, and through it every program on the host, how good its clock is.
func (s *System) SetStatus(k KernelStatus) error {
	const op = "setting the clock's status"
	if err := s.takeOver(); err != nil {
		return wrap(op, err)
	}
	t := kernelTimex{
		modes:    unix.ADJ_STATUS | unix.ADJ_MAXERROR | unix.ADJ_ESTERROR | unix.ADJ_NANO,
		maxerror: micros(k.MaxError),
		esterror: micros(k.EstError),
	}
	// At the limit the kernel would set it a second later, each second anew: until then it would vouch for less than is known.
	if !k.Synchronized || t.maxerror >= mostMicros {
		t.status |= unix.STA_UNSYNC
	}
	switch {
	case k.Leap == discipline.LeapNone && !k.Synchronized: // nothing is known for the moment: it stays made
	case k.Leap == discipline.LeapNone, !k.Once: // over; or made before its time, by a clock that was ahead: it is yet to come
		s.made = discipline.LeapNone
	case k.Leap == s.made:
		k.Leap = discipline.LeapNone
	}
	switch k.Leap {
	case discipline.LeapInsert:
		t.status |= unix.STA_INS
	case discipline.LeapDelete:
		t.status |= unix.STA_DEL
	}
	s.watch.good = t.status&unix.STA_UNSYNC == 0
	if _, err := s.k.adjtime(&t); err != nil {
		return wrap(op, err)
	}
	if k.TAIOffset <= 0 || int32(k.TAIOffset) == t.tai {
		return nil
	}
	// A call of its own: TAI shares its field (constant) with the PLL's time constant.
	t = kernelTimex{modes: unix.ADJ_TAI, constant: int64(k.TAIOffset)}
	if _, err := s.k.adjtime(&t); err != nil {
		return wrap("setting the TAI offset", err)
	}
	s.watch.tai = t.tai
	return nil
}

// takeOver ends what another daemon's PLL or adjtime left pending: only the frequency is used
// here, and a rest of theirs would move the clock behind our back. After each setting of the clock it is done again: the
// kernel then forgets when it was to make a leap second, but not that it was told to, and made none. Giving its loop up lets it look anew,
// and forget that it has made one: that is noted before.
func (s *System) takeOver() error {
	if s.taken && !s.watch.set {
		return nil
	}
	var t kernelTimex
	state, err := s.k.adjtime(&t)
	if err != nil {
		return err
	}
	kept := t.status & (unix.STA_UNSYNC | unix.STA_INS | unix.STA_DEL)
	if s.taken && (state == timeOOP || state == timeWait) {
		s.made = decode(&t, state).Leap
		kept = t.status & unix.STA_UNSYNC
	}
	for _, t := range []kernelTimex{
		{modes: unix.ADJ_OFFSET_SINGLESHOT}, // adjtime(0)
		{modes: unix.ADJ_STATUS | unix.ADJ_OFFSET | unix.ADJ_NANO, status: kept | unix.STA_PLL | unix.STA_FREQHOLD},
		{modes: unix.ADJ_STATUS | unix.ADJ_NANO, status: kept},
	} {
		if _, err := s.k.adjtime(&t); err != nil {
			return err
		}
	}
	s.taken, s.watch.set = true, false
	return nil
}

// Observer is the host clock, which it never sets. One goroutine owns it. Now, Suspended and
// ReadPair alone are safe for concurrent use.
type Observer struct{ host }

// NewObserver returns the observing twin of System.
func NewObserver() *Observer { return &Observer{host{k: realKernel{}}} }

// CanSet reports false.
func (*Observer) CanSet() bool { return false }

// SetFrequency returns ErrObserver.
func (*Observer) SetFrequency(float64) error { return ErrObserver }

// Step returns ErrObserver.
func (*Observer) Step(time.Duration) error { return ErrObserver }

// SetStatus returns ErrObserver.
func (*Observer) SetStatus(KernelStatus) error { return ErrObserver }

// reading reads the clocks and the kernel's state beside them.
func reading(k kernel) (h discipline.HostReading, t kernelTimex, err error) {
	if _, err = k.adjtime(&t); err != nil {
		return h, t, err
	}
	h = k.pair()
	// A leap second that passed between the two would look like somebody's setting of the clock.
	for range 2 {
		var after kernelTimex
		if _, err = k.adjtime(&after); err != nil {
			return h, t, err
		}
		if after.tai == t.tai {
			break
		}
		t, h = after, k.pair()
	}
	return h, t, nil
}
