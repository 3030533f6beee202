package nts

import (
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

const (
	// slew bounds how much faster or slower CLOCK_REALTIME may run than CLOCK_MONOTONIC_RAW, as
	// a part of the time that passed: adjtimex slews by a tenth at most (tick) and 500 ppm.
	slew = 8
	// oldest is the greatest age of a stamp that is carried.
	oldest = time.Second
)

// stamper carries the kernel's CLOCK_REALTIME stamps to the raw clock. Safe for concurrent use.
type stamper struct {
	clock Clock
	steps interface{ Stepped() bool } // nil: steps can't be seen, and no stamp is used

	mu   sync.Mutex
	seen discipline.Raw // when the newest step was noticed: it lies before
}

// arrival returns when a datagram with this stamp (0: none) came in, on the raw clock, and by how
// much too early that may be at most. It is called after the datagram was received, and what it
// returns is never later than now. Where the stamp can't be trusted it is now itself: then the
// way through our own queue counts as network delay, which keeps every bound true.
//
// Between the stamp and the reading that carries it the host clock may be slewed, which is
// charged, or stepped, which the kernel tells. A step that was noticed after the datagram came
// makes the carried time wrong, but then it is either before the notice, and not used, or too
// late, which is harmless as above.
func (s *stamper) arrival(stamp int64) (at discipline.Raw, early time.Duration) {
	pair := s.clock.ReadPair()
	s.mu.Lock()
	defer s.mu.Unlock()
	stepped := s.steps == nil || s.steps.Stepped()
	now := s.clock.Now()
	if stepped {
		s.seen = now
	}
	age := time.Duration(pair.Real - stamp)
	if stamp == 0 || stepped || age < 0 || age > oldest {
		return now, 0
	}
	if at = pair.Raw.Add(-age); at < s.seen {
		return now, 0
	}
	return at, pair.Width + age/slew + 1
}
