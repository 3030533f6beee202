package discipline

import "math"

// The oscillator's assumed steadiness, which the stated bound rests on (README.md).
// For what lies ahead: the rate stays within wanderFloor + wanderSlope·τ of the filter's
// opinion, τ seconds after its last sample, with rateSigmas standard deviations (which grow
// with the learned wander) on top. In hindsight, when the next sample has agreed: within
// wanderFloor/hindsight and the same standard deviations. Always: within what intervals alone
// prove, allowing proofSlope and never more than wanderMost between any two instants.
const (
	wanderFloor = 1000.0  // ns/s: 1 ppm
	wanderSlope = 2.0     // ns/s per second: 0.12 ppm a minute
	hindsight   = 16      // divides wanderFloor in hindsight
	rateSigmas  = 4.0     //
	proofSlope  = 5.0     // ns/s per second
	wanderMost  = 15000.0 // ns/s: the 15 ppm of RFC 5905's PHI
	rateUnknown = 1e7     // ns/s: a raw clock that nothing is known of is within 1 %
	rateStored  = 50000.0 // ns/s: how far a drift file is believed (cards move between boards)
	calmAfter   = 3       // samples in a row as expected until hindsight counts again
	matureAfter = 16      // samples of a source until its filter's opinion of the rate counts
)

// rateClock keeps an interval that contains the present rate of the raw clock. It rests on
// interval evidence only (truth lay in one interval then and in another now), never on the
// filter's opinion, so no delay that the network makes can mislead it.
type rateClock struct {
	near    interval // from short spans; grows with proofSlope after at
	far     interval // from any span, with wanderMost allowed; does not grow
	at      float64  // seconds
	scale   float64  // learned wander as a multiple of the floor, ≥ 1
	floor   float64  // ns/s
	anchors [40]anchor
	n       int
}

// anchor is an instant at which truth lay in iv.
type anchor struct {
	at float64
	iv interval
}

func newRateClock(r interval, floor float64) rateClock {
	return rateClock{near: r, far: r, scale: 1, floor: floor}
}

func (r *rateClock) wander(span float64) float64 {
	return math.Min(wanderMost*math.Max(1, r.scale/10), r.scale*(r.floor+proofSlope*span))
}

// over returns bounds on the average rate between two instants from ≥ r.at.
func (r *rateClock) over(to float64) interval {
	return r.near.grow(r.scale * proofSlope * math.Max(0, to-r.at)).and(r.far)
}

// carry moves iv over dt seconds at rates within v.
func (iv interval) carry(v interval, dt float64) interval {
	if dt <= 0 {
		return iv
	}
	return interval{iv.lo + v.lo*dt, iv.hi + v.hi*dt}
}

// learn is told that truth lies in iv at the instant now. It reports false when no steady
// oscillator explains what was seen: the caller's intervals then are not to be relied on.
func (r *rateClock) learn(now float64, iv interval) bool {
	near, far := r.over(now), r.far
	for _, a := range r.anchors[:r.n] {
		span := now - a.at
		if span < 1 {
			continue
		}
		mean := interval{(iv.lo - a.iv.hi) / span, (iv.hi - a.iv.lo) / span}
		near = near.and(mean.grow(r.wander(span)))
		far = far.and(mean.grow(r.wander(math.Inf(1))))
	}
	if near.and(far).empty() {
		return false
	}
	r.near, r.far, r.at = near, far, now
	r.remember(now, iv)
	return true
}

// remember keeps anchors whose ages are spread about evenly on a logarithmic scale.
func (r *rateClock) remember(now float64, iv interval) {
	if r.n > 0 && now-r.anchors[r.n-1].at < 2 {
		return
	}
	if r.n == len(r.anchors) {
		drop, least := 1, math.Inf(1)
		for i := 1; i < r.n-1; i++ {
			ratio := (now - r.anchors[i-1].at + 8) / (now - r.anchors[i+1].at + 8)
			if ratio < least {
				drop, least = i, ratio
			}
		}
		if now-r.anchors[0].at > 2*86400 {
			drop = 0
		}
		copy(r.anchors[drop:], r.anchors[drop+1:r.n])
		r.n--
	}
	r.anchors[r.n] = anchor{now, iv}
	r.n++
}

// forget drops the evidence, because the timeline jumped; the rate is believed within w.
func (r *rateClock) forget(now, w float64) {
	v := r.over(now)
	mid := v.mid()
	r.near, r.far = interval{mid - w, mid + w}, interval{mid - w, mid + w}
	r.at, r.n = now, 0
}

// ahead bounds the raw clock's mean rate from the last sample until to.
func (d *Discipline) ahead(to float64) interval {
	return d.voteRate(d.rate.over(to), to, d.floor)
}

// behind bounds the mean rate between the last two samples, after the filter took the second.
func (d *Discipline) behind(prior interval) interval {
	for i := range d.sources {
		if s := &d.sources[i]; s.state == stateSelected && s.calm < calmAfter {
			return prior // its samples may show a change of the rate
		}
	}
	return d.voteRate(prior, d.heard, d.floor/hindsight)
}

// voteRate cuts a proved interval of the rate to what the sources' own filters agree on, each
// within its standard deviations and the allowance for the oscillator. Like the offset it is
// voted on: what one liar does to its filter, or to the common one, does not count.
func (d *Discipline) voteRate(proved interval, to, floor float64) interval {
	d.rates = d.rates[:0]
	for i := range d.sources {
		s, f := &d.sources[i], d.own(i)
		if f.taken < matureAfter || !s.fresh(d.now) && d.state != Holdover {
			continue
		}
		w := floor + wanderSlope*math.Max(0, to-d.heard)/2
		d.rates = append(d.rates, f.rates(to).grow(w*d.rate.scale))
	}
	k := len(d.rates) - tolerated(len(d.sources))
	if k < 1 {
		return proved
	}
	var v interval
	if tolerated(len(d.sources)) == 0 {
		// Nobody lies, but a filter behind a bad path is easily mistaken: the surest one speaks.
		v = d.rates[0]
		for _, r := range d.rates[1:] {
			if r.width() < v.width() {
				v = r
			}
		}
	} else {
		v, _ = covered(d.rates, k, d.edges)
	}
	if v = proved.and(v); v.empty() {
		return proved
	}
	return v
}

// own is the filter of source i alone.
func (d *Discipline) own(i int) *filter {
	if len(d.sources) == 1 {
		return &d.filter
	}
	return &d.owns[i]
}
