package discipline

import (
	"math"
	"slices"
)

// delays is what a source's samples in the window say of its path, ns.
type delays struct {
	least float64 // the least sample
	floor float64 // the least delay that is taken for real
	soft  float64 // how soft a box's edges are
	gap   float64 // from the least sample to the fourth
	thin  float64 // how soft the edges of queues are
	mean  float64 // mean extra delay
}

// way is what is known of one source's path.
type way struct {
	n int
	delays
	used   model   // what the filters were last run with
	held   int     // samples in a row that lay in the tail
	usual  float64 // the least median of delays that the filters were run with, ns; 0: none yet
	calm   float64 // the least deviation of its offsets that they were run with, ns; 0: none yet
	shape  shape   // what its own samples rather have, for filters of paths that are unlike
	detour float64 // what the path's being longer than that moves its source's offset by, ns
	judged float64 // when that was judged, s
}

// groups are those that a path's delays fall into where it has a fast and a slow route. All are 0 where it has not.
type groups struct {
	fast, slow float64 // the groups' medians
	bulk       float64 // the larger one's deviation of offsets
	rare       bool    // the fast one is the smaller
}

// model is what a source's noise is judged by.
type model struct {
	delays
	median float64 // of the delays
	lower  float64 // their lower quartile
	spread float64 // the offsets' deviation, were both ways' delays to vary evenly about their usual
	core   float64 // the same by the quartile that is nearer to the median
	groups
	tail float64 // what is delayed by more was held up: no model of the others is judged by it
}

// survey works out the delays of source s over the window.
func (f *filter) survey(s int) {
	w := &f.ways[s]
	w.n = 0
	sum, precision := 0.0, 0.0
	least := [4]float64{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)}
	for i := range f.in {
		m := f.at(i)
		if m.source != s {
			continue
		}
		w.n++
		sum += m.delay
		precision = m.precision
		d := m.delay
		for k := range least {
			if d < least[k] {
				least[k], d = d, least[k]
			}
		}
	}
	last := least[0]
	for _, l := range least {
		if !math.IsInf(l, 1) {
			last = l
		}
	}
	gap := last - least[0]
	w.least, w.floor = least[0], math.Max(least[0]-deltaK*gap, 0)
	// Of few samples nothing is known of the noise yet; a share of the delay stands in for it.
	n := float64(w.n)
	w.gap = gap
	few := fewShare * w.least / (n * n)
	w.soft, w.thin = precision+softK*gap+few, precision+thinK*gap+few
	w.mean = math.Max(sum/n-w.floor, precision+fewShare*w.least/n)
}

// hold counts a sample that was held up, or ends the row of them.
func (w *way) hold(delay float64) {
	if w.held++; delay <= w.used.tail {
		w.held = 0
	}
}

// fewShare is the share of the least delay that a path's noise is taken for until samples tell.
const fewShare = 0.05

const (
	sidedK = 0.4  // the same where one way makes all of it: least samples then come nearer
	deltaK = 0.8  // how far below its least sample the least delay lies, in gaps to the fourth
	softK  = 0.15 // how soft that makes the edges of a box
	thinK  = 0.02 // the same of queues, whose least delay is learned …
	// … and lies no further below the least sample, in gaps: that of two exponentials does so in one of 10^6 paths.
	farBelow = 4.0
	pairMost = 40.0 // the square of so many deviations in one sample
)

const (
	spreadLeast = 12  // samples until quantiles of the delay are believed
	heldMost    = 1   // samples in a row that lie in the tail by chance
	tailK       = 2.0 // where the tail begins: distance from the upper quartile in interquartile ranges
)

// quantiles works out what is usual for source s. One lone sample moves the least delay, and a few
// that were held up move the mean; neither moves these.
func (f *filter) quantiles(s int) {
	x, precision := f.delays[:0], 0.0
	for i := range f.in {
		if m := f.at(i); m.source == s {
			x, precision = append(x, m.delay), m.precision
		}
	}
	u, n := &f.ways[s].used, len(x)
	if n == 0 {
		return
	}
	slices.Sort(x)
	u.median, u.lower, u.spread, u.core, u.tail = x[n/2], x[n/4], u.mean, u.mean, math.Inf(1)
	if n < spreadLeast {
		return
	}
	// A sixth of a normal distribution lies a deviation below its median, a twentieth 1.64 of them.
	u.spread = max((x[n/2]-x[n/6])/2, (x[n/2]-x[n/20])/3.29, u.soft)
	u.core = max(min(x[n/2]-x[n/4], x[n*3/4]-x[n/2])/1.35, u.soft)
	u.groups = grouped(x, precision)
	u.tail = x[n*3/4] + tailK*(x[n*3/4]-x[n/4]) + u.soft
}

// grouped splits sorted delays at their widest gap, if that is wide beside the groups. A lone sample is no route.
func grouped(x []float64, precision float64) groups {
	split := 1
	for i := 2; i < len(x); i++ {
		if x[i]-x[i-1] > x[split]-x[split-1] {
			split = i
		}
	}
	lower, upper := x[:split], x[split:]
	few, many := lower, upper
	rare := len(lower) < len(upper)
	if !rare {
		few, many = upper, lower
	}
	bulk := (many[len(many)*3/4]-many[len(many)/4])/2.7 + precision
	if len(few) < 2 || upper[0]-lower[len(lower)-1] < max(8*bulk, few[len(few)-1]-few[0]) {
		return groups{}
	}
	return groups{lower[len(lower)/2], upper[len(upper)/2], bulk, rare}
}
