package discipline

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

// Filters whose numbers have outgrown all sense, as no exact arithmetic would let them, are begun anew with the next sample, and
// nothing of it is seen: not in what is stated, nor in what is shown of the sources.
func TestFiltersThatWentAstray(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string][3]float64{ // offset, rate, variances
		"far": {1e169, -5e167, 1e12}, "not a number": {nan, nan, nan}, "infinite": {math.Inf(1), 0, math.Inf(1)}, "no variance": {0, 0, nan},
	} {
		d := New(Config{Sources: []SourceConfig{{Name: "a"}, {Name: "b"}, {Name: "c"}}, Observing: true})
		k := Raw(0)
		tell := func(source string) *Snapshot {
			k++
			if err := d.Update(Measurement{Source: source, At: k * 4e9, Offset: 1_790_000_000e9, Delay: time.Millisecond, Precision: 1000, Stratum: 1,
				Poll: 12 * time.Second, Authenticated: true}); err != nil {
				t.Fatal(err)
			}
			return d.Snapshot()
		}
		for range 20 {
			tell("a")
			tell("b")
			tell("c")
		}
		for i := range d.filter.bank {
			h := &d.filter.bank[i]
			h.x[0], h.x[1] = c[0], c[1]
			for j := range h.p {
				h.p[j] = c[2]
			}
		}
		check := func(s *Snapshot, most time.Duration) {
			t.Helper()
			if _, err := json.Marshal(s); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if s.State != Synchronized || s.EstErrorAt < 0 || s.EstErrorAt > s.MaxErrorAt || s.MaxErrorAt > time.Second || s.Jitter < 0 || s.Jitter > most {
				t.Errorf("%s: %v, estimated error %v, bound %v, jitter %v", name, s.State, s.EstErrorAt, s.MaxErrorAt, s.Jitter)
			}
			for _, x := range s.Sources {
				if x.Offset.Abs() > most || x.Jitter < 0 || x.Jitter > most {
					t.Errorf("%s: %+v", name, x)
				}
			}
		}
		d.Advance(k*4e9 + 1e9)
		check(d.Snapshot(), 10*time.Millisecond)
		for range 3 {
			for _, source := range []string{"a", "b", "c"} {
				check(tell(source), 10*time.Millisecond)
			}
		}
		if s := tell("a"); s.EstErrorAt > time.Millisecond {
			t.Errorf("%s: the estimated error is still %v", name, s.EstErrorAt)
		}
	}
}
