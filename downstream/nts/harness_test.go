package nts

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// timeline is one that a test sets.
type timeline struct {
	p atomic.Pointer[discipline.Snapshot]
}

func (t *timeline) Snapshot() *discipline.Snapshot { return t.p.Load() }

// edit publishes a changed copy.
func (t *timeline) edit(f func(*discipline.Snapshot)) {
	s := *t.p.Load()
	f(&s)
	t.p.Store(&s)
}

// ahead returns a synchronized timeline of stratum 1 that is offset ahead of the host clock and
// drifts away from the raw clock by ppm.
func ahead(offset time.Duration, ppm float64) *timeline {
	t := &timeline{}
	pair := sysclock.ReadPair()
	t.p.Store(&discipline.Snapshot{
		State: discipline.Synchronized, Epoch: discipline.Epoch{1}, At: pair.Raw,
		TAI: pair.Real + int64(offset) + 37e9, FrequencyPPM: ppm, TAIOffset: 37,
		MaxErrorAt: 250 * time.Microsecond, MaxErrorPPM: 15, RateBoundPPM: 15, EstErrorAt: time.Microsecond,
		Stratum: 1, RefID: ntp.RefID("LAB"), RootDelay: 30 * time.Microsecond, RootDispersion: 235 * time.Microsecond,
		LastUpdate: pair.Raw, NTS: true,
	})
	return t
}

// clock is the machine's, but for the suspends that a test invents.
type clock struct {
	sysclock.Reader
	slept atomic.Int64
}

func (c *clock) Suspended() time.Duration {
	return c.Reader.Suspended() + time.Duration(c.slept.Load())
}

// lab is a running server and a client that trusts it.
type lab struct {
	t      testing.TB
	server *Server
	line   *timeline
	clock  *clock
	pool   *x509.CertPool
}

func newLab(t testing.TB, edit func(*Options)) *lab {
	t.Helper()
	ca, err := certs.NewThrowaway("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, line: ahead(0, 0), clock: &clock{}, pool: x509.NewCertPool()}
	l.pool.AppendCertsFromPEM(ca.CAPEM)
	opt := Options{
		Timeline: l.line, Clock: l.clock, KEListen: "127.0.0.1:0", NTPListen: "127.0.0.1:0",
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &ca.Certificate, nil },
	}
	if edit != nil {
		edit(&opt)
	}
	if l.server, err = New(opt); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return l
}

func (l *lab) clientTLS() *tls.Config {
	return &tls.Config{RootCAs: l.pool, ServerName: "127.0.0.1", NextProtos: []string{ntske.ALPN}}
}

// establish makes an NTS-KE exchange.
func (l *lab) establish(config *tls.Config, opt ntske.ClientOptions) (*ntske.Session, error) {
	tcp, err := net.Dial("tcp", l.server.KEAddr().String())
	if err != nil {
		l.t.Fatal(err)
	}
	defer tcp.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return ntske.Client(ctx, tls.Client(tcp, config), opt)
}

// node is one client of the server.
type node struct {
	*lab
	session *ntske.Session
	client  *nts.Client
	socket  *ntp.Socket
	request nts.Request
	buf     [2000]byte
}

func (l *lab) node(aead uint16) *node {
	l.t.Helper()
	session, err := l.establish(l.clientTLS(), ntske.ClientOptions{AEADs: []uint16{aead}})
	if err != nil {
		l.t.Fatal(err)
	}
	n := &node{lab: l, session: session}
	if n.client, err = nts.NewClient(session.AEAD, session.Keys); err != nil {
		l.t.Fatal(err)
	}
	if n.socket, err = ntp.Dial(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), session.NTPPort)); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { n.socket.Close() })
	return n
}

// prepare makes a request that spends the next cookie.
func (n *node) prepare() []byte {
	n.t.Helper()
	cookie := n.session.Cookies[0]
	n.session.Cookies = n.session.Cookies[1:]
	if err := n.client.Request(&n.request, cookie, 1, rand.Reader); err != nil {
		n.t.Fatal(err)
	}
	return n.request.Packet
}

// exchange is what one exchange came to: readings of the raw clock around it, and the answer.
type exchange struct {
	from, to discipline.Raw
	nts.Response
}

func (n *node) send(packet []byte) {
	n.t.Helper()
	if _, err := n.socket.Send(packet, netip.AddrPort{}, netip.Addr{}); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) receive(patience time.Duration) ([]byte, error) {
	n.t.Helper()
	if err := n.socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
		n.t.Fatal(err)
	}
	got, err := n.socket.Receive(n.buf[:])
	return n.buf[:got.N], err
}

// ask makes one honest exchange.
func (n *node) ask() exchange {
	n.t.Helper()
	packet := n.prepare()
	e := exchange{from: sysclock.Now()}
	n.send(packet)
	b, err := n.receive(10 * time.Second)
	e.to = sysclock.Now()
	if err != nil {
		n.t.Fatal(err)
	}
	if e.Response, err = n.client.Open(b, &n.request); err != nil {
		n.t.Fatal(err)
	}
	n.session.Cookies = append(n.session.Cookies, e.Cookies...)
	return e
}

// becomes waits for the counters to say so.
func (l *lab) becomes(what string, ok func(Status) bool) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for tick := time.NewTicker(time.Millisecond); ; {
		if ok(l.server.Status()) {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			l.t.Fatalf("%s: never; counters %+v", what, l.server.Status())
		}
	}
}

// rises waits for one reason's counter to be n above what it was, and for no other to have moved.
func (l *lab) rises(before Status, reason string, n uint64) {
	l.t.Helper()
	l.becomes(reason+" + 1", func(s Status) bool { return s.Refused[reason] == before.Refused[reason]+n })
	for r, v := range l.server.Status().Refused {
		if r != reason && v != before.Refused[r] {
			l.t.Errorf("beside %s, %s rose too", reason, r)
		}
	}
}

func keReasonOf(err error) string {
	var e *ntske.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
