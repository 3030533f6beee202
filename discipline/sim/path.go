package sim

import (
	"math"
	"math/rand/v2"
)

// Jitter draws the extra delay of one packet, ns.
type Jitter func(rng *rand.Rand, t float64) float64

// Path is a way to a server and back. Delays are one-way and in nanoseconds.
type Path struct {
	Out, Back             float64 // least delays, towards the server and from it
	JitterOut, JitterBack Jitter  // nil: none
	Loss                  float64 // probability that an exchange is lost
	Shift                 func(t float64) (out, back float64)
}

// Exponential draws exponential extra delays.
func Exponential(mean float64) Jitter {
	return func(rng *rand.Rand, _ float64) float64 { return mean * rng.ExpFloat64() }
}

// Gaussian draws normal extra delays, which may be negative down to the path's least delay.
func Gaussian(sd float64) Jitter {
	return func(rng *rand.Rand, _ float64) float64 { return sd * rng.NormFloat64() }
}

// HeavyTail draws Wi-Fi-like delays: exponential, with Pareto retries in one of five packets.
func HeavyTail(mean float64) Jitter {
	return func(rng *rand.Rand, _ float64) float64 {
		x := mean * 0.3 * rng.ExpFloat64()
		if rng.Float64() < 0.2 {
			x += math.Min(mean*math.Pow(1-rng.Float64(), -1/1.5), 200*mean)
		}
		return x
	}
}

// Bloat draws delays of a queue that fills to peak in episodes: a fifth of each period.
func Bloat(base, peak, period float64) Jitter {
	return func(rng *rand.Rand, t float64) float64 {
		x := base * rng.ExpFloat64()
		if p := math.Mod(t, period) / period; p < 0.2 {
			x += peak * rng.Float64() * math.Sin(math.Pi*p/0.2)
		}
		return x
	}
}

// Often sends a share of the packets by a route that takes more longer.
func Often(j Jitter, share, more float64) Jitter {
	return func(rng *rand.Rand, t float64) float64 {
		x := j(rng, t)
		if rng.Float64() < share {
			x += more
		}
		return x
	}
}

// Loaded adds what a busy machine does to a share of the packets: it holds them up, for 1 ms
// to most. With a negative most they rather come that much too early.
func Loaded(j Jitter, share, most float64) Jitter {
	return func(rng *rand.Rand, t float64) float64 {
		x := j(rng, t)
		if rng.Float64() >= share {
			return x
		}
		if most < 0 {
			return x + most
		}
		return x + 1e6*math.Pow(most/1e6, rng.Float64())
	}
}

// LateTimers draws delays of a box on the way that sends by timers of a coarse grid: most packets
// within sd, 12 % a whole tick late, 4 % up to 0.8 ticks early.
func LateTimers(sd, tick float64) Jitter {
	return func(rng *rand.Rand, _ float64) float64 {
		x := sd * rng.NormFloat64()
		switch u := rng.Float64(); {
		case u < 0.12:
			x += tick
		case u < 0.16:
			x -= 0.8 * tick * rng.Float64()
		}
		return x
	}
}

// Draw returns one exchange's two delays, ns, at t seconds; ok is false when it is lost.
func (p *Path) Draw(rng *rand.Rand, t float64) (out, back float64, ok bool) {
	if p.Loss > 0 && rng.Float64() < p.Loss {
		return 0, 0, false
	}
	out, back = p.Out, p.Back
	if p.Shift != nil {
		o, b := p.Shift(t)
		out, back = out+o, back+b
	}
	if p.JitterOut != nil {
		out += p.JitterOut(rng, t)
	}
	if p.JitterBack != nil {
		back += p.JitterBack(rng, t)
	}
	return math.Max(out, 1000), math.Max(back, 1000), true
}
