// Package chain runs the built program against real peers: chrony as NTS server and client,
// mosquitto as broker, and servers that answer wrongly on purpose.
package chain

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

func TestMain(m *testing.M) { program.Main(m, 0) }

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if _, err := os.Stat("/usr/sbin/" + p); err != nil {
				t.Skipf("%s is not installed: make test installs it when run as root", p)
			}
		}
	}
}

// chronyServer is chronyd as an NTS server that serves the host clock at stratum 1.
type chronyServer struct {
	*program.Process
	ke  string
	dir string
}

func startChrony(t *testing.T, pki *certstest.PKI) *chronyServer {
	t.Helper()
	need(t, "chronyd")
	s := &chronyServer{dir: program.Folder(t)}
	ke, ntp := loopback.Port(t), loopback.Port(t)
	s.ke = fmt.Sprintf("127.0.0.1:%d", ke)
	cert, key := certstest.WritePair(t, s.dir, "server", pki.Issue(t, certstest.Leaf{}))
	conf := fmt.Sprintf("ntsservercert %s\nntsserverkey %s\nntsport %d\nport %d\nlocal stratum 1\nallow 127.0.0.1\ncmdport 0\nbindcmdaddress /\npidfile %s/pid\nntsdumpdir %s\nuser root\n",
		cert, key, ke, ntp, s.dir, s.dir)
	program.Write(t, filepath.Join(s.dir, "chrony.conf"), conf)
	s.Process = program.Start(t, program.Noclock("chronyd", "-x", "-d", "-f", filepath.Join(s.dir, "chrony.conf")))
	program.Eventually(t, 5*time.Second, "chronyd listens", func() bool {
		c, err := net.Dial("tcp", s.ke)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return s
}

// gateway is the built program, observing.
type gateway struct {
	*program.Process
	t      *testing.T
	dir    string
	config string
	socket string
	broker string // of the embedded broker
	page   string
}

// startGateway runs the program. servers are lines of [[server]] sections; extra is added as it is.
func startGateway(t *testing.T, servers, mqtt, extra string) *gateway {
	t.Helper()
	g := newGateway(t, servers, mqtt, extra)
	g.Process = program.Start(t, program.Command("run", "-config", g.config))
	return g
}

// startWithServer runs the program with one honest server, and gives what it reports once it is synchronized.
func startWithServer(t *testing.T) (*gateway, *upstreamtest.Server, *status.Report) {
	t.Helper()
	ca := upstreamtest.NewCA(t)
	s := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	dir := program.Folder(t)
	program.Write(t, dir+"/ca.pem", string(ca.PEM()))
	g := startGateway(t, server(s.Address, dir+"/ca.pem"), "", "")
	return g, s, g.waitSynced(10 * time.Second)
}

// newGateway writes the configuration of a gateway that the caller starts.
func newGateway(t *testing.T, servers, mqtt, extra string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: program.Folder(t)}
	g.config, g.socket = filepath.Join(g.dir, "ntsgw.toml"), filepath.Join(g.dir, "s")
	g.page = fmt.Sprintf("127.0.0.1:%d", loopback.Port(t))
	g.broker = fmt.Sprintf("127.0.0.1:%d", loopback.Port(t))
	if mqtt == "" {
		mqtt = fmt.Sprintf("listen = %q\n", g.broker)
	}
	program.Write(t, g.config, fmt.Sprintf(`[gateway]
id = "gw1"
state_dir = "state"
[clock]
mode = "observe"
[status]
listen = %q
socket = "s"
[mqtt]
interval = "1s"
%s
%s
%s`, g.page, mqtt, extra, servers))
	return g
}

// apart is how far, in seconds, the host clock may go from the raw clock between a measurement and when it is held
// against the host clock, on a machine that does something else in between and whose clock is being steered.
const apart = 100e-6

func server(address, ca string) string {
	return fmt.Sprintf("[[server]]\naddress = %q\nca = %q\nmin_poll = \"1s\"\nmax_poll = \"2s\"\nrevocation = \"off\"\n", address, ca)
}

// report asks over the control socket; nil when nobody answers yet.
func (g *gateway) report() *status.Report { return program.Report(g.socket) }

func (g *gateway) mustReport() *status.Report {
	g.t.Helper()
	return program.MustReport(g.t, g.socket)
}

func (g *gateway) waitSynced(within time.Duration) *status.Report {
	g.t.Helper()
	return program.Synced(g.t, within, g.socket)
}

// run runs one more command of the program and returns what it printed.
func (g *gateway) run(stdin string, args ...string) (string, int) {
	g.t.Helper()
	return program.Run(g.t, stdin, args...)
}

// onlineKey is the public key that beacons are signed with.
func (g *gateway) onlineKey() string {
	g.t.Helper()
	out, code := g.run("", "keys", "-json", "-config", g.config)
	var list struct {
		Keys []struct{ Role, State, Public string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		g.t.Fatalf("keys -json: %v\n%s", err, out)
	}
	for _, k := range list.Keys {
		if k.Role == "online" && k.State == "current" {
			if _, err := hex.DecodeString(k.Public); err != nil {
				g.t.Fatal(err)
			}
			return k.Public
		}
	}
	g.t.Fatalf("no online key:\n%s", out)
	return ""
}
