package trust

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/program"
)

// Servers that were away for so long that nothing is served any more, and whose sessions are lost, bring the gateway
// back: the dates of their certificates can't be judged while nothing is known of time, so they are asked again once they
// agree. One of three that lies keeps nothing from it.
func TestOutage(t *testing.T) {
	for _, c := range []struct {
		name, clock string
		servers     int
		liars       int
	}{
		{"beyond holdover_max, two servers", "holdover_max = \"1m\"", 2, 0},
		{"beyond holdover_max, three and a liar", "holdover_max = \"1m\"", 3, 1},
		{"beyond max_error_limit", "max_error_limit = \"20ms\"", 3, 0},
		{"while the clock of another daemon is followed", "", 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pki := certstest.New(t)
			list, sections := honest(t, pki, c.servers, 0)
			liars, more := honest(t, pki, c.liars, lie)
			for i := range more {
				sections = append(sections, strings.Replace(more[i], "h1", "liar", 1))
			}
			g := newGateway(t, "", sections...)
			text, err := os.ReadFile(g.config())
			if err != nil {
				t.Fatal(err)
			}
			with := "mode = \"observe\"\n" + c.clock
			if c.clock == "" {
				with = "mode = \"follow\""
			}
			program.Write(t, g.config(), strings.Replace(string(text), "mode = \"observe\"", with, 1))
			g.start()
			before := g.await(t, "synchronized", synced)
			for _, s := range append(list, liars...) {
				s.stop()
			}
			g.await(t, "nothing is served", func(r *status.Report) bool { return r.State != "synchronized" && r.State != "holdover" })
			time.Sleep(time.Second)
			for _, s := range append(list, liars...) {
				s.start(t)
			}
			after := g.await(t, "synchronized again", synced)
			if c.liars > 0 && believed(source(t, after, "liar")) {
				t.Errorf("the liar is believed: %+v", after.Sources)
			}
			if c.clock != "" { // else the kernel's error is stated, which nobody has set here
				holds(t, after, after.Epoch, 0)
			}
			if ended := strings.Contains(c.clock, "holdover_max"); ended != (after.Epoch != before.Epoch) {
				t.Errorf("epoch %s, before the outage %s", after.Epoch, before.Epoch)
			}
		})
	}
}
