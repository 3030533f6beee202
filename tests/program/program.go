// Package program builds ntsgw for the tests that run it whole, starts it and its peers without the power
// to set the clock, and ends what it started.
package program

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

var dir string

// Dir is a folder that lives as long as the package's tests run; the program is in it.
func Dir() string { return dir }

// Path is the built program.
func Path() string { return filepath.Join(dir, "ntsgw") }

// Main is for a package's TestMain: it builds the program, runs the tests, so many at once (they do little but
// wait; 0: as many as go test says), and fails when one of them stepped this machine's clock.
func Main(m *testing.M, parallel int) {
	os.Exit(run(m, parallel))
}

func run(m *testing.M, parallel int) int {
	var err error
	if dir, err = os.MkdirTemp("", "ntsgw-tests-"); err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir)
	// Without the time of its commit, so that its floor is the same whenever that was.
	build := exec.Command("go", "build", "-buildvcs=false", "-o", Path(), "github.com/ntsgw/ntsgw/cmd/ntsgw")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return failed(fmt.Errorf("build the program: %w\n%s", err, out))
	}
	if parallel > 0 {
		flag.Parse()
		if err := flag.Set("test.parallel", strconv.Itoa(parallel)); err != nil {
			return failed(err)
		}
	}
	before, began := sysclock.RealMinusRaw(), sysclock.Now()
	code := m.Run()
	// Slewing by others is slow, and so is what the host clock's frequency makes of minutes; a step is not.
	slack := 50*time.Millisecond + time.Duration(float64(sysclock.Now().Sub(began))*600e-6)
	if moved := sysclock.RealMinusRaw() - before; moved.Abs() > slack {
		return failed(fmt.Errorf("the machine's clock moved by %v during the tests: one of them sets it", moved))
	}
	return code
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// Command is the program with arguments.
func Command(args ...string) *exec.Cmd { return Noclock(Path(), args...) }

// Noclock is a program without the power to set the clock.
func Noclock(name string, args ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		args = append([]string{"--bounding-set", "-sys_time", "--inh-caps", "-sys_time", name}, args...)
		name = "setpriv"
	}
	return exec.Command(name, args...)
}

// Process is a program that a test started. It ends with the test.
type Process struct {
	Out  *Buffer       // what it prints
	Done chan struct{} // closed when it has ended
	cmd  *exec.Cmd
}

// Start runs cmd until the test ends. A test that fails shows what it printed; one whose program panicked, or
// does not end when it is asked to, fails.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, Out: &Buffer{}, Done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.Out, p.Out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		close(p.Done)
	}()
	t.Cleanup(func() {
		if !p.Stop() {
			t.Errorf("%s did not end when it was asked to", p.name())
		}
		if strings.Contains(p.Out.String(), "goroutine ") {
			t.Errorf("%s panicked", p.name())
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", p.name(), Tail(p.Out.String(), 6000))
		}
	})
	return p
}

func (p *Process) name() string {
	for _, a := range p.cmd.Args {
		if strings.HasPrefix(a, "/") {
			return filepath.Base(a)
		}
	}
	return p.cmd.Args[0]
}

// Signal sends it a signal.
func (p *Process) Signal(s unix.Signal) { p.cmd.Process.Signal(s) }

// ExitCode is what it ended with, once Done is closed; -1 when a signal ended it.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Stop asks it to end, and ends it when it doesn't: within 5 s on a machine that does nothing else.
func (p *Process) Stop() (obeyed bool) {
	p.Signal(unix.SIGTERM)
	select {
	case <-p.Done:
		return true
	case <-time.After(Busy * 5 * time.Second):
		p.cmd.Process.Kill()
		<-p.Done
		return false
	}
}

// Run runs the program to its end, which takes less than 15 s on a machine that does nothing else, and returns what it printed and its exit code.
func Run(t testing.TB, stdin string, args ...string) (string, int) {
	t.Helper()
	cmd, out := Command(args...), &Buffer{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	long := time.AfterFunc(Busy*15*time.Second, func() { cmd.Process.Kill() })
	defer long.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// Buffer is a bytes.Buffer that several goroutines may use.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }
func (b *Buffer) String() string              { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

// Tail is the end of s, at most n bytes.
func Tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// Busy is how many times as long things may take on a machine that does something else as well.
const Busy = 10

// Noticed is how long it takes on such a machine until a changed file is read. Where the kernel has no notices left to
// give, as many gateways at once use up what it gives a user, files are looked at once a minute: Busy times this is more.
const Noticed = 10 * time.Second

// Eventually waits until f says that it holds: within the time on a machine that does nothing else, and Busy
// times that on any.
func Eventually(t testing.TB, within time.Duration, what string, f func() bool) {
	t.Helper()
	within *= Busy
	for deadline := time.Now().Add(within); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// Folder is a new folder whose path is short enough for a socket's name. It goes with the test.
func Folder(t testing.TB) string {
	t.Helper()
	path, err := os.MkdirTemp("", "ntsgw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	return path
}

// Write puts text into a file.
func Write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
