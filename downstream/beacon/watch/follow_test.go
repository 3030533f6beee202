package watch

import "testing"

// TestRateCoversWhatIsStated holds the node's ρ, which multiplies what its clock counted, to cover a clock that is as slow
// as stated: p/(1 − p).
func TestRateCoversWhatIsStated(t *testing.T) {
	for _, ppm := range []float64{0, 20, 500, 5000, 50_000} {
		const elapsed = 1e9
		counted := elapsed * (1 - ppm*1e-6)
		o := FollowOptions{RatePPM: ppm}
		if most := counted * (1 + float64(o.rate().RhoPPB)*1e-9); most < elapsed-1e-6 {
			t.Errorf("%v ppm: of %v ns counted at most %v passed, and it was %v", ppm, counted, most, elapsed)
		}
	}
}
