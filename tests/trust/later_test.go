package trust

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/certs/revocation"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/program"
)

// A server that is revoked while its session stands loses the session and its cookies at the next
// check, which a SIGHUP brings forward. With another certificate it is welcome again.
func TestRevokedLater(t *testing.T) {
	t.Parallel()
	_, sections := honest(t, certstest.New(t), 3, 0)
	type player struct {
		name string
		pki  *certstest.PKI
		turn turn
	}
	var list []player
	for _, c := range []struct {
		name string
		leaf certstest.Leaf
	}{{"by OCSP", certstest.Leaf{}}, {"by CRL", certstest.Leaf{NoOCSP: true}}} {
		pki := certstest.New(t)
		cert := pki.Issue(t, c.leaf)
		s := newServer(t, cert, 0)
		list = append(list, player{c.name, pki, turn{server: s, name: c.name, bad: cert, good: pki.Issue(t, c.leaf), why: certs.WhyRevoked}})
		sections = append(sections, s.section(c.name, pki.CAFile(t), `revocation = "prefer"`))
	}
	g := newGateway(t, "", sections...).start()
	before := g.await(t, "all are used", func(r *status.Report) bool {
		return synced(r) && believed(source(t, r, "by OCSP")) && believed(source(t, r, "by CRL"))
	})
	for _, p := range list {
		p.pki.Responder.Revoke(p.turn.bad.Leaf.SerialNumber)
		p.turn.server.ahead.Store(int64(lie))
	}
	g.hangUp()
	for _, p := range list {
		r := g.await(t, p.name+" is refused", func(r *status.Report) bool { return source(t, r, p.name).State == "denied" })
		s := source(t, r, p.name)
		if s.Rejected[certs.WhyRevoked] == 0 || s.Cookies != 0 || s.Reach != 0 {
			t.Errorf("%s: %+v", p.name, s)
		}
		p.turn.onlyFor(t, source(t, before, p.name), s)
		holds(t, r, before.Epoch, 0)
		// What it holds is no good for a new session either.
		again := g.await(t, "refused again", func(r *status.Report) bool {
			return source(t, r, p.name).Rejected[certs.WhyRevoked] > s.Rejected[certs.WhyRevoked]
		})
		if source(t, again, p.name).Sent != s.Sent {
			t.Errorf("%s was asked for the time after it was revoked", p.name)
		}
	}
	for _, p := range list {
		p.turn.server.show(p.turn.good, 0)
	}
	after := g.await(t, "all are used again", func(r *status.Report) bool {
		return synced(r) && believed(source(t, r, "by OCSP")) && believed(source(t, r, "by CRL"))
	})
	holds(t, after, before.Epoch, 0)
}

// The operator no longer trusts a majority, whose keys were stolen, and has its authority, pins or names read again: what
// they decided before doesn't stand either, and the rest is too few to decide anything.
func TestDistrustedMajority(t *testing.T) {
	t.Parallel()
	pki, other := certstest.New(t), certstest.New(t)
	for name, distrust := range map[string]func(t *testing.T, g *gateway, ca string){
		"authority": func(t *testing.T, _ *gateway, ca string) { replace(t, ca, read(t, other.CAFile(t))) },
		"pin": func(t *testing.T, g *gateway, _ string) {
			pin := certs.PinOf(other.Issue(t, certstest.Leaf{}).Leaf).String()
			program.Write(t, g.config(), strings.ReplaceAll(read(t, g.config()), "# here", fmt.Sprintf("pins = [%q]", pin)))
			g.hangUp()
		},
		"name": func(t *testing.T, g *gateway, _ string) {
			program.Write(t, g.config(), strings.ReplaceAll(read(t, g.config()), "# here", `names = ["other.example"]`))
			g.hangUp()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, sections := honest(t, certstest.New(t), 1, 0)
			ca := filepath.Join(t.TempDir(), "ca.pem")
			program.Write(t, ca, read(t, pki.CAFile(t)))
			for _, name := range []string{"stolen", "stolen too"} {
				sections = append(sections, newServer(t, pki.Issue(t, certstest.Leaf{}), 0).section(name, ca, "# here"))
			}
			g := newGateway(t, "", sections...).start()
			g.await(t, "all are used", allUsed)
			distrust(t, g, ca)
			g.await(t, "nothing is served any more", func(r *status.Report) bool {
				return source(t, r, "stolen").State == "denied" && source(t, r, "stolen too").State == "denied" && r.Time == ""
			})
		})
	}
}

// The same by a local list, which is read again when it is replaced; what is no sound list replaces
// nothing.
func TestRevokedByALocalList(t *testing.T) {
	t.Parallel()
	_, sections := honest(t, certstest.New(t), 3, 0)
	pki := certstest.New(t)
	leaf := certstest.Leaf{NoOCSP: true, NoCRL: true}
	cert, spare := pki.Issue(t, leaf), pki.Issue(t, leaf)
	s := newServer(t, cert, 0)
	file := filepath.Join(t.TempDir(), "list.crl")
	list := func(b certstest.Behaviour) string { return string(pki.Responder.List(pki.Intermediate, b)) }
	program.Write(t, file, list(certstest.Honest))
	sections = append(sections, s.section("tested", pki.CAFile(t), `revocation = "require"`))
	g := newGateway(t, fmt.Sprintf("[trust]\ncrl = [%q]\n", file), sections...).start()

	is := func(what string, ok func(status.Source) bool) *status.Report {
		t.Helper()
		return g.await(t, what, func(r *status.Report) bool { return synced(r) && ok(source(t, r, "tested")) })
	}
	refusedFor := func(why string) {
		t.Helper()
		had := source(t, g.report(), "tested").Rejected[why]
		r := is("refused: "+why, func(s status.Source) bool { return s.State == "denied" && s.Rejected[why] > had })
		if n := source(t, r, "tested").Cookies; n != 0 {
			t.Errorf("%d cookies are left", n)
		}
	}
	before := is("used", believed)

	half := list(certstest.Honest)
	program.Write(t, file, half[:len(half)/2])
	r := g.await(t, "half a list is refused", func(r *status.Report) bool { return warned(r, "trust-file-refused", file) })
	if s := source(t, r, "tested"); !believed(s) || g.refusals(t, certs.WhyBadFile) == 0 {
		t.Errorf("half a list: %+v", s)
	}

	pki.Responder.Revoke(cert.Leaf.SerialNumber)
	replace(t, file, list(certstest.Honest))
	refusedFor(certs.WhyRevoked)
	s.show(spare, 0)
	r = is("used with another certificate", believed)
	if warned(r, "trust-file-refused", "") {
		t.Error("the warning stays")
	}

	replace(t, file, list(certstest.WrongKey))
	refusedFor(revocation.WhyCRLWrongSigner)
	replace(t, file, list(certstest.Stale))
	refusedFor(revocation.WhyCRLStale)
	replace(t, file, list(certstest.Honest))
	holds(t, is("used with a sound list", believed), before.Epoch, 0)
}
