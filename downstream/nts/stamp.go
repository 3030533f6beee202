package nts

import (
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

const (
	// stillLimit is how far REALTIME − RAW may move beside its usual rate before the kernel's
	// stamp is put aside: what lies below it is charged to the answer's dispersion.
	stillLimit = 20 * time.Microsecond
	// slewLimit bounds the rate of REALTIME against RAW over the age of a stamp, as a fraction.
	slewLimit = 1000 // 1/1000: 1000 ppm
	// oldest is the greatest age of a stamp that is carried.
	oldest = time.Second
)

// stamper carries the kernel's CLOCK_REALTIME stamps to the raw clock. Safe for concurrent use.
type stamper struct {
	clock Clock

	mu     sync.Mutex
	before discipline.HostReading // the newest reading but one that was a while ago
	last   discipline.HostReading
	rate   float64 // of REALTIME − RAW between them
}

// look reads both clocks and remembers them.
func (s *stamper) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read()
}

// read takes a reading beside those before it and returns by how much REALTIME − RAW moved since
// the last one, other than at its usual rate. The lock is held.
func (s *stamper) read() (now, last discipline.HostReading, moved time.Duration) {
	last, now = s.last, s.clock.ReadPair()
	if last.Raw == 0 {
		s.before, s.last = now, now
		return now, now, 0
	}
	difference := (now.Real - last.Real) - int64(now.Raw-last.Raw)
	moved = time.Duration(difference - int64(s.rate*float64(now.Raw-last.Raw)))
	s.last = now
	// A rate needs some distance between its ends.
	if elapsed := now.Raw.Sub(s.before.Raw); elapsed >= 500*time.Millisecond {
		s.rate = float64((now.Real-s.before.Real)-int64(elapsed)) / float64(elapsed)
		s.before = now
	}
	return now, last, max(moved, -moved)
}

// arrival returns when a datagram with this stamp (0: none) came in, on the raw clock, and by how
// much too early that may be at most. It is called after the datagram was received. What it
// returns is never later than now. Where the stamp can't be trusted it is now itself: then the
// way through our own queue counts as network delay, which keeps every bound true.
//
// A stamp is trusted only between the last reading and this one, over which REALTIME was seen not
// to step: a step back would make it look later, which is harmless, and a step forward makes it
// fall before the last reading or shows as movement.
func (s *stamper) arrival(stamp int64) (at discipline.Raw, early time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, last, moved := s.read()
	received := s.clock.Now()
	age := time.Duration(now.Real - stamp)
	if stamp == 0 || age < 0 || age > oldest || moved > stillLimit+now.Width+last.Width {
		return received, 0
	}
	at = now.Raw.Add(-age)
	if at < last.Raw {
		return received, 0
	}
	return at, now.Width + moved + age/slewLimit + 1
}
