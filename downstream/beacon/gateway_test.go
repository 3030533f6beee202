package beacon

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

func snapshot() *discipline.Snapshot {
	return &discipline.Snapshot{
		State: discipline.Synchronized, Epoch: discipline.Epoch{7}, At: 1_000_000_000,
		TAI: 1_790_000_037_000_000_000, TAIOffset: 37, Stratum: 2,
		MaxErrorAt: 2 * time.Millisecond, MaxErrorPPM: 10, FrequencyPPM: 12.5, RateBoundPPM: 1,
	}
}

func TestStatementCoversTheTimeline(t *testing.T) {
	snap := snapshot()
	for _, after := range []time.Duration{0, 1, 3, 999_999_999, time.Second, 17*time.Hour + 3} {
		now := snap.At.Add(after)
		s, err := StatementAt(snap, now)
		if err != nil {
			t.Fatal(err)
		}
		exact := float64(snap.TAI) + float64(after)*(1+12.5e-6)
		if d := exact - float64(s.TAI()); d > 1000 || d < -1000 {
			t.Errorf("after %v: t is %v ns beside the timeline", after, d)
		}
		if s.MaxError <= snap.MaxError(now) {
			t.Errorf("after %v: E %v doesn't cover %v and the roundings", after, s.MaxError, snap.MaxError(now))
		}
	}
}

// TestEachTermOfTheBoundIsNeeded puts true time at the edge of what one term of the stated bound
// allows, with as little as can be of the others.
func TestEachTermOfTheBoundIsNeeded(t *testing.T) {
	const bound = time.Millisecond
	for _, c := range []struct {
		name  string
		snap  func(*discipline.Snapshot)
		after time.Duration // from the snapshot to the reading
		ahead float64       // ns by which the timeline, unrounded, is behind true time at the reading
		tick  time.Duration // raw time from the reading to the moment
	}{
		{"the bound", nil, 0, 1e6, 0},
		{"its growth", func(s *discipline.Snapshot) { s.MaxErrorPPM = 10 }, time.Second, 1e6 + 10_000, 0},
		{"the clock's step", nil, 0, 1e6, discipline.RawTick},
		// 1,498 ns by 333 ppm are 0.4988 ns, which are rounded away, and the step is 0.333 ns longer.
		{"the roundings", func(s *discipline.Snapshot) { s.FrequencyPPM = 333 }, 1498, 1e6, discipline.RawTick},
	} {
		t.Run(c.name, func(t *testing.T) {
			snap := snapshot()
			snap.FrequencyPPM, snap.MaxErrorPPM, snap.MaxErrorAt = 0, 0, bound
			if c.snap != nil {
				c.snap(snap)
			}
			s, err := StatementAt(snap, snap.At.Add(c.after))
			if err != nil {
				t.Fatal(err)
			}
			// Both from the snapshot's TAI, in nanoseconds.
			truth := float64(c.after+c.tick)*(1+snap.FrequencyPPM*1e-6) + c.ahead
			stated := float64(s.TAI() - snap.TAI)
			if e := float64(s.MaxError); truth > stated+e {
				t.Errorf("true time is %.3f ns after the stated one, which is good to %.0f ns", truth-stated, e)
			}
		})
	}
}

func TestNothingIsStatedWithoutTime(t *testing.T) {
	leap := snapshot()
	leap.Leap, leap.LeapAt = discipline.LeapInsert, 1_790_000_000
	for _, c := range []struct {
		name string
		snap func(*discipline.Snapshot)
		want Reason
	}{
		{"unsynchronized", func(s *discipline.Snapshot) { s.State = discipline.Unsynchronized }, ReasonUnsynchronized},
		{"acquiring", func(s *discipline.Snapshot) { s.State = discipline.Acquiring }, ReasonUnsynchronized},
		{"inserted second", func(s *discipline.Snapshot) { s.Leap, s.LeapAt = discipline.LeapInsert, 1_790_000_000 }, ReasonLeapSecond},
		{"bound of a day", func(s *discipline.Snapshot) { s.MaxErrorAt = 24 * time.Hour }, ReasonRange},
		{"before 1970", func(s *discipline.Snapshot) { s.TAI = -1 }, ReasonRange},
		{"after 2106", func(s *discipline.Snapshot) { s.TAI = (1<<32 + 37) * 1_000_000_000 }, ReasonRange},
		{"stratum 16", func(s *discipline.Snapshot) { s.Stratum = 16 }, ReasonRange},
		{"TAI − UTC below 0", func(s *discipline.Snapshot) { s.TAIOffset = -1 }, ReasonRange},
	} {
		t.Run(c.name, func(t *testing.T) {
			snap := snapshot()
			c.snap(snap)
			if _, err := FromSnapshot(snap, snap.At, 1, 16*time.Second); ReasonOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	if _, err := FromSnapshot(nil, 0, 1, time.Second); ReasonOf(err) != ReasonUnsynchronized {
		t.Errorf("without a snapshot: %v", err)
	}
}

func TestAnswerIsOnOneTimeline(t *testing.T) {
	req := &Request{Nonce: [16]byte{1}}
	in := func(d time.Duration, change func(*discipline.Snapshot, *Arrival), suspended bool) (Response, error) {
		snap := snapshot()
		a := Arrival{Raw: snap.At, Epoch: snap.Epoch}
		if change != nil {
			change(snap, &a)
		}
		return Answer(req, a, snap, snap.At.Add(d), suspended, 9)
	}
	r, err := in(50*time.Millisecond, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	// Learned: +12.5 ppm, ±1 ppm: 50 ms are at least 50 ms · (1 + 11.5e-6).
	if want := 50*time.Millisecond + 575; r.Turnaround > want || r.Turnaround < want-1 || r.Serial != 9 || r.Nonce != req.Nonce {
		t.Errorf("%+v, want %v", r, want)
	}
	r, err = in(50*time.Millisecond, func(s *discipline.Snapshot, _ *Arrival) { s.RateBoundPPM = 0 }, false)
	if want := 49500 * time.Microsecond; err != nil || r.Turnaround != want {
		t.Errorf("nothing learned: %v, %v; want %v", r.Turnaround, err, want)
	}
	// The timeline moved inside its epoch: only raw time counts.
	r, err = in(50*time.Millisecond, func(s *discipline.Snapshot, a *Arrival) { s.TAI += 1_000_000_000; s.RateBoundPPM = 0 }, false)
	if err != nil || r.Turnaround != 49500*time.Microsecond {
		t.Errorf("after a correction: %v, %v", r.Turnaround, err)
	}
	for _, c := range []struct {
		name      string
		d         time.Duration
		change    func(*discipline.Snapshot, *Arrival)
		suspended bool
		want      Reason
	}{
		{"4.29 s", 1<<32 - 1, func(s *discipline.Snapshot, _ *Arrival) { s.RateBoundPPM = 0 }, false, ""},
		{"2^32 ns", 1 << 32, nil, false, ReasonTooSlow},
		{"2^32 ns by the learned rate", 1<<32 - 1, nil, false, ReasonTooSlow},
		{"backwards", -1, nil, false, ReasonTooSlow},
		{"epoch changed", time.Millisecond, func(s *discipline.Snapshot, _ *Arrival) { s.Epoch = discipline.Epoch{8} }, false, ReasonEpochChanged},
		{"suspended", time.Millisecond, nil, true, ReasonSuspended},
		{"unsynchronized", time.Millisecond, func(s *discipline.Snapshot, _ *Arrival) { s.State = discipline.Acquiring }, false, ReasonUnsynchronized},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := in(c.d, c.change, c.suspended); ReasonOf(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
