package discipline

import (
	"math"
	"testing"
)

// The closed form of the softened, tilted box agrees with numerical integration.
func TestBoxUpdate(t *testing.T) {
	for _, c := range []struct{ m, v, z, e, soft, tilt float64 }{
		{0, 1, 0, 2, 0.1, 0},
		{0, 1, 3, 2, 0.1, 0},
		{5, 4, 0, 3, 0.5, 0},
		{0, 1, 0.5, 4, 0.2, 1.5},
		{0, 9, 1, 4, 1.5, -2},
		{2, 100, 0, 10, 3, 0.8},
		{0, 0.01, 4, 10, 0.1, 2},
	} {
		log, mean, variance := boxUpdate(c.m, c.v, c.z, c.e, c.soft, c.tilt)
		// s against the offset u in the box: s + noise = z + u, density of u ∝ exp(tilt·u).
		norm, sum, s1, s2 := 0.0, 0.0, 0.0, 0.0
		const n = 800
		for i := range n {
			u := c.e * ((float64(i)+0.5)/n - 0.5)
			w := math.Exp(c.tilt * u)
			norm += w
			for k := range n {
				x := (float64(k)+0.5)/n*16 - 8
				s := c.m + x*math.Sqrt(c.v)
				d := (c.z + u - s) / c.soft
				p := w * math.Exp(-0.5*x*x-0.5*d*d) / c.soft / (2 * math.Pi) * 16 / n
				sum += p
				s1 += p * s
				s2 += p * s * s
			}
		}
		wantMean := s1 / sum
		wantVar := s2/sum - wantMean*wantMean
		wantLog := math.Log(sum / norm)
		if math.Abs(log-wantLog) > 0.02+0.01*math.Abs(wantLog) || math.Abs(mean-wantMean) > 0.02*math.Sqrt(c.v) || math.Abs(variance-wantVar) > 0.03*wantVar+1e-4*c.v {
			t.Errorf("%+v: got %.4f %.4f %.4f, want %.4f %.4f %.4f", c, log, mean, variance, wantLog, wantMean, wantVar)
		}
	}
}

func TestTruncatedStaysFinite(t *testing.T) {
	for _, a := range []float64{-1e12, -1e5, -30, -25, -3, 0, 3, 24, 26, 1e5, 1e12} {
		for _, w := range []float64{0, 1e-12, 1e-6, 1e-3, 1, 50, 1e9} {
			log, d1, d2 := truncated(a, a+w)
			if math.IsNaN(log) || math.IsInf(log, 1) || math.IsNaN(d1) || math.IsInf(d1, 0) || math.IsNaN(d2) || d2 > 1e-6 {
				t.Errorf("truncated(%g, %g) = %g, %g, %g", a, a+w, log, d1, d2)
			}
		}
	}
}

func TestCovered(t *testing.T) {
	edges := make([]edge, 0, 16)
	for _, c := range []struct {
		ivs  []interval
		k    int
		want interval
		most int
	}{
		{[]interval{{0, 10}}, 1, interval{0, 10}, 1},
		{[]interval{{0, 10}, {5, 15}, {20, 30}}, 2, interval{5, 10}, 2},
		{[]interval{{0, 10}, {5, 15}, {20, 30}}, 1, interval{0, 30}, 2},
		{[]interval{{0, 4}, {4, 8}}, 2, interval{4, 4}, 2},
		{[]interval{{0, 100}, {10, 12}, {50, 52}}, 2, interval{10, 52}, 2},
	} {
		if got, most := covered(c.ivs, c.k, edges); got != c.want || most != c.most {
			t.Errorf("%v by %d: %v, %d", c.ivs, c.k, got, most)
		}
	}
	if got, most := covered([]interval{{0, 1}, {2, 3}}, 2, edges); !got.empty() || most != 1 {
		t.Errorf("%v, %d", got, most)
	}
}

// A late packet is no evidence for a tilt: at the edge of its box the density is the same however late it is.
func TestTiltFarOut(t *testing.T) {
	for _, e := range []float64{1e6, 1e7, 2e7, 1e8} {
		if log, _, _ := boxUpdate(0, 1e6, -e/2, e, 1000, 4/1e5); math.Abs(log+10.86) > 0.1 {
			t.Errorf("e %g: %.2f, want -10.86", e, log)
		}
	}
}
