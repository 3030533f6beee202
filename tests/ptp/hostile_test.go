package ptp

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	ipv6net "golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/downstream/ptp"
	"github.com/ntsgw/ntsgw/tests/program"
)

// node is a receiver that sends what a test wants. It was written from IEEE 1588-2019 alone and uses nothing of
// the gateway's own codec.
type node struct {
	t              *testing.T
	event, general *net.UDPConn
	primary, peer  net.IP // groups
	gateway        net.IP
	zone           string // of its interface
	sequence       uint16
}

// ipv6 is what makes the gateway serve over it.
const ipv6 = "udp6 = [\"gw0\"]\n"

func (l *lan) node(t *testing.T) *node { t.Helper(); return l.nodeOver(t, "") }

// nodeOver is a node on the wire of a gateway that was started with more.
func (l *lan) nodeOver(t *testing.T, more string) *node {
	t.Helper()
	n := &node{t: t, primary: net.IPv4(224, 0, 1, 129), peer: net.IPv4(224, 0, 0, 107), gateway: net.IPv4(10, 79, 1, 1)}
	network := "udp4"
	if strings.Contains(more, ipv6) {
		n.primary, n.peer, n.gateway, network = net.ParseIP("ff0e::181"), net.ParseIP("ff02::6b"), net.ParseIP("fd79::1"), "udp6"
	}
	open := func(port int) (*net.UDPConn, error) {
		link, err := net.InterfaceByName("rx0")
		if err != nil {
			return nil, err
		}
		n.zone = strconv.Itoa(link.Index)
		c, err := net.ListenMulticastUDP(network, link, &net.UDPAddr{IP: n.primary, Port: port})
		if err != nil {
			return nil, err
		}
		raw, err := c.SyscallConn()
		if err != nil {
			return nil, err
		}
		var set error
		err = raw.Control(func(fd uintptr) {
			if network == "udp6" {
				set = errors.Join(unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, link.Index),
					unix.SetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: [16]byte(n.peer), Interface: uint32(link.Index)}))
				return
			}
			on := &unix.IPMreqn{Ifindex: int32(link.Index), Multiaddr: [4]byte(n.peer.To4())}
			set = errors.Join(unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, on),
				unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, on))
		})
		return c, errors.Join(err, set)
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
func serving(t *testing.T) (*gateway, *node) { t.Helper(); return servingWith(t, "") }

// servingWith is serving with more in [ptp].
func servingWith(t *testing.T, more string) (*gateway, *node) {
	t.Helper()
	l := newLAN(t)
	l.startServer()
	g := l.startGateway(more)
	g.waitState(10*time.Second, ptp.StateServing)
	return g, l.nodeOver(t, more)
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
	n.sendTo(n.primary, b)
}

func (n *node) sendTo(to net.IP, b []byte) {
	n.t.Helper()
	if _, err := n.event.WriteToUDP(b, &net.UDPAddr{IP: to, Port: 319, Zone: n.zone}); err != nil {
		n.t.Fatal(err)
	}
}

// padded is how long a message of a size is on the wire: over IPv6 two octets follow each (annex D).
func (n *node) padded(size int) int {
	if n.primary.To4() == nil {
		return size + 2
	}
	return size
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
		if size == n.padded(54) && b[0] == 9 && binary.BigEndian.Uint16(b[30:]) == n.sequence && string(b[44:52]) == "\x02\x00\x00\xff\xfe\x00\x00\x07" {
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
	for _, tt := range []struct{ name, more string }{{"IPv4", ""}, {"IPv6", ipv6}} {
		t.Run(tt.name, func(t *testing.T) { t.Parallel(); hostileMessages(t, tt.more) })
	}
}

func hostileMessages(t *testing.T, more string) {
	g, n := servingWith(t, more)
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
	cases := []hostile{
		{"version 1", "version", edit(func(b []byte) { b[1] = 1 })},
		{"version 3", "version", edit(func(b []byte) { b[1] = 3 })},
		{"gPTP", "profile", edit(func(b []byte) { b[0] |= 0x10 })},
		{"a minor SDO", "profile", edit(func(b []byte) { b[5] = 1 })},
		{"another domain", "domain", edit(func(b []byte) { b[4] = 1 })},
		{"longer than the datagram", "malformed", edit(func(b []byte) { b[3] = 45 })},
		{"shorter than a header", "malformed", edit(func(b []byte) { b[3] = 33 })},
		{"shorter than a Delay_Req", "malformed", edit(func(b []byte) { b[3] = 43 })},
		{"in the gateway's name", "own-identity", edit(func(b []byte) { copy(b[20:], own) })},
		{"a Pdelay_Req", "peer-delay", append(edit(func(b []byte) { b[0], b[3] = 2, 54 }), make([]byte, 10)...)},
		{"a Pdelay_Resp", "peer-delay", append(edit(func(b []byte) { b[0], b[3] = 3, 54 }), make([]byte, 10)...)},
		{"its Follow_Up", "peer-delay", append(edit(func(b []byte) { b[0], b[3] = 0xa, 54 }), make([]byte, 10)...)},
		{"a Delay_Resp to the gateway", "not-asked", append(edit(func(b []byte) { b[0], b[3] = 9, 54 }), append(own, 0, 1)...)},
		{"a Delay_Resp that is too short", "malformed", edit(func(b []byte) { b[0] = 9 })},
		{"an Announce that is too short", "malformed", edit(func(b []byte) { b[0], b[22] = 0xb, 0xbb })},
		{"a better grandmaster", "other-grandmaster", announce},
		{"its Sync", "other-grandmaster", edit(func(b []byte) { b[0] = 0 })},
		{"its Follow_Up", "other-grandmaster", edit(func(b []byte) { b[0] = 8 })},
		{"signalling", "unsupported", edit(func(b []byte) { b[0] = 0xc })},
		{"management", "unsupported", edit(func(b []byte) { b[0] = 0xd })},
		{"a type that there is not", "unsupported", edit(func(b []byte) { b[0] = 0xf })},
	}
	for i := range 34 {
		cases = append(cases, hostile{fmt.Sprintf("%d octets", i), "malformed", n.delayReq()[:i]})
	}
	n.throw(g, n.primary, cases)
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

// hostile is a message and the reason under which it is counted.
type hostile struct {
	name, reason string
	message      []byte
}

// throw sends each and sees it counted once, under its reason and no other.
func (n *node) throw(g *gateway, to net.IP, cases []hostile) {
	n.t.Helper()
	for _, c := range cases {
		want := g.refused()
		want[c.reason]++
		n.sendTo(to, c.message)
		program.Eventually(n.t, 2*time.Second, c.name+" is counted as "+c.reason, func() bool { return maps.Equal(g.refused(), want) })
	}
}

// refused is what was refused by reason, but for those of a machine that does something else.
func (g *gateway) refused() (by map[string]uint64) {
	g.l.t.Helper()
	program.Eventually(g.l.t, 5*time.Second, "the gateway says what it refused", func() bool { by = g.port().Refused; return by != nil })
	maps.DeleteFunc(by, func(reason string, _ uint64) bool { return slices.Contains(busy, reason) })
	return by
}

// pdelayReq is an honest Pdelay_Req with the next number, which went through a bridge that added to its correction.
func (n *node) pdelayReq() []byte {
	b := append(n.delayReq(), make([]byte, 10)...)
	b[0], b[3], b[15], b[32] = 2, 54, 9, 5
	return b
}

// exchangePeer is an honest Pdelay_Req: both answers must come, and hold when it came and when the first of them left.
func (n *node) exchangePeer() error {
	n.t.Helper()
	for range 20 { // a machine that does something else may be late to its own stamp, and says nothing then
		before := time.Now()
		n.sendTo(n.peer, n.pdelayReq())
		first := n.peerAnswer(n.event, 3)
		if first == nil {
			continue
		}
		second := n.peerAnswer(n.general, 0xa)
		if second == nil {
			continue
		}
		came, left := stamp(first[34:]).Add(-ahead), stamp(second[34:]).Add(-ahead)
		if came.Before(before.Add(-time.Millisecond)) || left.Before(came) || left.After(time.Now().Add(time.Millisecond)) {
			return fmt.Errorf("asked between %v and %v: it came at %v, the answer left at %v", before, time.Now(), came, left)
		}
		if first[6] != 2 || first[15] != 0 || second[6] != 0 || second[15] != 9 || first[33] != 0x7f || second[33] != 0x7f {
			return fmt.Errorf("the answers are %x and %x", first, second)
		}
		return nil
	}
	return fmt.Errorf("no answer to an honest request")
}

// peerAnswer waits for one of the answers to the last Pdelay_Req; nil: it did not come.
func (n *node) peerAnswer(c *net.UDPConn, kind byte) []byte {
	b := make([]byte, 1500)
	c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	for {
		size, _, err := c.ReadFromUDP(b)
		if err != nil {
			return nil
		}
		if size == n.padded(54) && b[0] == kind && binary.BigEndian.Uint16(b[30:]) == n.sequence && string(b[44:54]) == "\x02\x00\x00\xff\xfe\x00\x00\x07\x00\x01" {
			return b[:size]
		}
	}
}

const peers = "p2p = [\"gw0\"]\n"

// TestHostilePeers is TestHostileMessages for the peer delay mechanism.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, more string }{{"IPv4", peers}, {"IPv6", peers + ipv6}} {
		t.Run(tt.name, func(t *testing.T) { t.Parallel(); hostilePeers(t, tt.more) })
	}
}

func hostilePeers(t *testing.T, more string) {
	g, n := servingWith(t, more)
	if err := n.exchangePeer(); err != nil {
		t.Fatal(err)
	}
	own, err := hex.DecodeString(g.ptp().Identity)
	if err != nil {
		t.Fatal(err)
	}
	var cases []hostile
	add := func(name, reason string, f func(b []byte)) {
		b := n.pdelayReq()
		f(b)
		cases = append(cases, hostile{name, reason, b})
	}
	for _, kind := range []struct {
		name string
		bits byte
	}{{"Pdelay_Req", 2}, {"Pdelay_Resp", 3}, {"Pdelay_Resp_Follow_Up", 0xa}} {
		add(kind.name+" of version 1", "version", func(b []byte) { b[0], b[1] = kind.bits, 1 })
		add(kind.name+" of gPTP", "profile", func(b []byte) { b[0] = kind.bits | 0x10 })
		add(kind.name+" of another domain", "domain", func(b []byte) { b[0], b[4] = kind.bits, 1 })
		add(kind.name+" in the gateway's name", "own-identity", func(b []byte) { b[0] = kind.bits; copy(b[20:], own) })
		add(kind.name+" longer than the datagram", "malformed", func(b []byte) { b[0], b[3] = kind.bits, 0xff })
		add(kind.name+" shorter than it must be", "malformed", func(b []byte) { b[0], b[3] = kind.bits, 53 })
		short := hostile{"a datagram shorter than a " + kind.name, "malformed", n.pdelayReq()[:53]}
		short.message[0] = kind.bits
		cases = append(cases, short)
	}
	add("Pdelay_Req marked unicast", "unicast", func(b []byte) { b[6] = 4 })
	add("Pdelay_Resp to the gateway", "not-asked", func(b []byte) { b[0] = 3; copy(b[44:], own) })
	add("Pdelay_Resp_Follow_Up to the gateway", "not-asked", func(b []byte) { b[0] = 0xa; copy(b[44:], own) })
	add("Delay_Req", "end-to-end", func(b []byte) { b[0] = 1 })
	n.throw(g, n.peer, cases)

	// What other peers say to each other is none of its business.
	want := g.refused()
	for _, bits := range []byte{3, 0xa} {
		b := n.pdelayReq()
		b[0] = bits
		n.sendTo(n.peer, b)
	}
	if err := n.exchangePeer(); err != nil {
		t.Error(err)
	}
	if got := g.refused(); !maps.Equal(got, want) || g.port().State != ptp.StateServing {
		t.Errorf("refused %v, want %v; %s", got, want, g.port().State)
	}
}

// TestFloodOfPeers asks as fast as it can, each time waiting for nothing: as TestFlood.
func TestFloodOfPeers(t *testing.T) {
	t.Parallel()
	g, n := servingWith(t, peers)
	flood(t, g, func() { n.sendTo(n.peer, n.pdelayReq()) }, n.exchangePeer)
}

// TestFlood asks as fast as it can: no more than so many are answered a second, Sync goes on, and an honest
// request of the next second is answered.
func TestFlood(t *testing.T) {
	t.Parallel()
	g, n := serving(t)
	flood(t, g, func() { n.send(n.delayReq()) }, func() error { _, err := n.exchange(); return err })
}

func flood(t *testing.T, g *gateway, ask func(), honest func() error) {
	before, began := g.port(), time.Now()
	after, refused := before, uint64(0)
	program.Eventually(t, 10*time.Second, "the rest is refused", func() bool {
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			for range 50 {
				ask()
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
	if err := honest(); err != nil {
		t.Error(err)
	}
}

// Who asks by unicast is answered by unicast, and the others hear nothing of it. No router passes the answer on: who
// pretends to be elsewhere has it sent to nobody.
func TestUnicastRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, more string
		own        net.IP
	}{{"IPv4", "", net.IPv4(10, 79, 1, 2)}, {"IPv6", ipv6, net.ParseIP("fd79::2")}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, n := servingWith(t, tt.more)
			b := make([]byte, 1500)
			over4, over6 := ipv4.NewPacketConn(n.general), ipv6net.NewPacketConn(n.general)
			read := func() (size, hops int, to net.IP, err error) {
				if tt.more == "" {
					size, m, _, err := over4.ReadFrom(b)
					if err != nil {
						return 0, 0, nil, err
					}
					return size, m.TTL, m.Dst, nil
				}
				size, m, _, err := over6.ReadFrom(b)
				if err != nil {
					return 0, 0, nil, err
				}
				return size, m.HopLimit, m.Dst, nil
			}
			err := over6.SetControlMessage(ipv6net.FlagDst|ipv6net.FlagHopLimit, true)
			if tt.more == "" {
				err = over4.SetControlMessage(ipv4.FlagDst|ipv4.FlagTTL, true)
			}
			if err != nil {
				t.Fatal(err)
			}
			program.Eventually(t, 5*time.Second, "the answer comes", func() bool {
				q := n.delayReq()
				q[6], q[15] = 4, 9 // unicast; a correction of 9/65536 ns, which goes back as it came
				n.sendTo(n.gateway, q)
				n.general.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
				for {
					size, hops, to, err := read()
					if err != nil {
						return false
					}
					if got := b[:size]; got[0] == 9 {
						if size != n.padded(54) || got[6] != 4 || got[33] != 0x7f || got[15] != 9 || !slices.Equal(got[44:54], []byte("\x02\x00\x00\xff\xfe\x00\x00\x07\x00\x01")) {
							t.Errorf("the answer is %x", got)
						}
						if !to.Equal(tt.own) || hops != 1 {
							t.Errorf("the answer goes to %v, over %d hops", to, hops)
						}
						return true
					}
				}
			})
		})
	}
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
