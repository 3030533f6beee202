package main

import (
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline/loop"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// TestTheKernelsOwnBoundIsWarnedOf holds a clock that somebody else steers without keeping maxerror to be warned of: it is
// why NTS and PTP serve nothing.
func TestTheKernelsOwnBoundIsWarnedOf(t *testing.T) {
	for _, c := range []struct {
		name          string
		mode          loop.Mode
		bound, kernel time.Duration
		warns         bool
	}{
		{"nobody keeps it", loop.Follow, 16 * time.Second, 16 * time.Second, true},
		{"it grows", loop.Follow, 3 * time.Second, 3 * time.Second, true},
		{"a daemon keeps it", loop.Follow, 20 * time.Millisecond, 20 * time.Millisecond, false},
		{"a daemon sets it to 0 at each poll", loop.Follow, 1024 * time.Millisecond, 1024 * time.Millisecond, false},
		{"the clock is off by more", loop.Follow, 20 * time.Second, 16 * time.Second, false},
		{"it bounds nothing that is served", loop.Observe, time.Millisecond, 16 * time.Second, false},
		{"nothing is served", loop.Follow, 1<<63 - 1, 16 * time.Second, false},
	} {
		w := kernelBound(&loop.Host{Mode: c.mode, MaxError: c.bound, Kernel: sysclock.KernelState{MaxError: c.kernel}})
		if !c.warns && len(w) == 0 {
			continue
		}
		if len(w) != 1 || w[0].ID != "kernel-maxerror" || !c.warns || !strings.Contains(w[0].Text, c.kernel.String()) || !strings.Contains(w[0].Text, `mode = "observe"`) {
			t.Errorf("%s: %v", c.name, w)
		}
	}
}
