package ptp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/downstream/ptp"
	"github.com/ntsgw/ntsgw/tests/program"
)

// node is a receiver that sends what a test wants. It was written from IEEE 1588-2019 alone and uses nothing of
// the gateway's own codec.
type node struct {
	t              *testing.T
	event, general *net.UDPConn
	sequence       uint16
}

var group = net.IPv4(224, 0, 1, 129)

func (l *lan) node(t *testing.T) *node {
	t.Helper()
	n := &node{t: t}
	open := func(port int) (*net.UDPConn, error) {
		link, err := net.InterfaceByName("rx0")
		if err != nil {
			return nil, err
		}
		c, err := net.ListenMulticastUDP("udp4", link, &net.UDPAddr{IP: group, Port: port})
		if err != nil {
			return nil, err
		}
		raw, err := c.SyscallConn()
		if err != nil {
			return nil, err
		}
		var set error
		err = raw.Control(func(fd uintptr) {
			set = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(link.Index)})
		})
		if err == nil {
			err = set
		}
		return c, err
	}
	if err := l.rx.Enter(func() (err error) {
		if n.event, err = open(319); err == nil {
			n.general, err = open(320)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.event.Close(); n.general.Close() })
	return n
}

// serving is a gateway that serves, and a node on its wire.
func serving(t *testing.T) (*gateway, *node) {
	t.Helper()
	l := newLAN(t)
	l.startServer()
	g := l.startGateway("")
	g.waitState(10*time.Second, ptp.StateServing)
	return g, l.node(t)
}

// delayReq is an honest Delay_Req with the next number.
func (n *node) delayReq() []byte {
	n.sequence++
	b := make([]byte, 44)
	b[0], b[1], b[3] = 1, 2, 44
	copy(b[20:], "\x02\x00\x00\xff\xfe\x00\x00\x07")
	b[29] = 1
	binary.BigEndian.PutUint16(b[30:], n.sequence)
	b[32], b[33] = 1, 0x7f
	return b
}

func (n *node) send(b []byte) {
	n.t.Helper()
	if _, err := n.event.WriteToUDP(b, &net.UDPAddr{IP: group, Port: 319}); err != nil {
		n.t.Fatal(err)
	}
}

// answer waits for the Delay_Resp to the last request and returns it; nil: none came.
func (n *node) answer(within time.Duration) []byte {
	n.t.Helper()
	b := make([]byte, 1500)
	n.general.SetReadDeadline(time.Now().Add(within))
	for {
		size, _, err := n.general.ReadFromUDP(b)
		if err != nil {
			return nil
		}
		if size == 54 && b[0] == 9 && binary.BigEndian.Uint16(b[30:]) == n.sequence && string(b[44:52]) == "\x02\x00\x00\xff\xfe\x00\x00\x07" {
			return b[:size]
		}
	}
}

// stamp reads a Timestamp as UTC, 37 s behind TAI.
func stamp(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint16(b))<<32|int64(binary.BigEndian.Uint32(b[2:])), int64(binary.BigEndian.Uint32(b[6:]))).Add(-37 * time.Second)
}

// exchange is an honest request: the answer must come, and hold the gateway's time.
func (n *node) exchange() (answer []byte, err error) {
	n.t.Helper()
	var before, after time.Time
	for range 20 { // a machine that does something else may be late to its own stamp, and says nothing then
		before = time.Now()
		n.send(n.delayReq())
		if answer = n.answer(300 * time.Millisecond); answer != nil {
			break
		}
	}
	after = time.Now()
	if answer == nil {
		return nil, fmt.Errorf("no answer to an honest request")
	}
	at := stamp(answer[34:]).Add(-ahead)
	if at.Before(before.Add(-time.Millisecond)) || at.After(after.Add(time.Millisecond)) {
		return answer, fmt.Errorf("the answer says %v, asked between %v and %v", at, before, after)
	}
	return answer, nil
}

// TestHostileMessages sends what is wrong in every way that has a name: each is counted under its reason, the port
// goes on, and the next honest request is answered with the right time.
func TestHostileMessages(t *testing.T) {
	t.Parallel()
	g, n := serving(t)
	if _, err := n.exchange(); err != nil {
		t.Fatal(err)
	}
	epoch := g.report().Epoch
	own, err := hex.DecodeString(g.ptp().Identity)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(f func(b []byte)) []byte {
		b := n.delayReq()
		f(b)
		return b
	}
	announce := append(edit(func(b []byte) { b[0], b[3], b[32] = 0xb, 64, 5 }), make([]byte, 20)...)
	cases := []struct {
		name, reason string
		message      []byte
	}{
		{"version 1", "version", edit(func(b []byte) { b[1] = 1 })},
		{"version 3", "version", edit(func(b []byte) { b[1] = 3 })},
		{"gPTP", "profile", edit(func(b []byte) { b[0] |= 0x10 })},
		{"a minor SDO", "profile", edit(func(b []byte) { b[5] = 1 })},
		{"another domain", "domain", edit(func(b []byte) { b[4] = 1 })},
		{"longer than the datagram", "malformed", edit(func(b []byte) { b[3] = 45 })},
		{"shorter than a header", "malformed", edit(func(b []byte) { b[3] = 33 })},
		{"shorter than a Delay_Req", "malformed", edit(func(b []byte) { b[3] = 43 })},
		{"in the gateway's name", "own-identity", edit(func(b []byte) { copy(b[20:], own) })},
		{"peer delay", "peer-delay", append(edit(func(b []byte) { b[0], b[3] = 2, 54 }), make([]byte, 10)...)},
		{"a better grandmaster", "other-grandmaster", announce},
		{"its Sync", "other-grandmaster", edit(func(b []byte) { b[0] = 0 })},
		{"its Follow_Up", "other-grandmaster", edit(func(b []byte) { b[0] = 8 })},
		{"signalling", "unsupported", edit(func(b []byte) { b[0] = 0xc })},
		{"management", "unsupported", edit(func(b []byte) { b[0] = 0xd })},
		{"a type that there is not", "unsupported", edit(func(b []byte) { b[0] = 0xf })},
	}
	for i := range 34 {
		cases = append(cases, struct {
			name, reason string
			message      []byte
		}{fmt.Sprintf("%d octets", i), "malformed", n.delayReq()[:i]})
	}
	for _, c := range cases {
		before := g.port().Refused[c.reason]
		n.send(c.message)
		program.Eventually(t, 2*time.Second, c.name+" is counted as "+c.reason, func() bool { return g.port().Refused[c.reason] == before+1 })
	}
	if _, err := n.exchange(); err != nil {
		t.Error(err)
	}
	if r := g.report(); r.Epoch != epoch || !r.Synchronized || g.port().State != ptp.StateServing {
		t.Errorf("epoch %s is %s now, %s, port %+v", epoch, r.Epoch, r.State, g.port())
	}
	if p := g.port(); p.OtherMaster != "020000fffe000007" {
		t.Errorf("the other grandmaster is %q", p.OtherMaster)
	}
	announced := g.port().Announced
	program.Eventually(t, 5*time.Second, "the gateway goes on to announce itself", func() bool { return g.port().Announced > announced })
}

// TestFlood asks as fast as it can: no more than so many are answered a second, Sync goes on, and an honest
// request of the next second is answered.
func TestFlood(t *testing.T) {
	t.Parallel()
	g, n := serving(t)
	before, began := g.port(), time.Now()
	after, refused := before, uint64(0)
	program.Eventually(t, 10*time.Second, "the rest is refused", func() bool {
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			for range 50 {
				n.send(n.delayReq())
			}
		}
		after = g.port()
		refused = after.Refused["rate"] - before.Refused["rate"]
		return refused >= 1000
	})
	if answered, took := after.Answered-before.Answered, time.Since(began); answered > uint64(32*(took.Seconds()+2)) {
		t.Errorf("%d were answered in %v, %d refused", answered, took, refused)
	}
	program.Eventually(t, 5*time.Second, "Sync goes on", func() bool { return g.port().Synced > after.Synced })
	time.Sleep(time.Second)
	if _, err := n.exchange(); err != nil {
		t.Error(err)
	}
}

// Who asks by unicast is answered by unicast, and the others hear nothing of it.
func TestUnicastRequest(t *testing.T) {
	t.Parallel()
	_, n := serving(t)
	general := ipv4.NewPacketConn(n.general)
	if err := general.SetControlMessage(ipv4.FlagDst, true); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1500)
	program.Eventually(t, 5*time.Second, "the answer comes", func() bool {
		q := n.delayReq()
		q[6], q[15] = 4, 9 // unicast; a correction of 9/65536 ns, which goes back as it came
		if _, err := n.event.WriteToUDP(q, &net.UDPAddr{IP: net.IPv4(10, 79, 1, 1), Port: 319}); err != nil {
			t.Fatal(err)
		}
		general.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		for {
			size, to, _, err := general.ReadFrom(b)
			if err != nil {
				return false
			}
			if got := b[:size]; got[0] == 9 {
				if size != 54 || got[6] != 4 || got[33] != 0x7f || got[15] != 9 || !slices.Equal(got[44:54], []byte("\x02\x00\x00\xff\xfe\x00\x00\x07\x00\x01")) {
					t.Errorf("the answer is %x", got)
				}
				if !to.Dst.Equal(net.IPv4(10, 79, 1, 2)) {
					t.Errorf("the answer goes to %v", to.Dst)
				}
				return true
			}
		}
	})
}

// TestNothingWithoutTime listens to a gateway that knows no time: it says nothing, and refuses requests. Once its
// server answers, it begins with an Announce whose every field is looked at.
func TestNothingWithoutTime(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	server := l.startServer() // for its authority
	if !server.Stop() {
		t.Fatal("the server does not end")
	}
	g := l.startGateway("domain = 5\n")
	g.waitState(10*time.Second, ptp.StateSilent)
	n := l.node(t)
	for range 5 {
		q := n.delayReq()
		q[4] = 5
		n.send(q)
	}
	b := make([]byte, 1500)
	for _, c := range []*net.UDPConn{n.event, n.general} {
		c.SetReadDeadline(time.Now().Add(2500 * time.Millisecond))
		if size, from, err := c.ReadFromUDP(b); err == nil {
			t.Errorf("%v sends %x without time", from, b[:size])
		}
	}
	program.Eventually(t, 2*time.Second, "the requests are refused", func() bool { return g.port().Refused["unsynchronized"] == 5 })
	if p := g.port(); p.Announced+p.Synced+p.Answered != 0 {
		t.Errorf("%+v", p)
	}
	l.startServer()
	g.waitState(20*time.Second, ptp.StateServing)
	n.general.SetReadDeadline(time.Now().Add(program.Busy * 10 * time.Second))
	for {
		size, _, err := n.general.ReadFromUDP(b)
		if err != nil {
			t.Fatal(err)
		}
		if b[0] != 0xb {
			continue
		}
		a := b[:size]
		bound := time.Duration(binary.BigEndian.Uint64(a[72:]) >> 16)
		if size != 152 || a[1] != 2 || binary.BigEndian.Uint16(a[2:]) != 152 || a[4] != 5 || a[7] != 0x3c || binary.BigEndian.Uint16(a[44:]) != 37 || a[48] != 6 || a[63] != 0x50 ||
			binary.BigEndian.Uint32(a[64:]) != 0x40010054 || bound < 50*time.Microsecond || bound > 100*time.Millisecond {
			t.Errorf("Announce %x with a bound of %v", a, bound)
		}
		if off := time.Until(stamp(a[34:]).Add(-ahead)); off.Abs() > 20*time.Second {
			t.Errorf("Announce of %v", stamp(a[34:]))
		}
		break
	}
}
