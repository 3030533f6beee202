package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/signing"
	"github.com/ntsgw/ntsgw/certs/watch"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

func openStore(t testing.TB, dir string) *signing.Store {
	t.Helper()
	s, err := signing.Open(signing.Options{Dir: dir, Gateway: "gw1", Algorithms: []beacon.Alg{beacon.Ed25519, beacon.ES256}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(to, "*"))
	for _, f := range files {
		os.Chmod(f, 0o600)
	}
	os.Chmod(to, 0o700)
}

// TestStoreRotation: beacons follow a rotation that another process made, the delegation first; and
// a restored old backup is noticed by what the broker retains.
func TestStoreRotation(t *testing.T) {
	t.Parallel()
	port := loopback.Port(t)
	newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true")
	base := t.TempDir()
	dir, backup := filepath.Join(base, "keys"), filepath.Join(base, "backup")
	store := openStore(t, dir)
	roots := map[beacon.Alg]*beacon.PublicKey{}
	for _, r := range store.Roots() {
		roots[r.Alg()] = r
	}
	s := subscribe(t, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "ntsgw/gw1/#")
	current := map[beacon.Alg]beacon.Delegation{}
	// follow judges everything as a node does, until a beacon under serial was seen of each algorithm.
	follow := func(serial uint32) {
		t.Helper()
		done := map[beacon.Alg]bool{}
		end := time.After(program.Busy * 10 * time.Second)
		for len(done) < 2 {
			select {
			case r := <-s.got:
				for alg, topics := range map[beacon.Alg][2]string{
					beacon.Ed25519: {"ntsgw/gw1/key", "ntsgw/gw1/beacon"}, beacon.ES256: {"ntsgw/gw1/key-es256", "ntsgw/gw1/beacon-es256"},
				} {
					switch r.topic {
					case topics[0]:
						d, err := beacon.VerifyDelegation(r.payload, roots[alg], "gw1")
						if err != nil {
							t.Fatalf("%v: %v", alg, err)
						}
						current[alg] = d
					case topics[1]:
						d := current[alg]
						if d.Key == nil {
							t.Fatalf("%v: a beacon before any delegation", alg)
						}
						if _, err := beacon.VerifyBeacon(r.payload, d.Key, "gw1"); err != nil {
							t.Fatalf("%v: a beacon that the newest delegation does not cover: %v", alg, err)
						}
						if d.Serial >= serial {
							done[alg] = true
						}
					}
				}
			case <-end:
				t.Fatalf("no beacons under serial %d; current %+v", serial, current)
			}
		}
	}
	start := func(k Keys) *lab {
		return startLabWith(t, func(c *configs.MQTT) {
			c.Broker, c.Algorithms = brokerAt(port), []string{algEd25519, algES256}
		}, func(o *Options) { o.Keys = k })
	}
	l := start(store)
	follow(1)
	copyDir(t, dir, backup)
	other := openStore(t, dir)
	for i := range 8 { // each time the delegation could come late
		if err := other.Rotate(time.Now()); err != nil {
			t.Fatal(err)
		}
		follow(uint32(2 + i))
	}
	l.stop()
	// The old backup is put back, the mark outside the folder with it: only the broker knows better.
	copyDir(t, backup, dir)
	os.Remove(dir + ".serial")
	l = start(openStore(t, dir))
	follow(10)
	if n := l.server.resp.serial.Load(); n != 10 {
		t.Errorf("responses name serial %d", n)
	}
}

// TestWithoutNotices: where the kernel gives no notices of files (fs.inotify.max_user_instances is
// used up) everything else works. The test runs itself in a user namespace that has none.
func TestWithoutNotices(t *testing.T) {
	const limit, inside = "/proc/sys/user/max_inotify_instances", "NTSGW_TEST_WITHOUT_NOTICES"
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWithoutNotices$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids}
		out, err := cmd.CombinedOutput()
		switch {
		case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSPC), err == nil && bytes.Contains(out, []byte("--- SKIP")):
			t.Skipf("no user namespace without notices can be made here: %v %s", err, out)
		case err != nil || !bytes.Contains(out, []byte("--- PASS: TestWithoutNotices")):
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := os.WriteFile(limit, []byte("0"), 0); err != nil {
		t.Skipf("notices can't be switched off here: %v", err)
	}
	if w := watch.New(nil, time.Second, func() {}); w.NoticeErr() == nil {
		t.Skip("the kernel gives notices in spite of " + limit)
	}
	log := &program.Buffer{}
	l := startLabWith(t, nil, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
	until(t, "beacons", 5*time.Second, func() bool { return l.server.Status().Beacons >= 3 })
	if !strings.Contains(log.String(), "once a minute only") {
		t.Errorf("not a word of it: %s", log)
	}
}

// TestListChangedBeforeTheWatch: a node that was enrolled after the list was read and before Run
// watches it is known, too.
func TestListChangedBeforeTheWatch(t *testing.T) {
	t.Parallel()
	l := startLabWith(t, nil, func(o *Options) {
		other, err := OpenNodes(o.Nodes.dir, "gw1", "")
		if err != nil {
			t.Fatal(err)
		}
		enrol(t, other, "kitchen")
	})
	until(t, "the node", program.Noticed, func() bool { return l.nodes.lookup("kitchen") != nil })
}
