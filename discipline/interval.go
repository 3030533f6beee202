package discipline

import "math"

// interval holds every value that y = TAI − raw may have, in nanoseconds about the
// discipline's base. Rates are in nanoseconds per second (ppb).
type interval struct{ lo, hi float64 }

// below and above are the floats next to x: an end that was worked out is moved to them, so that no rounding is inward.
func below(x float64) float64 {
	if math.IsInf(x, 0) {
		return x
	}
	return math.Nextafter(x, math.Inf(-1))
}

func above(x float64) float64 { return -below(-x) }

func everything() interval { return interval{math.Inf(-1), math.Inf(1)} }

func (a interval) empty() bool             { return !(a.lo <= a.hi) }
func (a interval) mid() float64            { return a.lo + (a.hi-a.lo)/2 }
func (a interval) width() float64          { return a.hi - a.lo }
func (a interval) finite() bool            { return !math.IsInf(a.lo, 0) && !math.IsInf(a.hi, 0) }
func (a interval) grow(w float64) interval { return interval{below(a.lo - w), above(a.hi + w)} }

func (a interval) and(b interval) interval {
	return interval{math.Max(a.lo, b.lo), math.Min(a.hi, b.hi)}
}

func (a interval) hull(b interval) interval {
	return interval{math.Min(a.lo, b.lo), math.Max(a.hi, b.hi)}
}

func (a interval) overlaps(b interval) bool { return !a.and(b).empty() }

func (a interval) clamp(x float64) float64 { return math.Max(a.lo, math.Min(a.hi, x)) }

// covered returns the hull of all points that lie in at least k of the intervals and the
// largest number that share a point (RFC 5905 §11.2.1, Marzullo's algorithm). edges is
// scratch of length 2·len(ivs). The hull is empty when no point lies in k.
func covered(ivs []interval, k int, edges []edge) (hull interval, most int) {
	edges = edges[:0]
	for _, iv := range ivs {
		edges = append(edges, edge{iv.lo, +1}, edge{iv.hi, -1})
	}
	// Insertion sort: at most a few dozen edges, nothing allocated. Openings come first so
	// that intervals which touch in a point overlap.
	for i := 1; i < len(edges); i++ {
		e := edges[i]
		j := i
		for j > 0 && (edges[j-1].at > e.at || edges[j-1].at == e.at && edges[j-1].step < e.step) {
			edges[j] = edges[j-1]
			j--
		}
		edges[j] = e
	}
	hull = interval{math.Inf(1), math.Inf(-1)}
	n := 0
	for _, e := range edges {
		if e.step > 0 {
			n++
			most = max(most, n)
			if n == k && e.at < hull.lo {
				hull.lo = e.at
			}
		} else {
			if n == k {
				hull.hi = e.at
			}
			n--
		}
	}
	return hull, most
}

type edge struct {
	at   float64
	step int
}
