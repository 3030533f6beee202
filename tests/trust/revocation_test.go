package trust

import (
	"fmt"
	"testing"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/certs/revocation"
)

// A server that was trusted shows a certificate about whose revocation the authority, its responder
// or its lists say something else than "good", or nothing.
func TestRevocation(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		mode   string // require when empty
		leaf   certstest.Leaf
		staple certstest.Behaviour // none when empty
		ocsp   certstest.Behaviour
		crl    certstest.Behaviour
		revoke bool
		down   bool
		why    string
		doubt  string
	}{
		{name: "good by OCSP"},
		{name: "good by OCSP POST", ocsp: certstest.PostOnly},
		{name: "good by CRL", leaf: certstest.Leaf{NoOCSP: true}},
		{name: "good by a delegate", ocsp: certstest.Delegated},
		{name: "good by staple", staple: certstest.Honest, ocsp: certstest.Unknown, crl: certstest.HTTPError},
		{name: "CRL where OCSP fails", ocsp: certstest.HTTPError, doubt: revocation.WhyHTTP},

		{name: "revoked by OCSP", revoke: true, why: certs.WhyRevoked},
		{name: "revoked by OCSP, prefer", mode: "prefer", revoke: true, why: certs.WhyRevoked},
		{name: "revoked by CRL", mode: "prefer", leaf: certstest.Leaf{NoOCSP: true}, revoke: true, why: certs.WhyRevoked},
		{name: "revoked by staple", mode: "prefer", staple: certstest.Honest, revoke: true, down: true, why: certs.WhyRevoked},

		{name: "OCSP signed by the wrong key", ocsp: certstest.WrongKey, crl: certstest.HTTPError, why: revocation.WhyOCSPWrongSigner},
		{name: "OCSP signed by no delegate", ocsp: certstest.BadDelegate, crl: certstest.HTTPError, why: revocation.WhyOCSPDelegate},
		{name: "OCSP for another serial", ocsp: certstest.OtherSerial, crl: certstest.HTTPError, why: revocation.WhyOCSPWrongSerial},
		{name: "OCSP for another issuer", ocsp: certstest.OtherIssuer, crl: certstest.HTTPError, why: revocation.WhyOCSPWrongIssuer},
		{name: "stale", ocsp: certstest.Stale, crl: certstest.HTTPError, why: revocation.WhyOCSPStale},
		{name: "future", ocsp: certstest.Future, crl: certstest.HTTPError, why: revocation.WhyOCSPFuture},
		{name: "unknown", ocsp: certstest.Unknown, crl: certstest.HTTPError, why: revocation.WhyOCSPUnknown},
		{name: "tryLater", ocsp: certstest.TryLater, crl: certstest.HTTPError, why: revocation.WhyOCSPTryLater},
		{name: "10 MB answer", ocsp: certstest.Huge, crl: certstest.HTTPError, why: revocation.WhyTooLarge},
		{name: "slow-loris responder", ocsp: certstest.SlowLoris, crl: certstest.HTTPError, why: revocation.WhyTimeout},
		{name: "hanging responder", ocsp: certstest.Hang, crl: certstest.HTTPError, why: revocation.WhyTimeout},
		{name: "redirect loop", ocsp: certstest.RedirectLoop, crl: certstest.HTTPError, why: revocation.WhyRedirect},
		{name: "redirect to https", ocsp: certstest.ToHTTPS, crl: certstest.HTTPError, why: revocation.WhyRedirect},
		{name: "garbage", ocsp: certstest.Garbage, crl: certstest.HTTPError, why: revocation.WhyOCSPMalformed},
		{name: "responder down", down: true, why: revocation.WhyUnreachable},
		{name: "nobody to ask", leaf: certstest.Leaf{NoOCSP: true, NoCRL: true}, why: certs.WhyRevocationUnknown},
		{name: "CRL signed by the wrong key", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.WrongKey, why: revocation.WhyCRLWrongSigner},
		{name: "stale CRL", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.Stale, why: revocation.WhyCRLStale},
		{name: "future CRL", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.Future, why: revocation.WhyCRLFuture},
		{name: "delta CRL", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.DeltaOnly, why: revocation.WhyCRLUnsupported},
		{name: "10 MB CRL", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.Huge, why: revocation.WhyCRLMalformed},

		{name: "prefer, slow-loris responder", mode: "prefer", ocsp: certstest.SlowLoris, crl: certstest.HTTPError, doubt: revocation.WhyTimeout},
		{name: "prefer, responder down", mode: "prefer", down: true, doubt: revocation.WhyUnreachable},
		{name: "prefer, OCSP signed by the wrong key", mode: "prefer", ocsp: certstest.WrongKey, crl: certstest.HTTPError, doubt: revocation.WhyOCSPWrongSigner},
		{name: "off, revoked", mode: "off", revoke: true},

		{name: "an authority that signs a year ahead", mode: "prefer", ocsp: certstest.NextYear, why: certs.WhyTimeContradicted},

		{name: "must-staple with a staple", leaf: certstest.Leaf{MustStaple: true}, staple: certstest.Honest},
		{name: "staple missing under must-staple", mode: "prefer", leaf: certstest.Leaf{MustStaple: true}, why: certs.WhyStapleMissing},
		{name: "stale staple under must-staple", mode: "prefer", leaf: certstest.Leaf{MustStaple: true}, staple: certstest.Stale, why: revocation.WhyOCSPStale},
		{name: "staple for another serial under must-staple", mode: "prefer", leaf: certstest.Leaf{MustStaple: true}, staple: certstest.OtherSerial, why: revocation.WhyOCSPWrongSerial},
	}
	_, sections := honest(t, certstest.New(t), 3, 0)
	turns := make([]turn, len(cases))
	prepare := make([]func(), len(cases))
	for i, c := range cases {
		pki := certstest.New(t) // an authority each: its responder misbehaves for this server alone
		good, bad := pki.Issue(t, certstest.Leaf{}), pki.Issue(t, c.leaf)
		if c.mode == "" {
			c.mode = "require"
		}
		s := newServer(t, good, 0)
		turns[i] = turn{server: s, name: c.name, good: good, why: c.why, doubt: c.doubt}
		sections = append(sections, s.section(c.name, pki.CAFile(t), fmt.Sprintf("revocation = %q", c.mode)))
		prepare[i] = func() {
			if c.revoke {
				pki.Responder.Revoke(bad.Leaf.SerialNumber)
			}
			if c.staple != "" {
				bad.OCSPStaple = pki.Responder.Staple(bad.Leaf, c.staple)
			}
			pki.Responder.OCSP(c.ocsp)
			pki.Responder.CRL(c.crl)
			pki.Responder.Down(c.down)
			turns[i].bad = bad
		}
	}
	g := newGateway(t, "", sections...).start()
	g.await(t, "all are used", allUsed)
	t.Run("cases", func(t *testing.T) {
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				prepare[i]()
				turns[i].play(t, g)
			})
		}
	})
}
