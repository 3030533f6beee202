package discipline

import (
	"bytes"
	"crypto/sha1" // the format's own check sum; nothing secret rests on it
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Leaps is a table of leap seconds: the LeapTable made from a leap-seconds.list. It is
// immutable and safe for concurrent use.
type Leaps struct {
	entries []leapEntry
	expires int64 // UTC seconds since 1970
}

type leapEntry struct {
	at     int64 // UTC seconds since 1970, from which the offset is in force
	offset int   // TAI − UTC, seconds
}

// ntpUnix is 1970-01-01 in the seconds since 1900 that leap-seconds.list counts.
const ntpUnix = 2_208_988_800

// BuiltinLeaps returns the table this program was built with: 37 s since 2017-01-01, and no
// leap second before the end of June 2027 (IERS Bulletin C 72, as in tzdata 2026f).
func BuiltinLeaps() *Leaps {
	l := &Leaps{expires: 1_814_140_800}
	for i, day := range [...]int64{
		63072000, 78796800, 94694400, 126230400, 157766400, 189302400, 220924800, 252460800,
		283996800, 315532800, 362793600, 394329600, 425865600, 489024000, 567993600, 631152000,
		662688000, 709948800, 741484800, 773020800, 820454400, 867715200, 915148800, 1136073600,
		1230768000, 1341100800, 1435708800, 1483228800,
	} {
		l.entries = append(l.entries, leapEntry{day, 10 + i})
	}
	return l
}

// Errors of ParseLeapSeconds.
var (
	ErrLeapFormat = errors.New("not a leap-seconds.list")
	ErrLeapHash   = errors.New("leap-seconds.list: the check sum does not fit its content")
)

// ParseLeapSeconds reads a leap-seconds.list of NIST, IERS or tzdata: data lines of NTP seconds
// and TAI − UTC, "#@" with its end of validity, and "#h" with the SHA-1 check sum, which is
// required and checked.
func ParseLeapSeconds(data []byte) (*Leaps, error) {
	if len(data) > 1<<16 {
		return nil, fmt.Errorf("%w: longer than 64 KiB", ErrLeapFormat)
	}
	l := &Leaps{}
	sum := sha1.New()
	var hash []string
	expires := false
	for n, line := range strings.Split(string(bytes.ReplaceAll(data, []byte("\r"), nil)), "\n") {
		bad := func(why string) (*Leaps, error) {
			return nil, fmt.Errorf("%w: line %d: %s", ErrLeapFormat, n+1, why)
		}
		switch {
		case strings.HasPrefix(line, "#h"):
			hash = strings.Fields(line[2:])
			continue
		case strings.HasPrefix(line, "#$"), strings.HasPrefix(line, "#@"):
			f := strings.Fields(line[2:])
			if len(f) != 1 {
				return bad("want one number")
			}
			v, err := strconv.ParseInt(f[0], 10, 64)
			if err != nil || v < ntpUnix || v > 1<<40 {
				return bad("want seconds since 1900")
			}
			sum.Write([]byte(f[0]))
			if line[1] == '@' {
				l.expires, expires = v-ntpUnix, true
			}
			continue
		}
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 2 {
			return bad("want two numbers")
		}
		at, err1 := strconv.ParseInt(f[0], 10, 64)
		offset, err2 := strconv.Atoi(f[1])
		if err1 != nil || err2 != nil || at < ntpUnix || at > 1<<40 || offset < 0 || offset > 255 {
			return bad("want seconds since 1900 and TAI - UTC")
		}
		sum.Write([]byte(f[0] + f[1]))
		e := leapEntry{at - ntpUnix, offset}
		if k := len(l.entries); k > 0 {
			last := l.entries[k-1]
			if e.at <= last.at || e.offset-last.offset != 1 && e.offset-last.offset != -1 {
				return bad("leap seconds are one second each and in order")
			}
		}
		l.entries = append(l.entries, e)
	}
	if len(l.entries) == 0 || !expires {
		return nil, fmt.Errorf("%w: no data or no end of validity (#@)", ErrLeapFormat)
	}
	// The five words may have lost leading zeros.
	got := sum.Sum(nil)
	if len(hash) != 5 {
		return nil, fmt.Errorf("%w: no check sum (#h)", ErrLeapHash)
	}
	for i, w := range hash {
		if len(w) > 8 || !strings.EqualFold(strings.Repeat("0", 8-len(w))+w, hex.EncodeToString(got[4*i:4*i+4])) {
			return nil, ErrLeapHash
		}
	}
	return l, nil
}

// NewestLeaps returns the table that is valid the longest; nil ones don't count.
func NewestLeaps(tables ...*Leaps) *Leaps {
	var best *Leaps
	for _, t := range tables {
		if t != nil && (best == nil || t.expires > best.expires) {
			best = t
		}
	}
	return best
}

// Expires returns the end of the table's validity.
func (l *Leaps) Expires() time.Time { return time.Unix(l.expires, 0).UTC() }

// At implements LeapTable.
func (l *Leaps) At(utc int64) (taiOffset int, leap Leap, leapAt int64, valid bool) {
	taiOffset = l.entries[0].offset
	end := monthEnd(utc)
	for _, e := range l.entries {
		if e.at <= utc {
			taiOffset = e.offset
		} else if e.at == end {
			return taiOffset, Leap(e.offset - taiOffset), end, utc < l.expires
		}
	}
	return taiOffset, LeapNone, 0, utc < l.expires
}

// monthEnd returns the first second of the month after utc's.
func monthEnd(utc int64) int64 {
	t := time.Unix(utc, 0).UTC()
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC).Unix()
}

// halfYear returns the last 1 January or 1 July that is not after utc.
func halfYear(utc int64) int64 {
	t := time.Unix(utc, 0).UTC()
	return time.Date(t.Year(), (t.Month()-1)/6*6+1, 1, 0, 0, 0, 0, time.UTC).Unix()
}

// halfYearEnd reports whether a month's end is one at which leap seconds are made.
func halfYearEnd(end int64) bool {
	m := time.Unix(end, 0).UTC().Month()
	return m == time.January || m == time.July
}
