package ptp

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/ptp"
	"github.com/ntsgw/ntsgw/tests/netns"
	"github.com/ntsgw/ntsgw/tests/program"
)

// TestReceiverFollowsGateway lets ptp4l measure the gateway: it finds the 40 ms that the gateway's time is off the
// host's, within the bound that the gateway states, and reads what that time is worth. Without the server it
// hears of holdover; without the gateway's time it hears nothing.
func TestReceiverFollowsGateway(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	server := l.startServer()
	g := l.startGateway("priority1 = 99\n")
	r := l.ptp4l(l.rx, "rx0", "slaveOnly 1")
	g.waitState(10*time.Second, ptp.StateServing)
	program.Eventually(t, 25*time.Second, "ptp4l measures", func() bool { return len(r.measurements()) >= 5 })
	report, port := g.report(), g.port()
	if o := report.Outlets; len(o) != 1 || o[0].Way != "PTP" || o[0].Where != "gw0" || o[0].State != ptp.StateServing || o[0].Sent == 0 || o[0].Answered == 0 {
		t.Errorf("handed on: %+v", o)
	}
	m := middle(r.measurements())
	if off := time.Duration(*report.Offset*1e9) + m.offset; off.Abs() > time.Duration(port.MaxError*1e9)+m.delay {
		t.Errorf("ptp4l measures %v over %v, the gateway's offset is %v s ± %v s", m.offset, m.delay, *report.Offset, port.MaxError)
	}
	set := r.ask("PARENT_DATA_SET")
	for name, want := range map[string]string{
		"gm.ClockClass": "6", "gm.ClockAccuracy": fmt.Sprintf("%#x", port.Accuracy), "grandmasterPriority1": "99", "grandmasterPriority2": "128", "gm.OffsetScaledLogVariance": "0xffff",
	} {
		if set[name] != want {
			t.Errorf("%s is %s, want %s", name, set[name], want)
		}
	}
	set = r.ask("TIME_PROPERTIES_DATA_SET")
	for name, want := range map[string]string{
		"currentUtcOffset": fmt.Sprint(report.TAIOffset), "currentUtcOffsetValid": "1", "ptpTimescale": "1", "timeTraceable": "1", "frequencyTraceable": "1", "timeSource": "0x50", "leap61": "0", "leap59": "0",
	} {
		if set[name] != want {
			t.Errorf("%s is %s, want %s", name, set[name], want)
		}
	}
	if !server.Stop() {
		t.Fatal("the server does not end")
	}
	program.Eventually(t, 60*time.Second, "ptp4l hears of holdover", func() bool { return r.ask("PARENT_DATA_SET")["gm.ClockClass"] == "7" })
	if p := g.port(); p.State != ptp.StateServing || p.Class != 7 {
		t.Errorf("in holdover: %+v", p)
	}
	if !g.Stop() {
		t.Fatal("the gateway does not end")
	}
	program.Eventually(t, 15*time.Second, "ptp4l lets go of a gateway that ended", func() bool { return strings.Contains(r.Out.String(), "ANNOUNCE_RECEIPT_TIMEOUT") })
}

// TestReceiverFollowsByEachWay lets ptp4l measure the gateway with peer delays and over IPv6: as with end-to-end delays
// over IPv4, it finds the gateway's time within the bound that is stated.
func TestReceiverFollowsByEachWay(t *testing.T) {
	t.Parallel()
	for _, w := range ways[1:] {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t)
			l.startServer()
			g := l.startGateway(w.gateway)
			r := l.ptp4l(l.rx, "rx0", "slaveOnly 1\n"+w.receiver)
			g.waitState(10*time.Second, ptp.StateServing)
			program.Eventually(t, 25*time.Second, "ptp4l measures", func() bool { return len(r.measurements()) >= 5 })
			report, port := g.report(), g.port()
			if port.Mechanism+" "+port.Transport != w.name || port.Answered == 0 {
				t.Errorf("the port is %+v", port)
			}
			if strings.Contains(r.Out.String(), "FAULT") {
				t.Errorf("ptp4l takes what it hears for a fault")
			}
			for reason := range port.Refused {
				if !slices.Contains(busy, reason) {
					t.Errorf("refused: %v", port.Refused)
				}
			}
			m := middle(r.measurements())
			if off := time.Duration(*report.Offset*1e9) + m.offset; off.Abs() > time.Duration(port.MaxError*1e9)+m.delay {
				t.Errorf("ptp4l measures %v over %v, the gateway's offset is %v s ± %v s", m.offset, m.delay, *report.Offset, port.MaxError)
			}
		})
	}
}

// busy are the reasons of a machine that does something else, or has no stamp yet.
var busy = []string{"late", "no-stamp", "unsynchronized"}

// way is one in which time is served: what more is in [ptp], and what tells ptp4l.
type way struct{ name, gateway, receiver string }

var ways = []way{
	{"e2e udp4", "", ""},
	{"p2p udp4", peers, "delay_mechanism P2P"},
	{"e2e udp6", ipv6, "network_transport UDPv6"},
	{"p2p udp6", peers + ipv6, "delay_mechanism P2P\nnetwork_transport UDPv6"},
}

// A receiver may ask by unicast, which spares the others the answers.
func TestHybridReceiver(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.startServer()
	g := l.startGateway("")
	r := l.ptp4l(l.rx, "rx0", "slaveOnly 1\nhybrid_e2e 1")
	program.Eventually(t, 25*time.Second, "ptp4l measures", func() bool { return len(r.measurements()) >= 3 })
	if off := ahead + middle(r.measurements()).offset; off.Abs() > 5*time.Millisecond {
		t.Errorf("ptp4l measures %v", r.measurements())
	}
	if p := g.port(); p.Answered == 0 {
		t.Errorf("nothing was answered: %+v", p)
	}
}

// Between grandmasters a receiver takes the one that is worth more, and priority1 overrules that.
func TestBetterGrandmasterWins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, gateway, other string
		gatewayWins          bool
	}{
		{"a default ptp4l has nothing behind it", "", "", true},
		{"a reference clock is nearer", "", "clockClass 6\nclockAccuracy 0x21", false},
		{"the operator's will", "priority1 = 1", "clockClass 6\nclockAccuracy 0x21", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t)
			// A second wire, to the other grandmaster: the receiver hears both through a bridge.
			om := netns.New(t)
			l.rx.IP("link", "add", "om1", "type", "veth", "peer", "name", "om0", "netns", om.Name())
			om.IP("addr", "add", "10.79.1.3/24", "dev", "om0")
			om.IP("link", "set", "om0", "up")
			l.rx.IP("link", "add", "re1", "type", "veth", "peer", "name", "re0")
			l.rx.IP("addr", "add", "10.79.1.4/24", "dev", "re0")
			l.rx.IP("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
			for _, link := range []string{"rx0", "om1", "re1"} {
				l.rx.IP("link", "set", link, "master", "br0")
			}
			for _, link := range []string{"br0", "om1", "re1", "re0"} {
				l.rx.IP("link", "set", link, "up")
			}
			l.startServer()
			g := l.startGateway(tt.gateway)
			g.waitState(10*time.Second, ptp.StateServing)
			l.ptp4l(om, "om0", tt.other)
			r := l.ptp4l(l.rx, "re0", "slaveOnly 1")
			want := g.ptp().Identity
			if !tt.gatewayWins { // one that loses falls silent
				program.Eventually(t, 15*time.Second, "the gateway notices the other", func() bool { return g.port().Refused["other-grandmaster"] > 3 })
				want = g.port().OtherMaster
			}
			var got string
			program.Eventually(t, 15*time.Second, "the receiver chooses", func() bool {
				got = strings.ReplaceAll(r.ask("PARENT_DATA_SET")["grandmasterIdentity"], ".", "")
				return got == want
			})
			if p := g.port(); p.State != ptp.StateServing {
				t.Errorf("another grandmaster changed the port: %+v", p)
			}
		})
	}
}

// The port waits for an interface that goes, or is not there yet, and says so.
func TestInterfaceComesAndGoes(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.gateway.IP("link", "del", "gw0")
	l.startServer()
	g := l.startGateway("")
	g.waitState(10*time.Second, ptp.StateWaiting)
	if p := g.port(); !strings.Contains(p.Error, "gw0 is not there") {
		t.Errorf("%+v", p)
	}
	l.wire()
	g.waitState(15*time.Second, ptp.StateServing)
	l.gateway.IP("link", "set", "gw0", "down")
	g.waitState(10*time.Second, ptp.StateWaiting)
	l.gateway.IP("link", "set", "gw0", "up")
	g.waitState(15*time.Second, ptp.StateServing)
	l.gateway.IP("addr", "del", "10.79.1.1/24", "dev", "gw0")
	g.waitState(2*time.Second, ptp.StateWaiting)
	if p := g.port(); !strings.Contains(p.Error, "it has no IPv4 address") {
		t.Errorf("%+v", p)
	}
	l.gateway.IP("addr", "add", "10.79.1.1/24", "dev", "gw0")
	g.waitState(15*time.Second, ptp.StateServing)
	before := g.port().Synced
	program.Eventually(t, 10*time.Second, "the time is sent again", func() bool { return g.port().Synced > before })
	if n := strings.Count(g.Out.String(), "PTP waits for an interface"); n > 6 {
		t.Errorf("the log says %d times what it waits for", n)
	}
}

// Over IPv6 the addresses go with the link, and one is to be had again only when no other has it.
func TestIPv6ComesAndGoes(t *testing.T) {
	t.Parallel()
	g, n := servingWith(t, peers+ipv6)
	for range 2 {
		g.l.gateway.IP("link", "set", "gw0", "down")
		g.waitState(10*time.Second, ptp.StateWaiting)
		g.l.gateway.IP("link", "set", "gw0", "up")
		g.waitState(15*time.Second, ptp.StateServing)
		program.Eventually(t, 10*time.Second, "neighbours are answered", func() bool { return n.exchangePeer() == nil })
	}
	g.l.gateway.IP("-6", "addr", "flush", "dev", "gw0")
	program.Eventually(t, 10*time.Second, "it waits for an address", func() bool { return strings.Contains(g.port().Error, "it has no IPv6 address") })
	g.l.gateway.IP("addr", "add", "fd79::7/64", "dev", "gw0")
	g.waitState(15*time.Second, ptp.StateServing)
	if err := n.exchangePeer(); err != nil {
		t.Error(err)
	}
}

// An interface that can never serve is a mistake in the configuration.
func TestLoopbackIsUnfit(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.startServer()
	g := l.configure("")
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	program.Write(t, g.config, strings.Replace(string(text), `"gw0"`, `"lo"`, 1))
	cmd := l.gateway.Command(program.Path(), "run", "-config", g.config)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 78 || !strings.Contains(string(out), "interface lo is not fit for PTP: it has no hardware address to name the clock by; name an Ethernet or Wi-Fi interface") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// A port that another program has takes nothing with it: the gateway says what to do, and serves when it is free.
func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.startServer()
	r := l.ptp4l(l.gateway, "gw0", "slaveOnly 1")
	program.Eventually(t, 10*time.Second, "ptp4l has the ports", func() bool {
		out, _ := l.gateway.Command("cat", "/proc/net/udp").Output()
		return strings.Contains(string(out), ":013F ") && strings.Contains(string(out), ":0140 ")
	})
	g := l.startGateway("")
	program.Eventually(t, 10*time.Second, "the gateway says who has the port", func() bool {
		r := g.report()
		return r != nil && slices.ContainsFunc(r.Warnings, func(w discipline.Warning) bool {
			return w.ID == "ptp-port" && strings.Contains(w.Text, "UDP port 319 on gw0: address already in use; another PTP program has it: stop it, or leave gw0 out of interfaces")
		})
	})
	r.Stop()
	g.waitState(90*time.Second, ptp.StateServing)
	if w := g.report().Warnings; slices.ContainsFunc(w, func(w discipline.Warning) bool { return w.ID == "ptp-port" }) {
		t.Errorf("the port is free, yet: %v", w)
	}
}
