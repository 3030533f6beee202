package discipline_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// ways are the delays that an attacker on the path gives packets sent at t seconds, ns.
type ways func(t float64) (out, back float64)

// moved returns ways along which delay d ns comes or moves from the way back to the way there
// within dur seconds from t0 on. No server lies, and no packet is forged.
func moved(shape string, d, t0, dur float64) ways {
	const base = 2e4
	ramp := func(t float64) float64 { return math.Max(0, math.Min(1, (t-t0)/dur)) }
	return func(t float64) (float64, float64) {
		switch x := ramp(t); shape {
		case "grows, then gone":
			if t > t0+dur {
				return base, base
			}
			return base + 2*d*x, base
		case "moves and stays":
			return base + d*x, base + d*(1-x)
		case "moves and is gone":
			if t > t0+dur {
				return base, base
			}
			return base + d*x, base + d*(1-x)
		case "moves to and fro":
			p := math.Mod(math.Max((t-t0)/dur, 0), 2)
			return base + d*(1-math.Abs(1-p)), base + d*math.Abs(1-p)
		default: // sways
			p := 0.5 + 0.5*math.Sin(t/dur)
			return base + d*p, base + d*(1-p)
		}
	}
}

// attacked polls n honest servers over these ways and returns the worst true error beyond the
// stated bound, ns, and how many snapshots were served.
func attacked(n int, poll, until, noise float64, w ways) (worst float64, served int) {
	const ppm, base = 7.0, int64(1_790_000_000e9)
	rng := rand.New(rand.NewPCG(1, 3))
	d := discipline.New(discipline.Config{Sources: names(n), Observing: true})
	truth := func(raw float64) float64 { return raw * (1 + ppm*1e-6) } // ns since base
	worst = math.Inf(-1)
	check := func(raw discipline.Raw) {
		s := d.Snapshot()
		if !s.Serving() {
			return
		}
		served++
		e := float64(s.UTCAt(raw).UnixNano()-base) - truth(float64(raw))
		worst = math.Max(worst, math.Abs(e)-float64(s.MaxError(raw)))
	}
	for k := 0.0; k*poll < until; k++ {
		for i := range n {
			t := k*poll + poll*float64(i)/float64(n)*0.9 + 1
			out, back := w(t)
			out, back = out+noise*rng.ExpFloat64(), back+noise*rng.ExpFloat64()
			t1 := t * 1e9
			m := discipline.Measurement{Source: string(rune('a' + i)), At: discipline.Raw(t1 + (out+back)/2),
				Delay: time.Duration(out + back), Precision: 200, RootDispersion: 10 * time.Microsecond,
				Stratum: 1, Authenticated: true, Poll: time.Duration(poll * 1e9)}
			m.Offset = base + int64(truth(t1+out)) - int64(m.At)
			end := discipline.Raw(t1 + out + back)
			check(end)
			_ = d.Update(m)
			d.Advance(end + 1000)
			check(end + 2000)
			// A drift file that is written now will be believed within 50 ppm and ten deviations.
			if f, std, ok := d.Learned(); ok {
				worst = math.Max(worst, (math.Abs(f-ppm)-50-10*std)*1e6)
			}
		}
	}
	return worst, served
}

// Honest servers, nothing forged: delay that an attacker moves from one way to the other, at a
// constant round trip, misleads every filter alike, and must not mislead the bound.
func TestMovedDelay(t *testing.T) {
	for _, noise := range []float64{3e3, 1e5} {
		for _, n := range []int{1, 3} {
			for _, shape := range []string{"grows, then gone", "moves and stays", "moves and is gone", "moves to and fro", "sways"} {
				t.Run(fmt.Sprintf("%s, %d servers, %.0f µs of jitter", shape, n, noise/1e3), func(t *testing.T) {
					served := 0
					for _, d := range []float64{1e6, 2e7, 3e8} {
						for _, dur := range []float64{10, 20, 200} {
							for _, t0 := range []float64{0, 20} {
								poll := math.Max(0.5, dur/40)
								worst, k := attacked(n, poll, t0+dur*2.5+40, noise, moved(shape, d, t0, dur))
								if served += k; worst > 0 {
									t.Errorf("%.0f ms in %.0f s from %.0f s on: %.1f µs beyond the bound", d/1e6, dur, t0, worst/1e3)
								}
							}
						}
					}
					if served < 500 {
						t.Errorf("only %d snapshots were served", served)
					}
				})
			}
		}
	}
}

// One of two servers lies within the other's width: what only both are sure of isn't stated.
func TestOneOfTwoLies(t *testing.T) {
	for _, lie := range []int64{15e6, -15e6, 19e6, 2e6} {
		b := newBench(t, 2, discipline.Config{})
		b.base = time.Millisecond
		b.lie = func(i int, m *discipline.Measurement) bool {
			if i == 0 {
				m.RootDispersion = 20 * time.Millisecond
			} else {
				m.Offset += lie
			}
			return true
		}
		for range 60 {
			s := b.run(1)
			b.w.trueError(t, s, s.At)
			b.w.trueError(t, s, s.At+30e9)
			if !s.Serving() {
				t.Fatalf("%v though both overlap", s.State)
			}
		}
	}
}

// min_sources counts operators where there are several.
func TestAgreementOfOneOperator(t *testing.T) {
	for _, c := range []struct {
		operators string
		answer    int
		want      bool
	}{
		{"aaab", 3, false}, {"aaab", 4, true}, {"aaaa", 3, true}, {"abab", 2, true}, {"aabb", 2, false}, {"abcd", 3, true},
	} {
		src := names(4)
		for i := range src {
			src[i].Operator = c.operators[i : i+1]
		}
		b := newBench(t, 4, discipline.Config{Sources: src})
		b.lie = func(i int, _ *discipline.Measurement) bool { return i < c.answer }
		if s := b.run(4); s.Serving() != c.want {
			t.Errorf("%d of %s: %v", c.answer, c.operators, s.State)
		}
	}
}

// The network lets only the liars through: as many as may lie never decide.
func TestOnlyLiarsGetThrough(t *testing.T) {
	for _, n := range []int{3, 4, 5, 7, 11} {
		liars := (n - 1) / 2
		b := newBench(t, n, discipline.Config{})
		b.run(30)
		for k := range 120 {
			b.lie = func(i int, m *discipline.Measurement) bool {
				m.Offset += int64(k) * 1e6
				return i < liars
			}
			s := b.run(1)
			b.w.trueError(t, s, s.At)
		}
		cold := newBench(t, n, discipline.Config{})
		cold.lie = func(i int, m *discipline.Measurement) bool { m.Offset += 50e6; return i < liars }
		if s := cold.run(4); s.State != discipline.Acquiring {
			t.Errorf("%v with %d liars of %d", s.State, liars, n)
		}
	}
}
