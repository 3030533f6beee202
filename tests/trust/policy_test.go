package trust

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/certs/revocation"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/program"
)

// Pins that trust nobody and servers that may not be contacted are mistakes of the configuration: the
// program says where, and does not start.
func TestMistakesInTheConfiguration(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	s := newServer(t, pki.Issue(t, certstest.Leaf{}), 0)
	for _, c := range []struct{ name, lines, says string }{
		{"server outside [trust] servers", "[trust]\nservers = [\"nts.example.net\"]", "is not in [trust] servers"},
		{"empty pin list", `pin_mode = "replace"`, "needs at least one pin"},
		{"empty pin list, written", "pins = []\npin_mode = \"replace\"", "needs at least one pin"},
		{"no pin", `pins = ["sha256/abc"]`, "is not a pin"},
		{"key without a certificate", `key = "client.key"`, "cert"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, "", s.section("a", pki.CAFile(t), c.lines))
			out, code := program.Run(t, "", "run", "-config", g.config())
			if code != 78 || !strings.Contains(out, c.says) || !strings.Contains(out, g.config()+":") {
				t.Errorf("%d\n%s", code, out)
			}
		})
	}
	if n := s.made.Load(); n != 0 {
		t.Errorf("contacted %d times", n)
	}
}

// Outside [trust] servers nobody is contacted, a negotiated time server included.
func TestTrustedServers(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	_, sections := honest(t, pki, 3, 0)
	led := newServer(t, pki.Issue(t, certstest.Leaf{}), lie)
	led.stop()
	led.sendTo = "localhost"
	led.start(t)
	g := newGateway(t, "[trust]\nservers = [\"127.0.0.1\", \"nts.example.net\"]\n", append(sections, led.section("led", pki.CAFile(t)))...).start()
	const why = certs.WhyNotTrusted
	r := g.await(t, "refused", func(r *status.Report) bool {
		return synced(r) && source(t, r, "led").Rejected[why] > 0
	})
	s := source(t, r, "led")
	turn{why: why}.onlyFor(t, status.Source{}, s)
	if s.Sent != 0 || s.State != "denied" || g.refusals(t, why) == 0 {
		t.Errorf("counted %v: %+v", g.refusals(t, why), s)
	}
	holds(t, r, "", 0)
	led.stop()
	led.sendTo = ""
	led.show(*led.cert.Load(), 0)
	led.start(t)
	after := g.await(t, "used when it leads nowhere else", func(r *status.Report) bool { return believed(source(t, r, "led")) })
	holds(t, after, r.Epoch, 0)
}

// A server of TLS 1.2 only is none.
func TestOldTLS(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	_, sections := honest(t, pki, 3, 0)
	cfg := certstest.ServerConfig(pki.Issue(t, certstest.Leaf{}))
	cfg.MinVersion, cfg.MaxVersion = 0x303, 0x303
	old := &server{t: t, ke: certstest.Serve(t, cfg)}
	g := newGateway(t, "", append(sections, old.section("old", pki.CAFile(t)))...).start()
	r := g.await(t, "refused", func(r *status.Report) bool { return synced(r) && source(t, r, "old").Rejected["ke-tls"] > 1 })
	turn{why: "ke-tls"}.onlyFor(t, status.Source{}, source(t, r, "old"))
	if s := source(t, r, "old"); s.Sent != 0 || !strings.Contains(s.LastError, "TLS 1.3") {
		t.Errorf("%+v", s)
	}
	holds(t, r, "", 0)
}

// Answers about revocation are kept: a gateway that starts again while no responder answers accepts
// what was good under "require", and refuses what was revoked.
func TestAnswersSurviveARestart(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	cert := pki.Issue(t, certstest.Leaf{})
	revoked := pki.Issue(t, certstest.Leaf{})
	pki.Responder.Revoke(revoked.Leaf.SerialNumber)
	var sections []string
	for i := range 3 {
		sections = append(sections, newServer(t, cert, 0).section(letter(i), pki.CAFile(t), `revocation = "require"`))
	}
	bad := newServer(t, revoked, lie)
	sections = append(sections, bad.section("bad", pki.CAFile(t), `revocation = "prefer"`))
	g := newGateway(t, "", sections...)
	for range 2 {
		g.start()
		r := g.await(t, "synchronized, and the revoked refused", func(r *status.Report) bool {
			return synced(r) && source(t, r, "bad").Rejected[certs.WhyRevoked] > 0
		})
		turn{why: certs.WhyRevoked}.onlyFor(t, status.Source{}, source(t, r, "bad"))
		holds(t, r, "", 0)
		g.stop()
		pki.Responder.Down(true)
	}
	// Without them nobody can say.
	if err := os.RemoveAll(g.state() + "/revocation"); err != nil {
		t.Fatal(err)
	}
	g.start()
	g.await(t, "refused", func(r *status.Report) bool {
		if r.Time != "" {
			t.Fatalf("served in the state %s", r.State)
		}
		return source(t, r, "a").Rejected[revocation.WhyUnreachable] > 0 && source(t, r, "c").Rejected[revocation.WhyUnreachable] > 0
	})
	pki.Responder.Down(false)
}

// What ends soon is named on the page and in the metrics.
func TestExpiryIsWarnedOf(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	soon := certstest.Leaf{NotBefore: pki.Now.Add(-83 * day), NotAfter: pki.Now.Add(7*day - time.Hour)}
	aged := certstest.NewAt(t, pki.Now.Add(-90*day))
	aged.Now = pki.Now
	s := newServer(t, aged.Issue(t, soon), 0)
	g := newGateway(t, "", s.section("ends soon", aged.CAFile(t))).start()
	r := g.await(t, "warned", func(r *status.Report) bool { return warned(r, "certificate-expires", "within 7 days") })
	if !warned(r, "certificate-expires", "ends soon") || !warned(r, "single-source", "") {
		t.Errorf("%v", r.Warnings)
	}
	if g.metric(t, fmt.Sprintf("ntsgw_warning{id=%q}", "certificate-expires")) != 1 {
		t.Error("no metric")
	}
}
