// Package watch notices that files have been replaced.
//
// Paths come in; a call comes out after any of them has changed and then been quiet for a moment.
// The folders are watched, not the files, so that an atomic rename, a swap of a symlink anywhere on
// the way (Kubernetes, cert-manager), a deletion followed by a creation, and a folder that vanishes
// and comes back are all noticed.
package watch

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// rescan is how often the files are looked at without any notice: network file systems give none.
const rescan = time.Minute

// mostLinks bounds the symlinks followed on the way to one file, as the kernel does.
const mostLinks = 40

// Watcher calls a function when files change. Its methods are safe for concurrent use.
type Watcher struct {
	debounce time.Duration
	changed  func()
	fs       *fsnotify.Watcher // nil: the kernel gives no notices; rescans do
	fsErr    error
	reload   chan struct{}
	renewed  chan struct{} // the set of files was replaced

	mu    sync.Mutex
	files []string
}

// New watches paths (files; empty strings are skipped) from now on. Run calls changed, never twice at
// a time, once debounce has passed since the last change, or ten times that when it goes on changing.
func New(paths []string, debounce time.Duration, changed func()) *Watcher {
	w := &Watcher{debounce: debounce, changed: changed, reload: make(chan struct{}, 1), renewed: make(chan struct{}, 1)}
	w.fs, w.fsErr = fsnotify.NewWatcher()
	w.files = clean(paths)
	return w
}

// NoticeErr returns why the kernel gives no notices, so that changes are found by looking once a
// minute only; nil when it does.
func (w *Watcher) NoticeErr() error { return w.fsErr }

// Set replaces the paths; a change between the old and the new set is not reported.
func (w *Watcher) Set(paths []string) {
	w.mu.Lock()
	w.files = clean(paths)
	w.mu.Unlock()
	select {
	case w.renewed <- struct{}{}:
	default:
	}
}

// Reload makes Run call the function whether or not anything changed: SIGHUP.
func (w *Watcher) Reload() {
	select {
	case w.reload <- struct{}{}:
	default:
	}
}

func clean(paths []string) []string {
	var list []string
	for _, p := range paths {
		if p == "" {
			continue
		}
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		list = append(list, p)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Follow calls load once, since the files may have changed after they were read, and then whenever they
// have changed, until ctx ends.
func Follow(ctx context.Context, log *slog.Logger, debounce time.Duration, load func(), files ...string) {
	w := New(files, debounce, load)
	if err := w.NoticeErr(); err != nil {
		log.Warn("files are looked at once a minute only", "files", files, "err", err)
	}
	w.Reload()
	_ = w.Run(ctx) // says only that ctx has ended
}

// Run watches until ctx ends and returns its error.
func (w *Watcher) Run(ctx context.Context) error {
	var events chan fsnotify.Event
	var errs chan error
	if w.fs != nil {
		defer w.fs.Close()
		events, errs = w.fs.Events, w.fs.Errors
	}
	dirs := map[string]bool{}
	seen := w.look(dirs)
	tick := time.NewTicker(rescan)
	defer tick.Stop()
	var timer *time.Timer
	var quiet <-chan time.Time
	var since time.Time
	settle := func() {
		if quiet == nil {
			since = time.Now()
			timer = time.NewTimer(w.debounce)
			quiet = timer.C
		} else if time.Since(since) < 9*w.debounce {
			timer.Reset(w.debounce)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.renewed:
			seen = w.look(dirs)
		case <-w.reload:
			select {
			case <-w.renewed: // seen to here: later, a change after the call would be taken for the set's
			default:
			}
			seen = w.look(dirs)
			w.changed()
		case _, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			settle()
		case _, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			settle() // the queue ran over: something happened
		case <-tick.C:
			settle()
		case <-quiet:
			quiet = nil
			now := w.look(dirs)
			if !slices.Equal(now, seen) {
				seen = now
				w.changed()
			}
		}
	}
}

// look returns what identifies each file's present content, and watches every folder that decides
// on it from now on; dirs are those that are watched.
func (w *Watcher) look(dirs map[string]bool) []identity {
	w.mu.Lock()
	files := w.files
	w.mu.Unlock()
	// The folders first, and until they stay the same ones: what changes after that is noticed.
	wanted := map[string]bool{}
	for range 8 {
		now := map[string]bool{}
		for _, f := range files {
			for _, d := range deciders(f) {
				now[d] = true
			}
		}
		if maps.Equal(now, wanted) {
			break
		}
		wanted = now
		w.arm(dirs, wanted)
	}
	list := make([]identity, len(files))
	for i, f := range files {
		list[i] = identify(f)
	}
	return list
}

// arm watches the wanted folders and no others.
func (w *Watcher) arm(dirs, wanted map[string]bool) {
	if w.fs == nil {
		return
	}
	for d := range dirs {
		if !wanted[d] {
			_ = w.fs.Remove(d) // it may have been deleted
			delete(dirs, d)
		}
	}
	for d := range wanted {
		// Adding again is harmless, and needed when the folder was replaced by another of the
		// same name.
		if err := w.fs.Add(d); err == nil {
			dirs[d] = true
		} else {
			delete(dirs, d)
		}
	}
}

// identity tells one content of a file from the next without reading it.
type identity struct {
	path     string
	dev, ino uint64
	size     int64
	mtime    int64 // nanoseconds
	ctime    int64 // so that a corrected mode or owner counts too
	missing  bool
}

func identify(path string) identity {
	var s syscall.Stat_t
	if err := syscall.Stat(path, &s); err != nil {
		return identity{path: path, missing: true}
	}
	return identity{path: path, dev: uint64(s.Dev), ino: s.Ino, size: s.Size,
		mtime: syscall.TimespecToNsec(s.Mtim), ctime: syscall.TimespecToNsec(s.Ctim)}
}

// deciders returns the folders in which an entry can change so that path means another file: the
// folder of each symlink on the way, the last folder, and that one's own folder, in case it is
// replaced. Where the way ends early, the last folder that exists stands for the rest.
func deciders(path string) []string {
	var list []string
	at, rest := "/", strings.Split(strings.Trim(path, "/"), "/")
	for links := 0; len(rest) > 0 && links < mostLinks; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		switch {
		case err != nil:
			return append(list, filepath.Dir(at), at)
		case info.Mode()&os.ModeSymlink != 0:
			list = append(list, at)
			target, err := os.Readlink(next)
			if err != nil {
				return list
			}
			if filepath.IsAbs(target) {
				at = "/"
			}
			rest = append(strings.Split(strings.Trim(target, "/"), "/"), rest...)
			links++
		case len(rest) == 0:
			return append(list, filepath.Dir(at), at)
		default:
			at = next
		}
	}
	return list
}
