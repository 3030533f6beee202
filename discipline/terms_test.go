package discipline_test

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// TestEachTermOfTheBound lets a server be wrong by one thing alone that a measurement says of it, to the full: the
// bound after its only sample holds truth, so none of the terms is left out.
func TestEachTermOfTheBound(t *testing.T) {
	const base, at, term = int64(1_790_000_000e9), discipline.Raw(5e9), time.Millisecond
	const rate = 0.0099 // the raw clock may be off by 1 % at first
	for name, tt := range map[string]struct {
		set   func(m *discipline.Measurement)
		wrong time.Duration
	}{
		"all delay on one way": {func(m *discipline.Measurement) { m.Delay = 2 * term }, term},
		"root delay":           {func(m *discipline.Measurement) { m.RootDelay = 2 * term }, term},
		"root dispersion":      {func(m *discipline.Measurement) { m.RootDispersion = term }, term},
		"precision":            {func(m *discipline.Measurement) { m.Precision = term }, term},
		// The round trip was longer than the raw clock says.
		"rate": {func(m *discipline.Measurement) { m.Delay = time.Second }, time.Second/2 + time.Duration(rate*1e9/2)},
	} {
		for _, sign := range []time.Duration{1, -1} {
			t.Run(name, func(t *testing.T) {
				d := discipline.New(discipline.Config{Sources: names(1)})
				m := discipline.Measurement{Source: "a", At: at, Offset: base - int64(at) + int64(sign*tt.wrong), Precision: 1, Stratum: 1, Authenticated: true, Poll: 16 * time.Second}
				tt.set(&m)
				if err := d.Update(m); err != nil {
					t.Fatal(err)
				}
				s := d.Snapshot()
				off := time.Duration(s.UTCAt(at).UnixNano() - base)
				if bound := s.MaxError(at); !s.Serving() || off.Abs() > bound || bound > tt.wrong+tt.wrong/20 {
					t.Errorf("off by %v, stated %v, %v", off, bound, s.State)
				}
			})
		}
	}
}
