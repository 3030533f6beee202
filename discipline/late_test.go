package discipline

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A crystal that swings by some parts per million within hours leaves the calmest filters behind, by milliseconds. A sample that is late by as
// much as to lie where one of them expects it moves the clock by hardly anything.
func TestLateSamplesWhereFiltersAreAstray(t *testing.T) {
	const swing, period, least = 1800, 6.4 * 3600, 144e6 // ns/s, s, ns
	truth := func(at float64) float64 {
		return swing * period / (2 * math.Pi) * math.Cos(2*math.Pi*at/period)
	}
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 29))
		f := newFilter(1, nil)
		f.start(0, 0)
		worst := 0.0
		for i := range 1500 {
			at := 16 * float64(i)
			late := 17e3 / 3 * (math.Pow(rng.Float64(), -1/2.5) - 1)
			y, delay := truth(at)+late/2, least+late
			if math.Mod(at, 1159) < 71 { // the way back is busy
				queue := 4e6 * rng.ExpFloat64()
				y, delay = y-queue/2, delay+queue
			}
			f.add(0, at, y, delay, 500)
			if off := math.Abs(f.present(at).y - truth(at)); i > 100 {
				worst = max(worst, off)
			}
		}
		t.Logf("seed %d: %.1f µs", seed, worst/1e3)
		if worst > 40e3 {
			t.Errorf("seed %d: the clock was moved by %.0f µs", seed, worst/1e3)
		}
	}
}
