package discipline_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

const list = `#	a comment
#$	 3960835200
#@	3991593600
3644697600      36      # 1 Jul 2015
3692217600      37      # 1 Jan 2017
#h	`

func TestParseLeapSeconds(t *testing.T) {
	b, err := os.ReadFile("/usr/share/zoneinfo/leap-seconds.list")
	if err != nil {
		t.Skip("no leap-seconds.list of tzdata here")
	}
	l, err := discipline.ParseLeapSeconds(b)
	if err != nil {
		t.Fatal(err)
	}
	builtin := discipline.BuiltinLeaps()
	for utc := int64(63072000); utc < 1_790_000_000; utc += 86400 * 15 {
		a, la, ea, _ := l.At(utc)
		b, lb, eb, _ := builtin.At(utc)
		if a != b || la != lb || ea != eb {
			t.Fatalf("%v: the file says %d %d %d, the program %d %d %d", time.Unix(utc, 0), a, la, ea, b, lb, eb)
		}
	}
	if off, leap, at, valid := l.At(1483228799); off != 36 || leap != discipline.LeapInsert || at != 1483228800 || !valid {
		t.Fatal(off, leap, at, valid)
	}
	spoiled := strings.Replace(string(b), "3692217600      37", "3692217600      36", 1)
	if _, err := discipline.ParseLeapSeconds([]byte(spoiled)); err == nil {
		t.Fatal("a spoiled file was taken")
	}
	spoiled = strings.Replace(string(b), "#@\t3", "#@\t4", 1)
	if _, err := discipline.ParseLeapSeconds([]byte(spoiled)); !errors.Is(err, discipline.ErrLeapHash) {
		t.Fatal(err)
	}
}

func TestLeapFormat(t *testing.T) {
	for name, text := range map[string]string{
		"empty":    "",
		"no hash":  strings.TrimSuffix(list, "#h	"),
		"bad hash": list + "1 2 3 4 5",
		"words":    "#@ x\n",
		"order":    "#@ 3991593600\n3692217600 37\n3644697600 36\n",
		"one":      "#@ 3991593600\n3692217600\n",
		"step":     "#@ 3991593600\n3644697600 36\n3692217600 39\n",
	} {
		if _, err := discipline.ParseLeapSeconds([]byte(text)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestNewestLeaps(t *testing.T) {
	if discipline.NewestLeaps(nil, nil) != nil {
		t.Fatal("something out of nothing")
	}
	if l := discipline.NewestLeaps(nil, discipline.BuiltinLeaps()); l == nil || l.Expires().Year() < 2027 {
		t.Fatal(l)
	}
}

func FuzzParseLeapSeconds(f *testing.F) {
	f.Add([]byte(list + "49db2447 571e5e1b 2f002a53 9c8da8e4 39b8e49e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := discipline.ParseLeapSeconds(b); err == nil {
			l.At(0)
			l.At(1 << 40)
		}
	})
}

// calendar knows a leap second, or nothing any more.
type calendar struct {
	at      int64
	step    int
	expires int64
}

func (c calendar) At(utc int64) (int, discipline.Leap, int64, bool) {
	valid := utc < c.expires
	if c.at == 0 {
		return 37, discipline.LeapNone, 0, valid
	}
	if utc >= c.at {
		return 37 + c.step, discipline.LeapNone, 0, valid
	}
	if c.at-utc < 30*86400 {
		return 37, discipline.Leap(c.step), c.at, valid
	}
	return 37, discipline.LeapNone, 0, valid
}

// edge is the end of a June: the first second of July 2027.
var edge = time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC).Unix()

// across runs three servers over the edge and checks every second of it.
func across(t *testing.T, table discipline.LeapTable, step int, announce discipline.Leap) *discipline.Snapshot {
	t.Helper()
	b := newBench(t, 3, discipline.Config{Leap: table})
	b.w.ppm = 0
	b.poll = 16 * time.Second
	start := edge - 3000
	b.w.start = start * 1e9
	leapt := func(r discipline.Raw) bool {
		if step < 0 {
			return int64(r) >= 2999e9 // 23:59:59 does not exist
		}
		return int64(r) >= 3000e9
	}
	b.lie = func(i int, m *discipline.Measurement) bool {
		if leapt(m.At) {
			m.Offset -= int64(step) * 1e9 // the servers' UTC after the leap
		} else {
			m.Leap = announce
		}
		return int64(m.At) < 2990e9 || int64(m.At) > 3010e9
	}
	truth := func(r discipline.Raw) int64 { return start*1e9 + int64(r) + 37e9 }
	var s *discipline.Snapshot
	for b.at < 6000e9 {
		s = b.run(1)
		for k := range 16 {
			r := s.At.Add(time.Duration(k) * time.Second)
			if !s.Serving() {
				if b.at > 100e9 {
					t.Fatalf("%v at %v", s.State, time.Duration(r))
				}
				continue
			}
			e := time.Duration(s.TAIAt(r) - truth(r))
			if e.Abs() > s.MaxError(r) || e.Abs() > 5*time.Millisecond && s.MaxError(r) < 500*time.Millisecond {
				t.Fatalf("TAI off by %v (stated %v) at %v", e, s.MaxError(r), time.Duration(r))
			}
			u := s.UTCAt(r)
			utc := func(at discipline.Raw) int64 {
				if leapt(at) {
					return truth(r) - 37e9 - int64(step)*1e9
				}
				return truth(r) - 37e9
			}
			// Nearer to the leap than the timeline's own error it may stand on the other side of it.
			early, late := time.Duration(u.UnixNano()-utc(r.Add(-e.Abs()))), time.Duration(u.UnixNano()-utc(r.Add(e.Abs())))
			if min(early.Abs(), late.Abs()) > s.MaxError(r) {
				t.Fatalf("UTC off by %v at %v: %+v", early, time.Duration(r), u)
			}
			if u.Inserted && (step != 1 || int64(r) < 2999e9 || int64(r) > 3002e9) {
				t.Fatalf("inserted second at %v", time.Duration(r))
			}
		}
	}
	return s
}

func TestLeapSecond(t *testing.T) {
	far := edge + 400*86400
	for name, c := range map[string]struct {
		table    discipline.LeapTable
		step     int
		announce discipline.Leap
	}{
		"inserted by the table":        {calendar{edge, 1, far}, 1, discipline.LeapInsert},
		"deleted by the table":         {calendar{edge, -1, far}, -1, discipline.LeapDelete},
		"announced, table expired":     {calendar{0, 0, edge - 86400*90}, 1, discipline.LeapInsert},
		"announced away, expired":      {calendar{0, 0, edge - 86400*90}, -1, discipline.LeapDelete},
		"none announced, expired":      {calendar{0, 0, edge - 86400*90}, 0, discipline.LeapNone},
		"the table beats announcement": {calendar{0, 0, far}, 0, discipline.LeapInsert},
	} {
		t.Run(name, func(t *testing.T) {
			s := across(t, c.table, c.step, c.announce)
			if s.TAIOffset != 37+c.step || s.Leap == discipline.LeapUnknown {
				t.Fatalf("TAI - UTC is %d, leap %d", s.TAIOffset, s.Leap)
			}
		})
	}
}

// at has three servers that agree on a UTC, in seconds, for ten minutes, and announce nothing.
func at(t *testing.T, table discipline.LeapTable, utc int64) *discipline.Discipline {
	t.Helper()
	d := discipline.New(discipline.Config{Sources: names(3), Leap: table, Observing: true, HoldoverMax: 20_000 * time.Hour})
	for k := range discipline.Raw(40) {
		for i := range discipline.Raw(3) {
			if err := d.Update(discipline.Measurement{Source: string(rune('a' + i)), At: k*16e9 + i*1e9 + 1, Offset: utc * 1e9, Delay: time.Millisecond, Precision: 1000,
				Stratum: 1, Poll: 16 * time.Second, Authenticated: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return d
}

// In holdover over the end of June, with a list that ended before, TAI - UTC may be wrong by a second; over that of
// December too, by two.
func TestNobodyKnowsOfTheLeap(t *testing.T) {
	const day = 86400
	for _, tt := range []struct {
		name    string
		expires int64
		days    int64 // since the tenth of June
		doubt   time.Duration
	}{
		{"before the end of June", edge - 90*day, 20, 0},
		{"after it", edge - 90*day, 22, time.Second},
		{"after that of December, at one go", edge - 90*day, 22 + 184, 2 * time.Second},
		{"the list is good for June", edge + 30*day, 22, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bound := func(table discipline.LeapTable) *discipline.Snapshot {
				d := at(t, table, edge-21*day)
				d.Advance(discipline.Raw(tt.days * day * 1e9))
				return d.Snapshot()
			}
			with, without := bound(calendar{0, 0, tt.expires}), bound(calendar{0, 0, edge + 10_000*day})
			if !with.Serving() || with.MaxErrorAt-without.MaxErrorAt != tt.doubt {
				t.Errorf("%v, bound %v, with a list that is good for years %v", with.State, with.MaxErrorAt, without.MaxErrorAt)
			}
			if tt.doubt > 0 && with.Leap != discipline.LeapUnknown {
				t.Errorf("leap %d", with.Leap)
			}
		})
	}
}

// A start knows no more than that: of each end of June and December since the list's own it has missed the second.
func TestStartAfterTheListEnded(t *testing.T) {
	const day = 86400
	for _, tt := range []struct {
		expires, now int64
		doubt        time.Duration
	}{
		{edge - 3*day, edge - day, 0},
		{edge - 3*day, edge + 10*day, time.Second},
		{edge - 3*day, edge + 900*day, 5 * time.Second},
		{edge + day, edge + 10*day, 0},
		{edge + day, edge + 200*day, time.Second},
	} {
		s := at(t, calendar{0, 0, tt.expires}, tt.now).Snapshot()
		if extra := s.MaxErrorAt - at(t, calendar{0, 0, tt.now + 1000*day}, tt.now).Snapshot().MaxErrorAt; !s.Serving() || extra != tt.doubt {
			t.Errorf("%v after the list's end: %v, the bound is %v wider than with a list", time.Duration(tt.now-tt.expires)*time.Second, s.State, extra)
		}
		if tt.doubt > 0 && s.Leap != discipline.LeapUnknown {
			t.Errorf("leap %d", s.Leap)
		}
	}
}

// Servers that announce nothing say so for good on the last day only.
func TestNoneAnnouncedYet(t *testing.T) {
	for _, tt := range []struct {
		before int64 // seconds until the month's end
		end    int64
		want   discipline.Leap
	}{
		{86400 + 1200, edge, discipline.LeapUnknown},
		{20 * 86400, edge, discipline.LeapUnknown},
		{80_000, edge, discipline.LeapNone},
		{86400 + 1200, edge - 30*86400, discipline.LeapNone}, // May
	} {
		// A list that ends three days before June does knows no more of June's end than one that ended in April.
		for _, expires := range []int64{edge - 90*86400, edge - 3*86400} {
			if s := at(t, calendar{0, 0, expires}, tt.end-tt.before).Snapshot(); s.Leap != tt.want || !s.Serving() {
				t.Errorf("%d s before %v, the list ends %v: leap %d, want %d", tt.before, time.Unix(tt.end, 0).UTC(), time.Unix(expires, 0).UTC(), s.Leap, tt.want)
			}
		}
	}
	if s := at(t, calendar{0, 0, edge - 3*86400}, edge-31*86400).Snapshot(); s.Leap != discipline.LeapNone || s.NextLeap != discipline.LeapUnknown {
		t.Errorf("in May: leap %d, at the end of June %d", s.Leap, s.NextLeap)
	}
}

// The servers announced the leap second that just was. About its end the timeline and what is stated of it pass their seconds at
// different moments, and for a poll the last that anybody said is from the month before.
func TestAnnouncedLeapIsOver(t *testing.T) {
	for _, step := range []int64{-1, 1} {
		for early := range 10 {
			d := discipline.New(discipline.Config{Sources: names(3), Leap: calendar{0, 0, edge - 90*86400}, Observing: true})
			for k := range discipline.Raw(30) {
				for i := range discipline.Raw(3) {
					// All of the delay lies on one way: the middle of the bound is off by up to 50 ms.
					m := discipline.Measurement{Source: string(rune('a' + i)), At: k*16e9 + i*1e9 + 1, Offset: (edge-500)*1e9 + (int64(early)-5)*8_000_000, Delay: 100 * time.Millisecond, Precision: 1000,
						Stratum: 1, Poll: 512 * time.Second, Authenticated: true, Leap: discipline.Leap(step)}
					if (k+i)%7 == 0 {
						m.Offset, m.Delay = (edge-500)*1e9, 101*time.Millisecond
					}
					if err := d.Update(m); err != nil {
						t.Fatal(err)
					}
				}
			}
			for at := int64(498_000); at < 506_000; at += 20 {
				now := discipline.Raw(at * 1e6)
				d.Advance(now)
				s := d.Snapshot()
				truth := at*1e6 + (edge-500)*1e9
				if truth >= edge*1e9 && step > 0 || truth >= (edge-1)*1e9 && step < 0 {
					truth -= step * 1e9
				}
				u := s.UTCAt(now)
				off := time.Duration(u.UnixNano() - truth).Abs()
				// Nearer to the leap second than that the timeline may be on its other side.
				begins, ends := int64(500_000), int64(501_000)
				if step < 0 {
					begins, ends = 499_000, 499_000
				}
				if near := at > begins-110 && at < ends+110; !s.Serving() || off > s.MaxError(now) && !near || s.MaxError(now) > 110*time.Millisecond {
					t.Fatalf("%+d s, %d ms after: %v, UTC off by %v, stated %v: %+v", step, at-500_000, s.State, off, s.MaxError(now), u)
				}
				if u.Seconds > edge+1 && (u.Leap == discipline.LeapInsert || u.Leap == discipline.LeapDelete) {
					t.Fatalf("%+d s, %d ms after: leap %d at the end of July, too", step, at-500_000, u.Leap)
				}
			}
		}
	}
}

// A server that is asked once in a day and a half said that nothing comes when it had perhaps not been told.
func TestAnnouncementsOfTheDayBefore(t *testing.T) {
	for _, c := range []struct {
		hours [3]int64 // before the month's end
		want  discipline.Leap
	}{
		{[3]int64{30, 30, 30}, discipline.LeapUnknown}, {[3]int64{20, 20, 20}, discipline.LeapNone},
		{[3]int64{30, 20, 20}, discipline.LeapNone}, {[3]int64{30, 30, 20}, discipline.LeapUnknown},
	} {
		d := discipline.New(discipline.Config{Sources: names(3), Leap: calendar{0, 0, edge - 90*86400}, Observing: true})
		const begin = 31 * 3600
		for i, hours := range c.hours {
			if err := d.Update(discipline.Measurement{Source: string(rune('a' + i)), At: discipline.Raw(begin-hours*3600+int64(i)) * 1e9, Offset: (edge - begin) * 1e9, Delay: time.Millisecond, Precision: 1000,
				Stratum: 1, Poll: 131072 * time.Second, Authenticated: true}); err != nil {
				t.Fatal(err)
			}
		}
		for r := discipline.Raw(begin-20*3600+10) * 1e9; r < (begin-60)*1e9; r += 50e9 {
			d.Advance(r)
		}
		if s := d.Snapshot(); s.State != discipline.Synchronized || s.Leap != c.want || warned(s, "leap-unknown") != (c.want == discipline.LeapUnknown) {
			t.Errorf("said %v h before: %v, leap %d, bound %v", c.hours, s.State, s.Leap, s.MaxErrorAt)
		}
	}
}

// A majority said 2041 for a while, and what it says now contradicts that: the seconds that nobody had heard of by then are
// none now, and those that come count.
func TestTimelineWentBack(t *testing.T) {
	d := discipline.New(discipline.Config{Sources: names(3), Leap: calendar{0, 0, edge - 90*86400}, Observing: true})
	tell := func(from discipline.Raw, utc int64) *discipline.Snapshot {
		for k := range discipline.Raw(20) {
			for i := range discipline.Raw(3) {
				r := from + k*16e9 + i*1e9 + 1
				if err := d.Update(discipline.Measurement{Source: string(rune('a' + i)), At: r, Offset: utc*1e9 - int64(from), Delay: time.Millisecond, Precision: 1000,
					Stratum: 1, Poll: 16 * time.Second, Authenticated: true, Leap: discipline.LeapInsert}); err != nil {
					t.Fatal(err)
				}
			}
		}
		return d.Snapshot()
	}
	if s := tell(0, edge+14*365*86400); s.MaxErrorAt < 28*time.Second {
		t.Fatalf("28 ends of June and December later the bound is %v", s.MaxErrorAt)
	}
	if s := tell(1000e9, edge-600); !s.Serving() || s.MaxErrorAt > time.Second/2 || s.Leap != discipline.LeapInsert {
		t.Fatalf("back in June: %v, %v, leap %d", s.State, s.MaxErrorAt, s.Leap)
	}
	d.Advance(1700e9)
	if s := d.Snapshot(); s.TAIOffset != 38 || s.MaxErrorAt > time.Second/2 {
		t.Errorf("after the leap second that was announced: TAI - UTC %d, %v", s.TAIOffset, s.MaxErrorAt)
	}
}

// The servers announced a leap second and were then silent until after it: whether it was made is in doubt from the first sample
// on, and the next ones don't contradict that by a second.
func TestBackAfterALeapThatWasAnnouncedLongBefore(t *testing.T) {
	d := discipline.New(discipline.Config{Sources: names(3), Leap: calendar{0, 0, edge - 90*86400}, Observing: true, HoldoverMax: time.Hour})
	serving := 0
	tell := func(from discipline.Raw, utc int64, leap discipline.Leap) {
		for k := range discipline.Raw(10) {
			for i := range discipline.Raw(3) {
				if err := d.Update(discipline.Measurement{Source: string(rune('a' + i)), At: from + k*16e9 + i*1e9 + 1, Offset: utc*1e9 - int64(from), Delay: time.Millisecond, Precision: 1000,
					Stratum: 1, Poll: 16 * time.Second, Authenticated: true, Leap: leap}); err != nil {
					t.Fatal(err)
				}
				s := d.Snapshot()
				if s.Serving() {
					serving++
				} else if serving > 0 {
					t.Fatalf("%v after %d samples: %v", s.State, serving, s.Warnings)
				}
			}
		}
	}
	tell(0, edge-3*86400, discipline.LeapInsert)
	for r := discipline.Raw(200e9); r < 13*86400e9; r += 600e9 {
		d.Advance(r)
	}
	serving = 0
	tell(13*86400e9, edge+10*86400-1, discipline.LeapNone)
	if s := d.Snapshot(); serving < 20 || s.MaxErrorAt < time.Second || s.Leap != discipline.LeapUnknown {
		t.Errorf("%v, bound %v, leap %d", s.State, s.MaxErrorAt, s.Leap)
	}
}

// The list knows a leap second and ends half a year later, while no majority answers any more: what the servers announced before
// it is in the list already and must not count twice.
func TestListedLeapCountsOnce(t *testing.T) {
	table := calendar{edge, 1, edge + 180*86400}
	d := discipline.New(discipline.Config{Sources: names(3), Leap: table, Observing: true, HoldoverMax: time.Hour})
	tell := func(at discipline.Raw, utc int64, leap discipline.Leap) {
		for k := range discipline.Raw(4) {
			for i := range discipline.Raw(3) {
				r := at + k*16e9 + i*1e9 + 1
				if err := d.Update(discipline.Measurement{Source: string(rune('a' + i)), At: r, Offset: (utc+int64(k)*16+int64(i))*1e9 - int64(r), Delay: time.Millisecond, Precision: 1000,
					Stratum: 1, Poll: 16 * time.Second, Authenticated: true, Leap: leap}); err != nil {
					t.Fatal(err)
				}
				if s := d.Snapshot(); s.Serving() && leap == discipline.LeapNone && s.UTCAt(r).TAIOffset != 38 {
					t.Fatalf("half a year later TAI - UTC is %d", s.UTCAt(r).TAIOffset)
				} else if s.Serving() {
					if e := time.Duration(s.UTCAt(r).UnixNano() - (utc+int64(k)*16+int64(i))*1e9); e.Abs() > s.MaxError(r) {
						t.Fatalf("UTC off by %v, stated %v", e, s.MaxError(r))
					}
				}
			}
		}
	}
	tell(0, edge-3600, discipline.LeapInsert)
	later := discipline.Raw(182 * 86400e9)
	for r := discipline.Raw(100e9); r < later; r += 86400e9 / 2 {
		d.Advance(r)
	}
	tell(later, edge-3600+182*86400-1, discipline.LeapNone)
	if !d.Snapshot().Serving() {
		t.Fatal(d.Snapshot().State)
	}
}

func TestLeapEdgeIsRefused(t *testing.T) {
	d := discipline.New(discipline.Config{Sources: names(1), Leap: calendar{edge, 1, edge + 1e6}})
	m := newWorld(0, 1).sample("a", 1e9, time.Millisecond, 0, 0)
	m.Offset = edge*1e9 - 1e9 - int64(m.At)
	if err := d.Update(m); !errors.Is(err, discipline.ErrLeapEdge) {
		t.Fatal(err)
	}
}

// lastDay has servers tell UTC for ten minutes until just before the end of a June, with a list that ended before, and
// returns by how much what is served as UTC goes beyond what is stated until some seconds after, if step seconds were inserted.
func lastDay(t *testing.T, n int, insert []int, step int64) {
	t.Helper()
	const before = 600
	d := discipline.New(discipline.Config{Sources: names(n), Leap: calendar{0, 0, edge - 90*86400}, Observing: true})
	for k := range discipline.Raw(before/16 - 1) {
		for i, announces := range insert {
			m := discipline.Measurement{Source: string(rune('a' + i)), At: k*16e9 + discipline.Raw(i)*1e9 + 1, Offset: (edge - before) * 1e9, Delay: time.Millisecond, Precision: 1000,
				Stratum: 1, Poll: 16 * time.Second, Authenticated: true, Leap: discipline.Leap(announces)}
			if err := d.Update(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	for k := int64(-3); k <= 4; k++ {
		now := discipline.Raw((before + k) * 1e9)
		d.Advance(now)
		s := d.Snapshot()
		for _, r := range []discipline.Raw{now + 1e6, now.Add(900 * time.Millisecond)} {
			if !s.Serving() {
				t.Fatal(s.State)
			}
			utc := int64(r) + (edge-before)*1e9
			if utc >= edge*1e9 {
				utc -= step * 1e9
			}
			if e := time.Duration(s.UTCAt(r).UnixNano() - utc); e.Abs() > s.MaxError(r) {
				t.Errorf("%+.1f s: UTC off by %v, stated %v, %v, leap %d", float64(r)/1e9-before, e, s.MaxError(r), s.State, s.UTCAt(r).Leap)
			}
		}
	}
}

// A half of a year ends of which nobody knows whether it has a leap second: the list ended, and of two servers one
// announces it. In what is served as UTC a second more or less must be allowed from its first instant.
func TestUTCAtAnUnknownLeap(t *testing.T) { lastDay(t, 2, []int{0, 1}, 1) }

// Of five servers two lie, and only they and one more get through: that is the liars' time in a hull that holds
// truth, and must not be the liars' leap second.
func TestLiarsAnnounceALeap(t *testing.T) { lastDay(t, 5, []int{1, 1, 0}, 0) }
