package discipline

import "math"

// farOff is from how far off the base it is moved, ns: within 18 minutes of it a float64 keeps a thousandth of a
// nanosecond, at the far end of NTP's time no better than a microsecond.
const farOff = float64(1 << 40)

// rebase moves the base to y where that is far off, so that what is near y keeps its nanoseconds. The first server
// that answers sets the base, and it may lie by centuries.
func (d *Discipline) rebase(y float64) {
	if !(math.Abs(y) >= farOff) {
		return
	}
	by := int64(y)
	d.base += by
	off := float64(by)
	move := func(iv *interval) { *iv = interval{iv.lo - off, iv.hi - off}.grow(0) }
	move(&d.truth)
	move(&d.stated)
	move(&d.clash.hull)
	for i := range d.rate.anchors[:d.rate.n] {
		move(&d.rate.anchors[i].iv)
	}
	for i := range d.sources {
		s := &d.sources[i]
		move(&s.seen)
		move(&s.recent)
		move(&s.at)
		move(&s.deferredIv)
		s.lastY -= off
	}
	d.filter.move(off)
}

// move shifts all that the filter holds, as the base moved by so much.
func (f *filter) move(by float64) {
	for i := range f.ring {
		f.ring[i].y -= by
	}
	f.reference.y -= by
	for i := range f.bank {
		f.bank[i].x[0] -= by
	}
}
