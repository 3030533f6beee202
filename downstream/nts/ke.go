package nts

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// keLimits is ample for any request: chrony's has 4 records and 26 bytes.
var keLimits = ntske.Limits{Bytes: 4096, Records: 32}

// serveKE accepts connections until ctx ends and waits for all of them.
func (s *Server) serveKE(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	config := s.tlsConfig()
	for {
		conn, err := s.ke.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			// Too many open files and the like pass: wait a moment rather than spin.
			s.counters.refuse(reasonAccept)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		peer := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if reason := s.peers.enter(peer); reason != "" {
			s.counters.refuse(reason)
			conn.Close()
			continue
		}
		wg.Go(func() {
			defer s.peers.leave(peer)
			s.exchange(ctx, conn, config)
		})
	}
}

func (s *Server) tlsConfig() *tls.Config {
	config := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{ntske.ALPN},
		GetCertificate:         s.opt.Certificate,
		SessionTicketsDisabled: true, // a client comes once a day at most
	}
	if s.opt.ClientCAs != nil {
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c := config.Clone()
			c.GetConfigForClient = nil
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, s.opt.ClientCAs()
			return c, nil
		}
	}
	return config
}

// exchange serves one connection and closes it.
func (s *Server) exchange(ctx context.Context, tcp net.Conn, config *tls.Config) {
	defer tcp.Close()
	ctx, cancel := context.WithTimeout(ctx, s.opt.KETimeout)
	defer cancel()
	conn := tls.Server(tcp, config)
	_, err := ntske.Server(ctx, conn, ntske.ServerOptions{
		AEADs:     s.opt.AEADs,
		NTPServer: s.sendTo,
		NTPPort:   s.NTPAddr().Port(),
		NewCookie: func(aead uint16, keys ntske.Keys) ([]byte, error) { return s.cookies.Seal(nil, aead, keys) },
		Limits:    keLimits,
	})
	if err != nil {
		s.counters.refuse(keReason(err))
		finish(ctx, conn, tcp)
		return
	}
	s.counters.with(func(c *Status) { c.Accepted++ })
	conn.Close()
}

// finish lets the client read the Error record: closing with unread bytes would reset the
// connection and lose it. Both the bytes and the time are bounded.
func finish(ctx context.Context, conn *tls.Conn, tcp net.Conn) {
	if conn.CloseWrite() != nil {
		return
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = tcp.SetReadDeadline(deadline)
	}
	if half, ok := tcp.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, tcp, 1<<16)
}

func keReason(err error) string {
	var e *ntske.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return reasonOther
}

// peers counts open connections. Safe for concurrent use.
type peers struct {
	limit, each int // together, and of one network

	mu    sync.Mutex
	total int
	of    map[netip.Addr]int
}

// network is what counts as one peer: an IPv4 address, or the /64 of which an IPv6 host may take any
// address that it likes.
func network(peer netip.Addr) netip.Addr {
	if p, err := peer.Prefix(64); err == nil {
		return p.Addr()
	}
	return peer
}

// enter returns why one more connection is refused, or "" and counts it.
func (p *peers) enter(peer netip.Addr) string {
	peer = network(peer)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.total >= p.limit:
		return reasonBusy
	case p.of[peer] >= p.each:
		return reasonBusyPeer
	}
	if p.of == nil {
		p.of = map[netip.Addr]int{}
	}
	p.total++
	p.of[peer]++
	return ""
}

func (p *peers) leave(peer netip.Addr) {
	peer = network(peer)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total--
	if p.of[peer]--; p.of[peer] == 0 {
		delete(p.of, peer)
	}
}
