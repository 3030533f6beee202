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
// new in it; the rest waits for a restart, and the warning says so. A bad file is refused and the old one stays.
type reloader struct {
	g *gateway

	mu      sync.Mutex
	applied configs.Config
	warning *discipline.Warning
}

func (r *reloader) run(ctx context.Context) error {
	if r.applied.Path == "" {
		<-ctx.Done()
		return nil
	}
	w := watch.New([]string{r.applied.Path}, 200*time.Millisecond, r.load)
	return ended(ctx, w.Run(ctx))
}

// load reads the file once more; SIGHUP does so too.
func (r *reloader) load() {
	r.mu.Lock()
	defer r.mu.Unlock()
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

// warnings is what a person should know of the file.
func (r *reloader) warnings() []discipline.Warning {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.warning == nil {
		return nil
	}
	return []discipline.Warning{*r.warning}
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
