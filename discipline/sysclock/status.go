package sysclock

import (
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
)

// KernelStatus is what the rest of the host is told of its clock.
type KernelStatus struct {
	Synchronized bool          // false sets STA_UNSYNC; so does a MaxError of 16 s or more, which the kernel can't hold
	MaxError     time.Duration // bound on the host clock's error; rounded up to 1 µs
	EstError     time.Duration // its likely error; rounded up to 1 µs
	TAIOffset    int           // TAI − UTC, seconds; 0 leaves the kernel's as it is
	// Leap is inserted or deleted by the kernel at the end of the present UTC day, so it is set
	// only on the day itself.
	Leap discipline.Leap
	// Once: the moment of Leap is here or past. A kernel that has made it, and whose clock was set back since, makes it no second time.
	Once bool
}

// KernelState is what the kernel says of its clock.
type KernelState struct {
	FrequencyPPM   float64       // of REALTIME relative to MONOTONIC_RAW: freq and tick together
	TickPPM        float64       // the part of it that stands in tick: a multiple of 100 ppm
	Pending        time.Duration // phase that the kernel's own loop (PLL) still has to slew
	Unsynchronized bool          // STA_UNSYNC
	PLL            bool          // STA_PLL, STA_FLL or a PPS discipline steers beside us
	Nano           bool          // STA_NANO
	MaxError       time.Duration
	EstError       time.Duration
	TAIOffset      int
	Leap           discipline.Leap // armed for the end of this UTC day
	Inserting      bool            // TIME_OOP: an inserted second is passing
	Real           int64           // CLOCK_REALTIME when it was read, ns since 1970
	status         int32
	constant       int64
}

// PermissionError says that the kernel doesn't let this process set the clock.
type PermissionError struct{ Op string }

// Error says what was refused and what to do.
func (e *PermissionError) Error() string {
	return e.Op + ": not permitted: give the process CAP_SYS_TIME (systemd: AmbientCapabilities=CAP_SYS_TIME; " +
		"container: user 0:0 with cap_add: [SYS_TIME]), or set clock.mode = \"observe\""
}

// Unwrap returns EPERM, so that errors.Is(err, fs.ErrPermission) holds.
func (e *PermissionError) Unwrap() error { return unix.EPERM }

func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return &PermissionError{Op: op}
	}
	return fmt.Errorf("%s: %w", op, err)
}

// The units of struct timex.
const (
	freqUnit    = 1 << 16 // of freq: ppm · 2^16
	timeOOP     = 3       // state of the clock: an inserted second is passing
	timeWait    = 4       // … the leap second that it was told of is made, and it is still told
	tickNominal = 10_000  // µs a tick at USER_HZ = 100
	tickPPM     = 100.0   // one µs of it
	freqLimit   = 500.0   // ppm that fit in freq (MAXFREQ)
	tickLimit   = 900     // µs either way; the kernel takes ±10 %
	// MaxFrequencyPPM is the largest frequency correction the kernel takes with tick and freq.
	MaxFrequencyPPM = tickLimit*tickPPM + freqLimit
)

// splitFrequency expresses ppm as tick and freq. The present tick is kept while the rest fits
// easily, so that a frequency near a limit doesn't flip between two ticks.
func splitFrequency(ppm float64, tick int64) (newTick, freq int64) {
	rest := ppm - float64(tick-tickNominal)*tickPPM
	if tick < tickNominal-tickLimit || tick > tickNominal+tickLimit || math.Abs(rest) > freqLimit {
		tick = tickNominal + int64(math.Round(ppm/tickPPM))
		if math.Abs(ppm) <= freqLimit {
			tick = tickNominal
		}
		rest = ppm - float64(tick-tickNominal)*tickPPM
	}
	return tick, int64(math.Round(rest * freqUnit))
}

func joinFrequency(tick, freq int64) float64 {
	return float64(tick-tickNominal)*tickPPM + float64(freq)/freqUnit
}

// mostMicros is NTP_PHASE_LIMIT: the kernel's maxerror ends there.
const mostMicros = 16_000_000

// micros rounds d up to what maxerror and esterror hold.
func micros(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	if d >= mostMicros*time.Microsecond {
		return mostMicros
	}
	return int64((d + time.Microsecond - 1) / time.Microsecond)
}

// decode makes a KernelState of what clock_adjtime returned.
func decode(t *kernelTimex, state int) KernelState {
	const steered = unix.STA_PLL | unix.STA_FLL | unix.STA_PPSFREQ | unix.STA_PPSTIME
	s := KernelState{
		FrequencyPPM:   joinFrequency(t.tick, t.freq),
		TickPPM:        float64(t.tick-tickNominal) * tickPPM,
		Pending:        time.Duration(t.offset) * time.Microsecond,
		Unsynchronized: t.status&unix.STA_UNSYNC != 0,
		PLL:            t.status&steered != 0,
		Nano:           t.status&unix.STA_NANO != 0,
		MaxError:       time.Duration(t.maxerror) * time.Microsecond,
		EstError:       time.Duration(t.esterror) * time.Microsecond,
		TAIOffset:      int(t.tai),
		Inserting:      state == timeOOP,
		Real:           t.sec*1e9 + t.usec*1000,
		status:         t.status,
		constant:       t.constant,
	}
	if s.Nano {
		s.Pending, s.Real = time.Duration(t.offset), t.sec*1e9+t.usec
	}
	switch {
	case t.status&unix.STA_INS != 0:
		s.Leap = discipline.LeapInsert
	case t.status&unix.STA_DEL != 0:
		s.Leap = discipline.LeapDelete
	}
	return s
}
