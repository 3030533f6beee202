package certs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/tests/program"
)

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".tmp", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An authority's file is replaced in every way, by good and by bad ones, while connections go on.
func TestReload(t *testing.T) {
	first, second := certstest.New(t), certstest.New(t)
	addr1 := certstest.Serve(t, certstest.ServerConfig(first.Issue(t, certstest.Leaf{})))
	addr2 := certstest.Serve(t, certstest.ServerConfig(second.Issue(t, certstest.Leaf{})))
	ca1, ca2 := get(t, first.CAFile(t)), get(t, second.CAFile(t))
	dir := filepath.Join(t.TempDir(), "pki")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(dir, "ca.pem")
	put(t, ca, ca1)
	log := &program.Buffer{}
	reloaded := make(chan struct{}, 100)
	p, err := certs.New(certs.Options{Clock: knows(first.Now), Log: slog.New(slog.NewTextHandler(log, nil)),
		Reloaded: func() { reloaded <- struct{}{} },
		Servers: []configs.Server{
			{Name: "one", Address: addr1, CA: ca, Revocation: "off"},
			{Name: "two", Address: addr2, CA: ca, Revocation: "off"},
		}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Files(), []string{ca}) {
		t.Fatal(p.Files())
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	defer func() { cancel(); <-done }()
	trusts := func(want string) {
		t.Helper()
		for name, addr := range map[string]string{"one": addr1, "two": addr2} {
			if _, err := connect(t, p, name, addr); (err == nil) != (name == want) {
				t.Errorf("%s while %s is to be trusted: %v", name, want, err)
			}
		}
	}
	notice := func() {
		t.Helper()
		select {
		case <-reloaded:
		case <-time.After(program.Busy * program.Noticed):
			t.Fatal("not noticed\n" + log.String())
		}
	}
	trusts("one")
	// By hand first: it needs no watching.
	put(t, ca, ca2)
	if err := p.Reload(); err != nil {
		t.Fatal(err)
	}
	notice()
	trusts("two")
	if !strings.Contains(log.String(), "expires="+second.Root.Cert.NotAfter.Format(time.RFC3339)) || !strings.Contains(log.String(), "sha256="+certs.Fingerprint(second.Root.Cert)) {
		t.Error("the log has neither fingerprint nor expiry:\n" + log.String())
	}
	for name, bad := range map[string][]byte{
		"half-written":                ca1[:len(ca1)/2],
		"empty":                       nil,
		"a second block half-written": slices.Concat(ca1, ca2[:len(ca2)/2]),
		"a first block half-written":  slices.Concat(ca2[:len(ca2)/2], []byte("\n"), ca1),
		"not a certificate":           pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
	} {
		put(t, ca, bad)
		if err := p.Reload(); reason(err) != certs.WhyBadFile {
			t.Errorf("%s: %v", name, err)
		}
		trusts("two")
	}
	if n := p.Counts()[certs.WhyBadFile]; n < 5 || !strings.Contains(log.String(), "the old content stays") {
		t.Error(n, log.String())
	}
	if w := p.Warnings(time.Time{}); len(w) == 0 || w[0].ID != "trust-file-refused" {
		t.Error(w)
	}
	os.Remove(ca)
	if err := p.Reload(); reason(err) != certs.WhyUnreadableFile {
		t.Error(err)
	}
	trusts("two")
	put(t, ca, ca2)
	if err := p.Reload(); err != nil {
		t.Error(err)
	}
	for len(reloaded) > 0 {
		<-reloaded
	}
	// And by notice: the watch has had other folders to look at since.
	put(t, ca, ca1)
	notice()
	trusts("one")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, ca, ca2)
	notice()
	trusts("two")
	if w := p.Warnings(time.Time{}); len(w) > 0 {
		t.Error(w)
	}
}

// Bad files at the start cost one server only, which comes back with its files.
func TestBadFilesAtStart(t *testing.T) {
	pki := certstest.New(t)
	addr := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, certstest.Leaf{})))
	missing := filepath.Join(t.TempDir(), "ca.pem")
	p := policy(t, knows(pki.Now), configs.Trust{},
		configs.Server{Name: "bad", Address: addr, CA: missing, Revocation: "off"},
		configs.Server{Name: "good", Address: addr, CA: pki.CAFile(t), Revocation: "off"})
	if _, err := connect(t, p, "bad", addr); reason(err) != certs.WhyUnreadableFile {
		t.Error(err)
	}
	if _, err := connect(t, p, "good", addr); err != nil {
		t.Error(err)
	}
	if len(p.Problems()) != 1 || p.Reload() == nil {
		t.Error(p.Problems())
	}
	put(t, missing, get(t, pki.CAFile(t)))
	if err := p.Reload(); err != nil {
		t.Error(err)
	}
	if _, err := connect(t, p, "bad", addr); err != nil {
		t.Error(err)
	}
}

// A list that revokes, put in place while the gateway runs, ends the standing session.
func TestReloadList(t *testing.T) {
	pki := certstest.New(t)
	cert := pki.Issue(t, certstest.Leaf{NoOCSP: true, NoCRL: true})
	addr := certstest.Serve(t, certstest.ServerConfig(cert))
	path := filepath.Join(t.TempDir(), "list.crl")
	put(t, path, pki.Responder.List(pki.Intermediate, certstest.Honest))
	p := policy(t, knows(pki.Now), configs.Trust{CRL: []string{path}}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t), Revocation: "require"})
	cs, err := connect(t, p, "a", addr)
	if err != nil {
		t.Fatal(err)
	}
	pki.Responder.Revoke(cert.Leaf.SerialNumber)
	list := pki.Responder.List(pki.Intermediate, certstest.Honest)
	put(t, path, list[:len(list)-9])
	if err := p.Reload(); reason(err) != certs.WhyBadFile {
		t.Error(err)
	}
	if err := p.Recheck("a", cs); err != nil {
		t.Error(err)
	}
	put(t, path, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}))
	if err := p.Reload(); err != nil {
		t.Error(err)
	}
	if err := p.Recheck("a", cs); reason(err) != certs.WhyRevoked {
		t.Error(err)
	}
}

// A reload under load drops no connection.
func TestReloadUnderLoad(t *testing.T) {
	pki := certstest.New(t)
	addr := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, certstest.Leaf{})))
	ca := filepath.Join(t.TempDir(), "ca.pem")
	put(t, ca, get(t, pki.CAFile(t)))
	p := policy(t, knows(pki.Now), configs.Trust{}, configs.Server{Name: "a", Address: addr, CA: ca, Revocation: "off"})
	stop := make(chan struct{})
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := connect(t, p, "a", addr); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	good := get(t, ca)
	for i := range 40 {
		content := good
		if i%2 == 0 {
			content = good[:len(good)/2]
		}
		put(t, ca, content)
		_ = p.Reload()
	}
	close(stop)
	running.Wait()
}

func TestLoadKeyPair(t *testing.T) {
	pki := certstest.New(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey := certstest.Key(t)
	block := func(kind string, der []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return block("PRIVATE KEY", der, err)
	}
	sec1 := func(key *ecdsa.PrivateKey) []byte {
		der, err := x509.MarshalECPrivateKey(key)
		return block("EC PRIVATE KEY", der, err)
	}
	for _, c := range []struct {
		name string
		leaf certstest.Leaf
		key  []byte
		mode os.FileMode
		why  string
		says string
	}{
		{name: "PKCS#8 EC", leaf: certstest.Leaf{Key: ecKey}, key: pkcs8(ecKey)},
		{name: "PKCS#8 RSA", leaf: certstest.Leaf{Key: rsaKey}, key: pkcs8(rsaKey)},
		{name: "PKCS#8 Ed25519", leaf: certstest.Leaf{Key: edKey}, key: pkcs8(edKey)},
		{name: "PKCS#1", leaf: certstest.Leaf{Key: rsaKey}, key: block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)},
		{name: "SEC1", leaf: certstest.Leaf{Key: ecKey}, key: sec1(ecKey)},
		{name: "SEC1 after its parameters", leaf: certstest.Leaf{Key: ecKey}, key: append(block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil), sec1(ecKey)...)},
		{name: "group may read", leaf: certstest.Leaf{Key: ecKey}, key: sec1(ecKey), mode: 0o640},
		{name: "encrypted PKCS#8", leaf: certstest.Leaf{Key: ecKey}, key: block("ENCRYPTED PRIVATE KEY", []byte("x"), nil), why: certs.WhyEncryptedKey, says: "openssl pkey -in"},
		{name: "encrypted PKCS#1", leaf: certstest.Leaf{Key: rsaKey}, key: []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"), why: certs.WhyEncryptedKey, says: "pass phrase"},
		{name: "everybody may read", leaf: certstest.Leaf{Key: ecKey}, key: sec1(ecKey), mode: 0o644, why: certs.WhyWorldReadableKey, says: "chmod o-rwx"},
		{name: "key not matching certificate", leaf: certstest.Leaf{Key: ecKey}, key: pkcs8(rsaKey), why: certs.WhyKeyMismatch},
		{name: "unreadable key", leaf: certstest.Leaf{Key: ecKey}, why: certs.WhyUnreadableFile},
		{name: "no key in it", leaf: certstest.Leaf{Key: ecKey}, key: []byte("hello\n"), why: certs.WhyBadFile},
		{name: "half-written key", leaf: certstest.Leaf{Key: ecKey}, key: sec1(ecKey)[:80], why: certs.WhyBadFile},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			certPath, keyPath := certstest.WritePair(t, dir, "c", pki.Issue(t, c.leaf))
			os.Remove(keyPath)
			if c.key != nil {
				mode := c.mode
				if mode == 0 {
					mode = 0o600
				}
				if err := os.WriteFile(keyPath, c.key, mode); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(keyPath, mode); err != nil {
					t.Fatal(err)
				}
			}
			pair, err := certs.LoadKeyPair(certPath, keyPath)
			if reason(err) != c.why {
				t.Fatalf("%q, want %q (%v)", reason(err), c.why, err)
			}
			if err == nil && (len(pair.Certificate) != 2 || pair.Leaf == nil) {
				t.Error("the chain is incomplete")
			}
			if err != nil && (!strings.Contains(err.Error(), keyPath) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v: names neither %s nor %q", err, keyPath, c.says)
			}
			// The same through the policy: this server is refused, the next is not.
			addr := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, certstest.Leaf{})))
			p := policy(t, knows(pki.Now), configs.Trust{},
				configs.Server{Name: "tested", Address: addr, CA: pki.CAFile(t), Cert: certPath, Key: keyPath, Revocation: "off"},
				configs.Server{Name: "honest", Address: addr, CA: pki.CAFile(t), Revocation: "off"})
			_, err = connect(t, p, "tested", addr)
			wants(t, p, err, c.why, addr)
		})
	}
}

// A server that demands a client certificate gets ours, and not the next one's.
func TestClientCertificate(t *testing.T) {
	pki, clients := certstest.New(t), certstest.New(t)
	cfg := certstest.ServerConfig(pki.Issue(t, certstest.Leaf{}))
	cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	cfg.ClientCAs.AddCert(clients.Root.Cert)
	addr := certstest.Serve(t, cfg)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	certPath, keyPath := certstest.WritePair(t, t.TempDir(), "c", clients.Issue(t, certstest.Leaf{Hosts: []string{"gateway"}, Usage: usage}))
	p := policy(t, knows(pki.Now), configs.Trust{},
		configs.Server{Name: "with", Address: addr, CA: pki.CAFile(t), Cert: certPath, Key: keyPath, Revocation: "off"},
		configs.Server{Name: "without", Address: addr, CA: pki.CAFile(t), Revocation: "off"})
	if _, err := connect(t, p, "with", addr); err != nil {
		t.Error(err)
	}
	if _, err := connect(t, p, "without", addr); err == nil {
		t.Error("accepted without a client certificate")
	}
}

func TestExpiryWarnings(t *testing.T) {
	pki := certstest.New(t)
	now := pki.Now
	addr := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, certstest.Leaf{NotBefore: now.Add(-time.Hour)})))
	client := pki.Issue(t, certstest.Leaf{NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0)})
	certPath, keyPath := certstest.WritePair(t, t.TempDir(), "c", client)
	p := responsive(t, knows(now), configs.Trust{}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t), Cert: certPath, Key: keyPath})
	if _, err := connect(t, p, "a", addr); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, i := range p.Expiries(now) {
		kinds[i.Kind]++
	}
	if kinds[certs.KindCA] != 1 || kinds[certs.KindClient] != 1 || kinds[certs.KindServer] != 2 || kinds[certs.KindOCSP] != 2 {
		t.Errorf("%v", kinds)
	}
	clientEnd := client.Leaf.NotAfter
	for _, c := range []struct {
		at   time.Time
		want []string // parts of the texts of certificate warnings
	}{
		{now, nil},
		{now.AddDate(0, 0, 82), nil},
		{now.AddDate(0, 0, 84), []string{"server certificate CN=localhost (a) ends within 7 days"}},
		{now.AddDate(0, 0, 89).Add(time.Hour), []string{"server certificate CN=localhost (a) ends within 1 day"}},
		{clientEnd.AddDate(0, 0, -29), []string{"ended at", "client certificate CN=localhost (" + certPath + ") ends within 30 days"}},
		{clientEnd.Add(time.Hour), []string{"ended at", "client certificate CN=localhost (" + certPath + ") ended at"}},
	} {
		var got []string
		for _, w := range p.Warnings(c.at) {
			if strings.HasPrefix(w.ID, "certificate-") {
				got = append(got, w.Text)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("at %v: %q, want %q", c.at, got, c.want)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("at %v: %q, want %q", c.at, got[i], c.want[i])
			}
		}
	}
	for _, w := range p.Warnings(now.Add(3*24*time.Hour + time.Hour)) {
		if w.ID != "ocsp-expires" {
			t.Error(w)
		}
	}
	if w := p.Warnings(time.Time{}); len(w) > 0 {
		t.Error("warned of ends before time is known:", w)
	}
}

func TestPinWarnings(t *testing.T) {
	pki := certstest.New(t)
	cert := pki.Issue(t, certstest.Leaf{})
	addr := certstest.Serve(t, certstest.ServerConfig(cert))
	spare := certs.PinOf(certstest.NewRoot(t, "spare", pki.Now).Cert).String()
	for _, c := range []struct {
		name string
		pins []string
		warn bool
	}{
		{"none", nil, false},
		{"one", []string{certs.PinOf(cert.Leaf).String()}, true},
		{"two of the same chain", []string{certs.PinOf(cert.Leaf).String(), certs.PinOf(pki.Root.Cert).String()}, true},
		{"one and a spare", []string{certs.PinOf(cert.Leaf).String(), spare}, false},
	} {
		p := policy(t, knows(pki.Now), configs.Trust{}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t), Pins: c.pins, Revocation: "off"})
		if _, err := connect(t, p, "a", addr); err != nil {
			t.Fatal(err)
		}
		w := p.Warnings(pki.Now)
		if (len(w) > 0) != c.warn || c.warn && w[0].ID != "pin-without-backup" {
			t.Errorf("%s: %v", c.name, w)
		}
	}
}

func TestRevocationWarning(t *testing.T) {
	pki := certstest.New(t)
	addr := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, certstest.Leaf{})))
	pki.Responder.Down(true)
	p := responsive(t, knows(pki.Now), configs.Trust{Revocation: "prefer"}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t)})
	if _, err := connect(t, p, "a", addr); err != nil {
		t.Fatal(err)
	}
	if w := p.Warnings(pki.Now); len(w) != 1 || w[0].ID != "revocation-unknown" {
		t.Error(w)
	}
}
