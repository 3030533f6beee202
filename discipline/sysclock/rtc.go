package sysclock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// rtcSlack is how far the battery clock may be off: it counts whole seconds, and the kernel's
// own 11-minute mode, where it is built in (CONFIG_RTC_SYSTOHC), keeps it within one.
const rtcSlack = 2 * time.Second

// RTC is the battery clock. While the kernel is told that its clock is synchronized, most
// kernels write it themselves every 11 minutes; RTC writes it where they don't, and at once
// after a step.
type RTC struct {
	device string                    // of the clock; empty: no battery clock
	utc    bool                      // it keeps UTC, not local time
	now    func() time.Time          // the host clock
	get    func() (time.Time, error) // the battery clock
	set    func(time.Time) error
}

// NewRTC returns the machine's battery clock, or nil when it has none: that is no error, a
// Raspberry Pi has none.
func NewRTC() *RTC {
	for _, dev := range []string{"/dev/rtc", "/dev/rtc0"} {
		if _, err := os.Stat(dev); err == nil {
			r := &RTC{device: dev, utc: keepsUTC(os.DirFS("/etc")), now: time.Now}
			r.get, r.set = r.read, r.write
			return r
		}
	}
	return nil
}

// Keep compares the battery clock with the host clock and sets it when it is off by more than
// 2 s, or, right after a step, by more than half a second. A battery clock that keeps local
// time is left alone: another system owns it.
func (r *RTC) Keep(stepped bool) error {
	if r == nil || !r.utc {
		return nil
	}
	slack := rtcSlack
	if stepped {
		slack = time.Second / 2
	}
	have, err := r.get()
	var off time.Duration
	if err == nil {
		// It reads whole seconds, truncated.
		off = r.now().Sub(have) - time.Second/2
	} else if !errors.Is(err, unix.EINVAL) { // EINVAL: it lost its time
		return fmt.Errorf("reading %s: %w", r.device, err)
	}
	if err == nil && off.Abs() <= slack+time.Second/2 {
		return nil
	}
	if err := r.set(r.now().Add(time.Second / 2).Truncate(time.Second)); err != nil {
		return fmt.Errorf("setting %s: %w", r.device, err)
	}
	return nil
}

// Time returns what the battery clock shows, in whole seconds; false without one, when it keeps local
// time, or when it lost its time.
func (r *RTC) Time() (time.Time, bool) {
	if r == nil || !r.utc {
		return time.Time{}, false
	}
	t, err := r.get()
	return t, err == nil
}

func (r *RTC) read() (time.Time, error) {
	f, err := os.Open(r.device)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	t, err := unix.IoctlGetRTCTime(int(f.Fd()))
	if err != nil {
		return time.Time{}, err
	}
	return time.Date(int(t.Year)+1900, time.Month(t.Mon+1), int(t.Mday), int(t.Hour), int(t.Min), int(t.Sec), 0, time.UTC), nil
}

func (r *RTC) write(t time.Time) error {
	f, err := os.Open(r.device)
	if err != nil {
		return err
	}
	defer f.Close()
	t = t.UTC()
	return unix.IoctlSetRTCTime(int(f.Fd()), &unix.RTCTime{
		Sec: int32(t.Second()), Min: int32(t.Minute()), Hour: int32(t.Hour()),
		Mday: int32(t.Day()), Mon: int32(t.Month()) - 1, Year: int32(t.Year()) - 1900,
	})
}

// keepsUTC reads /etc/adjtime, where hwclock(8) notes which time the battery clock keeps.
func keepsUTC(etc fs.FS) bool {
	b, err := fs.ReadFile(etc, "adjtime")
	if err != nil {
		return true
	}
	lines := strings.Split(string(b), "\n")
	return len(lines) < 3 || strings.TrimSpace(lines[2]) != "LOCAL"
}
