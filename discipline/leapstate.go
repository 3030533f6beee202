package discipline

import "time"

// leapState keeps what is known of leap seconds beside the table: what a majority of the
// servers announced after the table's end.
type leapState struct {
	month   int64  // the end of the month that the timeline is in, UTC seconds; 0: not known yet
	vote    Leap   // what a majority announced for it; LeapUnknown: none did
	votedAt int64  // when, UTC seconds
	extra   []edit // leap seconds that were announced and have passed
	doubt   int    // seconds by which TAI − UTC may be wrong
	expired bool
}

// edit is a leap second that no table knows.
type edit struct {
	at   int64 // UTC seconds of the first second after it
	step int
}

const (
	presentTAIOffset = 37 // since 2017-01-01
	leapGuard        = 2  // seconds on either side of a leap in which a server's UTC is ambiguous
	voteLasts        = 86400
	mostMissed       = 255        // no payload says more
	wentBack         = 40 * 86400 // seconds before the end of the month that was noted: in none that it could be
	doubtAhead       = 120        // seconds before a month's end from which its doubt counts: no snapshot is served for longer
)

// at is the table with what was announced after its end.
func (l *leapState) at(t LeapTable, utc int64) (offset int, leap Leap, leapAt int64, valid bool) {
	offset, valid = presentTAIOffset, false
	if t != nil {
		offset, leap, leapAt, valid = t.At(utc)
		// A list that ends before the month does says nothing of its end.
		if end := monthEnd(utc); leap != LeapNone || valid && (!halfYearEnd(end) || listed(t, end)) {
			return offset, leap, leapAt, true
		}
	}
	for _, e := range l.extra {
		if e.at <= utc {
			offset += e.step
		} else if e.at == monthEnd(utc) {
			return offset, Leap(e.step), e.at, true
		}
	}
	if l.month != 0 && (l.vote == LeapInsert || l.vote == LeapDelete) && !listed(t, l.month) {
		if utc >= l.month && l.fresh() { // else endMonth will make a doubt of it
			return offset + int(l.vote), LeapNone, 0, true
		}
		if monthEnd(utc) == l.month {
			return offset, l.vote, l.month, true
		}
	}
	// Who says in early June that nothing comes has perhaps not been told yet.
	if l.month != 0 && l.vote == LeapNone && monthEnd(utc) == l.month && (l.fresh() || !halfYearEnd(l.month)) {
		return offset, LeapNone, 0, true
	}
	return offset, LeapUnknown, 0, false
}

// toTAI converts a server's UTC, ns. ok is false close to a leap second.
func (l *leapState) toTAI(t LeapTable, utc int64) (int64, bool) {
	sec := floorDiv(utc, 1e9)
	before, _, _, _ := l.at(t, sec-leapGuard)
	after, _, _, _ := l.at(t, sec+leapGuard)
	if before != after {
		return 0, false
	}
	return utc + int64(before)*1e9, true
}

// near reports whether a leap second is within leapGuard of utc.
func (l *leapState) near(t LeapTable, utc int64) bool {
	before, _, _, _ := l.at(t, utc-leapGuard)
	after, _, _, _ := l.at(t, utc+leapGuard)
	return before != after
}

// now returns the offset in force at a TAI instant, ns, and what comes at its month's end.
func (l *leapState) now(t LeapTable, tai int64) (utc int64, offset int, leap Leap, leapAt int64) {
	sec := floorDiv(tai, 1e9)
	guess, _, _, _ := l.at(t, sec-presentTAIOffset)
	offset, leap, leapAt, _ = l.at(t, sec-int64(guess)-leapGuard)
	if (leap == LeapInsert || leap == LeapDelete) && sec >= leapAt+int64(offset)+int64(leap) {
		offset += int(leap)
		_, leap, leapAt, _ = l.at(t, leapAt)
	} else if leap != LeapInsert && leap != LeapDelete {
		_, leap, leapAt, _ = l.at(t, sec-int64(offset))
	}
	return sec - int64(offset), offset, leap, leapAt
}

// utc is the present, in the middle of what is stated.
func (l *leapState) utc(d *Discipline) int64 {
	utc, _, _, _ := l.now(d.cfg.Leap, d.base+int64(d.now)+int64(d.stated.mid()))
	return utc
}

// pass is told of every instant: it notes what the servers announce, and keeps the account when
// a month ends after the table's end.
func (l *leapState) pass(d *Discipline) {
	if !d.begun || !d.known || d.state == Unsynchronized {
		return
	}
	utc := l.utc(d)
	if utc < l.month-wentBack { // the timeline went back: what was noted in a future that wasn't counts for nothing
		*l = leapState{}
	}
	if l.month == 0 {
		l.month, l.vote = monthEnd(utc), LeapUnknown
		l.doubt = missed(d.cfg.Leap, utc)
	}
	l.expired = d.cfg.Leap != nil && !listed(d.cfg.Leap, utc)
	for utc >= l.month+leapGuard { // several where the machine slept
		l.endMonth(d)
	}
	if d.state == Synchronized {
		if v, at, ok := d.announced(utc); ok {
			l.vote, l.votedAt = v, at
		}
	}
}

// missed counts the ends of June and December since the table's end: at each a leap second may have passed that
// nobody here has heard of.
func missed(t LeapTable, utc int64) (n int) {
	if t == nil {
		return 0
	}
	for end := utc; n < mostMissed; n++ {
		end = halfYear(end)
		if listed(t, end) {
			break
		}
		end--
	}
	return n
}

// fresh tells whether the vote is of the month's last day.
func (l *leapState) fresh() bool { return l.vote != LeapUnknown && l.month-l.votedAt <= voteLasts }

// unsettled reports whether the present month may end with a leap second of which nobody here has heard.
func (l *leapState) unsettled(t LeapTable) bool {
	return l.month != 0 && !l.fresh() && halfYearEnd(l.month) && !listed(t, l.month)
}

// listed reports whether a table, of which there may be none, is valid at utc.
func listed(t LeapTable, utc int64) bool {
	if t == nil {
		return false
	}
	_, _, _, valid := t.At(utc)
	return valid
}

// doubtful counts the seconds by which UTC may be wrong until a snapshot of utc has aged.
func (l *leapState) doubtful(t LeapTable, utc int64) int {
	if l.unsettled(t) && utc >= l.month-doubtAhead {
		return l.doubt + 1
	}
	return l.doubt
}

// endMonth closes the account of the month that ended.
func (l *leapState) endMonth(d *Discipline) {
	end := l.month
	switch {
	case listed(d.cfg.Leap, end):
	case l.fresh() && (l.vote == LeapInsert || l.vote == LeapDelete):
		l.extra = append(l.extra, edit{end, int(l.vote)})
	case l.unsettled(d.cfg.Leap):
		l.doubt++
	}
	l.month, l.vote = monthEnd(end), LeapUnknown
}

// announced is what more than half of the selected sources announce for the present month, if they are as many as decide over the
// time, and when the first of them said so. Who said it in another month spoke of that one's end, and who said it more than a
// day ago may have been told better since.
func (d *Discipline) announced(utc int64) (v Leap, at int64, ok bool) {
	var n, none, insert, remove int
	at = utc
	for i := range d.sources {
		s := &d.sources[i]
		if s.state != stateSelected {
			continue
		}
		n++
		said := floorDiv(int64(s.last.At)+s.last.Offset, 1e9)
		if monthEnd(said) != d.leap.month || utc-said > voteLasts {
			continue
		}
		at = min(at, said)
		switch s.last.Leap {
		case LeapInsert:
			insert++
		case LeapDelete:
			remove++
		default:
			none++
		}
	}
	enough := max(n/2+1, d.quorum())
	switch {
	case insert >= enough:
		return LeapInsert, at, true
	case remove >= enough:
		return LeapDelete, at, true
	case none >= enough:
		return LeapNone, at, true
	}
	return LeapUnknown, 0, false
}

// describe fills in a snapshot's leap fields.
func (l *leapState) describe(d *Discipline, s *Snapshot) {
	s.TAIOffset = presentTAIOffset
	if !d.begun || !d.known {
		if d.cfg.Leap != nil && d.begun {
			s.TAIOffset, _, _, _ = d.cfg.Leap.At(floorDiv(d.base+int64(d.now), 1e9) - presentTAIOffset)
		}
		return
	}
	var utc int64
	utc, s.TAIOffset, s.Leap, s.LeapAt = l.now(d.cfg.Leap, s.TAI)
	doubt := l.doubtful(d.cfg.Leap, utc)
	s.MaxErrorAt += time.Duration(doubt) * time.Second
	s.MonthEnd = monthEnd(utc)
	_, s.NextLeap, _, _ = l.at(d.cfg.Leap, s.MonthEnd)
	if doubt > 0 || !s.Serving() {
		s.Leap, s.NextLeap, s.LeapAt = LeapUnknown, LeapUnknown, 0
	}
}
