package stamp

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// host is a machine whose host clock is steered, in a test's own time.
type host struct {
	raw     discipline.Raw
	real    float64 // CLOCK_REALTIME − 1e18
	rate    float64 // of REALTIME against RAW
	stepped bool
	late    int64 // when in the 80 ns of a pair REALTIME is read
}

func (h *host) Now() discipline.Raw { h.pass(30); return h.raw }

func (h *host) Suspended() time.Duration { return 0 }

func (h *host) ReadPair() discipline.HostReading {
	middle := h.raw + 40
	h.pass(h.late)
	r := discipline.HostReading{Raw: middle, Real: h.now(), Width: 41}
	h.pass(80 - h.late)
	return r
}

func (h *host) Stepped() bool { was := h.stepped; h.stepped = false; return was }

func (h *host) pass(d int64) {
	h.raw += discipline.Raw(d)
	h.real += float64(d) * (1 + h.rate)
}

func (h *host) now() int64 { return int64(1e18) + int64(h.real) }

// TestCarry steps and slews a host clock as hard as the kernel can, between a datagram's stamp
// and the reading that carries it and around them: what comes out is never later than now, never
// further off than it says, and close when nothing happened.
func TestCarry(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	steps := []int64{0, 0, 0, 1, 100, 1000, 15_000, 30_000, 1e6, 1e9, 3.6e12}
	quiet, used := 0, 0
	for round := range 50_000 {
		h := &host{raw: 1e12, late: []int64{0, 40, 80}[rng.IntN(3)]}
		s := Carrier{clock: h, steps: h}
		disturb := func() (disturbed bool) {
			d := steps[rng.IntN(len(steps))]
			if d != 0 {
				h.real += float64((1 - 2*rng.Int64N(2)) * d)
				h.stepped = true
			}
			return d != 0
		}
		h.rate = []float64{0, 1e-5, 5e-4, 0.1005}[rng.IntN(4)] * (2*rng.Float64() - 1)
		disturb()
		if rng.IntN(2) == 0 {
			s.Carry(h.now())
		}
		h.pass(rng.Int64N(3e9))
		arrived, stamp := h.raw, h.now()
		disturbed := false
		h.pass(rng.Int64N([]int64{1, 100_000}[rng.IntN(2)]))
		if rng.IntN(2) == 0 {
			disturbed = disturb()
			h.pass(rng.Int64N(100_000))
		}
		if rng.IntN(3) == 0 {
			s.Carry(h.now()) // another datagram's turn
			h.pass(rng.Int64N(50_000))
		}
		if rng.IntN(2) == 0 {
			disturbed = disturb() || disturbed
			h.pass(rng.Int64N(50_000))
		}
		if rng.IntN(50) == 0 {
			stamp, disturbed = []int64{0, 1, -1, 1 << 62}[rng.IntN(4)], true
		}
		at, early, ok := s.Carry(stamp)
		if at > h.raw {
			t.Fatalf("round %d: %d ns in the future", round, at-h.raw)
		}
		if late := at.Sub(arrived); ok && late > early {
			t.Fatalf("round %d: %v too late, %v is admitted", round, late, early)
		}
		if off := arrived.Sub(at); off > early {
			t.Fatalf("round %d: %v too early, %v is admitted", round, off, early)
		}
		if !disturbed {
			quiet++
			if at.Sub(arrived) <= early {
				used++
			}
		}
	}
	if used*2 < quiet {
		t.Errorf("only %d of %d undisturbed stamps were used", used, quiet)
	}
}

// What the host clock may have been slewed by since a stamp is charged in full, with no part of a nanosecond left out.
func TestSlewIsCharged(t *testing.T) {
	for age := int64(0); age < 1000; age++ {
		h := &host{raw: 1e12}
		s := Carrier{clock: h, steps: h}
		stamp := h.now()
		h.pass(age)
		_, off, ok := s.Carry(stamp)
		// The pair is 80 ns wide, and read 40 ns on; an eighth of the age is what the fastest slew makes of it.
		if least := 41 + float64(age)/8; !ok || float64(off) < least || float64(off) > least+2 {
			t.Errorf("%d ns old: %v, %v; %v ns is what it may be off", age, off, ok, least)
		}
	}
}

func TestStampsNeedAWatch(t *testing.T) {
	h := &host{raw: 1e12}
	s := Carrier{clock: h}
	stamp := h.now()
	h.pass(1000)
	if at, early, ok := s.Carry(stamp); ok || at < 1e12+1000 || early != 0 {
		t.Errorf("%d, %v, %v", at, early, ok)
	}
}

func TestWatchIsQuiet(t *testing.T) {
	w, err := watchSteps()
	if err != nil {
		t.Skipf("the kernel tells nobody here when the clock is set: %v", err)
	}
	defer w.Close()
	for range 3 {
		if w.Stepped() {
			t.Error("the host clock stepped, or the watch is wrong")
		}
	}
}
