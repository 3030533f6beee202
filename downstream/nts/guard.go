package nts

import (
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// The raw clock stops while the machine sleeps, so a timeline that began before is late after it.
const (
	// suspendNoise is how far two readings of BOOTTIME − MONOTONIC may differ without a suspend.
	suspendNoise = 100 * time.Microsecond
	// suspendSettle is for how long an epoch is distrusted that shows up together with a suspend:
	// it may have begun just before, and who keeps the timeline has not noticed yet.
	suspendSettle = 3 * time.Second
)

// epochGuard notices that the machine slept since the timeline began. Safe for concurrent use.
type epochGuard struct {
	clock Clock

	mu    sync.Mutex
	known bool
	epoch discipline.Epoch
	base  time.Duration
	from  discipline.Raw // distrusted before
}

// intact reports whether a time that was just read from the timeline of this epoch is good.
func (g *epochGuard) intact(epoch discipline.Epoch) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	awake := g.awake()
	switch {
	case g.known && g.epoch == epoch:
		return awake && (g.from == 0 || g.clock.Now() >= g.from)
	case awake:
		g.known, g.epoch, g.from = true, epoch, 0
		return true
	}
	g.known, g.epoch, g.base = true, epoch, g.clock.Suspended()
	g.from = g.clock.Now().Add(suspendSettle)
	return false
}

// awake compares with the base, more than once: a reading may have been interrupted.
func (g *epochGuard) awake() bool {
	for range 3 {
		if d := g.clock.Suspended() - g.base; d >= -suspendNoise && d <= suspendNoise {
			return true
		}
	}
	return false
}
