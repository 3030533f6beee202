package certs

import (
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

const (
	// rawDoubt bounds the raw clock's rate error where nothing has been learned: 1 %.
	rawDoubt = 0.01
	// memory is for how long a time that a quorum agreed on counts while the redo of the key
	// exchanges, with full checks, has not yet brought a majority. After it dates are deferred
	// again, so that a quorum of liars does not lock the honest out for good.
	memory = 10 * time.Minute
)

// ClockOf makes a Clock from the timeline: what it serves with its bound; while a bootstrap quorum
// agrees, what that agrees on; and until then the floor, or what it has served before.
func ClockOf(snapshot func() *discipline.Snapshot, now func() discipline.Raw, floor func() time.Time) Clock {
	var mu sync.Mutex
	var since discipline.Raw // the reading that lo and hi were true at
	var lo, hi time.Time     // zero: nothing is known
	var passed time.Time     // served once, so it has passed, whatever happens later
	return func() (earliest, latest time.Time, known bool) {
		s, at := snapshot(), now()
		mu.Lock()
		defer mu.Unlock()
		switch {
		case s == nil:
			lo, hi = time.Time{}, time.Time{}
		case s.Serving():
			utc, e := s.UTCAt(at).Time(), s.MaxError(at)
			since, lo, hi = at, utc.Add(-e), utc.Add(e)
			if lo.After(passed) {
				passed = lo
			}
		case s.CandidateTAI != 0:
			// The offset of TAI may be a second old where no leap list was at hand.
			utc := time.Unix(0, s.CandidateTAI-int64(s.TAIOffset)*1e9).UTC()
			since, lo, hi = s.At, utc.Add(-s.CandidateError-time.Second), utc.Add(s.CandidateError+time.Second)
		case s.State == discipline.Unsynchronized:
			lo, hi = time.Time{}, time.Time{}
		}
		gone := at.Sub(since)
		if lo.IsZero() || gone > memory {
			lo, hi = time.Time{}, time.Time{}
			earliest = floor()
			if passed.After(earliest) {
				earliest = passed
			}
			return earliest, time.Time{}, false
		}
		gone = max(gone, 0)
		doubt := time.Duration(float64(gone) * rawDoubt)
		return lo.Add(gone - doubt), hi.Add(gone + doubt), true
	}
}
