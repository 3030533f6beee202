package watch_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/watch"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start watches path, and returns the contents that were found at each call.
func start(t *testing.T, path string) <-chan string {
	t.Helper()
	calls := make(chan string, 100)
	w := watch.New([]string{path, ""}, 20*time.Millisecond, func() {
		text, err := os.ReadFile(path)
		if err != nil {
			text = []byte("gone")
		}
		calls <- string(text)
	})
	if err := w.NoticeErr(); err != nil {
		t.Skip("the kernel gives no inotify instance:", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	w.Reload() // the first call shows that the watch stands
	if got := wait(t, calls); got != "old" && got != "gone" {
		t.Fatal(got)
	}
	return calls
}

func wait(t *testing.T, calls <-chan string) string {
	t.Helper()
	select {
	case s := <-calls:
		return s
	case <-time.After(time.Minute):
		t.Fatal("the change was not noticed")
		return ""
	}
}

// until waits for a call that finds want; calls in between are allowed.
func until(t *testing.T, calls <-chan string, want string) {
	t.Helper()
	for wait(t, calls) != want {
	}
}

func TestNotices(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(t *testing.T, dir string) (path string)
		change func(t *testing.T, dir, path string)
	}{
		{"written in place", plain, func(t *testing.T, dir, path string) { write(t, path, "new") }},
		{"atomic rename", plain, func(t *testing.T, dir, path string) {
			write(t, filepath.Join(dir, "tmp"), "new")
			do(t, os.Rename(filepath.Join(dir, "tmp"), path))
		}},
		{"delete then create", plain, func(t *testing.T, dir, path string) {
			do(t, os.Remove(path))
			write(t, path, "new")
		}},
		{"folder deleted and made again", func(t *testing.T, dir string) string {
			do(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
			return plain(t, filepath.Join(dir, "sub"))
		}, func(t *testing.T, dir, path string) {
			do(t, os.RemoveAll(filepath.Join(dir, "sub")))
			do(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
			write(t, path, "new")
		}},
		{"folder renamed over", func(t *testing.T, dir string) string {
			do(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
			do(t, os.Mkdir(filepath.Join(dir, "next"), 0o755))
			write(t, filepath.Join(dir, "next", "file"), "new")
			return plain(t, filepath.Join(dir, "sub"))
		}, func(t *testing.T, dir, path string) {
			do(t, os.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, "was")))
			do(t, os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "sub")))
		}},
		{"symlink swap", func(t *testing.T, dir string) string {
			// As Kubernetes does it: file → ..data/file, ..data → ..1.
			for name, text := range map[string]string{"..1": "old", "..2": "new"} {
				do(t, os.Mkdir(filepath.Join(dir, name), 0o755))
				write(t, filepath.Join(dir, name, "file"), text)
			}
			do(t, os.Symlink("..1", filepath.Join(dir, "..data")))
			do(t, os.Symlink("..data/file", filepath.Join(dir, "file")))
			return filepath.Join(dir, "file")
		}, func(t *testing.T, dir, path string) {
			do(t, os.Symlink("..2", filepath.Join(dir, "..tmp")))
			do(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
		}},
		{"symlink's target elsewhere replaced", func(t *testing.T, dir string) string {
			do(t, os.Mkdir(filepath.Join(dir, "elsewhere"), 0o755))
			do(t, os.Mkdir(filepath.Join(dir, "here"), 0o755))
			write(t, filepath.Join(dir, "elsewhere", "file"), "old")
			do(t, os.Symlink(filepath.Join(dir, "elsewhere", "file"), filepath.Join(dir, "here", "file")))
			return filepath.Join(dir, "here", "file")
		}, func(t *testing.T, dir, path string) {
			write(t, filepath.Join(dir, "elsewhere", "tmp"), "new")
			do(t, os.Rename(filepath.Join(dir, "elsewhere", "tmp"), filepath.Join(dir, "elsewhere", "file")))
		}},
		{"created where nothing was", func(t *testing.T, dir string) string { return filepath.Join(dir, "a", "b", "file") },
			func(t *testing.T, dir, path string) {
				do(t, os.MkdirAll(filepath.Dir(path), 0o755))
				write(t, path, "new")
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := c.before(t, dir)
			calls := start(t, path)
			c.change(t, dir, path)
			until(t, calls, "new")
			// And again, to see that the watch has moved along.
			write(t, path, "newer")
			until(t, calls, "newer")
		})
	}
}

func plain(t *testing.T, dir string) string {
	path := filepath.Join(dir, "file")
	write(t, path, "old")
	return path
}

// A corrected mode is a change: the key that was refused for it is read again.
func TestNoticesMode(t *testing.T) {
	path := plain(t, t.TempDir())
	calls := start(t, path)
	do(t, os.Chmod(path, 0o600))
	until(t, calls, "old")
}

// Many writes make few calls, and a file beside it none.
func TestDebounces(t *testing.T) {
	dir := t.TempDir()
	path := plain(t, dir)
	calls := start(t, path)
	for range 1000 {
		write(t, filepath.Join(dir, "neighbour"), "x")
	}
	for range 200 {
		write(t, path, "half")
	}
	write(t, path, "new")
	until(t, calls, "new")
	if n := len(calls); n > 5 {
		t.Errorf("%d more calls", n)
	}
}

func TestSet(t *testing.T) {
	dir := t.TempDir()
	a, b := plain(t, dir), filepath.Join(t.TempDir(), "other")
	write(t, b, "old")
	calls := make(chan struct{}, 10)
	w := watch.New([]string{a}, 10*time.Millisecond, func() { calls <- struct{}{} })
	if err := w.NoticeErr(); err != nil {
		t.Skip("the kernel gives no inotify instance:", err)
	}
	go w.Run(t.Context())
	w.Set([]string{b})
	w.Reload()
	<-calls
	write(t, b, "new")
	select {
	case <-calls:
	case <-time.After(time.Minute):
		t.Fatal("the new file is not watched")
	}
}
