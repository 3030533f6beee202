package sysclock

import "time"

// RealMinusRaw returns CLOCK_REALTIME − CLOCK_MONOTONIC_RAW. It jumps when, and only when, the
// clock is stepped; between two readings it drifts with the kernel's frequency.
func RealMinusRaw() time.Duration {
	h := ReadPair()
	return time.Duration(h.Real - int64(h.Raw))
}
