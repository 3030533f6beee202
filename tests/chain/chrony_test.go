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
	"github.com/ntsgw/ntsgw/tests/program"
)

// The server serves the host clock, so the timeline's true error is its difference to the host clock.
func TestGatewayFollowsChrony(t *testing.T) {
	pki := certstest.New(t)
	chrony := startChrony(t, pki)
	began := time.Now()
	g := startGateway(t, server(chrony.ke, pki.CAFile(t)), "", "")
	r := g.waitSynced(10 * time.Second)
	t.Logf("synchronized after %v, maximum error %v s", time.Since(began).Round(time.Millisecond), *r.MaxError)
	if !r.NTS || r.SourceStratum != 1 || r.Stratum != 2 {
		t.Errorf("nts %v, source stratum %d, stratum %d", r.NTS, r.SourceStratum, r.Stratum)
	}
	worst := 0.0
	for range 60 {
		r := g.mustReport()
		if r.MaxError == nil || math.Abs(*r.Offset) > *r.MaxError {
			t.Fatalf("true error %v is outside the bound %v", *r.Offset, r.MaxError)
		}
		worst = max(worst, math.Abs(*r.Offset)/(*r.MaxError))
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("largest true error: %.2f of the bound", worst)

	if out, code := g.run("", "status", "-config", g.config); code != 0 || !strings.Contains(out, "Synchronized. One server is followed, authenticated by NTS.") {
		t.Errorf("status: %d\n%s", code, out)
	}
	if out, code := g.run("", "sources", "-config", g.config); code != 0 || !strings.Contains(out, "selected") {
		t.Errorf("sources: %d\n%s", code, out)
	}
	if out, code := g.run("", "wait", "-max-error", "1us", "-timeout", "3s", "-config", g.config); code != 4 || !strings.Contains(out, "maximum error is still") {
		t.Errorf("wait for the impossible: %d\n%s", code, out)
	}

	// The server stops: holdover, with a bound that grows and stays true.
	chrony.Stop()
	program.Eventually(t, 60*time.Second, "holdover", func() bool { return g.mustReport().State == "holdover" })
	first := *g.mustReport().MaxError
	time.Sleep(time.Second)
	r = g.mustReport()
	if *r.MaxError <= first || math.Abs(*r.Offset) > *r.MaxError {
		t.Errorf("holdover: bound %v after %v, true error %v", *r.MaxError, first, *r.Offset)
	}
	if out, code := g.run("", "status", "-config", g.config); code != 0 || !strings.Contains(out, "Holdover") {
		t.Errorf("status in holdover: %d\n%s", code, out)
	}
}

func TestQueryAgainstChrony(t *testing.T) {
	pki := certstest.New(t)
	chrony := startChrony(t, pki)
	g := &gateway{t: t}
	out, code := g.run("", "query", chrony.ke, "-ca", pki.CAFile(t), "-revocation", "off", "-json")
	var r struct {
		AEAD        int     `json:"aead"`
		Cookies     int     `json:"cookies"`
		Stratum     int     `json:"stratum"`
		Offset      float64 `json:"offset_seconds"`
		Delay       float64 `json:"delay_seconds"`
		Certificate struct {
			Pin string `json:"spki_pin"`
		} `json:"certificate"`
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Fatalf("%d %v\n%s", code, err, out)
	}
	if r.AEAD != 15 || r.Cookies != 8 || r.Stratum != 1 || r.Delay <= 0 || math.Abs(r.Offset) > r.Delay/2+apart || !strings.HasPrefix(r.Certificate.Pin, "sha256/") {
		t.Errorf("%+v", r)
	}
	if out, code := g.run("", "query", "-ca", pki.CAFile(t), chrony.ke, "-revocation", "off"); code != 0 || !strings.Contains(out, "15 (AES-SIV-CMAC-256)") {
		t.Errorf("%d\n%s", code, out)
	}
	if out, code := g.run("", "query", chrony.ke); code != 1 || !strings.Contains(out, "certificate is refused") {
		t.Errorf("without the authority: %d\n%s", code, out)
	}
}

// chronyd as a client of the gateway's NTS server: its own word that it is synchronized.
func TestChronyFollowsTheGateway(t *testing.T) {
	pki := certstest.New(t)
	need(t, "chronyc")
	chrony := startChrony(t, pki)
	dir := program.Folder(t)
	cert, key := certstest.WritePair(t, dir, "gateway", pki.Issue(t, certstest.Leaf{}))
	ke, ntp := loopback.Port(t), loopback.Port(t)
	g := startGateway(t, server(chrony.ke, pki.CAFile(t)), "", fmt.Sprintf("[nts_server]\nlisten = \"127.0.0.1:%d\"\nntp_listen = \"127.0.0.1:%d\"\ncert = %q\nkey = %q\n", ke, ntp, cert, key))
	g.waitSynced(10 * time.Second)

	sockets := filepath.Join(dir, "c")
	if err := os.Mkdir(sockets, 0o770); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(sockets, "c.sock")
	conf := filepath.Join(dir, "client.conf")
	program.Write(t, conf, fmt.Sprintf("server 127.0.0.1 nts ntsport %d port %d iburst minpoll 0 maxpoll 2\nntstrustedcerts %s\nport 0\ncmdport 0\nbindcmdaddress %s\npidfile %s/pid\nuser root\n",
		ke, ntp, pki.CAFile(t), socket, dir))
	program.Start(t, program.Noclock("chronyd", "-x", "-d", "-f", conf))
	ask := func(what string) string {
		out, _ := exec.Command("chronyc", "-h", socket, "-c", what).Output()
		return string(out)
	}
	program.Eventually(t, 20*time.Second, "chronyd selects the gateway", func() bool {
		return strings.HasPrefix(ask("sources"), "^,*,127.0.0.1,2,")
	})
	if auth := ask("authdata"); !strings.Contains(auth, "NTS") {
		t.Errorf("authdata: %s", auth)
	}
	if r := g.mustReport(); r.Downstream["nts"].(map[string]any)["answered"].(float64) == 0 {
		t.Errorf("the gateway answered nobody: %v", r.Downstream["nts"])
	}
}
