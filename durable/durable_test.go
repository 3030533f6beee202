package durable

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
