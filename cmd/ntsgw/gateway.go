package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/upstream"
)

// gateway is the whole program as `run` and `lab` start it. The fields stand in the order in
// which data flows.
type gateway struct {
	cfg  configs.Config
	id   string
	log  *slog.Logger
	read sysclock.Reader

	policy  *certs.Policy
	known   certs.Clock // what is known of the present time
	floor   certs.Floor
	started time.Time
	sources []*upstream.Source
	loop    *loop.Loop
	keys    *signing.Store
	nodes   *mqtt.Nodes
	mqtt    atomic.Pointer[mqtt.Server] // nil: off
	nts     atomic.Pointer[ntsServer]   // nil: off
	status  *status.Server

	refused counts // measurements that the discipline refused
}

// newGateway makes everything that cfg asks for and starts nothing. What it opens is closed
// again by run.
func newGateway(cfg configs.Config, log *slog.Logger) (*gateway, error) {
	g := &gateway{cfg: cfg, log: log}
	if err := os.MkdirAll(cfg.Gateway.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("the state folder can't be made: %w; run as root, or set state_dir in [gateway]", err)
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

// newLoop makes the discipline and the clock it steers.
func (g *gateway) newLoop(in <-chan discipline.Measurement, events <-chan loop.SourceEvent) error {
	cfg := g.cfg.Clock
	files := &loop.Files{Drift: filepath.Join(g.cfg.Gateway.StateDir, cfg.DriftFile)}
	freq, std, _, err := files.LoadDrift()
	if err != nil {
		g.log.Warn("the drift file is not used", "err", err)
	}
	evidence, err := certs.GatherEvidence(g.cfg.Gateway.StateDir, time.Time{})
	if err != nil {
		g.log.Warn("a saved time is not used", "err", err)
	}
	g.floor, g.started = certs.NewFloor(evidence), time.Now()
	leaps, err := leapTable(cfg.LeapList)
	if err != nil {
		return &exitError{exitConfig, err}
	}
	dc := discipline.Config{
		MinSources: cfg.MinSources, BootstrapQuorum: cfg.BootstrapQuorum,
		StepThreshold: cfg.StepThreshold, PanicThreshold: cfg.PanicThreshold,
		HoldoverMax: cfg.HoldoverMax, MaxErrorLimit: cfg.MaxErrorLimit, MaxFrequencyPPM: cfg.MaxFrequencyPPM,
		FrequencyPPM: freq, FrequencyStdPPM: std, Floor: g.floor.Hard().UnixNano(), Leap: leaps,
		Observing: true, NewEpoch: newEpoch,
	}
	for _, s := range g.cfg.Servers {
		dc.Sources = append(dc.Sources, discipline.SourceConfig{Name: s.Name, Operator: operatorOf(s)})
	}
	opt := loop.Options{Measurements: in, Sources: events, Store: files, Log: g.log, Refused: g.refused.add}
	switch cfg.Mode {
	case "system":
		if !sysclock.MaySetTime() {
			return exit(exitPermission, "the host clock may not be set: give the process CAP_SYS_TIME, or set mode = \"observe\" in [clock]")
		}
		opt.Mode, opt.Clock, dc.Observing = loop.System, sysclock.NewSystem(), false
	case "follow":
		opt.Mode, opt.Clock = loop.Follow, sysclock.NewObserver()
	case "observe":
		opt.Mode, opt.Clock = loop.Observe, sysclock.NewObserver()
	default:
		if sysclock.MaySetTime() {
			opt.Clock, opt.Decide = sysclock.NewSystem(), decideMode
		} else {
			opt.Mode, opt.Clock = loop.Observe, sysclock.NewObserver()
		}
	}
	if cfg.RTC && opt.Clock.CanSet() {
		if rtc := sysclock.NewRTC(); rtc != nil {
			opt.RTC = rtc
		}
	}
	if g.cfg.Log.Tracking != "" {
		f, err := os.OpenFile(g.cfg.Log.Tracking, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("the tracking log: %w", err)
		}
		opt.Tracking = f
	}
	opt.Engine = discipline.New(dc)
	g.loop, err = loop.New(opt)
	if err != nil {
		return err
	}
	g.known = certs.ClockOf(g.loop.Snapshot, g.read.Now, func() time.Time {
		floor, _ := g.floor.At(time.Since(g.started))
		return floor
	})
	return nil
}

// decideMode chooses for mode = "auto" where the clock may be set.
func decideMode(ctx context.Context) (loop.Mode, string) {
	other, err := sysclock.DetectOther(ctx, 10*time.Second)
	switch {
	case err != nil:
		return loop.Observe, fmt.Sprintf("it could not be told whether others steer the clock: %v", err)
	case other != nil:
		return loop.Observe, other.String()
	}
	return loop.System, "nobody else steers the host clock"
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
			Changed: func(name string, reachable bool, denied string) {
				select {
				case events <- loop.SourceEvent{Name: name, Reachable: reachable, Denied: denied}:
				default:
					g.log.Error("a source event was lost", "source", name)
				}
			},
		})
		if err != nil {
			return err
		}
		g.sources = append(g.sources, source)
	}
	return nil
}

func (g *gateway) newDownstreams() error {
	// What can't be opened at the start is a mistake that a person must mend.
	if g.cfg.MQTT.Enabled {
		if _, err := g.makeMQTT(); err != nil {
			return err
		}
	}
	if g.cfg.NTSServer.Listen != "" {
		if _, err := g.makeNTS(); err != nil {
			return err
		}
	}
	g.status = status.New(status.Options{
		Timeline: g.loop, Clock: g.read, Gateway: g.id, Version: programVersion(),
		Mode:    func() string { return string(g.loop.Host().Mode) },
		Sources: g.sourceReports, Warnings: g.warnings, Downstream: g.downstreams, Metrics: g.metrics,
		Listen: g.cfg.Status.Listen, Socket: g.cfg.Status.Socket, Log: g.log,
	})
	return nil
}

func (g *gateway) makeMQTT() (func(context.Context) error, error) {
	s, err := mqtt.New(mqtt.Options{Timeline: g.loop, Clock: g.read, Keys: g.keys, Nodes: g.nodes,
		Config: g.cfg.MQTT, Gateway: g.id, Log: g.log})
	if err != nil {
		return nil, fmt.Errorf("mqtt: %w", err)
	}
	g.mqtt.Store(s)
	return s.Run, nil
}

func (g *gateway) makeNTS() (func(context.Context) error, error) {
	s, err := g.newNTSServer()
	if err != nil {
		return nil, err
	}
	g.nts.Store(s)
	return s.run, nil
}

// run runs all of it until ctx ends or the discipline fails. A downstream that fails is started
// again and takes nothing with it.
func (g *gateway) run(ctx context.Context) error {
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
	for _, s := range g.sources {
		group.Go(func() error { return s.Run(ctx) })
	}
	group.Go(func() error { return g.watchKnown(ctx) })
	group.Go(func() error { return ended(ctx, g.policy.Run(ctx)) })
	keeper := certs.Keeper{StateDir: g.cfg.Gateway.StateDir, Known: g.lowerBound,
		Failed: func(err error) { g.log.Warn("the time can't be saved", "err", err) }}
	group.Go(func() error { return ended(ctx, keeper.Run(ctx)) })
	// The control socket is how a second gateway on this host is noticed, so it must come up.
	group.Go(func() error { return g.status.Run(ctx) })
	if s := g.mqtt.Load(); s != nil {
		group.Go(func() error { return g.supervise(ctx, "mqtt", s.Run, g.makeMQTT) })
	}
	if s := g.nts.Load(); s != nil {
		group.Go(func() error { return g.supervise(ctx, "nts", s.run, g.makeNTS) })
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

// supervise runs a downstream, and whenever it fails makes it anew, with growing pauses.
func (g *gateway) supervise(ctx context.Context, name string, run func(context.Context) error, remake func() (func(context.Context) error, error)) error {
	pause := time.Second
	for {
		began := time.Now()
		var err error
		if run != nil {
			err = run(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > time.Minute {
			pause = time.Second
		}
		if err != nil {
			g.log.Error("a downstream failed and is started again", "name", name, "err", err, "in", pause)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Minute)
		if run, err = remake(); err != nil {
			g.log.Error("a downstream can't be started", "name", name, "err", err, "again", pause)
		}
	}
}

// watchKnown makes every source judge its session again when the time becomes known.
func (g *gateway) watchKnown(ctx context.Context) error {
	const look = 50 * time.Millisecond
	tick := time.NewTicker(look)
	defer tick.Stop()
	was := false
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
	}
}

// recheck makes every source judge its session again.
func (g *gateway) recheck() {
	for _, s := range g.sources {
		s.Recheck()
	}
}

// reload reads every file that was named again. What is right replaces what was there; the rest stays.
func (g *gateway) reload() {
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

func newEpoch() (e discipline.Epoch) {
	rand.Read(e[:])
	return e
}

// counts counts by source and reason. It is safe for concurrent use.
type counts struct {
	mu sync.Mutex
	m  map[string]map[string]uint64
}

func (c *counts) add(source, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string]map[string]uint64{}
	}
	if c.m[source] == nil {
		c.m[source] = map[string]uint64{}
	}
	c.m[source][reason]++
}

// has reports whether anything was refused for reason.
func (c *counts) has(reason string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.m {
		if m[reason] > 0 {
			return true
		}
	}
	return false
}

// into adds the counts of source to rejected.
func (c *counts) into(source string, rejected map[string]uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for reason, n := range c.m[source] {
		rejected[reason] += n
	}
}

// sourceReports puts what each source knows of itself beside what selection made of it.
func (g *gateway) sourceReports() []status.Source {
	snap := g.loop.Snapshot()
	list := make([]status.Source, 0, len(g.sources))
	for _, src := range g.sources {
		st := src.Status()
		r := status.Source{
			Name: st.Name, Address: st.Address, NTP: st.NTPAddr, Operator: st.Operator, State: "unreachable",
			Stratum: int(st.Stratum), Reach: int(st.Reach), Poll: st.Poll.Seconds(), AEAD: int(st.AEAD), Cookies: st.Cookies,
			Sent: st.Sent, Received: st.Received, Rejected: st.Rejected, LastError: st.LastError,
		}
		if r.Rejected == nil {
			r.Rejected = map[string]uint64{}
		}
		g.refused.into(st.Name, r.Rejected)
		if !st.KEAt.IsZero() {
			r.KEAge = number(time.Since(st.KEAt))
		}
		i := slices.IndexFunc(snap.Sources, func(s discipline.SourceState) bool { return s.Name == st.Name })
		if i >= 0 {
			sel := snap.Sources[i]
			r.State = sel.State
			if sel.LastAt != 0 && st.Delay > 0 {
				r.Delay = number(st.Delay)
				if snap.Serving() {
					r.Offset, r.Jitter = number(sel.Offset), number(sel.Jitter)
				}
			}
		}
		if st.Denied != "" {
			r.State = "denied"
			r.LastError = st.Denied
		}
		list = append(list, r)
	}
	return list
}

func number(d time.Duration) *float64 {
	s := d.Seconds()
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return nil
	}
	return &s
}

func (g *gateway) warnings() []discipline.Warning {
	var now time.Time
	if earliest, _, known := g.known(); known {
		now = earliest
	}
	list := append(g.policy.Warnings(now), g.keys.Warnings(now)...)
	list = append(list, g.floor.Warnings()...)
	if s := g.mqtt.Load(); s != nil {
		list = append(list, s.Warnings()...)
	}
	if now.IsZero() && g.refused.has("before-floor") {
		list = append(list, g.floor.BeforeFloor(time.Time{}))
	}
	return list
}

// metrics are the counters of the downstreams.
func (g *gateway) metrics() map[string]status.Counters {
	m := map[string]status.Counters{"certs": {"refused": g.policy.Counts(), "doubted": g.policy.Doubts()}}
	if s := g.mqtt.Load(); s != nil {
		st := s.Status()
		connected := 0.0
		for _, b := range st.Brokers {
			if b.State == mqtt.BrokerConnected {
				connected++
			}
		}
		m["mqtt"] = status.Counters{"beacons": st.Beacons, "published": st.Published, "dropped": st.Dropped, "skipped": st.Skipped,
			"answered": st.Answered, "refused": st.Refused, "brokers_connected": connected, "nodes_seen": float64(len(st.Nodes))}
	}
	if s := g.nts.Load(); s != nil {
		st := s.Status()
		m["nts"] = status.Counters{"ke_accepted": st.Accepted, "answered": st.Answered, "naks": st.NAKs, "refused": st.Refused}
	}
	return m
}

func (g *gateway) downstreams() map[string]any {
	d := map[string]any{}
	if s := g.mqtt.Load(); s != nil {
		d["mqtt"] = s.Status()
	}
	if s := g.nts.Load(); s != nil {
		d["nts"] = s.Status()
	}
	return d
}

// operatorOf is who runs a server: what the configuration says, or the registrable domain.
func operatorOf(s configs.Server) string {
	if s.Operator != "" {
		return s.Operator
	}
	host := s.Address
	if i := strings.LastIndexByte(host, ':'); i > 0 {
		host = host[:i]
	}
	return registrableDomain(strings.Trim(host, "[]"))
}
