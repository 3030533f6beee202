package ntp

import (
	"math"
	"math/bits"
	"time"
)

// unixEpoch is 1970-01-01T00:00:00Z in seconds of NTP's era 0, which begins in 1900.
const unixEpoch = 2208988800

// Time64 is the NTP timestamp format (RFC 5905 §6): seconds since 1900 modulo 2^32 and a
// 32-bit fraction. It says nothing of its era. 0 means unknown.
type Time64 uint64

// Time64FromUnix returns the timestamp nearest to ns, nanoseconds since 1970 (UTC). The era is
// lost. The one instant an era whose format is 0 becomes the smallest fraction after it.
func Time64FromUnix(ns int64) Time64 {
	s, n := ns/1e9, ns%1e9
	if n < 0 {
		s, n = s-1, n+1e9
	}
	// n < 10^9, so the fraction rounds to at most 4294967292: there is no carry.
	t := Time64(uint64(uint32(s+unixEpoch))<<32 | (uint64(n)<<32+5e8)/1e9)
	if t == 0 {
		t = 1
	}
	return t
}

// UnixNano returns t as nanoseconds since 1970, in the era that brings it nearest to pivot
// (also nanoseconds since 1970): right for every t within 68 years of pivot. A conversion of
// Time64FromUnix(ns) gives ns again.
func (t Time64) UnixNano(pivot int64) int64 {
	pivotSeconds := pivot / 1e9
	if pivot%1e9 < 0 {
		pivotSeconds--
	}
	// The signed 32-bit distance picks the era.
	seconds := pivotSeconds + int64(int32(uint32(t>>32)-uint32(pivotSeconds+unixEpoch)))
	frac := int64((uint64(uint32(t))*1e9 + 1<<31) >> 32)
	hi, lo := bits.Mul64(uint64(abs(seconds)), 1e9)
	if hi != 0 || lo > math.MaxInt64-1e9 {
		// A pivot near the ends of int64 (the years 1678 and 2262).
		if seconds < 0 {
			return math.MinInt64
		}
		return math.MaxInt64
	}
	return seconds*1e9 + frac
}

// Before reports whether t is earlier than u, for two timestamps within 68 years of each other.
func (t Time64) Before(u Time64) bool { return int64(t-u) < 0 }

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}

// Short is the NTP short format (RFC 5905 §6): 16 bits of seconds and 16 of fraction, used for
// root delay and root dispersion. It is a bound, so conversions round up.
type Short uint32

// ShortFromDuration returns the smallest Short ≥ d: 0 for a negative d, and the largest Short
// (65536 s) for what does not fit.
func ShortFromDuration(d time.Duration) Short {
	if d <= 0 {
		return 0
	}
	s, n := uint64(d)/1e9, uint64(d)%1e9
	v := s<<16 + (n<<16+1e9-1)/1e9
	if v > math.MaxUint32 {
		return math.MaxUint32
	}
	return Short(v)
}

// Duration returns the smallest Duration ≥ s.
func (s Short) Duration() time.Duration {
	return time.Duration((uint64(s)*1e9 + 1<<16 - 1) >> 16)
}

// PrecisionDuration returns 2^log2 seconds, rounded up and held between 1 ns and 2^17 s (36
// hours, RFC 5905's MAXPOLL).
func PrecisionDuration(log2 int8) time.Duration {
	if log2 > 17 {
		log2 = 17
	}
	if log2 >= 0 {
		return time.Second << log2
	}
	if log2 < -30 {
		return 1
	}
	return (time.Second + 1<<-log2 - 1) >> -log2
}
