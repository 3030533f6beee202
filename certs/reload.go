package certs

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/ntsgw/ntsgw/certs/revocation"
	"github.com/ntsgw/ntsgw/certs/watch"
	"github.com/ntsgw/ntsgw/configs"
)

// settle is how long files must be quiet before they are read again.
const settle = 200 * time.Millisecond

// Run reads files again whenever they have been replaced, until ctx ends, whose error it returns.
func (p *Policy) Run(ctx context.Context) error {
	w := watch.New(p.Files(), settle, func() { _ = p.Reload() }) // refusals are logged there
	if err := w.NoticeErr(); err != nil {
		p.log.Warn("files are looked at once a minute only", "err", err)
	}
	p.watcher.Store(w)
	return w.Run(ctx)
}

// Configure replaces what the configuration says of the same servers: authorities, pins, names, keys,
// revocation, and the list of trusted servers. Everything is read again, and standing sessions are
// judged by it. Its error is Reload's.
func (p *Policy) Configure(servers []configs.Server, trust configs.Trust) error {
	p.rules.Store(&rules{servers, trust})
	err := p.Reload()
	if w := p.watcher.Load(); w != nil {
		w.Set(p.Files())
	}
	if p.opts.Reloaded != nil {
		p.opts.Reloaded()
	}
	return err
}

// Files returns the paths of all files that the configuration names, and of the system's
// authorities where they are used.
func (p *Policy) Files() []string {
	var list []string
	r := p.rules.Load()
	list = append(list, r.trust.CRL...)
	for _, s := range r.servers {
		list = append(list, s.CA, s.Cert, s.Key)
	}
	for _, f := range p.state.Load().files {
		list = append(list, f.path)
	}
	list = append(list, r.trust.Roots)
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(s string) bool { return s == "" })
}

// Reload reads all files again: SIGHUP. What is right replaces what was there at once; what is not
// is refused, and what was there stays. Its error joins an *Error for each refusal.
func (p *Policy) Reload() error {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	old := p.state.Load()
	st := p.load(old)
	p.state.Store(st)
	changed := false
	for _, f := range st.files {
		i := slices.IndexFunc(old.files, func(g fileInUse) bool { return g.path == f.path })
		if i >= 0 && old.files[i].fingerprint == f.fingerprint {
			continue
		}
		changed = true
		p.log.Info("trust file replaced", "file", f.path, "kind", f.kind, "sha256", f.fingerprint, "expires", stamp(f.ends))
	}
	var errs []error
	for _, e := range st.refused {
		p.count(e.Why)
		p.log.Error("trust file refused, the old content stays", "server", e.Server, "reason", e.Why, "err", e)
		errs = append(errs, e)
	}
	for _, name := range slices.Sorted(maps.Keys(st.servers)) {
		now, was := st.servers[name].err, old.servers[name].err
		switch {
		case now != nil:
			errs = append(errs, now)
			if was == nil || was.Error() != now.Error() {
				p.log.Error("server refused until its files are right", "server", name, "reason", now.Why, "err", now)
			}
		case was != nil:
			changed = true
			p.log.Info("server's files are right now", "server", name)
		}
	}
	if changed && p.opts.Reloaded != nil {
		p.opts.Reloaded()
	}
	return errors.Join(errs...)
}

// load reads all files. Where something is not right, what old has of it stays; old is nil at the start.
func (p *Policy) load(old *state) *state {
	st := &state{servers: map[string]*server{}}
	r := p.rules.Load()
	roots := newRootSet(r.trust.Roots)
	for _, path := range r.trust.CRL {
		lists, err := revocation.LoadLists(path)
		if err != nil {
			st.listErr = refuse(WhyBadFile, "cannot use a revocation list").because(err)
			break
		}
		st.lists = append(st.lists, lists...)
		roots.use(listsInUse(path, lists))
	}
	if st.listErr != nil && old != nil && old.listErr == nil {
		st.refused = append(st.refused, st.listErr)
		st.listErr, st.lists = nil, old.lists
		roots.inUse = slices.DeleteFunc(slices.Clone(old.files), func(f fileInUse) bool { return f.kind != KindCRL })
	}
	for _, cfg := range r.servers {
		s := loadServer(cfg, roots)
		s.mode = cmp.Or(cfg.Revocation, r.trust.Revocation, "prefer")
		if s.err == nil && st.listErr != nil && s.mode != "off" {
			s.err = st.listErr
		}
		if s.err != nil {
			named := *s.err
			named.Server = cfg.Name
			s.err = &named
			if old != nil && old.servers[cfg.Name].err == nil {
				st.refused = append(st.refused, s.err)
				s = old.servers[cfg.Name]
				for _, f := range old.files {
					if f.path == cfg.CA || f.path == cfg.Cert || f.kind == KindCA && s.usesSystem() {
						roots.use(f)
					}
				}
			}
		}
		st.servers[cfg.Name] = s
	}
	st.files = roots.inUse
	return st
}

// usesSystem reports whether s trusts the system's authorities or what replaces them.
func (s *server) usesSystem() bool {
	return s.cfg.Roots == "system" || s.cfg.Roots == "both" || s.cfg.Roots == "" && s.cfg.CA == ""
}
