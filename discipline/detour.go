package discipline

import "math"

// A path that becomes longer, for hours, mostly does so on one way. While the window holds samples of the way as it was,
// those tell the time; once they have left, the longer ways look like any equal ones, and the offset would move by half
// of what is more, which no clock does. So what a refiltering would move it by, when the usual delay has grown by about
// twice as much, is put down to the path: its detour. It ends when the delay is again what it was, and is forgotten slowly, as
// nothing proves it.

const (
	detourSamples = 32        // that many of a source in the window tell what its usual delay is
	detourLasts   = 4 * 86400 // s until a detour has sunk to 1/e
	detourAbove   = 2         // it is more than so many deviations of the source's offsets in its calmest hour, and of what the rate may have done
	// A sample so many noises below the least that the filters know has them run again at once: the detour ends.
	shorterK = 8
)

// reference is what the filters said after the latest refiltering: where the offset is now if only the rate moved it.
type reference struct {
	estimate
	wander float64 // the likeliest filter's
	known  bool
}

// again filters the window anew, and once more if a path's detour turned out to have changed.
func (f *filter) again() {
	f.keepHeat()
	t, was := f.at(f.in-1).t, f.reference
	f.run()
	expected := was.to(t, was.wander)
	by, sure := f.present(t).y-expected.y, math.Sqrt(max(expected.pyy-was.pyy, 0))
	changed := false
	for s := range f.ways {
		w := &f.ways[s]
		if w.n < detourSamples {
			continue
		}
		before := w.detour
		w.judge(by, t, was.known && math.Abs(by) > detourAbove*sure)
		changed = changed || math.Abs(w.detour-before) > w.used.soft
	}
	if changed {
		f.run()
	}
	f.reference = reference{f.present(t), f.best().wander, true}
}

// judge holds that the offset moved by so many ns against what is usual for the path's delay. clearly: by more than the rate may have moved it.
func (w *way) judge(by, t float64, clearly bool) {
	if w.usual == 0 || w.used.median < w.usual {
		w.usual = w.used.median
	}
	if noise := w.used.spread + w.used.soft; w.calm == 0 || noise < w.calm {
		w.calm = noise
	}
	most := (w.used.median - w.usual) / 2
	w.detour *= math.Exp((w.judged - t) / detourLasts)
	w.judged = t
	// While a good part of the samples came by the shorter way, those tell the time.
	longer := w.used.lower-w.usual > most
	if off := math.Abs(by); clearly && longer && off > max(most/2, detourAbove*w.calm) && off < 1.5*most {
		w.detour += by
	}
	w.detour = min(max(w.detour, -most), most)
}
