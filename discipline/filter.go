package discipline

import "math"

// estimate is the filter's opinion: y = TAI − raw and its rate at an instant.
type estimate struct {
	at            float64 // seconds
	y             float64 // ns about the base
	rate          float64 // ns/s
	pyy, pyr, prr float64
}

// to carries the estimate to the instant t. wander is the rate's random walk, (ns/s)²/s.
func (e estimate) to(t, wander float64) estimate {
	dt := t - e.at
	if dt <= 0 {
		return e
	}
	e.y += e.rate * dt
	e.pyy += 2*dt*e.pyr + dt*dt*e.prr + wander*dt*dt*dt/3
	e.pyr += dt*e.prr + wander*dt*dt/2
	e.prr += wander * dt
	e.at = t
	return e
}

// filter is a Kalman filter over offset and rate.
type filter struct {
	e       estimate
	wander  float64
	started bool
	least   []float64 // least delay of each source
}

func newFilter(sources int) filter {
	f := filter{wander: 1, least: make([]float64, sources)}
	f.reset()
	return f
}

func (f *filter) reset() {
	f.started = false
	for i := range f.least {
		f.least[i] = math.Inf(1)
	}
}

// start gives the rate that was learned before and its standard deviation, ns/s.
func (f *filter) start(rate, std float64) {
	f.e.rate, f.e.prr = rate, std*std
}

// add takes a sample of source s: y measured at t with this delay and precision, ns.
func (f *filter) add(s int, t, y, delay, precision float64) {
	f.least[s] = math.Min(f.least[s], delay)
	extra := delay - f.least[s]
	r := precision*precision + extra*extra/12 + 0.0001*f.least[s]*f.least[s]
	if !f.started {
		f.started = true
		f.e = estimate{at: t, y: y, rate: f.e.rate, pyy: r + delay*delay/16, prr: f.e.prr}
		return
	}
	e := f.e.to(t, f.wander)
	k := 1 / (e.pyy + r)
	ky, kr := e.pyy*k, e.pyr*k
	d := y - e.y
	e.y += ky * d
	e.rate += kr * d
	e.prr -= kr * e.pyr
	e.pyr -= ky * e.pyr
	e.pyy -= ky * e.pyy
	f.e = e
}

func (f *filter) present(now float64) estimate { return f.e.to(now, f.wander) }
