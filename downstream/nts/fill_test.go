package nts

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/suspend"
	"github.com/ntsgw/ntsgw/upstream/ntp"
)

// TestRootDistanceCovers fills answers from all sorts of snapshots, newer than the request ones
// included: the root distance is never less than the timeline's bound at either stamp with what
// the stamp itself may be wrong by, and the stamps are the timeline's.
func TestRootDistanceCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	line := &timeline{}
	for round := range 20_000 {
		c := &sleeper{raw: discipline.Raw(1e15 + rng.Int64N(1e15))}
		s := &Server{opt: Options{Timeline: line, Clock: c}, epochs: suspend.New(c)}
		t2 := c.raw.Add(-time.Duration(rng.Int64N(1e9)))
		early := time.Duration(rng.Int64N(1e5))
		snap := &discipline.Snapshot{
			State:        discipline.Synchronized,
			At:           c.raw.Add(time.Duration(rng.Int64N(4e9) - 3e9)), // may be after t2
			TAI:          1_800_000_000e9 + rng.Int64N(1e18),
			FrequencyPPM: 500 * (2*rng.Float64() - 1),
			MaxErrorAt:   time.Duration(rng.Int64N(1 << (10 + rng.IntN(24)))), MaxErrorPPM: 1000 * rng.Float64(),
			RootDelay: time.Duration(rng.Int64N(1 << (10 + rng.IntN(24)))),
			TAIOffset: 37, Stratum: uint8(1 + rng.IntN(15)), RefID: rng.Uint32(),
			LastUpdate: c.raw.Add(-time.Duration(rng.Int64N(1e12))),
		}
		line.p.Store(snap)
		var h ntp.Packet
		if reason := s.fill(&h, t2, early); reason != "" {
			t.Fatalf("round %d: %s", round, reason)
		}
		back := max(0, snap.At.Sub(t2))
		want := snap.MaxErrorAt + early + discipline.RawTick + time.Duration(float64(max(back, c.raw.Sub(snap.At)))*snap.MaxErrorPPM*1e-6)
		if got := h.RootDelay.Duration()/2 + h.RootDispersion.Duration(); got < want {
			t.Fatalf("round %d: root distance %v, %v is needed; %+v", round, got, want, *snap)
		}
		received, sent := snap.UTCAt(t2).UnixNano(), snap.UTCAt(c.raw).UnixNano()
		if d := h.ReceiveTime.UnixNano(sent) - received; d != 0 {
			t.Fatalf("round %d: received %d ns off", round, d)
		}
		if d := h.TransmitTime.UnixNano(sent) - sent; d != 0 {
			t.Fatalf("round %d: sent %d ns off", round, d)
		}
		if h.ReceiveTime.Before(h.ReferenceTime) || h.TransmitTime.Before(h.ReceiveTime) {
			t.Fatalf("round %d: out of order %+v", round, h)
		}
		if h.Stratum != snap.Stratum || h.ReferenceID != snap.RefID {
			t.Fatalf("round %d: %+v", round, h)
		}
	}
}

// TestEachTermOfTheRootDistanceIsNeeded: the root distance covers true time at the edge of what one
// term allows. The dispersion is stated in steps of 15 µs, so the terms but that one come to a whole
// number of steps: without it nothing more would be stated than they.
func TestEachTermOfTheRootDistanceIsNeeded(t *testing.T) {
	const steps = time.Second / 512 // 128 steps
	for _, c := range []struct {
		name  string
		term  time.Duration // the term in question
		early time.Duration
		age   time.Duration // of the request, seen from the snapshot
		after time.Duration // from the snapshot to the answer
		delay time.Duration // the snapshot's root delay
	}{
		{"the stamp's error", 100, 100, 0, 0, 0},
		{"a tick of the raw clock", discipline.RawTick, 0, 0, 0, 0},
		{"the roundings", rounding, 0, 0, 0, 0},
		{"growth up to the answer", 100, 0, 0, 10 * time.Millisecond, 0},
		{"growth back to the request", 100, 0, 10 * time.Millisecond, 0, 0},
		{"half the root delay", 100, 100, 0, 0, 3 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			const ppm = 10
			grown := max(c.age, c.after) * ppm / 1e6
			all := c.early + discipline.RawTick + rounding + grown
			at := discipline.Raw(1e15)
			clk := &sleeper{raw: at.Add(c.after)}
			line := &timeline{}
			line.p.Store(&discipline.Snapshot{
				State: discipline.Synchronized, At: at, TAI: 1_800_000_000e9, TAIOffset: 37, Stratum: 1,
				MaxErrorAt: steps - all + c.term, MaxErrorPPM: ppm, RootDelay: c.delay, LastUpdate: at.Add(-time.Second),
			})
			s := &Server{opt: Options{Timeline: line, Clock: clk}, epochs: suspend.New(clk)}
			var h ntp.Packet
			if reason := s.fill(&h, at.Add(-c.age), c.early); reason != "" {
				t.Fatal(reason)
			}
			if got, want := h.RootDelay.Duration()/2+h.RootDispersion.Duration(), steps+c.term; got < want {
				t.Errorf("root distance %v, %v is needed", got, want)
			}
		})
	}
}

// TestNoTimeAcrossALeapSecond: neither stamp may lie in an inserted second, and no leap between the two.
func TestNoTimeAcrossALeapSecond(t *testing.T) {
	const edge = 1_483_228_800 // 2017-01-01; 23:59:60 was before it
	for _, c := range []struct {
		name           string
		leap           discipline.Leap
		received, sent time.Duration // after the inserted second began, or after the deleted one is passed
		want           string
	}{
		{"before it", discipline.LeapInsert, -2 * time.Second, -1, ""},
		{"sent in it", discipline.LeapInsert, -1, 0, reasonLeapSecond},
		{"both in it", discipline.LeapInsert, 0, time.Second - 1, reasonLeapSecond},
		{"received in it", discipline.LeapInsert, time.Second - 1, time.Second, reasonLeapSecond},
		{"around it", discipline.LeapInsert, -1, time.Second, reasonLeapSecond},
		{"after it", discipline.LeapInsert, time.Second, 2 * time.Second, ""},
		{"before a deleted one", discipline.LeapDelete, -2 * time.Second, -1, ""},
		{"across a deleted one", discipline.LeapDelete, -1, 0, reasonLeapSecond},
		{"after a deleted one", discipline.LeapDelete, 0, time.Second, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := discipline.Raw(1e15)
			clk := &sleeper{raw: begin.Add(c.sent)}
			line := &timeline{}
			first := int64(edge + 36)
			if c.leap == discipline.LeapDelete {
				first--
			}
			line.p.Store(&discipline.Snapshot{
				State: discipline.Synchronized, At: begin, TAI: first * 1e9, TAIOffset: 36,
				Leap: c.leap, LeapAt: edge, MaxErrorAt: time.Millisecond, Stratum: 1, LastUpdate: begin.Add(-time.Minute),
			})
			s := &Server{opt: Options{Timeline: line, Clock: clk}, epochs: suspend.New(clk)}
			h := &ntp.Packet{}
			if got := s.fill(h, begin.Add(c.received), 0); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if d := time.Duration(h.TransmitTime.UnixNano(edge*1e9) - h.ReceiveTime.UnixNano(edge*1e9)); c.want == "" && (d-(c.sent-c.received)).Abs() > time.Microsecond {
				t.Errorf("t3 − t2 is %v, and %v passed", d, c.sent-c.received)
			}
		})
	}
}

// sleeper is a clock that is only what a test says.
type sleeper struct {
	raw   discipline.Raw
	slept time.Duration
}

func (s *sleeper) Now() discipline.Raw              { return s.raw }
func (s *sleeper) Suspended() time.Duration         { return s.slept }
func (s *sleeper) ReadPair() discipline.HostReading { return discipline.HostReading{Raw: s.raw} }
