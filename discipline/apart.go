package discipline

import "math"

// Paths may be unlike: one server behind queues both ways, another with jitter on one way only. Filters of one shape
// take all for alike, and with the shape of one of them misread the other. All combinations would be thousands, so
// filters over each source's samples alone tell what shape it rather has, and one more group of
// filters over all sources takes each for that. It is weighed by likelihood like the others.

const (
	apartSamples = 24  // that many of a source in the window tell of its shape
	apartLead    = 6.0 // how much likelier it has to be than the one that fits all best, as a logarithm
)

// tellApart works out the shape of each source's path over the window, if a quarter of that is new.
func (f *filter) tellApart() {
	if f.n < 2 || f.told > 0 && f.taken-f.told < f.in/4 {
		return
	}
	common, wander, top := mixed, wanders[len(wanders)/2], math.Inf(-1)
	for i := range f.bank {
		if h := &f.bank[i]; f.started && h.shape != apart && h.log > top {
			common, wander, top = h.shape, h.wander, h.log
		}
	}
	f.unlike, f.told = false, f.taken
	for s := range f.ways {
		w := &f.ways[s]
		w.shape = common
		if w.n >= apartSamples {
			w.shape = f.shapeAlone(s, common, wander)
		}
		f.unlike = f.unlike || w.shape != common
	}
}

// shapeAlone is the likeliest shape of source s by its own samples, or the common one if that is about as likely.
func (f *filter) shapeAlone(s int, common shape, wander float64) (likeliest shape) {
	w, top := &f.ways[s], math.Inf(-1)
	for i := range f.alone {
		h := &f.alone[i]
		for c := range classes {
			h.w[c] = classes[c].prior
		}
		h.wander = wander
		sum, begun := 0.0, false
		for j := range f.in {
			m := *f.at(j)
			if m.source != s {
				continue
			}
			m.source = 0
			if !begun {
				begun = true
				f.begin(h, &m)
				if h.shape == hard {
					h.beginLeast(0, &w.used)
				}
			}
			w.hold(m.delay)
			sum += h.update(&m, w, f.heat != nil, f.col)
		}
		w.held = 0
		log := h.shape.prior(w.used.rare) + trust*sum
		if h.shape == common {
			log += apartLead
		}
		if log > top {
			likeliest, top = h.shape, log
		}
	}
	return likeliest
}
