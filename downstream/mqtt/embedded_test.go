package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

// publish runs mosquitto_pub.
func publish(t testing.TB, args ...string) {
	t.Helper()
	needs(t, "mosquitto_pub")
	out, err := exec.Command("mosquitto_pub", args...).CombinedOutput()
	if err != nil {
		t.Logf("mosquitto_pub %s: %v %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
}

// TestACL: who may read and write what on the embedded broker.
func TestACL(t *testing.T) {
	t.Parallel()
	l := startLab(t, func(c *configs.MQTT) { c.Interval = time.Hour })
	a, b := enrol(t, l.nodes, "node-a"), enrol(t, l.nodes, "node-b")
	at := hostPort(l.addr())
	asA := append(at, "-u", a.MQTTUser, "-P", a.MQTTPassword)
	asB := append(append([]string{}, at...), "-u", b.MQTTUser, "-P", b.MQTTPassword)
	asA = append([]string{}, asA...)
	with := func(base []string, more ...string) []string { return append(append([]string{}, base...), more...) }
	watch := subscribe(t, with(at, "-t", "#")...)
	watchB := subscribe(t, with(asB, "-t", "#", "-t", "ntsgw/gw1/resp/node-b")...)
	watch.next("ntsgw/gw1/status", 3*time.Second)

	// Nobody but the gateway writes the common topics, with QoS 0, 1 or 2, retained or not.
	before := l.server.Status().Refused["acl"]
	n := uint64(0)
	for _, who := range [][]string{at, asA} {
		for _, topic := range []string{"beacon", "key", "status", "state", "resp/node-a", "resp/node-b", "req/node-b", "other"} {
			for _, qos := range []string{"0", "1", "2"} {
				publish(t, with(who, "-t", "ntsgw/gw1/"+topic, "-m", "planted", "-r", "-q", qos)...)
				n++
			}
		}
		publish(t, with(who, "-t", "homeassistant/x/config", "-m", "planted", "-r")...)
		publish(t, with(who, "-t", "ntsgw/gw1/key", "-m", "planted", "-r", "-q", "1", "-V", "5")...)
		n += 2
		publish(t, with(who, "-t", "$SYS/x", "-m", "planted", "-r")...) // the broker itself drops it
	}
	until(t, "all are refused", 5*time.Second, func() bool { return l.server.Status().Refused["acl"]-before == n })
	late := subscribe(t, with(at, "-t", "#", "-t", "$SYS/#")...)
	late.next("ntsgw/gw1/state", 3*time.Second)
	for _, s := range []*subscriber{watch, watchB, late} {
		for len(s.got) > 0 {
			if r := <-s.got; string(r.payload) == "planted" || strings.HasPrefix(r.topic, "$SYS") {
				t.Errorf("delivered: %s on %s", r.payload, r.topic)
			}
		}
	}

	// A last will is a message, too; the broker must not send it for a client that may not.
	for _, who := range [][]string{at, asA} {
		args := with(who, "-t", "ntsgw/gw1/status", "--will-topic", "ntsgw/gw1/key", "--will-payload", "planted", "--will-retain")
		s := subscribe(t, args...)
		s.stop() // without a DISCONNECT
	}
	again := subscribe(t, with(at, "-t", "ntsgw/gw1/#")...)
	if key := again.next("ntsgw/gw1/key", 3*time.Second); string(key.payload) == "planted" {
		t.Error("a last will overwrote the delegation")
	}
	for len(watch.got) > 0 {
		if r := <-watch.got; string(r.payload) == "planted" {
			t.Errorf("will delivered on %s", r.topic)
		}
	}

	// A node reads its own responses only.
	na, nb := newTestNode(t, l.addr(), a, true), newTestNode(t, l.addr(), b, true)
	spyA := subscribe(t, with(asA, "-t", "ntsgw/gw1/resp/+", "-t", "ntsgw/gw1/#", "-t", "ntsgw/gw1/req/#", "-t", "ntsgw/gw1/resp/node-b", "-t", "ntsgw/gw1/req/node-b")...)
	spy := subscribe(t, with(at, "-t", "ntsgw/gw1/resp/+", "-t", "ntsgw/gw1/resp/#", "-t", "ntsgw/gw1/#", "-t", "ntsgw/gw1/resp/node-b", "-t", "+/+/+/+")...)
	nb.exchange(l)
	na.exchange(l)
	spyA.next("ntsgw/gw1/resp/node-a", 3*time.Second)
	for _, s := range []*subscriber{spyA, spy, watch} {
		for len(s.got) > 0 {
			r := <-s.got
			if strings.Contains(r.topic, "node-b") || strings.Contains(r.topic, "/req/") || (s != spyA && strings.Contains(r.topic, "/resp/")) {
				t.Errorf("read by who may not: %s", r.topic)
			}
		}
	}

	// Logins.
	for name, who := range map[string][]string{
		"wrong password":      with(at, "-u", "node-a", "-P", "wrong"),
		"another's password":  with(at, "-u", "node-a", "-P", b.MQTTPassword),
		"no password":         with(at, "-u", "node-a"),
		"unknown user":        with(at, "-u", "node-x", "-P", a.MQTTPassword),
		"the gateway's user":  with(at, "-u", "inline", "-P", "x"),
		"a user with a slash": with(at, "-u", "node-a/1", "-P", a.MQTTPassword),
	} {
		before := l.server.Status().Refused
		out, err := exec.Command("mosquitto_sub", with(who, "-t", "#", "-C", "1", "-W", "30")...).CombinedOutput()
		if err == nil {
			t.Errorf("%s: let in: %s", name, out)
		}
		l.refused(name, before, map[string]uint64{"login": 1})
	}
	na.exchange(l)
}

// TestSessionsAreApart: one user's client identifier takes over nobody else's session, nor the
// gateway's own.
func TestSessionsAreApart(t *testing.T) {
	t.Parallel()
	l := startLab(t, nil)
	a := enrol(t, l.nodes, "node-a")
	s := subscribe(t, append(hostPort(l.addr()), "-i", "same", "-u", a.MQTTUser, "-P", a.MQTTPassword, "-t", "ntsgw/gw1/beacon")...)
	for _, id := range []string{"same", "inline", "node-a/1/same"} {
		other := subscribe(t, append(hostPort(l.addr()), "-i", id, "-t", "ntsgw/gw1/beacon")...)
		other.next("ntsgw/gw1/beacon", 3*time.Second)
	}
	for len(s.got) > 0 {
		<-s.got
	}
	s.next("ntsgw/gw1/beacon", 3*time.Second)
	// No session outlives its connection.
	for _, more := range [][]string{{}, {"-V", "5", "-x", "3600"}} {
		p := subscribe(t, append(append(hostPort(l.addr()), "-i", "keep", "-c", "-q", "1", "-t", "ntsgw/gw1/beacon"), more...)...)
		p.next("ntsgw/gw1/beacon", 3*time.Second)
		p.stop()
		until(t, "the session is gone", 3*time.Second, func() bool {
			for id := range l.server.embedded.broker.Clients.GetAll() {
				if strings.HasSuffix(id, "/keep") {
					return false
				}
			}
			return true
		})
	}
}

// TestOversize: a packet larger than anything legal ends the connection and nothing else.
func TestOversize(t *testing.T) {
	t.Parallel()
	l := startLab(t, nil)
	a := enrol(t, l.nodes, "node-a")
	n := newTestNode(t, l.addr(), a, true)
	attacker := connect(t, l.addr(), a.MQTTUser, a.MQTTPassword, "", nil)
	before := l.server.Status().Refused
	attacker.Publish("ntsgw/gw1/req/node-a", 0, false, make([]byte, 60_000))
	l.refused("60 kB", before, map[string]uint64{"size": 1})
	until(t, "the connection ends", 3*time.Second, func() bool { return !attacker.IsConnectionOpen() })
	n.exchange(l)
	before = l.server.Status().Refused
	n.send("ntsgw/gw1/req/node-a", make([]byte, beacon.MaxMessage+1))
	l.refused("just too long", before, map[string]uint64{"size": 1})
	n.exchange(l)
	// Rubbish instead of MQTT, before and after the CONNECT.
	for _, b := range [][]byte{[]byte("GET / HTTP/1.1\r\n\r\n"), {0x10, 0xff, 0xff, 0xff, 0x7f}, {0x30, 0}, bytes.Repeat([]byte{0xff}, 4096)} {
		c, err := net.Dial("tcp", l.addr())
		if err != nil {
			t.Fatal(err)
		}
		c.Write(b)
		c.SetReadDeadline(time.Now().Add(program.Busy * 3 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Errorf("% x: the connection stays: %v", b[:3], err)
		}
		c.Close()
	}
	n.exchange(l)
}

// dial connects and says nothing.
func dial(t testing.TB, l *lab) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// hello is a CONNECT of MQTT 3.1.1 with the identifier "x" and no keep-alive.
var hello = []byte{0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 1, 'x'}

// ends reports whether the other side ends a connection that stands, whatever it still says.
func ends(c net.Conn) bool {
	c.SetReadDeadline(time.Now().Add(program.Busy * 3 * time.Second))
	_, err := io.Copy(io.Discard, c)
	return !os.IsTimeout(err)
}

// TestSilentStrangers: one host that never says who it is keeps nobody out, and is counted.
func TestSilentStrangers(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	l := startLab(t, func(c *configs.MQTT) { c.TLSListen, c.TLSCert, c.TLSKey = "127.0.0.1:0", p.cert, p.key })
	a := enrol(t, l.nodes, "node-a")
	early := newTestNode(t, l.addr(), a, true)
	overTLS := func() *subscriber {
		_, port, _ := net.SplitHostPort(l.server.Addresses()[1])
		return subscribe(t, "-h", "127.0.0.1", "-p", port, "--cafile", p.ca, "-t", "ntsgw/gw1/beacon")
	}
	first := overTLS()
	plain, secured := l.server.embedded.listeners[0], l.server.embedded.listeners[1]
	var silent []net.Conn
	for range mostSilent {
		silent = append(silent, dial(t, l))
	}
	until(t, "they are in", 10*time.Second, func() bool { return connections(plain) == mostSilent+1 })
	late := connect(t, l.addr(), "", "", "", nil)
	if !ends(silent[0]) {
		t.Error("the oldest stays")
	}
	l.refused("the oldest", nil, map[string]uint64{"silent": 1})
	early.exchange(l) // they had said who they are
	if !late.IsConnectionOpen() {
		t.Error("the one that came late was let go")
	}
	// Nor on the other listener.
	for range mostSilent + 1 {
		c, err := net.Dial("tcp", secured.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	l.refused("the oldest without a handshake", nil, map[string]uint64{"silent": 2})
	overTLS().next("ntsgw/gw1/beacon", 5*time.Second)
	for len(first.got) > 0 {
		<-first.got
	}
	first.next("ntsgw/gw1/beacon", 5*time.Second)
}

// TestSilentStrangerKeepsOutOnlyItself: one address that opens connections without end ends none of another's, however
// long that takes to say who it is.
func TestSilentStrangerKeepsOutOnlyItself(t *testing.T) {
	t.Parallel()
	l := startLab(t, nil)
	slow := dial(t, l)
	until(t, "it is in", 3*time.Second, func() bool { return connections(l.server.embedded.listeners[0]) == 1 })
	stranger := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	const more = 20
	for range mostSilent + more {
		c, err := stranger.Dial("tcp", l.addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	l.refused("the stranger's oldest", nil, map[string]uint64{"silent": more + 1})
	slow.Write(hello)
	slow.SetReadDeadline(time.Now().Add(program.Busy * 3 * time.Second))
	ack := make([]byte, 4)
	if _, err := io.ReadFull(slow, ack); err != nil || ack[3] != 0 {
		t.Errorf("was told % x, %v", ack, err)
	}
	until(t, "all are counted out", 3*time.Second, func() bool {
		ln := l.server.embedded.listeners[0]
		ln.mu.Lock()
		defer ln.mu.Unlock()
		return len(ln.of) == 1 && ln.of[netip.MustParseAddr("127.0.0.2")] == len(ln.silent)
	})
}

// TestConnectionLimit: no more clients than the configured number, and a slot is free again afterwards.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	l := startLab(t, func(c *configs.MQTT) { c.MaxClients = 2 })
	a := enrol(t, l.nodes, "node-a")
	until(t, "it may come in", program.Noticed, func() bool { return l.nodes.lookup("node-a") != nil })
	node, _ := enter(t, l, a, 4, "a")
	stranger := dial(t, l)
	stranger.Write(hello)
	held := []net.Conn{node, stranger}
	until(t, "both are clients", 3*time.Second, func() bool { return l.server.embedded.clients() == 2 })
	c := dial(t, l)
	c.Write(hello)
	c.SetReadDeadline(time.Now().Add(program.Busy * 3 * time.Second))
	if b, _ := io.ReadAll(c); len(b) != 4 || b[3] != 3 { // server unavailable (MQTT 3.1.1, 3.2.2.3)
		t.Errorf("one too many was told % x", b)
	}
	for _, c := range held {
		c.Close()
	}
	until(t, "a slot", 3*time.Second, func() bool { return connections(l.server.embedded.listeners[0]) == 0 })
	s := subscribe(t, append(hostPort(l.addr()), "-t", "#")...)
	s.next("ntsgw/gw1/beacon", 3*time.Second)
}

// enter connects as an enrolled node, or without a name, and gives what the broker says to that.
func enter(t testing.TB, l *lab, as *Enrolment, version byte, id string) (net.Conn, byte) {
	t.Helper()
	text := func(b []byte, s string) []byte { return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) }
	flags := byte(2)
	if as != nil {
		flags |= 0xc0
	}
	p := append(text(nil, "MQTT"), version, flags, 0, 0)
	if version == 5 {
		p = append(p, 0)
	}
	p = text(p, id)
	if as != nil {
		p = text(text(p, as.MQTTUser), as.MQTTPassword)
	}
	c := dial(t, l)
	c.Write(append(binary.AppendUvarint([]byte{0x10}, uint64(len(p))), p...))
	c.SetReadDeadline(time.Now().Add(program.Busy * 3 * time.Second))
	ack := make([]byte, 4)
	if _, err := io.ReadFull(c, ack); err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return c, ack[3]
}

// TestNamelessClients: whoever is on this machine needs no name, and has a share of the broker all the same: the
// memory that 10,000 connections take is more than a small gateway has.
func TestNamelessClients(t *testing.T) {
	t.Parallel()
	l := startLab(t, func(c *configs.MQTT) { c.MaxClients = 7 })
	a := enrol(t, l.nodes, "node-a")
	until(t, "it may come in", program.Noticed, func() bool { return l.nodes.lookup("node-a") != nil })
	var held []net.Conn
	for i := range 3 {
		c, code := enter(t, l, nil, 4, fmt.Sprint(i))
		if code != 0 {
			t.Errorf("connection %d was told %d", i, code)
		}
		held = append(held, c)
	}
	for version, want := range map[byte]byte{4: 3, 5: 0x97} {
		c, code := enter(t, l, nil, version, "more")
		if code != want || !ends(c) {
			t.Errorf("one too many was told %#x with version %d, want %#x, and an end", code, version, want)
		}
	}
	l.refused("too many", nil, map[string]uint64{"anonymous": 2})
	if _, code := enter(t, l, a, 4, "0"); code != 0 {
		t.Errorf("a node was told %d", code)
	}
	held[0].Close()
	until(t, "a place", 3*time.Second, func() bool { return l.server.embedded.clients() == 3 })
	if _, code := enter(t, l, nil, 5, "more"); code != 0 {
		t.Errorf("the next was told %#x", code)
	}
	for clients, want := range map[int]int{1: 1, 2: 1, 300: 150, 10000: mostNameless} {
		if got := nameless(clients); got != want {
			t.Errorf("%d of %d, want %d", got, clients, want)
		}
	}
}

// TestNodeClients: one node has a few connections, and leaves the others to the others. Whoever comes again under
// its own identifier takes over the connection that it had.
func TestNodeClients(t *testing.T) {
	t.Parallel()
	l := startLab(t, func(c *configs.MQTT) { c.MaxClients = 3 * nodeClients })
	a, b := enrol(t, l.nodes, "node-a"), enrol(t, l.nodes, "node-b")
	until(t, "both may come in", program.Noticed, func() bool { return l.nodes.lookup("node-a") != nil && l.nodes.lookup("node-b") != nil })
	open := func(as *Enrolment, version byte, id string) (net.Conn, byte) {
		t.Helper()
		return enter(t, l, as, version, id)
	}
	var held []net.Conn
	for i := range nodeClients {
		c, code := open(a, 4, fmt.Sprint(i))
		if code != 0 {
			t.Errorf("connection %d was told %d", i, code)
		}
		held = append(held, c)
	}
	for range nodeClients {
		for version, want := range map[byte]byte{4: 5, 5: 0x97} {
			c, code := open(a, version, "more")
			if code != want || !ends(c) {
				t.Errorf("one too many was told %#x with version %d, want %#x, and an end", code, version, want)
			}
		}
	}
	l.refused("too many", nil, map[string]uint64{"node-clients": 2 * nodeClients})
	if _, code := open(b, 4, "0"); code != 0 {
		t.Errorf("another node was told %d", code)
	}
	again, code := open(a, 4, "0")
	if code != 0 || !ends(held[0]) {
		t.Errorf("the same identifier was told %d", code)
	}
	again.Close()
	until(t, "a place", 3*time.Second, func() bool { return l.server.embedded.clients() == nodeClients })
	if _, code := open(a, 5, "more"); code != 0 {
		t.Errorf("the next was told %#x", code)
	}
	for _, c := range held {
		c.Close()
	}
}

// stuff connects a client that never says when it is there (keep-alive 0), asks without end and takes
// in nothing; it returns once the broker stands still, and since when. What the system keeps for it on the way back is
// made small.
func stuff(t testing.TB, l *lab) (moved time.Time) {
	t.Helper()
	c := dial(t, l)
	c.(*net.TCPConn).SetReadBuffer(16 << 10)
	until(t, "it is accepted", 3*time.Second, func() bool { return connections(l.server.embedded.listeners[0]) == 1 })
	ln := l.server.embedded.listeners[0]
	ln.mu.Lock()
	for c := range ln.conns {
		c.Conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
	}
	ln.mu.Unlock()
	pings := bytes.Repeat([]byte{0xc0, 0}, 2048)
	for b, err := hello, error(nil); err == nil; b = pings {
		c.SetWriteDeadline(time.Now().Add(time.Second))
		_, err = c.Write(b)
	}
	// It stands still when nothing moves for half a second twice: the first may be this process that stood.
	for b, still := pings, 0; still < 2; {
		began := time.Now()
		c.SetWriteDeadline(began.Add(time.Second / 2))
		n, err := c.Write(b)
		if err != nil && !os.IsTimeout(err) {
			break // it has been let go already
		}
		if still++; n > 0 {
			still, moved = 0, began
		}
		if b = b[n:]; len(b) == 0 {
			b = pings
		}
	}
	return moved
}

// TestClientThatReadsNothing is let go, and holds up neither the others nor the end.
func TestClientThatReadsNothing(t *testing.T) {
	t.Run("let go", func(t *testing.T) {
		t.Parallel()
		l := startLab(t, nil)
		stuff(t, l)
		until(t, "it is let go", 3*embeddedWrite, func() bool { return connections(l.server.embedded.listeners[0]) == 0 })
		s := subscribe(t, append(hostPort(l.addr()), "-t", "#")...)
		s.next("ntsgw/gw1/beacon", 3*time.Second)
	})
	t.Run("at the end", func(t *testing.T) {
		t.Parallel()
		var took []time.Duration
		for len(took) < 3 { // a busy machine makes one end late, not all of them
			l := startLab(t, nil)
			still := stuff(t, l)
			l.stop()
			d := time.Since(still)
			if d < embeddedWrite-time.Second { // by then it would be let go anyhow
				return
			}
			took = append(took, d)
		}
		t.Errorf("the end came %v after the client stood still", took)
	})
}

// TestEndsWhileClientsComeAndGo: the end waits for no lock that the broker takes twice.
func TestEndsWhileClientsComeAndGo(t *testing.T) {
	for range 40 {
		l := startLab(t, nil)
		addr, over := l.addr(), make(chan struct{})
		var coming sync.WaitGroup
		for range 8 {
			coming.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
					}
					if c, err := net.Dial("tcp", addr); err == nil {
						c.Write(hello)
						c.Close()
					}
				}
			})
		}
		until(t, "they come", 3*time.Second, func() bool { return l.server.embedded.connects() > 8 })
		l.stop()
		close(over)
		coming.Wait()
		if t.Failed() {
			return
		}
	}
}

// TestABrokerThatHangs doesn't keep the program from its end: who watches it can start it again.
func TestABrokerThatHangs(t *testing.T) {
	t.Parallel()
	l := startLab(t, nil)
	l.stop()
	s, err := New(l.server.opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	c, err := net.Dial("tcp", s.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write(hello)
	until(t, "a client", 3*time.Second, func() bool { return s.embedded.connects() == 1 })
	s.embedded.broker.Clients.Lock()
	defer s.embedded.broker.Clients.Unlock()
	cancel()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "hangs") {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(program.Busy * 2 * embeddedEnd):
		t.Error("it does not end")
	}
}

// TestWriteEnds: what comes in meanwhile does not give a write that stands still more time, and
// nothing follows half a packet.
func TestWriteEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := &boundConn{Conn: ours, l: &boundListener{}}
		go func() {
			time.Sleep(embeddedWrite / 2)
			c.SetDeadline(time.Time{}) // the keep-alive of a client that has none
		}()
		began := time.Now()
		if _, err := c.Write([]byte{0xd0, 0}); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != embeddedWrite {
			t.Errorf("ended after %v with %v", time.Since(began), err)
		}
		if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection stands: %v", err)
		}
	})
}

// TestTLSListener: with TLS, and off loopback nobody without a name.
func TestTLSListener(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	log := &program.Buffer{}
	l := startLabWith(t, func(c *configs.MQTT) {
		c.TLSListen, c.TLSCert, c.TLSKey = "0.0.0.0:0", p.cert, p.key
	}, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
	a := enrol(t, l.nodes, "node-a")
	_, port, _ := net.SplitHostPort(l.server.Addresses()[1])
	args := []string{"-h", "127.0.0.1", "-p", port, "--cafile", p.ca, "-t", "#"}
	before := l.server.Status().Refused
	if out, err := exec.Command("mosquitto_sub", append(args, "-C", "1", "-W", "30")...).CombinedOutput(); err == nil {
		t.Errorf("anonymous off loopback: %s", out)
	}
	l.refused("anonymous off loopback", before, map[string]uint64{"anonymous": 1})
	s := subscribe(t, append(args, "-u", a.MQTTUser, "-P", a.MQTTPassword)...)
	key := s.next("ntsgw/gw1/key", 3*time.Second)
	l.keys.verify(t, beacon.Ed25519, key.payload, s.next("ntsgw/gw1/beacon", 3*time.Second).payload)
	// A new certificate is used for the next handshake; a bad one is not.
	serial := func() string {
		pool := x509.NewCertPool()
		pem, _ := os.ReadFile(p.ca)
		pool.AppendCertsFromPEM(pem)
		c, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return fmt.Sprintf("%x", c.ConnectionState().PeerCertificates[0].Signature)
	}
	first := serial()
	next := newPKI(t)
	replace := func(from, to string, mode os.FileMode) {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+".new", b, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(to+".new", to); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range []struct {
		from, to string
		mode     os.FileMode
		says     string
	}{
		{next.cert, p.cert, 0o600, "is not that of the first certificate"},
		{next.key, p.key, 0o644, "open to every user"},
	} {
		replace(c.from, c.to, c.mode)
		until(t, "the change is refused", program.Noticed, func() bool { return strings.Contains(log.String(), c.says) })
		if serial() != first {
			t.Errorf("change %d is used", i)
		}
	}
	replace(next.key, p.key, 0o600)
	until(t, "the new certificate is used", program.Noticed, func() bool { return serial() != first })
}

// TestKeysThatOthersMayRead are not used, towards nodes or towards a broker.
func TestKeysThatOthersMayRead(t *testing.T) {
	p := newPKI(t)
	for _, key := range []string{p.key, p.clientKey} {
		if err := os.Chmod(key, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, ours := certs.NewServing("the TLS listener", p.cert, p.key)
	_, client := ClientTLS("localhost", configs.MQTT{CA: p.ca, Cert: p.clientCert, Key: p.clientKey})
	for name, err := range map[string]error{"the TLS listener's": ours, "the client's": client} {
		if e := (*certs.Error)(nil); !errors.As(err, &e) || e.Why != certs.WhyWorldReadableKey {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlainOffLoopback: a listener that others reach lets in nobody without a name.
func TestPlainOffLoopback(t *testing.T) {
	t.Parallel()
	needs(t, "mosquitto_sub")
	l := startLab(t, func(c *configs.MQTT) { c.Listen = "0.0.0.0:0" })
	_, port, _ := net.SplitHostPort(l.addr())
	before := l.server.Status().Refused
	if out, err := exec.Command("mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-t", "#", "-C", "1", "-W", "30").CombinedOutput(); err == nil {
		t.Errorf("let in: %s", out)
	}
	l.refused("anonymous", before, map[string]uint64{"anonymous": 1})
	a := enrol(t, l.nodes, "node-a")
	newTestNode(t, "127.0.0.1:"+port, a, true).exchange(l)
}

// TestRotationEndsConnections: the old password and the old key end together.
func TestRotationEndsConnections(t *testing.T) {
	t.Parallel()
	l := startLab(t, nil)
	a := enrol(t, l.nodes, "node-a")
	n := newTestNode(t, l.addr(), a, true)
	n.exchange(l)
	other, err := OpenNodes(l.dir, "gw1", "")
	if err != nil {
		t.Fatal(err)
	}
	next, err := other.Rotate("node-a")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the connection ends", program.Noticed, func() bool { return !n.client.IsConnectionOpen() })
	before := l.server.Status().Refused
	if err := exec.Command("mosquitto_sub", append(hostPort(l.addr()), "-u", a.MQTTUser, "-P", a.MQTTPassword, "-t", "#", "-C", "1", "-W", "30")...).Run(); err == nil {
		t.Error("the old password is still good")
	}
	l.refused("old password", before, map[string]uint64{"login": 1})
	newTestNode(t, l.addr(), next, true).exchange(l)
}

// TestRevokedWhileItComesIn: between the look at its password and its place among the connections, where those that
// end with a node's secrets are looked for.
func TestRevokedWhileItComesIn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		then  func(*Nodes) error
		stays bool
	}{
		{"nothing happens", func(*Nodes) error { return nil }, true},
		{"another is revoked", func(n *Nodes) error { return n.Revoke("node-b") }, true},
		{"revoked", func(n *Nodes) error { return n.Revoke("node-a") }, false},
		{"rotated", func(n *Nodes) error { _, err := n.Rotate("node-a"); return err }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			nodes, err := OpenNodes(t.TempDir(), "gw1", "")
			if err != nil {
				t.Fatal(err)
			}
			a := enrol(t, nodes, "node-a")
			enrol(t, nodes, "node-b")
			g := newGate(&Options{Nodes: nodes, Config: testConfig()}, newTopics("", "gw1"), nil, newTraffic())
			if !g.Provides(mochi.OnSessionEstablished) {
				t.Fatal("it is not asked")
			}
			ours, theirs := net.Pipe()
			defer ours.Close()
			defer theirs.Close()
			cl := mochi.New(nil).NewClient(theirs, plainListener, "device", false)
			cl.Properties.Username = []byte(a.MQTTUser)
			var connect packets.Packet
			connect.Connect.Username, connect.Connect.Password, connect.Connect.PasswordFlag = []byte(a.MQTTUser), []byte(a.MQTTPassword), true
			g.OnSessionEstablish(cl, connect)
			if err := tt.then(nodes); err != nil {
				t.Fatal(err)
			}
			g.OnSessionEstablished(cl, connect)
			if stays := !cl.Closed(); stays != tt.stays {
				t.Errorf("it stays: %v", stays)
			}
		})
	}
}

// TestATakenPortWaitsAlone: while another program has our own broker's port, the other brokers get every beacon; once it
// is free nodes find us there.
func TestATakenPortWaitsAlone(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", loopback.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := loopback.Port(t)
	newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true")
	l := startLab(t, func(c *configs.MQTT) { c.Listen, c.Also = taken.Addr().String(), []string{brokerAt(port)} })
	there := subscribe(t, "-p", strconv.Itoa(port), "-t", "#")
	there.next("ntsgw/gw1/beacon", 5*time.Second)
	if st := l.server.Status().Brokers[0]; st.State != BrokerWaiting || !strings.Contains(st.LastError, taken.Addr().String()) {
		t.Errorf("%+v", st)
	}
	if w := l.server.Warnings(); len(w) != 1 || w[0].ID != "mqtt-port" {
		t.Errorf("%v", w)
	}
	taken.Close()
	until(t, "our own broker listens", 10*time.Second, func() bool { return len(l.server.Addresses()) == 1 })
	subscribe(t, append(hostPort(l.addr()), "-t", "#")...).next("ntsgw/gw1/beacon", 5*time.Second)
	if w := l.server.Warnings(); len(w) != 0 {
		t.Errorf("%v", w)
	}
}

// connections is how many a listener has.
func connections(l *boundListener) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}
