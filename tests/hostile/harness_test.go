// Package hostile attacks the built program from outside: servers that lie, networks that hold
// packets back, and strangers at each of its own doors. In every case the promise must hold, the
// refusal be counted under its own reason, and the next honest message be accepted.
package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/loopback"
)

// program is built once, by TestMain.
var program string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ntsgw-hostile-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "ntsgw")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/ntsgw/ntsgw/cmd/ntsgw").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	// Nearly all of the time is waiting, so the number of processors is no measure.
	flag.Parse()
	if err := flag.Set("test.parallel", "32"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	before := realMinusRaw()
	code := m.Run()
	// Slewing by others is slow; a step is not.
	if moved := time.Duration(realMinusRaw() - before); moved.Abs() > 50*time.Millisecond {
		fmt.Fprintf(os.Stderr, "the machine's clock moved by %v during the tests: one of them sets it\n", moved)
		return 1
	}
	return code
}

func realMinusRaw() int64 {
	var raw, real unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &raw)
	unix.ClockGettime(unix.CLOCK_REALTIME, &real)
	return real.Nano() - raw.Nano()
}

// noclock is the program without the power to set the clock.
func noclock(args ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		args = append([]string{"--bounding-set", "-sys_time", "--inh-caps", "-sys_time", program}, args...)
		return exec.Command("setpriv", args...)
	}
	return exec.Command(program, args...)
}

// buffer is a bytes.Buffer that two goroutines may use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }
func (b *buffer) String() string              { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

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

	cmd  *exec.Cmd
	out  *buffer
	done chan struct{}
	code int
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
	dir, err := os.MkdirTemp("", "ntsgw") // short enough for a socket's name
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
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
	must(t, os.WriteFile(g.config, []byte(b.String()), 0o600))
	return g
}

// start runs the program, which ends with the test.
func (g *gateway) start() *gateway {
	g.t.Helper()
	g.cmd, g.out, g.done = noclock("run", "-config", g.config), &buffer{}, make(chan struct{})
	g.cmd.Stdout, g.cmd.Stderr = g.out, g.out
	must(g.t, g.cmd.Start())
	cmd, done, out := g.cmd, g.done, g.out
	go func() {
		cmd.Wait()
		g.code = cmd.ProcessState.ExitCode()
		close(done)
	}()
	g.t.Cleanup(func() {
		cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			cmd.Process.Kill()
			<-done
			g.t.Errorf("the program did not end within 5 s of SIGTERM")
		}
		if g.t.Failed() {
			text := out.String()
			g.t.Logf("it printed:\n%s", text[max(0, len(text)-4000):])
		}
		if strings.Contains(out.String(), "goroutine ") {
			g.t.Errorf("it panicked:\n%s", out.String())
		}
	})
	return g
}

// command runs one more command of the program.
func (g *gateway) command(args ...string) (string, int) {
	g.t.Helper()
	cmd, out := noclock(args...), &buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	must(g.t, cmd.Start())
	long := time.AfterFunc(15*time.Second, func() { cmd.Process.Kill() })
	defer long.Stop()
	err := cmd.Wait()
	if exit, ok := err.(*exec.ExitError); ok {
		return out.String(), exit.ExitCode()
	}
	must(g.t, err)
	return out.String(), 0
}

// report asks over the control socket; nil when nobody answers.
func (g *gateway) report() *status.Report {
	r, err := status.Ask(context.Background(), g.socket)
	if err != nil {
		return nil
	}
	return r
}

func (g *gateway) mustReport() *status.Report {
	g.t.Helper()
	r := g.report()
	if r == nil {
		g.t.Fatal("the gateway does not answer")
	}
	return r
}

func (g *gateway) synced(within time.Duration) *status.Report {
	g.t.Helper()
	eventually(g.t, within, "the gateway is synchronized", func() bool {
		r := g.report()
		return r != nil && r.Synchronized
	})
	return g.mustReport()
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

// eventually waits until f says that it holds: within the time on a machine that does nothing else, and
// several times that on one that is busy.
func eventually(t testing.TB, within time.Duration, what string, f func() bool) {
	t.Helper()
	within *= 4
	deadline := time.Now().Add(within)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
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
