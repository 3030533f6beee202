// Package ptp runs the built program as a PTP grandmaster in a network of its own, beside linuxptp's ptp4l and
// a node that sends whatever a test wants.
//
// Nothing here sets a clock: ptp4l runs free. The gateway's time is 40 ms off the host's, so that nothing but its
// messages can explain what a receiver measures.
package ptp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/downstream/ptp"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/netns"
	"github.com/ntsgw/ntsgw/tests/program"
)

func TestMain(m *testing.M) { program.Main(m, 4) }

// ahead is how far the server's clock, and so the timeline, is ahead of the host's.
const ahead = 40 * time.Millisecond

// lan is two namespaces with a wire between them: the gateway has gw0, the receiver rx0.
type lan struct {
	t           testing.TB
	gateway, rx *netns.Namespace
	dir         string
}

func newLAN(t testing.TB) *lan {
	t.Helper()
	l := &lan{t: t, gateway: netns.New(t), rx: netns.New(t), dir: program.Folder(t)}
	l.wire()
	return l
}

// wire lays the wire.
func (l *lan) wire() {
	l.t.Helper()
	l.gateway.IP("link", "add", "gw0", "type", "veth", "peer", "name", "rx0", "netns", l.rx.Name())
	l.gateway.IP("addr", "add", "10.79.1.1/24", "dev", "gw0")
	l.rx.IP("addr", "add", "10.79.1.2/24", "dev", "rx0")
	l.gateway.IP("addr", "add", "fd79::1/64", "dev", "gw0", "nodad")
	l.rx.IP("addr", "add", "fd79::2/64", "dev", "rx0", "nodad")
	l.rx.IP("link", "set", "rx0", "up")
	l.gateway.IP("link", "set", "gw0", "up")
	program.Eventually(l.t, 5*time.Second, "the wire carries", func() bool {
		out, err := l.gateway.Command("ip", "link", "show", "gw0").CombinedOutput()
		return err == nil && bytes.Contains(out, []byte("state UP"))
	})
}

// gateway is the built program in its namespace, observing.
type gateway struct {
	*program.Process
	l      *lan
	config string
}

// startServer starts the NTS server that the gateway asks.
func (l *lan) startServer() *program.Process {
	l.t.Helper()
	p := program.Start(l.t, l.gateway.Command(program.Path(), "lab", "server", "-dir", l.dir, "-server-offset", ahead.String(), "-server-drift", "0",
		"-listen", "127.0.0.1:4460", "-ntp-listen", "127.0.0.1:123"))
	program.Eventually(l.t, 5*time.Second, "the lab's server starts", func() bool { _, err := os.Stat(filepath.Join(l.dir, "ca.pem")); return err == nil })
	return p
}

// startGateway starts the program; more is added to [ptp].
func (l *lan) startGateway(more string) *gateway {
	l.t.Helper()
	g := l.configure(more)
	g.Process = program.Start(l.t, l.gateway.Command(program.Path(), "run", "-config", g.config))
	return g
}

func (l *lan) configure(more string) *gateway {
	l.t.Helper()
	g := &gateway{l: l, config: filepath.Join(l.dir, "ntsgw.toml")}
	program.Write(l.t, g.config, fmt.Sprintf(`[gateway]
id = "gw1"
state_dir = "state"
[clock]
mode = "observe"
[mqtt]
enabled = false
[status]
listen = ""
socket = "s"
[ptp]
interfaces = ["gw0"]
%s
[[server]]
address = "localhost:4460"
ca = "ca.pem"
min_poll = "1s"
max_poll = "2s"
revocation = "off"
`, more))
	return g
}

// report asks over the control socket; nil when nobody answers yet.
func (g *gateway) report() *status.Report { return program.Report(filepath.Join(g.l.dir, "s")) }

// ptp is what the gateway says of PTP; one empty port while nobody answers.
func (g *gateway) ptp() ptp.Status {
	s := ptp.Status{Ports: []ptp.Port{{}}}
	if r := g.report(); r != nil {
		b, err := json.Marshal(r.Downstream["ptp"])
		if err = errors.Join(err, json.Unmarshal(b, &s)); err != nil || len(s.Ports) != 1 {
			g.l.t.Fatalf("the status is %s: %v", b, err)
		}
	}
	return s
}

// port is what it says of gw0.
func (g *gateway) port() ptp.Port { return g.ptp().Ports[0] }

func (g *gateway) waitState(within time.Duration, state string) {
	g.l.t.Helper()
	program.Eventually(g.l.t, within, "the port is "+state, func() bool { return g.port().State == state })
}

// receiver is ptp4l as a free-running receiver.
type receiver struct {
	*program.Process
	l    *lan
	conf string
}

// ptp4l starts linuxptp on an interface.
func (l *lan) ptp4l(n *netns.Namespace, link, more string) *receiver {
	l.t.Helper()
	if _, err := exec.LookPath("ptp4l"); err != nil {
		if _, err := os.Stat("/usr/sbin/ptp4l"); err != nil {
			l.t.Skip("ptp4l is not installed (package linuxptp): make test installs it when run as root")
		}
	}
	r := &receiver{l: l, conf: filepath.Join(l.dir, link)}
	program.Write(l.t, r.conf, fmt.Sprintf("[global]\nfree_running 1\ntime_stamping software\nsummary_interval -4\nuse_syslog 0\nverbose 1\nuds_address %s.uds\n%s\n[%s]\n", r.conf, more, link))
	r.Process = program.Start(l.t, n.Command("ptp4l", "-f", r.conf))
	return r
}

var measured = regexp.MustCompile(`master offset +(-?\d+) s\d freq +\S+ path delay +(-?\d+)`)

// measurement is what ptp4l says: the receiver's clock minus the grandmaster's, and the delay of the way.
type measurement struct{ offset, delay time.Duration }

// measurements are all since the first one that knew the delay.
func (r *receiver) measurements() (list []measurement) {
	for _, m := range measured.FindAllStringSubmatch(r.Out.String(), -1) {
		offset, _ := strconv.ParseInt(m[1], 10, 64)
		delay, _ := strconv.ParseInt(m[2], 10, 64)
		if delay > 0 {
			list = append(list, measurement{time.Duration(offset), time.Duration(delay)})
		}
	}
	return list
}

// middle is the measurement with the median offset: a machine that does something else holds up one or another.
func middle(list []measurement) measurement {
	slices.SortFunc(list, func(a, b measurement) int { return cmp.Compare(a.offset, b.offset) })
	return list[len(list)/2]
}

// ask gives the fields of a data set, as pmc prints them. pmc waits a tenth of a second for an answer, then
// prints none: it asks until there is one.
func (r *receiver) ask(set string) map[string]string {
	r.l.t.Helper()
	fields := map[string]string{}
	program.Eventually(r.l.t, 20*time.Second, "ptp4l answers pmc", func() bool {
		out, err := program.Noclock("pmc", "-u", "-b", "0", "-s", r.conf+".uds", "-i", fmt.Sprintf("%s.pmc", r.conf), "GET "+set).CombinedOutput()
		if err != nil {
			r.l.t.Fatalf("pmc: %v: %s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if f := strings.Fields(line); len(f) == 2 {
				fields[f[0]] = f[1]
			}
		}
		return len(fields) > 0
	})
	return fields
}
