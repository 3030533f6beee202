package discipline

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Five servers seconds away and four liars that are exact to a nanosecond, and drift: beyond what a filter in float64 can weigh. No
// filter explodes: what has no variance left has nothing in common with the rest either.
func TestFiltersStayFinite(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 23))
		f := newFilter(9, nil)
		f.start(0, 0)
		drift := 1e8 * rng.NormFloat64()
		for i := range 360 {
			s, at := i%9, 2.5*float64(i)+rng.Float64()
			out, back := 1.6e9*rng.Float64(), 1.6e9*rng.Float64()
			y, precision := (out-back)/2, 1e3
			if s >= 5 {
				out, back, precision = 500, 500, 1
				y = drift * at * float64(s-4)
			}
			f.add(s, at, y, out+back, precision)
			for k := range f.bank {
				h := &f.bank[k]
				for j, x := range h.x {
					if !(math.Abs(x) < 1e14) || !(h.p[j*len(h.x)+j] >= 0) {
						t.Fatalf("seed %d, sample %d: a filter has %.3g with the variance %.3g", seed, i, h.x, h.p[j*len(h.x)+j])
					}
				}
			}
		}
	}
}
