package ptp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/stamp"
	"github.com/ntsgw/ntsgw/downstream/suspend"
)

// Timeline is where time and its bound are read.
type Timeline interface {
	Snapshot() *discipline.Snapshot
}

// Clock is what carrying stamps and noticing suspends take.
type Clock interface {
	stamp.Clock
	suspend.Clock
}

// Options is what a Server works with. Nothing in it is changed.
type Options struct {
	Timeline   Timeline
	Clock      Clock
	Interfaces []string // at least one
	P2P        []string // those of Interfaces on which the peer delay mechanism is spoken, instead of end-to-end delays
	UDP6       []string // those of Interfaces that are served over IPv6, instead of IPv4
	Domain     int      // 0 to 127
	Priority1  int      // 0 to 255: what other clocks compare first, the lower wins
	Priority2  int      // 0 to 255: what they compare after the clock's quality
	Log        *slog.Logger
}

func (o *Options) p2p(name string) bool { return slices.Contains(o.P2P, name) }

func (o *Options) transport(name string) *transport {
	if slices.Contains(o.UDP6, name) {
		return &udp6
	}
	return &udp4
}

const (
	// fresh is for how long after an Announce its bound must hold: a receiver misses three of them, and up to
	// one interval more, before it lets go of a grandmaster (clause 9.2.6.12).
	fresh = 4 << logAnnounceInterval * time.Second
	// oldest is of what age a snapshot is stated at most: its bound is sure to hold for a minute, and must until what is
	// announced is over.
	oldest = time.Minute - fresh
	// lateness is what carrying a stamp to the raw clock may cost, a tick of that clock with it; a message that it
	// would cost more is not sent.
	lateness = 50 * time.Microsecond
	// maxBound is beyond what anything is worth serving: the largest root distance of NTP.
	maxBound = 16 * time.Second
	// retry is the pause before an interface that is not there is tried again.
	retry = 2 * time.Second
)

// Server is a grandmaster. Make one with New and run it once.
type Server struct {
	opt      Options
	stamps   *stamp.Carrier
	epochs   *suspend.Guard
	ports    []*port // nil where the interface is not there yet
	told     []told
	counters counters
}

// New opens the sockets, so that what a person must mend shows at once; an interface that is not there yet
// is waited for. Run closes them.
func New(opt Options) (*Server, error) {
	if opt.Timeline == nil || opt.Clock == nil || len(opt.Interfaces) == 0 {
		return nil, errors.New("PTP: a timeline, a clock and an interface are needed")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{opt: opt, epochs: suspend.New(opt.Clock), ports: make([]*port, len(opt.Interfaces)), told: make([]told, len(opt.Interfaces))}
	s.counters.s = Status{Domain: opt.Domain, Ports: make([]Port, len(opt.Interfaces))}
	for i, name := range opt.Interfaces {
		s.counters.s.Ports[i] = Port{Interface: name, Mechanism: "e2e", Transport: opt.transport(name).name, State: StateWaiting, Refused: map[string]uint64{}}
		if opt.p2p(name) {
			s.counters.s.Ports[i].Mechanism = "p2p"
		}
	}
	var err error
	if s.stamps, err = stamp.New(opt.Clock); err != nil {
		return nil, fmt.Errorf("PTP: %w", err)
	}
	for i := range opt.Interfaces {
		if err := s.open(i); err != nil && !errors.Is(err, ErrNotThere) {
			s.close()
			return nil, fmt.Errorf("PTP: %w", err)
		}
	}
	return s, nil
}

// open makes the port of an interface; an error is in its status as well.
func (s *Server) open(i int) error {
	p, err := openPort(s, i)
	s.counters.port(i, func(c *Port) {
		c.Error, c.State, c.notThere = "", StateSilent, false
		if err != nil {
			c.wait(err)
		}
	})
	s.ports[i] = p
	return err
}

func (s *Server) close() {
	for _, p := range s.ports {
		if p != nil {
			p.close()
		}
	}
	s.stamps.Close()
}

// Status returns what the server knows of itself. Safe for concurrent use.
func (s *Server) Status() Status { return s.counters.status() }

// Warnings are what a person can act on: interfaces on which nothing is served though there may be time.
func (s *Server) Warnings() []discipline.Warning {
	var list []discipline.Warning
	for _, p := range s.Status().Ports {
		switch {
		case p.notThere:
			list = append(list, discipline.Warning{ID: "ptp-interface", Text: fmt.Sprintf("PTP waits: %s; bring it up, or leave %s out of interfaces in [ptp]", p.Error, p.Interface)})
		case p.Error != "":
			list = append(list, discipline.Warning{ID: "ptp-interface", Text: "PTP is not served: " + p.Error})
		}
	}
	return list
}

// Run serves until ctx ends and then returns nil. An interface that goes away is waited for.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range s.ports {
		g.Go(func() error { s.keep(ctx, i); return nil })
	}
	err := g.Wait()
	s.close()
	return err
}

// keep serves on one interface, as long as it is there.
func (s *Server) keep(ctx context.Context, i int) {
	name, said := s.opt.Interfaces[i], ""
	say := func(err error) {
		if text := err.Error(); text != said {
			said = text
			s.opt.Log.Warn("PTP waits for an interface", "interface", name, "err", err)
		}
	}
	if s.ports[i] == nil {
		say(errors.New(s.Status().Ports[i].Error))
	}
	for {
		if p := s.ports[i]; p != nil {
			err := p.run(ctx)
			if p.served {
				said = ""
			}
			p.close()
			s.ports[i] = nil
			if ctx.Err() != nil {
				return
			}
			s.counters.port(i, func(c *Port) { c.wait(err) })
			say(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
		if err := s.open(i); err != nil {
			say(err)
		}
	}
}

// served is the timeline as a port may state it.
type served struct {
	*discipline.Snapshot
	reason string // not empty: it may not
}

// timeline returns the present snapshot, or why there is nothing to state.
func (s *Server) timeline() served {
	snapshot := s.opt.Timeline.Snapshot()
	now := s.opt.Clock.Now()
	if snapshot == nil || !snapshot.Serving() || now.Sub(snapshot.At) > oldest || snapshot.MaxError(now.Add(fresh)) >= maxBound || snapshot.TAI < 0 {
		return served{reason: reasonUnsynchronized}
	}
	if !s.epochs.Intact(snapshot.Epoch) {
		return served{reason: reasonSuspended}
	}
	return served{Snapshot: snapshot}
}

// announcement says what a snapshot is worth until the next Announce is overdue.
func (s *Server) announcement(t served) *announcement {
	now := s.opt.Clock.Now()
	then := now.Add(fresh)
	utc := t.UTCAt(now)
	a := &announcement{
		utcOffset: utc.TAIOffset, offsetKnown: utc.Leap != discipline.LeapUnknown,
		class: classSynchronized, bound: t.MaxError(then) + lateness + 1, deviation: t.EstError(then),
		priority1: uint8(s.opt.Priority1), priority2: uint8(s.opt.Priority2), originateTAI: t.TAIAt(now),
	}
	a.accuracy = accuracy(a.bound)
	if t.State != discipline.Synchronized {
		a.class = classHoldover
	}
	// The flags speak of the end of the present UTC day, and are set for its last half (clause 9.4).
	if left := t.LeapAt - utc.Seconds; t.LeapAt != 0 && left > 0 && left <= 12*3600 {
		switch utc.Leap {
		case discipline.LeapInsert:
			a.leap = flagLeap61
		case discipline.LeapDelete:
			a.leap = flagLeap59
		}
	}
	return a
}

// carried returns the raw reading at a kernel stamp, or why it is not known well enough.
func (s *Server) carried(stamp int64) (at discipline.Raw, reason string) {
	at, off, ok := s.stamps.Carry(stamp)
	switch {
	case !ok:
		return 0, reasonNoStamp
	case off+discipline.RawTick > lateness:
		return 0, reasonLate
	}
	return at, ""
}

// limiter bounds the Delay_Req or Pdelay_Req that are answered in a second on an interface, from one address and together: a
// receiver sends one or two, and each answer goes to everyone.
type limiter struct {
	second int64
	all    int
	from   map[netip.Addr]int
}

const (
	maxRequests     = 1000
	maxRequestsEach = 32
)

func (l *limiter) allow(from netip.Addr, now time.Time) bool {
	if second := now.Unix(); second != l.second || l.from == nil {
		l.second, l.all, l.from = second, 0, map[netip.Addr]int{}
	}
	if l.all >= maxRequests || l.from[from] >= maxRequestsEach {
		return false
	}
	l.all++
	l.from[from]++
	return true
}

// unstamped makes an answer whose departure was waited for in vain count for many: no more than a few such waits
// stand before Sync in a second.
func (l *limiter) unstamped() { l.all += maxRequests / 4 }
