package discipline_test

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// A majority contradicted what was promised, and then nobody answers any more, before the jump is followed: what is
// known to be contradicted must not be served as holdover.
func TestHoldoverAfterAContradiction(t *testing.T) {
	for _, pause := range []time.Duration{2 * time.Second, 60 * time.Millisecond} {
		t.Run(pause.String(), func(t *testing.T) {
			b := newBench(t, 3, discipline.Config{HoldoverMax: 24 * time.Hour})
			b.run(30)
			b.w.start += int64(pause) // the virtual machine stood still; nothing tells
			s := b.run(1)
			t.Logf("with a majority that contradicts: %v, bound %v", s.State, s.MaxErrorAt)
			b.w.trueError(t, s, s.At)
			b.lie = func(int, *discipline.Measurement) bool { return false }
			for range 12 {
				s = b.run(1)
				if e := time.Duration(s.TAIAt(s.At) - (b.w.utc(s.At) + tai)); s.Serving() && e.Abs() > s.MaxError(s.At) {
					t.Fatalf("nobody answers: %v, true error %v, stated %v, %v", s.State, e, s.MaxError(s.At), s.Warnings)
				}
			}
		})
	}
}

// A suspend before the first measurement was taken: what was measured before it is as worthless.
func TestSuspendBeforeTheFirst(t *testing.T) {
	w := newWorld(0, 1)
	d := discipline.New(discipline.Config{Sources: names(3)})
	var old []discipline.Measurement
	for i := range 3 {
		old = append(old, w.sample(string(rune('a'+i)), 5e9+discipline.Raw(i)*1e6, time.Millisecond, 0, 0))
	}
	w.start += 3600e9
	d.Suspended(6e9)
	for _, m := range old {
		err := d.Update(m)
		s := d.Snapshot()
		if e := time.Duration(s.TAIAt(s.At) - (w.utc(s.At) + tai)); s.Serving() && e.Abs() > s.MaxError(s.At) {
			t.Fatalf("%v: true error %v, stated %v (%v)", s.State, e, s.MaxError(s.At), err)
		}
	}
}

// A report reads the clock, and then the snapshot, which may be newer: its bound must hold for that reading, too.
func TestBoundBeforeTheSnapshot(t *testing.T) {
	const base, rate = int64(1_790_000_000e9), 0.0099
	d := discipline.New(discipline.Config{Sources: names(1)})
	if err := d.Update(discipline.Measurement{Source: "a", At: 5e9, Offset: base - 5e9, Delay: 1000, Precision: 1, Stratum: 1, Authenticated: true, Poll: 16 * time.Second}); err != nil {
		t.Fatal(err)
	}
	s := d.Snapshot()
	now := s.At - 100e6 // a tenth of a second before
	truth := base - int64(100e6*(1+rate))
	if e := time.Duration(s.UTCAt(now).UnixNano() - truth); e.Abs() > s.MaxError(now) {
		t.Errorf("off by %v, stated %v", e, s.MaxError(now))
	}
}

// A majority that was denied since (revoked, its keys stolen) vouches for nothing any more.
func TestRevokedMajority(t *testing.T) {
	b := newBench(t, 3, discipline.Config{HoldoverMax: 24 * time.Hour})
	b.lie = func(_ int, m *discipline.Measurement) bool { m.Offset += 3600e9; return true } // by whoever has their keys
	if s := b.run(10); s.State != discipline.Synchronized {
		t.Fatal(s.State)
	}
	for _, name := range []string{"a", "b", "c"} {
		b.d.SetSource(name, discipline.Standing{Denied: "its certificate was revoked", Revoked: true})
	}
	b.d.Advance(b.at.Add(time.Minute))
	if s := b.d.Snapshot(); s.Serving() {
		t.Errorf("every server is revoked: %v, off by an hour, bound %v", s.State, s.MaxErrorAt)
	}
}

// The drift file is another machine's, or the raw clock was calibrated anew at boot. Until intervals show
// it the bound is too narrow, as the README says; once a majority has contradicted the timeline it must not go on so for hours.
func TestWrongDriftFile(t *testing.T) {
	for _, ppm := range []float64{100, 150} {
		b := newBench(t, 3, discipline.Config{FrequencyPPM: 0.01, FrequencyStdPPM: 0.1, Observing: true})
		b.w = newWorld(ppm, 4)
		b.base, b.jit, b.poll = 20*time.Millisecond, time.Millisecond, 16*time.Second
		bad, epochs, worst, last := 0, map[discipline.Epoch]bool{}, time.Duration(0), time.Duration(0)
		unsteady := false
		for range 500 {
			s := b.run(1)
			epochs[s.Epoch] = true
			unsteady = unsteady || warned(s, "oscillator-unsteady")
			if e := time.Duration(s.TAIAt(s.At) - (b.w.utc(s.At) + tai)).Abs(); s.Serving() && e > s.MaxError(s.At) {
				bad++
				worst, last = max(worst, e-s.MaxError(s.At)), time.Duration(b.at)
			}
		}
		if last > 15*time.Minute {
			t.Errorf("%v ppm: %d of 500 snapshots outside by up to %v, the last at %v, in %d epochs; oscillator-unsteady: %v", ppm, bad, worst, last, len(epochs), unsteady)
		}
	}
}
