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
// authorities, names, client certificates, revocation, the trusted servers) is applied at once; anything
// else waits for a restart, and the warning says so. A bad file is refused and the old one stays.
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
		r.warn("configuration-refused", fmt.Sprintf("The configuration was replaced by one with %d mistakes and the old one stays; ntsgw check says which", len(problems)))
	case err != nil:
		r.g.log.Error("the configuration can't be read, the old one stays", "err", err)
		r.warn("configuration-refused", err.Error()+"; the old one stays")
	case !reflect.DeepEqual(withoutTrust(cfg), withoutTrust(r.applied)):
		r.g.log.Warn("the configuration was changed beyond [trust] and the servers' certificates: restart to apply it")
		r.warn("configuration-needs-restart", "The configuration was changed; what is new in it holds after a restart: systemctl restart ntsgw")
	case reflect.DeepEqual(cfg, r.applied):
		r.warning = nil
	default:
		r.applied, r.warning = cfg, nil
		r.g.log.Info("the configuration was replaced: servers are judged by the new one")
		if err := r.g.policy.Configure(cfg.Servers, cfg.Trust); err != nil {
			r.g.log.Warn("not all files that it names are right", "err", err)
		}
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

// withoutTrust is cfg less what certs.Policy.Configure applies.
func withoutTrust(cfg configs.Config) configs.Config {
	cfg.Trust = configs.Trust{MaxSourceStratum: cfg.Trust.MaxSourceStratum, RevocationCheck: cfg.Trust.RevocationCheck}
	cfg.Servers = slices.Clone(cfg.Servers)
	for i := range cfg.Servers {
		s := &cfg.Servers[i]
		s.CA, s.Roots, s.Pins, s.PinMode, s.Names, s.Cert, s.Key, s.Revocation, s.Line = "", "", nil, "", nil, "", "", "", 0
	}
	return cfg
}
