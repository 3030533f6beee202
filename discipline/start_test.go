package discipline

import (
	"math"
	"math/rand/v2"
	"testing"
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
