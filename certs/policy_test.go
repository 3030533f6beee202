package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/configs"
)

// knows is a clock that knows true time to a second.
func knows(t time.Time) certs.Clock {
	return func() (time.Time, time.Time, bool) { return t.Add(-time.Second), t.Add(time.Second), true }
}

// knowsNot is a clock at a cold start: all it has is a floor.
func knowsNot(floor time.Time) certs.Clock {
	return func() (time.Time, time.Time, bool) { return floor, time.Time{}, false }
}

func policy(t testing.TB, clock certs.Clock, trust configs.Trust, servers ...configs.Server) *certs.Policy {
	t.Helper()
	p, err := certs.New(certs.Options{Servers: servers, Trust: trust, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// connect makes a real TLS connection to the named server under p.
func connect(t testing.TB, p *certs.Policy, name, addr string) (*tls.ConnectionState, error) {
	t.Helper()
	cfg, _, err := p.KEConfig(name)
	if err != nil {
		return nil, err
	}
	d := tls.Dialer{Config: cfg, NetDialer: &net.Dialer{Timeout: time.Minute}}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	tc := c.(*tls.Conn)
	if _, err := tc.Read(make([]byte, 2)); err != nil {
		return nil, err
	}
	cs := tc.ConnectionState()
	return &cs, nil
}

func reason(err error) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) {
		return r.Reason()
	}
	if err != nil {
		return "no reason: " + err.Error()
	}
	return ""
}

// wants checks that err has the reason (none: ""), that it was counted, and that an honest server
// is accepted after it.
func wants(t *testing.T, p *certs.Policy, err error, why, honest string) {
	t.Helper()
	if got := reason(err); got != why {
		t.Fatalf("reason %q, want %q (%v)", got, why, err)
	}
	if why != "" && p.Counts()[why] != 1 {
		t.Fatalf("counts %v, want one %s", p.Counts(), why)
	}
	if _, err := connect(t, p, "honest", honest); err != nil {
		t.Fatalf("the honest server after it: %v", err)
	}
}

func TestChains(t *testing.T) {
	pki := certstest.New(t)
	other := certstest.New(t)
	now := pki.Now
	year := 365 * 24 * time.Hour
	rsa1024, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := func(key crypto.Signer) *certstest.Authority {
		return &certstest.Authority{Key: key, Cert: pki.Root.Sign(t, &x509.Certificate{SerialNumber: certstest.Serial(t), Subject: pki.Intermediate.Cert.Subject,
			NotBefore: now.Add(-year), NotAfter: now.Add(year), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, key.Public())}
	}
	rsaCA, p224CA := authority(rsa2048), authority(p224)
	spare := certs.PinOf(other.Root.Cert).String()
	expired := certstest.Leaf{NotBefore: now.Add(-90 * 24 * time.Hour), NotAfter: now.Add(-time.Hour)}

	cases := []struct {
		name    string
		leaf    certstest.Leaf
		with    func(*configs.Server)
		chain   []*certstest.Authority // presented instead of the intermediate
		clock   certs.Clock            // default: knows now
		pin     *certstest.Authority   // pinned with a spare
		pinLeaf bool
		why     string
	}{
		{name: "sound"},
		{name: "sound RSA", leaf: certstest.Leaf{Key: rsa2048}},
		{name: "expired", leaf: expired, why: certs.WhyExpired},
		{name: "expires within the clock's bound", leaf: certstest.Leaf{NotAfter: now}, why: certs.WhyExpired},
		{name: "not yet valid", leaf: certstest.Leaf{NotBefore: now.Add(time.Hour)}, why: certs.WhyNotYetValid},
		{name: "begins within the clock's bound", leaf: certstest.Leaf{NotBefore: now}, why: certs.WhyNotYetValid},
		{name: "impossible window", leaf: certstest.Leaf{NotBefore: now.Add(time.Hour), NotAfter: now.Add(-time.Hour)}, why: certs.WhyImpossibleWindow},
		{name: "wrong name", leaf: certstest.Leaf{Hosts: []string{"nts.example.org"}}, why: certs.WhyWrongName},
		{name: "allowed name", leaf: certstest.Leaf{Hosts: []string{"nts.example.org"}}, with: func(s *configs.Server) { s.Names = []string{"nts.example.org"} }},
		{name: "allowed domain, as certificates name it", leaf: certstest.Leaf{Hosts: []string{"*.example.org"}}, with: func(s *configs.Server) { s.Names = []string{"*.example.org"} }},
		{name: "allowed name replaces the host", with: func(s *configs.Server) { s.Names = []string{"nts.example.org"} }, why: certs.WhyWrongName},
		{name: "wrong EKU", leaf: certstest.Leaf{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, why: certs.WhyWrongUsage},
		{name: "self-signed", leaf: certstest.Leaf{SelfSigned: true}, why: certs.WhySelfSigned},
		{name: "unknown CA", leaf: certstest.Leaf{Signer: other.Root}, why: certs.WhyUnknownCA},
		{name: "SHA-1", leaf: certstest.Leaf{Signer: rsaCA, Signature: x509.SHA1WithRSA}, chain: []*certstest.Authority{rsaCA}, why: certs.WhyWeakSignature},
		{name: "1024-bit RSA", leaf: certstest.Leaf{Key: rsa1024}, why: certs.WhyWeakKey},
		{name: "P-224", leaf: certstest.Leaf{Signer: p224CA}, chain: []*certstest.Authority{p224CA}, why: certs.WhyWeakKey},
		{name: "signed by a leaf", leaf: certstest.Leaf{Signer: leafAuthority(t, pki)}, why: certs.WhyUnknownCA},

		{name: "pin of the root", pin: pki.Root},
		{name: "pin of the intermediate", pin: pki.Intermediate},
		{name: "pin of the leaf", pinLeaf: true},
		{name: "pin mismatch with a valid chain", pin: other.Intermediate, why: certs.WhyPinMismatch},
		{name: "valid pin with an expired certificate", leaf: expired, pinLeaf: true, why: certs.WhyExpired},
		{name: "valid pin from an unknown CA", leaf: certstest.Leaf{Signer: other.Root}, pinLeaf: true, why: certs.WhyUnknownCA},
		{name: "pin instead of a chain", leaf: certstest.Leaf{Signer: other.Root}, pinLeaf: true, with: func(s *configs.Server) { s.PinMode = "replace" }},
		{name: "pin of a self-signed one", leaf: certstest.Leaf{SelfSigned: true}, pinLeaf: true, with: func(s *configs.Server) { s.PinMode = "replace" }},
		{name: "pin of the intermediate instead of a root", pin: pki.Intermediate, with: func(s *configs.Server) { s.PinMode = "replace" }},
		{name: "pin instead of a chain mismatches", pin: other.Intermediate, with: func(s *configs.Server) { s.PinMode = "replace" }, why: certs.WhyPinMismatch},
		{name: "pin instead of a chain, expired", leaf: expired, pinLeaf: true, with: func(s *configs.Server) { s.PinMode = "replace" }, why: certs.WhyExpired},
		{name: "empty pin list", with: func(s *configs.Server) { s.PinMode = "replace" }, why: certs.WhyEmptyPins},
		{name: "not a pin", with: func(s *configs.Server) { s.Pins = []string{"sha256/abc"} }, why: certs.WhyBadPin},

		{name: "deferred: sound", clock: knowsNot(time.Time{})},
		{name: "deferred: expired, above the floor", leaf: expired, clock: knowsNot(now.Add(-30 * 24 * time.Hour))},
		{name: "deferred: expired below the floor", leaf: expired, clock: knowsNot(now.Add(-time.Minute)), why: certs.WhyExpired},
		{name: "deferred: not yet valid", leaf: certstest.Leaf{NotBefore: now.Add(time.Hour)}, clock: knowsNot(now.Add(-year))},
		{name: "deferred: after the intermediate", leaf: certstest.Leaf{NotBefore: now.Add(3 * year), NotAfter: now.Add(4 * year)}, clock: knowsNot(time.Time{}), why: certs.WhyExpired},
		{name: "deferred: intermediate younger than the leaf", leaf: certstest.Leaf{NotBefore: now.Add(-year)}, clock: knowsNot(now.Add(-2 * year))},
		{name: "deferred: impossible window", leaf: certstest.Leaf{NotBefore: now.Add(time.Hour), NotAfter: now.Add(-time.Hour)}, clock: knowsNot(time.Time{}), why: certs.WhyImpossibleWindow},
		{name: "deferred: unknown CA", leaf: certstest.Leaf{Signer: other.Root}, clock: knowsNot(time.Time{}), why: certs.WhyUnknownCA},
		{name: "deferred: wrong name", leaf: certstest.Leaf{Hosts: []string{"nts.example.org"}}, clock: knowsNot(time.Time{}), why: certs.WhyWrongName},
		{name: "deferred: wrong EKU", leaf: certstest.Leaf{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, clock: knowsNot(time.Time{}), why: certs.WhyWrongUsage},
		{name: "deferred: pin mismatch", pin: other.Root, clock: knowsNot(time.Time{}), why: certs.WhyPinMismatch},
	}
	ca := pki.CAFile(t)
	honest := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, certstest.Leaf{})))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cert := pki.Issue(t, c.leaf)
			for _, a := range c.chain {
				cert.Certificate = append(cert.Certificate, a.Cert.Raw)
			}
			addr := certstest.Serve(t, certstest.ServerConfig(cert))
			s := configs.Server{Name: "tested", Address: addr, CA: ca, PinMode: "add", Revocation: "off"}
			if c.pin != nil {
				s.Pins = []string{spare, certs.PinOf(c.pin.Cert).String()}
				if c.pin == other.Root {
					s.Pins = s.Pins[:1]
				}
			}
			if c.pinLeaf {
				s.Pins = []string{spare, certs.PinOf(cert.Leaf).String()}
			}
			if c.with != nil {
				c.with(&s)
			}
			if c.clock == nil {
				c.clock = knows(now)
			}
			p := policy(t, c.clock, configs.Trust{}, s, configs.Server{Name: "honest", Address: honest, CA: ca, Revocation: "off"})
			_, err := connect(t, p, "tested", addr)
			wants(t, p, err, c.why, honest)
		})
	}
}

// leafAuthority is a certificate that is no authority, used as one.
func leafAuthority(t *testing.T, pki *certstest.PKI) *certstest.Authority {
	key := certstest.Key(t)
	return &certstest.Authority{Cert: pki.Issue(t, certstest.Leaf{Key: key}).Leaf, Key: key}
}

func TestDeferredIsSaid(t *testing.T) {
	pki := certstest.New(t)
	s := configs.Server{Name: "a", Address: "127.0.0.1:4460", CA: pki.CAFile(t), Revocation: "off"}
	for _, known := range []bool{false, true} {
		clock := knowsNot(time.Time{})
		if known {
			clock = knows(pki.Now)
		}
		_, deferred, err := policy(t, clock, configs.Trust{}, s).KEConfig("a")
		if err != nil || deferred == known {
			t.Errorf("known %v: deferred %v, %v", known, deferred, err)
		}
	}
}

func TestAllowHost(t *testing.T) {
	for _, c := range []struct {
		trusted []string
		host    string
		ok      bool
	}{
		{nil, "anything.example", true},
		{[]string{"nts.example.net"}, "nts.example.net", true},
		{[]string{"nts.example.net"}, "NTS.example.net.:4460", true},
		{[]string{"nts.example.net:4460"}, "nts.example.net:123", true},
		{[]string{"nts.example.net"}, "evil.nts.example.net", false},
		{[]string{"nts.example.net"}, "nts.example.net.evil.example", false},
		{[]string{"192.0.2.1", "2001:db8::1"}, "[2001:0db8::1]:123", true},
		{[]string{"192.0.2.1"}, "::ffff:192.0.2.1", true},
		{[]string{"192.0.2.1"}, "192.0.2.2", false},
		{[]string{"nts.example.net"}, "", false},
	} {
		p := policy(t, nil, configs.Trust{Servers: c.trusted})
		err := p.AllowHost(c.host)
		if (err == nil) != c.ok || err != nil && reason(err) != certs.WhyNotTrusted {
			t.Errorf("AllowHost(%q) with %q: %v", c.host, c.trusted, err)
		}
	}
	p := policy(t, nil, configs.Trust{Servers: []string{"other.example"}}, configs.Server{Name: "a", Address: "a.example:4460"})
	if _, _, err := p.KEConfig("a"); reason(err) != certs.WhyNotTrusted {
		t.Errorf("KEConfig outside [trust] servers: %v", err)
	}
	if n := p.Counts()[certs.WhyNotTrusted]; n != 1 {
		t.Errorf("counted %d times", n)
	}
	if _, _, err := p.KEConfig("b"); reason(err) != certs.WhyUnknownServer {
		t.Errorf("KEConfig of a stranger: %v", err)
	}
}

func TestRefusesOldTLS(t *testing.T) {
	pki := certstest.New(t)
	cfg := certstest.ServerConfig(pki.Issue(t, certstest.Leaf{}))
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	addr := certstest.Serve(t, cfg)
	p := policy(t, knows(pki.Now), configs.Trust{}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t), Revocation: "off"})
	if _, err := connect(t, p, "a", addr); err == nil {
		t.Error("a TLS 1.2 server was accepted")
	}
}

func TestThrowaway(t *testing.T) {
	made, err := certs.NewThrowaway("localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(made.CAPEM)
	for _, host := range []string{"localhost", "127.0.0.1"} {
		if _, err := made.Certificate.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host}); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(made.Certificate.Leaf.DNSNames, []string{"localhost"}) {
		t.Error(made.Certificate.Leaf.DNSNames)
	}
}

// The system's authorities, alone and beside others; an odd one among them does not spoil the rest,
// and they may be replaced by the operator's.
func TestSystemAuthorities(t *testing.T) {
	system, own := certstest.New(t), certstest.New(t)
	odd := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("odd")})
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	put(t, bundle, append(odd, get(t, system.CAFile(t))...))
	t.Setenv("SSL_CERT_FILE", bundle)
	addrs := map[string]string{
		"system": certstest.Serve(t, certstest.ServerConfig(system.Issue(t, certstest.Leaf{}))),
		"own":    certstest.Serve(t, certstest.ServerConfig(own.Issue(t, certstest.Leaf{}))),
	}
	for _, c := range []struct {
		name, roots, ca, instead string
		accepted                 []string
	}{
		{"default", "", "", "", []string{"system"}},
		{"system beside a file", "system", own.CAFile(t), "", []string{"system"}},
		{"file", "ca", own.CAFile(t), "", []string{"own"}},
		{"file alone by default", "", own.CAFile(t), "", []string{"own"}},
		{"both", "both", own.CAFile(t), "", []string{"own", "system"}},
		{"replaced", "system", "", own.CAFile(t), []string{"own"}},
	} {
		for which, addr := range addrs {
			p := policy(t, knows(system.Now), configs.Trust{Roots: c.instead}, configs.Server{Name: "a", Address: addr, CA: c.ca, Roots: c.roots, Revocation: "off"})
			_, err := connect(t, p, "a", addr)
			if want := slices.Contains(c.accepted, which); (err == nil) != want || !want && reason(err) != certs.WhyUnknownCA {
				t.Errorf("%s: %s: %v", c.name, which, err)
			}
		}
	}
	t.Setenv("SSL_CERT_FILE", bundle+".missing")
	p := policy(t, knows(system.Now), configs.Trust{}, configs.Server{Name: "a", Address: "127.0.0.1:1"})
	if list := p.Problems(); len(list) != 1 || reason(list[0]) != certs.WhyUnreadableFile || !strings.Contains(list[0].Error(), "ca-certificates") {
		t.Error(list)
	}
}
