package ptp

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// onWire gives a server on an interface ptp0 in a network of its own, and a way to change that network. The test's thread
// stands in it, so nothing is started: the test calls what a port's thread would.
func onWire(t *testing.T) (s *Server, line *timeline, ip func(args string)) {
	t.Helper()
	return onWireWith(t, Options{})
}

// onWireWith is onWire with more options.
func onWireWith(t *testing.T, opt Options) (s *Server, line *timeline, ip func(args string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: a network namespace is needed")
	}
	runtime.LockOSThread() // and not unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace can be made here: %v", err)
	}
	ip = func(args string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	ip("link add ptp0 type veth peer name far0")
	ip("addr add 10.79.1.1/24 dev ptp0")
	ip("addr add fd79::1/64 dev ptp0 nodad")
	ip("link set far0 up")
	ip("link set ptp0 up")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := findLink("ptp0", 0, opt.transport("ptp0")); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	now := sysclock.ReadPair()
	line = &timeline{&discipline.Snapshot{State: discipline.Synchronized, Epoch: discipline.Epoch{1}, At: now.Raw, TAI: now.Real + 37e9, TAIOffset: 37, MaxErrorAt: 1000}}
	opt.Timeline, opt.Clock, opt.Interfaces = line, sysclock.Reader{}, []string{"ptp0"}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s, line, ip
}

// openAgain opens the port of ptp0 once more.
func openAgain(t *testing.T, s *Server) *port {
	t.Helper()
	s.ports[0].close()
	if err := s.open(0); err != nil {
		t.Fatal(err)
	}
	return s.ports[0]
}

// serve sends Sync until one has its time: a machine that does something else may be late to its own stamp.
func serve(t *testing.T, p *port) {
	t.Helper()
	for range 100 {
		if err := p.sendSync(p.timeline()); err != nil {
			t.Fatal(err)
		}
		if p.served {
			return
		}
	}
	t.Fatal("no Sync had its time")
}

// TestJumpWhileAway moves the timeline while the interface is away: receivers behind a switch have not let go of the one
// before when it comes back, and see the messages' numbers go on.
func TestJumpWhileAway(t *testing.T) {
	s, line, _ := onWire(t)
	p := s.ports[0]
	serve(t, p)
	next := *line.s
	next.Epoch = discipline.Epoch{2}
	p = openAgain(t, s)
	if got := p.timeline().reason; got != "" {
		t.Errorf("without a jump the port is silent: %s", got)
	}
	line.s = &next
	p = openAgain(t, s)
	if got := p.timeline().reason; got != reasonEpoch {
		t.Errorf("a receiver hears of two timelines: %q", got)
	}
	if p.sync == 0 {
		t.Error("the next Sync has number 1 again")
	}
}

// TestAnswersNobodyTakes asks by unicast in the name of addresses that are not there: the answers wait for ARP, over IPv6
// for its neighbour discovery, and must not take the room of what goes to all.
func TestAnswersNobodyTakes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		opt     Options
		nowhere func(i byte) netip.Addr
	}{
		{"IPv4", Options{}, func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 79, 1, i}) }},
		{"IPv6", Options{UDP6: []string{"ptp0"}}, func(i byte) netip.Addr { return netip.AddrFrom16([16]byte{0xfd, 0x79, 15: i}) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, _ := onWireWith(t, tt.opt)
			p := s.ports[0]
			h := header{kind: typeDelayReq, length: delayReqSize, flags: flagUnicast, source: portIdentity{ClockIdentity{9}, 1}}
			q := appendTime(h.append(nil), 0)
			serve(t, p)
			left := 0
			for i := range maxRequests {
				if p.take(q, tt.nowhere(byte(10+i%200)), time.Now().UnixNano()) == reasonSend {
					left++
				}
			}
			if err := p.sendSync(p.timeline()); err != nil {
				t.Errorf("%v, after %d answers", err, s.Status().Ports[0].Answered)
			}
			if st := s.Status().Ports[0]; st.Answered == 0 || left == 0 {
				t.Errorf("%d were answered, %d left out", st.Answered, left)
			}
		})
	}
}

// TestInterfaceChanges does to an interface what an operator or a hot plug does: the port notices what ends it at once,
// and nothing else.
func TestInterfaceChanges(t *testing.T) {
	for _, tt := range []struct{ name, steps, want string }{
		{"another address", "addr add 10.79.2.1/24 dev ptp0; addr del 10.79.2.1/24 dev ptp0", ""},
		{"another interface", "link add other0 type veth peer name other1; link set other0 up; link del other0", ""},
		{"a member of a bridge", "link add br0 type bridge; link set ptp0 master br0; link set ptp0 nomaster; link del br0", ""},
		{"no address", "addr del 10.79.1.1/24 dev ptp0", "interface ptp0 is not there: it has no IPv4 address"},
		{"down", "link set ptp0 down", "interface ptp0 is not there: it is down"},
		{"no cable", "link set far0 down", "interface ptp0 is not there: it has no carrier, as without its cable"},
		{"another name", "link set ptp0 down; link set ptp0 name lan0; link set lan0 up", "interface ptp0 is not there: no such network interface"},
		{"made anew with the same number", "link del ptp0; link add ptp0 index %d type veth peer name far0; addr add 10.79.1.1/24 dev ptp0; link set far0 up; link set ptp0 up", "interface ptp0 is not there: it was removed"},
		{"its name is another's", "link set ptp0 down; link set ptp0 name lan0; link add ptp0 type veth peer name far1; addr add 10.79.3.1/24 dev ptp0; link set far1 up; link set ptp0 up", "interface ptp0 is not there: it is another one now"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, ip := onWire(t)
			p := s.ports[0]
			for step := range strings.SplitSeq(tt.steps, "; ") {
				if strings.Contains(step, "%d") {
					step = fmt.Sprintf(step, p.index)
				}
				ip(step)
			}
			got := ""
			// The kernel tells of a carrier that is lost a little later.
			for deadline := time.Now().Add(time.Minute); got != tt.want && tt.want != "" && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
				if err := p.linkChanged(); err != nil {
					got = err.Error()
				}
			}
			if tt.want == "" {
				if err := p.linkChanged(); err != nil {
					got = err.Error()
				}
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestInterfaceOverIPv6: where messages go over IPv6 that is what the interface needs, and an address that may be another's
// is none yet.
func TestInterfaceOverIPv6(t *testing.T) {
	s, _, ip := onWireWith(t, Options{UDP6: []string{"ptp0"}})
	const missing = "interface ptp0 is not there: it has no IPv6 address"
	p := s.ports[0]
	serve(t, p)
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/ptp0/dad_transmits", []byte("1000"), 0); err != nil {
		t.Skipf("duplicate addresses can't be looked for here: %v", err)
	}
	ip("addr del 10.79.1.1/24 dev ptp0")
	if err := p.linkChanged(); err != nil {
		t.Errorf("without an IPv4 address: %v", err)
	}
	ip("addr add fd79::2/64 dev ptp0 nodad")
	ip("-6 addr flush dev ptp0")
	if err := p.linkChanged(); err == nil || err.Error() != missing {
		t.Errorf("without an address: %v", err)
	}
	ip("addr add fd79::3/64 dev ptp0")
	if err := s.open(0); err == nil || err.Error() != missing {
		t.Errorf("with an address that may be another's: %v", err)
	}
	p.close()
	if err := Check("ptp0", true); err == nil || err.Error() != missing {
		t.Errorf("before it serves one hears: %v", err)
	}
	ip("addr add fe80::4/64 dev ptp0 nodad") // the only one: a LAN without a router has no others
	if err := Check("ptp0", true); err != nil {
		t.Errorf("before it serves one hears: %v", err)
	}
	if err := s.open(0); err != nil {
		t.Fatal(err)
	}
	serve(t, s.ports[0])
}

// pdelayReq is a Pdelay_Req with a number.
func pdelayReq(sequence uint16) []byte {
	h := header{kind: typePdelayReq, length: pdelayReqSize, source: portIdentity{ClockIdentity{9}, 1}, sequence: sequence}
	return append(h.append(nil), make([]byte, 20)...)
}

// TestPeersAcrossAJump jumps between two messages of an answer: no peer gets a time of either timeline that it could
// set against one of the other.
func TestPeersAcrossAJump(t *testing.T) {
	s, line, _ := onWireWith(t, Options{P2P: []string{"ptp0"}})
	p := s.ports[0]
	serve(t, p)
	ask := func() (reason string) {
		for range 20 { // this machine may be late to its own stamp
			p.limit = limiter{}
			if reason = p.take(pdelayReq(1), netip.AddrFrom4([4]byte{10, 79, 1, 2}), time.Now().UnixNano()); reason != reasonLate && reason != reasonNoStamp {
				break
			}
		}
		return reason
	}
	if reason := ask(); reason != "" || s.Status().Ports[0].Answered != 1 {
		t.Fatalf("before: %q, %+v", reason, s.Status().Ports[0])
	}
	next := *line.s
	next.Epoch = discipline.Epoch{2}
	s.opt.Timeline = &jumping{before: line.s, after: &next, left: 1}
	if reason := ask(); reason != reasonEpoch || s.Status().Ports[0].Answered != 1 {
		t.Errorf("a jump between the two messages: %q, %+v", reason, s.Status().Ports[0])
	}
	if reason := ask(); reason != reasonEpoch {
		t.Errorf("soon after it: %q", reason)
	}
}

// jumping is a timeline that jumps after so many readings.
type jumping struct {
	before, after *discipline.Snapshot
	left          int
}

func (j *jumping) Snapshot() *discipline.Snapshot {
	if j.left--; j.left >= 0 {
		return j.before
	}
	return j.after
}

// TestUnstampedAnswersAreFew: each answer whose departure the kernel does not tell holds up what comes behind it, so
// there are no more than some in a second, however many are asked for.
func TestUnstampedAnswersAreFew(t *testing.T) {
	s, _, _ := onWireWith(t, Options{P2P: []string{"ptp0"}})
	p := s.ports[0]
	serve(t, p)
	if out, err := exec.Command("tc", strings.Fields("qdisc add dev ptp0 root bfifo limit 1")...).CombinedOutput(); err != nil {
		t.Skipf("tc (package iproute2): %v: %s", err, out)
	}
	began, waits, refused := time.Now(), 0, 0
	for i := range 500 {
		switch reason := p.take(pdelayReq(uint16(i)), netip.AddrFrom4([4]byte{10, 79, 1, byte(i)}), time.Now().UnixNano()); reason {
		case reasonNoStamp:
			waits++
		case reasonRate:
			refused++
		case reasonLate: // before anything was sent
		default:
			t.Fatalf("refused as %q", reason)
		}
	}
	if seconds := int(time.Since(began)/time.Second) + 2; waits == 0 || refused == 0 || waits > 4*seconds {
		t.Errorf("%d waits for nothing in less than %d s, %d refused", waits, seconds, refused)
	}
}

// TestBrokenWhileAnswering: the kernel counts what it then does not send, so the port begins anew.
func TestBrokenWhileAnswering(t *testing.T) {
	s, _, _ := onWireWith(t, Options{P2P: []string{"ptp0"}})
	p := s.ports[0]
	serve(t, p)
	if out, err := exec.Command("iptables", "-I", "OUTPUT", "-d", "224.0.0.107", "-j", "DROP").CombinedOutput(); err != nil {
		t.Skipf("iptables (package iptables): %v: %s", err, out)
	}
	for range 20 { // this machine may be late to its own stamp
		if reason := p.take(pdelayReq(1), netip.AddrFrom4([4]byte{10, 79, 1, 2}), time.Now().UnixNano()); reason == reasonSend {
			break
		}
	}
	if want := "interface ptp0: send to UDP port 319: operation not permitted; let it out of this machine's firewall"; p.broken == nil || p.broken.Error() != want {
		t.Errorf("%v, want %s", p.broken, want)
	}
}

// TestNoStamps takes the kernel's stamps away, as a driver without them or a queue that drops all does: nothing is announced
// to receivers that could never get the time, and a person reads why.
func TestNoStamps(t *testing.T) {
	s, _, _ := onWire(t)
	p := s.ports[0]
	tc := func(args string) {
		t.Helper()
		if out, err := exec.Command("tc", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Skipf("tc (package iproute2) %s: %v: %s", args, err, out)
		}
	}
	both := func() {
		t.Helper()
		if err := p.sendAnnounce(p.timeline()); err != nil {
			t.Fatal(err)
		}
		if err := p.sendSync(p.timeline()); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"from the start", "later"} {
		tc("qdisc add dev ptp0 root bfifo limit 1")
		for range mostMissed {
			both()
		}
		before := s.Status().Ports[0].Announced
		both()
		q := appendTime((&header{kind: typeDelayReq, length: delayReqSize, source: portIdentity{ClockIdentity{9}, 1}}).append(nil), 0)
		if reason := p.take(q, netip.AddrFrom4([4]byte{10, 79, 1, 2}), time.Now().UnixNano()); reason != reasonNoStamp {
			t.Errorf("%s: a request, to which no bound is announced, is answered: %q", name, reason)
		}
		const why = "interface ptp0: the kernel does not tell when messages leave: see software-transmit in ethtool -T ptp0, or name another interface"
		if st := s.Status().Ports[0]; st.Announced != before || st.State != StateSilent || st.Error != why {
			t.Errorf("%s: %+v", name, st)
		}
		if w := s.Warnings(); len(w) != 1 || w[0].Text != "PTP is not served: "+why {
			t.Errorf("%s: warnings %v", name, w)
		}
		tc("qdisc del dev ptp0 root")
		serve(t, p)
		if st := s.Status().Ports[0]; st.State != StateServing || st.Error != "" || len(s.Warnings()) != 0 {
			t.Errorf("%s, once there are stamps: %+v", name, st)
		}
	}
}

// TestFirewall: what this machine drops itself is said once, with what to do.
func TestFirewall(t *testing.T) {
	s, _, ip := onWire(t)
	for _, rule := range []string{"319", "320"} {
		if out, err := exec.Command("iptables", "-I", "OUTPUT", "-p", "udp", "--dport", rule, "-j", "DROP").CombinedOutput(); err != nil {
			t.Skipf("iptables (package iptables): %v: %s", err, out)
		}
		p := openAgain(t, s)
		var err error
		for range 100 { // as in serve
			if err = p.sendSync(p.timeline()); err != nil {
				break
			}
		}
		if want := "interface ptp0: send to UDP port " + rule + ": operation not permitted; let it out of this machine's firewall"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if p.served {
			t.Error("time was given")
		}
		if out, err := exec.Command("iptables", "-F", "OUTPUT").CombinedOutput(); err != nil {
			t.Fatalf("iptables: %v: %s", err, out)
		}
	}
	ip("link set ptp0 down")
	s.ports[0].close()
	if err := s.open(0); err == nil {
		t.Fatal("a port on an interface that is down")
	}
	if w := s.Warnings(); len(w) != 1 || w[0].Text != "PTP waits: interface ptp0 is not there: it is down; bring it up, or leave ptp0 out of interfaces in [ptp]" {
		t.Errorf("warnings %v", w)
	}
}

// TestFloodOnOneInterface asks too much on one interface: the receivers on another, which may be another network's, are
// answered.
func TestFloodOnOneInterface(t *testing.T) {
	s, line, ip := onWire(t)
	s.ports[0].close()
	ip("addr add 10.79.2.1/24 dev far0")
	both, err := New(Options{Timeline: line, Clock: sysclock.Reader{}, Interfaces: []string{"ptp0", "far0"}})
	s.ports[0] = nil
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(both.close)
	for _, p := range both.ports {
		serve(t, p)
	}
	h := header{kind: typeDelayReq, length: delayReqSize, source: portIdentity{ClockIdentity{9}, 1}}
	q := appendTime(h.append(nil), 0)
	reason := ""
	for i := 0; reason != reasonRate && i < 3*maxRequests; i++ {
		reason = both.ports[0].take(q, netip.AddrFrom4([4]byte{10, 79, byte(i >> 8), byte(i)}), 0)
	}
	if reason != reasonRate {
		t.Errorf("where the flood is a request is refused as %q", reason)
	}
	for range 20 { // this machine may be late to its own stamp
		if reason = both.ports[1].take(q, netip.AddrFrom4([4]byte{10, 79, 2, 9}), time.Now().UnixNano()); reason != reasonLate {
			break
		}
	}
	if reason != "" {
		t.Errorf("where it is not: %q", reason)
	}
}
