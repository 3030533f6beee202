package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// clockCheck sets this guest's clock in every way that sysclock knows, and compares what the
// kernel then does with what was asked for. It returns what it measured.
func clockCheck() (report string, err error) {
	say := func(format string, args ...any) { report += fmt.Sprintf(format+"\n", args...) }
	var wrong []error
	check := func(ok bool, format string, args ...any) {
		say(format, args...)
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	s := sysclock.NewSystem()
	for _, ppm := range []float64{0, 405, -405, 600, -8960, 90_000, 12.345678} {
		if err := s.SetFrequency(ppm); err != nil {
			return report, err
		}
		a, err := s.Read()
		if err != nil {
			return report, err
		}
		time.Sleep(800 * time.Millisecond)
		b, err := s.Read()
		if err != nil {
			return report, err
		}
		rate := (float64(b.Real-a.Real)/float64(b.Raw-a.Raw) - 1) * 1e6
		noise := float64(a.Width+b.Width)/float64(b.Raw-a.Raw)*1e6 + 1
		check(math.Abs(rate-ppm) < noise && math.Abs(b.FrequencyPPM-ppm) < 1e-4,
			"frequency %v ppm: the clock runs at %.3f ± %.3f, reads back %.6f", ppm, rate, noise, b.FrequencyPPM)
	}
	if err := s.SetFrequency(0); err != nil {
		return report, err
	}
	for _, d := range []time.Duration{3 * time.Second, -3*time.Second - 1, 1234567, -999_999_999} {
		a := sysclock.ReadPair()
		if err := s.Step(d); err != nil {
			return report, err
		}
		b := sysclock.ReadPair()
		moved := time.Duration(b.Real - a.Real - int64(b.Raw-a.Raw))
		check((moved-d).Abs() <= a.Width+b.Width+2*time.Microsecond, "step by %v: moved by %v", d, moved)
		k, err := s.Kernel()
		if err != nil {
			return report, err
		}
		check(k.Unsynchronized && k.MaxError == 16*time.Second, "after it the kernel says: unsynchronized %v, maxerror %v", k.Unsynchronized, k.MaxError)
	}
	for _, want := range []sysclock.KernelStatus{
		{Synchronized: true, MaxError: 123456, EstError: 7001, TAIOffset: 37},
		{Synchronized: false, MaxError: time.Hour, EstError: time.Hour},
		{Synchronized: true, MaxError: 0, EstError: 0, TAIOffset: 38},
	} {
		if err := s.SetStatus(want); err != nil {
			return report, err
		}
		k, err := s.Kernel()
		if err != nil {
			return report, err
		}
		check(k.Unsynchronized != want.Synchronized && !k.PLL && k.Nano &&
			k.MaxError >= min(want.MaxError, 16*time.Second) && k.MaxError <= want.MaxError+time.Millisecond &&
			(want.TAIOffset == 0 || k.TAIOffset == want.TAIOffset), "status %+v: reads back %+v", want, k)
	}
	if e := s.Interference(); e != nil {
		check(false, "its own changes were reported as somebody else's: %v", e)
	}
	err = leapCheck(s, check)
	return report, errors.Join(append(wrong, err)...)
}

// leapCheck lets the kernel insert a second at the end of 2026.
func leapCheck(s *sysclock.System, check func(bool, string, ...any)) error {
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	ts := unix.NsecToTimespec(end.Add(-1500 * time.Millisecond).UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return err
	}
	if _, err := s.Read(); err != nil {
		return err
	}
	if e := s.Interference(); len(e) != 1 || e[0].Kind != sysclock.KindSet {
		check(false, "a setting of the clock was reported as %v", e)
	}
	if err := s.SetStatus(sysclock.KernelStatus{Synchronized: true, TAIOffset: 37, Leap: discipline.LeapInsert}); err != nil {
		return err
	}
	begun, inserting := time.Now(), false
	for time.Since(begun) < 3*time.Second {
		k, err := s.Kernel()
		if err != nil {
			return err
		}
		inserting = inserting || k.Inserting
		if _, err := s.Read(); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	k, err := s.Kernel()
	if err != nil {
		return err
	}
	past := time.Unix(0, k.Real).Sub(end)
	check(inserting && k.TAIOffset == 38 && past > 0 && past < 1500*time.Millisecond,
		"a leap second: inserted %v, TAI offset %d, then %v after the end of the year", inserting, k.TAIOffset, past)
	if e := s.Interference(); e != nil {
		check(false, "the kernel's leap second was reported as somebody's doing: %v", e)
	}
	return nil
}
