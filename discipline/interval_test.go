package discipline

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// No rounding of an interval's ends is inward: held against exact arithmetic.
func TestIntervalsRoundOutward(t *testing.T) {
	exact := func(x float64) *big.Float { return new(big.Float).SetPrec(2000).SetFloat64(x) }
	sum := func(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(2000).Add(a, b) }
	times := func(a, b float64) *big.Float { return new(big.Float).SetPrec(2000).Mul(exact(a), exact(b)) }
	holds := func(what string, iv interval, lo, hi *big.Float) {
		t.Helper()
		if exact(iv.lo).Cmp(lo) > 0 || exact(iv.hi).Cmp(hi) < 0 {
			t.Errorf("%s: [%v, %v] lacks %v, %v", what, iv.lo, iv.hi, lo, hi)
		}
		if width := exact(iv.hi - iv.lo); width.Cmp(new(big.Float).Mul(sum(hi, new(big.Float).Neg(lo)), big.NewFloat(1+1e-6))) > 0 {
			t.Errorf("%s: [%v, %v] is wider than it must be", what, iv.lo, iv.hi)
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	drawn := func(largest float64) float64 { // of any size up to it, and either sign
		return (2*rng.Float64() - 1) * math.Exp(rng.Float64()*math.Log(largest))
	}
	for range 2000 {
		a := drawn(1e12)
		iv := interval{a, a + 1e4*(1+math.Abs(drawn(1e9)))}
		w, dt := math.Abs(drawn(1e9)), math.Abs(drawn(1e6))
		r := drawn(1e7)
		rate := interval{r, r + math.Abs(drawn(1e4))}
		holds("grow", iv.grow(w), sum(exact(iv.lo), exact(-w)), sum(exact(iv.hi), exact(w)))
		holds("carry", iv.carry(rate, dt), sum(exact(iv.lo), times(rate.lo, dt)), sum(exact(iv.hi), times(rate.hi, dt)))
	}
	if iv := everything().grow(1); iv != everything() {
		t.Errorf("everything grew to %v", iv)
	}
}
