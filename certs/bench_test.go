package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"
	"time"

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
	p := responsive(b, knows(pki.Now), configs.Trust{}, server)
	cs, err := connect(b, p, "a", addr)
	if err != nil {
		b.Fatal(err)
	}
	stapled := *cs
	stapled.OCSPResponse = pki.Responder.Staple(cert.Leaf, certstest.Honest)

	roots := x509.NewCertPool()
	roots.AddCert(pki.Root.Cert)
	alone := func() error {
		inter := x509.NewCertPool()
		inter.AddCert(cs.PeerCertificates[1])
		_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, CurrentTime: pki.Now, DNSName: "127.0.0.1"})
		return err
	}
	cfg, _, err := p.KEConfig("a")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cs   tls.ConnectionState
	}{{"kept-answer", *cs}, {"staple", stapled}} {
		b.Run(c.name, func(b *testing.B) {
			// Turn by turn, and by medians: a busy machine slows both alike.
			var ours, theirs []time.Duration
			for b.Loop() {
				begin := time.Now()
				if err := alone(); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				if err := cfg.VerifyConnection(c.cs); err != nil {
					b.Fatal(err)
				}
				theirs, ours = append(theirs, middle.Sub(begin)), append(ours, time.Since(middle))
			}
			slices.Sort(ours)
			slices.Sort(theirs)
			half := len(ours) / 2
			b.ReportMetric(float64(theirs[half].Microseconds()), "µs-x509")
			b.ReportMetric(float64(ours[half].Microseconds()), "µs-policy")
			b.ReportMetric(float64(ours[half])/float64(theirs[half]), "policy/x509")
		})
	}
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
