package upstream

import (
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// departure is what is known of the moment a request left.
type departure struct {
	pair      discipline.HostReading // read before it
	before    discipline.Raw         // read after pair, before the datagram was handed over
	stamp     int64                  // the kernel's, CLOCK_REALTIME; 0: none
	suspended time.Duration
}

// arrival is what is known of the moment a reply came.
type arrival struct {
	stamp     int64 // the kernel's, CLOCK_REALTIME; 0: none
	after     discipline.Raw
	pair      discipline.HostReading // read after it
	suspended time.Duration
}

const (
	// stillLimit is how far REALTIME − RAW may move in an exchange, beside the readings' own
	// widths and slewLimit, for the kernel's stamps to be used.
	stillLimit = 50 * time.Microsecond
	// slewLimit covers the frequency that a kernel clock runs at, ppm.
	slewLimit = 1000
	// slewMost is the fastest that adjtimex slews a clock (tick ± 10 %) with room above it. A
	// faster movement was a step.
	slewMost = 0.125
)

// carry returns when the request left (t1) and the reply came (t4) on the raw clock, and by how
// much each may be wrong at most: the server's offset lies in [T3 − t4 − width, T2 − t1 + width],
// but for the clock's step. Kernel stamps are REALTIME: each is carried by the pair that was read beside it. Where there is no stamp, or where the host clock is being slewed
// hard, the raw readings around the exchange stand in: t1 then is too early and t4 too late,
// which makes the delay longer and keeps the bound true.
//
// With a reason nothing may be used.
func carry(d departure, a arrival) (t1, t4 discipline.Raw, width time.Duration, reason string) {
	if (a.suspended - d.suspended).Abs() > discipline.SuspendNoise {
		return 0, 0, 0, ReasonSuspended
	}
	if a.after < d.before {
		return 0, 0, 0, ReasonStamp
	}
	elapsed := a.pair.Raw.Sub(d.pair.Raw)
	moved := time.Duration((a.pair.Real - d.pair.Real) - int64(elapsed))
	if moved < 0 {
		moved = -moved
	}
	widths := d.pair.Width + a.pair.Width
	t1, t4 = d.before, a.after
	if d.stamp == 0 && a.stamp == 0 {
		// Nothing was read from the host clock, so it may do what it likes.
		return t1, t4, 0, ""
	}
	switch {
	case moved <= widths+stillLimit+elapsed/(1e6/slewLimit):
	case moved <= widths+stillLimit+time.Duration(float64(elapsed)*slewMost):
		return t1, t4, 0, ""
	default:
		return 0, 0, 0, ReasonStepped
	}
	if d.stamp != 0 {
		at, w, ok := carryOne(d.stamp, d.pair, d.before, a.after, moved)
		if !ok {
			return 0, 0, 0, ReasonStamp
		}
		t1, width = at, max(width, w)
	}
	if a.stamp != 0 {
		at, w, ok := carryOne(a.stamp, a.pair, d.before, a.after, moved)
		if !ok {
			return 0, 0, 0, ReasonStamp
		}
		t4, width = at, max(width, w)
	}
	if t4 < t1 {
		return 0, 0, 0, ReasonStamp
	}
	return t1, t4, width, ""
}

// carryOne carries one stamp and says whether it lies in [from, to], but for its own width.
func carryOne(stamp int64, pair discipline.HostReading, from, to discipline.Raw, moved time.Duration) (at discipline.Raw, width time.Duration, ok bool) {
	away := stamp - pair.Real
	if away > int64(time.Minute) || away < -int64(time.Minute) {
		return 0, 0, false
	}
	at = pair.Raw.Add(time.Duration(away))
	width = pair.Width + moved + time.Duration(max(away, -away)/(1e6/slewLimit)) + 1
	if at < from.Add(-width) || at > to.Add(width) {
		return 0, 0, false
	}
	return min(max(at, from), to), width, true
}
