package sim

import (
	"math"

	"github.com/ntsgw/ntsgw/discipline"
)

// plainLoop is the clock filter and the phase-locked loop of RFC 5905 (§10, §12) with one
// survivor: the source whose best sample has the least delay. It works on the host clock.
type plainLoop struct {
	poll   float64
	stages [8][8]stage
	n      [8]int
	freq   float64 // ppm
	last   float64
	set    bool
	fresh  bool
}

type stage struct{ offset, delay, at float64 }

func newPlainLoop(poll float64) *plainLoop { return &plainLoop{poll: poll} }

func (p *plainLoop) update(m discipline.Measurement) {
	i := int(m.Source[0] - 'a')
	if i >= len(p.stages) {
		return
	}
	copy(p.stages[i][1:], p.stages[i][:7])
	// The offset is to the raw clock; steer turns it to the host's.
	p.stages[i][0] = stage{float64(m.Offset - (utcStart - 1e12)), float64(m.Delay), float64(m.At)}
	p.n[i] = min(8, p.n[i]+1)
	p.fresh = true
}

func (p *plainLoop) steer(h discipline.HostReading) (ppm, step float64) {
	if !p.fresh {
		return h.FrequencyPPM, 0
	}
	p.fresh = false
	hostRaw := float64(h.Real-int64(h.Raw)) - float64(utcStart-1e12) // host − raw now
	best := stage{delay: math.Inf(1)}
	for i := range p.stages {
		for _, s := range p.stages[i][:p.n[i]] {
			if d := s.delay + 30e-6*(float64(h.Raw)-s.at); d < best.delay {
				best = s
				best.delay = d
			}
		}
	}
	theta := best.offset - (hostRaw - h.FrequencyPPM*1e-6*(float64(h.Raw)-best.at))
	now := float64(h.Raw) * 1e-9
	mu := math.Min(now-p.last, 4*p.poll)
	p.last = now
	if math.Abs(theta) > 128e6 || !p.set {
		p.set = true
		return p.freq, theta
	}
	// PLL: time constant of 16 polls, the frequency gain of §12 (CLOCK_PLL = 16).
	tc := 16 * p.poll
	p.freq += theta / 1000 * mu / (tc * tc / 4)
	p.freq = math.Max(-500, math.Min(500, p.freq))
	return p.freq + theta/1000/tc, 0
}

// rootDistance is what chrony 4.3 would state, checked against its own tracking log: the best of
// a source's latest 32 samples, aged at a skew of 0.05 ppm, their offsets' standard deviation
// over the root of their number, and 1 ppm (maxclockerror) since the last update.
type rootDistance struct {
	samples [][]rootSample
	last    float64
}

type rootSample struct{ at, root, noise float64 }

func newRootDistance(n int) *rootDistance { return &rootDistance{samples: make([][]rootSample, n)} }

func (r *rootDistance) add(i int, at, root, noise float64, servers []Server) {
	if servers[i].Liar {
		return
	}
	s := append(r.samples[i], rootSample{at, root, noise})
	if len(s) > 32 {
		s = s[1:]
	}
	r.samples[i], r.last = s, at
}

func (r *rootDistance) at(now float64) float64 {
	least := math.Inf(1)
	for _, s := range r.samples {
		best, sum, sq := math.Inf(1), 0.0, 0.0
		for _, x := range s {
			best = math.Min(best, x.root+50*(now-x.at))
			sum += x.noise
			sq += x.noise * x.noise
		}
		n := float64(len(s))
		if n > 0 {
			least = math.Min(least, best+math.Sqrt(math.Max(0, sq/n-sum*sum/n/n)/n))
		}
	}
	return least + 1000*(now-r.last)
}
