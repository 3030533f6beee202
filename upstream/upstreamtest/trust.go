package upstreamtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// CA is a certificate authority that a test throws away.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes one.
func NewCA(tb testing.TB) *CA {
	tb.Helper()
	key := newKey(tb)
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	must(tb, err)
	cert, err := x509.ParseCertificate(der)
	must(tb, err)
	return &CA{cert, key}
}

// Pool holds the authority alone.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.cert)
	return pool
}

// Issue makes a server certificate for localhost and the loopback addresses, or for names.
func (c *CA) Issue(tb testing.TB, names ...string) tls.Certificate {
	tb.Helper()
	key := newKey(tb)
	t := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test server"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: names,
	}
	if len(names) == 0 {
		t.DNSNames = []string{"localhost"}
		t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, c.cert, key.Public(), c.key)
	must(tb, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Files writes a server certificate and its key into dir, for a server that is another program.
func (c *CA) Files(tb testing.TB, dir string) (certFile, keyFile string) {
	tb.Helper()
	pair := c.Issue(tb)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	must(tb, err)
	certFile, keyFile = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	must(tb, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o644))
	must(tb, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	return certFile, keyFile
}

// Trust trusts one authority and does as it is told. It is an upstream.Trust.
type Trust struct {
	Roots *x509.CertPool

	mu       sync.Mutex
	deferred bool
	refuse   error            // of KEConfig
	hosts    map[string]error // of AllowHost
	recheck  error
	rechecks int
}

// KEConfig implements upstream.Trust.
func (t *Trust) KEConfig(string) (*tls.Config, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refuse != nil {
		return nil, false, t.refuse
	}
	return &tls.Config{RootCAs: t.Roots}, t.deferred, nil
}

// AllowHost implements upstream.Trust.
func (t *Trust) AllowHost(host string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hosts[host]
}

// Recheck implements upstream.Trust.
func (t *Trust) Recheck(string, *tls.ConnectionState) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rechecks++
	return t.recheck
}

// Rechecks is how often Recheck was called.
func (t *Trust) Rechecks() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rechecks
}

// Defer makes KEConfig say that dates can't be judged, or that they can.
func (t *Trust) Defer(deferred bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deferred = deferred
}

// Refuse makes KEConfig and Recheck fail; nil: no longer.
func (t *Trust) Refuse(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refuse, t.recheck = err, err
}

// RefuseHost makes AllowHost refuse a host.
func (t *Trust) RefuseHost(host string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hosts == nil {
		t.hosts = map[string]error{}
	}
	t.hosts[host] = err
}

// Refusal is an error with a reason word, as Trust's are.
type Refusal struct{ Word, Text string }

// Error returns the text.
func (r *Refusal) Error() string { return r.Text }

// Reason returns the word.
func (r *Refusal) Reason() string { return r.Word }

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(tb, err)
	return key
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
