package certs

import (
	"crypto/tls"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ntsgw/ntsgw/certs/revocation"
	"github.com/ntsgw/ntsgw/certs/watch"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// Clock tells what is known of the present time: an interval that holds true time, or, with known
// false, a floor in earliest that true time is past (zero: none). It must be safe for concurrent use.
type Clock func() (earliest, latest time.Time, known bool)

// Options are what a Policy is made from.
type Options struct {
	Servers []configs.Server
	Trust   configs.Trust
	Clock   Clock
	// StateDir is where answers about revocation are kept; empty: in memory only.
	StateDir string
	Log      *slog.Logger // nil: silent
	// RevocationTimeout bounds what one handshake waits for responders; 0: 3 s. The recheck of a
	// standing session may take eight times as long.
	RevocationTimeout time.Duration
	// Reloaded is called after files were replaced: standing sessions should be judged again.
	// nil: nobody.
	Reloaded func()
}

// Policy decides by the configuration. It is safe for concurrent use.
type Policy struct {
	opts    Options
	rules   atomic.Pointer[rules]
	log     *slog.Logger
	watcher atomic.Pointer[watch.Watcher]
	state   atomic.Pointer[state]
	checker *revocation.Checker

	reloading sync.Mutex // one Reload at a time

	mu      sync.Mutex
	counts  map[string]uint64
	doubts  map[string]uint64
	reports map[string]*Report
}

// rules are what the configuration says; Configure replaces them whole.
type rules struct {
	servers []configs.Server
	trust   configs.Trust
}

// state is everything that was read from files; it is replaced whole.
type state struct {
	servers map[string]*server
	lists   []*revocation.List
	listErr *Error      // the local lists could not be read
	files   []fileInUse // in the order of use, each once
	refused []*Error    // files that were refused, an older state of theirs being used
}

// server is one server's part of it.
type server struct {
	cfg    configs.Server
	host   string
	req    requirement
	mode   string           // off, prefer, require
	client *tls.Certificate // nil: none configured
	err    *Error           // not nil: the server is refused until its files are right
}

// New reads every file that opts names. A server whose files are wrong does not stop the others:
// it is refused with its reason (see Problems) until they are right.
func New(opts Options) (*Policy, error) {
	p := &Policy{opts: opts, log: opts.Log, counts: map[string]uint64{}, doubts: map[string]uint64{}, reports: map[string]*Report{}}
	p.rules.Store(&rules{opts.Servers, opts.Trust})
	dir := ""
	if opts.StateDir != "" {
		dir = filepath.Join(opts.StateDir, "revocation")
	}
	p.checker = revocation.New(revocation.Options{Dir: dir, Timeout: opts.RevocationTimeout, MaxAge: opts.Trust.RevocationCheck})
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.state.Store(p.load(nil))
	return p, nil
}

// Problems returns what is wrong with files at present: for each server that is refused, and for
// each file whose older content is in use, an *Error.
func (p *Policy) Problems() []error {
	var list []error
	st := p.state.Load()
	for _, name := range slices.Sorted(maps.Keys(st.servers)) {
		if err := st.servers[name].err; err != nil {
			list = append(list, err)
		}
	}
	for _, err := range st.refused {
		list = append(list, err)
	}
	return list
}

// Counts returns how often each reason has refused something since the start.
func (p *Policy) Counts() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Doubts returns how often each source of answers about revocation gave none that could be used, by
// reason, for servers that were accepted all the same.
func (p *Policy) Doubts() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.doubts)
}

// window asks the clock.
func (p *Policy) window() revocation.Window {
	if p.opts.Clock == nil {
		return revocation.Window{}
	}
	earliest, latest, known := p.opts.Clock()
	return revocation.Window{Earliest: earliest, Latest: latest, Known: known}
}

// KEConfig returns how to make a TLS connection to the named server: TLS 1.3 only, ALPN ntske/1
// (RFC 8915 §4), a client certificate where one is configured, and every check of the server's
// certificate. While time is not known deferred is true: dates are then not judged, and what the
// session brings may only serve to find the time. The handshake's error is an *Error.
func (p *Policy) KEConfig(name string) (cfg *tls.Config, deferred bool, err error) {
	s, err := p.lookup(name)
	if err != nil {
		return nil, false, p.counted(name, err)
	}
	deferred = !p.window().Known
	cfg = &tls.Config{
		MinVersion: tls.VersionTLS13,
		MaxVersion: tls.VersionTLS13,
		NextProtos: []string{ntske.ALPN},
		ServerName: s.serverName(),
		// The chain is verified below, because crypto/tls can neither defer dates nor judge
		// them against an interval. Without a session cache no handshake passes it by.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			w := p.window()
			if deferred {
				w.Known = false
			} else if !w.Known {
				return p.counted(name, refuse(WhyTimeUnknown, "time was lost during the handshake"))
			}
			// Looked up again: files may have been replaced since the configuration was made.
			s, err := p.lookup(name)
			if err != nil {
				return p.counted(name, err)
			}
			return p.counted(name, p.judge(s, &cs, w, revocation.AskIfOld))
		},
	}
	if s.client != nil {
		// GetClientCertificate and not Certificates: the latter is sent only when it matches
		// the server's list of authorities, and a refusal by the server says more than silence.
		pair := s.client
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	return cfg, deferred, nil
}

// Recheck judges the connection state of a standing session again, as if it were made now.
// Its error is an *Error: the session, its keys and its cookies must then be dropped. It asks
// responders again and may take as long as they let it wait.
func (p *Policy) Recheck(name string, cs *tls.ConnectionState) error {
	s, err := p.lookup(name)
	if err == nil {
		err = p.judge(s, cs, p.window(), revocation.AskAgain)
	}
	return p.counted(name, err)
}

// AllowHost says whether host (a name or an address, port optional) may be contacted: any may when
// [trust] servers is empty. It is asked for the negotiated NTP host too.
func (p *Policy) AllowHost(host string) error {
	return p.counted("", p.allow(host))
}

func (p *Policy) allow(host string) error {
	allowed := p.rules.Load().trust.Servers
	if len(allowed) == 0 {
		return nil
	}
	want := canonicalHost(host)
	for _, t := range allowed {
		if canonicalHost(t) == want {
			return nil
		}
	}
	return refuse(WhyNotTrusted, "%s is not in [trust] servers", host)
}

// canonicalHost strips a port and writes the host so that equal hosts are equal strings.
func canonicalHost(s string) string {
	host := s
	if h, _, err := net.SplitHostPort(s); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func (p *Policy) lookup(name string) (*server, error) {
	s, ok := p.state.Load().servers[name]
	if !ok {
		return nil, refuse(WhyUnknownServer, "no such server is configured")
	}
	if err := p.allow(s.host); err != nil {
		return nil, err
	}
	if s.err != nil {
		return nil, s.err
	}
	return s, nil
}

// counted counts a refusal and names the server in it.
func (p *Policy) counted(name string, err error) error {
	if err == nil {
		return nil
	}
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	p.count(e.Why)
	if e.Server == "" && name != "" {
		named := *e
		named.Server = name
		e = &named
	}
	return e
}

func (p *Policy) count(why string) {
	p.mu.Lock()
	p.counts[why]++
	p.mu.Unlock()
}

func (p *Policy) doubt(why string) {
	p.mu.Lock()
	p.doubts[why]++
	p.mu.Unlock()
}

func (p *Policy) lists() []*revocation.List { return p.state.Load().lists }

// serverName is what the server is asked for (SNI): the host, or for an address the first allowed
// name that is one.
func (s *server) serverName() string {
	if net.ParseIP(s.host) == nil {
		return s.host
	}
	for _, n := range s.cfg.Names {
		if net.ParseIP(n) == nil && !strings.HasPrefix(n, "*.") {
			return n
		}
	}
	return s.host // crypto/tls sends no name for an address
}

func loadServer(cfg configs.Server, roots *rootSet) *server {
	s := &server{cfg: cfg, host: cfg.Address}
	if h, _, err := net.SplitHostPort(cfg.Address); err == nil {
		s.host = h
	}
	s.req.names = cfg.Names
	if len(s.req.names) == 0 {
		s.req.names = []string{s.host}
	}
	for _, text := range cfg.Pins {
		pin, err := ParsePin(text)
		if err != nil {
			s.err = err.(*Error)
			return s
		}
		s.req.pins = append(s.req.pins, pin)
	}
	s.req.pinsReplace = cfg.PinMode == "replace"
	if s.req.pinsReplace && len(s.req.pins) == 0 {
		s.err = refuse(WhyEmptyPins, `pin_mode = "replace" without a pin would trust nobody; give at least one in pins`)
		return s
	}
	if !s.req.pinsReplace {
		pool, listed, err := roots.pool(cfg.Roots, cfg.CA)
		if err != nil {
			s.err = err
			return s
		}
		s.req.roots, s.req.rootsListed = pool, listed
	}
	if cfg.Cert != "" || cfg.Key != "" {
		pair, err := LoadKeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			s.err = err.(*Error)
			return s
		}
		s.client = pair
		roots.use(keyPairInUse(cfg.Cert, pair))
	}
	return s
}
