package discipline

import (
	"cmp"
	"math"
	"slices"
)

// The filters take what a path's inequality moves its source's offset by for normally distributed, as a Kalman filter must, and so
// spread what servers contradict each other by over all of them. Networks rather are like this: some paths are equal to
// some microseconds, most are not by some per cent of their delay, and a few are far off. By a prior with such tails three
// servers that agree tell that the fourth is off, even if it is the nearest.
//
// Samples only tell where sources stand to each other. Where truth lies among them only the prior says, so it can be exchanged
// afterwards, at one instant, without filtering anything again.

// inequality is a class of paths: how unequal they are, in deviations of the filters' prior, and the logarithm of how
// common that is.
type inequality struct{ share, log float64 }

var inequalities = [...]inequality{{0.005, math.Log(0.2)}, {1, math.Log(0.6)}, {3, math.Log(0.2)}}

const (
	// What is known of where a source stands is not better than such a part of its noise: networks remember.
	standShare = 16
	// That many guesses at who is unequal are carried from source to source. All are while there are five.
	guessesMost = 243
)

// guess is what the sources judged so far say of the common offset, if their paths are of some classes: its mean, from
// where the filters put it, ns, its variance, ns², and the logarithm of how likely that is.
type guess struct{ mean, variance, log float64 }

// and enters that a source whose path is equal but for this variance stands at at.
func (g guess) and(at, variance, log float64) guess {
	both, off := g.variance+variance, at-g.mean
	return guess{g.mean + off*g.variance/both, g.variance * variance / both, g.log + log - (off*off/both+math.Log(both))/2}
}

// leaning is how far the common offset lies from where filters of unequal paths put it, ns, what its variance, ns², is
// more than theirs, and its least.
type leaning struct{ by, more, least float64 }

// lean works out the leaning by the likeliest of these filters.
func (f *filter) lean() {
	f.leaning = leaning{}
	h := &f.bank[leader(f.bank[:len(wanders)*f.ns])]
	common := guess{variance: math.Inf(1)}
	f.guesses = f.guesses[:0]
	for s := range f.n {
		if f.ways[s].n == 0 || f.ways[s].used.soft == 0 {
			continue
		}
		at, known, wide := h.x[2+s]-f.ways[s].detour, f.known(h, s), f.unequal[s]*f.unequal[s]
		if len(f.guesses) == 0 {
			common = guess{mean: at, variance: wide + known}
			for _, k := range inequalities {
				f.guesses = append(f.guesses, guess{at, k.share*k.share*wide + known, k.log})
			}
			continue
		}
		common = common.and(at, wide+known, 0)
		n := len(f.guesses)
		for _, k := range inequalities {
			for _, g := range f.guesses[:n] {
				f.guesses = append(f.guesses, g.and(at, k.share*k.share*wide+known, k.log))
			}
		}
		f.guesses = append(f.guesses[:0], f.guesses[n:]...)
		if len(f.guesses) > guessesMost {
			slices.SortFunc(f.guesses, func(a, b guess) int { return cmp.Compare(b.log, a.log) })
			f.guesses = f.guesses[:guessesMost]
		}
	}
	if len(f.guesses) <= len(inequalities) {
		return // one source
	}
	top := math.Inf(-1)
	for _, g := range f.guesses {
		top = max(top, g.log)
	}
	sum, mean, square := 0.0, 0.0, 0.0
	for _, g := range f.guesses {
		w, off := math.Exp(g.log-top), g.mean-common.mean
		sum += w
		mean += w * off
		square += w * (g.variance + off*off)
	}
	mean /= sum
	l := leaning{by: mean, least: square/sum - mean*mean}
	l.more = l.least - common.variance
	if !math.IsNaN(l.by+l.more) && !math.IsInf(l.by+l.more, 0) {
		f.leaning = l
	}
}

// known is the variance of where source s stands to the others, ns².
func (f *filter) known(h *hypothesis, s int) float64 {
	d, b := len(h.x), 2+s
	with := func(c int) float64 { return h.p[0] + h.p[b] + h.p[c] + h.p[b*d+c] }
	shared, others := 0.0, 0.0
	for o := range f.n {
		if o != s && f.ways[o].n > 0 {
			shared += with(2 + o)
			others++
		}
	}
	soft := f.ways[s].used.soft / standShare
	return max(with(b)-shared/max(others, 1), soft*soft)
}
