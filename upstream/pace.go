package upstream

import (
	"math"
	"math/rand/v2"
	"time"
)

// pace is how fast one server is asked. Servers that the operator configured are asked quickly,
// so that a gateway has the time within seconds; built-in ones with courtesy.
type pace struct {
	minPoll, maxPoll time.Duration

	start   time.Duration   // the first key exchange comes within this: a fleet does not arrive together
	soon    time.Duration   // the same for what a whole fleet may do at one moment later
	redo    time.Duration   // between the first key exchange and the one with full checks, at least
	burst   []time.Duration // the distances of the first samples; none is nearer than this to the next
	timeout time.Duration   // for a reply

	// Key exchanges after failures (RFC 8915 §4.2): base·1.5^n, at most most.
	base, most time.Duration
	// The same while the server can't even be reached, for instance before DNS works: that costs it nothing.
	localMost time.Duration
	gap       time.Duration // between key exchanges, at least, also after successes
	idle      time.Duration // unanswered polls slow down to this at most
	denied    time.Duration // after an authenticated DENY or RSTR
}

func newPace(opt *Options) pace {
	p := pace{
		minPoll: opt.MinPoll, maxPoll: opt.MaxPoll,
		timeout: min(3*time.Second, opt.MinPoll),
		denied:  time.Hour,
	}
	s := func(seconds ...float64) (list []time.Duration) {
		for _, v := range seconds {
			list = append(list, time.Duration(v*1e9))
		}
		return list
	}
	if opt.Builtin {
		p.start, p.soon, p.redo = 8*time.Second, 2*time.Second, time.Second
		p.burst = []time.Duration{builtinSpacing, builtinSpacing, builtinSpacing}
		p.base, p.most, p.localMost = 10*time.Second, time.Hour, time.Minute
		p.gap = 4 * time.Second
		p.idle = opt.MaxPoll
		return p
	}
	p.start, p.soon = 100*time.Millisecond, 25*time.Millisecond
	// Eight samples, as ntpd's and chrony's iburst; more, and sooner, from a server that may be asked often anyhow:
	// what a clock is worth in its first seconds is the number of its samples.
	p.burst = s(0.5, 1, 2, 2, 2, 2, 2)
	switch {
	case opt.MinPoll <= time.Second:
		p.burst = s(0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 1)
	case opt.MinPoll <= 4*time.Second:
		p.burst = s(0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 1, 1, 2)
	}
	p.base, p.most, p.localMost = time.Second, time.Minute, 10*time.Second
	p.gap = time.Second
	p.idle = min(opt.MaxPoll, max(opt.MinPoll, time.Minute))
	return p
}

// backoff is the wait before the next key exchange after n ≥ 1 of them came to nothing.
func (p *pace) backoff(n int, local bool, rng *rand.Rand) time.Duration {
	most, base := p.most, p.base
	if local {
		most, base = p.localMost, min(p.base, 2*time.Second)
	}
	d := float64(base) * math.Pow(1.5, float64(min(n, 64)-1))
	return time.Duration(min(d, float64(most)) * (0.75 + rng.Float64()/2))
}

// interval is the distance of polls: wish held within the limits, slowed by RATE and by missed
// polls.
func (p *pace) interval(wish, slow time.Duration, misses int) time.Duration {
	d := min(max(wish, p.minPoll), p.maxPoll)
	d = max(d, slow)
	if misses >= 8 {
		d = max(d, min(d<<min(misses/8, 4), p.idle))
	}
	return d
}
