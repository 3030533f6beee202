package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/loop"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// newLoop makes the discipline and the clock it steers.
func (g *gateway) newLoop(in <-chan discipline.Measurement, events <-chan loop.SourceEvent) error {
	cfg := g.cfg.Clock
	files := &loop.Files{Drift: filepath.Join(g.cfg.Gateway.StateDir, cfg.DriftFile)}
	freq, std, _, err := files.LoadDrift()
	if err != nil {
		g.log.Warn("the drift file is not used", "err", err)
	}
	g.rtc = sysclock.NewRTC()
	shown, _ := g.rtc.Time()
	evidence, err := certs.GatherEvidence(g.cfg.Gateway.StateDir, shown)
	if err != nil {
		g.log.Warn("a saved time is not used", "err", err)
	}
	g.floor, g.started = certs.NewFloor(evidence), time.Now()
	if g.leaps, err = leapTable(cfg.LeapList); err != nil {
		return &exitError{exitConfig, err}
	}
	dc := discipline.Config{
		MinSources: cfg.MinSources, BootstrapQuorum: cfg.BootstrapQuorum,
		StepThreshold: cfg.StepThreshold, PanicThreshold: cfg.PanicThreshold,
		HoldoverMax: cfg.HoldoverMax, MaxErrorLimit: cfg.MaxErrorLimit, MaxFrequencyPPM: cfg.MaxFrequencyPPM,
		FrequencyPPM: freq, FrequencyStdPPM: std, Floor: g.floor.Hard().UnixNano(), Leap: g.leaps,
		Observing: true, WasSet: wasSetInThisBoot(g.cfg.Gateway.StateDir), NewEpoch: newEpoch,
	}
	for _, s := range g.cfg.Servers {
		dc.Sources = append(dc.Sources, discipline.SourceConfig{Name: s.Name, Operator: operatorOf(s)})
	}
	if g.heat, err = newThermometer(cfg.Thermometer); err != nil {
		return &exitError{exitConfig, err}
	}
	opt := loop.Options{Measurements: in, Sources: events, MaxErrorLimit: cfg.MaxErrorLimit, MaxFrequencyPPM: cfg.MaxFrequencyPPM, Store: files, Tick: g.tick, Log: g.log, Refused: g.refused.add}
	if g.heat != nil {
		dc.Thermometer, opt.Temperatures = true, g.heat.out
	}
	const configured = "the configuration says so"
	why := ""
	switch mode := cfg.Mode; {
	case g.dry:
		opt.Mode, opt.Clock, why = loop.Observe, sysclock.NewObserver(), "this is a dry run"
	case mode == "system":
		if !sysclock.MaySetTime() {
			return exit(exitPermission, "the host clock may not be set: give the process CAP_SYS_TIME, or set mode = \"observe\" in [clock]")
		}
		opt.Mode, opt.Clock, dc.Observing = loop.System, sysclock.NewSystem(), false
		why = configured
	case mode == "follow":
		opt.Mode, opt.Clock, why = loop.Follow, sysclock.NewObserver(), configured
	case mode == "observe":
		opt.Mode, opt.Clock, why = loop.Observe, sysclock.NewObserver(), configured
	default:
		if sysclock.MaySetTime() {
			opt.Clock, opt.Decide = sysclock.NewSystem(), decideMode
		} else {
			opt.Mode, opt.Clock, why = loop.Observe, sysclock.NewObserver(), "this process may not set the host clock"
		}
	}
	if opt.Decide == nil { // the loop says it of what it decides
		g.log.Info("clock mode", "mode", string(opt.Mode), "why", why)
	}
	if cfg.RTC && opt.Clock.CanSet() && g.rtc != nil {
		opt.RTC = g.rtc
	}
	if g.cfg.Log.Tracking != "" {
		f, err := openTracking(g.cfg.Log.Tracking)
		if err != nil {
			return &exitError{exitConfig, err}
		}
		opt.Tracking = &trackingFile{path: g.cfg.Log.Tracking, f: f}
	}
	opt.Engine = discipline.New(dc)
	g.loop, err = loop.New(opt)
	if errors.As(err, new(*loop.CoarseClockError)) {
		return toMend(err)
	}
	if err != nil {
		return err
	}
	g.known = certs.ClockOf(g.loop.Timeline, g.read.Now, func() time.Time {
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

func newEpoch() (e discipline.Epoch) {
	rand.Read(e[:])
	return e
}
