// Package sysclock is the only code that touches a clock of the machine. Readings of the
// kernel's clocks come out; frequencies, steps and the kernel's synchronization status go in,
// by clock_adjtime(2). Its Observer twin has the same methods and never sets anything.
package sysclock

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
)

// Now reads CLOCK_MONOTONIC_RAW. It is safe for concurrent use.
func Now() discipline.Raw { return discipline.Raw(read(unix.CLOCK_MONOTONIC_RAW)) }

// pairs is how many readings a pair is chosen from: an interrupt widens one, rarely five.
const pairs = 5

// ReadPair reads CLOCK_REALTIME between two readings of CLOCK_MONOTONIC_RAW, five times, and
// returns the narrowest. Width is at least 1 ns. FrequencyPPM is left 0: only a System's or
// Observer's Read fills it. It is safe for concurrent use.
func ReadPair() discipline.HostReading {
	raw, real, width := between(unix.CLOCK_MONOTONIC_RAW, unix.CLOCK_REALTIME)
	return discipline.HostReading{Raw: discipline.Raw(raw), Real: real, Width: width}
}

// Suspended returns CLOCK_BOOTTIME − CLOCK_MONOTONIC: for how long the machine has been
// suspended since boot, as far as the kernel could measure it. Its reading noise is below a
// few microseconds. It is safe for concurrent use.
func Suspended() time.Duration {
	mono, boot, _ := between(unix.CLOCK_MONOTONIC, unix.CLOCK_BOOTTIME)
	return time.Duration(boot - mono)
}

// between reads inner between two readings of outer and returns the narrowest of some: the
// middle of the outer readings, the inner one, and half the outer distance, at least 1 ns.
func between(outer, inner int32) (mid, value int64, width time.Duration) {
	best := int64(-1)
	for range pairs {
		a, v := read(outer), read(inner)
		b := read(outer)
		if w := b - a; best < 0 || w < best {
			best, mid, value = w, a+w/2, v
		}
	}
	return mid, value, time.Duration(best/2 + 1)
}

// Reader gives the readings as methods, for those who take a clock as a parameter.
type Reader struct{}

// Now is the function Now.
func (Reader) Now() discipline.Raw { return Now() }

// ReadPair is the function ReadPair.
func (Reader) ReadPair() discipline.HostReading { return ReadPair() }

// Suspended is the function Suspended.
func (Reader) Suspended() time.Duration { return Suspended() }
