package suspend

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

func (s *sleeper) Now() discipline.Raw      { return s.raw }
func (s *sleeper) Suspended() time.Duration { return s.slept }

func TestGuard(t *testing.T) {
	c := &sleeper{raw: 1e9, slept: time.Hour}
	g := New(c)
	first, second, third := discipline.Epoch{1}, discipline.Epoch{2}, discipline.Epoch{3}
	is := func(what string, epoch discipline.Epoch, want bool) {
		t.Helper()
		if got := g.Intact(epoch); got != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	is("at the start", first, true)
	c.slept += discipline.SuspendNoise
	is("within the noise", first, true)
	is("a new epoch without a sleep", second, true)
	c.slept += time.Second
	is("after a sleep", second, false)
	is("still", second, false)
	is("a new epoch that came with the sleep", third, false)
	c.raw = c.raw.Add(Settle - 1)
	is("before it settled", third, false)
	c.raw = c.raw.Add(1)
	is("once it settled", third, true)
	c.slept -= time.Second
	is("a suspend that is taken back", third, false)
}

// TestAnEpochThatCameWithASuspend: an epoch that is first seen together with a suspend may have begun before it.
func TestAnEpochThatCameWithASuspend(t *testing.T) {
	clock := &sleeper{raw: 1e9}
	g := New(clock)
	a, b, c := discipline.Epoch{1}, discipline.Epoch{2}, discipline.Epoch{3}
	if !g.Intact(a) {
		t.Fatal("no suspend, not intact")
	}
	clock.slept += 50_000 // reading noise
	if !g.Intact(a) {
		t.Fatal("noise taken for a suspend")
	}
	clock.slept += time.Second
	if g.Intact(b) {
		t.Fatal("an epoch that came with a suspend is trusted at once")
	}
	clock.raw = clock.raw.Add(Settle / 2)
	if g.Intact(b) {
		t.Fatal("… and before it has stood for a while")
	}
	clock.raw = clock.raw.Add(Settle + 1)
	if !g.Intact(b) {
		t.Fatal("an epoch that stood for a while is not trusted")
	}
	clock.slept += time.Second
	if g.Intact(b) {
		t.Fatal("suspended within an epoch, yet intact")
	}
	clock.raw = clock.raw.Add(time.Hour)
	if g.Intact(b) {
		t.Fatal("a suspend is forgotten")
	}
	if g.Intact(b) || g.Intact(c) {
		t.Fatal("an epoch after a suspend that was seen before it")
	}
}

// TestSlowCaller: of two callers one still has a snapshot from before the sleep when the other has seen the epoch after
// it. What it holds is late by the sleep, and the new epoch is not trusted any sooner for being asked about between.
func TestSlowCaller(t *testing.T) {
	clock := &sleeper{raw: 1e9}
	g := New(clock)
	before, after := discipline.Epoch{1}, discipline.Epoch{2}
	if !g.Intact(before) {
		t.Fatal("no suspend, not intact")
	}
	clock.slept += time.Second
	if g.Intact(after) {
		t.Fatal("an epoch that came with a suspend is trusted at once")
	}
	if g.Intact(before) {
		t.Error("the epoch from before the sleep is taken for a new one")
	}
	if g.Intact(after) {
		t.Error("the epoch that came with the sleep is trusted before it settled")
	}
	clock.raw = clock.raw.Add(Settle)
	if !g.Intact(after) {
		t.Error("… and not once it has")
	}
}

// TestEpochFromJustBeforeTheSleep: the timeline began anew just before the sleep, and nobody had asked about that epoch
// yet. Callers ask about it and about the one after the sleep in either order; neither tells which it is.
func TestEpochFromJustBeforeTheSleep(t *testing.T) {
	first, before, after, later := discipline.Epoch{1}, discipline.Epoch{2}, discipline.Epoch{3}, discipline.Epoch{4}
	for name, order := range map[string][]discipline.Epoch{
		"the old one first": {before, after}, "the new one first": {after, before},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &sleeper{raw: 1e9}
			g := New(clock)
			if !g.Intact(first) {
				t.Fatal("no suspend, not intact")
			}
			clock.slept += time.Hour
			for range 2 {
				for _, epoch := range order {
					if g.Intact(epoch) {
						t.Errorf("epoch %d is trusted: what it says may be an hour late", epoch[0])
					}
				}
				clock.raw = clock.raw.Add(Settle / 2)
			}
			clock.raw = clock.raw.Add(Settle / 2)
			if !g.Intact(after) {
				t.Error("the epoch after the sleep is not trusted once it has settled")
			}
			if !g.Intact(later) {
				t.Error("… nor the next one at once")
			}
			if g.Intact(first) {
				t.Error("one that was seen before the sleep is trusted")
			}
		})
	}
}
