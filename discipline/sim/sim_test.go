package sim

import (
	"testing"

	"github.com/ntsgw/ntsgw/discipline"
)

// A short run of every scenario: the promise holds, and the clock is kept.
func TestEveryScenario(t *testing.T) {
	for _, sc := range Scenarios() {
		t.Run(sc.Name, func(t *testing.T) {
			t.Parallel()
			if sc.Outage == 0 {
				sc.Hours = 8
			}
			r := Run(sc, 101, false)
			if r.Violations > 0 {
				t.Errorf("%d bound violations, the worst by %.0f ns", r.Violations, r.Worst)
			}
			if r.Serving < 0.99*r.Reachable {
				t.Errorf("synchronized %.0f of %.0f s", r.Serving, r.Reachable)
			}
			if r.Epochs > 2 {
				t.Errorf("%d timelines", r.Epochs)
			}
		})
	}
}

// The count of violations can be other than zero: with less wander allowed, or with less of the
// round trip taken to be on one way, than the scenario has.
func TestTheCheckCanFail(t *testing.T) {
	for name, assume := range map[string]discipline.Assumptions{
		"half the wander":    {WanderPPM: 0.5},
		"half the asymmetry": {Asymmetry: 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			violations := 0
			for _, sc := range Scenarios() {
				if sc.Name != "all on one way" {
					continue
				}
				sc.Config = func(c *discipline.Config) { c.Assume = assume }
				for seed := range 4 {
					violations += Run(sc, uint64(seed), false).Violations
				}
			}
			t.Logf("%d violations", violations)
			if violations == 0 {
				t.Error("no violation: the check sees nothing")
			}
		})
	}
}

// From a stored frequency a LAN client is within 100 µs after four samples, a cold one after eight.
func TestStart(t *testing.T) {
	lan := several(1, symmetric(50*us, Exponential(20*us)))
	for _, c := range []struct {
		name    string
		drift   bool
		samples float64
	}{{"stored frequency", true, 4}, {"cold", false, 8}} {
		t.Run(c.name, func(t *testing.T) {
			late := 0
			for seed := range 20 {
				r := Run(Scenario{Osc: crystalPi, Servers: lan, Poll: 16, Hours: 0.1, Start: 20 * ms, Drift: c.drift}, uint64(seed), false)
				// Samples at about 1, 3, 5, 7, 23, … s.
				if at := map[float64]float64{4: 9, 8: 74}[c.samples]; !(r.ToHundred <= at) {
					late++
				}
			}
			if late > 0 {
				t.Errorf("%d of 20 were late", late)
			}
		})
	}
}
