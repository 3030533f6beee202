// Package stamp carries the kernel's stamps of datagrams, which are CLOCK_REALTIME, to the raw clock
// that the timeline is read by. Stamps come in; raw readings, and by how much they may be too early, go
// out.
package stamp

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

// Clock reads the raw clock, alone and beside CLOCK_REALTIME.
type Clock interface {
	Now() discipline.Raw
	ReadPair() discipline.HostReading
}

// Carrier carries stamps. Safe for concurrent use.
type Carrier struct {
	clock Clock
	steps interface{ Stepped() bool } // nil: steps can't be seen, and no stamp is carried
	close func() error

	mu   sync.Mutex
	seen discipline.Raw // when the newest step was noticed: it lies before
}

// New returns a Carrier. When the host clock can't be watched for steps the error says why; the
// Carrier then works and carries nothing.
func New(c Clock) (*Carrier, error) {
	w, err := watchSteps()
	if err != nil {
		return &Carrier{clock: c}, err
	}
	return &Carrier{clock: c, steps: w, close: w.Close}, nil
}

// Carries reports whether stamps are carried at all.
func (c *Carrier) Carries() bool { return c.steps != nil }

// Close ends the watch. Nothing may be carried after it.
func (c *Carrier) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}

// Carry returns when a datagram with this stamp (0: none) was stamped, on the raw clock, and by how
// much too early that may be at most. It is called after the datagram was stamped, and what it
// returns is never later than now. Where the stamp can't be trusted it is now itself, and ok is false.
//
// Between the stamp and the reading that carries it the host clock may be slewed, which is
// charged, or stepped, which the kernel tells. A step that was noticed after the datagram came
// makes the carried time wrong, but then it is either before the notice, and not used, or too
// late, which is harmless for whoever counts that as a delay of the network.
func (c *Carrier) Carry(stamp int64) (at discipline.Raw, early time.Duration, ok bool) {
	pair := c.clock.ReadPair()
	c.mu.Lock()
	defer c.mu.Unlock()
	stepped := c.steps == nil || c.steps.Stepped()
	now := c.clock.Now()
	if stepped {
		c.seen = now
	}
	age := time.Duration(pair.Real - stamp)
	if stamp == 0 || stepped || age < 0 || age > oldest {
		return now, 0, false
	}
	if at = pair.Raw.Add(-age); at < c.seen {
		return now, 0, false
	}
	return at, pair.Width + age/slew + 1, true
}
