package beacon

import (
	"math"
	"math/bits"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

const (
	// mapRounding covers the rounding to nanoseconds in Snapshot.TAIAt, and what a tick is longer by
	// the raw clock's rate.
	mapRounding = 2 * time.Nanosecond
	// undisciplinedPPB is the rate error allowed to a raw clock of which nothing is known.
	undisciplinedPPB = 10_000_000
)

// StatementAt is what the snapshot lets the gateway say at now: t rounded down, the bound up and
// by enough for every rounding and the clock's own step. Errors: ReasonUnsynchronized,
// ReasonLeapSecond, ReasonRange.
func StatementAt(snap *discipline.Snapshot, now discipline.Raw) (Statement, error) {
	if snap == nil || !snap.Serving() {
		return Statement{}, refuse(ReasonUnsynchronized, "")
	}
	u := snap.UTCAt(now)
	if u.Inserted {
		return Statement{}, refuse(ReasonLeapSecond, "")
	}
	e := snap.MaxError(now)
	if u.Seconds < 0 || u.Seconds >= secondsLimit || u.TAIOffset < 0 || u.TAIOffset > 255 ||
		e < 0 || e >= errorLimit*time.Second-discipline.RawTick-mapRounding {
		return Statement{}, refuse(ReasonRange, "time or bound can't be expressed")
	}
	s := Statement{
		Seconds:   uint32(u.Seconds),
		Nanos:     uint32(u.Nanos),
		MaxError:  e + discipline.RawTick + mapRounding,
		Epoch:     snap.Epoch,
		State:     snap.State,
		Stratum:   snap.Stratum,
		Leap:      u.Leap,
		TAIOffset: uint8(u.TAIOffset),
	}
	if err := s.check(); err != nil {
		return Statement{}, err
	}
	return s, nil
}

// FromSnapshot makes the beacon of now; next is the interval to the next one, at most 65,535 s.
// Errors as for StatementAt.
func FromSnapshot(snap *discipline.Snapshot, now discipline.Raw, sequence uint32, next time.Duration) (Beacon, error) {
	s, err := StatementAt(snap, now)
	if err != nil {
		return Beacon{}, err
	}
	in := max(0, min(math.MaxUint16, int64(next.Round(time.Second)/time.Second)))
	return Beacon{Statement: s, Sequence: sequence, NextIn: uint16(in)}, nil
}

// Arrival is what the gateway notes when a request's last byte has arrived.
type Arrival struct {
	Raw   discipline.Raw   // read after that
	Epoch discipline.Epoch // of the timeline then
}

// Answer makes the response to a verified request. now is t3's reading of the raw clock, snap the
// one snapshot that t3 and its bound are read from; suspended says that the raw clock was found,
// after now was read, to have stood still since the timeline began. What is stated for t3 − t2 is
// the raw time between the readings, by the slowest rate that the snapshot allows, rounded down:
// never a difference of two times of day. Errors: ReasonSuspended, ReasonEpochChanged,
// ReasonTooSlow and those of StatementAt.
func Answer(req *Request, at Arrival, snap *discipline.Snapshot, now discipline.Raw, suspended bool, serial uint32) (Response, error) {
	s, err := StatementAt(snap, now)
	if err != nil {
		return Response{}, err
	}
	if suspended {
		return Response{}, refuse(ReasonSuspended, "")
	}
	if at.Epoch != snap.Epoch {
		return Response{}, refuse(ReasonEpochChanged, "")
	}
	elapsed := now.Sub(at.Raw)
	if elapsed < 0 || elapsed >= 1<<32 {
		return Response{}, refuse(ReasonTooSlow, "")
	}
	least := leastElapsed(elapsed, snap)
	if least >= 1<<32 {
		return Response{}, refuse(ReasonTooSlow, "")
	}
	return Response{Statement: s, Nonce: req.Nonce, Turnaround: least, Serial: serial}, nil
}

// leastElapsed is the least true time that can have passed in elapsed (0 ≤ elapsed < 2^32 ns) of
// the raw clock, rounded down.
func leastElapsed(elapsed time.Duration, snap *discipline.Snapshot) time.Duration {
	ppb := -float64(undisciplinedPPB)
	if b := snap.RateBoundPPM; b > 0 && b < 1e5 && math.Abs(snap.FrequencyPPM) < 1e5 {
		ppb = math.Floor((snap.FrequencyPPM - b) * 1e3)
	}
	hi, lo := bits.Mul64(uint64(elapsed), uint64(1e9+int64(ppb)))
	q, _ := bits.Div64(hi, lo, 1e9)
	return time.Duration(q)
}
