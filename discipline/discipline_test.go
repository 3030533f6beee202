package discipline_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// world is a true time, a raw clock with a rate error, and servers behind jittery paths.
type world struct {
	ppm   float64 // how much faster true time runs than the raw clock
	start int64   // UTC at raw 0
	rng   *rand.Rand
}

func newWorld(ppm float64, seed uint64) *world {
	return &world{ppm: ppm, start: 1_790_000_000e9, rng: rand.New(rand.NewPCG(seed, 1))}
}

func (w *world) utc(r discipline.Raw) int64 {
	return w.start + int64(r) + int64(math.Round(float64(r)*w.ppm*1e-6))
}

// sample is an exchange in the middle of r over paths of at least base, with exponential extra.
func (w *world) sample(name string, r discipline.Raw, base, jitter time.Duration, lie int64) discipline.Measurement {
	out := float64(base)/2 + w.rng.ExpFloat64()*float64(jitter)
	back := float64(base)/2 + w.rng.ExpFloat64()*float64(jitter)
	return discipline.Measurement{
		Source: name, At: r, Offset: w.utc(r) - int64(r) + int64((out-back)/2) + lie,
		Delay: time.Duration(out + back), Precision: time.Microsecond, Stratum: 1,
		Authenticated: true, Poll: 16 * time.Second, RootDispersion: 10 * time.Microsecond,
	}
}

const tai = 37e9

// trueError checks the promise and returns the timeline's true error.
func (w *world) trueError(t *testing.T, s *discipline.Snapshot, r discipline.Raw) time.Duration {
	t.Helper()
	e := time.Duration(s.TAIAt(r) - (w.utc(r) + tai))
	if s.Serving() && e.Abs() > s.MaxError(r) {
		t.Fatalf("at %v: true error %v beyond the stated %v", time.Duration(r), e, s.MaxError(r))
	}
	return e
}

func names(n int) (c []discipline.SourceConfig) {
	for i := range n {
		c = append(c, discipline.SourceConfig{Name: string(rune('a' + i))})
	}
	return c
}

func TestFirstSample(t *testing.T) {
	w := newWorld(40, 1)
	d := discipline.New(discipline.Config{Sources: names(1)})
	if d.Snapshot().Serving() {
		t.Fatal("serves before the first measurement")
	}
	if err := d.Update(w.sample("a", 5e9, time.Millisecond, 0, 0)); err != nil {
		t.Fatal(err)
	}
	s := d.Snapshot()
	if s.State != discipline.Synchronized {
		t.Fatalf("state %v after the first sample of the only source", s.State)
	}
	w.trueError(t, s, 5e9)
	w.trueError(t, s, 65e9)
	if len(s.Warnings) != 1 || s.Warnings[0].ID != "single-source" {
		t.Fatalf("warnings %v", s.Warnings)
	}
}

func TestFourSourcesOneLies(t *testing.T) {
	w := newWorld(-80, 2)
	d := discipline.New(discipline.Config{Sources: names(4)})
	var last time.Duration
	for r := discipline.Raw(1e9); r < 4000e9; r += 16e9 {
		for i := range 4 {
			lie := int64(0)
			if i == 3 {
				lie = 250e6
			}
			if err := d.Update(w.sample(string(rune('a'+i)), r+discipline.Raw(i)*1e8, 5*time.Millisecond, time.Millisecond, lie)); err != nil {
				t.Fatal(err)
			}
		}
		s := d.Snapshot()
		if r > 20e9 {
			if s.State != discipline.Synchronized || s.Sources[3].State != "falseticker" {
				t.Fatalf("state %v, liar is %v", s.State, s.Sources[3].State)
			}
		}
		last = w.trueError(t, s, s.At+15e9)
	}
	if last.Abs() > time.Millisecond {
		t.Fatalf("error %v after an hour", last)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(0, 3)
	good := w.sample("a", 5e9, time.Millisecond, 0, 0)
	for name, c := range map[string]struct {
		change func(*discipline.Measurement)
		want   error
	}{
		"unknown source": {func(m *discipline.Measurement) { m.Source = "z" }, discipline.ErrUnknownSource},
		"stratum":        {func(m *discipline.Measurement) { m.Stratum = 16 }, discipline.ErrBadStratum},
		"alarm":          {func(m *discipline.Measurement) { m.Leap = discipline.LeapUnknown }, discipline.ErrNotSynced},
		"delay":          {func(m *discipline.Measurement) { m.Delay = -1 }, discipline.ErrOutOfRange},
		"precision":      {func(m *discipline.Measurement) { m.Precision = 0 }, discipline.ErrOutOfRange},
		"overflow":       {func(m *discipline.Measurement) { m.Offset = math.MaxInt64 }, discipline.ErrOutOfRange},
		"1970":           {func(m *discipline.Measurement) { m.Offset = math.MinInt64 }, discipline.ErrOutOfRange},
		"floor":          {func(m *discipline.Measurement) { m.Offset = 1 }, discipline.ErrBeforeFloor},
		"again":          {func(m *discipline.Measurement) { m.At = 5e9 }, discipline.ErrNotNewer},
	} {
		t.Run(name, func(t *testing.T) {
			d := discipline.New(discipline.Config{Sources: names(1), Floor: 1_700_000_000e9})
			if err := d.Update(good); err != nil {
				t.Fatal(err)
			}
			before := d.Snapshot()
			m := good
			m.At += 1e9
			c.change(&m)
			if err := d.Update(m); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if after := d.Snapshot(); after.TAI != before.TAI || after.At != before.At {
				t.Fatal("a refused measurement changed the timeline")
			}
		})
	}
}
