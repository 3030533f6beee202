package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStateFolderErrorsNameTheFix holds what can't be read or written to the way out, for who asks.
func TestStateFolderErrorsNameTheFix(t *testing.T) {
	denied := "run it with sudo"
	if os.Geteuid() == 0 {
		denied = "chown it to root"
	}
	for _, c := range []struct {
		err  error
		says string
		code int
	}{
		{syscall.EACCES, denied, exitPermission},
		{syscall.EPERM, denied, exitPermission},
		{syscall.EROFS, "read-only file system; mount it so that it can be written", exitPermission},
		{syscall.ENOTDIR, "a file is where a folder is wanted", exitConfig},
	} {
		var said strings.Builder
		got := code(terminal{err: &said}, verb{name: "node"}, withFix(fmt.Errorf("the state folder: %w", c.err)))
		if got != c.code || !strings.Contains(said.String(), c.says) || !strings.Contains(said.String(), "state_dir in [gateway]") {
			t.Errorf("%v: exit code %d, %s", c.err, got, said.String())
		}
	}
	if other := errors.New("another"); withFix(other) != other || withFix(nil) != nil {
		t.Error("an error that is none of these was changed")
	}
}

// TestThatTheClockWasSetIsNotedInTheEnd holds the note to be tried again where it can't be written, told of once: without
// it a restart may set the clock by any amount.
func TestThatTheClockWasSetIsNotedInTheEnd(t *testing.T) {
	n := setNote{dir: filepath.Join(t.TempDir(), "state")} // not there: as good as a full disk
	now, told := time.Now(), 0
	look := func(sets bool, d time.Duration) {
		for end := now.Add(d); now.Before(end); now = now.Add(time.Second) {
			if n.look(sets, now) != nil {
				told++
			}
		}
	}
	look(false, time.Minute)
	if told != 0 {
		t.Error("noted before the clock was set")
	}
	look(true, 2*time.Second)
	look(false, time.Minute)
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	look(false, time.Minute)
	if told != 1 || !wasSetInThisBoot(n.dir) {
		t.Error("not noted once it could be")
	}
}

// A full disk lets files be made, so that nothing can be written to it shows only when it is tried.
func TestDoctorSeesAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	defer syscall.Unmount(dir, 0)
	if f := stateFinding(dir); f.grade != "ok" {
		t.Errorf("with room: %+v", f)
	}
	if err := os.WriteFile(filepath.Join(dir, "fill"), make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal("the disk is not full: ", err)
	}
	if f := stateFinding(dir); f.grade != "bad" || !strings.Contains(f.text, "no space left on device; make room there, or set state_dir in [gateway]") {
		t.Errorf("full: %+v", f)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".ntsgw-*")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v behind, %v", left, err)
	}
}
