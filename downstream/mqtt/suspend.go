package mqtt

import (
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

const (
	// suspendNoise is how far two readings of BOOTTIME − MONOTONIC may lie apart without a suspend.
	suspendNoise = 100 * time.Microsecond
	// suspendSettle is how long an epoch that came together with a suspend is distrusted: it may have
	// begun just before, and whoever keeps the timeline has not noticed yet.
	suspendSettle = 3 * time.Second
)

// epochGuard notices that the machine was suspended since the timeline began: the raw clock stops
// then, and everything computed from it would be late. Safe for concurrent use.
type epochGuard struct {
	clock Clock

	mu      sync.Mutex
	known   bool
	epoch   discipline.Epoch
	base    time.Duration // suspended time when the epoch began
	trusted discipline.Raw
}

func newEpochGuard(c Clock) *epochGuard { return &epochGuard{clock: c, base: c.Suspended()} }

// intact reports whether the machine has not been suspended since epoch began. It is called after
// the clock was read and before anything is signed.
func (g *epochGuard) intact(epoch discipline.Epoch) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	same := g.unchanged()
	if g.known && epoch == g.epoch {
		return same && g.clock.Now() >= g.trusted
	}
	if same {
		g.known, g.epoch, g.trusted = true, epoch, 0
		return true
	}
	g.known, g.epoch, g.base = true, epoch, g.clock.Suspended()
	g.trusted = g.clock.Now().Add(suspendSettle)
	return false
}

// unchanged compares with the base; a single odd reading may be a preempted one.
func (g *epochGuard) unchanged() bool {
	for range 3 {
		d := g.clock.Suspended() - g.base
		if d >= -suspendNoise && d <= suspendNoise {
			return true
		}
	}
	return false
}
