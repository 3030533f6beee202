package nts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ntsgw/ntsgw/downstream/stamp"
	"github.com/ntsgw/ntsgw/downstream/suspend"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
)

// Server is an NTS server. Make one with New and run it once.
type Server struct {
	opt      Options
	ke       net.Listener
	ntp      *ntp.Socket
	sendTo   string // negotiated NTP server; empty: none
	cookies  *nts.CookieKeys
	protect  *nts.Server
	counters counters
	stamps   *stamp.Carrier
	epochs   *suspend.Guard
	replays  replays
	peers    peers
}

// The defaults of Options.
const (
	defaultConnections    = 64
	defaultKETimeout      = 5 * time.Second
	defaultCookieRotation = 24 * time.Hour
)

// New opens both sockets, so that mistakes in the addresses show at once; Run closes them.
func New(opt Options) (*Server, error) {
	if opt.Timeline == nil || opt.Clock == nil || opt.Certificate == nil {
		return nil, errors.New("NTS server: a timeline, a clock and a certificate are needed")
	}
	if opt.MaxConnections == 0 {
		opt.MaxConnections = defaultConnections
	}
	if opt.KETimeout == 0 {
		opt.KETimeout = defaultKETimeout
	}
	if opt.CookieRotation == 0 {
		opt.CookieRotation = defaultCookieRotation
	}
	if opt.Random == nil {
		opt.Random = rand.Reader
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	keHost, _, err := net.SplitHostPort(opt.KEListen)
	if err != nil {
		return nil, fmt.Errorf("NTS server: NTS-KE address %q: %w", opt.KEListen, err)
	}
	ntpAt, err := net.ResolveUDPAddr("udp", opt.NTPListen)
	if err != nil {
		return nil, fmt.Errorf("NTS server: NTP address %q: %w", opt.NTPListen, err)
	}
	cookies, err := nts.NewCookieKeys(opt.Random)
	if err != nil {
		return nil, fmt.Errorf("NTS server: %w", err)
	}
	at := ntpAt.AddrPort()
	if !at.Addr().IsValid() { // ":123"
		at = netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port())
	}
	socket, err := ntp.Listen(netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
	if err != nil {
		return nil, fmt.Errorf("NTS server: %w", err)
	}
	listener, err := net.Listen("tcp", opt.KEListen)
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("NTS server: %w", err)
	}
	s := &Server{
		opt: opt, ke: listener, ntp: socket,
		cookies: cookies, protect: nts.NewServer(cookies, opt.Random),
		epochs: suspend.New(opt.Clock),
		peers:  peers{limit: opt.MaxConnections, each: max(1, opt.MaxConnections/4)},
	}
	if s.stamps, err = stamp.New(opt.Clock); err != nil {
		opt.Log.Warn("NTS server does not use the kernel's receive stamps", "error", err)
	}
	s.sendTo = opt.NTPServer
	if ntpHost, _, err := net.SplitHostPort(opt.NTPListen); err == nil && s.sendTo == "" && ntpHost != keHost && !ntpAt.IP.IsUnspecified() && ntpHost != "" {
		s.sendTo = ntpHost
	}
	stamps, _ := socket.Stamps()
	s.counters.s = Status{KEAddress: s.KEAddr().String(), NTPAddress: s.NTPAddr().String(), Stamps: stamps && s.stamps.Carries()}
	return s, nil
}

// KEAddr returns the address of the NTS-KE listener.
func (s *Server) KEAddr() netip.AddrPort {
	a := s.ke.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// NTPAddr returns the address of the NTP socket.
func (s *Server) NTPAddr() netip.AddrPort { return s.ntp.LocalAddr() }

// Status returns what the server knows of itself. Safe for concurrent use.
func (s *Server) Status() Status { return s.counters.status() }

// Run serves until ctx ends (and then returns nil) or a socket fails. It waits for all that it
// started.
func (s *Server) Run(ctx context.Context) error {
	s.opt.Log.Info("NTS server listens", "ke", s.KEAddr(), "ntp", s.NTPAddr())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.serveKE(ctx) })
	g.Go(func() error { return s.serveNTP(ctx) })
	g.Go(func() error { return s.housekeeping(ctx) })
	g.Go(func() error {
		<-ctx.Done()
		return errors.Join(s.ke.Close(), s.ntp.Close())
	})
	return errors.Join(g.Wait(), s.stamps.Close())
}

// housekeeping rotates the cookie key, and looks at the timeline once a second, so that its
// beginning is noticed, and a suspend after it, without any request.
func (s *Server) housekeeping(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	rotate := time.NewTicker(s.opt.CookieRotation)
	defer rotate.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if snapshot := s.opt.Timeline.Snapshot(); snapshot != nil {
				s.epochs.Intact(snapshot.Epoch)
			}
		case <-rotate.C:
			if err := s.cookies.Rotate(); err != nil {
				s.opt.Log.Error("NTS cookie key stays", "error", err)
			}
		}
	}
}
