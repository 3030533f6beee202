// Package hostile attacks the built program from outside: servers that lie, networks that hold
// packets back, and strangers at each of its own doors. In every case the promise must hold, the
// refusal be counted under its own reason, and the next honest message be accepted.
package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

// Nearly all of the time is waiting, so the number of processors is no measure.
func TestMain(m *testing.M) { program.Main(m, 32) }

// gateway is the built program, observing.
type gateway struct {
	t      testing.TB
	dir    string
	config string
	socket string
	page   string
	broker string
	ke     string // of its NTS server, where options ask for it
	ntp    string

	process *program.Process
}

// options are what a test wants of a gateway beside its servers.
type options struct {
	nts   bool   // its NTS server is on
	mqtt  string // further lines of [mqtt]
	clock string // further lines of [clock]
	extra string // further sections
}

// newGateway writes a configuration for the peers; start runs it.
func newGateway(t testing.TB, peers []*peer, o options) *gateway {
	t.Helper()
	dir := program.Folder(t)
	g := &gateway{t: t, dir: dir, config: filepath.Join(dir, "ntsgw.toml"), socket: filepath.Join(dir, "s")}
	g.page, g.broker = loopback.Free(t), loopback.Free(t)
	var b strings.Builder
	fmt.Fprintf(&b, "[gateway]\nid = \"gw1\"\nstate_dir = \"state\"\n[clock]\nmode = \"observe\"\n%s\n[status]\nlisten = %q\nsocket = \"s\"\n", o.clock, g.page)
	fmt.Fprintf(&b, "[mqtt]\ninterval = \"1s\"\nlisten = %q\n%s\n%s\n", g.broker, o.mqtt, o.extra)
	if o.nts {
		g.ke, g.ntp = loopback.Free(t), loopback.Free(t)
		writeCertificate(t, dir)
		fmt.Fprintf(&b, "[nts_server]\nlisten = %q\nntp_listen = %q\ncert = \"server.pem\"\nkey = \"server.key\"\n", g.ke, g.ntp)
	}
	for i, p := range peers {
		fmt.Fprintf(&b, "[[server]]\naddress = %q\nname = %q\noperator = \"operator-%d\"\nca = %q\nmin_poll = \"1s\"\nmax_poll = \"1s\"\nrevocation = \"off\"\n", p.address, p.name, i, p.ca)
	}
	program.Write(t, g.config, b.String())
	return g
}

// start runs the program, which ends with the test.
func (g *gateway) start() *gateway {
	g.t.Helper()
	g.process = program.Start(g.t, program.Command("run", "-config", g.config))
	return g
}

// command runs one more command of the program.
func (g *gateway) command(args ...string) (string, int) {
	g.t.Helper()
	return program.Run(g.t, "", args...)
}

// report asks over the control socket; nil when nobody answers.
func (g *gateway) report() *status.Report { return program.Report(g.socket) }

func (g *gateway) mustReport() *status.Report {
	g.t.Helper()
	return program.MustReport(g.t, g.socket)
}

func (g *gateway) synced(within time.Duration) *status.Report {
	g.t.Helper()
	return program.Synced(g.t, within, g.socket)
}

// same fails when the timeline is another than it was, or its bound is wrong by the host clock.
func (g *gateway) same(before *status.Report) {
	g.t.Helper()
	r := g.mustReport()
	if r.Epoch != before.Epoch || r.State != before.State {
		g.t.Errorf("the timeline changed: %s %s, was %s %s", r.State, r.Epoch, before.State, before.Epoch)
	}
	if r.MaxError == nil || r.Offset == nil || abs(*r.Offset) > *r.MaxError {
		g.t.Errorf("true error %v, bound %v", r.Offset, r.MaxError)
	}
}

// observation is what was seen of the promise.
type observation struct {
	mu         sync.Mutex
	seen       int // reports
	served     int // of them, with time
	lost       int // of them, without time after there was some
	violations int
	worst      float64 // largest |true error| − bound, seconds
	at         time.Duration
	worstError float64
	worstBound float64
	lastError  float64
	lastBound  float64
	most       float64 // largest |true error| while served
	states     map[string]int
	epochs     map[string]bool
}

// watch holds the promise against the host clock 20 times a second, until ctx ends. The honest
// peers serve the host clock, so it is the truth.
func (g *gateway) watch(ctx context.Context, o *observation, began time.Time) {
	o.states, o.epochs = map[string]int{}, map[string]bool{}
	client := &http.Client{Timeout: 2 * time.Second}
	o.worst = -1e9
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		resp, err := client.Get("http://" + g.page + "/status.json")
		if err != nil {
			continue
		}
		answered := time.Now()
		var r status.Report
		err = json.NewDecoder(resp.Body).Decode(&r)
		resp.Body.Close()
		if err != nil {
			continue
		}
		o.mu.Lock()
		o.seen++
		o.states[r.State]++
		if r.Time == "" && o.served > 0 {
			o.lost++
		}
		if r.Time != "" {
			o.served++
			o.epochs[r.Epoch] = true
			off, bound := *r.Offset, *r.MaxError
			if x := abs(off) - bound; x > o.worst {
				o.worst, o.at, o.worstError, o.worstBound = x, time.Since(began), off, bound
			}
			// The page's time itself, between the moments when it was asked for and came.
			shown, err := time.Parse(time.RFC3339Nano, r.Time)
			early, late := asked.Sub(shown).Seconds()-bound-1e-6, shown.Sub(answered).Seconds()-bound-1e-6
			if abs(off) > bound || err != nil || early > 0 || late > 0 {
				o.violations++
			}
			o.most = max(o.most, abs(off))
			o.lastError, o.lastBound = off, bound
		}
		o.mu.Unlock()
	}
}

func (o *observation) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprintf("%d reports, %d served, %d lost, %d violations; worst: true error %+.6f s, bound %.6f s at %v; most error %.6f; last %.6f / %.6f; states %v; epochs %d",
		o.seen, o.served, o.lost, o.violations, o.worstError, o.worstBound, o.at.Round(time.Millisecond), o.most, o.lastError, o.lastBound, o.states, len(o.epochs))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}
