package main

import (
	"context"
	"sync"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/status"
)

// page is the status page, a downstream as any other: where it can't listen, the gateway goes on and says so.
type page struct {
	make func() *status.Server

	mu     sync.Mutex
	server *status.Server
	down   error // why it doesn't listen; nil: it does, or is about to
}

func newPage(make func() *status.Server) *page { return &page{make: make, server: make()} }

func (p *page) current() *status.Server {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server
}

// run serves until ctx ends or it fails.
func (p *page) run(ctx context.Context) error {
	s := p.current()
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() {
		if s.Addr(ctx) != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.down = nil
		}
	})
	err := s.Run(ctx)
	cancel()
	wait.Wait()
	if err == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server, p.down = p.make(), err // one that has listened can't do so again
	return err
}

func (p *page) warnings() []discipline.Warning {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down == nil {
		return nil
	}
	return []discipline.Warning{{ID: "status-page", Text: p.down.Error() + "; it is tried again"}}
}
