package mqtt

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/ntsgw/ntsgw/certs/watch"
)

// watchSettle is how long files must be quiet before they are read again.
const watchSettle = 100 * time.Millisecond

// watch reads the list again whenever it was replaced, until ctx ends. changed is called after each
// new list.
func (n *Nodes) watch(ctx context.Context, log *slog.Logger, changed func()) {
	refused := ""
	watch.Follow(ctx, log, watchSettle, func() {
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
	}, filepath.Join(n.dir, nodesFile))
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
