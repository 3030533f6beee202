package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	watchSettle = 100 * time.Millisecond // after the last event, before the file is read
	watchAgain  = 30 * time.Second       // a look without an event: watching can fail in silence
)

// watch reads the list again whenever its folder changes, until ctx ends. It watches the folder,
// not the file, which is replaced at each change. changed is called after each new list.
func (n *Nodes) watch(ctx context.Context, log *slog.Logger, changed func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the node list: %w", err)
	}
	defer w.Close()
	if err := w.Add(n.dir); err != nil {
		return fmt.Errorf("watch the node list: %w", err)
	}
	settle := time.NewTimer(0) // once at the start: it may have changed before the watch stood
	defer settle.Stop()
	again := time.NewTicker(watchAgain)
	defer again.Stop()
	refused := ""
	reload := func() {
		before := n.table.Load()
		if err := n.Reload(); err != nil {
			if err.Error() != refused {
				log.Warn("node list refused, the old one stays", "error", err)
				refused = err.Error()
			}
			return
		}
		refused = ""
		if !sameNodes(*before, *n.table.Load()) {
			log.Info("node list changed", "nodes", len(*n.table.Load()))
			changed()
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-w.Events:
			if !ok {
				return nil
			}
			if filepath.Base(ev.Name) == nodesFile || filepath.Clean(ev.Name) == filepath.Clean(n.dir) {
				settle.Reset(watchSettle)
			}
		case <-w.Errors: // an overflow: look for ourselves
			settle.Reset(watchSettle)
		case <-settle.C:
			reload()
		case <-again.C:
			_ = w.Add(n.dir) // the folder may have been replaced
			reload()
		}
	}
}

func sameNodes(a, b map[string]*nodeKeys) bool {
	if len(a) != len(b) {
		return false
	}
	for name, k := range a {
		if o := b[name]; o == nil || o.Node != k.Node {
			return false
		}
	}
	return true
}
