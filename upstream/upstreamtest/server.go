package upstreamtest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// Config says how a Server is, beside honest.
type Config struct {
	AEADs     []uint16 // nil: 30, 15
	Cookies   int      // of a key exchange; 0: 8
	NTPServer string   // negotiated; empty: none
	ALPN      []string // nil: ntske/1
	// Pad makes cookies so many bytes longer in replies than in the key exchange.
	Pad int
	// Literal makes a server written from RFC 8915 alone: with AEAD 30 it does not know the record 1024
	// (compliant-128-gcm-siv), derives keys as §5.1 says, and drops what does not authenticate. Its KE knows
	// neither NTPServer nor Cookies.
	Literal bool
	// Deaf is the AEAD whose requests are dropped; 0: none.
	Deaf uint16
	// NoCookies leaves cookies out of replies.
	NoCookies bool
	// Tolerates says whether a request with so many placeholders is answered; nil: all are.
	Tolerates func(placeholders int) bool
	// Offset is what the server's clock is ahead of the host's.
	Offset time.Duration
	// Listen is 127.0.0.1 when empty.
	Listen string
}

// Server is an NTS server on loopback. It ends with the test. Safe for concurrent use.
type Server struct {
	Address string         // of its KE, host:port
	NTP     netip.AddrPort // of its NTP

	cfg  Config
	ke   net.Listener
	conn *net.UDPConn
	wg   sync.WaitGroup

	mu       sync.Mutex
	ring     *nts.CookieKeys
	fault    *Fault
	silent   bool
	last     []byte
	requests int
	kes      int
	asked    []int // placeholders of each request
}

// NewServer starts a server with a certificate of ca.
func NewServer(tb testing.TB, ca *CA, cfg Config) *Server {
	tb.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1"
	}
	s := &Server{cfg: cfg}
	var err error
	s.ring, err = nts.NewCookieKeys(rand.Reader)
	must(tb, err)
	if cfg.ALPN == nil {
		cfg.ALPN = []string{ntske.ALPN}
	}
	s.ke, err = tls.Listen("tcp", net.JoinHostPort(cfg.Listen, "0"), &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(tb)}, NextProtos: cfg.ALPN, MinVersion: tls.VersionTLS13,
	})
	must(tb, err)
	s.conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(cfg.Listen), 0)))
	must(tb, err)
	s.Address = s.ke.Addr().String()
	s.NTP = s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	ctx, cancel := context.WithCancel(context.Background())
	s.wg.Go(func() { s.serveKE(ctx) })
	s.wg.Go(s.serveNTP)
	tb.Cleanup(func() {
		cancel()
		s.ke.Close()
		s.conn.Close()
		s.wg.Wait()
	})
	return s
}

// Inject makes the server answer the next request wrongly, once.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = &f
}

// Silence makes the server drop requests, or no longer.
func (s *Server) Silence(silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = silent
}

// Forget makes every cookie unknown, as a restart does: their requests are answered with a NAK.
func (s *Server) Forget(tb testing.TB) {
	ring, err := nts.NewCookieKeys(rand.Reader)
	must(tb, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ring = ring
}

// Seen returns how many key exchanges were begun, and the number of placeholders of each
// request so far.
func (s *Server) Seen() (kes int, placeholders []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kes, append([]int(nil), s.asked...)
}

func (s *Server) now() time.Time { return time.Now().Add(s.cfg.Offset) }

func (s *Server) keys() *nts.CookieKeys {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ring
}

func (s *Server) lastReply() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// cookie makes one for a reply.
func (s *Server) cookie(algorithm uint16, keys ntske.Keys) ([]byte, error) {
	b, err := s.keys().Seal(nil, algorithm, keys)
	if err != nil {
		return nil, err
	}
	return append(b, make([]byte, s.cfg.Pad)...), nil
}

func (s *Server) serveKE(ctx context.Context) {
	for {
		conn, err := s.ke.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.kes++
		s.mu.Unlock()
		s.wg.Go(func() {
			defer conn.Close()
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			if s.cfg.Literal {
				s.literalKE(ctx, conn.(*tls.Conn))
				return
			}
			ntske.Server(ctx, conn.(*tls.Conn), ntske.ServerOptions{
				AEADs: s.cfg.AEADs, Cookies: s.cfg.Cookies,
				NTPServer: s.cfg.NTPServer, NTPPort: s.NTP.Port(),
				NewCookie: func(a uint16, k ntske.Keys) ([]byte, error) { return s.keys().Seal(nil, a, k) },
			})
		})
	}
}

// literalKE is a key exchange as RFC 8915 has it, and no more.
func (s *Server) literalKE(ctx context.Context, conn *tls.Conn) {
	if conn.HandshakeContext(ctx) != nil {
		return
	}
	records, err := ntske.ReadMessage(conn, ntske.Limits{})
	if err != nil {
		return
	}
	request, err := ntske.ParseRequest(records)
	if err != nil {
		return
	}
	known := s.cfg.AEADs
	if known == nil {
		known = []uint16{ntske.AEADAES128GCMSIV, ntske.AEADAESSIVCMAC256}
	}
	i := slices.IndexFunc(request.AEADs, func(a uint16) bool { return slices.Contains(known, a) })
	if i < 0 {
		return
	}
	aead := request.AEADs[i]
	state := conn.ConnectionState()
	export := func(direction byte) []byte {
		context := []byte{0, 0, byte(aead >> 8), byte(aead), direction}
		key, _ := state.ExportKeyingMaterial("EXPORTER-network-time-security", context, ntske.KeySize(aead))
		return key
	}
	two := func(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }
	keys := ntske.Keys{C2S: export(0), S2C: export(1)}
	reply := []ntske.Record{
		{Critical: true, Type: ntske.TypeNextProtocol, Body: two(ntske.ProtocolNTPv4)},
		{Critical: true, Type: ntske.TypeAEADAlgorithm, Body: two(aead)},
		{Type: ntske.TypeNTPv4Port, Body: two(s.NTP.Port())},
	}
	for range ntske.MaxCookies {
		cookie, err := s.keys().Seal(nil, aead, keys)
		if err != nil {
			return
		}
		reply = append(reply, ntske.Record{Type: ntske.TypeNewCookie, Body: cookie})
	}
	if b, err := ntske.MarshalMessage(reply); err == nil {
		conn.Write(b)
	}
}

func (s *Server) serveNTP() {
	buffer := make([]byte, 4096)
	for {
		n, peer, err := s.conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		for _, b := range s.answers(append([]byte(nil), buffer[:n]...), s.now()) {
			s.conn.WriteToUDPAddrPort(b, peer)
		}
	}
}

// answers returns the datagrams that a request deserves.
func (s *Server) answers(packet []byte, at time.Time) [][]byte {
	a, placeholders, nak := s.open(packet, at)
	s.mu.Lock()
	s.requests++
	s.asked = append(s.asked, placeholders)
	fault, silent := s.fault, s.silent
	s.fault = nil
	s.mu.Unlock()
	switch {
	case silent, a == nil, s.cfg.Deaf != 0 && a.algorithm == s.cfg.Deaf, s.cfg.Literal && !s.authentic(packet), s.cfg.Tolerates != nil && !s.cfg.Tolerates(placeholders):
		return nil
	case nak:
		r := reply{uid: a.uid, header: ntp.Packet{Version: 4, Mode: ntp.ModeServer, Leap: 3,
			ReferenceID: ntp.RefID("NTSN"), OriginTime: a.header.TransmitTime}}
		return [][]byte{r.clear()}
	}
	var out [][]byte
	if fault != nil {
		if out = fault.answer(a); fault.Final {
			return out
		}
	}
	r := a.honest()
	good := r.seal()
	s.mu.Lock()
	s.last = good
	s.mu.Unlock()
	return append(out, good)
}

// open opens a request; nil: it is none.
func (s *Server) open(packet []byte, at time.Time) (a *asked, placeholders int, nak bool) {
	a = &asked{server: s, packet: packet, at: at, cookies: 1}
	if a.header.UnmarshalBinary(packet) != nil {
		return nil, 0, false
	}
	var cookie []byte
	for i := ntp.PacketSize; i < len(packet); {
		f, next, err := nts.NextField(packet, i, 16)
		if err != nil {
			return nil, 0, false
		}
		switch f.Type {
		case nts.TypeUniqueIdentifier:
			a.uid = f.Value
		case nts.TypeCookie:
			cookie = f.Value
			a.cookieLen = len(cookie)
		case nts.TypeCookiePlaceholder:
			placeholders++
		}
		i = next
	}
	if cookie == nil || a.uid == nil {
		return nil, 0, false
	}
	algorithm, keys, err := s.keys().Open(cookie[:len(cookie)-s.padding(len(cookie))])
	if err != nil {
		return a, placeholders, true
	}
	a.algorithm, a.keys = algorithm, keys
	a.cookies = 1 + placeholders
	if s.cfg.NoCookies {
		a.cookies = 0
	}
	return a, placeholders, false
}

// authentic says whether a request opens with the keys of its cookie.
func (s *Server) authentic(packet []byte) bool {
	var q nts.Accepted
	return nts.NewServer(s.keys(), rand.Reader).Open(packet, &q) == nil
}

// padding is how much of a cookie of that length is padding.
func (s *Server) padding(n int) int {
	for _, alg := range []uint16{ntske.AEADAESSIVCMAC256, ntske.AEADAES128GCMSIV} {
		if n == nts.CookieSize(alg)+s.cfg.Pad {
			return s.cfg.Pad
		}
	}
	return 0
}

func random(b []byte) { rand.Read(b) }
