package chain

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ntsgw/ntsgw/tests/program"
)

// A node with secrets that were replaced is told so, whether it is turned away at the door or was let in
// just before: the delegation that the broker keeps is no sign of success.
func TestWatchSaysThatOldSecretsAreRefused(t *testing.T) {
	g, _, _ := startWithServer(t)
	file := filepath.Join(g.dir, "node.json")
	if out, code := g.run("", "node", "add", "f", "-form", "json", "-out", file, "-config", g.config); code != 0 {
		t.Fatalf("node add: %d\n%s", code, out)
	}
	watch := func(d string) (string, int) {
		return g.run("", "beacon", "watch", "-node", file, "-config", g.config, "-for", d)
	}
	program.Eventually(t, program.Noticed, "the node is let in", func() bool { _, code := watch("3s"); return code == 0 })
	if out, code := g.run("", "node", "rotate", "f", "-config", g.config); code != 0 {
		t.Fatalf("node rotate: %d\n%s", code, out)
	}
	for _, when := range []string{"just after", "later"} {
		out, code := "", 0
		program.Eventually(t, program.Noticed, "the node is refused", func() bool { out, code = watch("4s"); return code == 1 })
		if code != 1 || !strings.Contains(out, "refuses the name and password of f;") || !strings.Contains(out, "ntsgw node rotate f -form json -out FILE") || strings.Contains(out, "1970") {
			t.Errorf("%s: exit code %d\n%s", when, code, out)
		}
	}
}
