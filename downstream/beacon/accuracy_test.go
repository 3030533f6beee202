package beacon

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// wifi is a one-way delay: median 8 ms, with a heavy tail (a Pareto one in 20).
func wifi(rng *rand.Rand) time.Duration {
	ms := 8 * math.Exp(0.5*rng.NormFloat64())
	if rng.IntN(20) == 0 {
		ms += 10 * math.Pow(1-rng.Float64(), -1/1.2)
	}
	return time.Duration(math.Min(ms, 2000) * 1e6)
}

// TestEstimateOverWiFi simulates days of a node behind Wi-Fi with a 20 ppm crystal: one exchange in
// 10 minutes, a beacon in 16 s, a gateway that is good to 1 ms.
func TestEstimateOverWiFi(t *testing.T) {
	const (
		step  = 16 * time.Second
		bound = time.Millisecond
	)
	for _, c := range []struct {
		name     string
		late     time.Duration // the broker holds every message back by up to this
		estimate time.Duration // 95th percentile
		half     time.Duration
	}{
		{"a broker that does its work", 0, 5 * time.Millisecond, 25 * time.Millisecond},
		{"a broker that delays by up to 1 s", time.Second, 500 * time.Millisecond, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			var errors, halves []float64
			for seed := range uint64(20) {
				rng := rand.New(rand.NewPCG(seed, 7))
				clock, err := NewClock(ClockConfig{Gateways: 1, Rate: Rate{1000, 1, RhoFromPPM(20)}})
				if err != nil {
					t.Fatal(err)
				}
				base := (rng.Float64()*2 - 1) * 17e-6 // the crystal's, with 2 ppm of temperature on top
				local := float64(rng.Int64N(1 << 50))
				now := int64(1_790_000_037) * second
				swing := rng.Float64() * 2 * math.Pi
				pass := func(d time.Duration) Ticks { // true time passes; the node's clock shows
					hours := float64(now-1_790_000_037*second) / 3.6e12
					rate := base + 2e-6*math.Sin(2*math.Pi*hours/24+swing)
					now += int64(d)
					local += float64(d) / (1 + rate)
					return Ticks(local / 1000)
				}
				path := func() time.Duration {
					d := wifi(rng)
					if c.late > 0 {
						d += time.Duration(rng.Int64N(int64(c.late)))
					}
					return d
				}
				state := func() Statement {
					tai := now + rng.Int64N(int64(bound)) - int64(bound)/2
					return Statement{Seconds: uint32(tai/second - 37), Nanos: uint32(tai % second), MaxError: bound,
						State: discipline.Synchronized, Stratum: 2, TAIOffset: 37}
				}
				for i := range 24 * 3600 / 16 {
					if i%38 == 0 {
						m1 := pass(0)
						pass(path())
						s := state()
						turnaround := 300 * time.Microsecond
						pass(turnaround)
						s.Nanos, s.Seconds = uint32((int64(s.Nanos)+int64(turnaround))%second), s.Seconds+uint32((int64(s.Nanos)+int64(turnaround))/second)
						if _, err := clock.Exchange(0, m1, pass(path()), &s, turnaround*99/100); err != nil {
							t.Fatal(err)
						}
					}
					s := state()
					if _, err := clock.Beacon(0, pass(path()), &s); err != nil {
						t.Fatal(err)
					}
					m := pass(time.Duration(rng.Int64N(int64(step))))
					b, _ := clock.TAI(m)
					if !b.Contains(now) {
						t.Fatalf("true time is outside: %d, %d", b.Lo-now, b.Hi-now)
					}
					at, half, ok := clock.Now(m)
					if !ok {
						t.Fatal("no estimate")
					}
					_ = half
					if i > 38 {
						errors = append(errors, math.Abs(float64(at.UnixNano()+37*second-now)))
						halves = append(halves, float64(b.Width())/2)
					}
					pass(step / 2)
				}
			}
			p95 := func(v []float64) time.Duration {
				slices.Sort(v)
				return time.Duration(v[len(v)*95/100])
			}
			e, h := p95(errors), p95(halves)
			t.Logf("95 %%: estimate %v, half-width %v; median: %v, %v; largest error %v", e, h,
				time.Duration(errors[len(errors)/2]), time.Duration(halves[len(halves)/2]), time.Duration(errors[len(errors)-1]))
			if e > c.estimate || h > c.half {
				t.Errorf("want %v and %v at most", c.estimate, c.half)
			}
		})
	}
}
