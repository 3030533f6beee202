package discipline_test

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// What samples with deferred dates come to is a time that certificates are judged by, so truth must lie in it: though
// the raw clock is off by what is believed of one that nothing is known of, and though a minority lies.
func TestCandidateContainsTruth(t *testing.T) {
	const ms = time.Millisecond
	type sample struct {
		source string
		at     time.Duration
		lie    time.Duration
		delay  time.Duration
	}
	for name, c := range map[string]struct {
		n, quorum int
		ppm       float64
		samples   []sample
		until     time.Duration // when it is asked for
		want      bool
		most      time.Duration // CandidateError at most
	}{
		"at once":                {1, 0, 9000, []sample{{"a", 0, 0, 20 * ms}}, 0, true, 11 * ms},
		"eight minutes old":      {1, 0, 9000, []sample{{"a", 0, 0, 20 * ms}}, 500 * time.Second, true, 6 * time.Second},
		"the same, a slow clock": {1, 0, -9000, []sample{{"a", 0, 0, 20 * ms}}, 500 * time.Second, true, 6 * time.Second},
		"of eight polls ago":     {1, 0, 0, []sample{{"a", 0, 0, 20 * ms}}, 8*64*time.Second + 1, false, 0},
		"two, one of them old":   {2, 0, 9000, []sample{{"a", 0, 0, 20 * ms}, {"b", 500 * time.Second, 0, 20 * ms}}, 500 * time.Second, true, 6 * time.Second},
		// A liar in reach of two honest servers must not choose which part of what they allow is taken.
		"one of three lies within reach": {3, 0, 0, []sample{{"a", 0, 0, 20 * ms}, {"b", 1, 0, 20 * ms}, {"c", 2, 18 * ms, 20 * ms}}, 2, true, 11 * ms},
		"and far off":                    {3, 0, 0, []sample{{"a", 0, 0, 20 * ms}, {"b", 1, 0, 20 * ms}, {"c", 2, time.Hour, 20 * ms}}, 2, true, 11 * ms},
		// The quorum must agree, not only answer, and be a majority of those that answer, whatever the operator set.
		"two of three that answer agree, of four": {4, 0, 0, []sample{{"a", 0, 0, 20 * ms}, {"b", 1, 0, 20 * ms}, {"c", 2, time.Hour, 20 * ms}}, 2, false, 0},
		"two of five lie together": {5, 2, 0, []sample{{"a", 0, time.Hour, 20 * ms}, {"b", 1, time.Hour, 20 * ms}, {"c", 2, 0, 20 * ms},
			{"d", 3, time.Minute, 20 * ms}, {"e", 4, -time.Minute, 20 * ms}}, 4, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(c.ppm, 1)
			of := names(c.n)
			for i := range of {
				of[i].Operator = "one" // who answers is asked for, not by whom he is run: see TestDeferredDates
			}
			d := discipline.New(discipline.Config{Sources: of, BootstrapQuorum: c.quorum})
			const begin = discipline.Raw(1e9)
			for _, x := range c.samples {
				m := w.sample(x.source, begin.Add(x.at), x.delay, 0, int64(x.lie))
				m.DatesDeferred, m.Poll = true, 64*time.Second
				if err := d.Update(m); err != nil {
					t.Fatal(err)
				}
			}
			d.Advance(begin.Add(c.until))
			s := d.Snapshot()
			if s.State != discipline.Acquiring || (s.CandidateTAI != 0) != c.want {
				t.Fatalf("%v, candidate %v", s.State, s.CandidateTAI)
			}
			if !c.want {
				return
			}
			if e := time.Duration(s.CandidateTAI - (w.utc(s.At) + tai)); e.Abs() > s.CandidateError || s.CandidateError > c.most {
				t.Errorf("off by %v, stated %v", e, s.CandidateError)
			}
		})
	}
}
