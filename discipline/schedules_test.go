package discipline_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// An honest majority, paths of any asymmetry, samples that come late and out of order, servers that go,
// are denied and come back, suspends that are told, dates that are deferred, holdover that ends.
func TestSchedules(t *testing.T) {
	for seed := range 6 {
		rng := rand.New(rand.NewPCG(uint64(seed), 77))
		n := []int{1, 2, 3, 3, 4, 5, 7}[rng.IntN(7)]
		f := (n - 1) / 2
		cfg := discipline.Config{Sources: names(n), Observing: rng.IntN(2) == 0, Leap: discipline.BuiltinLeaps()}
		if rng.IntN(2) == 0 {
			cfg.HoldoverMax = time.Duration(rng.Float64() * 3600e9)
		}
		w := newWorld(rng.NormFloat64()*50, uint64(seed))
		d := discipline.New(cfg)
		liesOf := make([]func(float64, *discipline.Measurement), n)
		for i := range rng.IntN(f + 1) {
			liesOf[n-1-i] = liars(rng)
		}
		poll := []float64{2, 16, 64}[rng.IntN(3)]
		base := math.Exp(rng.Float64()*8 + 9)
		jitter := base * math.Exp(rng.Float64()*6-4)
		type late struct {
			m  discipline.Measurement
			at discipline.Raw
		}
		var queue []late
		down := make([]bool, n)
		next := make([]float64, n)
		for i := range next {
			next[i] = 1 + rng.Float64()*poll
		}
		slept := 0
		check := func(what string, r discipline.Raw) {
			s := d.Snapshot()
			if !s.Serving() {
				return
			}
			for _, dt := range []time.Duration{0, time.Second, 50 * time.Second} {
				e := time.Duration(s.TAIAt(r.Add(dt)) - (w.utc(r.Add(dt)) + tai)).Abs()
				if e > s.MaxError(r.Add(dt)) {
					t.Fatalf("seed %d (n %d, poll %v) %s at %v+%v: %v, true error %v, stated %v", seed, n, poll, what, time.Duration(r), dt, s.State, e, s.MaxError(r.Add(dt)))
				}
			}
		}
		for now := 1.0; now < 150*poll; now += poll / 7 * rng.ExpFloat64() {
			r := discipline.Raw(now * 1e9)
			for i := range n {
				if down[i] || now < next[i] {
					continue
				}
				next[i] = now + poll*(0.9+0.2*rng.Float64())
				tilt := rng.Float64()
				out := base*2*tilt + jitter*rng.ExpFloat64()
				back := base*2*(1-tilt) + jitter*rng.ExpFloat64()
				m := discipline.Measurement{Source: string(rune('a' + i)), At: r,
					Offset: w.utc(r) - int64(r) + int64((out-back)/2), Delay: time.Duration(out + back),
					Precision: time.Microsecond, Stratum: 1, Poll: time.Duration(poll * 1e9), DatesDeferred: rng.IntN(40) == 0}
				if liesOf[i] != nil {
					liesOf[i](now, &m)
				}
				wait := time.Duration(0)
				if rng.IntN(4) == 0 {
					wait = time.Duration(rng.Float64() * 3 * poll * 1e9)
				}
				queue = append(queue, late{m, r.Add(wait)})
			}
			for k := 0; k < len(queue); {
				if queue[k].at <= r {
					if rng.IntN(2) == 0 {
						d.Advance(r)
					}
					_ = d.Update(queue[k].m)
					queue = append(queue[:k], queue[k+1:]...)
					d.Advance(r)
					check("after a sample", r)
					continue
				}
				k++
			}
			switch rng.IntN(60) {
			case 0:
				i := rng.IntN(n)
				down[i] = !down[i]
				d.SetSource(string(rune('a'+i)), discipline.Standing{Reachable: !down[i]})
			case 1:
				d.SetSource(string(rune('a'+rng.IntN(n))), discipline.Standing{Reachable: true, Denied: []string{"", "denied"}[rng.IntN(2)]})
			case 2:
				if slept < 3 && rng.IntN(3) == 0 {
					slept++
					w.start += int64(rng.ExpFloat64() * 1e12)
					d.Advance(r)
					d.Suspended(r)
				}
			}
			d.Advance(r)
			check("as time goes on", r)
		}
	}
}
