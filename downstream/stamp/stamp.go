// Package stamp carries the kernel's stamps of datagrams, which are CLOCK_REALTIME, to the raw clock
// that the timeline is read by. Stamps come in; raw readings, and by how much they may be off, go out.
package stamp

import (
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

const (
	// slew bounds how much faster or slower CLOCK_REALTIME may run than CLOCK_MONOTONIC_RAW, as
	// a part of the time that passed: chrony slews by a twelfth at most, and adjtimex's tick by a tenth. The kernel would
	// take more (a phase of half a second at the shortest time constant adds an eighth); no time daemon asks for it.
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
	from discipline.Raw // what was stamped before is not carried: the host clock was set
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
// much that may be off at most. It is called soon after the datagram was stamped, and what it
// returns is never later than now. Where the stamp can't be trusted it is now itself, and ok is false.
//
// Between the stamp and the reading that carries it the host clock may be slewed, which is
// charged, or stepped, which the kernel tells. A step back that another datagram's turn noticed makes the
// carried time too late, by as much as the datagram waited: so nothing is carried until whatever was under way
// at the notice is long over.
func (c *Carrier) Carry(stamp int64) (at discipline.Raw, off time.Duration, ok bool) {
	pair := c.clock.ReadPair()
	c.mu.Lock()
	defer c.mu.Unlock()
	stepped := c.steps == nil || c.steps.Stepped()
	now := c.clock.Now()
	if stepped {
		c.from = now.Add(oldest)
	}
	age := time.Duration(pair.Real - stamp)
	if stamp == 0 || stepped || age < 0 || age > oldest {
		return now, 0, false
	}
	if at = pair.Raw.Add(-age); at < c.from {
		return now, 0, false
	}
	return at, pair.Width + age/slew + 1, true
}
