package trust

import (
	"crypto/sha1"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

// patience bounds every wait: what has not come by then does not come.
const patience = 2 * time.Minute

// Many tests wait at once: they do little else.
func TestMain(m *testing.M) { program.Main(m, 24) }

// gateway is the built program, observing.
type gateway struct {
	t       *testing.T
	dir     string // with the configuration, the state folder and the control socket
	page    string
	within  []string // what the program is started through, beside setpriv
	process *program.Process
	began   time.Time
}

// newGateway prepares one; servers are [[server]] sections, extra further ones.
func newGateway(t *testing.T, extra string, servers ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: program.Folder(t), page: loopback.Free(t)}
	if err := os.Mkdir(g.state(), 0o700); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(extra, "[mqtt]") {
		extra += "[mqtt]\nenabled = false\n"
	}
	program.Write(t, filepath.Join(g.dir, "leaps"), leaps())
	program.Write(t, g.config(), fmt.Sprintf("[gateway]\nid = \"gw1\"\nstate_dir = \"state\"\n[clock]\nmode = \"observe\"\nleap_list = \"leaps\"\n[status]\nlisten = %q\nsocket = \"s\"\n%s%s",
		g.page, extra, strings.Join(servers, "")))
	return g
}

// leaps is a list of leap seconds that is good until 2100, as the servers of some tests are decades ahead.
func leaps() string {
	const updated, expires, at, offset = "3960835200", "6311433600", "3692217600", "37"
	sum := sha1.Sum([]byte(updated + expires + at + offset))
	return fmt.Sprintf("#$ %s\n#@ %s\n%s %s\n#h %x %x %x %x %x\n", updated, expires, at, offset, sum[:4], sum[4:8], sum[8:12], sum[12:16], sum[16:])
}

func (g *gateway) config() string { return filepath.Join(g.dir, "ntsgw.toml") }
func (g *gateway) state() string  { return filepath.Join(g.dir, "state") }

// start runs the program, which ends with the test.
func (g *gateway) start() *gateway {
	g.t.Helper()
	args := append(slices.Clone(g.within), program.Command("run", "-config", g.config()).Args...)
	g.began = time.Now()
	g.process = program.Start(g.t, exec.Command(args[0], args[1:]...))
	return g
}

// stop ends it in order.
func (g *gateway) stop() { g.process.Stop() }

func (g *gateway) hangUp() { g.process.Signal(unix.SIGHUP) }

// report asks over the control socket; nil while nobody answers.
func (g *gateway) report() *status.Report { return program.Report(filepath.Join(g.dir, "s")) }

// await waits until the report is as wanted and returns it.
func (g *gateway) await(t *testing.T, what string, ok func(*status.Report) bool) *status.Report {
	t.Helper()
	var r *status.Report
	defer func() {
		if t.Failed() && r != nil {
			t.Logf("when it was waited for that %s: %s, warnings %v", what, r.State, r.Warnings)
			for _, s := range r.Sources {
				t.Logf("%s: %s, reach %o, received %d, rejected %v, %s", s.Name, s.State, s.Reach, s.Received, s.Rejected, s.LastError)
			}
		}
	}()
	program.Eventually(t, patience/program.Busy, what, func() bool {
		select {
		case <-g.process.Done:
			t.Fatalf("the gateway ended:\n%s", program.Tail(g.process.Out.String(), 3000))
		default:
		}
		r = g.report()
		return r != nil && ok(r)
	})
	return r
}

func synced(r *status.Report) bool { return r.Synchronized }

// source returns a report's source of that name.
func source(t *testing.T, r *status.Report, name string) status.Source {
	t.Helper()
	for _, s := range r.Sources {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no source %s", name)
	return status.Source{}
}

// believed reports whether selection made use of the source.
func believed(s status.Source) bool { return s.State == "selected" }

// allUsed reports whether selection makes use of every source, and so whether each has passed the
// full checks.
func allUsed(r *status.Report) bool {
	for _, s := range r.Sources {
		if !believed(s) {
			return false
		}
	}
	return synced(r)
}

// warned reports whether r carries a warning of that id with part in its text.
func warned(r *status.Report, id, part string) bool {
	for _, w := range r.Warnings {
		if w.ID == id && strings.Contains(w.Text, part) {
			return true
		}
	}
	return false
}

// holds checks that the timeline of r is that of epoch, or of any when that is empty, and true: as
// far from the host clock as truth is, within the stated bound.
func holds(t *testing.T, r *status.Report, epoch string, truth time.Duration) {
	t.Helper()
	if r.MaxError == nil || r.Offset == nil {
		t.Errorf("nothing is served: %s", r.State)
		return
	}
	if off := *r.Offset - truth.Seconds(); math.Abs(off) > *r.MaxError+float64Slack(truth) || *r.MaxError > 1 {
		t.Errorf("the timeline is %v s off, stated %v", off, *r.MaxError)
	}
	if epoch != "" && r.Epoch != epoch {
		t.Errorf("epoch %s was %s", r.Epoch, epoch)
	}
}

// float64Slack is how exact a report's offset in seconds can be when it is years large.
func float64Slack(d time.Duration) float64 { return math.Abs(d.Seconds()) * 1e-15 }

// metric returns the value of a line of /metrics, 0 when there is none.
func (g *gateway) metric(t *testing.T, name string) (value float64) {
	t.Helper()
	resp, err := http.Get("http://" + g.page + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			fmt.Sscan(rest, &value)
		}
	}
	return value
}

// refusals is how often the policy on certificates refused something for that reason.
func (g *gateway) refusals(t *testing.T, why string) float64 {
	t.Helper()
	return g.metric(t, fmt.Sprintf("ntsgw_certs_refused_total{reason=%q}", why))
}

// doubts is how often an answer about revocation was no good for a server that was accepted.
func (g *gateway) doubts(t *testing.T, why string) float64 {
	t.Helper()
	return g.metric(t, fmt.Sprintf("ntsgw_certs_doubted_total{reason=%q}", why))
}

// replace puts text at path by an atomic rename.
func replace(t *testing.T, path, text string) {
	t.Helper()
	program.Write(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
