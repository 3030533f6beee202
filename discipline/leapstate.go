package discipline

// leapState keeps what is known of leap seconds beside the table.
type leapState struct {
	doubt int // seconds that the offset may be wrong by
}

const presentTAIOffset = 37 // since 2017-01-01

// toTAI converts a server's UTC, ns. ok is false close to a leap second.
func (l *leapState) toTAI(t LeapTable, utc int64) (int64, bool) {
	if t == nil {
		return utc + presentTAIOffset*1e9, true
	}
	const guard = 2
	sec := floorDiv(utc, 1e9)
	before, _, _, _ := t.At(sec - guard)
	after, _, _, _ := t.At(sec + guard)
	if before != after {
		return 0, false
	}
	return utc + int64(before)*1e9, true
}

// utcSeconds is the timeline's UTC, or 0 when none is known.
func (l *leapState) utcSeconds(d *Discipline) int64 {
	if !d.begun || !d.known {
		return 0
	}
	return floorDiv(d.base+int64(d.now)+int64(d.stated.mid()), 1e9) - presentTAIOffset
}

func (l *leapState) offset(d *Discipline) int {
	if d.cfg.Leap == nil {
		return presentTAIOffset
	}
	off, _, _, _ := d.cfg.Leap.At(l.utcSeconds(d))
	return off
}

func (l *leapState) pass(d *Discipline) {}

func (l *leapState) describe(d *Discipline, s *Snapshot) {
	if !s.Serving() {
		return
	}
	if d.cfg.Leap != nil {
		off, leap, at, valid := d.cfg.Leap.At(l.utcSeconds(d))
		if valid {
			s.TAIOffset, s.Leap, s.LeapAt = off, leap, at
			return
		}
	}
	votes := map[Leap]int{}
	n := 0
	for i := range d.sources {
		if d.sources[i].state == stateSelected {
			votes[d.sources[i].last.Leap]++
			n++
		}
	}
	for leap, v := range votes {
		if 2*v > n {
			s.Leap = leap
		}
	}
}
