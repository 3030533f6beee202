package uml

import (
	"crypto/sha1"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/tests/uml/probe"
)

// nearLeap is the timeline of a server whose date is shortly before a leap second: this machine's clock and a shift.
type nearLeap struct {
	shift int64 // ns
	leap  discipline.Leap
	at    int64 // UTC seconds of the first second after it
}

func (n *nearLeap) snapshot(raw discipline.Raw, real int64) *discipline.Snapshot {
	const taiOffset = 37
	return &discipline.Snapshot{State: discipline.Synchronized, At: raw, Epoch: discipline.Epoch{1},
		TAI: real + n.shift + taiOffset*1e9, MaxErrorAt: 20 * time.Microsecond, MaxErrorPPM: 1, RateBoundPPM: 1, TAIOffset: taiOffset,
		Leap: n.leap, LeapAt: n.at, Stratum: 1, RefID: 0x47505300, NTS: true}
}

func (n *nearLeap) Snapshot() *discipline.Snapshot {
	h := sysclock.ReadPair()
	return n.snapshot(h.Raw, h.Real)
}

// utc is what a right clock shows when this machine's shows real.
func (n *nearLeap) utc(real int64) discipline.UTC { return n.snapshot(0, real).UTCAt(0) }

// leapList is a list of leap seconds in the form of tzdata.
func leapList(expires int64, leap discipline.Leap, at int64) []byte {
	const since1900, first = 2_208_988_800, 1_483_228_800
	data := fmt.Sprintf("%d37", first+since1900)
	lines := fmt.Sprintf("%d 37\n", first+since1900)
	if leap != discipline.LeapNone {
		data += fmt.Sprintf("%d%d", at+since1900, 37+leap)
		lines += fmt.Sprintf("%d %d\n", at+since1900, 37+leap)
	}
	sum := sha1.Sum(fmt.Appendf(nil, "%d%s", expires+since1900, data))
	return fmt.Appendf(nil, "#@ %d\n%s#h %x %x %x %x %x\n", expires+since1900, lines, sum[:4], sum[4:8], sum[8:12], sum[12:16], sum[16:])
}

// Each guest passes a leap second: a list knows it, or the servers announce it; somebody sets the clock once the kernel was told,
// so that it is behind the timeline. The kernel makes the second itself all the same, so that the clock is stepped at the start only, and what
// the kernel says of its clock is true before and after.
func TestALeapSecondInTheGuest(t *testing.T) {
	l := newLab(t)
	end := time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	const before, after = 40, 6
	type run struct {
		name string
		leap discipline.Leap
		*guest
		*nearLeap
	}
	var runs []run
	for i, c := range []struct {
		name   string
		leap   discipline.Leap
		listed discipline.Leap
		until  int64         // the list is valid
		set    time.Duration // by so much, with 15 s to go
	}{
		{"inserted, listed", discipline.LeapInsert, discipline.LeapInsert, end + 180*86400, 0},
		{"inserted, announced, set", discipline.LeapInsert, discipline.LeapNone, end - 4*86400, -20 * time.Millisecond},
		{"deleted, listed", discipline.LeapDelete, discipline.LeapDelete, end + 180*86400, 0},
		{"deleted, listed, set", discipline.LeapDelete, discipline.LeapDelete, end + 180*86400, -700 * time.Millisecond},
	} {
		n := i + 1
		s := &server{name: fmt.Sprintf("leap%d", n), ke: 4470, ntp: 11010}
		list := l.write(fmt.Sprintf("leaps%d", n), leapList(c.until, c.listed, end))
		now := (end - before) * 1e9
		g := l.guest(probe.Spec{Real: now - 2e6, Program: l.config(n, time.Second, fmt.Sprintf("step_threshold = \"900ms\"\nleap_list = %q", list), s)})
		it := &nearLeap{now - time.Now().UnixNano(), c.leap, end}
		l.timeline(hostAddress(n), s, it)
		g.do("start")
		if c.set != 0 {
			time.AfterFunc((before-15)*time.Second, func() { g.try(fmt.Sprintf("move %d", c.set)) })
		}
		runs = append(runs, run{c.name, c.leap, g, it})
	}
	time.Sleep((before + after) * time.Second)
	for _, r := range runs {
		l.sub(r.name, func(t *testing.T) {
			ready, last := false, sample{}
			for _, s := range r.since(time.Time{}) {
				u := r.utc(s.at.UnixNano())
				off := s.err - time.Duration(u.UnixNano()-s.at.UnixNano())
				left := time.Duration(end*1e9 - u.UnixNano())
				if left > 3*time.Second && !s.Unsynchronized {
					ready = true
				}
				if s.Unsynchronized || left.Abs() < 1500*time.Millisecond {
					continue
				}
				if last = s; off.Abs() > s.MaxError+s.slack {
					t.Errorf("%v before the leap second the clock is off by %v ± %v, its kernel was told %v", left, off, s.slack, s.MaxError)
				}
			}
			if !ready {
				t.Skip("the guest knew the time too late")
			}
			if n := strings.Count(r.logText(), "stepping the host clock"); n > 1 || last.TAIOffset != 37+int32(r.leap) {
				t.Errorf("the clock was stepped %d times; at the end TAI - UTC is %d; the gateway said:\n%s", n, last.TAIOffset, tail(r.logText(), 1500))
			}
		})
	}
}
