package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/downstream/status"
)

const day = 24 * time.Hour

// A server that was trusted shows another certificate, and tells another time.
func TestCertificates(t *testing.T) {
	t.Parallel()
	pki, other := certstest.New(t), certstest.New(t)
	now := pki.Now
	rsaKey := func(bits int) *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := func(key crypto.Signer) *certstest.Authority {
		return &certstest.Authority{Key: key, Cert: pki.Root.Sign(t, &x509.Certificate{SerialNumber: certstest.Serial(t), Subject: pki.Intermediate.Cert.Subject,
			NotBefore: now.Add(-day), NotAfter: now.Add(365 * day), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, key.Public())}
	}
	rsa2048 := rsaKey(2048)
	rsaCA, p224CA := authority(rsa2048), authority(p224)
	leafKey := certstest.Key(t)
	noCA := &certstest.Authority{Cert: pki.Issue(t, certstest.Leaf{Key: leafKey}).Leaf, Key: leafKey}
	pinned := certstest.Key(t)
	leafPin := pin(pki.Issue(t, certstest.Leaf{Key: pinned}).Leaf)
	spare := pin(other.Root.Cert)
	expired := certstest.Leaf{NotBefore: now.Add(-90 * day), NotAfter: now.Add(-time.Hour)}
	pins := func(list ...string) string {
		text := ""
		for _, p := range list {
			text += fmt.Sprintf("%q, ", p)
		}
		return "pins = [" + text + "]"
	}

	cases := []struct {
		name  string
		lines []string       // of its [[server]]
		good  certstest.Leaf // what it shows first
		bad   certstest.Leaf // and then
		chain []*certstest.Authority
		why   string
	}{
		{name: "another sound one", bad: certstest.Leaf{}},
		{name: "RSA", bad: certstest.Leaf{Key: rsa2048}},
		{name: "expired", bad: expired, why: certs.WhyExpired},
		{name: "not yet valid", bad: certstest.Leaf{NotBefore: now.Add(time.Hour)}, why: certs.WhyNotYetValid},
		{name: "ends before it begins", bad: certstest.Leaf{NotBefore: now.Add(time.Hour), NotAfter: now.Add(-time.Hour)}, why: certs.WhyImpossibleWindow},
		{name: "wrong name", bad: certstest.Leaf{Hosts: []string{"nts.example.org"}}, why: certs.WhyWrongName},
		{name: "allowed name", lines: []string{`names = ["nts.example.org"]`}, good: certstest.Leaf{Hosts: []string{"nts.example.org"}}, bad: certstest.Leaf{}, why: certs.WhyWrongName},
		{name: "wrong EKU", bad: certstest.Leaf{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, why: certs.WhyWrongUsage},
		{name: "self-signed", bad: certstest.Leaf{SelfSigned: true}, why: certs.WhySelfSigned},
		{name: "unknown CA", bad: certstest.Leaf{Signer: other.Root}, why: certs.WhyUnknownCA},
		{name: "SHA-1", bad: certstest.Leaf{Signer: rsaCA, Signature: x509.SHA1WithRSA}, chain: []*certstest.Authority{rsaCA}, why: certs.WhyWeakSignature},
		{name: "1024-bit RSA", bad: certstest.Leaf{Key: rsaKey(1024)}, why: certs.WhyWeakKey},
		{name: "P-224", bad: certstest.Leaf{Signer: p224CA}, chain: []*certstest.Authority{p224CA}, why: certs.WhyWeakKey},
		{name: "signed by a leaf", bad: certstest.Leaf{Signer: noCA}, why: certs.WhyUnknownCA},

		{name: "pin of the root", lines: []string{pins(spare, pin(pki.Root.Cert))}, bad: certstest.Leaf{}},
		{name: "pin of the intermediate", lines: []string{pins(spare, pin(pki.Intermediate.Cert))}, bad: certstest.Leaf{}},
		{name: "pin mismatch with a valid chain", lines: []string{pins(spare, leafPin)}, good: certstest.Leaf{Key: pinned}, bad: certstest.Leaf{}, why: certs.WhyPinMismatch},
		{name: "valid pin with an expired certificate", lines: []string{pins(spare, leafPin)}, good: certstest.Leaf{Key: pinned},
			bad: certstest.Leaf{Key: pinned, NotBefore: expired.NotBefore, NotAfter: expired.NotAfter}, why: certs.WhyExpired},
		{name: "valid pin from an unknown CA", lines: []string{pins(spare, leafPin)}, good: certstest.Leaf{Key: pinned},
			bad: certstest.Leaf{Key: pinned, Signer: other.Root}, why: certs.WhyUnknownCA},
		{name: "pin instead of a chain", lines: []string{pins(spare, leafPin), `pin_mode = "replace"`}, good: certstest.Leaf{Key: pinned, SelfSigned: true},
			bad: certstest.Leaf{}, why: certs.WhyPinMismatch},
		{name: "pin instead of a chain, expired", lines: []string{pins(spare, leafPin), `pin_mode = "replace"`}, good: certstest.Leaf{Key: pinned, SelfSigned: true},
			bad: certstest.Leaf{Key: pinned, SelfSigned: true, NotBefore: expired.NotBefore, NotAfter: expired.NotAfter}, why: certs.WhyExpired},
	}
	_, sections := honest(t, pki, 3, 0)
	turns := make([]turn, len(cases))
	for i, c := range cases {
		bad := pki.Issue(t, c.bad)
		for _, a := range c.chain {
			bad.Certificate = append(bad.Certificate, a.Cert.Raw)
		}
		good := pki.Issue(t, c.good)
		s := newServer(t, good, 0)
		turns[i] = turn{server: s, name: c.name, good: good, bad: bad, why: c.why}
		sections = append(sections, s.section(c.name, pki.CAFile(t), c.lines...))
	}
	g := newGateway(t, "", sections...).start()
	g.await(t, "all are used", allUsed)
	t.Run("cases", func(t *testing.T) {
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				turns[i].play(t, g)
			})
		}
	})
}

// The same at the very start, where nothing but the dates may wait until the time is known. Nobody
// of them has a word in what the time is.
func TestCertificatesAtTheStart(t *testing.T) {
	t.Parallel()
	pki, other := certstest.New(t), certstest.New(t)
	now := pki.Now
	cases := []struct {
		name string
		leaf certstest.Leaf
		pin  string
		why  string
	}{
		{"wrong name", certstest.Leaf{Hosts: []string{"nts.example.org"}}, "", certs.WhyWrongName},
		{"unknown CA", certstest.Leaf{Signer: other.Root}, "", certs.WhyUnknownCA},
		{"self-signed", certstest.Leaf{SelfSigned: true}, "", certs.WhySelfSigned},
		{"wrong EKU", certstest.Leaf{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, "", certs.WhyWrongUsage},
		{"ends before it begins", certstest.Leaf{NotBefore: now.Add(time.Hour), NotAfter: now.Add(-time.Hour)}, "", certs.WhyImpossibleWindow},
		{"pin mismatch", certstest.Leaf{}, pin(other.Root.Cert), certs.WhyPinMismatch},
		{"ended before the program was built", certstest.Leaf{NotBefore: now.AddDate(-3, 0, 0), NotAfter: now.AddDate(-2, 0, 0)}, "", certs.WhyExpired},
	}
	// More than those who may lie: what does not answer might be kept away.
	hosts, sections := honest(t, pki, len(cases)+1, 0)
	for _, c := range cases {
		s := newServer(t, pki.Issue(t, c.leaf), lie)
		var lines []string
		if c.pin != "" {
			lines = append(lines, fmt.Sprintf("pins = [%q]", c.pin))
		}
		sections = append(sections, s.section(c.name, pki.CAFile(t), lines...))
	}
	// Until an honest server answers, the refused are alone, and a quorum of them would be enough.
	for _, h := range hosts {
		h.silent.Store(true)
	}
	g := newGateway(t, "", sections...).start()
	r := g.await(t, "all are refused", func(r *status.Report) bool {
		for _, b := range cases {
			if source(t, r, b.name).Rejected[b.why] < 2 {
				return false
			}
		}
		return true
	})
	if r.State == "synchronized" || r.Time != "" {
		t.Errorf("%s without an honest server", r.State)
	}
	for _, b := range cases {
		s := source(t, r, b.name)
		turn{why: b.why}.onlyFor(t, status.Source{}, s)
		if s.Sent != 0 || s.Received != 0 || s.State != "denied" {
			t.Errorf("%s: %+v", b.name, s)
		}
	}
	for _, h := range hosts {
		h.silent.Store(false)
	}
	r = g.await(t, "synchronized with the honest ones", synced)
	holds(t, r, "", 0)
}

func pin(c *x509.Certificate) string { return certs.PinOf(c).String() }
