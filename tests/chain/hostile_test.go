package chain

import (
	"math"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

// Each wrong answer goes to the built program over a socket: it is counted under its own reason,
// the timeline does not move, and the next honest answer is accepted.
func TestHostileAnswers(t *testing.T) {
	g, s, before := startWithServer(t)

	source := func() status.Source { return g.mustReport().Sources[0] }
	for _, fault := range upstreamtest.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			g.t = t
			defer func() { g.t = nil }()
			had := source()
			s.Inject(fault)
			program.Eventually(t, 8*time.Second, "counted as "+fault.Reason, func() bool {
				return source().Rejected[fault.Reason] == had.Rejected[fault.Reason]+1
			})
			counted := source()
			for reason, n := range counted.Rejected {
				// A machine that stands still for a second loses a reply of its own, or finds it late.
				if reason != fault.Reason && reason != "no-reply" && reason != "late" && n != had.Rejected[reason] {
					t.Errorf("also counted as %s", reason)
				}
			}
			r := g.mustReport()
			if r.Epoch != before.Epoch || r.MaxError == nil || math.Abs(*r.Offset) > *r.MaxError {
				t.Errorf("the timeline moved: epoch %s, offset %v, bound %v", r.Epoch, r.Offset, r.MaxError)
			}
			program.Eventually(t, 8*time.Second, "the next honest answer is accepted", func() bool {
				return source().Received > had.Received
			})
			if now := source(); now.Rejected[fault.Reason] != had.Rejected[fault.Reason]+1 {
				t.Errorf("counted %d times", now.Rejected[fault.Reason]-had.Rejected[fault.Reason])
			}
		})
	}
}
