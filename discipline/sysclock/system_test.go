package sysclock

import (
	"errors"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
)

func TestReadingsOfTheRealClock(t *testing.T) {
	a := Now()
	h := ReadPair()
	b := Now()
	if h.Raw < a || h.Raw > b {
		t.Errorf("the pair's raw reading %d is not between %d and %d", h.Raw, a, b)
	}
	if h.Width < 1 || h.Width > time.Millisecond {
		t.Errorf("width %v", h.Width)
	}
	if d := time.Since(time.Unix(0, h.Real)); d.Abs() > time.Minute {
		t.Errorf("REALTIME reading is %v from time.Now", d)
	}
	if x, y := Suspended(), Suspended(); (x - y).Abs() > 500*time.Microsecond {
		t.Errorf("two readings of the suspended time differ: %v, %v", x, y)
	}
}

func TestKernelStateOfThisMachineCanBeRead(t *testing.T) {
	k, err := NewObserver().Kernel()
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(time.Unix(0, k.Real)); d.Abs() > time.Minute {
		t.Errorf("the kernel's time field reads %v off: the structure's layout is wrong", d)
	}
	if math.Abs(k.FrequencyPPM) > MaxFrequencyPPM {
		t.Errorf("frequency %v ppm", k.FrequencyPPM)
	}
}

func TestWithoutTheCapabilityTheErrorSaysWhatToDo(t *testing.T) {
	if MaySetTime() {
		t.Skip("this process may set the clock; the test runs where it may not (setpriv --bounding-set -sys_time)")
	}
	err := NewSystem().SetStatus(KernelStatus{})
	var p *PermissionError
	if !errors.As(err, &p) || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "CAP_SYS_TIME") {
		t.Fatalf("err = %v", err)
	}
}

func TestSplitFrequency(t *testing.T) {
	for _, c := range []struct {
		ppm  float64
		tick int64 // present
		want int64
	}{
		{0, 10000, 10000}, {405, 10000, 10000}, {500, 10000, 10000}, {-500, 10000, 10000},
		{500.5, 10000, 10005}, {600, 10000, 10006}, {-8960, 10000, 9910},
		{590, 10006, 10006}, {120, 10006, 10006}, // kept while it fits
		{50, 10006, 10000}, {600, 12000, 10006}, {MaxFrequencyPPM, 10000, 10905 - 0},
	} {
		tick, freq := splitFrequency(c.ppm, c.tick)
		if c.ppm != MaxFrequencyPPM && tick != c.want {
			t.Errorf("%v ppm from tick %d: tick %d, want %d", c.ppm, c.tick, tick, c.want)
		}
		if freq > 500<<16 || freq < -500<<16 {
			t.Errorf("%v ppm: freq %d beyond the kernel's limit", c.ppm, freq)
		}
		if got := joinFrequency(tick, freq); math.Abs(got-c.ppm) > 1.0/65536 {
			t.Errorf("%v ppm came back as %v", c.ppm, got)
		}
	}
}

func TestFrequencyIsAppliedAndReadBack(t *testing.T) {
	for _, ppm := range []float64{0, 405, 600, -8960, 499.99, 90000} {
		k := newSimKernel()
		s := &System{host: host{k: k}}
		if err := s.SetFrequency(ppm); err != nil {
			t.Fatal(err)
		}
		a, err := s.Read()
		if err != nil {
			t.Fatal(err)
		}
		k.pass(100 * time.Second)
		b, _ := s.Read()
		rate := (float64(b.Real-a.Real)/float64(b.Raw-a.Raw) - 1) * 1e6
		if math.Abs(rate-ppm) > 0.001 || math.Abs(a.FrequencyPPM-ppm) > 0.001 {
			t.Errorf("set %v ppm: the clock runs at %v and reads back %v", ppm, rate, a.FrequencyPPM)
		}
		if e := s.Interference(); e != nil {
			t.Errorf("own changes were reported: %v", e)
		}
	}
	for _, ppm := range []float64{90501, -1e9, math.NaN(), math.Inf(1)} {
		if err := (&System{host: host{k: newSimKernel()}}).SetFrequency(ppm); err == nil {
			t.Errorf("%v ppm was taken", ppm)
		}
	}
}

func TestStepMovesByExactlyThatMuch(t *testing.T) {
	for _, d := range []time.Duration{3 * time.Second, -3*time.Second - 1, -1, 1, -999_999_999, 50 * 365 * 24 * time.Hour} {
		k := newSimKernel()
		s := &System{host: host{k: k}}
		before := k.real()
		if err := s.Step(d); err != nil {
			t.Fatal(err)
		}
		if got := k.real() - before; got != int64(d) {
			t.Errorf("step by %v moved by %v", d, time.Duration(got))
		}
		s.Read()
		if e := s.Interference(); e != nil {
			t.Errorf("own step was reported: %v", e)
		}
	}
}

func TestStatusReachesTheKernel(t *testing.T) {
	k := newSimKernel()
	s := &System{host: host{k: k}}
	want := KernelStatus{Synchronized: true, MaxError: 1234567, EstError: 1001, TAIOffset: 37, Leap: discipline.LeapInsert}
	if err := s.SetStatus(want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	if got.Unsynchronized || got.MaxError != 1235*time.Microsecond || got.EstError != 2*time.Microsecond ||
		got.TAIOffset != 37 || got.Leap != discipline.LeapInsert || !got.Nano || got.PLL {
		t.Errorf("kernel: %+v", got)
	}
	if err := s.SetStatus(KernelStatus{MaxError: math.MaxInt64, EstError: math.MaxInt64, Leap: discipline.LeapDelete}); err != nil {
		t.Fatal(err)
	}
	got, _ = s.Kernel()
	if !got.Unsynchronized || got.MaxError != 16*time.Second || got.TAIOffset != 37 || got.Leap != discipline.LeapDelete {
		t.Errorf("kernel: %+v", got)
	}
	for bound, want := range map[time.Duration]bool{15 * time.Second: false, 16 * time.Second: true, 18 * time.Second: true} {
		if err := s.SetStatus(KernelStatus{Synchronized: true, MaxError: bound}); err != nil {
			t.Fatal(err)
		}
		if got, _ := s.Kernel(); got.Unsynchronized != want {
			t.Errorf("told of a bound of %v the kernel calls its clock unsynchronized: %v, and says %v", bound, got.Unsynchronized, got.MaxError)
		}
	}
}

func TestTheKernelsOwnLoopIsPutOutOfAction(t *testing.T) {
	k := newSimKernel()
	k.t.status, k.t.offset = unix.STA_PLL|unix.STA_UNSYNC, 250_000
	s := &System{host: host{k: k}}
	if err := s.SetFrequency(1); err != nil {
		t.Fatal(err)
	}
	got, _ := s.Kernel()
	if got.PLL || got.Pending != 0 {
		t.Errorf("kernel: %+v", got)
	}
}

// A kernel whose clock is set after it was told of a leap second makes none, unless it is made to look anew.
func TestALeapSecondOutlastsASettingOfTheClock(t *testing.T) {
	for name, set := range map[string]func(*System, *simKernel) error{
		"by ourselves":                        func(s *System, _ *simKernel) error { return s.Step(-time.Second) },
		"by others":                           func(s *System, k *simKernel) error { k.set(time.Millisecond); _, err := s.Read(); return err },
		"by others, by too little to be seen": func(s *System, k *simKernel) error { k.set(time.Microsecond); _, err := s.Read(); return err },
		"by others, seen when the frequency is set": func(s *System, k *simKernel) error {
			k.set(-time.Millisecond)
			return s.SetFrequency(7)
		},
	} {
		k := newSimKernel()
		s := &System{host: host{k: k}}
		status := KernelStatus{Synchronized: true, MaxError: time.Millisecond, TAIOffset: 37, Leap: discipline.LeapInsert}
		for range 2 {
			if _, err := s.Read(); err != nil {
				t.Fatal(err)
			}
			if err := s.SetStatus(status); err != nil {
				t.Fatal(err)
			}
			k.pass(time.Second)
		}
		if err := set(s, k); err != nil {
			t.Fatal(err)
		}
		if !k.deaf {
			t.Fatalf("%s: the test shows nothing", name)
		}
		if err := s.SetStatus(status); err != nil {
			t.Fatal(err)
		}
		got, _ := s.Kernel()
		if k.deaf || got.Leap != discipline.LeapInsert || got.Unsynchronized || got.TAIOffset != 37 || got.PLL {
			t.Errorf("%s: it makes no leap second: %v; %+v", name, k.deaf, got)
		}
		before := len(k.calls)
		if err := s.SetStatus(status); err != nil || len(k.calls) != before+1 {
			t.Errorf("%s: %d calls a status, %v", name, len(k.calls)-before, err)
		}
	}
}

// A clock that is set back right after its leap second, before this process looked again, makes none a second time.
func TestALeapSecondIsMadeOnce(t *testing.T) {
	for _, leap := range []discipline.Leap{discipline.LeapInsert, discipline.LeapDelete} {
		for _, state := range []int{unix.TIME_OK, timeOOP, timeWait} {
			k := newSimKernel()
			s := &System{host: host{k: k}}
			told := func(leap discipline.Leap, once bool, want discipline.Leap) {
				t.Helper()
				if _, err := s.Read(); err != nil {
					t.Fatal(err)
				}
				if err := s.SetStatus(KernelStatus{Synchronized: true, MaxError: time.Millisecond, Leap: leap, Once: once}); err != nil {
					t.Fatal(err)
				}
				if got, _ := s.Kernel(); got.Leap != want || got.Unsynchronized {
					t.Errorf("state %d: told of %d, and %+v", state, leap, got)
				}
			}
			told(leap, false, leap)
			if state != unix.TIME_OK { // made by a clock that was ahead: it is to be made when its time comes
				k.state = state
				k.set(-time.Minute)
				told(leap, false, leap)
				told(leap, true, leap)
			}
			k.pass(time.Second)
			k.state = state
			k.set(-300 * time.Millisecond)
			again := leap // it has not made it, and forgot when to
			if state != unix.TIME_OK {
				again = discipline.LeapNone
			}
			told(leap, true, again)
			k.set(-time.Millisecond)
			told(leap, true, again)
			// Set between being read and being told: the kernel is told that nothing is known, and in the next turn more.
			k.set(-time.Millisecond)
			if _, err := s.Read(); err != nil {
				t.Fatal(err)
			}
			if err := s.SetStatus(KernelStatus{MaxError: time.Hour}); err != nil {
				t.Fatal(err)
			}
			told(leap, true, again)
			told(discipline.LeapNone, false, discipline.LeapNone)
			told(leap, true, leap) // the next one, months later
		}
	}
	// What another daemon left behind before the first call says nothing of the leap second that comes.
	k := newSimKernel()
	k.t.status, k.state = unix.STA_INS, timeWait
	s := &System{host: host{k: k}}
	if err := s.SetStatus(KernelStatus{Synchronized: true, Leap: discipline.LeapInsert, Once: true}); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Kernel(); got.Leap != discipline.LeapInsert {
		t.Errorf("%+v", got)
	}
}

func TestPermissionIsATypedError(t *testing.T) {
	k := newSimKernel()
	k.deny = true
	s := &System{host: host{k: k}}
	var p *PermissionError
	for op, err := range map[string]error{
		"frequency": s.SetFrequency(1), "step": s.Step(1), "status": s.SetStatus(KernelStatus{}),
	} {
		if !errors.As(err, &p) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if _, err := s.Read(); err != nil {
		t.Errorf("reading needs no permission: %v", err)
	}
}

func TestObserverNeverSets(t *testing.T) {
	k := newSimKernel()
	o := &Observer{host{k: k}}
	for _, err := range []error{o.SetFrequency(1), o.Step(1), o.SetStatus(KernelStatus{})} {
		if !errors.Is(err, ErrObserver) {
			t.Errorf("err = %v", err)
		}
	}
	o.Read()
	o.Kernel()
	if len(k.calls) != 0 || o.CanSet() {
		t.Errorf("calls %v, CanSet %v", k.calls, o.CanSet())
	}
}
