package beacon

import (
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// leapRecord is what the accepted message with the greatest TAI said about UTC; the zero value is
// none.
type leapRecord struct {
	tai       int64
	month     int // since January of the year 0; 0: no record
	taiOffset int64
	leap      discipline.Leap
	errorS    int64 // whole seconds of E
}

func recordOf(s *Statement) leapRecord {
	return leapRecord{
		tai: s.TAI(), month: monthOf(int64(s.Seconds)), taiOffset: int64(s.TAIOffset), leap: s.Leap,
		errorS: int64(s.MaxError / time.Second),
	}
}

// monthOf is the month of a UTC second, counted from January of the year 0.
func monthOf(sec int64) int {
	t := time.Unix(sec, 0).UTC()
	return t.Year()*12 + int(t.Month()) - 1
}

func monthStart(month int) int64 {
	return time.Date(month/12, time.Month(month%12+1), 1, 0, 0, 0, 0, time.UTC).Unix()
}

// leapEnds counts the ends of June and December from the month a, its own included, to the
// beginning of month b.
func leapEnds(a, b int) int64 { return int64(b/6 - a/6) }

// utc converts one end of an interval from TAI to UTC in POSIX numbering, outward: by the record's
// offset inside its month, its leap at that month's end, and 1 s for every other end of June or
// December on the way. While the leap isn't known, the month's own end counts as one of them, and
// the offset itself may be wrong by what E allows.
func (l *leapRecord) utc(tai int64, upper bool) int64 {
	if l.month == 0 {
		if upper {
			return HiUnknown
		}
		return LoUnknown
	}
	if tai == LoUnknown || tai == HiUnknown {
		return tai
	}
	sign := int64(-1)
	if upper {
		sign = 1
	}
	known := l.leap != discipline.LeapUnknown
	leap := int64(0)
	if known {
		leap = int64(l.leap)
	}
	s := floorDiv(tai, second)
	nanos := tai - s*second
	s -= l.taiOffset

	// An inserted second belongs to the old month for the upper end, to the new one for the lower.
	after := s
	if leap < 0 || upper {
		after -= leap
	}
	outward := int64(0)
	switch {
	case after >= monthStart(l.month+1):
		s -= leap
		outward = leapEnds(l.month, monthOf(s))
		outward = max(outward, leapEnds(l.month, monthOf(s+sign*(outward+1)))) // moving it may cross one more
		if outward > 0 && l.month%6 == 5 && known {
			outward-- // the month's own end is accounted for by the leap
		}
	case s < monthStart(l.month):
		outward = leapEnds(monthOf(s), l.month)
		outward = max(outward, leapEnds(monthOf(s+sign*(outward+1)), l.month))
	}
	if !known {
		outward += max(1, l.errorS)
	}
	s += sign * outward
	switch {
	case s > timeMax/second-1 && upper:
		return HiUnknown
	case s > timeMax/second-1:
		return timeMax
	case s < -(timeMax/second) && upper:
		return -timeMax
	case s < -(timeMax / second):
		return LoUnknown
	}
	return s*second + nanos
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
