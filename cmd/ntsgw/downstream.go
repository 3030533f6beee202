package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// downstream is one way on which time is handed on, or the page. One that fails is made again, with growing pauses; a
// warning says so meanwhile, and it takes nothing with it.
type downstream struct {
	name    string
	warning string                                      // its id
	make    func() (func(context.Context) error, error) // what listens and then serves until a context ends
	log     *slog.Logger

	mu   sync.Mutex
	run  func(context.Context) error // nil: it could not be made
	down error                       // why it doesn't serve
}

// start makes it for the first time. The error is what a person must mend; what may be there later is no error.
func (d *downstream) start() error {
	err := d.remake()
	if mend := (*exitError)(nil); errors.As(err, &mend) {
		return err
	}
	if err != nil {
		d.log.Warn("a downstream can't be started, and is tried again", "name", d.name, "err", err)
	}
	return nil
}

func (d *downstream) remake() error {
	run, err := d.make()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.run, d.down = run, err
	return err
}

// supervise runs it, and whenever it fails makes it anew, until ctx ends.
func (d *downstream) supervise(ctx context.Context) error {
	pause := time.Second
	for {
		began := time.Now()
		if d.run != nil { // nobody else writes it by now
			err := d.run(ctx)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				d.log.Error("a downstream failed and is started again", "name", d.name, "err", err)
			}
			d.mu.Lock()
			d.run, d.down = nil, err
			d.mu.Unlock()
		}
		if time.Since(began) > time.Minute {
			pause = time.Second
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Minute)
		switch was := d.why(); d.remake() {
		case nil:
			d.log.Info("a downstream is started again", "name", d.name)
		default:
			if now := d.why(); was == nil || now.Error() != was.Error() { // one line a change, not one an attempt
				d.log.Error("a downstream can't be started", "name", d.name, "err", now)
			}
		}
	}
}

func (d *downstream) why() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.down
}

func (d *downstream) warnings() []discipline.Warning {
	err := d.why()
	if err == nil {
		return nil
	}
	return []discipline.Warning{{ID: d.warning, Text: err.Error() + "; it is tried again"}}
}

// listenFix is what to do about an address that can't be listened on; change is how to choose another.
func listenFix(err error, change string) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "stop who holds it, or " + change
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no interface of this machine has that address: bring it up, or " + change
	}
	return change
}
