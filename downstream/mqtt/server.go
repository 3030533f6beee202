// Package mqtt hands the timeline on over MQTT: a signed beacon an interval and authenticated
// exchanges, through a broker of its own or through others. Snapshots and signing keys come in,
// messages of the beacon protocol go out (docs/beacon-protocol.md; MQTT 3.1.1, and MQTT 5 for the
// embedded broker's clients).
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/suspend"
)

// Server publishes beacons, answers exchanges and, without a broker configured, is the broker.
// Its methods are safe for concurrent use; Run is called once.
type Server struct {
	opts   Options
	topics topics
	algs   []beacon.Alg
	count  *counters
	keep   *retained
	guard  *suspend.Guard
	resp   *responder
	pub    *publisher

	embedded *embedded // nil when a broker is configured
	external []*external
}

// New checks the options and binds the embedded broker's listeners, so that their addresses are
// known; nothing is served before Run. An address that can't be had is tried again by Run, and
// Warnings says so meanwhile; the error is something that a person must mend.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := checkName(o.Gateway); err != nil {
		return nil, fmt.Errorf("the gateway's name: %w", err)
	}
	if o.Timeline == nil || o.Clock == nil || o.Keys == nil {
		return nil, errors.New("timeline, clock and keys are needed")
	}
	if o.Nodes != nil && (o.Nodes.gateway != o.Gateway || o.Nodes.site != o.Config.Prefix) {
		return nil, errors.New("the node list was opened for another gateway or prefix")
	}
	s := &Server{opts: o, topics: newTopics(o.Config.Prefix, o.Gateway), keep: newRetained(), count: newCounters(), guard: suspend.New(o.Clock)}
	for _, a := range o.Config.Algorithms {
		alg, err := beacon.ParseAlg(a)
		if err != nil {
			return nil, err
		}
		s.algs = append(s.algs, alg)
	}
	if n := len(s.topics.resp) + 16; n > maxTopic {
		return nil, fmt.Errorf("prefix %q makes topics of %d characters; at most %d fit into a small client's buffer", o.Config.Prefix, n, maxTopic)
	}
	if o.Config.Discovery {
		messages, err := discovery(s.topics, o.Gateway)
		if err != nil {
			return nil, fmt.Errorf("announce to Home Assistant: %w", err)
		}
		for topic, b := range messages {
			s.topics.announced = append(s.topics.announced, topic)
			s.keep.set(topic, b, false)
		}
	}
	s.resp = newResponder(&s.opts, s.guard)
	s.pub = newPublisher(s)
	brokers := o.Config.Also
	if o.Config.Broker != "" {
		brokers = append([]string{o.Config.Broker}, brokers...)
	}
	seen := make(map[string]bool)
	for _, b := range brokers {
		e, err := newExternal(&s.opts, b, s.topics, s.keep, s.resp, s.pub.soon, s.goodbye)
		if err != nil {
			return nil, err
		}
		if seen[e.url.Redacted()] {
			return nil, fmt.Errorf("broker %s is configured twice", e.url.Redacted())
		}
		seen[e.url.Redacted()] = true
		s.external = append(s.external, e)
	}
	if o.Config.Broker == "" {
		e, err := newEmbedded(&s.opts, s.topics, s.resp)
		if err != nil {
			return nil, err
		}
		s.embedded = e
	}
	s.pub.publishKeys() // the first connection already finds them
	return s, nil
}

// Run serves until ctx ends; then every broker is told that nothing is stated any more, and "offline". It returns early only when a
// listener fails.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if s.embedded != nil {
		g.Go(func() error { return s.embedded.run(ctx, s.goodbye) })
		if c := s.embedded.shown; c != nil {
			g.Go(func() error { c.Run(ctx, s.opts.Log); return nil })
		}
		if a := s.embedded.addresses(); len(a) > 0 {
			s.opts.Log.Info("embedded broker listens", "addresses", a)
		}
	}
	for _, e := range s.external {
		g.Go(func() error { return e.run(ctx) })
	}
	g.Go(func() error { return s.pub.run(ctx) })
	if s.opts.Nodes != nil {
		g.Go(func() error { s.opts.Nodes.watch(ctx, s.opts.Log, s.nodesChanged); return nil })
	}
	return g.Wait()
}

// goodbye is what stays retained of a gateway that ends: nothing that it stated holds any more.
func (s *Server) goodbye() []message {
	state := stateJSON(s.opts.Timeline.Snapshot(), s.opts.Clock.Now(), discipline.Unsynchronized)
	return []message{{topic: s.topics.state, payload: state}, {topic: s.topics.status, payload: []byte("offline")}}
}

func (s *Server) nodesChanged() {
	s.resp.forget()
	if s.embedded != nil {
		s.embedded.dropStale()
	}
}

// Addresses are the bound addresses of the embedded broker, the one without TLS first; none when
// another broker is configured, or another program has them.
func (s *Server) Addresses() []string {
	if s.embedded == nil {
		return nil
	}
	return s.embedded.addresses()
}

// Warnings are the conditions a person should act on.
func (s *Server) Warnings() []discipline.Warning {
	var w []discipline.Warning
	if err := s.pub.renewalError(); err != nil {
		w = append(w, discipline.Warning{ID: "signing-keys-not-renewed", Text: "The keys that sign beacons can't be renewed, and without a key there are no beacons: " + err.Error() + "."})
	}
	if s.opts.Nodes != nil {
		if one, ok := s.opts.Nodes.warning(); ok {
			w = append(w, one)
		}
	}
	for _, e := range s.external {
		if one, ok := e.warning(); ok {
			w = append(w, one)
		}
	}
	if s.embedded != nil {
		w = append(w, s.embedded.warnings()...)
	}
	return w
}

// Expiries returns the certificates that the embedded broker's TLS listener shows, and those that the next connection to
// a broker over TLS uses.
func (s *Server) Expiries(now time.Time) []certs.Item {
	var list []certs.Item
	if s.embedded != nil && s.embedded.shown != nil {
		list = s.embedded.shown.Expiries(now)
	}
	return append(list, BrokerExpiries(s.opts.Config, now)...)
}

// Status returns how everything is now.
func (s *Server) Status() Status {
	st := Status{
		Gateway:         s.opts.Gateway,
		Prefix:          s.topics.prefix,
		Listen:          s.Addresses(),
		IntervalSeconds: s.opts.Config.Interval.Seconds(),
		Beacons:         s.count.beacons.Load(),
		Skipped:         s.count.skipped.words(),
		Refused:         make(map[string]uint64),
		Nodes:           s.resp.status(),
	}
	st.Sequence, st.LastBeacon = s.pub.last()
	if s.embedded != nil {
		st.Brokers = append(st.Brokers, s.embedded.snapshot())
	}
	for _, e := range s.external {
		st.Brokers = append(st.Brokers, e.snapshot())
	}
	for _, b := range st.Brokers {
		st.Published, st.Dropped, st.Answered = st.Published+b.Published, st.Dropped+b.Dropped, st.Answered+b.Answered
		for why, n := range b.Refused {
			st.Refused[why] += n
		}
	}
	sort.Slice(st.Nodes, func(i, j int) bool { return st.Nodes[i].Node < st.Nodes[j].Node })
	return st
}
