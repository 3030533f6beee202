package beacon

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// at gives TAI of a UTC date by an offset.
func taiOf(t *testing.T, date string, offset int64) int64 {
	t.Helper()
	d, err := time.Parse(time.RFC3339Nano, date)
	if err != nil {
		t.Fatal(err)
	}
	return d.UnixNano() + offset*second
}

func TestUTCAtTheEdge(t *testing.T) {
	const dec, nov, jan = "2028-12-20T12:00:00Z", "2028-11-20T12:00:00Z", "2029-01-10T12:00:00Z"
	for _, c := range []struct {
		name   string
		record string // when the message was made
		leap   discipline.Leap
		errorS int64
		x      string // the end, as UTC by the record's offset of 37 s
		wantLo string
		wantHi string
	}{
		{"inside the month", dec, 0, 0, "2028-12-31T23:59:59.5Z", "2028-12-31T23:59:59.5Z", "2028-12-31T23:59:59.5Z"},
		{"no leap at its end", dec, 0, 0, "2029-01-01T00:00:05Z", "2029-01-01T00:00:05Z", "2029-01-01T00:00:05Z"},
		{"inserted: before", dec, 1, 0, "2028-12-31T23:59:59.9Z", "2028-12-31T23:59:59.9Z", "2028-12-31T23:59:59.9Z"},
		{"inserted: during", dec, 1, 0, "2029-01-01T00:00:00.5Z", "2028-12-31T23:59:59.5Z", "2029-01-01T00:00:00.5Z"},
		{"inserted: after", dec, 1, 0, "2029-01-01T00:00:01Z", "2029-01-01T00:00:00Z", "2029-01-01T00:00:00Z"},
		{"deleted: before", dec, -1, 0, "2028-12-31T23:59:58.9Z", "2028-12-31T23:59:58.9Z", "2028-12-31T23:59:58.9Z"},
		{"deleted: after", dec, -1, 0, "2028-12-31T23:59:59Z", "2029-01-01T00:00:00Z", "2029-01-01T00:00:00Z"},
		{"unknown: inside", dec, 2, 0, "2028-12-25T00:00:00Z", "2028-12-24T23:59:59Z", "2028-12-25T00:00:01Z"},
		{"unknown: inside, E of 3.9 s", dec, 2, 3, "2028-12-25T00:00:00Z", "2028-12-24T23:59:57Z", "2028-12-25T00:00:03Z"},
		{"unknown: after its own end", dec, 2, 0, "2029-02-01T00:00:00Z", "2029-01-31T23:59:58Z", "2029-02-01T00:00:02Z"},
		{"November, then past December", nov, 0, 0, "2029-02-01T00:00:00Z", "2029-01-31T23:59:59Z", "2029-02-01T00:00:01Z"},
		{"November, then past two ends", nov, 0, 0, "2029-07-02T00:00:00Z", "2029-07-01T23:59:58Z", "2029-07-02T00:00:02Z"},
		{"November, the first second of January", nov, 0, 0, "2029-01-01T00:00:00.5Z", "2028-12-31T23:59:59.5Z", "2029-01-01T00:00:01.5Z"},
		{"November, the last second of December", nov, 0, 0, "2028-12-31T23:59:59.5Z", "2028-12-31T23:59:59.5Z", "2029-01-01T00:00:00.5Z"},
		{"December's own leap, then past June", dec, 1, 0, "2029-07-02T00:00:01Z", "2029-07-01T23:59:59Z", "2029-07-02T00:00:01Z"},
		{"January, back before December's end", jan, 0, 0, "2028-12-31T23:59:58.5Z", "2028-12-31T23:59:57.5Z", "2028-12-31T23:59:59.5Z"},
		{"January, back before two ends", jan, 0, 0, "2028-06-15T00:00:00Z", "2028-06-14T23:59:58Z", "2028-06-15T00:00:02Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Statement{Seconds: uint32(taiOf(t, c.record, 0) / second), TAIOffset: 37, Leap: c.leap, MaxError: time.Duration(c.errorS)*time.Second + 900*time.Millisecond}
			if c.errorS == 0 {
				s.MaxError = 0
			}
			r := recordOf(&s)
			x := taiOf(t, c.x, 37)
			show := func(v int64) string { return time.Unix(0, v).UTC().Format(time.RFC3339Nano) }
			lo, hi := r.utc(x, false), r.utc(x, true)
			if lo != taiOf(t, c.wantLo, 0) {
				t.Errorf("lo %s, want %s", show(lo), c.wantLo)
			}
			if hi != taiOf(t, c.wantHi, 0) {
				t.Errorf("hi %s, want %s", show(hi), c.wantHi)
			}
		})
	}
}

func TestUTCWithoutRecordIsUnknown(t *testing.T) {
	var r leapRecord
	if r.utc(5, false) != LoUnknown || r.utc(5, true) != HiUnknown {
		t.Error("a number without a record")
	}
	s := Statement{Seconds: 1_790_000_000, TAIOffset: 37}
	r = recordOf(&s)
	if r.utc(LoUnknown, false) != LoUnknown || r.utc(HiUnknown, true) != HiUnknown {
		t.Error("a number of an unknown end")
	}
	for _, x := range []int64{-timeMax, timeMax, 0, -1} {
		if lo, hi := r.utc(x, false), r.utc(x, true); lo > hi {
			t.Errorf("%d: lo %d above hi %d", x, lo, hi)
		}
	}
}

// What the newest message said of UTC counts, in whatever order they come: here that a second is inserted.
func TestTheNewestMessageSaysWhatUTCIs(t *testing.T) {
	made := taiOf(t, "2028-12-31T23:59:50Z", 37)
	said := func(seconds int64, leap discipline.Leap) *Statement {
		utc := (made+seconds*second)/second - 37
		return &Statement{Seconds: uint32(utc), TAIOffset: 37, Leap: leap, MaxError: time.Millisecond, State: discipline.Synchronized, Stratum: 1}
	}
	newest := said(0, discipline.LeapInsert)
	for name, c := range map[string]struct {
		first, then *Statement
	}{
		"an older one comes late":     {newest, said(-10, discipline.LeapNone)},
		"an older one that knows":     {newest, said(-1, discipline.LeapInsert)},
		"one of the month before":     {newest, said(-40*86400, discipline.LeapNone)},
		"another of the same instant": {newest, said(0, discipline.LeapNone)},
		"it comes second":             {said(-1, discipline.LeapNone), newest},
		"it comes second, by months":  {said(-90*86400, discipline.LeapNone), newest},
	} {
		k, err := NewClock(ClockConfig{Gateways: 1, Rate: Rate{CountNanos: 1, Tick: 1000, RhoPPB: 100_000}})
		if err != nil {
			t.Fatal(err)
		}
		if c.then == newest {
			_, err = k.Beacon(0, 5e8, c.first)
		}
		if err == nil {
			_, err = k.Exchange(0, 1e9, 1e9+1e6, newest, 0)
		}
		if err == nil && c.first == newest {
			_, err = k.Beacon(0, 2e9, c.then)
		}
		if err != nil {
			t.Fatal(name, err)
		}
		for after := int64(1); after < 30; after++ {
			truth := made + (after-37)*second
			switch {
			case after == 10:
				continue // the second that is inserted
			case after > 10:
				truth -= second
			}
			if b := k.UTC(Ticks(1e9 + 1e6 + after*second)); !b.Contains(truth) || b.Width() > uint64(100*time.Millisecond) {
				t.Errorf("%s: %d s after it %v … %v, which lacks %v", name, after, time.Unix(0, b.Lo).UTC(), time.Unix(0, b.Hi).UTC(), time.Unix(0, truth).UTC())
			}
		}
	}
}
