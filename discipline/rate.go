package discipline

import "math"

// MostWanderPPM is what a raw clock's rate changes by at most, however long it takes: the 15 ppm of RFC 5905's PHI.
const MostWanderPPM = 15.0

// The one assumption on the oscillator: at any two instants, τ seconds apart, its rates differ by
// no more than the least of wanderFloor + wanderSlope·τ and wanderMost. It suits the crystal of a
// board whose processor heats it by some 20 K within minutes.
const (
	wanderFloor = 1000.0                   // ns/s: 1 ppm, at once
	wanderSlope = 5.0                      // ns/s per second: 0.3 ppm a minute
	wanderMost  = MostWanderPPM * nsPerPPM // ns/s: in all
	rateUnknown = 1e7                      // ns/s: a raw clock that nothing is known of is within 1 %
)

// rateClock bounds the raw clock's rate from now on. It rests on interval evidence (truth lay in
// one interval then and in another now) and the assumption above, never on a filter's opinion,
// so no delay that the network makes can mislead it.
//
// The mean rates of two windows differ by no more than the mean, over all pairs of an instant in
// each, of what the assumption allows. For a window that follows another that is wanderFloor and
// wanderSlope times the distance of their middles. So all evidence ages at one pace, and keeping
// the intersection of it loses nothing.
type rateClock struct {
	near    interval // of the mean rate of any window after at, less wanderSlope times its middle's distance from at
	far     interval // of any mean rate, by wanderMost
	at      float64  // seconds
	scale   float64  // multiplies floor and slope after a contradiction, ≥ 1
	floor   float64  // ns/s
	anchors [48]anchor
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

// between bounds the mean rate between two instants, from ≥ r.at.
func (r *rateClock) between(from, to float64) interval {
	return r.near.grow(r.scale * wanderSlope * math.Max(0, (from+to)/2-r.at)).and(r.far)
}

// carry moves iv over dt seconds at rates within v.
func (iv interval) carry(v interval, dt float64) interval {
	if dt <= 0 {
		return iv
	}
	return interval{below(iv.lo + below(v.lo*dt)), above(iv.hi + above(v.hi*dt))}
}

// learn is told that truth lies in iv at the instant now. It reports false when no oscillator as
// assumed explains what was seen: the caller's intervals then are not to be relied on.
func (r *rateClock) learn(now float64, iv interval) bool {
	near, far := r.near.grow(r.scale*wanderSlope*(now-r.at)), r.far
	for _, a := range r.anchors[:r.n] {
		span := now - a.at
		if span < 1 {
			continue
		}
		mean := interval{below(below(iv.lo-a.iv.hi) / span), above(above(iv.hi-a.iv.lo) / span)}
		near = near.and(mean.grow(r.scale * (r.floor + wanderSlope*span/2)))
		far = far.and(mean.grow(wanderMost * math.Max(1, r.scale/10)))
	}
	if near.and(far).empty() {
		return false
	}
	r.near, r.far, r.at = near, far, now
	r.remember(now, iv)
	return true
}

// remember keeps anchors whose ages are spread about evenly on a logarithmic scale, the narrower
// one of two that are close.
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
		} else if next := drop + 1; next < r.n-1 && r.anchors[next].iv.width() > r.anchors[drop].iv.width() {
			drop = next
		}
		copy(r.anchors[drop:], r.anchors[drop+1:r.n])
		r.n--
	}
	r.anchors[r.n] = anchor{now, iv}
	r.n++
}

// forget drops the evidence, because the timeline jumped; the rate is believed within w.
func (r *rateClock) forget(now, w float64) {
	mid := r.between(now, now).mid()
	r.near, r.far = interval{mid - w, mid + w}, interval{mid - w, mid + w}
	r.at, r.n = now, 0
}

// ahead bounds the raw clock's mean rate from the last sample until to.
func (d *Discipline) ahead(to float64) interval { return d.rate.between(d.heard, to) }
