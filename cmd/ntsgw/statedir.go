package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ntsgw/ntsgw/durable"
)

// lockState takes the state folder for this process, for as long as the file stays open: two
// gateways with the same keys would contradict each other.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, withFix(fmt.Errorf("the state folder can't be made: %w", err))
	}
	f, err := os.OpenFile(filepath.Join(dir, "gateway.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, withFix(fmt.Errorf("the state folder can't be used: %w", err))
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another ntsgw is running with the state in %s; stop it, or set state_dir in [gateway]", dir)
	}
	return f, nil
}

// withFix adds to an error at the state folder what a person can do about it.
func withFix(err error) error {
	const elsewhere = "or set state_dir in [gateway] to another folder"
	switch {
	case errors.Is(err, syscall.EROFS):
		return exit(exitPermission, "%w; mount it so that it can be written, %s", err, elsewhere)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w; make room there, %s", err, elsewhere)
	case errors.Is(err, syscall.ENOTDIR):
		return exit(exitConfig, "%w; a file is where a folder is wanted: move it away, %s", err, elsewhere)
	case !errors.Is(err, fs.ErrPermission):
		return err
	case os.Geteuid() == 0:
		return fmt.Errorf("%w; root may not write there: chown it to root, %s", err, elsewhere)
	}
	return fmt.Errorf("%w; run it with sudo, %s", err, elsewhere)
}

// The first setting of a clock may be of any size, so a restart must not make a second first one:
// that the clock was set is noted with the boot's id.
const (
	setName    = "clock-set"
	bootIDPath = "/proc/sys/kernel/random/boot_id"
)

func wasSetInThisBoot(dir string) bool {
	boot, err := os.ReadFile(bootIDPath)
	if err != nil || len(boot) == 0 {
		return false
	}
	noted, err := os.ReadFile(filepath.Join(dir, setName))
	return err == nil && string(noted) == string(boot)
}

// setNote notes once that the clock was set. What can't be written, to a full disk, is tried again.
type setNote struct {
	dir    string
	set    bool
	noted  bool
	next   time.Time // no try before
	failed bool      // the last one, which was told
}

// look is told whether the clock is being set. It returns why that can't be noted, once until it can.
func (n *setNote) look(sets bool, now time.Time) error {
	n.set = n.set || sets
	if !n.set || n.noted || now.Before(n.next) {
		return nil
	}
	const again = 10 * time.Second
	n.next = now.Add(again)
	boot, err := os.ReadFile(bootIDPath)
	if err == nil {
		err = durable.Replace(filepath.Join(n.dir, setName), boot, 0o600)
	}
	told := n.failed
	n.noted, n.failed = err == nil, err != nil
	if told {
		return nil
	}
	return err
}
