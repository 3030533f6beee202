package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/certs/watch"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
)

// reloader reads the configuration again when its file is replaced. What it says of trust (pins,
// authorities, names, client certificates, revocation, the trusted servers) is applied at once, whatever else is
// new in it; the rest waits for a restart, and the warning says so. A bad file is refused and the old one stays. A new
// list of leap seconds waits for a restart as well.
type reloader struct {
	g *gateway

	mu      sync.Mutex
	applied configs.Config
	warning *discipline.Warning // of the configuration
	leaps   *discipline.Warning // of the list of leap seconds
}

func (r *reloader) run(ctx context.Context) error {
	w := watch.New([]string{r.applied.Path, leapPath(r.applied.Clock.LeapList)}, 200*time.Millisecond, r.load)
	return ended(ctx, w.Run(ctx))
}

// load reads the files once more; SIGHUP does so too.
func (r *reloader) load() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loadLeaps()
	r.loadConfig()
}

// loadLeaps looks whether the list of leap seconds is another one than that which the timeline was begun with. TAI is
// what the timeline counts in, so another account of it needs another timeline.
func (r *reloader) loadLeaps() {
	was := r.leaps
	r.leaps = nil
	table, err := leapTable(r.applied.Clock.LeapList)
	switch {
	case err != nil:
		r.g.log.Error("the list of leap seconds is refused, the old one stays", "err", err)
		return
	case reflect.DeepEqual(table, r.g.leaps):
		return
	}
	r.leaps = &discipline.Warning{ID: "leap-list-needs-restart", Text: "The list of leap seconds was replaced; the new one holds after a restart: systemctl restart ntsgw"}
	if was == nil {
		r.g.log.Warn("the list of leap seconds was replaced: restart to apply it")
	}
}

func (r *reloader) loadConfig() {
	if r.applied.Path == "" {
		return
	}
	cfg, err := configs.Load(r.applied.Path)
	var problems configs.Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			r.g.log.Error("the configuration is refused, the old one stays", "err", p)
		}
		r.warn("configuration-refused", fmt.Sprintf("The configuration was replaced by one with %s and the old one stays; ntsgw check says which", configs.Counted(len(problems), "mistake", "mistakes")))
	case err != nil:
		r.g.log.Error("the configuration can't be read, the old one stays", "err", err)
		r.warn("configuration-refused", err.Error()+"; the old one stays")
	default:
		r.apply(cfg)
	}
}

// apply makes a good configuration's trust hold, and says whether more is new in it.
func (r *reloader) apply(cfg configs.Config) {
	if !reflect.DeepEqual(cfg.Notes, r.applied.Notes) { // they may only stand on other lines
		r.applied.Notes = cfg.Notes
		logNotes(r.g.log, cfg.Notes)
	}
	if next := withTrustOf(r.applied, cfg); !reflect.DeepEqual(next, r.applied) {
		r.applied = next
		r.g.log.Info("the configuration was replaced: servers are judged by the new one")
		if err := r.g.policy.Configure(next.Servers, next.Trust); err != nil {
			r.g.log.Warn("not all files that it names are right", "err", err)
		}
	}
	r.warning = nil
	if !reflect.DeepEqual(cfg, r.applied) {
		r.g.log.Warn("the configuration was changed beyond [trust] and the servers' certificates: restart to apply the rest")
		r.warn("configuration-needs-restart", "The configuration was changed; what is new in it beyond trust holds after a restart: systemctl restart ntsgw")
	}
}

func (r *reloader) warn(id, text string) { r.warning = &discipline.Warning{ID: id, Text: text} }

// warnings is what a person should know of the files.
func (r *reloader) warnings() []discipline.Warning {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []discipline.Warning
	for _, w := range []*discipline.Warning{r.warning, r.leaps} {
		if w != nil {
			list = append(list, *w)
		}
	}
	return list
}

// withTrustOf is the configuration that runs with what certs.Policy.Configure applies of a new one, for the
// servers that both have.
func withTrustOf(runs, cfg configs.Config) configs.Config {
	trust := cfg.Trust
	trust.MaxSourceStratum, trust.RevocationCheck = runs.Trust.MaxSourceStratum, runs.Trust.RevocationCheck
	runs.Trust = trust
	runs.Servers = slices.Clone(runs.Servers)
	for i := range runs.Servers {
		s := &runs.Servers[i]
		for _, n := range cfg.Servers {
			if n.Name != s.Name || n.Address != s.Address {
				continue
			}
			s.CA, s.Roots, s.Pins, s.PinMode, s.Names = n.CA, n.Roots, n.Pins, n.PinMode, n.Names
			s.Cert, s.Key, s.Revocation, s.Line = n.Cert, n.Key, n.Revocation, n.Line
		}
	}
	return runs
}
