package nts

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/stamp"
	"github.com/ntsgw/ntsgw/downstream/suspend"
)

// Timeline is where time and its bound are read.
type Timeline interface {
	Snapshot() *discipline.Snapshot
}

// Clock is what carrying stamps and noticing suspends take.
type Clock interface {
	stamp.Clock
	suspend.Clock
}

// Options is what a Server works with. Nothing in it is changed.
type Options struct {
	Timeline Timeline
	Clock    Clock
	// KEListen is the NTS-KE address, host:port; port 0 lets the kernel choose.
	KEListen string
	// NTPListen is the NTP address, host:port; port 0 lets the kernel choose.
	NTPListen string
	// NTPServer is the host that NTS-KE sends clients to; empty: NTPListen's when that is
	// another than KEListen's and no wildcard, and otherwise the host that they came to.
	NTPServer string
	// Certificate is asked for at each connection, so files may change under it.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ClientCAs, when not nil, is asked at each connection for the authorities of which a client
	// must have a certificate.
	ClientCAs func() *x509.CertPool
	// AEADs are the algorithms to agree to; nil: 30 and 15.
	AEADs []uint16
	// MaxConnections bounds NTS-KE connections at one time, a quarter of it those from one IPv4
	// address or IPv6 /64; 0: 64.
	MaxConnections int
	// KETimeout bounds one NTS-KE connection from its first byte to its last; 0: 5 s.
	KETimeout time.Duration
	// CookieRotation is how often the key that seals cookies changes; a cookie is good for two
	// to three times as long. 0: a day.
	CookieRotation time.Duration
	Random         io.Reader    // nil: crypto/rand
	Log            *slog.Logger // nil: discard
}
