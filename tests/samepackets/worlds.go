package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/ntsgw/ntsgw/discipline/sim"
)

// world is what both clients live in.
type world struct {
	name    string
	osc     sim.Oscillator
	paths   []sim.Path // one a server
	poll    int        // log2 of seconds
	seconds int
	judge   int  // the second from which on errors count
	stored  bool // both know the oscillator's usual rate from before
}

const (
	us = 1e3
	ms = 1e6
)

var (
	walk9   = sim.Oscillator{Walk: 1} // the rate's random walk is 10⁻⁹ per √s
	walk8   = sim.Oscillator{Walk: 10}
	board   = sim.Oscillator{Offset: 7000, White: 3, Flicker: 3, Walk: 0.3, Aging: 5, Swing: 600, Period: 86400}
	heated  = sim.Oscillator{Offset: 7000, White: 3, Flicker: 3, Walk: 0.3, Swing: 3000, Period: 7200}
	loaded  = sim.Oscillator{Offset: 7000, White: 3, Flicker: 3, Walk: 0.3, Load: 2000, LoadTau: 120, LoadMean: 3600}
	virtual = sim.Oscillator{Offset: -21000, White: 30, Flicker: 8, Walk: 1, Swing: 300, Period: 43200}
	tcxo    = sim.Oscillator{Offset: 800, White: 1, Flicker: 0.5, Walk: 0.03, Swing: 40, Period: 86400}
	begins  = sim.Oscillator{Offset: 7000, White: 1} // for starts
)

// jumps is an oscillator whose rate jumps by so many ns/s, hourly on the average.
func jumps(size float64) sim.Oscillator {
	return sim.Oscillator{Offset: 3000, Walk: 0.1, Jump: size, JumpMean: 3600}
}

// Laws of extra delay that the simulation has not.

func uniform(most float64) sim.Jitter {
	return func(rng *rand.Rand, _ float64) float64 { return most * rng.Float64() }
}

func lognormal(median, sigma float64) sim.Jitter {
	return func(rng *rand.Rand, _ float64) float64 { return median * math.Exp(sigma*rng.NormFloat64()) }
}

func pareto(scale, power float64) sim.Jitter {
	return func(rng *rand.Rand, _ float64) float64 {
		return scale * (math.Pow(1-rng.Float64(), -1/power) - 1)
	}
}

// seldom delays a share of the packets.
func seldom(j sim.Jitter, share float64) sim.Jitter {
	return func(rng *rand.Rand, t float64) float64 {
		if rng.Float64() < share {
			return j(rng, t)
		}
		return 0
	}
}

// gamma is the sum of so many exponential delays: as many queues one after the other.
func gamma(queues int, mean float64) sim.Jitter {
	return func(rng *rand.Rand, _ float64) (x float64) {
		for range queues {
			x += mean / float64(queues) * rng.ExpFloat64()
		}
		return x
	}
}

// slots sends at multiples of every only, as a radio's frames do.
func slots(j sim.Jitter, every float64) sim.Jitter {
	return func(rng *rand.Rand, t float64) float64 {
		return every*rng.Float64() + every*math.Floor(j(rng, t)/every)
	}
}

// path has the same least delay and law both ways.
func path(least float64, j sim.Jitter) sim.Path {
	return sim.Path{Out: least, Back: least, JitterOut: j, JitterBack: j}
}

func shifted(p sim.Path, shift func(t float64) (out, back float64)) sim.Path {
	p.Shift = shift
	return p
}

func lossy(p sim.Path, loss float64) sim.Path {
	p.Loss = loss
	return p
}

// longerOut is a way out that is longer for what is left of each five hours after so many.
func longerOut(by, hours float64) func(t float64) (out, back float64) {
	return func(t float64) (float64, float64) {
		if math.Mod(t, 5*3600) > hours*3600 {
			return by, 0
		}
		return 0, 0
	}
}

// swell is a delay that comes and goes smoothly.
func swell(most, period float64) func(t float64) float64 {
	return func(t float64) float64 { return most / 2 * (1 - math.Cos(2*math.Pi*t/period)) }
}

func seconds(poll int) string { return fmt.Sprintf("poll %d s", 1<<poll) }

// worlds are named for what a person would call them.
func worlds() (list []world) {
	n := 1 // servers
	add := func(name string, osc sim.Oscillator, p sim.Path, polls ...int) {
		for _, poll := range polls {
			w := world{name: name + ", " + seconds(poll), osc: osc, poll: poll, seconds: 4 * 3600, judge: 3600}
			if poll >= 6 {
				w.seconds, w.judge = 12*3600, 4000
			}
			for range n {
				w.paths = append(w.paths, p)
			}
			list = append(list, w)
		}
	}
	start := func(name string, p sim.Path, polls ...int) {
		for _, poll := range polls {
			list = append(list, world{name: "start: " + name + ", " + seconds(poll), osc: begins, paths: []sim.Path{p}, poll: poll, seconds: 600, judge: 60})
		}
	}
	exp := sim.Exponential
	wifi := path(1*ms, sim.HeavyTail(1*ms))
	lte := lossy(sim.Path{Out: 20 * ms, Back: 20 * ms, JitterOut: slots(exp(6*ms), 5*ms), JitterBack: exp(4 * ms)}, 0.02)
	satellite := lossy(sim.Path{Out: 280 * ms, Back: 280 * ms, JitterOut: exp(20 * ms), JitterBack: exp(8 * ms)}, 0.05)
	dsl := sim.Path{Out: 8 * ms, Back: 8 * ms, JitterOut: exp(1 * ms), JitterBack: exp(300 * us)}

	// Laws of jitter, alike on both ways.
	add("LAN, 20 µs exponential", walk9, path(50*us, exp(20*us)), 4, 6)
	add("LAN, 20 µs exponential, board", board, path(50*us, exp(20*us)), 4, 6)
	add("LAN, 2 µs Gaussian, TCXO", tcxo, path(60*us, sim.Gaussian(2*us)), 4)
	add("LAN, one packet of ten waits", board, path(50*us, seldom(exp(100*us), 0.1)), 3)
	add("Ethernet, 100 µs exponential", walk9, path(100*us, exp(100*us)), 6)
	add("1 ms exponential", walk9, path(1*ms, exp(1*ms)), 4, 6)
	add("1 ms exponential, wander 1e-8", walk8, path(1*ms, exp(1*ms)), 6)
	add("1 ms Gaussian", walk9, path(10*ms, sim.Gaussian(1*ms)), 4, 6)
	add("1 ms Gaussian, wander 1e-8", walk8, path(10*ms, sim.Gaussian(1*ms)), 6)
	add("0.5 ms even", walk9, path(1*ms, uniform(500*us)), 4, 6)
	add("0.3 ms log-normal", walk9, path(2*ms, lognormal(300*us, 0.8)), 4, 6)
	add("Pareto 1.5", walk9, path(2*ms, pareto(200*us, 1.5)), 4, 6)
	add("four queues, 0.6 ms", walk9, path(2*ms, gamma(4, 600*us)), 4, 6)
	// On one way only.
	add("0.3 ms even, out only", walk9, sim.Path{Out: 1 * ms, Back: 1 * ms, JitterOut: uniform(300 * us)}, 4, 6)
	add("2 ms exponential, back only", walk9, sim.Path{Out: 10 * ms, Back: 10 * ms, JitterBack: exp(2 * ms)}, 4, 6)
	add("1 ms log-normal, back, 20 µs out", walk9, sim.Path{Out: 2 * ms, Back: 2 * ms, JitterOut: exp(20 * us), JitterBack: lognormal(1*ms, 0.8)}, 6)
	for _, share := range []float64{0.5, 0.85, 0.95} {
		add(fmt.Sprintf("%.0f %% take 1 ms more back", 100*share), walk9, sim.Path{Out: 2 * ms, Back: 2 * ms, JitterOut: exp(20 * us), JitterBack: sim.Often(exp(20*us), share, ms)}, 6)
	}
	add("85 % take 1 ms more back, Gaussian", walk9, sim.Path{Out: 2 * ms, Back: 2 * ms, JitterOut: sim.Gaussian(50 * us), JitterBack: sim.Often(sim.Gaussian(50*us), 0.85, ms)}, 6)
	for _, share := range []float64{0.3, 0.9} {
		add(fmt.Sprintf("%.0f %% take 1 ms more out, Gaussian", 100*share), walk9, sim.Path{Out: 2 * ms, Back: 2 * ms, JitterOut: sim.Often(sim.Gaussian(50*us), share, ms), JitterBack: sim.Gaussian(50 * us)}, 4)
	}
	add("1 ms Gaussian, out only", walk9, sim.Path{Out: 10 * ms, Back: 10 * ms, JitterOut: sim.Gaussian(1 * ms)}, 6)
	// Ordinary access networks.
	add("Wi-Fi", board, wifi, 4, 6)
	add("DSL", board, dsl, 4, 6)
	add("LTE", board, lte, 6)
	add("satellite", board, satellite, 6)
	add("bufferbloat out", board, sim.Path{Out: 8 * ms, Back: 8 * ms, JitterOut: sim.Bloat(500*us, 150*ms, 7200), JitterBack: exp(500 * us)}, 4, 6)
	add("congestion back", board, shifted(path(5*ms, exp(300*us)), func(t float64) (float64, float64) { return 0, swell(10*ms, 3600)(t) }), 6)
	add("congestion both ways", board, shifted(path(5*ms, exp(300*us)), func(t float64) (float64, float64) { x := swell(10*ms, 3600)(t); return x, x }), 6)
	for _, by := range []float64{1, 10} {
		add(fmt.Sprintf("%g ms longer out for 3 h of 5", by), board, shifted(path(6*ms, exp(300*us)), longerOut(by*ms, 2)), 4, 6)
	}
	add("route change out", board, shifted(path(6*ms, exp(300*us)), longerOut(8*ms, 3)), 6)
	add("late timers", begins, path(2.3*ms, sim.LateTimers(50*us, ms)), 2)
	add("held up", begins, path(2*ms, sim.Loaded(sim.Gaussian(300*us), 0.1, 20*ms)), 2)
	// Oscillators.
	add("LAN, rate jumps 1 ppm", jumps(1000), path(50*us, exp(20*us)), 4, 6)
	add("LAN, rate jumps 5 ppm", jumps(5000), path(50*us, exp(20*us)), 4, 6)
	add("temperature swings 3 ppm", heated, path(1*ms, exp(300*us)), 4, 6)
	add("load, 2 ppm", loaded, path(2*ms, exp(300*us)), 5)
	add("virtual machine", virtual, path(500*us, exp(200*us)), 4, 6)
	// Several servers.
	n = 4
	add("four: 1 ms exponential", walk9, path(10*ms, exp(1*ms)), 4, 6)
	add("four: Wi-Fi", board, wifi, 6)
	add("four: 1 ms Gaussian", walk9, path(10*ms, sim.Gaussian(1*ms)), 6)
	// Servers that are unlike.
	unlike := func(name string, osc sim.Oscillator, poll int, paths ...sim.Path) {
		w := world{name: name + ", " + seconds(poll), osc: osc, paths: paths, poll: poll, seconds: 12 * 3600, judge: 4000}
		if poll < 6 {
			w.seconds, w.judge = 4*3600, 3600
		}
		list = append(list, w)
	}
	skew := func(p sim.Path, by float64) sim.Path {
		p.Out += by / 2
		p.Back -= by / 2
		return p
	}
	for _, poll := range []int{4, 6} {
		unlike("near and far", board, poll, path(250*us, exp(100*us)), skew(path(10*ms, exp(ms)), ms), skew(path(20*ms, exp(2*ms)), -1.5*ms), skew(path(40*ms, exp(4*ms)), 2*ms))
		unlike("far, unequal", walk9, poll, skew(path(10*ms, exp(300*us)), 600*us), skew(path(11*ms, exp(300*us)), -400*us), skew(path(12*ms, exp(300*us)), 1000*us), skew(path(13*ms, exp(300*us)), -1200*us))
		unlike("two: one quiet, one noisy", walk9, poll, path(5*ms, exp(100*us)), path(5*ms, exp(3*ms)))
		unlike("three: Wi-Fi, DSL, LTE", board, poll, wifi, dsl, lte)
		unlike("four: one moves by 3 ms", walk9, poll, path(5*ms, exp(300*us)), path(6*ms, exp(300*us)), path(7*ms, exp(300*us)),
			shifted(path(4*ms, exp(300*us)), func(t float64) (float64, float64) {
				if t > 3*3600 {
					return 6 * ms, 0
				}
				return 0, 0
			}))
		unlike("one of four unequal, nearest", walk9, poll, skew(path(5*ms, exp(300*us)), 3*ms), path(6*ms, exp(300*us)), path(7*ms, exp(300*us)), path(8*ms, exp(300*us)))
		unlike("one of four unequal, alike", walk9, poll, skew(path(10*ms, exp(ms)), 5*ms), path(10*ms, exp(ms)), path(10*ms, exp(ms)), path(10*ms, exp(ms)))
		unlike("one of three unequal, near", walk9, poll, skew(path(2*ms, exp(300*us)), 1*ms), path(6*ms, exp(300*us)), path(9*ms, exp(300*us)))
		unlike("one of three unequal, far", walk9, poll, path(4*ms, exp(300*us)), path(6*ms, exp(300*us)), skew(path(9*ms, exp(300*us)), 4*ms))
		unlike("one of five unequal, Wi-Fi", board, poll, skew(path(4*ms, sim.HeavyTail(1*ms)), 3*ms), path(6*ms, exp(300*us)), path(7*ms, exp(300*us)), path(10*ms, exp(300*us)), path(12*ms, exp(300*us)))
		unlike("one of five unequal, 2", board, poll, path(4*ms, exp(300*us)), skew(path(6*ms, exp(300*us)), 2*ms), path(7*ms, exp(300*us)), path(10*ms, exp(300*us)), path(12*ms, exp(300*us)))
		unlike("four, evenly skewed", walk9, poll, skew(path(8*ms, exp(ms)), 300*us), skew(path(9*ms, exp(ms)), -300*us), skew(path(10*ms, exp(ms)), 100*us), skew(path(12*ms, exp(ms)), -100*us))
	}
	ar := func(sd, tau float64) sim.Jitter {
		x, last := 0.0, 0.0
		return func(rng *rand.Rand, t float64) float64 {
			a := math.Exp(-math.Abs(t-last) / tau)
			x = a*x + math.Sqrt(1-a*a)*sd*rng.NormFloat64()
			last = t
			return 3*sd + math.Max(-3*sd, x)
		}
	}
	unlike("correlated 0.3 ms, 2 min", walk9, 4, sim.Path{Out: 5 * ms, Back: 5 * ms, JitterOut: ar(300*us, 120), JitterBack: ar(300*us, 120)})
	unlike("correlated 0.3 ms, 20 min", walk9, 6, sim.Path{Out: 5 * ms, Back: 5 * ms, JitterOut: ar(300*us, 1200), JitterBack: ar(300*us, 1200)})
	unlike("a third lost, Wi-Fi", board, 4, lossy(wifi, 0.33))
	unlike("10 µs Gaussian, wander 1e-8", walk8, 4, path(100*us, sim.Gaussian(10*us)))
	unlike("10 µs Gaussian, wander 1e-8", walk8, 6, path(100*us, sim.Gaussian(10*us)))
	unlike("10 µs Gaussian, board", board, 6, path(100*us, sim.Gaussian(10*us)))
	unlike("exact stamps, board", board, 6, path(100*us, uniform(1)))
	unlike("exact stamps, heated", heated, 6, path(100*us, uniform(1)))
	unlike("1 ms exponential, board", board, 8, path(5*ms, exp(ms)))
	unlike("100 µs exponential, heated", heated, 8, path(1*ms, exp(100*us)))
	unlike("1 ms Gaussian, board", board, 8, path(5*ms, sim.Gaussian(ms)))
	unlike("1 ms exponential", walk9, 10, path(5*ms, exp(ms)))
	unlike("downlink saturated 40 %", board, 6, sim.Path{Out: 8 * ms, Back: 8 * ms, JitterOut: exp(200 * us), JitterBack: seldom(exp(30*ms), 0.4)})
	unlike("uplink saturated 90 %", board, 6, sim.Path{Out: 8 * ms, Back: 8 * ms, JitterOut: seldom(exp(30*ms), 0.9), JitterBack: exp(200 * us)})
	// Starts of ten minutes. The clock is right at first, its rate isn't known.
	start("LAN", path(50*us, exp(20*us)), 2, 4)
	start("0.1 ms even", path(1*ms, uniform(100*us)), 1, 3, 4)
	start("0.1 ms log-normal", path(1*ms, lognormal(100*us, 0.8)), 3)
	start("1 ms exponential", path(1*ms, exp(1*ms)), 2, 4)
	start("0.3 ms Gaussian", path(2*ms, sim.Gaussian(300*us)), 2, 3)
	start("Wi-Fi", wifi, 2, 4)
	return list
}
