package discipline_test

import (
	"testing"

	"github.com/ntsgw/ntsgw/discipline"
)

// TestTooFewToOutvoteIsWarnedOf holds one server, which decides alone, and two, of which neither is outvoted, to a
// warning; three can do without.
func TestTooFewToOutvoteIsWarnedOf(t *testing.T) {
	for n, want := range map[int]string{1: "single-source", 2: "two-sources", 3: ""} {
		var got string
		for _, w := range newBench(t, n, discipline.Config{}).run(4).Warnings {
			got += w.ID
		}
		if got != want {
			t.Errorf("%d: warned of %q, want %q", n, got, want)
		}
	}
}
