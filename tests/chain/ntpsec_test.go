package chain

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/netns"
	"github.com/ntsgw/ntsgw/tests/program"
)

// ntpsec's ntpd has a fixed NTP port, so each test gives it a network of its own. Debian's package
// conflicts with chrony's: it is unpacked, never installed.
type ntpsec struct {
	*netns.Namespace
	t    *testing.T
	ntpd string
	dir  string
}

func newNtpsec(t *testing.T) *ntpsec {
	t.Helper()
	need(t, "apt-get", "dpkg")
	return &ntpsec{Namespace: netns.New(t), t: t, ntpd: unpackNtpsec(t), dir: program.Folder(t)}
}

// unpackNtpsec returns the path of an ntpd that runs, unpacked under the program's folder so that
// the tests of one run fetch the package once.
func unpackNtpsec(t *testing.T) string {
	t.Helper()
	cache := filepath.Join(program.Dir(), "ntpsec")
	ntpd := filepath.Join(cache, "usr/sbin/ntpd")
	if _, err := os.Stat(ntpd); err == nil {
		return ntpd
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	get := exec.Command("apt-get", "-q", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=5", "-o", "APT::Sandbox::User=root", "download", "ntpsec")
	get.Dir = cache
	if out, err := get.CombinedOutput(); err != nil {
		t.Skipf("the package ntpsec can't be downloaded: %s", lastLine(out))
	}
	debs, _ := filepath.Glob(filepath.Join(cache, "ntpsec_*.deb"))
	if len(debs) != 1 {
		t.Fatalf("%d packages were downloaded", len(debs))
	}
	if out, err := exec.Command("dpkg", "-x", debs[0], cache).CombinedOutput(); err != nil {
		t.Fatalf("dpkg -x: %v\n%s", err, out)
	}
	if out, err := program.Noclock(ntpd, "--version").CombinedOutput(); err != nil {
		os.RemoveAll(cache)
		t.Skipf("ntpsec's ntpd does not run here: %s", lastLine(out))
	}
	return ntpd
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func (n *ntpsec) start(conf string) *program.Process {
	n.t.Helper()
	file := filepath.Join(n.dir, "ntp.conf")
	program.Write(n.t, file, conf)
	return program.Start(n.t, n.Command(n.ntpd, "-n", "-g", "-c", file))
}

// ntpd serves the host clock, so the timeline's true error is its difference to the host clock.
func TestGatewayFollowsNtpsec(t *testing.T) {
	n, pki := newNtpsec(t), certstest.New(t)
	cert, key := certstest.WritePair(t, n.dir, "server", pki.Issue(t, certstest.Leaf{}))
	n.start(fmt.Sprintf("nts enable\nnts cert %s\nnts key %s\nnts cookie %s/cookie\ntos orphan 1 orphanwait 2\nrestrict default\n", cert, key, n.dir))

	var r struct {
		AEAD    int     `json:"aead"`
		Cookies int     `json:"cookies"`
		Stratum int     `json:"stratum"`
		Offset  float64 `json:"offset_seconds"`
		Delay   float64 `json:"delay_seconds"`
	}
	program.Eventually(t, 15*time.Second, "ntpd answers ntsgw query", func() bool {
		out, err := n.Command(program.Path(), "query", "localhost", "-ca", pki.CAFile(t), "-revocation", "off", "-timeout", "2s", "-json").Output()
		return err == nil && json.Unmarshal(out, &r) == nil
	})
	if r.AEAD != 15 || r.Cookies != 8 || r.Stratum != 1 || math.Abs(r.Offset) > r.Delay/2+apart {
		t.Errorf("query: %+v", r)
	}

	g := newGateway(t, server("localhost", pki.CAFile(t)), "", "")
	g.Process = program.Start(t, n.Command(program.Path(), "run", "-config", g.config))
	s := g.waitSynced(10 * time.Second)
	if !s.NTS || s.SourceStratum != 1 || s.Stratum != 2 {
		t.Errorf("nts %v, source stratum %d, stratum %d", s.NTS, s.SourceStratum, s.Stratum)
	}
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		s := g.mustReport()
		if s.MaxError == nil || math.Abs(*s.Offset) > *s.MaxError {
			t.Fatalf("true error %v is outside the bound %v", *s.Offset, s.MaxError)
		}
	}
	src := g.mustReport().Sources[0]
	delete(src.Rejected, "no-reply") // a machine that stands still for a second loses one, and a cookie with it,
	delete(src.Rejected, "late")     // or finds it late
	if src.AEAD != 15 || len(src.Rejected) > 0 {
		t.Errorf("the source after some polls: %+v", src)
	}
	program.Eventually(t, 5*time.Second, "cookies come back", func() bool { return g.mustReport().Sources[0].Cookies >= 7 })
}

// The gateway's time is 40 ms off the host's, so that nothing but its answers can explain what ntpd measures.
func TestNtpsecFollowsGateway(t *testing.T) {
	n, pki := newNtpsec(t), certstest.New(t)
	ke, ntp := loopback.Port(t), loopback.Port(t)
	// Not at 127.0.0.1: the gateway names its source by that address, and ntpd, which has it, would see a loop.
	const source = "127.0.0.2"
	program.Start(t, n.Command(program.Path(), "lab", "server", "-dir", n.dir, "-server-offset", "40ms", "-server-drift", "0", "-host", source,
		"-listen", fmt.Sprintf("%s:%d", source, ke), "-ntp-listen", fmt.Sprintf("%s:%d", source, ntp)))
	ca := filepath.Join(n.dir, "ca.pem")
	program.Eventually(t, 5*time.Second, "the lab server starts", func() bool { _, err := os.Stat(ca); return err == nil })

	cert, key := certstest.WritePair(t, n.dir, "server", pki.Issue(t, certstest.Leaf{}))
	serve, serveNTP := loopback.Port(t), loopback.Port(t)
	g := newGateway(t, server(fmt.Sprintf("%s:%d", source, ke), ca), "",
		fmt.Sprintf("[nts_server]\nlisten = \"127.0.0.1:%d\"\nntp_listen = \"127.0.0.1:%d\"\ncert = %q\nkey = %q\n", serve, serveNTP, cert, key))
	g.Process = program.Start(t, n.Command(program.Path(), "run", "-config", g.config))
	r := g.waitSynced(15 * time.Second)

	ntpd := n.start(fmt.Sprintf("server localhost:%d nts ca %s minpoll 0 maxpoll 1 iburst\ndisable ntp\nrestrict default\nstatsdir %s/\nstatistics peerstats\nfilegen peerstats file peerstats type none enable\n",
		serve, pki.CAFile(t), n.dir))
	// RFC 9327 section 2.2: configured, authentication enabled, authentic, reachable, system peer.
	const selected = 0xf600
	var last string
	program.Eventually(t, 20*time.Second, "ntpd selects the gateway", func() bool {
		text, _ := os.ReadFile(filepath.Join(n.dir, "peerstats"))
		for line := range strings.Lines(string(text)) {
			var day, second, offset, delay, dispersion, jitter float64
			var address string
			var status int
			if _, err := fmt.Sscanf(line, "%g %g %s %x %g %g %g %g", &day, &second, &address, &status, &offset, &delay, &dispersion, &jitter); err != nil {
				continue // being written
			}
			if r = g.mustReport(); r.MaxError == nil {
				t.Fatal("the gateway is not synchronized any more")
			}
			if apart := math.Abs(offset - *r.Offset); apart > delay/2+*r.MaxError {
				t.Fatalf("ntpd measures %v s with delay %v, the gateway's offset is %v ± %v", offset, delay, *r.Offset, *r.MaxError)
			}
			last = strings.TrimSpace(line)
			if status&0xff00 == selected {
				return true
			}
		}
		return false
	})
	t.Logf("peerstats: %s", last)
	if out := ntpd.Out.String(); !strings.Contains(out, fmt.Sprintf("Using port %d", serveNTP)) || !strings.Contains(out, "Got 8 cookies") {
		t.Errorf("ntpd took another port or other cookies:\n%s", program.Tail(out, 2000))
	}
}
