package uml

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/tests/uml/probe"
)

// config writes the configuration of a gateway in guest n that asks these servers, and returns
// the command line that runs it. extra is more of the [clock] section.
func (l *lab) config(n int, poll time.Duration, extra string, servers ...*server) []string {
	l.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "[gateway]\nid = \"guest%d\"\nstate_dir = \"/var/lib/ntsgw\"\n", n)
	if !strings.Contains(extra, "mode = ") {
		extra += "\nmode = \"system\""
	}
	fmt.Fprintf(&b, "[clock]\n%s\n", extra)
	for _, s := range servers {
		fmt.Fprintf(&b, "[[server]]\nname = %q\noperator = %q\naddress = \"%s:%d\"\nca = \"%s/ca.pem\"\nmin_poll = %q\nmax_poll = %q\nrevocation = \"off\"\n",
			s.name, s.name, hostAddress(n), s.ke, l.dir, poll, poll)
	}
	fmt.Fprintf(&b, "[mqtt]\nenabled = false\n[status]\nlisten = \"\"\nsocket = \"/run/ntsgw.sock\"\n[log]\nformat = \"text\"\ntracking = \"%s/tracking%d\"\n", l.dir, n)
	path := l.write(fmt.Sprintf("ntsgw%d.toml", n), []byte(b.String()))
	return []string{built(l.t, "ntsgw"), "run", "-config", path}
}

// status is what the gateway in the guest says of itself.
type status struct {
	Mode     string  `json:"mode"`
	State    string  `json:"state"`
	Epoch    string  `json:"epoch"`
	MaxError float64 `json:"max_error_seconds"`
	Rate     float64 `json:"frequency_ppm"`
	Warnings []struct {
		ID string `json:"id"`
	} `json:"warnings"`
	Sources []struct {
		Name     string            `json:"name"`
		State    string            `json:"state"`
		Rejected map[string]uint64 `json:"rejected"`
	} `json:"sources"`
	text string
}

func (g *guest) askStatus() (s status, err error) {
	text, err := g.try(fmt.Sprintf("run %s status -json -config %s/ntsgw%d.toml", built(g.l.t, "ntsgw"), g.l.dir, g.n))
	if err != nil {
		return s, err
	}
	s.text = text
	return s, json.Unmarshal([]byte(text), &s)
}

func (g *guest) status() (s status, text string) {
	g.l.t.Helper()
	s, err := g.askStatus()
	if err != nil {
		g.l.t.Fatalf("status: %v", err)
	}
	return s, s.text
}

// settled waits until the gateway itself says that it is synchronized, which it is within limit on a machine that does
// nothing else.
func (g *guest) settled(limit time.Duration) {
	g.l.t.Helper()
	limit *= busy
	for begun := time.Now(); ; time.Sleep(300 * time.Millisecond) {
		s, err := g.askStatus()
		if err == nil && s.State == "synchronized" {
			return
		}
		if time.Since(begun) > limit {
			g.l.t.Fatalf("not synchronized within %v: %v, %+v", limit, err, s)
		}
	}
}

func (s *status) warned(id string) bool {
	for _, w := range s.Warnings {
		if w.ID == id {
			return true
		}
	}
	return false
}

func synced(s sample) bool { return !s.Unsynchronized && s.MaxError < time.Second }

// slewed is how long the largest offset that is not stepped (100 ms) takes at 500 ppm, and some more. A guest that
// the machine stops between reading its clock and setting it moves it by more than it was told.
const slewed = 250 * time.Second / busy

// A clock that starts 3 s wrong is stepped once and then held, whatever happens to the program
// or the clock.
func TestAGuestsClockIsSetOnceThenHeld(t *testing.T) {
	l := newLab(t)
	s := l.chrony(1, "0.0.0.0")
	g := l.guest(probe.Spec{Wrong: 3 * time.Second, Program: l.config(1, time.Second, "", s)})
	if k := g.kernel(); !k.Unsynchronized {
		t.Fatalf("a fresh kernel: %+v", k)
	}
	g.do("start")
	took := g.wait("the first synchronization", 20*time.Second, synced)
	held := g.hold(8 * time.Second)
	rms, worst, bound := spread(held)
	t.Logf("synchronized %v after the start, then RMS %v, at most %v, stated %v", took.Round(100*time.Millisecond), rms, worst, bound)
	if worst > 5*time.Millisecond {
		t.Errorf("the clock is off by up to %v after it was set", worst)
	}
	if n := strings.Count(g.logText(), "stepping the host clock"); n != 1 {
		t.Errorf("stepped %d times", n)
	}
	k := g.kernel()
	if k.Unsynchronized || k.PLL || k.TAIOffset != 37 || k.MaxError <= 0 || k.EstError <= 0 || k.EstError > k.MaxError {
		t.Errorf("the kernel's state: %+v", k)
	}

	l.sub("killed and started again", func(t *testing.T) {
		g.do("kill")
		before := g.kernel()
		g.hold(4 * time.Second)
		after := g.kernel()
		if after.MaxError < before.MaxError+1500*time.Microsecond || after.Unsynchronized {
			t.Errorf("without its program the kernel's bound went from %v to %v in 4 s", before.MaxError, after.MaxError)
		}
		if after.FrequencyPPM != before.FrequencyPPM {
			t.Errorf("the frequency went from %v to %v ppm", before.FrequencyPPM, after.FrequencyPPM)
		}
		g.do("start")
		g.settled(20 * time.Second)
		g.hold(4 * time.Second)
		g.wait("a small bound again", 15*time.Second, func(s sample) bool { return s.MaxError < 5*time.Millisecond })
		if n := strings.Count(g.logText(), "stepping the host clock"); n != 1 {
			t.Errorf("stepped %d times", n)
		}
	})

	l.sub("ended in order", func(t *testing.T) {
		g.do("term")
		if k := g.kernel(); k.Unsynchronized || k.MaxError > 50*time.Millisecond {
			t.Errorf("the kernel's state: %+v", k)
		}
		g.hold(3 * time.Second)
		g.do("start")
		g.settled(20 * time.Second)
	})

	l.sub("set by an operator", func(t *testing.T) {
		was, _ := g.status()
		for _, by := range []time.Duration{-2 * time.Second, 700 * time.Millisecond, 6 * time.Millisecond} {
			g.do(fmt.Sprintf("move %d", by))
			begun := time.Now()
			g.wait("being steered back", slewed, func(s sample) bool {
				return synced(s) && s.err.Abs() < 2*time.Millisecond && time.Since(begun) > 1500*time.Millisecond
			})
			g.judge(g.since(begun.Add(2 * time.Second)))
		}
		is, text := g.status()
		if is.Epoch != was.Epoch || is.State != "synchronized" || !is.warned("host-clock-set") {
			t.Errorf("epoch %s was %s: %s", is.Epoch, was.Epoch, text)
		}
		// A busy machine may make a guest see one more.
		if n := strings.Count(g.logText(), "set by somebody else"); n < 3 {
			t.Errorf("warned %d times of 3 settings", n)
		}
		g.hold(3 * time.Second)
	})

	l.sub("set in mid-exchange", func(t *testing.T) {
		// Forty settings of a few ms, faster than the polls: some fall between a request and its
		// reply. None of them may move what is stated about the clock.
		was, _ := g.status()
		for i := range 40 {
			by := 5 * time.Millisecond
			if i%2 == 1 {
				by = -by
			}
			g.do(fmt.Sprintf("move %d", by))
			time.Sleep(73 * time.Millisecond)
		}
		begun := time.Now()
		g.wait("being steered back", slewed, func(s sample) bool {
			return synced(s) && s.err.Abs() < 2*time.Millisecond && time.Since(begun) > 1500*time.Millisecond
		})
		g.hold(4 * time.Second)
		if is, text := g.status(); is.Epoch != was.Epoch || is.State != "synchronized" {
			t.Errorf("epoch was %s: %s", was.Epoch, text)
		}
	})

	l.sub("no server any more", func(t *testing.T) {
		s.process.end()
		g.hold(12 * time.Second)
		if k := g.kernel(); k.Unsynchronized {
			t.Errorf("in holdover the kernel was told that it isn't synchronized: %+v", k)
		}
	})
}

// Everything that sysclock sets, on a kernel that obeys.
func TestSysclockOnARealKernel(t *testing.T) {
	l := newLab(t)
	g := l.guest(probe.Spec{})
	out, err := g.within(busy*30*time.Second, "clockcheck")
	t.Log(out)
	if err != nil {
		t.Error(err)
	}
}

// What the kernel says nine hours after its program was killed: its own growth of the bound, 500
// ppm, has reached 16 s, and it calls itself unsynchronized. Here the hours are skipped.
func TestTheKernelGivesUpOnAClockThatNobodyKeeps(t *testing.T) {
	l := newLab(t)
	s := l.chrony(1, "0.0.0.0")
	g := l.guest(probe.Spec{Start: true, Program: l.config(1, time.Second, "", s)})
	g.wait("the first synchronization", 20*time.Second, synced)
	g.do("kill")
	g.do(fmt.Sprintf("maxerror %d", 15_998_000)) // µs, after 8 h 53 min
	g.hold(3 * time.Second)
	g.wait("STA_UNSYNC", 10*time.Second, func(s sample) bool { return s.Unsynchronized })
	g.do("start")
	g.wait("the next synchronization", 20*time.Second, synced)
	g.hold(3 * time.Second)
}

// Servers gone for longer than holdover_max: the kernel is told, and nothing is served.
func TestHoldoverEndsInTheGuest(t *testing.T) {
	if !long() {
		t.Skip("holdover_max is a minute at least; the long runs (NTSGW_UML=long) have the time")
	}
	l := newLab(t)
	s := l.chrony(1, "0.0.0.0")
	g := l.guest(probe.Spec{Start: true, Program: l.config(1, time.Second, `holdover_max = "1m"`, s)})
	g.wait("the first synchronization", 20*time.Second, synced)
	s.process.end()
	g.hold(45 * time.Second)
	if k := g.kernel(); k.Unsynchronized {
		t.Errorf("in holdover: %+v", k)
	}
	g.wait("STA_UNSYNC", 45*time.Second, func(s sample) bool { return s.Unsynchronized && s.MaxError >= 16*time.Second })
	if is, text := g.status(); is.State == "synchronized" || is.State == "holdover" {
		t.Errorf("status: %s", text)
	}
}

// chrony steers the guest's clock, ntsgw follows: it sets nothing, and its bound covers the
// clock that chrony keeps.
func TestFollowingChronyInTheGuest(t *testing.T) {
	l := newLab(t)
	s := l.chrony(1, "0.0.0.0")
	client := l.chronyClient(1, 0, s)
	g := l.guest(probe.Spec{Wrong: time.Second, Setup: [][]string{{client[0], "-f", client[3]}},
		Program: l.config(1, time.Second, `mode = "follow"`, s)})
	g.wait("chrony's first synchronization", 40*time.Second, synced)
	g.do("start")
	g.settled(20 * time.Second)
	for range 6 {
		time.Sleep(time.Second)
		is, text := g.status()
		k := g.since(time.Time{})
		last := k[len(k)-1]
		if is.Mode != "follow" || is.State != "synchronized" || is.MaxError < (last.err.Abs()-last.slack).Seconds() {
			t.Errorf("clock off by %v: %s", last.err, text)
		}
		if is.MaxError < last.EstError.Seconds() {
			t.Errorf("stated %v, chrony's estimate is %v", is.MaxError, last.EstError)
		}
	}
	if strings.Contains(g.logText(), "stepping") {
		t.Error("a follower stepped the clock")
	}
}

// A board without a battery clock starts in 1970 and is set with quorum.
func TestAGuestStartsIn1970(t *testing.T) { startsWrong(t, 1000e9) }

// A battery clock that went mad shows 2100.
func TestAGuestStartsIn2100(t *testing.T) { startsWrong(t, 4_102_444_800e9) }

func startsWrong(t *testing.T, real int64) {
	l := newLab(t)
	a, b, c := l.chrony(1, "0.0.0.0"), l.chrony(2, "0.0.0.0"), l.chrony(3, "0.0.0.0")
	g := l.guest(probe.Spec{Real: real, Start: true, Program: l.config(1, time.Second, "", a, b, c)})
	took := g.wait("the first synchronization", 30*time.Second, synced)
	_, worst, bound := spread(g.hold(8 * time.Second))
	t.Logf("set from a wrong year in %v, then at most %v off, stated %v", took, worst, bound)
	if worst > 5*time.Millisecond {
		t.Errorf("the clock is off by up to %v", worst)
	}
}

// The same with one server of four that lies by a year: it is not followed.
func TestAGuestStartsIn1970BesideALiar(t *testing.T) {
	l := newLab(t)
	bad := &server{name: "liar", ke: 4470, ntp: 11010}
	servers := []*server{l.chrony(1, "0.0.0.0"), l.chrony(2, "0.0.0.0"), l.chrony(3, "0.0.0.0"), bad}
	g := l.guest(probe.Spec{Real: 1000e9, Program: l.config(1, time.Second, "", servers...)})
	tells := l.liar(bad, func(time.Duration) time.Duration { return 365 * 24 * time.Hour })
	g.do("start")
	took := g.wait("the first synchronization", 30*time.Second, synced)
	_, worst, bound := spread(g.hold(8 * time.Second))
	is, text := g.status()
	t.Logf("set from 1970 in %v, then at most %v off, stated %v; the liar was asked %d times", took, worst, bound, tells.tells.Load())
	if worst > 5*time.Millisecond || tells.tells.Load() == 0 {
		t.Errorf("the clock is off by up to %v", worst)
	}
	for _, s := range is.Sources {
		if (s.Name == "liar") == (s.State == "selected") {
			t.Errorf("%s is %s: %s", s.Name, s.State, text)
		}
	}
}

// A second daemon that steers the clock is seen, and ours gives way.
func TestAnotherDaemonInTheGuest(t *testing.T) {
	l := newLab(t)
	s := l.chrony(1, "0.0.0.0")
	g := l.guest(probe.Spec{Start: true, Program: l.config(1, time.Second, "", s)})
	g.wait("the first synchronization", 20*time.Second, synced)
	for i := 0; ; i++ { // five are enough where a turn of ours sees each
		g.do(fmt.Sprintf("adjtimex %d", 20+i))
		time.Sleep(1200 * time.Millisecond)
		is, text := g.status()
		if is.warned("another-daemon") && is.State == "synchronized" {
			break
		}
		if i >= busy*5 {
			t.Fatalf("status: %s", text)
		}
	}
	g.do("adjtimex 3")
	time.Sleep(2500 * time.Millisecond)
	if k := g.kernel(); k.FrequencyPPM != 3 {
		t.Errorf("the other's frequency was changed to %v ppm", k.FrequencyPPM)
	}
}
