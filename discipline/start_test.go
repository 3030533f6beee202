package discipline

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// What a start knows least of is the rate: the jitter of its first samples, a quarter of a second apart, must
// not be taken for hundreds of ppm.
func TestStartKeepsTheRate(t *testing.T) {
	const starts = 400
	r := rand.New(rand.NewPCG(1, 2))
	far := 0
	for range starts {
		f := newFilter(1, nil)
		f.start(0, 0)
		worst := 0.0
		for _, at := range []float64{0, 0.25, 0.5, 0.75, 1.25, 1.75, 2.75} {
			out, back := 2e6+3e5*r.NormFloat64(), 2e6+3e5*r.NormFloat64()
			f.add(0, at, (out-back)/2, out+back, 500)
			worst = math.Max(worst, math.Abs(f.present(at).rate))
		}
		if worst > 100e3 {
			far++
		}
	}
	t.Logf("beyond 100 ppm in %d of %d starts", far, starts)
	if far > starts/20 {
		t.Error("too many")
	}
}

// While nothing is served the caller asks as often as ever: the hour that passed is not over what the phase is removed.
func TestSteersSoonAfterAnOutage(t *testing.T) {
	d := New(Config{Sources: []SourceConfig{{Name: "a"}}, HoldoverMax: time.Minute, WasSet: true})
	answer := func(at Raw) {
		t.Helper()
		if err := d.Update(Measurement{Source: "a", At: at, Delay: time.Millisecond, Precision: time.Microsecond,
			Stratum: 1, Authenticated: true, Poll: 16 * time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	steer := func(at Raw) Decision {
		d.Advance(at)
		return d.Steer(HostReading{Raw: at, Real: int64(at) + 400_000})
	}
	answer(0)
	for at := Raw(1e9); at < 3600e9; at += 1e9 {
		steer(at)
	}
	if s := d.Snapshot(); s.Serving() {
		t.Fatalf("%v after an hour without the server", s.State)
	}
	answer(3600e9)
	if x := steer(3600e9 + 1e8); x.Action != Slew || x.FrequencyPPM > -90 || x.FrequencyPPM < -110 {
		t.Errorf("%v at %.0f ppm: 0.4 ms is to be slewed out in a quarter of a poll", x.Action, x.FrequencyPPM)
	}
}

// A day's steps are those of any 24 hours, not of the days since the start.
func TestDaySlides(t *testing.T) {
	var w day
	w.add(23.9*3600, 600)
	w.add(24.1*3600, 500)
	for _, tt := range []struct{ hours, want float64 }{{24.2, 1100}, {47.8, 1100}, {48.9, 500}, {49.1, 0}, {1e6, 0}} {
		if got := w.sum(tt.hours * 3600); got != tt.want {
			t.Errorf("after %v h: %v, want %v", tt.hours, got, tt.want)
		}
	}
}
