// Package packaging holds what is shipped beside the program to what the program does.
package packaging

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

func TestMain(m *testing.M) { program.Main(m, 0) }

// named finds the metrics in a text. The names of the rules' alerts and of the program begin otherwise.
var named = regexp.MustCompile(`\bntsgw_[a-z_]+`)

// What alerts, the dashboard and the handbook name is what a gateway tells: one with a server that answers, one
// that is dead, and every downstream that has metrics.
func TestMetricsThatAreNamedExist(t *testing.T) {
	dir, page := program.Folder(t), loopback.Free(t)
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	program.Write(t, filepath.Join(dir, "ca.pem"), string(ca.PEM()))
	program.Write(t, filepath.Join(dir, "ntsgw.toml"), fmt.Sprintf(`
[gateway]
state_dir = "state"
[clock]
mode = "observe"
min_sources = 1
bootstrap_quorum = 1
[[server]]
address = %q
ca = "ca.pem"
min_poll = "1s"
revocation = "off"
[[server]]
address = %q
ca = "ca.pem"
revocation = "off"
[mqtt]
listen = %q
[ptp]
interfaces = ["none0"]
[status]
listen = %q
socket = "s"
`, server.Address, loopback.Free(t), loopback.Free(t), page))
	program.Start(t, program.Command("run", "-config", filepath.Join(dir, "ntsgw.toml")))

	told := map[string]bool{}
	has := func() bool {
		resp, err := http.Get("http://" + page + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return false
		}
		clear(told)
		for _, name := range named.FindAllString(string(text), -1) {
			told[name] = true
		}
		return strings.Contains(string(text), `ntsgw_state{state="synchronized"} 1`) &&
			told["ntsgw_source_rejected_total"] && told["ntsgw_source_jitter_seconds"] && told["ntsgw_ptp_interfaces_serving"] && told["ntsgw_warning"]
	}
	program.Eventually(t, 15*time.Second, "it is synchronized, one server is refused, and PTP waits", has)
	for _, file := range []string{"prometheus/rules.yml", "grafana/ntsgw.json", "../docs/operations.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := named.FindAllString(string(text), -1)
		if len(names) < 5 {
			t.Errorf("%s names %d metrics", file, len(names))
		}
		for _, name := range names {
			if !told[name] {
				t.Errorf("%s names %s, which a gateway does not tell", file, name)
			}
		}
	}
}

func TestDashboardIsJSON(t *testing.T) {
	text, err := os.ReadFile("grafana/ntsgw.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		if p.Title == "" || len(p.Targets) == 0 || p.Targets[0].Expr == "" {
			t.Errorf("panel %+v shows nothing", p)
		}
	}
	if len(d.Panels) < 8 {
		t.Errorf("%d panels", len(d.Panels))
	}
}

func TestRulesAreRead(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	if out, err := exec.Command("promtool", "check", "rules", "prometheus/rules.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
