package uml

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/tests/uml/probe"
)

// skips is the time that a lab's guests and servers believe to have passed beside what has (preload/skip.c).
type skips struct {
	t    *testing.T
	lib  string
	file *os.File
	mu   sync.Mutex
	sum  time.Duration
	n    int64 // writes of the file
}

// maySkip must be called before the lab's first program is started.
func (l *lab) maySkip() {
	l.t.Helper()
	if !hasCompiler() {
		l.t.Skip("gcc is not installed")
	}
	s := &skips{t: l.t, lib: built(l.t, "skip.so")}
	var err error
	if s.file, err = os.Create(filepath.Join(l.dir, "skips")); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { s.file.Close() })
	if err := s.file.Truncate(32); err != nil {
		l.t.Fatal(err)
	}
	l.skips = s
}

// skip moves all clocks of the lab d ahead, some milliseconds from now.
func (s *skips) skip(d time.Duration) {
	s.t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		s.t.Fatal(err)
	}
	put := func(at int64, v ...int64) {
		var b []byte
		for _, x := range v {
			b = binary.NativeEndian.AppendUint64(b, uint64(x))
		}
		if _, err := s.file.WriteAt(b, at); err != nil {
			s.t.Fatal(err)
		}
	}
	s.mu.Lock()
	old := s.sum
	s.sum += d
	s.n += 2
	s.mu.Unlock()
	put(0, s.n-1)
	put(8, int64(old), int64(s.sum), now.Nano()+10e6)
	put(0, s.n)
	time.Sleep(12 * time.Millisecond)
}

// ahead is by how much the lab's time is ahead of this machine's.
func (s *skips) ahead() time.Duration {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sum
}

// sleep lets d pass for the guest in a fraction of the time: 50 s at once, over and over, as a machine
// has it whose programs are starved.
func (g *guest) sleep(d time.Duration) {
	g.l.t.Helper()
	const once = 50 * time.Second
	for ; d > 0; d -= once {
		g.l.skips.skip(once)
		time.Sleep(40 * time.Millisecond)
	}
}

// Ten hours without a server on a real kernel: it is told a bound that covers the clock's true error all
// the time, keeps the learned frequency, and when the server is back nothing jumps.
func TestTenHoursWithoutSources(t *testing.T) {
	l := newLab(t)
	l.maySkip()
	s := l.chrony(1, "0.0.0.0")
	g := l.guest(probe.Spec{Program: l.config(1, time.Second, "", s)})
	g.do("start")
	g.settled(30 * time.Second)
	g.hold(5 * time.Second)
	// The rate is learned over minutes, or ten hours of its error are more than is slewed.
	for range 6 {
		g.sleep(50 * time.Second)
		g.hold(time.Second)
	}
	g.settled(30 * time.Second)
	before := g.kernel()
	was, _ := g.status()
	steps := strings.Count(g.logText(), "stepping the host clock")
	s.process.end()

	for _, d := range []time.Duration{time.Hour, 4 * time.Hour, 5 * time.Hour} {
		g.sleep(d)
		g.hold(3 * time.Second)
		if k := g.kernel(); k.Unsynchronized {
			t.Errorf("after %v the kernel calls itself unsynchronized: %+v", l.skips.ahead(), k)
		}
	}
	after := g.kernel()
	is, _ := g.status()
	t.Logf("%v later the kernel's bound went from %v to %v, its frequency from %.3f to %.3f ppm", l.skips.ahead(), before.MaxError, after.MaxError, before.FrequencyPPM, after.FrequencyPPM)
	if is.State != "holdover" || is.Epoch != was.Epoch {
		t.Errorf("status: %s", is.text)
	}
	if bound := time.Duration(is.MaxError * 1e9); after.MaxError < bound-10*time.Millisecond || after.MaxError < 10*before.MaxError {
		t.Errorf("the gateway states %v, its kernel was told %v", bound, after.MaxError)
	}
	if after.TAIOffset != 37 || after.PLL {
		t.Errorf("the kernel's state is %+v", after)
	}
	// The learned rate is left, but for what one late reading of the clocks has to be slewed.
	var rate float64
	for begun := time.Now(); ; g.hold(time.Second) {
		if rate = g.kernel().FrequencyPPM; math.Abs(rate-is.Rate) <= 1 {
			break
		}
		if time.Since(begun) > busy*30*time.Second {
			t.Errorf("the timeline's rate is %.3f ppm, the kernel's %.3f", is.Rate, rate)
			break
		}
	}

	l.serve(s)
	g.settled(90 * time.Second)
	g.hold(5 * time.Second)
	again := g.kernel()
	back, _ := g.status()
	// What the host clock drifted is slewed, and its bound covers that meanwhile.
	if back.Epoch != was.Epoch || back.MaxError > 0.01 || again.MaxError > 200*time.Millisecond || again.Unsynchronized {
		t.Errorf("back: %+v, %s", again, back.text)
	}
	if n := strings.Count(g.logText(), "stepping the host clock"); n != steps {
		t.Errorf("stepped %d times on return", n-steps)
	}
}
