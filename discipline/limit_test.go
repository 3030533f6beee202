package discipline_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// worst is an oscillator that does all that the bound's assumption allows: its rate runs up and
// down at the steepest slope through all but the floor of the whole range, and jumps by the floor.
type worst struct {
	rng                      *rand.Rand
	t, y, rate, jump         float64 // seconds, ns, ns/s
	slope, until, next, mean float64
}

const floor, steepest, span = 1000.0, 5.0, 15000.0

func (o *worst) to(t float64) {
	for o.t < t {
		end := math.Min(t, math.Min(o.until, o.next))
		dt := end - o.t
		if o.slope > 0 {
			dt = math.Min(dt, (span-floor-o.rate)/o.slope)
		} else if o.slope < 0 {
			dt = math.Min(dt, o.rate/-o.slope)
		}
		o.y += (o.rate+o.jump)*dt + o.slope*dt*dt/2
		o.rate = math.Max(0, math.Min(span-floor, o.rate+o.slope*dt))
		o.t += dt
		if o.t < end-1e-9 || o.t >= o.until { // at the end of the range, or time to turn
			o.slope = steepest * float64(o.rng.IntN(3)-1)
			if o.rate == 0 && o.slope < 0 || o.rate == span-floor && o.slope > 0 {
				o.slope = 0
			}
			o.until = o.t + o.mean*o.rng.ExpFloat64() + 1e-6
		} else if dt <= 0 {
			o.t = end
		}
		if o.t >= o.next {
			o.jump = floor - o.jump
			o.next = o.t + o.mean/3*o.rng.ExpFloat64() + 1e-6
		}
	}
}

// The bound rests on the assumption alone: with an oscillator at its limit, and a network that
// puts all of a constant round trip on whichever way it likes, truth and rate stay inside.
func TestOscillatorAtItsLimit(t *testing.T) {
	runs := 60
	if n, err := strconv.Atoi(os.Getenv("NTSGW_RUNS")); err == nil {
		runs = n // a longer search
	}
	nearest := math.Inf(1)
	for seed := range runs {
		rng := rand.New(rand.NewPCG(uint64(seed), 21))
		between := func(lo, hi float64) float64 { return lo * math.Pow(hi/lo, rng.Float64()) }
		delay, poll := between(2e3, 2e7), between(1, 300)
		natural := math.Sqrt(2 * delay / steepest) // the time in which the slope moves truth through the width
		o := &worst{rng: rng, mean: natural * between(0.2, 5), rate: rng.Float64() * (span - floor)}
		o.until, o.next = o.mean, o.mean/2
		turn, share := 0.0, 0.5
		d := discipline.New(discipline.Config{Sources: names(1), Observing: true})
		const base = int64(1_790_000_000e9)
		name := fmt.Sprintf("seed %d: %.0f µs of delay, poll %.0f s", seed, delay/1e3, poll)
		check := func(s *discipline.Snapshot, at float64) {
			raw := discipline.Raw(at * 1e9)
			e := math.Abs(float64(s.UTCAt(raw).UnixNano()-base-int64(raw)) - o.y)
			room := float64(s.MaxError(raw)) - e
			if nearest = math.Min(nearest, room/(delay/2)); room < -1 {
				t.Fatalf("%s: true error %.0f ns, %.0f beyond the bound, at %.0f s", name, e, -room, at)
			}
			if x := math.Abs(s.FrequencyPPM - (o.rate+o.jump)/1e3); x > s.RateBoundPPM+1e-9 {
				t.Fatalf("%s: rate off by %.3f ppm, stated %.3f, at %.0f s", name, x, s.RateBoundPPM, at)
			}
		}
		for at := 1.0; at < 400*poll; {
			o.to(at)
			if at >= turn {
				share = []float64{0, 0, 1, 1, rng.Float64()}[rng.IntN(5)]
				turn = at + natural*between(0.2, 5)
			}
			raw := discipline.Raw(at * 1e9)
			// All that isn't the ways' is nothing: precision 1 ns.
			if err := d.Update(discipline.Measurement{Source: "a", At: raw, Offset: base + int64(math.Round(o.y+delay*(share-0.5))),
				Delay: time.Duration(delay), Precision: 1, Stratum: 1, Poll: time.Duration(poll * 1e9)}); err != nil {
				t.Fatal(err)
			}
			s := d.Snapshot()
			if !s.Serving() || warned(s, "oscillator-unsteady") {
				t.Fatalf("%s: %v, %v", name, s.State, s.Warnings)
			}
			check(s, at)
			end := at + poll*(0.9+0.2*rng.Float64())
			for k := 1; k <= 3; k++ {
				x := at + (end-at)*float64(k)/3.001
				o.to(x)
				check(s, x)
			}
			at = end
		}
	}
	t.Logf("truth came as near to the bound as %.4f of half the delay", nearest)
}
