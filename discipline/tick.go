package discipline

import (
	"slices"
	"time"
)

// RawTick is the coarsest step of the raw clock on the boards that are supported (the BCM2835's
// system timer counts microseconds): a reading may be that much older than the moment.
const RawTick = time.Microsecond

// MostRawTick is the coarsest step that a gateway runs with: what is coarser counts timer interrupts.
const MostRawTick = 100 * time.Microsecond

const (
	// tickRounding is by how much a distance of distances between readings, in whole nanoseconds,
	// may miss a multiple of the step.
	tickRounding = 4 * time.Nanosecond
	tickSteps    = 256     // steps to look at
	tickReadings = 1 << 16 // readings to look for them in: milliseconds, …
	tickWaits    = 1 << 22 // … and until it has moved at all: a fast processor reads that often within one timer interrupt
	tickStill    = time.Second
)

// TickOf returns a bound on the step of the clock that now reads, no more than tickRounding above it. clock_getres(2) can't tell: it
// gives the resolution of timers, 1 ns beside a counter of microseconds.
//
// Readings lie whole steps apart, and so the distances between them differ by whole steps: the
// least of either is no less than one. How long a reading takes falls out of the difference, so
// that a fine clock is seen to be one though nobody can read it that often. Of one that stands still nothing is known but
// that no gateway can run with it.
func TickOf(now func() Raw) time.Duration {
	var apart []time.Duration
	last := now()
	for i := 0; len(apart) < tickSteps && (i < tickReadings || len(apart) == 0 && i < tickWaits); i++ {
		at := now()
		if at > last {
			apart = append(apart, at.Sub(last))
		}
		last = at
	}
	if len(apart) == 0 {
		return tickStill
	}
	slices.Sort(apart)
	least := apart[0]
	for i := 1; i < len(apart); i++ {
		if d := apart[i] - apart[i-1]; d >= tickRounding {
			least = min(least, d)
		}
	}
	return least + tickRounding
}

// Coarse is by how much a step, as TickOf has it, is more than the RawTick that everything that is handed on allows for.
func Coarse(tick time.Duration) time.Duration {
	if tick <= RawTick+tickRounding {
		return 0
	}
	return tick - RawTick
}
