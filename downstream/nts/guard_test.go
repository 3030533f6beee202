package nts

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// sleeper is a clock that is only what a test says.
type sleeper struct {
	raw   discipline.Raw
	slept time.Duration
}

func (s *sleeper) Now() discipline.Raw              { return s.raw }
func (s *sleeper) Suspended() time.Duration         { return s.slept }
func (s *sleeper) ReadPair() discipline.HostReading { return discipline.HostReading{Raw: s.raw} }

func TestEpochGuard(t *testing.T) {
	c := &sleeper{raw: 1e9, slept: time.Hour}
	g := epochGuard{clock: c, base: c.Suspended()}
	first, second, third := discipline.Epoch{1}, discipline.Epoch{2}, discipline.Epoch{3}
	is := func(what string, epoch discipline.Epoch, want bool) {
		t.Helper()
		if got := g.intact(epoch); got != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	is("at the start", first, true)
	c.slept += suspendNoise
	is("within the noise", first, true)
	is("a new epoch without a sleep", second, true)
	c.slept += time.Second
	is("after a sleep", second, false)
	is("still", second, false)
	is("a new epoch that came with the sleep", third, false)
	c.raw = c.raw.Add(suspendSettle - 1)
	is("before it settled", third, false)
	c.raw = c.raw.Add(1)
	is("once it settled", third, true)
	c.slept -= time.Second
	is("a suspend that is taken back", third, false)
}
