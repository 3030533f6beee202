package durable

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, c := range []struct {
		text string
		perm os.FileMode
	}{{"one", 0o600}, {"two", 0o644}} {
		if err := Replace(path, []byte(c.text), c.perm); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		st, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(b) != c.text || st.Mode().Perm() != c.perm {
			t.Errorf("%q %v %v %v", b, st.Mode(), err, statErr)
		}
	}
	// A file that can't be replaced leaves nothing behind.
	if err := Replace(dir, nil, 0o600); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if err := Replace(filepath.Join(dir, "no", "f"), nil, 0o600); err == nil {
		t.Error("a file without a folder")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v %v", entries, err)
	}
}

// The gateway runs as a user of its own, and root changes its files by a command: they stay that user's.
func TestRootGivesFilesToTheirUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away (run the tests as root)")
	}
	for _, c := range []struct {
		name       string
		folder     [2]int // owner and group
		file       [2]int // of the one that is there; none: 0
		want       [2]int
		wantFolder [2]int // of a folder made in it
	}{
		{"replaced in the user's folder", [2]int{1234, 1235}, [2]int{1234, 1236}, [2]int{1234, 1236}, [2]int{1234, 1235}},
		{"made in the user's folder", [2]int{1234, 1235}, [2]int{}, [2]int{1234, 1235}, [2]int{1234, 1235}},
		{"replaced in root's folder", [2]int{0, 1235}, [2]int{1234, 1236}, [2]int{1234, 1236}, [2]int{}},
		{"made in root's folder", [2]int{0, 1235}, [2]int{}, [2]int{}, [2]int{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if c.file != [2]int{} {
				if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, c.file[0], c.file[1])); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chown(dir, c.folder[0], c.folder[1]); err != nil {
				t.Fatal(err)
			}
			lock, sub := filepath.Join(dir, "lock"), filepath.Join(dir, "a", "b")
			unlock, err := Lock(lock)
			if err != nil {
				t.Fatal(err)
			}
			unlock()
			if err := errors.Join(Replace(path, []byte("x"), 0o600), MakeFolder(sub, 0o700), MakeFolder(sub, 0o700)); err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string][2]int{path: c.want, lock: c.wantFolder, filepath.Dir(sub): c.wantFolder, sub: c.wantFolder} {
				st, err := os.Stat(name)
				if err != nil {
					t.Fatal(err)
				}
				if sys := st.Sys().(*syscall.Stat_t); [2]int{int(sys.Uid), int(sys.Gid)} != want || st.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s is %d:%d's, mode %v, want %v", name, sys.Uid, sys.Gid, st.Mode(), want)
				}
			}
		})
	}
	t.Run("as a service that may not chown", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "f")
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, 0, 1236)); err != nil {
			t.Fatal(err)
		}
		if err := withoutChown(func() error { return Replace(path, []byte("x"), 0o600) }); err != nil {
			t.Error(err)
		}
	})
	t.Run("in a container that dropped all capabilities", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "volume")
		path := filepath.Join(dir, "keys", "f")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777), os.Chown(dir, 1234, 1235)); err != nil {
			t.Fatal(err)
		}
		if err := withoutChown(func() error {
			return errors.Join(MakeFolder(filepath.Dir(path), 0o700), Replace(path, nil, 0o600), Replace(path, []byte("x"), 0o600))
		}); err != nil {
			t.Error(err)
		}
		// What is another user's is not taken from him in silence.
		if err := os.Chown(path, 1234, 1235); err != nil {
			t.Fatal(err)
		}
		if err := withoutChown(func() error { return Replace(path, nil, 0o600) }); !errors.Is(err, syscall.EPERM) {
			t.Error(err)
		}
	})
	// A lock's name that leads elsewhere gives nothing away.
	dir := t.TempDir()
	elsewhere, lock := filepath.Join(t.TempDir(), "root's"), filepath.Join(dir, "lock")
	if err := errors.Join(os.WriteFile(elsewhere, nil, 0o600), os.Symlink(elsewhere, lock), os.Chown(dir, 1234, 1235)); err != nil {
		t.Fatal(err)
	}
	unlock, err := Lock(lock)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if st, err := os.Stat(elsewhere); err != nil || st.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Error("root's own file was given away", err)
	}
}

func TestLockWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan func(), 1)
	go func() {
		second, err := Lock(path)
		if err != nil {
			t.Error(err)
		}
		got <- second
	}()
	select {
	case <-got:
		t.Fatal("two hold the lock")
	case <-time.After(50 * time.Millisecond):
	}
	unlock()
	(<-got)()
}

// Who holds a lock may be stopped for good.
func TestLockGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockWithin(path, 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a lock that is held: %v", err)
	}
	unlock()
	if unlock, err = LockWithin(path, 0); err != nil {
		t.Fatal(err)
	}
	unlock()
}

// withoutChown calls f on a thread that lacks CAP_CHOWN.
func withoutChown(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var caps [2]unix.CapUserData
		err := unix.Capget(&h, &caps[0])
		if err == nil {
			caps[0].Effective &^= 1 << unix.CAP_CHOWN
			err = unix.Capset(&h, &caps[0])
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}
