// Package suspend notices that the machine slept since the timeline began. Readings of
// BOOTTIME − MONOTONIC come in; whether a time just read from the timeline is good goes out. Whoever
// states time asks it after the raw clock was read and before anything is signed or sent
// (docs/beacon-protocol.md, rule 2).
package suspend

import (
	"slices"
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

// Guard compares with what was read when an epoch was first seen: the raw clock stops while the machine
// sleeps, and everything computed from it would be late. Safe for concurrent use.
type Guard struct {
	clock Clock

	mu   sync.Mutex
	base time.Duration // suspended time, as of the newest epoch that was found good
	seen []sighting    // the newest epochs, those seen first in front
}

// sighting is what held when an epoch was first asked about.
type sighting struct {
	epoch   discipline.Epoch
	base    time.Duration  // suspended time
	trusted discipline.Raw // not before
}

// remembered is how many epochs are: callers hold what they read from the timeline for milliseconds.
const remembered = 8

// New takes the present suspended time for that of the first epoch.
func New(c Clock) *Guard { return &Guard{clock: c, base: c.Suspended()} }

// Intact reports whether the machine has not been suspended since epoch began. Callers may ask about epochs in
// any order, so of those that are first seen after a suspend each may be the one from before it, until one has settled.
func (g *Guard) Intact(epoch discipline.Epoch) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.seen, func(s sighting) bool { return s.epoch == epoch })
	if i < 0 {
		s := sighting{epoch: epoch, base: g.base}
		if g.slept(g.base) {
			s.base, s.trusted = g.clock.Suspended(), g.clock.Now().Add(Settle)
		}
		g.seen = append(g.seen[max(0, len(g.seen)+1-remembered):], s)
		i = len(g.seen) - 1
	}
	s := g.seen[i]
	if g.slept(s.base) || g.clock.Now() < s.trusted {
		return false
	}
	g.base = s.base
	return true
}

func (g *Guard) slept(base time.Duration) bool { return discipline.Slept(g.clock.Suspended, base) }
