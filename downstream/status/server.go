package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// Timeline is where snapshots are read.
type Timeline interface{ Snapshot() *discipline.Snapshot }

// Clock reads the raw clock, and the host's beside it.
type Clock interface {
	Now() discipline.Raw
	ReadPair() discipline.HostReading
}

// Options is what a Server needs. Its functions are called for each
// report and must be safe for concurrent use; all may be nil.
type Options struct {
	Timeline   Timeline
	Clock      Clock
	Gateway    string
	Version    string
	Limit      time.Duration // the largest bound that may be served; 0: any
	Mode       func() string
	Sources    func() []Source
	Outlets    func() []Outlet
	Devices    func() []Device
	Expiries   func() []Expiry
	Served     func() bool // whether time was served since the start
	Warnings   func() []discipline.Warning
	Downstream func() map[string]any      // for the report
	Metrics    func() map[string]Counters // for /metrics
	Listen     string                     // HTTP address; empty: off
	Hosts      []string                   // names beside the machine's own by which the page is asked for through loopback
	Socket     string                     // control socket; empty: off
	Log        *slog.Logger
}

// acquiringGrace is how long after the start it counts as starting, not as ill, that no time was served yet.
const acquiringGrace = 60 * time.Second

// Server serves reports. It is safe for concurrent use.
type Server struct {
	opt     Options
	started discipline.Raw

	rejected  *rejections
	listeners []net.Listener // nil before Listen
	addr      net.Addr
	ready     chan struct{}
}

// rejections are counted by reason.
type rejections struct {
	mu sync.Mutex
	n  map[string]uint64
}

// New returns a server that is not yet listening.
func New(opt Options) *Server {
	return &Server{opt: opt, started: opt.Clock.Now(), rejected: &rejections{n: map[string]uint64{}}, ready: make(chan struct{})}
}

// On returns a server of the same reports that listens on an HTTP address alone: whether it can takes nothing from s,
// with which it is counted together.
func (s *Server) On(listen string) *Server {
	on := &Server{opt: s.opt, started: s.started, rejected: s.rejected, ready: make(chan struct{})}
	on.opt.Listen, on.opt.Socket = listen, ""
	return on
}

// Addr waits until the server listens and returns the HTTP address, nil when HTTP is off
// or ctx ends first.
func (s *Server) Addr(ctx context.Context) net.Addr {
	select {
	case <-s.ready:
		return s.addr
	case <-ctx.Done():
		return nil
	}
}

// Report is the gateway's state at this moment.
func (s *Server) Report() Report {
	// The clocks first: what happened to them until they were read is then known of the timeline.
	host := s.opt.Clock.ReadPair()
	now := s.opt.Clock.Now()
	r := build(s.opt.Timeline.Snapshot(), now, host, s.opt.Limit)
	r.Gateway, r.Version = s.opt.Gateway, s.opt.Version
	if s.opt.Mode != nil {
		r.Mode = s.opt.Mode()
	}
	r.Uptime = seconds(now.Sub(s.started))
	if s.opt.Sources != nil {
		r.Sources = s.opt.Sources()
	}
	if s.opt.Outlets != nil {
		r.Outlets = s.opt.Outlets()
	}
	if s.opt.Devices != nil {
		r.Devices = s.opt.Devices()
	}
	if s.opt.Expiries != nil {
		r.Expiries = s.opt.Expiries()
	}
	if s.opt.Warnings != nil {
		r.Warnings = append(r.Warnings, s.opt.Warnings()...)
	}
	r.Downstream = map[string]any{}
	if s.opt.Downstream != nil {
		maps.Copy(r.Downstream, s.opt.Downstream())
	}
	for i := range r.Warnings {
		r.Warnings[i].Text = sentence(r.Warnings[i].Text)
	}
	return r
}

// Listen opens the addresses. Run does so itself where it was not called.
func (s *Server) Listen() error {
	if s.opt.Socket != "" {
		l, err := listenUnix(s.opt.Socket)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, limit(l, socketConns, s.tooMany))
	}
	if s.opt.Listen != "" {
		l, err := net.Listen("tcp", s.opt.Listen)
		if err != nil {
			for _, l := range s.listeners {
				l.Close()
			}
			return fmt.Errorf("the status page can't listen on %s: %w; change listen in [status]", s.opt.Listen, err)
		}
		s.listeners = append(s.listeners, limit(l, pageConns, s.tooMany))
		s.addr = l.Addr()
	}
	close(s.ready)
	return nil
}

// Run listens and serves until ctx ends. It fails at once when an address can't be used.
func (s *Server) Run(ctx context.Context) error {
	if s.listeners == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() { failed <- srv.Serve(l) }()
	}
	var err error
	waiting := len(s.listeners)
	select {
	case <-ctx.Done():
	case err = <-failed:
		waiting--
	}
	srv.Close()
	for ; waiting > 0; waiting-- {
		<-failed
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// listenUnix opens the control socket, removing one that a dead gateway left.
func listenUnix(path string) (net.Listener, error) {
	fix := func(err error) error {
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("the control socket %s can't be made: %w; run as root, or set socket in [status] to a path you may write", path, err)
		}
		return fmt.Errorf("the control socket %s can't be made: %w; set socket in [status]", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fix(err)
	}
	l, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		if c, dialErr := net.DialTimeout("unix", path, time.Second); dialErr == nil {
			c.Close()
			return nil, fmt.Errorf("another ntsgw is running: it answers on %s; stop it, or set socket in [status]", path)
		} else if !errors.Is(dialErr, syscall.ECONNREFUSED) {
			return nil, fix(err)
		}
		// A file that is no socket refuses a connection, too, and is somebody's.
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
			return nil, fix(errors.New("something else than a socket is there"))
		}
		if err := os.Remove(path); err != nil {
			return nil, fix(err)
		}
		l, err = net.Listen("unix", path)
	}
	if err != nil {
		return nil, fix(err)
	}
	// Everyone on the host may ask: the socket only answers, and has no secrets.
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, fix(err)
	}
	return l, nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.Report())
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		r := s.Report()
		writeMetrics(w, &r, s.counters())
	})
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		status, reason, text := http.StatusNotFound, "unknown-path", "there is nothing here; try /, /status.json, /metrics or /healthz"
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			status, reason, text = http.StatusMethodNotAllowed, "method", "only GET is answered: nothing can be changed here"
		}
		s.reject(reason)
		writeJSON(w, status, map[string]string{"error": text, "reason": reason})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; frame-ancestors 'none'")
		if misdirected(req, s.opt.Hosts) {
			s.reject("host")
			writeJSON(w, http.StatusMisdirectedRequest, map[string]string{"reason": "host",
				"error": "by loopback only an address, this machine's name or one outside the public DNS is answered: ask for localhost, or name it in hosts in [status]"})
			return
		}
		mux.ServeHTTP(w, req)
	})
}

// counters are the downstreams', and this server's own.
func (s *Server) counters() map[string]Counters {
	all := map[string]Counters{}
	if s.opt.Metrics != nil {
		maps.Copy(all, s.opt.Metrics())
	}
	s.rejected.mu.Lock()
	defer s.rejected.mu.Unlock()
	all["status"] = Counters{"rejected": maps.Clone(s.rejected.n)}
	return all
}

func (s *Server) reject(reason string) {
	s.rejected.mu.Lock()
	s.rejected.n[reason]++
	s.rejected.mu.Unlock()
}

func (s *Server) tooMany() { s.reject("connections") }

// health answers 200 when time is served, and while a young gateway is still starting: one that lost the time is not.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	r := s.Report()
	title, sentence := r.Verdict()
	word, code := "unhealthy", http.StatusServiceUnavailable
	switch {
	case r.Time != "":
		word, code = "healthy", http.StatusOK
	case r.Uptime < acquiringGrace.Seconds() && !(s.opt.Served != nil && s.opt.Served()):
		word, code = "starting", http.StatusOK
	}
	writeJSON(w, code, map[string]string{"health": word, "state": r.State, "text": title + ". " + sentence})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	enc.Encode(v)
}
