package discipline

import "math"

// The oscillator's assumed steadiness, which the stated bound rests on: the rate of the raw
// clock, averaged over a second or more, differs between two instants T apart by at most
// wanderFloor + wanderSlope·T, and by at most wanderMost at any two instants. Learned wander
// makes the first two larger, never smaller.
const (
	wanderFloor = 1000.0  // ns/s: 1 ppm
	wanderSlope = 5.0     // ns/s per second: 0.3 ppm a minute, 18 ppm an hour
	wanderMost  = 15000.0 // ns/s: the 15 ppm of RFC 5905's PHI
	rateUnknown = 1e7     // ns/s: a raw clock that nothing is known of is within 1 %
	rateStored  = 50000.0 // ns/s: how far a drift file is believed (cards move between boards)
)

// rateClock keeps an interval that contains the present rate of the raw clock. It rests on
// interval evidence only (truth lay in one interval then and in another now), never on the
// filter's opinion, so no delay that the network makes can mislead it.
type rateClock struct {
	near    interval // from short spans; grows with wanderSlope after at
	far     interval // from any span, with wanderMost allowed; does not grow
	at      float64  // seconds
	scale   float64  // learned wander as a multiple of the floor, ≥ 1
	floor   float64  // wanderFloor, lowered only by tests that show the check can fail
	anchors [40]anchor
	n       int
}

// anchor is an instant at which truth lay in iv.
type anchor struct {
	at float64
	iv interval
}

func newRateClock(r interval) rateClock {
	return rateClock{near: r, far: r, scale: 1, floor: wanderFloor}
}

func (r *rateClock) wander(span float64) float64 {
	return math.Min(wanderMost*math.Max(1, r.scale/10), r.scale*(r.floor+wanderSlope*span))
}

// over returns bounds on the average rate between two instants from ≥ r.at.
func (r *rateClock) over(to float64) interval {
	return r.near.grow(r.scale * wanderSlope * math.Max(0, to-r.at)).and(r.far)
}

// carry widens iv, which holds at from, to the instant to.
func (r *rateClock) carry(iv interval, from, to float64) interval {
	if to <= from {
		return iv
	}
	v := r.over(to)
	dt := to - from
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
