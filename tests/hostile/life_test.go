package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/tests/program"
)

// stop ends the program by a signal and returns its exit code.
func (g *gateway) stop(s unix.Signal) int {
	g.t.Helper()
	g.process.Signal(s)
	select {
	case <-g.process.Done:
	case <-time.After(program.Busy * 8 * time.Second):
		g.t.Fatal("it did not end")
	}
	return g.process.ExitCode()
}

// Killed at any moment and started again: the keys that devices are enrolled with are the same,
// the socket that was left is no obstacle, and nothing is served before there is time again.
func TestKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "s0")
	g := newGateway(t, []*peer{p}, options{}).start()
	first := g.synced(15 * time.Second)
	e := g.enrol("node-a")
	epochs := map[string]bool{first.Epoch: true}
	for _, after := range []time.Duration{0, 30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second} {
		time.Sleep(after)
		g.stop(unix.SIGKILL)
		g.start()
	}
	p.set(func(p *peer) { p.silent = true })
	g.stop(unix.SIGKILL)
	g.start()
	program.Eventually(t, 5*time.Second, "it answers", func() bool { return g.report() != nil })
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if r := g.mustReport(); r.Time != "" || r.MaxError != nil {
			t.Fatalf("serves after a restart without a server: %s ± %v", r.Time, *r.MaxError)
		}
	}
	p.set(func(p *peer) { p.silent = false })
	r := g.synced(30 * time.Second)
	if epochs[r.Epoch] {
		t.Error("the epoch before the kill was taken up again")
	}
	n := g.node(e)
	n.exchange()
	if roots := g.roots(); len(roots) != 1 || roots[0] != e.Roots[0].Public {
		t.Errorf("roots %v, enrolled with %v", roots, e.Roots)
	}
}

// roots are the public root keys as keys -json prints them.
func (g *gateway) roots() (list []string) {
	g.t.Helper()
	out, code := g.command("keys", "-json", "-config", g.config)
	if code != 0 {
		g.t.Fatalf("%d %s", code, out)
	}
	for _, part := range strings.Split(out, "{") {
		if strings.Contains(part, `"role": "root"`) {
			_, rest, _ := strings.Cut(part, `"public": "`)
			public, _, _ := strings.Cut(rest, `"`)
			list = append(list, public)
		}
	}
	return list
}

// A storm of SIGHUP changes nothing.
func TestStormOfReloads(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []*peer{newPeer(t, "s0"), newPeer(t, "s1"), newPeer(t, "s2")}, options{nts: true}).start()
	line := g.synced(15 * time.Second)
	d := newDevice(g)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				g.process.Signal(unix.SIGHUP)
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	for range 20 {
		d.ask()
		g.same(line)
		time.Sleep(50 * time.Millisecond)
	}
	wg.Wait()
	d.ask()
	g.same(line)
}

// Two gateways on one control socket: the second says so and ends, the first goes on.
func TestASecondGateway(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "s0")
	g := newGateway(t, []*peer{p}, options{}).start()
	line := g.synced(15 * time.Second)
	out, code := g.command("run", "-config", g.config)
	if code == 0 || !strings.Contains(out, "address already in use") && !strings.Contains(out, "another ntsgw is running") {
		t.Errorf("%d %s", code, out)
	}
	g.same(line)
	if out, code := g.command("status", "-config", g.config); code != 0 {
		t.Errorf("%d %s", code, out)
	}
}

// What is wrong with its files is said, with a code, before anything is served.
func TestStateThatIsWrong(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "s0")
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T, g *gateway, state string)
		code   int
		says   string
	}{
		{"the state folder is a file", func(t *testing.T, g *gateway, state string) {
			must(t, os.RemoveAll(state))
			must(t, os.WriteFile(state, nil, 0o600))
		}, 78, "state folder"},
		{"the master key may be read by all", func(t *testing.T, g *gateway, state string) {
			must(t, os.Chmod(filepath.Join(state, "nodes", "nodes.key"), 0o644))
		}, 77, "chmod 600"},
		{"the master key is cut", func(t *testing.T, g *gateway, state string) {
			must(t, os.Truncate(filepath.Join(state, "nodes", "nodes.key"), 7))
		}, 78, "nodes.key"},
		{"the list of nodes is cut", func(t *testing.T, g *gateway, state string) {
			must(t, os.WriteFile(filepath.Join(state, "nodes", "nodes.json"), []byte(`{"version": 1, "nodes": [`), 0o600))
		}, 78, "nodes.json"},
		{"the root key may be read by all", func(t *testing.T, g *gateway, state string) {
			must(t, os.Chmod(filepath.Join(state, "keys", "root-ed25519.key"), 0o640))
		}, 77, "chmod 600"},
		{"the root key is gone", func(t *testing.T, g *gateway, state string) {
			must(t, os.Remove(filepath.Join(state, "keys", "root-ed25519.key")))
		}, 78, "is missing"},
		{"the list of keys is gone", func(t *testing.T, g *gateway, state string) {
			must(t, os.Remove(filepath.Join(state, "keys", "keys.json")))
		}, 78, "but there are keys"},
		{"the configuration has a key that is none", func(t *testing.T, g *gateway, state string) {
			b, err := os.ReadFile(g.config)
			must(t, err)
			must(t, os.WriteFile(g.config, append([]byte("[clok]\nmode = \"system\"\n"), b...), 0o600))
		}, 78, "did you mean"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, []*peer{p}, options{})
			g.t = t
			g.enrol("node-a")
			tt.damage(t, g, filepath.Join(g.dir, "state"))
			out, code := g.command("run", "-config", g.config)
			if code != tt.code || !strings.Contains(out, tt.says) || strings.Contains(out, "goroutine ") {
				t.Errorf("%d\n%s", code, out)
			}
		})
	}
	// A damaged drift file or saved time only costs what it held.
	t.Run("drift and saved time are noise", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, []*peer{p}, options{})
		state := filepath.Join(g.dir, "state")
		must(t, os.MkdirAll(state, 0o700))
		for _, f := range []string{"drift", "last-time"} {
			must(t, os.WriteFile(filepath.Join(state, f), []byte("\x00\xff{{{"), 0o600))
		}
		g.start()
		r := g.synced(15 * time.Second)
		g.same(r)
	})
}

// All servers restart with clocks that jumped: by little the bound covers both, by much nothing is
// served, and what follows is another timeline.
func TestAllServersJump(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		jump time.Duration
	}{{"20 ms", 20 * time.Millisecond}, {"an hour", time.Hour}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for try := 1; ; try++ {
				wrong, busy := jump(t, tt.jump)
				if wrong == "" {
					return
				}
				if !busy || try == 6 {
					t.Fatal(wrong)
				}
				t.Logf("once more, as a round trip hid half of the jump: %s", wrong)
			}
		})
	}
}

// jump says what was wrong, and whether the machine was so busy that a round trip took half as long as the servers jump
// by: what is told over that agrees with the time before and with the time after.
func jump(t *testing.T, by time.Duration) (wrong string, busy bool) {
	peers := []*peer{newPeer(t, "s0"), newPeer(t, "s1"), newPeer(t, "s2")}
	g := newGateway(t, peers, options{}).start()
	defer g.process.Stop()
	before := g.synced(15 * time.Second)
	time.Sleep(4 * time.Second)
	// A jump inside what is not known can't be seen.
	program.Eventually(t, 15*time.Second, "the time is known well", func() bool {
		r := g.mustReport()
		return r.MaxError != nil && *r.MaxError < 0.005
	})
	for _, p := range peers {
		p.set(func(p *peer) { p.lie = func(time.Duration) time.Duration { return by } })
	}
	covered, dark := false, false
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r := g.mustReport()
		for _, s := range r.Sources {
			busy = busy || s.Delay != nil && *s.Delay >= by.Seconds()/2
		}
		covered = covered || r.Epoch == before.Epoch && r.MaxError != nil && *r.MaxError >= by.Seconds()
		dark = dark || r.Time == ""
		if r.Time != "" && r.Epoch == before.Epoch && abs(*r.Offset) > *r.MaxError {
			return fmt.Sprintf("in the old epoch the old time was left: %v, bound %v", *r.Offset, *r.MaxError), busy
		}
		if r.Epoch != before.Epoch && r.Synchronized {
			break
		}
		if time.Now().After(end) {
			return "the new time is not followed in a new epoch", busy
		}
	}
	if r := g.mustReport(); r.MaxError == nil || abs(*r.Offset-by.Seconds()) > *r.MaxError {
		return fmt.Sprintf("offset %v, bound %v", r.Offset, r.MaxError), busy
	}
	if by < 100*time.Millisecond && !covered || by > time.Second && !dark {
		return fmt.Sprintf("covered %v, dark %v", covered, dark), busy
	}
	return "", busy
}
