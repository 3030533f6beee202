package discipline

import (
	"math"
	"math/rand/v2"
	"testing"
)

// moments integrates numerically, in n steps each way: s ~ N(m, v), seen with Gaussian noise of deviation soft at the
// places that place gives for 0.5, 1.5 … with their weights.
func moments(m, v, soft float64, n int, place func(i float64) (at, weight float64)) (sum, mean, variance float64) {
	s1, s2, steps := 0.0, 0.0, float64(n)
	for i := range n {
		at, w := place(float64(i) + 0.5)
		for k := range n {
			x := (float64(k)+0.5)/steps*16 - 8
			s := m + x*math.Sqrt(v)
			d := (at - s) / soft
			p := w * math.Exp(-0.5*x*x-0.5*d*d) / soft / (2 * math.Pi) * 16 / steps
			sum += p
			s1 += p * s
			s2 += p * s * s
		}
	}
	mean = s1 / sum
	return sum, mean, s2/sum - mean*mean
}

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
		norm := 0.0
		const n = 800
		sum, wantMean, wantVar := moments(c.m, c.v, c.soft, n, func(i float64) (at, weight float64) {
			u := c.e * (i/n - 0.5)
			w := math.Exp(c.tilt * u)
			norm += w
			return c.z + u, w
		})
		wantLog := math.Log(sum / norm)
		if math.Abs(log-wantLog) > 0.02+0.01*math.Abs(wantLog) || math.Abs(mean-wantMean) > 0.02*math.Sqrt(c.v) || math.Abs(variance-wantVar) > 0.03*wantVar+1e-4*c.v {
			t.Errorf("%+v: got %.4f %.4f %.4f, want %.4f %.4f %.4f", c, log, mean, variance, wantLog, wantMean, wantVar)
		}
	}
}

// The closed form of a queue's update agrees with numerical integration.
func TestQueueUpdate(t *testing.T) {
	for _, c := range []struct{ m, v, edge, soft, mean float64 }{
		{0, 1, 2, 0.1, 1},
		{0, 1, 0, 0.1, 1},
		{0, 1, -2, 0.2, 3},
		{5, 4, 9, 0.5, 0.7},
		{1, 0.25, 10, 0.3, 2},
	} {
		log, mean, variance := queueUpdate(c.m, c.v, c.edge, c.soft, c.mean)
		const n = 1500
		sum, wantMean, wantVar := moments(c.m, c.v, c.soft, n, func(i float64) (at, weight float64) {
			late := 16 * c.mean * i / n
			return c.edge - late, math.Exp(-late/c.mean) * 16 / n
		})
		if math.Abs(log-math.Log(sum)) > 0.02 || math.Abs(mean-wantMean) > 0.01*math.Sqrt(c.v) || math.Abs(variance-wantVar) > 0.02*wantVar {
			t.Errorf("%+v: got %.4f %.4f %.4f, want %.4f %.4f %.4f", c, log, mean, variance, math.Log(sum), wantMean, wantVar)
		}
	}
}

// Two exponential delays and noise on each have the density that the filters of other shapes are compared by.
func TestQueueDelay(t *testing.T) {
	const mean, sd = 10.0, 0.2
	for _, other := range []float64{mean, mean / 4, mean / 500} {
		density := func(e float64) float64 {
			if other == mean {
				return queueDelay(e, sd, mean)
			}
			return unlikeDelay(e, sd, mean, other)
		}
		sum, worst := 0.0, 0.0
		for e := -30 * sd; e < 30*mean; e += sd / 20 {
			got := math.Exp(density(e))
			sum += got * sd / 20
			want := e / mean / mean * math.Exp(-e/mean)
			if other != mean {
				want = (math.Exp(-e/mean) - math.Exp(-e/other)) / (mean - other)
			}
			if e > 5*sd {
				worst = max(worst, math.Abs(got/want-1))
			}
		}
		if math.Abs(sum-1) > 0.03 || worst > 0.02 {
			t.Errorf("%g and %g: the density's integral is %.4f, beyond the noise it is off by a share of %.4f", mean, other, sum, worst)
		}
		for _, e := range []float64{-1e12, -1e3, -1, 0, 1e12} {
			if x := density(e); math.IsNaN(x) || math.IsInf(x, 1) {
				t.Errorf("%g and %g: at %g it is %g", mean, other, e, x)
			}
		}
	}
}

// Where one way alone has a queue each sample tells the offset, but for the least delay.
func TestOneQueue(t *testing.T) {
	const mean, seeds = 7e6, 4
	square := 0.0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 8))
		f := newFilter(1, nil)
		f.start(0, 1000)
		for i := range 400 {
			out := mean * rng.ExpFloat64()
			f.add(0, 16*float64(i), out/2, 5e6+out, 500)
		}
		y := f.present(16 * 399).y
		square += y * y / seeds
	}
	// Of 256 samples the least is late by 27 µs on the average, and half of that is what an offset is off by.
	if rms := math.Sqrt(square); rms > 15e3 {
		t.Errorf("off by %.0f ns RMS", rms)
	} else {
		t.Logf("off by %.0f ns RMS", rms)
	}
}

// The least delay is learned from the earliest packets of each way, more closely than the least round trips tell it.
func TestLeastDelayIsLearned(t *testing.T) {
	const least, mean, seeds = 20e6, 1e6, 8
	learned, told := 0.0, 0.0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 6))
		f := newFilter(1, nil)
		f.start(0, 1000)
		for i := range 400 {
			out, back := mean*rng.ExpFloat64(), mean*rng.ExpFloat64()
			f.add(0, 16*float64(i), (out-back)/2, least+out+back, 500)
		}
		var h *hypothesis
		for i := range f.bank {
			if x := &f.bank[i]; x.shape == hard && (h == nil || x.log > h.log) {
				h = x
			}
		}
		off, std := h.x[f.d]-least, math.Sqrt(h.p[f.d*len(h.x)+f.d])
		if math.Abs(off) > 5*std {
			t.Errorf("seed %d: the least delay is off by %.0f ns, with a deviation of %.0f", seed, off, std)
		}
		learned += off * off / seeds
		told += (f.ways[0].floor - least) * (f.ways[0].floor - least) / seeds
	}
	if learned > told/2 {
		t.Errorf("the least delay is off by %.0f ns RMS, by the least samples alone by %.0f", math.Sqrt(learned), math.Sqrt(told))
	}
	t.Logf("the least delay is off by %.0f ns RMS, by the least samples alone by %.0f", math.Sqrt(learned), math.Sqrt(told))
}

// Where most packets take a slow route the least delay is not theirs, and packets that come early don't raise it.
func TestLeastDelayIsBelowEverySample(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	f := newFilter(1, nil)
	f.start(0, 1000)
	for i := range 800 {
		out, back := 5e4*rng.NormFloat64(), 5e4*rng.NormFloat64()
		if rng.Float64() < 0.9 {
			out += 1e6
		}
		f.add(0, 16*float64(i), (out-back)/2, 4e6+out+back, 500)
		for k := range f.bank {
			if h := &f.bank[k]; h.shape == hard && h.x[f.d] > f.ways[0].used.least {
				t.Fatalf("sample %d: the least delay is %.0f ns above the least sample", i, h.x[f.d]-f.ways[0].used.least)
			}
		}
	}
	if y := f.present(16 * 800).y; math.Abs(y) > 60e3 {
		t.Errorf("the offset is off by %.0f ns", y)
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
