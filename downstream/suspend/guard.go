// Package suspend notices that the machine slept since the timeline began. Readings of
// BOOTTIME − MONOTONIC come in; whether a time just read from the timeline is good goes out. Whoever
// states time asks it after the raw clock was read and before anything is signed or sent
// (docs/beacon-protocol.md, rule 2).
package suspend

import (
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// Settle is how long an epoch that came together with a suspend is distrusted: it may have begun
// just before, and whoever keeps the timeline has not noticed yet.
const Settle = 3 * time.Second

// Clock reads the raw clock, and for how long the machine was suspended since it booted.
type Clock interface {
	Now() discipline.Raw
	Suspended() time.Duration
}

// Guard compares with what was read when the timeline began: the raw clock stops while the machine
// sleeps, and everything computed from it would be late. Safe for concurrent use.
type Guard struct {
	clock Clock

	mu      sync.Mutex
	known   bool
	epoch   discipline.Epoch
	past    discipline.Epoch // the one before the newest suspend
	base    time.Duration    // suspended time when the epoch began
	trusted discipline.Raw
}

// New takes the present suspended time for that of the first epoch.
func New(c Clock) *Guard { return &Guard{clock: c, base: c.Suspended()} }

// Intact reports whether the machine has not been suspended since epoch began.
func (g *Guard) Intact(epoch discipline.Epoch) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	same := g.unchanged()
	if g.known && epoch == g.epoch {
		return same && g.clock.Now() >= g.trusted
	}
	if g.known && epoch == g.past {
		return false // another caller saw the one after the sleep already, whose base is no measure for this
	}
	if same {
		g.known, g.epoch, g.trusted = true, epoch, 0
		return true
	}
	g.known, g.past, g.epoch, g.base = true, g.epoch, epoch, g.clock.Suspended()
	g.trusted = g.clock.Now().Add(Settle)
	return false
}

func (g *Guard) unchanged() bool { return !discipline.Slept(g.clock.Suspended, g.base) }
