package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/ntsgw/ntsgw/discipline/sim"
)

// random draws a world that nobody chose: servers, ways, laws of jitter, losses, polls, the time it lasts, and an oscillator. It is
// the same each time, and its name says what it is.
func random(n uint64) world {
	g := &gambler{rand.New(rand.NewPCG(n, 4711))}
	w := world{poll: []int{4, 6, 4, 6, g.between(3, 10)}[g.IntN(5)]}
	w.osc = sim.Oscillator{White: g.tenfold(0.1, 30), Walk: g.tenfold(0.1, 10)}
	drawn := fmt.Sprintf("walk %.2g", w.osc.Walk)
	if g.chance(0.5) {
		w.osc.Swing, w.osc.Period = g.tenfold(100, 5000), g.tenfold(1200, 86400)
		drawn += fmt.Sprintf(", swing %.2g ppm in %.2g h", w.osc.Swing/1000, w.osc.Period/3600)
	}
	if g.chance(0.5) {
		w.osc.Offset = (2*g.Float64() - 1) * 200e3
		if w.stored = g.chance(0.5); w.stored {
			drawn += ", drift known"
		}
	}
	poll := 1 << w.poll
	w.seconds = int(g.tenfold(max(600, 40*float64(poll)), max(86400, 100*float64(poll))))
	servers := []int{1, 1, 1, 2, 3, 4, 4, 5}[g.IntN(8)]
	w.seconds = min(w.seconds, 5000*poll/servers) // a run is to take seconds
	w.judge = max(60, min(4000, w.seconds/4))
	drawn += fmt.Sprintf(", %.2g h, %d servers", float64(w.seconds)/3600, servers)
	one, said := g.path(w.seconds)
	alike := g.chance(0.4)
	for i := range servers {
		if i > 0 && !alike {
			var more string
			one, more = g.path(w.seconds)
			said += " | " + more
		}
		w.paths = append(w.paths, one)
	}
	w.name = fmt.Sprintf("random %d, %s: %s: %s", n, seconds(w.poll), drawn, said)
	return w
}

// gambler draws what worlds are made of.
type gambler struct{ *rand.Rand }

func (g *gambler) chance(p float64) bool       { return g.Float64() < p }
func (g *gambler) between(least, most int) int { return least + g.IntN(most-least+1) }

// tenfold draws evenly on a logarithmic scale.
func (g *gambler) tenfold(least, most float64) float64 {
	return least * math.Pow(most/least, g.Float64())
}

// path draws one for a world that lasts so long.
func (g *gambler) path(lasts int) (p sim.Path, said string) {
	base := g.tenfold(50*us, 300*ms)
	out := base / 2
	if g.chance(0.3) {
		out = base * (0.5 + 0.4*(2*g.Float64()-1))
	}
	said = fmt.Sprintf("%s+%s", micro(out), micro(base-out))
	p = sim.Path{Out: out, Back: base - out}
	a, law := g.jitter(base)
	p.JitterOut, p.JitterBack = a, a
	switch u := g.Float64(); {
	case u < 0.15:
		p.JitterBack = nil
		said += " out " + law
	case u < 0.3:
		p.JitterOut = nil
		said += " back " + law
	case u < 0.55:
		b, other := g.jitter(base)
		p.JitterBack = b
		said += " " + law + " / " + other
	default:
		said += " " + law
	}
	if g.chance(0.2) {
		// Congestion comes and goes on one way.
		busy, quiet, law := g.tenfold(60, 3600), g.tenfold(600, 3*3600), sim.Exponential(g.tenfold(200*us, 20*ms))
		more, since := p.JitterBack, quiet*g.Float64()
		p.JitterBack = func(rng *rand.Rand, t float64) (x float64) {
			if more != nil {
				x = more(rng, t)
			}
			if math.Mod(t+since, busy+quiet) < busy {
				x += law(rng, t)
			}
			return x
		}
		said += fmt.Sprintf(", busy back %.0f s of %.0f", busy, busy+quiet)
	}
	if g.chance(0.1) {
		at, by := g.Float64()*float64(lasts), g.tenfold(100*us, 10*ms)
		said += fmt.Sprintf(", %s longer out after %.2g h", micro(by), at/3600)
		p.Shift = func(t float64) (float64, float64) {
			if t > at {
				return by, 0
			}
			return 0, 0
		}
	}
	if g.chance(0.3) {
		p.Loss = 0.3 * g.Float64()
		said += fmt.Sprintf(", %.0f %% lost", 100*p.Loss)
	}
	if g.chance(0.3) {
		grain := g.tenfold(1, 10*us)
		said += fmt.Sprintf(", stamps of %.2g ns", grain)
		p.JitterOut, p.JitterBack = coarse(p.JitterOut, grain), coarse(p.JitterBack, grain)
	}
	return p, said
}

// coarse is what stamps of a coarse clock make of a delay.
func coarse(j sim.Jitter, grain float64) sim.Jitter {
	return func(rng *rand.Rand, t float64) (x float64) {
		if j != nil {
			x = j(rng, t)
		}
		return grain * math.Floor(x/grain+rng.Float64())
	}
}

func micro(ns float64) string { return fmt.Sprintf("%.3gµs", ns/us) }

// jitter draws a law for a way of a path with this least delay.
func (g *gambler) jitter(base float64) (sim.Jitter, string) {
	scale := g.tenfold(5*us, 20*ms)
	is := func(law string) string { return micro(scale) + " " + law }
	switch g.IntN(8) {
	case 0, 1:
		return sim.Exponential(scale), is("exponential")
	case 2:
		scale = min(scale, base/10) // or it would be cut off at 0
		return sim.Gaussian(scale), is("Gaussian")
	case 3:
		queues := g.between(2, 6)
		return gamma(queues, scale), is(fmt.Sprintf("gamma %d", queues))
	case 4:
		k := 0.5 + 2*g.Float64()
		return func(rng *rand.Rand, _ float64) float64 { return scale * math.Pow(rng.ExpFloat64(), 1/k) }, is(fmt.Sprintf("Weibull %.2g", k))
	case 5:
		power := 1.2 + 2*g.Float64()
		j := pareto(scale/3, power)
		return func(rng *rand.Rand, t float64) float64 { return min(j(rng, t), 2e9) }, is(fmt.Sprintf("Pareto %.2g", power))
	case 6:
		return uniform(scale), is("even")
	}
	share, more := 0.05+0.9*g.Float64(), g.tenfold(2, 50)
	return sim.Often(sim.Exponential(scale), share, more*scale), is(fmt.Sprintf("exponential, %.0f %% %.2g times more", 100*share, more))
}
