package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// The time that a key exchange may take: for the connection, and for all of it.
const (
	dialTimeout = 5 * time.Second
	keTimeout   = 15 * time.Second
)

// keys is what a key exchange came to.
type keys struct {
	*ntske.Session
	peer     netip.AddrPort // of the NTP server
	deferred bool           // certificate dates were not judged
	state    tls.ConnectionState
}

// sameAs reports whether the server showed the same certificate in both key exchanges and named the same NTP server.
func (k *keys) sameAs(o *keys) bool {
	a, b := k.state.PeerCertificates, o.state.PeerCertificates
	return len(a) > 0 && len(b) > 0 && a[0].Equal(b[0]) && k.NTPServer == o.NTPServer
}

// makeKeys makes one key exchange (RFC 8915 §4) within what Trust allows. turn picks among the
// NTP server's addresses, so that another try is another address.
func makeKeys(ctx context.Context, opt *Options, turn int) (*keys, *failure) {
	ctx, cancel := context.WithTimeout(ctx, keTimeout)
	defer cancel()
	host, _, err := net.SplitHostPort(opt.Address)
	if err != nil {
		return nil, dialFailure(opt.Address, err)
	}
	if err := opt.Trust.AllowHost(host); err != nil {
		return nil, refusal(err, ReasonHost, host+" may not be contacted")
	}
	cfg, deferred, err := opt.Trust.KEConfig(opt.Name)
	if err != nil {
		return nil, distrust(err, opt.Name, " is not trusted")
	}
	cfg = strict(cfg, host)

	dialCtx, stop := context.WithTimeout(ctx, dialTimeout)
	raw, err := opt.Dial(dialCtx, "tcp", opt.Address)
	stop()
	if err != nil {
		return nil, dialFailure(opt.Address, err)
	}
	conn := tls.Client(raw, cfg)
	defer raw.Close() // not conn: a server that stopped reading must not hold us up with close_notify
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, tlsFailure(opt.Address, err)
	}
	session, err := ntske.Client(ctx, conn, ntske.ClientOptions{AEADs: opt.AEADs})
	if err != nil {
		return nil, exchangeFailure(opt.Address, err)
	}
	k := &keys{Session: session, deferred: deferred, state: conn.ConnectionState()}
	var f *failure
	if k.peer, f = ntpAddress(ctx, opt, session, raw.RemoteAddr(), turn); f != nil {
		return nil, f
	}
	return k, nil
}

// strict holds whatever Trust configured to RFC 8915 §3 and §4.
func strict(cfg *tls.Config, host string) *tls.Config {
	cfg = cfg.Clone()
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS13, 0
	cfg.NextProtos = []string{ntske.ALPN}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	// A resumed session would show no certificate to judge.
	cfg.ClientSessionCache = nil
	return cfg
}

// ntpAddress is where the NTP server is (RFC 8915 §4.1.7, §4.1.8): by default where the KE
// connection went.
func ntpAddress(ctx context.Context, opt *Options, s *ntske.Session, ke net.Addr, turn int) (netip.AddrPort, *failure) {
	remote, _ := netip.ParseAddrPort(ke.String())
	same := remote.Addr().Unmap()
	if s.NTPServer == "" {
		if !same.IsValid() {
			return netip.AddrPort{}, &failure{reason: ReasonName, local: true, text: "the key exchange did not go to an IP address, and no NTP server was negotiated"}
		}
		return netip.AddrPortFrom(same, s.NTPPort), nil
	}
	if err := opt.Trust.AllowHost(s.NTPServer); err != nil {
		return netip.AddrPort{}, refusal(err, ReasonHost, "the negotiated NTP server "+s.NTPServer+" may not be contacted")
	}
	if a, err := netip.ParseAddr(s.NTPServer); err == nil {
		return netip.AddrPortFrom(a.Unmap(), s.NTPPort), nil
	}
	list, err := opt.Resolve(ctx, s.NTPServer)
	if err == nil && len(list) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return netip.AddrPort{}, dialFailure(net.JoinHostPort(s.NTPServer, strconv.Itoa(int(s.NTPPort))), &net.DNSError{Err: err.Error(), Name: s.NTPServer})
	}
	// The family that the key exchange came through with is known to work.
	var best []netip.Addr
	for _, a := range list {
		if a.Unmap().Is4() == same.Is4() {
			best = append(best, a.Unmap())
		}
	}
	if len(best) == 0 {
		for _, a := range list {
			best = append(best, a.Unmap())
		}
	}
	return netip.AddrPortFrom(best[turn%len(best)], s.NTPPort), nil
}
