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
		want := snap.MaxErrorAt + early + time.Duration(float64(max(back, c.raw.Sub(snap.At)))*snap.MaxErrorPPM*1e-6)
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

// sleeper is a clock that is only what a test says.
type sleeper struct {
	raw   discipline.Raw
	slept time.Duration
}

func (s *sleeper) Now() discipline.Raw              { return s.raw }
func (s *sleeper) Suspended() time.Duration         { return s.slept }
func (s *sleeper) ReadPair() discipline.HostReading { return discipline.HostReading{Raw: s.raw} }
