package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/signing"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/loop"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/mqtt"
	"github.com/ntsgw/ntsgw/downstream/ptp"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/upstream"
)

// gateway is the whole program as `run` and `lab` start it. The fields stand in the order in
// which data flows.
type gateway struct {
	cfg  configs.Config
	dry  bool // the host clock is not set, whatever cfg says
	id   string
	log  *slog.Logger
	lock *os.File // of the state folder
	read sysclock.Reader
	tick func() time.Duration // measures the raw clock's step
	rtc  *sysclock.RTC        // nil: there is no battery clock
	heat *thermometer         // nil: there is no thermometer

	leaps   discipline.LeapTable // that the timeline is counted with
	policy  *certs.Policy
	known   certs.Clock // what is known of the present time
	floor   certs.Floor
	started time.Time
	sources []*upstream.Source
	loop    *loop.Loop
	keys    *signing.Store
	nodes   *mqtt.Nodes
	mqtt    atomic.Pointer[mqtt.Server]   // nil: off
	nts     atomic.Pointer[ntsServer]     // nil: off
	ptp     atomic.Pointer[ptp.Server]    // nil: off
	status  *status.Server                // on the control socket
	page    atomic.Pointer[status.Server] // nil: off
	ways    []*downstream                 // all of these but the control socket
	reloads *reloader

	refused counts      // measurements that the discipline refused
	served  atomic.Bool // time was served since the start
}

// newGateway makes everything that cfg asks for and starts nothing. What it opens is closed
// again by run. With dry the host clock is only observed.
func newGateway(cfg configs.Config, dry bool, log *slog.Logger) (*gateway, error) {
	g := &gateway{cfg: cfg, dry: dry, log: log}
	g.tick = func() time.Duration { return discipline.TickOf(g.read.Now) }
	g.reloads = &reloader{g: g, applied: cfg}
	var err error
	if g.lock, err = lockState(cfg.Gateway.StateDir); err != nil {
		return nil, err
	}
	if err := g.openKeys(); err != nil {
		return nil, err
	}
	measurements := make(chan discipline.Measurement, 16)
	events := make(chan loop.SourceEvent, 16*(len(cfg.Servers)+1))
	if err := g.newLoop(measurements, events); err != nil {
		return nil, err
	}
	if err := g.newSources(measurements, events); err != nil {
		return nil, err
	}
	if err := g.newDownstreams(); err != nil {
		return nil, err
	}
	return g, nil
}

// newSources makes the policy on certificates and one source a server.
func (g *gateway) newSources(out chan<- discipline.Measurement, events chan<- loop.SourceEvent) error {
	var err error
	g.policy, err = certs.New(certs.Options{Servers: g.cfg.Servers, Trust: g.cfg.Trust, Clock: g.known,
		StateDir: g.cfg.Gateway.StateDir, Log: g.log, Reloaded: g.recheck})
	if err != nil {
		return err
	}
	for _, s := range g.cfg.Servers {
		source, err := upstream.New(upstream.Options{
			Name: s.Name, Address: s.Address, Operator: operatorOf(s), MinPoll: s.MinPoll, MaxPoll: s.MaxPoll,
			Builtin: g.cfg.BuiltinServers, MaxSourceStratum: g.cfg.Trust.MaxSourceStratum, RecheckEvery: g.cfg.Trust.RevocationCheck,
			Floor: g.floor.Hard().UnixNano(), Trust: g.policy, Clock: g.read, Out: out, Log: g.log,
			Changed: hand(events),
		})
		if err != nil {
			return err
		}
		g.sources = append(g.sources, source)
	}
	return nil
}

// hand hands on what is told of a source. It waits for the loop: were a revocation lost, what the server said would go on
// to count.
func hand(events chan<- loop.SourceEvent) func(context.Context, string, discipline.Standing) {
	return func(ctx context.Context, name string, now discipline.Standing) {
		select {
		case events <- loop.SourceEvent{Name: name, Standing: now}:
		case <-ctx.Done():
		}
	}
}

// newDownstreams makes the ways on which time is handed on. What a person must mend ends the start; an address that
// another program has at present does not.
func (g *gateway) newDownstreams() error {
	g.status = status.New(status.Options{
		Timeline: g.loop, Clock: g.read, Gateway: g.id, Version: programVersion(), Limit: g.cfg.Clock.MaxErrorLimit,
		Mode:    func() string { return string(g.loop.Host().Mode) },
		Sources: g.sourceReports, Outlets: g.outlets, Devices: g.devices, Expiries: g.expiries, Served: g.served.Load, Warnings: g.warnings, Downstream: g.downstreams, Metrics: g.metrics,
		Hosts: g.cfg.Status.Hosts, Socket: g.cfg.Status.Socket, Log: g.log,
	})
	for _, d := range []struct {
		on            bool
		name, warning string
		make          func() (func(context.Context) error, error)
	}{
		{g.cfg.MQTT.Enabled, "mqtt", "mqtt-failed", g.makeMQTT},
		{g.cfg.NTSServer.Listen != "", "nts", "nts-port", g.makeNTS},
		{len(g.cfg.PTP.Interfaces) > 0, "ptp", "ptp-port", g.makePTP},
		{g.cfg.Status.Listen != "", "status", "status-page", g.makePage},
	} {
		if !d.on {
			continue
		}
		way := &downstream{name: d.name, warning: d.warning, make: d.make, log: g.log}
		if err := way.start(); err != nil {
			return err
		}
		g.ways = append(g.ways, way)
	}
	return nil
}

func (g *gateway) makeMQTT() (func(context.Context) error, error) {
	s, err := mqtt.New(mqtt.Options{Timeline: g.loop, Clock: g.read, Keys: g.keys, Nodes: g.nodes,
		Config: g.cfg.MQTT, Gateway: g.id, Log: g.log})
	if err != nil {
		return nil, toMend(fmt.Errorf("mqtt: %w", err))
	}
	g.mqtt.Store(s)
	return s.Run, nil
}

func (g *gateway) makeNTS() (func(context.Context) error, error) {
	g.nts.Store(nil)
	s, err := g.newNTSServer()
	if (errors.As(err, new(*net.OpError)) || errors.As(err, new(*net.DNSError))) && !errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("%w; %s", err, listenFix(err, "change listen or ntp_listen in [nts_server]"))
	}
	if err != nil {
		return nil, toMend(err)
	}
	g.nts.Store(s)
	return s.run, nil
}

func (g *gateway) makePTP() (func(context.Context) error, error) {
	cfg := g.cfg.PTP
	s, err := ptp.New(ptp.Options{Timeline: g.loop, Clock: g.read, Interfaces: cfg.Interfaces, P2P: cfg.P2P, UDP6: cfg.UDP6, Domain: cfg.Domain,
		Priority1: cfg.Priority1, Priority2: cfg.Priority2, Log: g.log})
	if errors.Is(err, ptp.ErrUnfit) || errors.Is(err, os.ErrPermission) {
		return nil, toMend(err)
	}
	if err != nil {
		return nil, err
	}
	g.ptp.Store(s)
	return s.Run, nil
}

func (g *gateway) makePage() (func(context.Context) error, error) {
	s := g.status.On(g.cfg.Status.Listen)
	if err := s.Listen(); err != nil {
		return nil, err
	}
	g.page.Store(s)
	return s.Run, nil
}

// toMend marks an error as one that no later attempt makes good: the start ends with its exit code.
func toMend(err error) error {
	switch mend := (*exitError)(nil); {
	case errors.As(err, &mend):
		return err
	case errors.Is(err, os.ErrPermission):
		return &exitError{exitPermission, err}
	}
	return &exitError{exitConfig, err}
}

// run runs all of it until ctx ends or the discipline fails. A downstream that fails is started
// again and takes nothing with it.
func (g *gateway) run(ctx context.Context) error {
	defer g.lock.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := g.loop.Run(ctx)
		switch {
		case errors.Is(err, loop.ErrPanic):
			return &exitError{exitPanic, err}
		case errors.Is(err, os.ErrPermission):
			return &exitError{exitPermission, err}
		case err != nil:
			return &exitError{exitDiscipline, fmt.Errorf("the discipline failed: %w", err)}
		}
		return nil
	})
	if g.heat != nil {
		group.Go(func() error { return g.heat.run(ctx, g.read.Now, g.log) })
	}
	for _, s := range g.sources {
		group.Go(func() error { return s.Run(ctx) })
	}
	group.Go(func() error { return g.attend(ctx) })
	group.Go(func() error { return ended(ctx, g.policy.Run(ctx)) })
	group.Go(func() error { return g.reloads.run(ctx) })
	keeper := certs.Keeper{StateDir: g.cfg.Gateway.StateDir, Known: g.lowerBound, RTC: g.rtc.Time,
		Failed: func(err error) { g.log.Warn("the time can't be saved", "err", err) }}
	group.Go(func() error { return ended(ctx, keeper.Run(ctx)) })
	// The control socket is how a second gateway on this host is noticed, so it must come up.
	group.Go(func() error { return g.status.Run(ctx) })
	for _, way := range g.ways {
		group.Go(func() error { return way.supervise(ctx) })
	}
	return group.Wait()
}

// ended takes the error that only says that ctx ended for none.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// attend hands two things of the snapshots back to the sources, because only the program sees both:
// that the time became known, so that sessions are judged again, and the poll interval that the
// discipline wishes for. It notes, once, that the host clock was set, and that time was served.
func (g *gateway) attend(ctx context.Context) error {
	const look = 50 * time.Millisecond // while the time is not known
	tick := time.NewTicker(look)
	defer tick.Stop()
	was, set := false, setNote{dir: g.cfg.Gateway.StateDir}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		_, _, known := g.known()
		if known && !was {
			g.recheck()
			tick.Reset(time.Second)
		}
		if !known && was {
			tick.Reset(look)
		}
		was = known
		h := g.loop.Host()
		if err := set.look(h.Mode == loop.System && h.Action != discipline.Hold, time.Now()); err != nil {
			g.log.Warn("that the host clock was set can't be noted; it is tried again", "err", err)
		}
		snap := g.loop.Snapshot()
		if snap.Serving() {
			g.served.Store(true)
		}
		for _, s := range g.sources {
			s.SetPoll(snap.Poll)
		}
	}
}

// recheck makes every source judge its session again.
func (g *gateway) recheck() {
	for _, s := range g.sources {
		s.Recheck()
	}
}

// reload reads every file that was named again. What is right replaces what was there; the rest stays, and what holds
// only after a restart is warned of.
func (g *gateway) reload() {
	g.reloads.load()
	if err := g.policy.Reload(); err != nil {
		g.log.Warn("not all files were loaded again", "err", err)
	}
	if err := g.nodes.Reload(); err != nil {
		g.log.Warn("the node list was not loaded again", "err", err)
	}
	g.recheck()
}

// lowerBound is a time that has passed for certain, while time is served.
func (g *gateway) lowerBound() (time.Time, bool) {
	if !g.loop.Snapshot().Serving() {
		return time.Time{}, false
	}
	earliest, _, known := g.known()
	return earliest, known
}
