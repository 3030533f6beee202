package trust

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/netns"
	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream"
)

// network is a namespace of its own, with a name server of its own.
type network struct {
	*netns.Namespace
	t       *testing.T
	resolv  string
	answers atomic.Bool // the name server knows names
	asked   atomic.Int64
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{Namespace: netns.New(t), t: t, resolv: filepath.Join(t.TempDir(), "resolv.conf")}
	program.Write(t, n.resolv, "nameserver 127.0.0.1\n")
	var dns net.PacketConn
	if err := n.Enter(func() (err error) { dns, err = net.ListenPacket("udp", "127.0.0.1:53"); return err }); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); n.serve(dns) }()
	t.Cleanup(func() { dns.Close(); <-done })
	return n
}

// within is what a program is started through to be in the network and ask its name server.
func (n *network) within() []string {
	return append(n.Within(), "unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, n.resolv)
}

// serve answers questions for addresses with 127.0.0.1, or fails as a resolver does that validates
// signatures by a clock that is wrong.
func (n *network) serve(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		size, peer, err := conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		var m dnsmessage.Message
		if err != nil || m.Unpack(buffer[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		n.asked.Add(1)
		q := m.Questions[0]
		m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
		switch {
		case !n.answers.Load():
			m.RCode = dnsmessage.RCodeServerFailure
		case q.Type == dnsmessage.TypeA:
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
				Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
		}
		if b, err := m.Pack(); err == nil {
			conn.WriteTo(b, peer)
		}
	}
}

// server starts one in the network; host is how the gateway calls it.
func (n *network) server(pki *certstest.PKI, listen, host string) *server {
	n.t.Helper()
	cert := pki.Issue(n.t, certstest.Leaf{Hosts: []string{host}})
	s := &server{t: n.t, host: listen, inside: n.Enter}
	s.cert.Store(&cert)
	n.t.Cleanup(s.stop)
	s.start(n.t)
	_, port, err := net.SplitHostPort(s.ke)
	if err != nil {
		n.t.Fatal(err)
	}
	s.called = net.JoinHostPort(host, port)
	return s
}

// gateway prepares one in the network.
func (n *network) gateway(sections ...string) *gateway {
	g := newGateway(n.t, "", sections...)
	g.within = n.within()
	return g
}

// Whatever is not there at first, a gateway that waits for it is synchronized soon after.
func refusedUntil(t *testing.T, g *gateway, why string, come func()) {
	t.Helper()
	names := []string{"a", "b", "c"}
	r := g.await(t, "nobody is reached", func(r *status.Report) bool {
		for _, name := range names {
			if source(t, r, name).Rejected[why] < 4 {
				return false
			}
		}
		return true
	})
	for _, name := range names {
		s := source(t, r, name)
		turn{why: why}.onlyFor(t, status.Source{}, s)
		if s.State != "unreachable" || s.LastError == "" {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if r.Time != "" || r.Synchronized {
		t.Errorf("served in the state %s", r.State)
	}
	come()
	begun := time.Now()
	after := g.await(t, "synchronized", synced)
	t.Logf("synchronized %v after it came", time.Since(begun).Round(10*time.Millisecond))
	holds(t, after, "", 0)
}

func TestNoRouteAtFirst(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	pki := certstest.New(t)
	var sections []string
	for i := range 3 {
		sections = append(sections, n.server(pki, "0.0.0.0", fmt.Sprintf("10.99.0.%d", i+1)).section(letter(i), pki.CAFile(t)))
	}
	refusedUntil(t, n.gateway(sections...).start(), upstream.ReasonNetwork, func() {
		for i := range 3 {
			n.IP("addr", "add", fmt.Sprintf("10.99.0.%d/32", i+1), "dev", "lo")
		}
	})
}

func TestNobodyListensAtFirst(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	var servers []*server
	var sections []string
	for i := range 3 {
		s := newServer(t, pki.Issue(t, certstest.Leaf{}), 0)
		s.stop()
		servers = append(servers, s)
		sections = append(sections, s.section(letter(i), pki.CAFile(t)))
	}
	refusedUntil(t, newGateway(t, "", sections...).start(), upstream.ReasonRefused, func() {
		for _, s := range servers {
			s.start(t)
		}
	})
}

func TestNamesResolveLater(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	pki := certstest.New(t)
	var sections []string
	for i := range 3 {
		sections = append(sections, n.server(pki, "127.0.0.1", letter(i)+".test").section(letter(i), pki.CAFile(t)))
	}
	refusedUntil(t, n.gateway(sections...).start(), upstream.ReasonName, func() { n.answers.Store(true) })
}

// A resolver that validates DNSSEC resolves nothing until the clock is right: addresses in the
// configuration help, and names follow.
func TestNamesDoNotResolveUntilTheClockIsRight(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	pki := certstest.New(t)
	sections := []string{
		n.server(pki, "127.0.0.1", "127.0.0.1").section("a", pki.CAFile(t)),
		n.server(pki, "127.0.0.1", "127.0.0.1").section("b", pki.CAFile(t)),
		n.server(pki, "127.0.0.1", "c.test").section("c", pki.CAFile(t)),
		n.server(pki, "127.0.0.1", "d.test").section("d", pki.CAFile(t)),
	}
	g := n.gateway(sections...)
	// Four servers want a quorum of three; who configures two addresses says that they are enough.
	program.Write(t, g.config(), strings.Replace(read(t, g.config()), `mode = "observe"`, "mode = \"observe\"\nbootstrap_quorum = 2", 1))
	g.start()
	before := g.await(t, "synchronized by the addresses", synced)
	for _, name := range []string{"c", "d"} {
		s := source(t, before, name)
		turn{why: upstream.ReasonName}.onlyFor(t, status.Source{}, s)
		if believed(s) {
			t.Errorf("%+v", s)
		}
	}
	r := g.await(t, "the names fail", func(r *status.Report) bool {
		return source(t, r, "c").Rejected[upstream.ReasonName] > 1 && source(t, r, "d").Rejected[upstream.ReasonName] > 1
	})
	holds(t, r, before.Epoch, 0)
	n.answers.Store(true)
	after := g.await(t, "the names resolve", func(r *status.Report) bool { return believed(source(t, r, "c")) && believed(source(t, r, "d")) })
	holds(t, after, before.Epoch, 0)
}
