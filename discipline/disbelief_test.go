package discipline_test

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// plant is three servers on a LAN and a raw clock, whose truths a test makes up.
type plant struct {
	t     *testing.T
	d     *discipline.Discipline
	raw   int64
	utc   func(raw int64) int64                                // true
	says  func(raw int64, server int) (int64, discipline.Leap) // nil: the truth
	poll  int64
	due   int64
	wrong int // looks at which truth lay outside the bound
	last  int64
	seen  int
}

func newPlant(t *testing.T, cfg discipline.Config, begin int64, ppm func(raw int64) float64) *plant {
	cfg.Sources = names(3)
	p := &plant{t: t, d: discipline.New(cfg), raw: 10e9, due: 10e9, poll: 16e9}
	p.utc = func(raw int64) int64 { return begin + raw + int64(ppm(raw)) }
	return p
}

// run goes on for so long, and looks four times a second.
func (p *plant) run(d time.Duration) {
	p.t.Helper()
	for end := p.raw + int64(d); p.raw < end; p.raw += 250e6 {
		if p.raw >= p.due {
			for i, name := range []string{"a", "b", "c"} {
				at := p.raw + int64(i)*10e6
				utc, leap := p.utc(at), discipline.LeapNone
				if p.says != nil {
					utc, leap = p.says(at, i)
				}
				// Some are refused about a leap second.
				_ = p.d.Update(discipline.Measurement{Source: name, At: discipline.Raw(at), Offset: utc - at, Delay: 200 * time.Microsecond,
					RootDispersion: 10 * time.Microsecond, Precision: time.Microsecond, Stratum: 1, Authenticated: true, Leap: leap, Poll: time.Duration(p.poll)})
			}
			p.due += p.poll
			continue
		}
		now := discipline.Raw(p.raw)
		p.d.Advance(now)
		if s := p.d.Snapshot(); s.Serving() {
			p.seen++
			if off := time.Duration(s.TAIAt(now) - 37e9 - p.utc(p.raw)).Abs(); off > s.MaxError(now) {
				p.wrong++
				p.last = p.raw
			}
		}
	}
}

// revoke has the certificates of the first two revoked, and then accepted: they have new keys.
func (p *plant) revoke() {
	p.t.Helper()
	for _, name := range []string{"a", "b"} {
		p.d.SetSource(name, discipline.Standing{Denied: "revoked", Revoked: true})
	}
	if p.d.Snapshot().Serving() {
		p.t.Fatal("serves what revoked servers decided")
	}
	for _, name := range []string{"a", "b"} {
		p.d.SetSource(name, discipline.Standing{Reachable: true})
	}
	p.says, p.wrong, p.seen = nil, 0, 0
}

const someday = int64(1_790_000_000e9)

// A state folder that came from another board: the bound does not rest on what it says of the rate.
func TestForeignDriftFile(t *testing.T) {
	for _, ppm := range []float64{60, 405, -8960} {
		p := newPlant(t, discipline.Config{FrequencyPPM: 0.1, FrequencyStdPPM: 0.05}, someday, func(raw int64) float64 { return float64(raw) * ppm * 1e-6 })
		p.run(5 * time.Minute)
		if p.wrong > 0 || p.seen < 1000 {
			t.Errorf("%+.0f ppm: %d of %d looks saw truth outside the bound", ppm, p.wrong, p.seen)
		}
	}
}

// What revoked servers taught of the rate is forgotten with the time that they told.
func TestRevokedTaughtTheRate(t *testing.T) {
	for _, drag := range []float64{50, 2000} {
		p := newPlant(t, discipline.Config{}, someday, func(int64) float64 { return 0 })
		p.says = func(raw int64, server int) (int64, discipline.Leap) {
			if server < 2 {
				return p.utc(raw) + int64(float64(raw-10e9)*drag*1e-6), discipline.LeapNone
			}
			return p.utc(raw), discipline.LeapNone
		}
		p.run(10 * time.Minute)
		p.revoke()
		p.run(5 * time.Minute)
		if p.wrong > 0 || p.seen < 1000 {
			t.Errorf("dragged at %.0f ppm: %d of %d looks saw truth outside the bound", drag, p.wrong, p.seen)
		}
	}
}

// Servers that are revoked one after the other, each with a new key by the time of the next, decided together all the same; and
// those that are revoked on a new timeline begin to count anew.
func TestRevokedOneAfterTheOther(t *testing.T) {
	p := newPlant(t, discipline.Config{}, someday, func(int64) float64 { return 0 })
	p.run(time.Minute)
	revoke := func(name string) bool {
		p.d.SetSource(name, discipline.Standing{Denied: "revoked", Revoked: true})
		served := p.d.Snapshot().Serving()
		p.d.SetSource(name, discipline.Standing{Reachable: true})
		p.run(time.Minute)
		if !p.d.Snapshot().Serving() {
			t.Fatalf("%v after %s has a new key", p.d.Snapshot().State, name)
		}
		return served
	}
	for i, name := range []string{"a", "b", "c", "a"} {
		if served := revoke(name); served != (i%2 == 0) {
			t.Errorf("revoked as number %d, %s: served: %v", i+1, name, served)
		}
	}
}

// What revoked servers said can reach the discipline after the news of it: measurements and standings come by two channels. With
// new keys they tell the truth, and begin with nothing.
func TestSaidBeforeTheRevocationToldAfterIt(t *testing.T) {
	d := discipline.New(discipline.Config{Sources: names(3), Observing: true})
	w := newWorld(0, 4)
	const lie = int64(5 * time.Second)
	for k := range discipline.Raw(10) {
		for i, name := range []string{"a", "b", "c"} {
			if err := d.Update(w.sample(name, (1+k*16+discipline.Raw(i))*1e9, time.Millisecond, 0, lie)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"a", "b"} {
		d.SetSource(name, discipline.Standing{Denied: "revoked", Revoked: true})
	}
	if d.Snapshot().Serving() {
		t.Fatal("serves what two revoked servers decided")
	}
	for i, name := range []string{"a", "b"} {
		if err := d.Update(w.sample(name, 164e9+discipline.Raw(i)*1e9, time.Millisecond, 0, lie)); err != discipline.ErrDenied {
			t.Errorf("%s: %v", name, err)
		}
		// Nor when it comes later still: the source answers with new keys by now.
		d.SetSource(name, discipline.Standing{Reachable: true, Before: 166e9})
		if err := d.Update(w.sample(name, 165e9+discipline.Raw(i)*1e9, time.Millisecond, 0, lie)); err != discipline.ErrDenied {
			t.Errorf("%s, after its new keys: %v", name, err)
		}
		d.SetSource(name, discipline.Standing{Reachable: true})
	}
	for k := range discipline.Raw(4) {
		for i, name := range []string{"c", "a", "b"} {
			if err := d.Update(w.sample(name, (170+k*16+discipline.Raw(i))*1e9, time.Millisecond, 0, 0)); err != nil {
				t.Fatal(err)
			}
			s := d.Snapshot()
			w.trueError(t, s, s.At)
		}
	}
	if s := d.Snapshot(); !s.Serving() {
		t.Error(s.State)
	}
}

// So is the leap second that they announced once the list had expired, and which they behaved by.
func TestRevokedTaughtALeapSecond(t *testing.T) {
	end := time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC).UnixNano() // the list ends on 28 June 2027
	p := newPlant(t, discipline.Config{Leap: discipline.BuiltinLeaps()}, end-600e9, func(int64) float64 { return 0 })
	p.says = func(raw int64, server int) (utc int64, leap discipline.Leap) {
		utc = p.utc(raw)
		if server < 2 && utc < end {
			leap = discipline.LeapInsert
		} else if server < 2 {
			utc -= 1e9
		}
		return utc, leap
	}
	p.run(20 * time.Minute)
	if s := p.d.Snapshot(); s.TAIOffset != 38 {
		t.Fatalf("TAI − UTC is %d by the liars", s.TAIOffset)
	}
	p.revoke()
	p.run(5 * time.Minute)
	if p.wrong > 0 || p.seen < 1000 {
		t.Errorf("%d of %d looks saw truth outside the bound", p.wrong, p.seen)
	}
}

// A rate that jumps beyond what is assumed of oscillators makes the bound false until it shows, and no longer: it went on growing by the rate that was just shown wrong, for three polls.
func TestRateJumpShows(t *testing.T) {
	const jump = int64(10e9 + 1800e9)
	for _, ppm := range []float64{30, 200} {
		p := newPlant(t, discipline.Config{}, someday, func(raw int64) float64 { return float64(max(0, raw-jump)) * ppm * 1e-6 })
		p.run(50 * time.Minute)
		if p.wrong == 0 || p.last-jump > 2*p.poll {
			t.Errorf("%+.0f ppm: %d looks saw truth outside the bound, the last %v after the jump", ppm, p.wrong, time.Duration(p.last-jump))
		}
	}
}

// The second that UTC may be wrong by counts for max_error_limit.
func TestLimitCountsTheLeapDoubt(t *testing.T) {
	august := time.Date(2027, 8, 3, 0, 0, 0, 0, time.UTC).UnixNano()
	p := newPlant(t, discipline.Config{Leap: discipline.BuiltinLeaps(), MaxErrorLimit: 100 * time.Millisecond}, august, func(int64) float64 { return 0 })
	p.run(3 * time.Minute)
	if s := p.d.Snapshot(); p.seen > 0 || s.State != discipline.Acquiring {
		t.Errorf("%v with a bound of %v", s.State, s.MaxErrorAt)
	}
}

// The leap of the month that an instant is in, by a snapshot from just before that month.
func TestLeapAcrossMonths(t *testing.T) {
	for _, c := range []struct {
		end          time.Time
		before, then discipline.Leap
	}{
		{time.Date(2015, 6, 1, 0, 0, 0, 0, time.UTC), discipline.LeapNone, discipline.LeapInsert},
		{time.Date(2015, 5, 1, 0, 0, 0, 0, time.UTC), discipline.LeapNone, discipline.LeapNone},
	} {
		p := newPlant(t, discipline.Config{Leap: discipline.BuiltinLeaps()}, c.end.UnixNano()-100e9, func(int64) float64 { return 0 })
		p.run(89500 * time.Millisecond)
		s := p.d.Snapshot()
		for _, in := range []time.Duration{100 * time.Millisecond, 5 * time.Second} {
			u := s.UTCAt(s.At.Add(in))
			want := c.before
			if !u.Time().Before(c.end) {
				want = c.then
			}
			if u.Leap != want {
				t.Errorf("%v, by a snapshot of %v: leap %d, want %d", u.Time(), s.UTCAt(s.At).Time(), u.Leap, want)
			}
		}
	}
}
