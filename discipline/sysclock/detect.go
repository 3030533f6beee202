package sysclock

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Other is a program that steers the host clock beside this one.
type Other struct {
	Name string // chronyd, ntpd …; empty when only its effect was seen
	PID  int    // 0 as above
	What string // what was seen, for a sentence
}

// String says who it is and how it was found out.
func (o *Other) String() string {
	if o.Name == "" {
		return "another program steers the host clock: " + o.What
	}
	return fmt.Sprintf("%s (process %d) steers the host clock", o.Name, o.PID)
}

// DetectOther looks for somebody else who steers the host clock: a known daemon in /proc that
// may set the time, at once, and then any change of the kernel's frequency, phase or status
// while watch passes (inside a container only that can be seen). It returns nil when there is
// nobody. Nothing of this process may set the clock meanwhile.
func DetectOther(ctx context.Context, watch time.Duration) (*Other, error) {
	if o := daemon(os.DirFS("/proc"), os.Getpid()); o != nil {
		return o, nil
	}
	return detectChange(ctx, realKernel{}, watch)
}

// detectChange compares the kernel's clock state along the way.
func detectChange(ctx context.Context, k kernel, span time.Duration) (*Other, error) {
	h := host{k: k}
	first, err := h.Kernel()
	if err != nil {
		return nil, err
	}
	if _, err := h.Read(); err != nil {
		return nil, err
	}
	const looks = 20
	timer := time.NewTimer(span / looks)
	defer timer.Stop()
	for range looks {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			timer.Reset(span / looks)
		}
		now, err := h.Kernel()
		if err != nil {
			return nil, err
		}
		if what := changed(first, now); what != "" {
			return &Other{What: what}, nil
		}
		if _, err := h.Read(); err != nil {
			return nil, err
		}
		for _, i := range h.Interference() {
			// One setting of the clock is an operator's date -s, not a daemon.
			if i.Kind != KindSet {
				return &Other{What: i.String()}, nil
			}
		}
	}
	return nil, nil
}

// changed says in words what somebody changed; what the kernel does by itself (maxerror grows,
// and STA_UNSYNC is set once it has grown enough) is no change.
func changed(was, is KernelState) string {
	switch {
	case was.FrequencyPPM != is.FrequencyPPM:
		return fmt.Sprintf("its frequency went from %.3f to %.3f ppm", was.FrequencyPPM, is.FrequencyPPM)
	case is.Pending != 0 && is.Pending.Abs() > was.Pending.Abs():
		return fmt.Sprintf("the kernel was told to slew %v", is.Pending)
	case was.PLL != is.PLL:
		return "the kernel's own loop was switched"
	case was.constant != is.constant:
		return "the kernel loop's time constant was changed"
	case was.Unsynchronized && !is.Unsynchronized:
		return "the kernel was told that it is synchronized"
	case is.MaxError < was.MaxError:
		return "the kernel was told a smaller maximum error"
	case was.TAIOffset != is.TAIOffset && math.Abs(float64(was.TAIOffset-is.TAIOffset)) > 1:
		return "the kernel's TAI offset was set"
	}
	return ""
}

// daemon returns a known time daemon among the processes that may set the time.
func daemon(proc fs.FS, self int) *Other {
	entries, err := fs.ReadDir(proc, ".")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == self {
			continue
		}
		if name := daemonName(proc, e.Name()); name != "" && capable(proc, e.Name()) {
			return &Other{Name: name, PID: pid}
		}
	}
	return nil
}

// daemonName returns the name of the time daemon that a process is, or "".
func daemonName(proc fs.FS, pid string) string {
	line, err := fs.ReadFile(proc, pid+"/cmdline")
	if err != nil || len(line) == 0 {
		return ""
	}
	args := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
	// openntpd writes "ntpd: …" over its arguments.
	name, _, _ := strings.Cut(path.Base(strings.Fields(args[0] + " ")[0]), ":")
	switch name {
	case "chronyd":
		if slices.Contains(args, "-x") { // it is told not to steer
			return ""
		}
	case "ptp4l":
		if !slices.Contains(args, "-S") { // it steers the network card's clock, not the host's
			return ""
		}
	case "ntpd", "ntpsec", "openntpd", "ntp-daemon", "ntpd-rs", "systemd-timesyncd", "phc2sys", "timemaster", "sptp":
	default:
		return ""
	}
	return name
}

// MaySetTime reports whether this process has CAP_SYS_TIME in the first user namespace, the
// only one whose capability the kernel honours for the clock.
func MaySetTime() bool {
	proc := os.DirFS("/proc")
	if !capable(proc, "thread-self") {
		return false
	}
	m, err := fs.ReadFile(proc, "self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(m)), " ") == "0 0 4294967295"
}

// capable reports whether a process has CAP_SYS_TIME in effect.
func capable(proc fs.FS, pid string) bool {
	const capSysTime = 25
	status, err := fs.ReadFile(proc, pid+"/status")
	if err != nil {
		return false
	}
	for line := range bytes.Lines(status) {
		if hex, ok := bytes.CutPrefix(line, []byte("CapEff:")); ok {
			caps, err := strconv.ParseUint(strings.TrimSpace(string(hex)), 16, 64)
			return err == nil && caps>>capSysTime&1 == 1
		}
	}
	return false
}
