// Package certstest makes certificate authorities for tests: a root, an intermediate, leaves with
// any defect, and an OCSP responder and revocation lists on loopback that can misbehave on demand.
package certstest

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is one certificate authority with its key.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// PKI is a root, an intermediate signed by it, and the responder of both.
type PKI struct {
	Root, Intermediate *Authority
	Responder          *Responder
	// Now is the time that certificates and answers are made at.
	Now time.Time
	dir string
}

// New makes a PKI whose certificates hold from a day before the host's time on, the root for ten
// years and the intermediate for two. Its responder ends with the test.
func New(tb testing.TB) *PKI { return NewAt(tb, time.Now()) }

// NewAt makes a PKI as of now.
func NewAt(tb testing.TB, now time.Time) *PKI {
	tb.Helper()
	now = now.UTC().Truncate(time.Second)
	p := &PKI{Now: now, dir: tb.TempDir()}
	p.Root = NewRoot(tb, "Test Root", now)
	p.Responder = newResponder(tb, p)
	key := Key(tb)
	t := &x509.Certificate{
		SerialNumber: Serial(tb), Subject: pkix.Name{CommonName: "Test Intermediate"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(2, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		IsCA:     true, BasicConstraintsValid: true,
		OCSPServer:            []string{p.Responder.URL + "/ocsp"},
		CRLDistributionPoints: []string{p.Responder.URL + "/crl/root"},
	}
	p.Intermediate = &Authority{Cert: p.Root.Sign(tb, t, key.Public()), Key: key}
	return p
}

// NewRoot makes a self-signed authority that holds from a day before now for ten years.
func NewRoot(tb testing.TB, name string, now time.Time) *Authority {
	tb.Helper()
	key := Key(tb)
	t := &x509.Certificate{
		SerialNumber: Serial(tb), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		IsCA:     true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	must(tb, err)
	c, err := x509.ParseCertificate(der)
	must(tb, err)
	return &Authority{Cert: c, Key: key}
}

// Sign returns template as a certificate of pub, signed by a.
func (a *Authority) Sign(tb testing.TB, template *x509.Certificate, pub crypto.PublicKey) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.Cert, pub, a.Key)
	must(tb, err)
	c, err := x509.ParseCertificate(der)
	must(tb, err)
	return c
}

// Leaf describes a certificate; its zero value is a sound one for localhost, 127.0.0.1 and ::1.
type Leaf struct {
	Hosts      []string
	NotBefore  time.Time          // default: an hour before PKI.Now
	NotAfter   time.Time          // default: 90 days after PKI.Now
	Usage      []x509.ExtKeyUsage // default: serverAuth
	Key        crypto.Signer      // default: a new P-256 key
	Signature  x509.SignatureAlgorithm
	SelfSigned bool
	MustStaple bool       // RFC 7633
	Signer     *Authority // default: the intermediate, or the key itself when SelfSigned
	OCSP       string     // another responder's URL
	NoOCSP     bool       // no responder named in it
	NoCRL      bool       // no distribution point named in it
}

// Issue makes a certificate with its chain (without the root).
func (p *PKI) Issue(tb testing.TB, l Leaf) tls.Certificate {
	tb.Helper()
	if l.Hosts == nil {
		l.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	if l.NotBefore.IsZero() {
		l.NotBefore = p.Now.Add(-time.Hour)
	}
	if l.NotAfter.IsZero() {
		l.NotAfter = p.Now.AddDate(0, 0, 90)
	}
	if l.Usage == nil {
		l.Usage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if l.Key == nil {
		l.Key = Key(tb)
	}
	t := &x509.Certificate{
		SerialNumber: Serial(tb), Subject: pkix.Name{CommonName: l.Hosts[0]},
		NotBefore: l.NotBefore, NotAfter: l.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: l.Usage, BasicConstraintsValid: true, SignatureAlgorithm: l.Signature,
	}
	for _, h := range l.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	if l.MustStaple {
		value, err := asn1.Marshal([]int{5})
		must(tb, err)
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: value})
	}
	signer := l.Signer
	if signer == nil {
		signer = p.Intermediate
	}
	if l.SelfSigned {
		signer = &Authority{Cert: t, Key: l.Key}
	} else {
		at := "/crl/intermediate"
		if signer == p.Root {
			at = "/crl/root"
		}
		if !l.NoOCSP {
			t.OCSPServer = []string{cmp.Or(l.OCSP, p.Responder.URL+"/ocsp")}
		}
		if !l.NoCRL {
			t.CRLDistributionPoints = []string{p.Responder.URL + at}
		}
	}
	c := signer.Sign(tb, t, l.Key.Public())
	out := tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: l.Key, Leaf: c}
	if signer == p.Intermediate {
		out.Certificate = append(out.Certificate, p.Intermediate.Cert.Raw)
	}
	return out
}

// CAFile writes the root's certificate to a file and returns its path.
func (p *PKI) CAFile(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(p.dir, "ca.pem")
	WriteCertificates(tb, path, p.Root.Cert)
	return path
}

// WriteCertificates writes certs to path as PEM.
func WriteCertificates(tb testing.TB, path string, certs ...*x509.Certificate) {
	tb.Helper()
	var text []byte
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	must(tb, os.WriteFile(path, text, 0o644))
}

// WritePair writes cert's chain to name.pem and its key (PKCS#8, mode 0600) to name.key in dir.
func WritePair(tb testing.TB, dir, name string, cert tls.Certificate) (certPath, keyPath string) {
	tb.Helper()
	certPath, keyPath = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	var text []byte
	for _, der := range cert.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	must(tb, os.WriteFile(certPath, text, 0o644))
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(tb, err)
	must(tb, os.WriteFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return certPath, keyPath
}

// Key makes a P-256 key.
func Key(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(tb, err)
	return key
}

// Serial draws a serial number of 127 bits.
func Serial(tb testing.TB) *big.Int {
	tb.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	must(tb, err)
	return n.Add(n, big.NewInt(1))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
