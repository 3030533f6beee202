// Package durable replaces small files so that a crash leaves the old content or the new, and holds the
// lock that processes share on a folder. Bytes and a path come in; they are on the disk when it returns.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Replace makes the file at path hold b, with mode perm, at once or not at all, and waits for the disk.
// The folder must exist.
func Replace(path string, b []byte, perm fs.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when it was renamed: wanted
	if err = f.Chmod(perm); err == nil {
		_, err = f.Write(b)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// SyncDir waits until what was made, renamed or removed in dir is on the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Patience is for how long Lock waits, retry how often it looks.
const (
	Patience = 5 * time.Second
	retry    = 20 * time.Millisecond
)

// Lock takes the lock file at path, which is made when missing, and waits for it no longer than
// Patience. unlock gives it back.
func Lock(path string) (unlock func(), err error) { return LockWithin(path, Patience) }

// LockWithin is Lock with a limit of one's own. There is always one: who holds the lock may have been
// stopped (^Z) and come back never.
func LockWithin(path string, limit time.Duration) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(limit); ; time.Sleep(retry) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			f.Close()
			return nil, err
		case time.Now().After(end):
			f.Close()
			return nil, fmt.Errorf("%s: another process has held it for %v; end or resume that one (fuser %s names it)", path, limit, path)
		}
	}
}
