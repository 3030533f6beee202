package discipline_test

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// answers gives a sample of each of the sources, 0.1 s apart.
func answers(t *testing.T, d *discipline.Discipline, w *world, at discipline.Raw, deferred bool, names string) discipline.Raw {
	t.Helper()
	for _, name := range names {
		at += 1e8
		m := w.sample(string(name), at, time.Millisecond, 100*time.Microsecond, 0)
		m.DatesDeferred, m.Poll = deferred, 4*time.Second
		if err := d.Update(m); err != nil {
			t.Fatal(err)
		}
	}
	return at
}

// silence has nobody answer for so many seconds.
func silence(d *discipline.Discipline, at discipline.Raw, seconds int, names string) discipline.Raw {
	for _, name := range names {
		d.SetSource(string(name), discipline.Standing{})
	}
	for range seconds {
		at += 1e9
		d.Advance(at)
	}
	for _, name := range names {
		d.SetSource(string(name), discipline.Standing{Reachable: true})
	}
	return at
}

// Servers that come back after nothing was served any more make their keys anew with certificate dates deferred. What they agree on is
// said, so that dates can be judged; once they are, it goes on.
func TestComesBack(t *testing.T) {
	for name, c := range map[string]struct {
		cfg     discipline.Config
		outage  int
		anew    string // those that make their keys anew; the others' sessions lasted
		kept    string
		suspend bool
	}{
		"after holdover_max":           {discipline.Config{HoldoverMax: time.Minute}, 200, "abc", "", false},
		"after max_error_limit":        {discipline.Config{MaxErrorLimit: 2 * time.Millisecond}, 3600, "abc", "", false},
		"one of four kept its session": {discipline.Config{}, 60, "bc", "a", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(12, 5)
			all := c.kept + c.anew
			cfg := c.cfg
			cfg.Sources, cfg.WasSet = names(len(all)), true
			if c.suspend {
				cfg.Sources = names(4)
			}
			d := discipline.New(cfg)
			at := discipline.Raw(1e9)
			for range 30 {
				at = answers(t, d, w, at+4e9, false, all)
			}
			if !d.Snapshot().Serving() {
				t.Fatalf("%v before the outage", d.Snapshot().State)
			}
			at = silence(d, at, c.outage, all)
			if c.suspend {
				d.Suspended(at)
			}
			if s := d.Snapshot(); s.Serving() {
				t.Fatalf("%v after the outage", s.State)
			}
			for range 2 {
				at = answers(t, d, w, at+4e9, false, c.kept)
				at = answers(t, d, w, at, true, c.anew)
			}
			s := d.Snapshot()
			off := time.Duration(s.CandidateTAI - 37e9 - w.utc(at))
			if s.Serving() || s.CandidateTAI == 0 || off.Abs() > s.CandidateError {
				t.Fatalf("%v, a candidate that is %v off, stated %v", s.State, off, s.CandidateError)
			}
			at = answers(t, d, w, at+4e9, false, all)
			if s = d.Snapshot(); !s.Serving() || w.trueError(t, s, at).Abs() > s.MaxError(at) || s.CandidateTAI != 0 {
				t.Errorf("%v, a candidate %d, once dates are judged", s.State, s.CandidateTAI)
			}
		})
	}
}

// A start does not go on for ever because a server once answered while dates could not be judged.
func TestStartEnds(t *testing.T) {
	w := newWorld(12, 5)
	d := discipline.New(discipline.Config{Sources: names(4)})
	at := answers(t, d, w, 1e9, true, "a")
	if s := d.Snapshot(); s.State != discipline.Acquiring {
		t.Errorf("%v after the first answer", s.State)
	}
	at = silence(d, at, 300, "abcd")
	if s := d.Snapshot(); s.State != discipline.Acquiring {
		t.Errorf("%v five minutes later", s.State)
	}
	silence(d, at, 600, "abcd")
	if s := d.Snapshot(); s.State != discipline.Unsynchronized {
		t.Errorf("%v a quarter of an hour after the last answer", s.State)
	}
}

// Sources that all had their dates judged need no candidate.
func TestNoCandidateWithoutNeed(t *testing.T) {
	w := newWorld(12, 5)
	d := discipline.New(discipline.Config{Sources: names(5)})
	at := answers(t, d, w, 1e9, false, "ab") // two of five decide nothing
	if s := d.Snapshot(); s.Serving() || s.CandidateTAI != 0 {
		t.Errorf("%v, candidate %d", s.State, s.CandidateTAI)
	}
	answers(t, d, w, at, true, "c")
	if s := d.Snapshot(); s.CandidateTAI == 0 {
		t.Errorf("%v without a candidate of three", s.State)
	}
}
