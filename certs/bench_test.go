package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/configs"
)

// The goal is a policy's verdict (chain, pin, OCSP answer at hand) in at most 1.5 times what
// crypto/x509 takes for the chain alone.
func BenchmarkVerify(b *testing.B) {
	pki := certstest.New(b)
	cert := pki.Issue(b, certstest.Leaf{})
	addr := certstest.Serve(b, certstest.ServerConfig(cert))
	spare := certs.PinOf(certstest.NewRoot(b, "spare", pki.Now).Cert).String()
	server := configs.Server{Name: "a", Address: addr, CA: pki.CAFile(b), Revocation: "require",
		Pins: []string{spare, certs.PinOf(pki.Intermediate.Cert).String()}}
	p := quick(b, knows(pki.Now), configs.Trust{}, server)
	cs, err := connect(b, p, "a", addr)
	if err != nil {
		b.Fatal(err)
	}
	stapled := *cs
	stapled.OCSPResponse = pki.Responder.Staple(cert.Leaf, certstest.Honest)

	b.Run("x509", func(b *testing.B) {
		roots := x509.NewCertPool()
		roots.AddCert(pki.Root.Cert)
		for b.Loop() {
			inter := x509.NewCertPool()
			inter.AddCert(cs.PeerCertificates[1])
			if _, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, CurrentTime: pki.Now, DNSName: "127.0.0.1"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	verdict := func(b *testing.B, cs *tls.ConnectionState) {
		cfg, _, err := p.KEConfig("a")
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := cfg.VerifyConnection(*cs); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("policy", func(b *testing.B) { verdict(b, cs) })
	b.Run("policy-staple", func(b *testing.B) { verdict(b, &stapled) })
}

func BenchmarkReload(b *testing.B) {
	pki := certstest.New(b)
	p := policy(b, knows(pki.Now), configs.Trust{}, configs.Server{Name: "a", Address: "127.0.0.1:1", CA: pki.CAFile(b)},
		configs.Server{Name: "b", Address: "127.0.0.1:2"})
	if len(p.Problems()) > 0 {
		b.Skip("the system has no authorities:", p.Problems()[0])
	}
	for b.Loop() {
		if err := p.Reload(); err != nil {
			b.Fatal(err)
		}
	}
}
