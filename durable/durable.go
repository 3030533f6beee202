// Package durable replaces small files so that a crash leaves the old content or the new, and holds the
// lock that processes share on a folder. Bytes and a path come in; they are on the disk when it returns.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Replace makes the file at path hold b, with mode perm, at once or not at all, and waits for the disk.
// The folder must exist. Done by root, the file keeps its owner and group; a new one gets the folder's.
func Replace(path string, b []byte, perm fs.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when it was renamed: wanted
	if err = handOver(f, path); err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
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

// handOver gives f, which is to be the file at path, to the owner of the one that is there, else to the
// folder's: what root changes by a command is read by the user that the gateway runs as.
func handOver(f *os.File, path string) error {
	old, err := os.Lstat(path) // not what a link leads to: the link is what is replaced
	if errors.Is(err, fs.ErrNotExist) {
		return giveToOwnerOf(filepath.Dir(path), f)
	}
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	return chownLike(f, old)
}

// giveToOwnerOf gives f, which was made in the folder dir just now, to the folder's owner.
func giveToOwnerOf(dir string, f *os.File) error {
	st, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && sys.Uid == 0 {
		return nil // root's own
	}
	if err = chownLike(f, st); errors.Is(err, syscall.EPERM) {
		return nil // without CAP_CHOWN, as in a container that dropped all: what runs there is root, too
	}
	return err
}

func chownLike(f *os.File, like fs.FileInfo) error {
	sys, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	err := f.Chown(int(sys.Uid), int(sys.Gid))
	if sys.Uid == 0 && errors.Is(err, syscall.EPERM) {
		return nil // without CAP_CHOWN, as under systemd, a file keeps its owner at least
	}
	return err
}

// MakeFolder makes the folder at path, and those above it, with mode perm where they are missing. Made
// by root, each belongs to the owner of the one that it is in.
func MakeFolder(path string, perm fs.FileMode) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if err := MakeFolder(parent, perm); err != nil {
		return err
	}
	if err := os.Mkdir(path, perm); err != nil {
		if st, statErr := os.Stat(path); statErr == nil && st.IsDir() { // another process was faster
			return nil
		}
		return err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return errors.Join(giveToOwnerOf(parent, f), f.Close())
}

// What ReadPrivate refuses.
var (
	ErrNotRegular = errors.New("is not a regular file")
	ErrTooLong    = errors.New("is longer than it can be")
)

// ExposedError is that a secret may be read, or written, by others than its owner.
type ExposedError struct{ Mode fs.FileMode }

func (e *ExposedError) Error() string { return fmt.Sprintf("others may use it (mode %04o)", e.Mode) }

// ReadPrivate reads a regular file of at most most bytes that only its owner may use. It judges the file that
// it has opened, and waits for nobody at the other end of a pipe.
func ReadPrivate(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, ErrNotRegular
	case st.Mode().Perm()&0o077 != 0:
		return nil, &ExposedError{st.Mode().Perm()}
	case st.Size() > most:
		return nil, ErrTooLong
	}
	return io.ReadAll(io.LimitReader(f, most))
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

// ErrHeld is why a lock was not to be had: it may be free at the next attempt.
var ErrHeld = errors.New("another process has held it")

// Lock takes the lock file at path, which is made when missing, and waits for it no longer than
// Patience. unlock gives it back.
func Lock(path string) (unlock func(), err error) { return LockWithin(path, Patience) }

// LockWithin is Lock with a limit of one's own. There is always one: who holds the lock may have been
// stopped (^Z) and come back never.
func LockWithin(path string, limit time.Duration) (unlock func(), err error) {
	f, err := openLock(path)
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
			return nil, fmt.Errorf("%s: %w for %v; end or resume that one (fuser %s names it)", path, ErrHeld, limit, path)
		}
	}
}

func openLock(path string) (*os.File, error) {
	// Only what was made here is given away: the name may be a link to anything.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	if err := giveToOwnerOf(filepath.Dir(path), f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
