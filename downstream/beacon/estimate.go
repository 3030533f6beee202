package beacon

import "math"

// estimator makes the best guess of one gateway's evidence: a Kalman filter over offset and rate.
// Nothing of it moves an interval's ends. Exchanges are weighted by their delay beyond the shortest
// one seen; beacons count as one-way samples of the shortest delay, late ones for little.
type estimator struct {
	started bool
	at      Ticks
	tai     int64   // the guess at at, ns
	rate    float64 // true time advances 1 + rate for each nominal ns
	// Covariance of (offset ns, rate), at at.
	p00, p01, p11 float64

	paths   bool
	minPath float64 // shortest round trip less the gateway's own time, ns
	epoch   [8]byte
}

const (
	noiseFloor   = 0.5e6   // ns: no sample is better than that
	rateWander   = 2.8e-16 // variance a second of the rate's walk: 1 ppm an hour
	minPathDecay = 1e-5    // the shortest path is forgotten that fast, a nominal ns: routes change
)

func (e *estimator) initialRateVariance(r Rate) float64 {
	rho := float64(r.RhoPPB) * 1e-9
	return rho * rho / 4
}

// carry moves the guess to m.
func (e *estimator) carry(m Ticks, r Rate) {
	if m <= e.at {
		return
	}
	dt := float64(m-e.at) * float64(r.CountNanos)
	e.tai += int64(m-e.at)*int64(r.CountNanos) + int64(math.Round(dt*e.rate))
	q := rateWander * dt * 1e-9
	e.p00 += dt*(2*e.p01+dt*e.p11) + q*dt*dt/3
	e.p01 += dt*e.p11 + q*dt/2
	e.p11 = math.Min(e.p11+q, e.initialRateVariance(r))
	e.at = m
}

// read is the guess at m, without changing anything.
func (e *estimator) read(m Ticks, r Rate) (tai int64, ok bool) {
	if !e.started {
		return 0, false
	}
	c := *e
	c.carry(m, r)
	return c.tai, true
}

func (e *estimator) begin(m Ticks, tai int64, variance float64, r Rate) {
	paths, minPath, epoch := e.paths, e.minPath, e.epoch
	*e = estimator{started: true, at: m, tai: tai, p00: variance, p11: e.initialRateVariance(r), paths: paths, minPath: minPath, epoch: epoch}
}

// sample takes a guess of true time at m with a variance in ns².
func (e *estimator) sample(m Ticks, tai int64, variance float64, r Rate) {
	if !e.started {
		e.begin(m, tai, variance, r)
		return
	}
	e.carry(m, r)
	y := float64(tai - e.tai)
	s := e.p00 + variance
	if y*y > 25*s && y*y > 1e16 { // far out of what was thought, and by more than 100 ms: begin anew
		e.begin(m, tai, variance, r)
		return
	}
	k0, k1 := e.p00/s, e.p01/s
	e.tai += int64(math.Round(k0 * y))
	rho := float64(r.RhoPPB) * 1e-9
	e.rate = math.Max(-rho, math.Min(rho, e.rate+k1*y))
	e.p11 -= k1 * e.p01
	e.p01 -= k0 * e.p01
	e.p00 -= k0 * e.p00
}

// newEpoch restarts the learning of the rate when the gateway's timeline is another one.
func (e *estimator) newEpoch(epoch [8]byte, r Rate) {
	if e.started && e.epoch != epoch {
		e.rate, e.p01, e.p11 = 0, 0, e.initialRateVariance(r)
	}
	e.epoch = epoch
}

// exchange takes an answered request: path is its round trip less the gateway's own time.
func (e *estimator) exchange(m Ticks, middle int64, path float64, r Rate) {
	path = math.Max(path, 0)
	if !e.paths || path < e.minPath {
		e.paths, e.minPath = true, path
	} else {
		elapsed := float64(0)
		if e.started && m > e.at {
			elapsed = float64(m-e.at) * float64(r.CountNanos)
		}
		e.minPath += math.Min(path-e.minPath, elapsed*minPathDecay)
	}
	excess := (path - e.minPath) / 2
	e.sample(m, middle, noiseFloor*noiseFloor+e.minPath*e.minPath/400+excess*excess/2, r)
}

// beacon takes a one-way statement of time t.
func (e *estimator) beacon(m Ticks, t int64, r Rate) {
	if !e.started || !e.paths {
		return // how long it took isn't known
	}
	now, _ := e.read(m, r)
	z := t + int64(e.minPath/2)
	late := math.Max(0, float64(now-z))
	e.sample(m, z, noiseFloor*noiseFloor*4+e.minPath*e.minPath/100+late*late*4, r)
}

// keepInside moves the guess to the nearest end of the interval when it lies outside.
func (e *estimator) keepInside(b Bounds) {
	if !e.started {
		return
	}
	if b.Lo != LoUnknown {
		e.tai = max(e.tai, b.Lo)
	}
	if b.Hi != HiUnknown {
		e.tai = min(e.tai, b.Hi)
	}
}
