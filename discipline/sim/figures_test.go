package sim

import (
	"fmt"
	"math"
	"os"
	"sync"
	"testing"
)

func same(n int, p Path) (s []Server) {
	for range n {
		s = append(s, Server{Path: p})
	}
	return s
}

func TestFigures(t *testing.T) {
	if os.Getenv("NTSGW_FIGURES") == "" {
		t.Skip("measures the figures beside chrony only with NTSGW_FIGURES=1")
	}
	us, ms := 1e3, 1e6
	ex := func(b, j float64) Path {
		return Path{Out: b, Back: b, JitterOut: Exponential(j), JitterBack: Exponential(j)}
	}
	type c struct {
		n      string
		chrony float64
		sc     Scenario
	}
	walk := Oscillator{Walk: 1}
	var cs []c
	add := func(n string, chrony float64, o Oscillator, poll float64, s []Server) {
		cs = append(cs, c{n, chrony, Scenario{Name: n, Osc: o, Servers: s, Poll: poll, Hours: 11, Settle: 4000, Start: 10e6}})
	}
	add("exp 20us", 8.5, walk, 64, same(1, ex(50*us, 20*us)))
	add("exp 100us", 23.5, walk, 64, same(1, ex(100*us, 100*us)))
	add("exp 1ms", 105, walk, 64, same(1, ex(1*ms, 1*ms)))
	add("exp 1ms p4", 103, walk, 16, same(1, ex(1*ms, 1*ms)))
	add("10ms+exp 1ms", 110, walk, 64, same(1, ex(10*ms, 1*ms)))
	add("gauss 1ms", 235, walk, 64, same(1, Path{Out: 10 * ms, Back: 10 * ms, JitterOut: Gaussian(ms), JitterBack: Gaussian(ms)}))
	add("gauss 1ms p4", 215, walk, 16, same(1, Path{Out: 10 * ms, Back: 10 * ms, JitterOut: Gaussian(ms), JitterBack: Gaussian(ms)}))
	add("down 2ms", 25.5, walk, 64, same(1, Path{Out: 10 * ms, Back: 10 * ms, JitterBack: Exponential(2 * ms)}))
	add("wifi", 72.7, walk, 64, same(1, Path{Out: 1 * ms, Back: 1 * ms, JitterOut: HeavyTail(ms), JitterBack: HeavyTail(ms)}))
	add("4x exp 1ms", 61.5, walk, 64, same(4, ex(10*ms, 1*ms)))
	add("4x wifi", 67.1, walk, 64, same(4, Path{Out: 1 * ms, Back: 1 * ms, JitterOut: HeavyTail(ms), JitterBack: HeavyTail(ms)}))
	add("walk10 exp 1ms", 238, Oscillator{Walk: 10}, 64, same(1, ex(1*ms, 1*ms)))
	add("walk10 exp 20us", 19.3, Oscillator{Walk: 10}, 64, same(1, ex(50*us, 20*us)))
	w10 := Oscillator{Walk: 10}
	g := Path{Out: 10 * ms, Back: 10 * ms, JitterOut: Gaussian(ms), JitterBack: Gaussian(ms)}
	wf := Path{Out: 1 * ms, Back: 1 * ms, JitterOut: HeavyTail(ms), JitterBack: HeavyTail(ms)}
	add("walk10 4x exp 1ms", 217, w10, 64, same(4, ex(10*ms, 1*ms)))
	add("walk10 gauss", 345, w10, 64, same(1, g))
	add("walk10 gauss p4", 233, w10, 16, same(1, g))
	add("walk10 4x wifi", 201, w10, 64, same(4, wf))
	seeds := 6
	out := make([]string, len(cs))
	var wg sync.WaitGroup
	sem := make(chan bool, 2)
	for i, c := range cs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			sem <- true
			defer func() { <-sem }()
			ss, tl, nb := 0.0, 0.0, 0
			var bs, rs []float64
			viol := 0
			ts := 0
			for k := range seeds {
				r := Run(c.sc, uint64(k+1), false)
				ss += r.SumSquares / float64(r.Samples)
				tl += r.Timeline
				ts += len(r.Errors)
				bs = append(bs, r.Bounds...)
				rs = append(rs, r.Roots...)
				viol += r.Violations
				nb++
			}
			rms := math.Sqrt(ss/float64(nb)) / 1e3
			out[i] = fmt.Sprintf("%-16s chrony %6.1f ours %6.1f timeline %6.1f ratio %5.2f bound %9.1f root %9.1f (%.2f) viol %d", c.n, c.chrony, rms, math.Sqrt(tl/float64(ts))/1e3, rms/c.chrony, quantile(bs, .5)/1e3, quantile(rs, .5)/1e3, quantile(bs, .5)/quantile(rs, .5), viol)
		}()
	}
	wg.Wait()
	for _, o := range out {
		fmt.Println(o)
	}
}
