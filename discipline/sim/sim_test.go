package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/ntsgw/ntsgw/discipline"
)

// A short run of every scenario: the promise holds, and the clock is kept.
func TestEveryScenario(t *testing.T) {
	for _, sc := range Scenarios() {
		t.Run(sc.Name, func(t *testing.T) {
			t.Parallel()
			if sc.Outage == 0 {
				sc.Hours = min(sc.Hours, 5)
			}
			r := Run(sc, 101, false)
			if r.Violations > 0 {
				t.Errorf("%d bound violations, the worst by %.0f ns", r.Violations, r.Worst)
			}
			if r.Serving < 0.99*r.Reachable {
				t.Errorf("synchronized %.0f of %.0f s", r.Serving, r.Reachable)
			}
			if r.Epochs > 2 {
				t.Errorf("%d timelines", r.Epochs)
			}
		})
	}
}

// The count of violations can be other than zero: with less wander allowed, or with less of the
// round trip taken to be on one way, than the scenario has.
func TestTheCheckCanFail(t *testing.T) {
	for name, c := range map[string]struct {
		scenario string
		assume   discipline.Assumptions
	}{
		"half the wander":    {"all on one short way", discipline.Assumptions{WanderPPM: 0.5}},
		"half the asymmetry": {"all on one way", discipline.Assumptions{Asymmetry: 0.5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			violations := 0
			sc := scenario(c.scenario)
			sc.Config = func(cfg *discipline.Config) { cfg.Assume = c.assume }
			for seed := range 4 {
				violations += Run(sc, uint64(seed), false).Violations
			}
			t.Logf("%d violations", violations)
			if violations == 0 {
				t.Error("no violation: the check sees nothing")
			}
		})
	}
}

// From a stored frequency a LAN client is within 100 µs after four samples, a cold one after eight.
func TestStart(t *testing.T) {
	lan := several(1, symmetric(50*us, Exponential(20*us)))
	for _, c := range []struct {
		name    string
		drift   bool
		samples float64
	}{{"stored frequency", true, 4}, {"cold", false, 8}} {
		t.Run(c.name, func(t *testing.T) {
			late := 0
			for seed := range 20 {
				r := Run(Scenario{Osc: crystalPi, Servers: lan, Poll: 16, Hours: 0.1, Start: 20 * ms, Drift: c.drift}, uint64(seed), false)
				// Samples at about 1, 3, 5, 7, 23, … s.
				if at := map[float64]float64{4: 9, 8: 74}[c.samples]; !(r.ToHundred <= at) {
					late++
				}
			}
			if late > 0 {
				t.Errorf("%d of 20 were late", late)
			}
		})
	}
}

// What is unlike on the two ways by chance only (a busy machine that holds packets up, timers that send a
// whole tick late) must not look like a path whose extra delay is on one way. Nine of ten starts, five
// minutes long, are better than the limit. With one filter for both ways they were within 467 µs (late
// timers), and earlier still within 440 (held up).
func TestUnevenByChance(t *testing.T) {
	for name, limit := range map[string]float64{"gaussian, held up": 150 * us, "late timers": 150 * us} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := ninth(t, scenario(name))
			if q > limit {
				t.Errorf("nine of ten within %.1f µs, want %.0f", q/us, limit/us)
			}
		})
	}
}

// scenario returns the table's of that name.
func scenario(name string) Scenario {
	list := Scenarios()
	return list[slices.IndexFunc(list, func(sc Scenario) bool { return sc.Name == name })]
}

// ninth is the RMS of the timeline, ns, that nine of ten starts of five minutes stay within, their first
// minute left out. No bound may be violated.
func ninth(t *testing.T, sc Scenario) float64 {
	t.Helper()
	sc.Hours, sc.Settle, sc.Start = 300.0/3600, 60, -10.7*ms
	var rms []float64
	for seed := range 60 {
		r := Run(sc, uint64(seed), false)
		rms = append(rms, math.Sqrt(r.Timeline/float64(len(r.Errors))))
		if r.Violations > 0 {
			t.Errorf("seed %d: %d bound violations", seed, r.Violations)
		}
	}
	q := quantile(rms, 0.9)
	t.Logf("nine of ten within %.1f µs RMS", q/us)
	return q
}

// With all extra delay on one way each exchange tells the time to what is not known of the least delay, which is
// no less than nothing. Nine of ten starts were within 119 and 75 µs while that was put too low, and are within
// 35 and 42.
func TestOneWayAtOnce(t *testing.T) {
	t.Parallel()
	noisy := func(r *rand.Rand, _ float64) float64 { return 1*ms*r.ExpFloat64() + 20*us*r.ExpFloat64() }
	for name, c := range map[string]struct {
		path  Path
		limit float64
	}{
		"no other delay": {Path{Out: 20 * us, Back: 20 * us, JitterBack: Exponential(1 * ms)}, 70 * us},
		"a short path":   {Path{Out: 90 * us, Back: 90 * us, JitterOut: Exponential(20 * us), JitterBack: noisy}, 60 * us},
	} {
		if q := ninth(t, Scenario{Osc: Oscillator{Offset: 3000, White: 1}, Servers: several(1, c.path), Poll: 4}); q > c.limit {
			t.Errorf("%s: nine of ten within %.1f µs, want %.0f", name, q/us, c.limit/us)
		}
	}
}

// A cold start believes at first that the crystal is an ordinary one, until samples say otherwise: in its
// first minute the timeline was 323 µs off (RMS of 60 starts) when any rate was as likely, and is about 215.
func TestFirstMinute(t *testing.T) {
	t.Parallel()
	sum, n := 0.0, 0
	for seed := range 60 {
		sc := Scenario{Osc: Oscillator{Offset: 3000, White: 1}, Servers: several(1, symmetric(1*ms, Exponential(1*ms))), Poll: 4, Hours: 60.0 / 3600, Settle: 10, Start: -10 * ms}
		r := Run(sc, uint64(seed), false)
		sum += r.Timeline
		n += len(r.Errors)
	}
	rms := math.Sqrt(sum / float64(n))
	t.Logf("%.0f µs", rms/us)
	if rms > 260*us {
		t.Errorf("RMS %.0f µs", rms/us)
	}
}

// A thermometer makes the clock better where temperature moves it, and hardly worse where it tells nothing.
func TestThermometer(t *testing.T) {
	t.Parallel()
	eight := func(r Row) float64 { return r.Held[1] }
	rms := func(r Row) float64 { return r.RMS }
	for _, c := range []struct {
		with, without string
		of            func(Row) float64
		most          float64
	}{
		{"temperature, measured", "temperature", rms, 0.6},
		{"load, measured", "load", rms, 0.5},
		{"holdover, measured", "holdover, crystal", eight, 0.4},
		{"misleading sensor", "internet", rms, 1.15},
	} {
		with := Measure(scenario(c.with), 4, false)
		ratio := c.of(with) / c.of(Measure(scenario(c.without), 4, false))
		t.Logf("%s: %.2f", c.with, ratio)
		if !(ratio < c.most) {
			t.Errorf("%s: the error is %.2f of that without a thermometer, want less than %.2f", c.with, ratio, c.most)
		}
		if with.Violations > 0 {
			t.Errorf("%s: %d bound violations", c.with, with.Violations)
		}
	}
}

// random makes a world that nobody thought of: any board, any paths, a minority of liars.
func random(seed uint64) Scenario {
	rng := rand.New(rand.NewPCG(seed, 5))
	between := func(lo, hi float64) float64 { return lo * math.Pow(hi/lo, rng.Float64()) }
	o := Oscillator{Offset: rng.NormFloat64() * 30000, White: between(0.3, 30), Flicker: between(0.1, 10),
		Walk: between(0.02, 15), Aging: rng.NormFloat64() * 10}
	if rng.IntN(2) == 0 {
		o.Period = between(1800, 86400)
		o.Swing = between(10, 3000) * math.Min(1, o.Period/7200)
	}
	if rng.IntN(4) == 0 {
		o.Load, o.LoadTau, o.LoadMean = rng.NormFloat64()*700, between(100, 1000), between(1800, 20000)
	}
	jitter := func(scale float64) Jitter {
		switch rng.IntN(6) {
		case 0:
			return nil
		case 1:
			return Gaussian(scale)
		case 2:
			return HeavyTail(scale)
		case 3:
			return Bloat(scale, scale*between(3, 100), between(600, 20000))
		}
		return Exponential(scale)
	}
	n := []int{1, 1, 2, 3, 4, 5}[rng.IntN(6)]
	sc := Scenario{Osc: o, Hours: 6, Settle: 3000, Start: rng.NormFloat64() * 50 * ms,
		Poll: []float64{4, 16, 32, 64, 64, 128, 256}[rng.IntN(7)], Drift: rng.IntN(3) == 0}
	for i := range n {
		base := between(60*us, 40*ms)
		tilt := 0.25 + 0.5*rng.Float64()
		scale := base * between(0.02, 1.5)
		s := Server{Path: Path{Out: 2 * base * tilt, Back: 2 * base * (1 - tilt), JitterOut: jitter(scale), JitterBack: jitter(scale), Loss: rng.Float64() * 0.2}}
		if rng.IntN(4) == 0 {
			at, add := rng.Float64()*6*3600, base*rng.Float64()*4
			s.Path.Shift = func(t float64) (float64, float64) {
				if t > at {
					return add, 0
				}
				return 0, 0
			}
		}
		s.Dispersion, s.RootDelay = between(1*us, 300*us), between(1*us, 300*us)
		off := (s.Dispersion + s.RootDelay/2) * (2*rng.Float64() - 1)
		s.Lie = func(float64) float64 { return off }
		if i < (n-1)/2 && rng.IntN(2) == 0 {
			size, from, kind := rng.NormFloat64()*between(100*us, 1*1e9), rng.Float64()*3*3600, rng.IntN(3)
			s.Liar = true
			s.Lie = func(t float64) float64 {
				switch {
				case t < from:
					return 0
				case kind == 0:
					return size
				case kind == 1:
					return size * (t - from) / 10000
				}
				return size * math.Floor((t-from)/300)
			}
		}
		sc.Servers = append(sc.Servers, s)
	}
	return sc
}

func TestRandomWorlds(t *testing.T) {
	runs := 24
	if n, err := strconv.Atoi(os.Getenv("NTSGW_RUNS")); err == nil {
		runs = n // a longer search
	}
	for seed := range runs {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			r := Run(random(uint64(seed)), uint64(seed), false)
			if r.Violations > 0 {
				t.Errorf("%d bound violations, the worst by %.0f ns, %d timelines", r.Violations, r.Worst, r.Epochs)
			}
			if r.Serving < 0.98*r.Reachable {
				t.Errorf("synchronized %.0f of %.0f s", r.Serving, r.Reachable)
			}
		})
	}
}

// Delay that grows and shrinks on both ways alike says nothing of truth's place, and must not be taken for one side's
// with an oscillator that wanders as much: one of the three was off by 4.5 ms RMS.
func TestCongestedAlike(t *testing.T) {
	t.Parallel()
	sc := scenario("congestion both ways")
	sc.Hours = 6
	for seed := range uint64(3) {
		r := Run(sc, seed+1, false)
		rms := math.Sqrt(r.SumSquares / float64(len(r.Errors)))
		t.Logf("seed %d: %.0f µs RMS", seed+1, rms/us)
		if rms > 250*us || r.Violations > 0 {
			t.Errorf("%d violations, or too far off", r.Violations)
		}
	}
}

// Where one server of several has unequal ways, the others tell which: the nearest one moved all of it by a good part of a
// millisecond, 578 µs beside 463 under chrony.
func TestOneUnequal(t *testing.T) {
	path := func(out, back float64) Server {
		return Server{Path: Path{Out: out, Back: back, JitterOut: Exponential(300 * us), JitterBack: Exponential(300 * us)}}
	}
	for name, servers := range map[string][]Server{
		"the nearest of four":  {path(6500*us, 3500*us), path(6*ms, 6*ms), path(7*ms, 7*ms), path(8*ms, 8*ms)},
		"the farthest of five": {path(5*ms, 5*ms), path(6*ms, 6*ms), path(7*ms, 7*ms), path(8*ms, 8*ms), path(10*ms, 14*ms)},
	} {
		r := Measure(Scenario{Osc: crystalPi, Servers: servers, Poll: 64, Hours: 2, Settle: 3600, Start: 10 * ms}, 6, false)
		t.Logf("%s: %.1f µs RMS", name, r.RMS/us)
		if r.RMS > 40*us || r.Violations > 0 {
			t.Errorf("%s: %.1f µs RMS; %d violations", name, r.RMS/us, r.Violations)
		}
	}
}

// A path that becomes longer on one way, for longer than the window is, does not move the clock: a route of 10 ms more moved it by
// 5 ms when the last samples of the shorter one had left the window (2.4 ms RMS beside chrony's 0.5 on the same packets).
func TestLongerWay(t *testing.T) {
	for name, c := range map[string]struct {
		servers   int
		out, back float64
	}{
		"3 ms out":                 {1, 3 * ms, 0},
		"10 ms back":               {1, 0, 10 * ms},
		"10 ms both ways":          {1, 10 * ms, 10 * ms},
		"10 ms out, three servers": {3, 10 * ms, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := symmetric(6*ms, Exponential(300*us))
			p.Shift = func(at float64) (float64, float64) {
				if at > 5400 && at < 5400+6000 {
					return c.out, c.back
				}
				return 0, 0
			}
			r := Measure(Scenario{Osc: crystalPi, Servers: several(c.servers, p), Poll: 16, Hours: 4, Settle: 1800, Start: 10 * ms}, 2, false)
			t.Logf("%.1f µs RMS", r.RMS/us)
			if r.RMS > 400*us || r.Violations > 0 {
				t.Errorf("%.1f µs RMS; %d violations", r.RMS/us, r.Violations)
			}
		})
	}
}

// A route that is 8 ms longer on the way out for two hours of each five moves no clock while the window holds some of the others: seeds
// in which a filter of queues took it for one on the way back, and drifted (5.4 and 3.9 ms), or in which half of a window
// on each route was taken for a path that had become longer (0.7 ms for hours).
func TestRouteChange(t *testing.T) {
	for _, seed := range []uint64{7, 8, 12} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := Run(scenario("route change"), seed, false)
			if rms := math.Sqrt(r.SumSquares / float64(r.Samples)); rms > 120*us || r.Violations > 0 {
				t.Errorf("%.1f µs RMS; %d violations", rms/us, r.Violations)
			}
		})
	}
}

// Where most packets take a route that is slow on one way, the few fast ones tell the time: the worlds with 90 % and 95 % of
// them were off by 358 and 305 µs, and one with 30 % slow ones by 28. What some packets have early on either way, by a timer's chance, tells nothing: 46 µs.
func TestFastRouteAndEarlyTimers(t *testing.T) {
	t.Parallel()
	late := scenario("late timers")
	late.Hours = 2
	slow := func(j Jitter, share float64) Scenario {
		return Scenario{Osc: walker, Servers: several(1, Path{Out: 2 * ms, Back: 2 * ms, JitterOut: j, JitterBack: Often(j, share, ms)}), Poll: 16, Hours: 3, Settle: 3600, Start: 10 * ms}
	}
	for name, c := range map[string]struct {
		sc   Scenario
		most float64
	}{
		"90 % slow, Gaussian":    {slow(Gaussian(50*us), 0.9), 40 * us},
		"30 % slow, Gaussian":    {slow(Gaussian(50*us), 0.3), 18 * us},
		"95 % slow, exponential": {slow(Exponential(20*us), 0.95), 100 * us},
		"late timers":            {late, 20 * us},
	} {
		r := Measure(c.sc, 6, false)
		t.Logf("%s: %.1f µs RMS", name, r.RMS/us)
		if r.RMS > c.most || r.Violations > 0 {
			t.Errorf("%s: %.1f µs RMS, want at most %.0f; %d violations", name, r.RMS/us, c.most/us, r.Violations)
		}
	}
}
