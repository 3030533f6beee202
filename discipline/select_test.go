package discipline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// bench is a discipline in a world, polled at a fixed interval.
type bench struct {
	t    *testing.T
	w    *world
	d    *discipline.Discipline
	n    int
	at   discipline.Raw
	poll time.Duration
	base time.Duration
	jit  time.Duration
	lie  func(i int, m *discipline.Measurement) bool // false: no answer
}

func newBench(t *testing.T, n int, cfg discipline.Config) *bench {
	if cfg.Sources == nil {
		cfg.Sources = names(n)
	}
	return &bench{t: t, w: newWorld(17, 4), d: discipline.New(cfg), n: n, at: 1e9, poll: 64 * time.Second,
		base: 10 * time.Millisecond, jit: 200 * time.Microsecond}
}

// run polls all sources k times and returns the last snapshot.
func (b *bench) run(k int) *discipline.Snapshot {
	b.t.Helper()
	for range k {
		for i := range b.n {
			r := b.at.Add(b.poll * time.Duration(i) / time.Duration(b.n))
			m := b.w.sample(string(rune('a'+i)), r, b.base, b.jit, 0)
			m.Poll = b.poll
			if b.lie != nil && !b.lie(i, &m) {
				b.d.Advance(r)
			} else if err := b.d.Update(m); err != nil {
				b.t.Fatal(err)
			}
		}
		b.at = b.at.Add(b.poll)
		b.d.Advance(b.at)
	}
	return b.d.Snapshot()
}

func warned(s *discipline.Snapshot, id string) bool {
	for _, w := range s.Warnings {
		if w.ID == id {
			return true
		}
	}
	return false
}

func TestFalsetickerIsOutWithinTwoPolls(t *testing.T) {
	b := newBench(t, 4, discipline.Config{})
	b.run(20)
	b.lie = func(i int, m *discipline.Measurement) bool {
		if i == 2 {
			m.Offset += 250e6
		}
		return true
	}
	s := b.run(2)
	if s.Sources[2].State != "falseticker" || s.State != discipline.Synchronized || !warned(s, "falseticker") {
		t.Fatalf("%v, liar %v, %v", s.State, s.Sources[2].State, s.Warnings)
	}
	b.w.trueError(t, s, s.At)
}

func TestFalsetickerComesBack(t *testing.T) {
	b := newBench(t, 3, discipline.Config{})
	b.run(20)
	b.lie = func(i int, m *discipline.Measurement) bool {
		if i == 2 {
			m.Offset -= 900e6
		}
		return true
	}
	if s := b.run(4); s.Sources[2].State != "falseticker" {
		t.Fatal(s.Sources[2].State)
	}
	b.lie = nil
	if s := b.run(4); s.Sources[2].State != "falseticker" {
		t.Fatalf("%s: believed at once", s.Sources[2].State)
	}
	if s := b.run(12); s.Sources[2].State != "selected" {
		t.Fatalf("%s long after it told the truth again", s.Sources[2].State)
	}
}

func TestDraggerDoesLittleHarm(t *testing.T) {
	b := newBench(t, 4, discipline.Config{})
	b.run(60)
	start := b.at
	b.lie = func(i int, m *discipline.Measurement) bool {
		if i == 1 {
			m.Offset += int64(m.At-start) * 10 / 1e6
		}
		return true
	}
	worst, out := time.Duration(0), -1
	for k := range 60 {
		s := b.run(1)
		worst = max(worst, b.w.trueError(t, s, s.At).Abs())
		if s.Sources[1].State == "falseticker" && out < 0 {
			out = k
		}
	}
	if out < 0 || out > 6 || worst > 500*time.Microsecond {
		t.Fatalf("out after %d polls, worst error %v", out, worst)
	}
}

func TestTwoThatDisagree(t *testing.T) {
	b := newBench(t, 2, discipline.Config{})
	b.lie = func(i int, m *discipline.Measurement) bool { m.Offset += int64(i) * 1e9; return true }
	s := b.run(3)
	if s.Serving() || !warned(s, "no-majority") {
		t.Fatalf("%v, %v", s.State, s.Warnings)
	}
}

func TestBlockedMajorityEndsInHoldoverThenUnsynchronized(t *testing.T) {
	b := newBench(t, 3, discipline.Config{HoldoverMax: 4 * time.Hour})
	b.run(30)
	b.lie = func(i int, m *discipline.Measurement) bool {
		m.Offset += 5e6 // inside the delay's bound or not, one source alone decides nothing
		return i == 0
	}
	s := b.run(15)
	if s.State != discipline.Holdover {
		t.Fatalf("%v with one of three servers", s.State)
	}
	// Whoever computes the root distance from what is said gets no less than the bound.
	if s.RootDelay/2+s.RootDispersion < s.MaxErrorAt || s.SourceStratum != 1 || s.Stratum != 2 {
		t.Errorf("holdover says root delay %v, dispersion %v, bound %v, strata %d and %d", s.RootDelay, s.RootDispersion, s.MaxErrorAt, s.SourceStratum, s.Stratum)
	}
	b.w.trueError(t, s, s.At)
	before := s.Epoch
	s = b.run(4 * 60)
	if s.Serving() || s.Epoch == before {
		t.Fatalf("%v after holdover_max, epoch changed: %v", s.State, s.Epoch != before)
	}
	b.lie = nil
	if s = b.run(3); s.State != discipline.Synchronized {
		t.Fatalf("%v after the servers came back", s.State)
	}
	b.w.trueError(t, s, s.At)
}

// TestNobodyAnswersAfterHoldover: servers that answered once are no start that goes on.
func TestNobodyAnswersAfterHoldover(t *testing.T) {
	b := newBench(t, 3, discipline.Config{HoldoverMax: time.Hour})
	b.run(30)
	b.lie = func(int, *discipline.Measurement) bool { return false }
	if s := b.run(3 * 60); s.State != discipline.Unsynchronized {
		t.Errorf("%v where nobody answers", s.State)
	}
	b.lie = func(i int, _ *discipline.Measurement) bool { return i == 0 }
	if s := b.run(3); s.State != discipline.Acquiring {
		t.Errorf("%v where one of three answers again", s.State)
	}
}

func TestHoldoverKeepsTheEpochAndThePhase(t *testing.T) {
	b := newBench(t, 3, discipline.Config{HoldoverMax: 24 * time.Hour})
	s := b.run(60)
	epoch := s.Epoch
	b.lie = func(int, *discipline.Measurement) bool { return false }
	s = b.run(120)
	if s.State != discipline.Holdover {
		t.Fatal(s.State)
	}
	held := b.w.trueError(t, s, s.At)
	b.lie = nil
	s = b.run(2)
	if s.State != discipline.Synchronized || s.Epoch != epoch {
		t.Fatalf("%v, same epoch: %v", s.State, s.Epoch == epoch)
	}
	if back := b.w.trueError(t, s, s.At); (back - held).Abs() > 5*time.Millisecond {
		t.Fatalf("from %v to %v", held, back)
	}
}

// A majority that jumps together is followed only after it persisted, with a new epoch.
func TestMajorityJumps(t *testing.T) {
	b := newBench(t, 3, discipline.Config{})
	epoch := b.run(30).Epoch
	b.lie = func(_ int, m *discipline.Measurement) bool { m.Offset += 2e9; return true }
	s := b.run(1)
	if s.Serving() || s.Epoch != epoch {
		t.Fatalf("%v after the first poll of a jump", s.State)
	}
	s = b.run(6)
	if s.State != discipline.Synchronized || s.Epoch == epoch {
		t.Fatalf("%v, epoch changed: %v", s.State, s.Epoch != epoch)
	}
	if e := b.w.trueError(t, &discipline.Snapshot{At: s.At, TAI: s.TAI - 2e9}, s.At); e.Abs() > 10*time.Millisecond {
		t.Fatalf("off by %v", e)
	}
}

func TestPanic(t *testing.T) {
	host := func(b *bench, s *discipline.Snapshot, off time.Duration) discipline.HostReading {
		return discipline.HostReading{Raw: s.At, Real: b.w.utc(s.At) + int64(off)}
	}
	t.Run("the first setting may be of any size", func(t *testing.T) {
		b := newBench(t, 3, discipline.Config{})
		s := b.run(2)
		if d := b.d.Steer(host(b, s, -30*365*24*time.Hour)); d.Action != discipline.Step {
			t.Fatal(d)
		}
	})
	t.Run("a later one may not", func(t *testing.T) {
		b := newBench(t, 3, discipline.Config{})
		s := b.run(2)
		b.d.Steer(host(b, s, 0))
		if d := b.d.Steer(host(b, s, 1001*time.Second)); d.Action != discipline.Panic {
			t.Fatal(d)
		}
	})
	t.Run("a restart makes no second first one", func(t *testing.T) {
		b := newBench(t, 3, discipline.Config{WasSet: true})
		s := b.run(2)
		if d := b.d.Steer(host(b, s, -30*365*24*time.Hour)); d.Action != discipline.Panic {
			t.Fatal(d)
		}
	})
	t.Run("nor the sum over a day", func(t *testing.T) {
		b := newBench(t, 3, discipline.Config{})
		s := b.run(2)
		b.d.Steer(host(b, s, 0))
		if d := b.d.Steer(host(b, s, 600*time.Second)); d.Action != discipline.Step {
			t.Fatal(d)
		}
		if d := b.d.Steer(host(b, s, 600*time.Second)); d.Action != discipline.Panic {
			t.Fatal(d)
		}
	})
	t.Run("a majority beyond it", func(t *testing.T) {
		b := newBench(t, 3, discipline.Config{})
		s := b.run(10)
		b.d.Steer(host(b, s, 0))
		b.lie = func(_ int, m *discipline.Measurement) bool { m.Offset += 2000e9; return true }
		if s = b.run(10); s.Serving() {
			t.Fatal(s.State)
		}
		if d := b.d.Steer(host(b, s, 0)); d.Action != discipline.Panic {
			t.Fatal(d)
		}
	})
	t.Run("never when observing", func(t *testing.T) {
		b := newBench(t, 3, discipline.Config{Observing: true})
		s := b.run(10)
		b.lie = func(_ int, m *discipline.Measurement) bool { m.Offset += 2000e9; return true }
		for range 10 {
			s = b.run(1)
			if d := b.d.Steer(host(b, s, 5000*time.Second)); d.Action != discipline.Hold {
				t.Fatal(d)
			}
		}
		if s.State != discipline.Synchronized {
			t.Fatal(s.State)
		}
	})
}

func TestSlewNeverGoesBackwards(t *testing.T) {
	b := newBench(t, 1, discipline.Config{})
	b.run(20)
	s := b.d.Snapshot()
	b.d.Steer(discipline.HostReading{Raw: s.At, Real: b.w.utc(s.At)})
	d := b.d.Steer(discipline.HostReading{Raw: s.At, Real: b.w.utc(s.At) + 99e6})
	if d.Action != discipline.Slew || d.FrequencyPPM < -500 {
		t.Fatal(d)
	}
}

// Certificates' dates are judged by a quorum of samples that are used for nothing else.
func TestDeferredDates(t *testing.T) {
	for name, c := range map[string]struct {
		n, answer int
		operators string
		lie       int // which one lies by an hour; -1: none
		want      bool
	}{
		"one server":                  {1, 1, "", -1, true},
		"one of two":                  {2, 1, "", -1, false},
		"two of two":                  {2, 2, "", -1, true},
		"two of three":                {3, 2, "", -1, true},
		"two of four":                 {4, 2, "", -1, false},
		"three of four":               {4, 3, "", -1, true},
		"two of three, one lies":      {3, 2, "", 0, false},
		"three of four, one operator": {4, 3, "aaab", -1, false},
		"four of four, two operators": {4, 4, "aaab", -1, true},
		"two of two, the same":        {2, 2, "aa", -1, true},
	} {
		t.Run(name, func(t *testing.T) {
			src := names(c.n)
			for i := range src {
				if c.operators != "" {
					src[i].Operator = c.operators[i : i+1]
				}
			}
			b := newBench(t, c.n, discipline.Config{Sources: src})
			b.lie = func(i int, m *discipline.Measurement) bool {
				m.DatesDeferred = true
				if i == c.lie {
					m.Offset += 3600e9
				}
				return i < c.answer
			}
			b.poll = 2 * time.Second
			s := b.run(2)
			if s.State != discipline.Acquiring {
				t.Fatalf("%v: deferred samples must not synchronize", s.State)
			}
			if got := s.CandidateTAI != 0; got != c.want {
				t.Fatalf("candidate %v, want %v", got, c.want)
			}
			if c.want {
				if e := time.Duration(s.CandidateTAI - b.w.utc(s.At) - tai); e.Abs() > s.CandidateError {
					t.Fatalf("off by %v, stated %v", e, s.CandidateError)
				}
				b.lie = nil
				if s = b.run(1); s.State != discipline.Synchronized || s.CandidateTAI != 0 {
					t.Fatalf("%v with judged dates", s.State)
				}
			}
		})
	}
}

func TestSuspendBeginsANewTimeline(t *testing.T) {
	b := newBench(t, 3, discipline.Config{})
	s := b.run(30)
	epoch := s.Epoch
	b.w.start += 3600e9 // the raw clock stood still for an hour
	b.d.Suspended(b.at)
	s = b.d.Snapshot()
	if s.Serving() || s.Epoch == epoch {
		t.Fatalf("%v", s.State)
	}
	m := b.w.sample("a", b.at-5e9, b.base, 0, 0)
	if err := b.d.Update(m); err != discipline.ErrTooOld {
		t.Fatal("a measurement from before the suspend was taken:", err)
	}
	b.at = b.at.Add(time.Second)
	s = b.run(2)
	if s.State != discipline.Synchronized {
		t.Fatal(s.State)
	}
	b.w.trueError(t, s, s.At)
}

func TestMaxErrorLimit(t *testing.T) {
	b := newBench(t, 1, discipline.Config{MaxErrorLimit: time.Millisecond})
	if s := b.run(5); s.Serving() || s.State != discipline.Acquiring {
		t.Fatalf("%v with a bound of %v", s.State, s.MaxErrorAt)
	}
}

func TestAllocations(t *testing.T) {
	b := newBench(t, 4, discipline.Config{})
	b.run(70)
	var ms []discipline.Measurement
	for i := range 400 {
		ms = append(ms, b.w.sample(strings.Repeat(string(rune('a'+i%4)), 1), b.at.Add(time.Duration(i)*16*time.Second), b.base, b.jit, 0))
	}
	k := 0
	if n := testing.AllocsPerRun(390, func() {
		_ = b.d.Update(ms[k])
		k++
	}); n > 0 {
		t.Fatalf("%v allocations an update", n)
	}
}

// Three of seven agree and four tell a time each of their own: more than anybody else is no majority.
func TestAPluralityDoesNotDecide(t *testing.T) {
	b := newBench(t, 7, discipline.Config{Observing: true})
	b.lie = func(i int, m *discipline.Measurement) bool {
		if i < 4 {
			m.Offset += int64(i+1) * 10e9
		}
		return true
	}
	for range 10 {
		if s := b.run(1); s.Serving() {
			t.Fatalf("%v, bound %v", s.State, s.MaxErrorAt)
		}
	}
}
