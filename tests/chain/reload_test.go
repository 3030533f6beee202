package chain

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/program"
)

// The configuration is replaced while the program runs: a pin that does not fit ends the standing session,
// the right file brings it back, a bad one is refused, and what needs a restart is said.
func TestTheConfigurationIsReadAgain(t *testing.T) {
	g, _, before := startWithServer(t)
	good, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(text string) {
		t.Helper()
		program.Write(t, g.config+".new", text)
		if err := os.Rename(g.config+".new", g.config); err != nil {
			t.Fatal(err)
		}
	}
	warned := func(id string) func() bool {
		return func() bool {
			for _, w := range g.mustReport().Warnings {
				if w.ID == id {
					return true
				}
			}
			return false
		}
	}
	source := func() status.Source { return g.mustReport().Sources[0] }

	replace(string(good) + "\nmin_pol = 3\n")
	program.Eventually(t, program.Noticed, "the bad file is refused", warned("configuration-refused"))
	if w := g.mustReport().Warnings; !slices.ContainsFunc(w, func(w discipline.Warning) bool { return strings.Contains(w.Text, "one with 1 mistake and") }) {
		t.Errorf("the number of mistakes: %+v", w)
	}
	if source().Cookies == 0 {
		t.Error("the session was lost over a file that was refused")
	}

	replace(string(good) + "pins = [\"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]\n")
	program.Eventually(t, program.Noticed, "the pin ends the session", func() bool {
		return source().Rejected["pin-mismatch"] > 0 && source().Cookies == 0
	})
	if warned("configuration-refused")() {
		t.Error("the warning of the bad file stands after a good one")
	}

	replace(string(good))
	program.Eventually(t, 3*program.Noticed, "the server is accepted again", func() bool { return source().Cookies > 0 && source().State == "selected" })
	if r := g.mustReport(); r.Epoch == before.Epoch {
		t.Errorf("epoch %s goes on, though nothing but a server that was distrusted had told it the time", r.Epoch)
	}

	// Trust does not wait for what does.
	slower := strings.Replace(string(good), "interval = \"1s\"", "interval = \"2s\"", 1)
	replace(slower + "pins = [\"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]\n")
	program.Eventually(t, program.Noticed, "the pin ends the session, though a restart is needed for the rest", func() bool {
		return source().Cookies == 0 && warned("configuration-needs-restart")()
	})
	replace(slower)
	program.Eventually(t, 3*program.Noticed, "the server is accepted once more", func() bool { return source().Cookies > 0 })
	if !warned("configuration-needs-restart")() {
		t.Error("no restart is asked for, though the interval is another")
	}
	replace(string(good))
	program.Eventually(t, program.Noticed, "nothing waits any longer", func() bool { return !warned("configuration-needs-restart")() })
}
