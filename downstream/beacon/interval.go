package beacon

import "math"

// Ticks is a reading of a node's own clock: counts of Rate.CountNanos since any origin. It never
// goes back, and it counts through everything or Discontinuity is called.
type Ticks uint64

// Ends of an interval that aren't known.
const (
	LoUnknown int64 = math.MinInt64
	HiUnknown int64 = math.MaxInt64
)

const (
	timeMax    = 4_500_000_000_000_000_000 // every known end lies in [−timeMax, timeMax]
	elapsedMax = 4_000_000_000_000_000_000 // 126 years
	rhoMax     = 100_000_000               // ppb
	countMax   = 1_000_000                 // ns a count, and counts a tick
	second     = 1_000_000_000             // ns
)

// Rate says how a node's clock counts.
type Rate struct {
	CountNanos uint32 // length of one count: 1 … 1,000,000 ns
	Tick       uint32 // counts by which a reading moves at a time: 1 … 1,000,000
	RhoPPB     uint32 // ρ, the stated rate error: (1 − ρ)Δm ≤ elapsed ≤ (1 + ρ)Δm; at most 100,000,000
}

// RhoFromPPM gives the ρ to state for a data sheet's ±p ppm: p/(1 − p), in ppb, rounded up.
func RhoFromPPM(ppm float64) uint32 {
	p := ppm * 1e-6
	return uint32(math.Ceil(p / (1 - p) * 1e9))
}

func (r Rate) valid() bool {
	return r.CountNanos >= 1 && r.CountNanos <= countMax && r.Tick >= 1 && r.Tick <= countMax && r.RhoPPB <= rhoMax
}

// drift is ρ·d, rounded up.
func (r Rate) drift(d int64) int64 {
	q, s := d/second, d%second
	return q*int64(r.RhoPPB) + (s*int64(r.RhoPPB)+second-1)/second
}

// least is the true time that certainly passed between two readings, ns, rounded down.
func (r Rate) least(from, to Ticks) int64 {
	if to <= from || uint64(to-from) <= uint64(r.Tick) {
		return 0
	}
	n := min(uint64(to-from)-uint64(r.Tick), uint64(elapsedMax/int64(r.CountNanos)))
	d := int64(n) * int64(r.CountNanos)
	return d - r.drift(d)
}

// most is the longest true time that may have passed, ns, rounded up; HiUnknown beyond 126 years.
func (r Rate) most(from, to Ticks) int64 {
	n, limit := uint64(to-from), uint64(elapsedMax/int64(r.CountNanos))
	if n > limit-uint64(r.Tick) {
		return HiUnknown
	}
	d := int64(n+uint64(r.Tick)) * int64(r.CountNanos)
	return d + r.drift(d)
}

// Bounds is an interval that contains true time: nanoseconds since 1970, on TAI or, where said so,
// UTC in POSIX numbering. An end that isn't known is LoUnknown or HiUnknown.
type Bounds struct{ Lo, Hi int64 }

// Bounded reports whether both ends are known.
func (b Bounds) Bounded() bool { return b.Lo != LoUnknown && b.Hi != HiUnknown }

// Width is hi − lo in nanoseconds; the largest uint64 while an end isn't known.
func (b Bounds) Width() uint64 {
	if !b.Bounded() {
		return math.MaxUint64
	}
	return uint64(b.Hi) - uint64(b.Lo)
}

// Contains reports whether t lies inside.
func (b Bounds) Contains(t int64) bool { return b.Lo <= t && t <= b.Hi }

// interval is one gateway's: each end with the reading at which it was true.
type interval struct {
	lo, hi     int64
	loAt, hiAt Ticks
}

func unknown() interval { return interval{lo: LoUnknown, hi: HiUnknown} }

// at carries both ends to reading m, outward. An end is unknown at readings before its own.
func (v *interval) at(m Ticks, r Rate) Bounds {
	return Bounds{v.loAtReading(m, r), v.hiAtReading(m, r)}
}

func (v *interval) loAtReading(m Ticks, r Rate) int64 {
	if v.lo == LoUnknown || m < v.loAt {
		return LoUnknown
	}
	return min(v.lo+r.least(v.loAt, m), timeMax)
}

func (v *interval) hiAtReading(m Ticks, r Rate) int64 {
	if v.hi == HiUnknown || m < v.hiAt {
		return HiUnknown
	}
	e := r.most(v.hiAt, m)
	if e == HiUnknown || v.hi+e > timeMax {
		return HiUnknown
	}
	return v.hi + e
}

// ends says which ends of an interval a piece of evidence bettered or contradicts.
type ends struct{ lo, hi bool }

func (e ends) any() bool { return e.lo || e.hi }

// raise applies "true time is at least lower at m". ok is false when that contradicts the
// interval, which then stays as it was; what names the evidence's contradicting end.
func (v *interval) raise(m Ticks, lower int64, r Rate) (what ends, ok bool) {
	now := v.at(m, r)
	switch {
	case lower <= now.Lo:
		return ends{}, true
	case lower > now.Hi:
		return ends{lo: true}, false
	}
	v.lo, v.loAt = lower, m
	return ends{lo: true}, true
}

// exchange applies "true time was at most upper at m1 and is at least lower at m4".
func (v *interval) exchange(m1 Ticks, upper int64, m4 Ticks, lower int64, r Rate) (what ends, ok bool) {
	now := v.at(m4, r)
	top := r.most(m1, m4)
	if top == HiUnknown || top > timeMax-upper {
		top = HiUnknown
	} else {
		top += upper
	}
	switch {
	case lower > top:
		return ends{lo: true, hi: true}, false
	case lower > now.Hi:
		return ends{lo: true}, false
	case now.Lo > top:
		return ends{hi: true}, false
	}
	if lower > now.Lo {
		v.lo, v.loAt, what.lo = lower, m4, true
	}
	if top < now.Hi {
		v.hi, v.hiAt, what.hi = upper, m1, true
	}
	return what, true
}

// hull is the smallest interval with all points that at least need of the intervals cover; ok is
// false when there is none.
func hull(all []Bounds, need int) (out Bounds, ok bool) {
	out = Bounds{LoUnknown, HiUnknown}
	var foundLo, foundHi bool
	for _, b := range all {
		var atLo, atHi int
		for _, o := range all {
			if o.Contains(b.Lo) {
				atLo++
			}
			if o.Contains(b.Hi) {
				atHi++
			}
		}
		if atLo >= need && (!foundLo || b.Lo < out.Lo) {
			out.Lo, foundLo = b.Lo, true
		}
		if atHi >= need && (!foundHi || b.Hi > out.Hi) {
			out.Hi, foundHi = b.Hi, true
		}
	}
	return out, foundLo || foundHi
}
