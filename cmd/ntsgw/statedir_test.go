package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
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
	}{
		{syscall.EACCES, denied},
		{syscall.EPERM, denied},
		{syscall.EROFS, "read-only file system; mount it so that it can be written"},
	} {
		var said strings.Builder
		got := code(terminal{err: &said}, verb{name: "node"}, withFix(fmt.Errorf("the state folder: %w", c.err)))
		if got != exitPermission || !strings.Contains(said.String(), c.says) || !strings.Contains(said.String(), "state_dir in [gateway]") {
			t.Errorf("%v: exit code %d, %s", c.err, got, said.String())
		}
	}
	if other := errors.New("another"); withFix(other) != other || withFix(nil) != nil {
		t.Error("an error that is none of these was changed")
	}
}
