// Package netns gives tests network namespaces of their own.
package netns

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/tests/program"
)

var made atomic.Int32

// Namespace is a network in which only loopback is up. It goes with the test.
type Namespace struct {
	t    testing.TB
	name string
}

// New makes one. The test is skipped where that can't be done.
func New(t testing.TB) *Namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: a network namespace is needed")
	}
	for _, p := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed: make test installs it when run as root", p)
		}
	}
	n := &Namespace{t: t, name: fmt.Sprintf("ntsgw-%d-%d", os.Getpid(), made.Add(1))}
	if out, err := exec.Command("ip", "netns", "add", n.name).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %v: %s", err, out)
	}
	t.Cleanup(func() { n.run("netns", "del", n.name) })
	n.IP("link", "set", "lo", "up")
	return n
}

// Name is what ip(8) calls it.
func (n *Namespace) Name() string { return n.name }

// IP runs ip(8) in it; a failure fails the test.
func (n *Namespace) IP(args ...string) {
	n.t.Helper()
	n.run(append([]string{"-n", n.name}, args...)...)
}

func (n *Namespace) run(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// Within is what a program is started through to be in it. It is nsenter and not ip netns exec, which mounts /sys anew.
func (n *Namespace) Within() []string { return []string{"nsenter", "--net=/run/netns/" + n.name} }

// Command is a program in it, without the power to set the clock.
func (n *Namespace) Command(name string, args ...string) *exec.Cmd {
	line := append(append(n.Within(), name), args...)
	return program.Noclock(line[0], line[1:]...)
}

// Enter runs f on a thread that stands in it: sockets made there stay there.
func (n *Namespace) Enter(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// The thread is not unlocked: it ends with the goroutine, and its namespace with it.
		runtime.LockOSThread()
		fd, err := unix.Open("/run/netns/"+n.name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- err
			return
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}
