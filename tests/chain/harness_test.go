// Package chain runs the built program against real peers: chrony as NTS server and client,
// mosquitto as broker, and servers that answer wrongly on purpose.
package chain

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/loopback"
)

var program struct {
	once sync.Once
	path string
	err  error
}

func TestMain(m *testing.M) {
	before := realMinusRaw()
	code := m.Run()
	if program.path != "" {
		os.RemoveAll(filepath.Dir(program.path))
	}
	// Slewing by others is slow; a step is not.
	if moved := time.Duration(realMinusRaw() - before); moved.Abs() > 50*time.Millisecond {
		fmt.Fprintf(os.Stderr, "the machine's clock moved by %v during the tests: one of them sets it\n", moved)
		code = 1
	}
	os.Exit(code)
}

func realMinusRaw() int64 {
	var raw, real unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &raw)
	unix.ClockGettime(unix.CLOCK_REALTIME, &real)
	return real.Nano() - raw.Nano()
}

// ntsgw returns the path of the built program.
func ntsgw(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		dir, err := os.MkdirTemp("", "ntsgw-chain-")
		if err != nil {
			program.err = err
			return
		}
		program.path = filepath.Join(dir, "ntsgw")
		cmd := exec.Command("go", "build", "-o", program.path, "github.com/ntsgw/ntsgw/cmd/ntsgw")
		if out, err := cmd.CombinedOutput(); err != nil {
			program.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

// noclock starts a program without the power to set the clock.
func noclock(name string, args ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		args = append([]string{"--bounding-set", "-sys_time", "--inh-caps", "-sys_time", name}, args...)
		name = "setpriv"
	}
	return exec.Command(name, args...)
}

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if _, err := os.Stat("/usr/sbin/" + p); err != nil {
				t.Skipf("%s is not installed: make test installs it when run as root", p)
			}
		}
	}
}

// process is a program that a test started. It is stopped with the test.
type process struct {
	cmd  *exec.Cmd
	out  *buffer
	done chan struct{}
	err  error
}

// buffer is a bytes.Buffer that two goroutines may use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }
func (b *buffer) String() string              { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, out: &buffer{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(cmd.Path), tail(p.out.String(), 6000))
		}
	})
	return p
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

func (p *process) stop() {
	p.cmd.Process.Signal(unix.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
	}
}

// eventually waits until f says that it holds.
func eventually(t *testing.T, within time.Duration, what string, f func() bool) {
	t.Helper()
	within *= 4 // a busy machine is slow
	deadline := time.Now().Add(within)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// chronyServer is chronyd as an NTS server that serves the host clock at stratum 1.
type chronyServer struct {
	*process
	ke  string
	dir string
}

func startChrony(t *testing.T, pki *certstest.PKI) *chronyServer {
	t.Helper()
	need(t, "chronyd")
	s := &chronyServer{dir: shortDir(t)}
	ke, ntp := loopback.Port(t), loopback.Port(t)
	s.ke = fmt.Sprintf("127.0.0.1:%d", ke)
	cert, key := certstest.WritePair(t, s.dir, "server", pki.Issue(t, certstest.Leaf{}))
	conf := fmt.Sprintf("ntsservercert %s\nntsserverkey %s\nntsport %d\nport %d\nlocal stratum 1\nallow 127.0.0.1\ncmdport 0\nbindcmdaddress /\npidfile %s/pid\nntsdumpdir %s\nuser root\n",
		cert, key, ke, ntp, s.dir, s.dir)
	write(t, filepath.Join(s.dir, "chrony.conf"), conf)
	s.process = start(t, noclock("chronyd", "-x", "-d", "-f", filepath.Join(s.dir, "chrony.conf")))
	eventually(t, 5*time.Second, "chronyd listens", func() bool {
		c, err := net.Dial("tcp", s.ke)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return s
}

// shortDir is a folder whose path is short enough for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ntsgw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// gateway is the built program, observing.
type gateway struct {
	*process
	t      *testing.T
	dir    string
	config string
	socket string
	broker string // of the embedded broker
	page   string
}

// startGateway runs the program. servers are lines of [[server]] sections; extra is added as it is.
func startGateway(t *testing.T, servers, mqtt, extra string) *gateway {
	t.Helper()
	g := newGateway(t, servers, mqtt, extra)
	g.process = start(t, noclock(ntsgw(t), "run", "-config", g.config))
	return g
}

// newGateway writes the configuration of a gateway that the caller starts.
func newGateway(t *testing.T, servers, mqtt, extra string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: shortDir(t)}
	g.config, g.socket = filepath.Join(g.dir, "ntsgw.toml"), filepath.Join(g.dir, "s")
	g.page = fmt.Sprintf("127.0.0.1:%d", loopback.Port(t))
	g.broker = fmt.Sprintf("127.0.0.1:%d", loopback.Port(t))
	if mqtt == "" {
		mqtt = fmt.Sprintf("listen = %q\n", g.broker)
	}
	write(t, g.config, fmt.Sprintf(`[gateway]
id = "gw1"
state_dir = "state"
[clock]
mode = "observe"
[status]
listen = %q
socket = "s"
[mqtt]
interval = "1s"
%s
%s
%s`, g.page, mqtt, extra, servers))
	return g
}

func server(address, ca string) string {
	return fmt.Sprintf("[[server]]\naddress = %q\nca = %q\nmin_poll = \"1s\"\nmax_poll = \"2s\"\nrevocation = \"off\"\n", address, ca)
}

// report asks over the control socket; nil when nobody answers yet.
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

func (g *gateway) waitSynced(within time.Duration) *status.Report {
	g.t.Helper()
	eventually(g.t, within, "the gateway is synchronized", func() bool {
		r := g.report()
		return r != nil && r.Synchronized
	})
	return g.mustReport()
}

// run runs one more command of the program and returns what it printed.
func (g *gateway) run(stdin string, args ...string) (string, int) {
	g.t.Helper()
	cmd := noclock(ntsgw(g.t), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok {
		return string(out), exit.ExitCode()
	} else if err != nil {
		g.t.Fatal(err)
	}
	return string(out), 0
}

// onlineKey is the public key that beacons are signed with.
func (g *gateway) onlineKey() string {
	g.t.Helper()
	out, code := g.run("", "keys", "-json", "-config", g.config)
	var list struct {
		Keys []struct{ Role, State, Public string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		g.t.Fatalf("keys -json: %v\n%s", err, out)
	}
	for _, k := range list.Keys {
		if k.Role == "online" && k.State == "current" {
			if _, err := hex.DecodeString(k.Public); err != nil {
				g.t.Fatal(err)
			}
			return k.Public
		}
	}
	g.t.Fatalf("no online key:\n%s", out)
	return ""
}
