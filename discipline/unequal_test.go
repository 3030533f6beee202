package discipline

import (
	"math"
	"testing"
)

// leans returns a filter whose sources stand at these places, each known with a deviation of known, where one deviation of what
// unequal paths do is usual.
func leans(places, usual []float64, known float64) filter {
	f := newFilter(len(places), nil)
	h := &f.bank[0]
	h.log = 1
	for s, at := range places {
		f.ways[s].n, f.ways[s].used.soft, f.unequal[s] = 1, 1e-3, usual[s]
		h.x[2+s], h.p[(2+s)*f.d+2+s] = at, known*known
	}
	h.p[0] = 1e6 // shared by all: it tells nothing of where they stand to each other
	f.lean()
	return f
}

// What lean works out agrees with numerical integration of both priors.
func TestLean(t *testing.T) {
	for _, c := range []struct {
		name   string
		places []float64
		usual  []float64
		known  float64
	}{
		{"one of three is off", []float64{500, 0, 4}, []float64{200, 600, 900}, 5},
		{"all are", []float64{300, -200, 500, -600}, []float64{1000, 1100, 1200, 1300}, 10},
		{"two", []float64{0, 400}, []float64{100, 300}, 20},
		{"none", []float64{1, -2, 0.5, 3}, []float64{300, 300, 500, 800}, 3},
		{"seven, two off", []float64{0, 800, 2, -3, -900, 1, 5}, []float64{300, 300, 300, 500, 500, 800, 800}, 4},
	} {
		f := leans(c.places, c.usual, c.known)
		var sums, means, squares [2]float64
		for u := -3000.0; u < 3000; u += 0.25 {
			usual, heavy := 1.0, 1.0
			for s, at := range c.places {
				normal := func(v float64) float64 { return math.Exp(-(at-u)*(at-u)/v/2) / math.Sqrt(v) }
				wide, noise := c.usual[s]*c.usual[s], c.known*c.known
				usual *= normal(wide + noise)
				sum := 0.0
				for _, k := range inequalities {
					sum += math.Exp(k.log) * normal(k.share*k.share*wide+noise)
				}
				heavy *= sum
			}
			for i, w := range [2]float64{usual, heavy} {
				sums[i] += w
				means[i] += w * u
				squares[i] += w * u * u
			}
		}
		var variances [2]float64
		for i := range sums {
			means[i] /= sums[i]
			variances[i] = squares[i]/sums[i] - means[i]*means[i]
		}
		got, want := f.leaning, leaning{means[1] - means[0], variances[1] - variances[0], variances[1]}
		off := 0.01*math.Sqrt(variances[1]) + 0.1
		if math.Abs(got.by-want.by) > off || math.Abs(got.least-want.least) > 0.1*want.least || math.Abs(got.more-want.more) > 0.02*variances[0] {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
}

// One source has nobody to differ from, and what isn't a number moves nothing.
func TestLeanWithoutOthers(t *testing.T) {
	for _, places := range [][]float64{{500}, {0, math.NaN(), 500}, {0, math.Inf(1)}} {
		usual := make([]float64, len(places))
		for i := range usual {
			usual[i] = 100
		}
		if f := leans(places, usual, 5); f.leaning != (leaning{}) {
			t.Errorf("%v: leans %+v", places, f.leaning)
		}
	}
}
