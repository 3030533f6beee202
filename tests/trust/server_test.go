package trust

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/nts"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/upstream/ntp"
)

// server is our own NTS server on loopback, with a clock and a certificate that a test chooses. It
// ends with the test.
type server struct {
	t       *testing.T
	host    string                     // it listens at
	called  string                     // address in the configuration; empty: ke
	ke, ntp string                     // addresses, once it has run
	clients *x509.CertPool             // whose certificates it wants; nil: nobody's
	sendTo  string                     // the NTP server that it negotiates; empty: none
	inside  func(f func() error) error // runs f where sockets are to be opened; nil: here

	ahead  atomic.Int64 // of the host clock, nanoseconds
	silent atomic.Bool  // it has no time to tell
	cert   atomic.Pointer[tls.Certificate]
	made   atomic.Int64 // certificates shown

	mu     sync.Mutex
	cancel context.CancelFunc
	ended  chan error
}

// newServer starts one that shows cert and is ahead of the host's clock.
func newServer(t *testing.T, cert tls.Certificate, ahead time.Duration) *server {
	t.Helper()
	s := &server{t: t, host: "127.0.0.1"}
	s.cert.Store(&cert)
	s.ahead.Store(int64(ahead))
	t.Cleanup(s.stop)
	s.start(t)
	return s
}

// Snapshot is the server's timeline: the host clock and what it is ahead.
func (s *server) Snapshot() *discipline.Snapshot {
	pair := sysclock.ReadPair()
	snap := &discipline.Snapshot{
		State: discipline.Synchronized, Epoch: discipline.Epoch{1}, At: pair.Raw,
		TAI: pair.Real + s.ahead.Load() + 37e9, TAIOffset: 37,
		MaxErrorAt: 200*time.Microsecond + pair.Width, MaxErrorPPM: 15, EstErrorAt: time.Microsecond,
		RootDelay: 30 * time.Microsecond, LastUpdate: pair.Raw, RefID: ntp.RefID("TEST"), Stratum: 1, NTS: true,
	}
	if s.silent.Load() {
		snap.State = discipline.Unsynchronized
	}
	return snap
}

// start opens it, at the addresses that it had before.
func (s *server) start(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	opt := nts.Options{
		Timeline: s, Clock: sysclock.Reader{}, KEListen: s.ke, NTPListen: s.ntp, NTPServer: s.sendTo,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			s.made.Add(1)
			return s.cert.Load(), nil
		},
	}
	if s.clients != nil {
		opt.ClientCAs = func() *x509.CertPool { return s.clients }
	}
	if s.ke == "" {
		opt.KEListen = s.anyAddress(t)
		opt.NTPListen = opt.KEListen
	}
	var made *nts.Server
	open := func() (err error) {
		// Others look for free ports too, and hold for a moment what they find.
		for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			if made, err = nts.New(opt); err == nil || time.Since(begun) > patience {
				return err
			}
			if s.ke == "" {
				opt.KEListen = s.anyAddress(t)
				opt.NTPListen = opt.KEListen
			}
		}
	}
	run := open
	if s.inside != nil {
		run = func() error { return s.inside(open) }
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	s.ke, s.ntp = made.KEAddr().String(), made.NTPAddr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- made.Run(ctx) }()
	s.cancel, s.ended = cancel, ended
}

func (s *server) anyAddress(t *testing.T) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(loopback.Free(t))
	return net.JoinHostPort(s.host, port)
}

func (s *server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel == nil {
		return
	}
	s.cancel()
	if err := <-s.ended; err != nil && !errors.Is(err, net.ErrClosed) {
		s.t.Error(err)
	}
	s.cancel = nil
}

// restart is another server at the same address: it knows none of the old one's cookies.
func (s *server) restart(t *testing.T, cert tls.Certificate, ahead time.Duration) {
	t.Helper()
	s.stop()
	s.show(cert, ahead)
	s.start(t)
}

// show changes certificate and clock under way.
func (s *server) show(cert tls.Certificate, ahead time.Duration) {
	s.cert.Store(&cert)
	s.ahead.Store(int64(ahead))
}

// section is the server's [[server]]; lines are further keys.
func (s *server) section(name, ca string, lines ...string) string {
	text := fmt.Sprintf("[[server]]\nname = %q\noperator = %q\naddress = %q\nmin_poll = \"1s\"\nmax_poll = \"2s\"\n", name, name, cmp.Or(s.called, s.ke))
	if ca != "" {
		text += fmt.Sprintf("ca = %q\n", ca)
	}
	if !strings.Contains(strings.Join(lines, "\n"), "revocation") {
		text += "revocation = \"off\"\n"
	}
	for _, l := range lines {
		text += l + "\n"
	}
	return text
}

// honest starts n servers with sound certificates and returns their sections, named h1, h2, ….
func honest(t *testing.T, pki *certstest.PKI, n int, ahead time.Duration) (list []*server, sections []string) {
	t.Helper()
	for i := range n {
		s := newServer(t, pki.Issue(t, certstest.Leaf{}), ahead)
		list = append(list, s)
		sections = append(sections, s.section(fmt.Sprintf("h%d", i+1), pki.CAFile(t)))
	}
	return list, sections
}
