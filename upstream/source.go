package upstream

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// Source asks one server. Its methods are safe for concurrent use; Run is called once.
type Source struct {
	opt     Options
	kick    chan struct{} // the poller was changed from outside
	recheck chan struct{}

	mu     sync.Mutex
	poller *poller
	keAt   time.Time
}

// New checks opt and returns a source that does nothing yet.
func New(opt Options) (*Source, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	if opt.Out == nil {
		return nil, errors.New("source " + opt.Name + ": Out is needed")
	}
	return newSource(opt), nil
}

func newSource(opt Options) *Source {
	opt.tick = discipline.TickOf(opt.Clock.Now)
	return &Source{
		opt:     opt,
		kick:    make(chan struct{}, 1),
		recheck: make(chan struct{}, 1),
		poller:  newPoller(&opt, opt.Clock.Now()),
	}
}

// Run asks the server until ctx ends, and returns nil then, after everything it began has
// ended. A server that can't be used is no error: see Status and Options.Changed.
func (s *Source) Run(ctx context.Context) error { return newRunner(s).run(ctx) }

// Status returns what the source knows of itself.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.poller
	st := Status{
		Name: s.opt.Name, Operator: s.opt.Operator, Address: s.opt.Address,
		Reach: p.reach, Poll: p.interval(), Cookies: len(p.cookies), KEAt: s.keAt,
		Denied: p.denied, LastError: cmp.Or(p.lastError, p.verdict),
		Stratum: p.stratum, Offset: p.offset, Delay: p.delay,
		Sent: p.sentCount, Received: p.received, Rejected: maps.Clone(p.rejected),
	}
	if k := p.keys; k != nil {
		st.NTPAddr, st.AEAD, st.DatesDeferred = k.peer.String(), k.AEAD, k.deferred
		if certs := k.state.PeerCertificates; len(certs) > 0 {
			st.NotAfter = certs[0].NotAfter
		}
	}
	return st
}

// SetPoll wishes for a poll interval; it is held within MinPoll … MaxPoll. 0: no wish, which
// means MinPoll.
func (s *Source) SetPoll(d time.Duration) {
	now := s.opt.Clock.Now()
	s.mu.Lock()
	changed := d != s.poller.wish
	if changed {
		s.poller.setWish(now, d)
	}
	s.mu.Unlock()
	if changed {
		nudge(s.kick)
	}
}

// Recheck makes Trust judge the standing session now, and a denied server be tried soon: after
// files were loaded again, or when the time became known. It does not wait.
func (s *Source) Recheck() { nudge(s.recheck) }

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
