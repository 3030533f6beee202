package sysclock

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
)

// TestWhatOthersDoIsTold names each thing that can happen to the clock between two readings.
func TestWhatOthersDoIsTold(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*simKernel, *System)
		kind Kind // "": nothing is reported
		by   time.Duration
	}{
		{name: "nothing", do: func(*simKernel, *System) {}},
		{name: "date -s", do: func(k *simKernel, _ *System) { k.set(-5 * time.Second) }, kind: KindSet, by: -5 * time.Second},
		{name: "a small setting", do: func(k *simKernel, _ *System) { k.set(2 * time.Millisecond) }, kind: KindSet, by: 2 * time.Millisecond},
		{name: "reading noise", do: func(k *simKernel, _ *System) { k.base += 20_000 }},
		{name: "another daemon's frequency", do: func(k *simKernel, _ *System) { k.t.freq = 77 << 16 }, kind: KindFrequency},
		{name: "another daemon's tick", do: func(k *simKernel, _ *System) { k.t.tick = 10001 }, kind: KindFrequency},
		{name: "another daemon's PLL", do: func(k *simKernel, _ *System) { k.t.status |= unix.STA_PLL; k.t.offset = 5000 }, kind: KindPhase},
		{name: "the kernel's leap second", do: func(k *simKernel, _ *System) { k.base -= 1e9; k.t.tai++ }},
		{name: "another program's TAI offset", do: func(k *simKernel, _ *System) { k.t.tai = 37 }},
		{name: "our own step", do: func(_ *simKernel, s *System) { s.Step(time.Second) }},
		{name: "our own frequency", do: func(_ *simKernel, s *System) { s.SetFrequency(-120) }},
		{name: "date -s just before our own step", do: func(k *simKernel, s *System) { k.set(7 * time.Second); s.Step(time.Second) },
			kind: KindSet, by: 7 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newSimKernel()
			s := &System{host: host{k: k}}
			s.SetFrequency(25)
			k.pass(time.Second)
			s.Read()
			c.do(k, s)
			k.pass(time.Second)
			s.Read()
			k.pass(time.Second)
			s.Read()
			events := s.Interference()
			if c.kind == "" {
				if len(events) != 0 {
					t.Fatalf("reported %v", events)
				}
				return
			}
			if len(events) != 1 || events[0].Kind != c.kind || (events[0].By-c.by).Abs() > 200*time.Microsecond {
				t.Fatalf("reported %+v, want one %s by %v", events, c.kind, c.by)
			}
			if s.Interference() != nil {
				t.Error("reported twice")
			}
		})
	}
}

// meddledKernel is set by somebody else just before it does what it is told.
type meddledKernel struct {
	*simKernel
	by time.Duration
}

func (k *meddledKernel) adjtime(t *kernelTimex) (int, error) {
	if t.modes != 0 {
		k.set(k.by)
		k.by = 0
	}
	return k.simKernel.adjtime(t)
}

func TestASettingInTheMomentOfOurOwnIsTold(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*System) error
	}{
		{"frequency", func(s *System) error { return s.SetFrequency(-120) }},
		{"a large frequency", func(s *System) error { return s.SetFrequency(90000) }},
		{"step", func(s *System) error { return s.Step(-3 * time.Second) }},
	} {
		for _, by := range []time.Duration{0, 6 * time.Millisecond, -2 * time.Second} {
			k := &meddledKernel{simKernel: newSimKernel()}
			s := &System{host: host{k: k}}
			s.SetFrequency(25)
			k.pass(time.Second)
			s.Read()
			k.by = by
			if err := c.do(s); err != nil {
				t.Fatal(err)
			}
			k.pass(time.Second)
			s.Read()
			events := s.Interference()
			if by == 0 && len(events) == 0 {
				continue
			}
			if len(events) != 1 || events[0].Kind != KindSet || (events[0].By-by).Abs() > 200*time.Microsecond {
				t.Errorf("%s, set by %v meanwhile: reported %+v", c.name, by, events)
			}
		}
	}
}

// leapingKernel inserts a second between the reading of its state and that of its clocks, once.
type leapingKernel struct {
	*simKernel
	due bool
}

func (k *leapingKernel) pair() discipline.HostReading {
	if k.due {
		k.due = false
		k.base -= 1e9
		k.t.tai++
	}
	return k.simKernel.pair()
}

func TestALeapSecondInTheMiddleOfAReadingIsNobodysDoing(t *testing.T) {
	k := &leapingKernel{simKernel: newSimKernel()}
	s := &System{host: host{k: k}}
	s.SetFrequency(25)
	for i := range 4 {
		k.pass(time.Second)
		k.due = i == 2
		if _, err := s.Read(); err != nil {
			t.Fatal(err)
		}
	}
	if e := s.Interference(); len(e) != 0 {
		t.Errorf("reported %v", e)
	}
}
