package discipline

import (
	"math"
	"math/rand/v2"
	"testing"
)

// unlikeWorld gives a filter of two or more sources their samples, and what it says after each to check.
func unlikeWorld(seed uint64, poll, hours, swing float64, paths []func(*rand.Rand) (out, back float64), check func(f *filter, t, off float64)) {
	rng := rand.New(rand.NewPCG(seed, 17))
	f := newFilter(len(paths), nil)
	f.start(0, 0)
	y, rate := 0.0, 0.0
	for t := 0.0; t < 3600*hours; t += poll {
		for s, path := range paths {
			dt := poll / float64(len(paths))
			rate += math.Sqrt(dt) * rng.NormFloat64()
			at := t + float64(s)*dt
			y += (rate + swing*math.Sin(at/745)) * dt
			out, back := path(rng)
			f.add(s, at, y+(out-back)/2, out+back, 500)
			check(&f, at, f.present(at).y-y)
		}
	}
}

// A far server's path is 14 ms longer on one way, and a near one's has jitter on one way: no filter's least delays go where no sample allows
// them, not even those of the source that wasn't asked.
func TestLeastDelaysStayWithinSamples(t *testing.T) {
	for seed := range uint64(2) {
		unlikeWorld(seed, 64, 12, 1300, []func(*rand.Rand) (float64, float64){
			func(rng *rand.Rand) (float64, float64) {
				return 487e3 + 274e3*math.Pow(rng.ExpFloat64(), 1/1.7), 487e3
			},
			func(rng *rand.Rand) (float64, float64) {
				return 69.4e6 + 30.9e3*rng.ExpFloat64(), 97.7e6 + 30.9e3*rng.ExpFloat64()
			},
		}, func(f *filter, at, off float64) {
			for k := range f.bank {
				h := &f.bank[k]
				if h.shape != hard {
					continue
				}
				for s := range f.ways {
					if w := &f.ways[s]; w.n > 0 && h.x[f.d+s] != w.used.limit(h.x[f.d+s]) {
						t.Fatalf("seed %d, %.0f s: the least delay of source %d is %.0f ns, its least sample %.0f", seed, at, s, h.x[f.d+s], w.used.least)
					}
				}
			}
			if at > 7200 && math.Abs(off) > 60e3 {
				t.Fatalf("seed %d, %.0f s: the offset is off by %.0f ns", seed, at, off)
			}
		})
	}
}

// One path has jitter on the way out only and the other on both: the way back of the first tells the time best, whatever the second is like.
func TestUnlikePaths(t *testing.T) {
	square, n := 0.0, 0.0
	for seed := range uint64(3) {
		unlikeWorld(seed, 16, 2.5, 0, []func(*rand.Rand) (float64, float64){
			func(rng *rand.Rand) (float64, float64) {
				late := 5e6 * rng.ExpFloat64()
				if rng.Float64() < 0.8 {
					late *= 15
				}
				return 33e3 + late, 33e3
			},
			func(rng *rand.Rand) (float64, float64) {
				return 3e6 + 90e3*rng.Float64(), 3e6 + 90e3*rng.Float64()
			},
			func(rng *rand.Rand) (float64, float64) {
				return 5e6 + 1e6*rng.NormFloat64(), 5e6 + 1e6*rng.NormFloat64()
			},
		}, func(f *filter, at, off float64) {
			if at > 2400 {
				square += off * off
				n++
			}
		})
	}
	rms := math.Sqrt(square / n)
	t.Logf("off by %.0f ns RMS", rms)
	if rms > 10500 { // 14,300 where all paths are taken for alike
		t.Errorf("off by %.0f ns RMS", rms)
	}
}
