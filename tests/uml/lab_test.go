package uml

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/tests/netns"
	"github.com/ntsgw/ntsgw/tests/program"
)

// lab is a network namespace with test servers and guests in it.
type lab struct {
	*netns.Namespace
	t      *testing.T
	dir    string
	guests int
	ca     *certs.Throwaway
	skips  *skips // nil: time passes as it does
}

// newLab makes one, and at the test's end checks that this machine's clock was not set.
func newLab(t *testing.T) *lab {
	t.Helper()
	need(t)
	guardHost(t)
	l := &lab{Namespace: netns.New(t), t: t, dir: t.TempDir()}
	hosts := []string{"127.0.0.1"}
	for i := 1; i <= 8; i++ {
		hosts = append(hosts, hostAddress(i))
	}
	var err error
	if l.ca, err = certs.NewThrowaway(hosts...); err != nil {
		t.Fatal(err)
	}
	l.write("ca.pem", l.ca.CAPEM)
	l.write("cert.pem", l.ca.CertPEM)
	l.write("key.pem", l.ca.KeyPEM)
	return l
}

// need skips the test where its peers are missing.
func need(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("user-mode Linux guests take minutes; left out by -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("not root: user-mode Linux guests need a network namespace and a tap device")
	}
	for _, c := range []struct{ program, pkg string }{
		{"linux.uml", "user-mode-linux"}, {"ip", "iproute2"}, {"chronyd", "chrony"}, {"setpriv", "util-linux"}, {"go", "golang"},
	} {
		if _, err := exec.LookPath(c.program); err != nil {
			t.Skipf("%s (package %s) is not installed", c.program, c.pkg)
		}
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skip("/dev/net/tun is not there: a guest has no network")
	}
}

// guardHost fails the test when this machine's clock was stepped meanwhile.
func guardHost(t *testing.T) {
	t.Helper()
	begun, was := sysclock.Now(), sysclock.RealMinusRaw()
	before, err := sysclock.NewObserver().Kernel()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		took := float64(sysclock.Now() - begun)
		moved := float64(sysclock.RealMinusRaw()-was) - took*before.FrequencyPPM*1e-6
		if math.Abs(moved) > 50e6+took*600e-6 { // others may slew it meanwhile
			t.Errorf("this machine's clock moved by %v during the test: something set it", time.Duration(moved))
		}
	})
}

func (l *lab) write(name string, b []byte) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// process is one program that the test started and ends by its id.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	out  program.Buffer
}

// run starts a program in the lab's network, without the right to set the clock.
func (l *lab) run(name string, args ...string) *process {
	l.t.Helper()
	line := append([]string{name}, args...)
	var preload []string
	if name == "linux.uml" && hasCompiler() {
		preload = append(preload, built(l.t, "fpstate.so"))
	}
	if l.skips != nil {
		preload = append(preload, l.skips.lib)
		line = append([]string{"env", "NTSGW_SKIP=" + l.skips.file.Name()}, line...)
	}
	if len(preload) > 0 {
		line = append([]string{"env", "LD_PRELOAD=" + strings.Join(preload, ":")}, line...)
	}
	p := &process{cmd: l.Command(line[0], line[1:]...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: 0}
	if err := p.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.done) }()
	l.t.Cleanup(p.end)
	return p
}

func (p *process) end() {
	select {
	case <-p.done:
		return
	default:
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(busy * 3 * time.Second):
	}
	// What it has started itself; the group is its own.
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// server is one NTS server of the lab; its numbers are free because the namespace is its own.
type server struct {
	name    string
	ke, ntp int
	conf    string
	process *process
}

// chrony starts a chronyd that serves this machine's time with NTS and never sets it.
func (l *lab) chrony(i int, bind string) *server {
	l.t.Helper()
	s := &server{name: fmt.Sprintf("chrony%d", i), ke: 4460 + i, ntp: 11000 + i}
	dir := filepath.Join(l.dir, s.name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		l.t.Fatal(err)
	}
	conf := l.write(s.name+".conf", fmt.Appendf(nil, `local stratum 1
allow
bindaddress %s
port %d
ntsport %d
ntsserverkey %s/key.pem
ntsservercert %s/cert.pem
ntsprocesses 0
ntsdumpdir %s
cmdport 0
bindcmdaddress /
pidfile %s/pid
user root
`, bind, s.ntp, s.ke, l.dir, l.dir, dir, dir))
	s.conf = conf
	l.serve(s)
	return s
}

// serve starts a server, also one that was ended.
func (l *lab) serve(s *server) {
	l.t.Helper()
	s.process = l.run("chronyd", "-x", "-d", "-t", "3600", "-f", s.conf) // -t: it ends even if the test is killed
}

func hostAddress(i int) string  { return fmt.Sprintf("10.77.%d.1", i) }
func guestAddress(i int) string { return fmt.Sprintf("10.77.%d.2", i) }

// programs are built once for all tests.
var (
	buildDir  string
	buildOnce = sync.OnceValues(func() (string, error) {
		for name, pkg := range map[string]string{"guestinit": "./guestinit", "ntsgw": "../../cmd/ntsgw"} {
			c := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(buildDir, name), pkg)
			c.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := c.CombinedOutput(); err != nil {
				return "", fmt.Errorf("building %s: %w: %s", name, err, out)
			}
		}
		for _, name := range []string{"skip", "fpstate"} {
			if !hasCompiler() {
				break
			}
			c := exec.Command("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", filepath.Join(buildDir, name+".so"), "preload/"+name+".c", "-ldl")
			if out, err := c.CombinedOutput(); err != nil {
				return "", fmt.Errorf("building %s: %w: %s", name, err, out)
			}
		}
		return buildDir, nil
	})
)

// hasCompiler tells whether what is preloaded into programs of a lab can be built.
func hasCompiler() bool {
	_, err := exec.LookPath("gcc")
	return err == nil
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ntsgw-uml-")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func built(t *testing.T, name string) string {
	t.Helper()
	dir, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}
