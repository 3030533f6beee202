package certs_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/certs/revocation"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

// peer starts a program of another implementation and ends it with the test.
func peer(t *testing.T, name string, args ...string) *program.Buffer {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			t.Skipf("%s is not installed: the package of that name holds it", name)
		}
	}
	out := &program.Buffer{}
	// Whatever it is, it can't touch the clock.
	cmd := program.Noclock(path, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if _, err := cmd.StdinPipe(); err != nil { // openssl s_server ends with its input
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("setpriv (package util-linux) is needed to start peers:", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return out
}

// until waits for done; a program of another project gives no better notice.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(end) {
			t.Fatal("waited in vain for", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// accepting waits for what openssl prints once it listens: a connection made to find out would hold
// up its responder.
func accepting(t *testing.T, out *program.Buffer) {
	t.Helper()
	until(t, "ACCEPT", func() bool {
		if strings.Contains(out.String(), "Error starting accept") {
			t.Skip("openssl can't listen here: its responder wants IPv6")
		}
		return strings.Contains(out.String(), "ACCEPT")
	})
}

// listening waits until addr accepts connections.
func listening(t *testing.T, addr string) {
	t.Helper()
	until(t, addr, func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// opensslIndex is a line of the file that openssl ocsp answers from.
func opensslIndex(cert tls.Certificate, revoked bool) string {
	state, when := "V", ""
	if revoked {
		state, when = "R", time.Now().UTC().Add(-time.Hour).Format("060102150405Z")
	}
	serial := strings.ToUpper(fmt.Sprintf("%x", cert.Leaf.SerialNumber))
	if len(serial)%2 == 1 {
		serial = "0" + serial
	}
	return strings.Join([]string{state, cert.Leaf.NotAfter.UTC().Format("060102150405Z"), when, serial, "unknown", "/CN=x"}, "\t") + "\n"
}

// openssl ocsp is a second implementation of the responder: asked by GET and by POST, answering by
// itself and through a delegate.
func TestOpenSSLResponder(t *testing.T) {
	for _, c := range []struct {
		name     string
		revoked  bool
		known    bool
		delegate bool
		why      string
	}{
		{"good", false, true, false, ""},
		{"revoked", true, true, false, certs.WhyRevoked},
		{"unknown", false, false, false, revocation.WhyOCSPUnknown},
		{"good by a delegate", false, true, true, ""},
		{"revoked by a delegate", true, true, true, certs.WhyRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			pki := certstest.New(t)
			dir := t.TempDir()
			port := strconv.Itoa(loopback.Port(t))
			cert := pki.Issue(t, certstest.Leaf{NoCRL: true, OCSP: "http://127.0.0.1:" + port})
			index := ""
			if c.known {
				index = opensslIndex(cert, c.revoked)
			}
			if err := os.WriteFile(filepath.Join(dir, "index.txt"), []byte(index), 0o644); err != nil {
				t.Fatal(err)
			}
			signer := tls.Certificate{Certificate: [][]byte{pki.Intermediate.Cert.Raw}, PrivateKey: pki.Intermediate.Key}
			if c.delegate {
				d := pki.Responder.Delegate(pki.Intermediate, pki.Now.Add(time.Hour))
				signer = tls.Certificate{Certificate: [][]byte{d.Cert.Raw}, PrivateKey: d.Key}
			}
			signerPath, keyPath := certstest.WritePair(t, dir, "signer", signer)
			caPath := filepath.Join(dir, "issuer.pem")
			certstest.WriteCertificates(t, caPath, pki.Intermediate.Cert)
			out := peer(t, "openssl", "ocsp", "-port", port, "-index", filepath.Join(dir, "index.txt"), "-CA", caPath,
				"-rsigner", signerPath, "-rkey", keyPath, "-nmin", "60")
			accepting(t, out)
			addr := certstest.Serve(t, certstest.ServerConfig(cert))
			p, err := certs.New(certs.Options{Clock: knows(time.Now()), RevocationTimeout: time.Minute, Servers: []configs.Server{
				{Name: "a", Address: addr, CA: pki.CAFile(t), Revocation: "require"}}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = connect(t, p, "a", addr)
			if reason(err) != c.why {
				t.Errorf("%q, want %q (%v)", reason(err), c.why, err)
			}
			if r, _ := p.Report("a"); c.why == "" && (r.Chain[0].Revocation.Source != "ocsp" || r.Chain[0].Revocation.Status != "good") {
				t.Errorf("%+v", r.Chain[0].Revocation)
			}
		})
	}
}

// openssl s_server is a second implementation of a TLS 1.3 server that staples and demands a client
// certificate.
func TestOpenSSLServer(t *testing.T) {
	pki := certstest.New(t)
	dir := t.TempDir()
	cert := pki.Issue(t, certstest.Leaf{MustStaple: true})
	certPath, keyPath := certstest.WritePair(t, dir, "server", cert)
	chainPath := filepath.Join(dir, "chain.pem")
	certstest.WriteCertificates(t, chainPath, pki.Intermediate.Cert)
	staple := filepath.Join(dir, "staple.der")
	if err := os.WriteFile(staple, pki.Responder.Staple(cert.Leaf, certstest.Honest), 0o644); err != nil {
		t.Fatal(err)
	}
	client, clientKey := certstest.WritePair(t, dir, "client", pki.Issue(t, certstest.Leaf{Hosts: []string{"gateway"}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}))
	port := strconv.Itoa(loopback.Port(t))
	addr := "127.0.0.1:" + port
	out := peer(t, "openssl", "s_server", "-accept", addr, "-rev", "-tls1_3", "-alpn", "ntske/1", "-cert", certPath, "-key", keyPath,
		"-cert_chain", chainPath, "-status_file", staple, "-Verify", "2", "-verify_return_error", "-CAfile", pki.CAFile(t))
	accepting(t, out)
	p := responsive(t, knows(pki.Now), configs.Trust{},
		configs.Server{Name: "with", Address: addr, CA: pki.CAFile(t), Cert: client, Key: clientKey, Revocation: "require"},
		configs.Server{Name: "without", Address: addr, CA: pki.CAFile(t), Revocation: "require"})
	dial := func(name string) error {
		cfg, _, err := p.KEConfig(name)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", addr, cfg)
		if err != nil {
			return err
		}
		defer conn.Close()
		if got := conn.ConnectionState().NegotiatedProtocol; got != "ntske/1" {
			t.Errorf("ALPN %q", got)
		}
		// In TLS 1.3 the server's verdict on the client comes after the handshake: an alert, or with
		// -rev what was sent, backwards.
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := conn.Write([]byte("ab\n")); err != nil {
			return err
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil && line != "ba\n" {
			t.Errorf("it answers %q", line)
		}
		return err
	}
	if err := dial("with"); err != nil {
		t.Error(err, out)
	}
	if r, _ := p.Report("with"); !r.MustStaple || r.Chain[0].Revocation == nil || r.Chain[0].Revocation.Source != "staple" {
		t.Errorf("%+v", r)
	}
	if err := dial("without"); err == nil {
		t.Error("accepted without a client certificate")
	}
}

// chronyd is the NTS-KE server that most operators run.
func TestChrony(t *testing.T) {
	pki := certstest.New(t)
	for _, c := range []struct {
		name string
		leaf certstest.Leaf
		why  string
	}{
		{"sound", certstest.Leaf{}, ""},
		{"expired", certstest.Leaf{NotAfter: pki.Now.Add(-time.Minute)}, certs.WhyExpired},
		{"another name", certstest.Leaf{Hosts: []string{"other.example"}}, certs.WhyWrongName},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "nts")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			certPath, keyPath := certstest.WritePair(t, dir, "server", pki.Issue(t, c.leaf))
			ke, ntp := strconv.Itoa(loopback.Port(t)), strconv.Itoa(loopback.Port(t))
			conf := filepath.Join(dir, "chrony.conf")
			text := fmt.Sprintf("ntsserverkey %s\nntsservercert %s\nntsport %s\nport %s\nlocal stratum 1\nallow 127.0.0.1\nbindaddress 127.0.0.1\ncmdport 0\nbindcmdaddress /\npidfile %s/pid\nntsdumpdir %s\nuser root\n",
				keyPath, certPath, ke, ntp, dir, dir)
			if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			peer(t, "chronyd", "-x", "-d", "-f", conf)
			addr := "127.0.0.1:" + ke
			listening(t, addr)
			p := responsive(t, knows(pki.Now), configs.Trust{}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t), Revocation: "require"})
			cfg, _, err := p.KEConfig("a")
			if err != nil {
				t.Fatal(err)
			}
			conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", addr, cfg)
			if err == nil {
				defer conn.Close()
				if got := conn.ConnectionState().NegotiatedProtocol; got != "ntske/1" {
					t.Errorf("ALPN %q", got)
				}
			}
			if reason(err) != c.why {
				t.Errorf("%q, want %q (%v)", reason(err), c.why, err)
			}
		})
	}
}

// openssl's own encrypted keys are refused, and the command that the refusal names makes them good.
func TestOpenSSLEncryptedKey(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed: the package of that name holds it")
	}
	pki := certstest.New(t)
	dir := t.TempDir()
	certPath, keyPath := certstest.WritePair(t, dir, "c", pki.Issue(t, certstest.Leaf{}))
	encrypted := filepath.Join(dir, "encrypted.key")
	for _, args := range [][]string{
		{"pkey", "-in", keyPath, "-aes256", "-passout", "pass:secret", "-out", encrypted},
		{"ec", "-in", keyPath, "-aes128", "-passout", "pass:secret", "-out", encrypted},
	} {
		if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text := get(t, encrypted)
		if block, _ := pem.Decode(text); block == nil {
			t.Fatalf("%s", text)
		}
		if _, err := certs.LoadKeyPair(certPath, encrypted); reason(err) != certs.WhyEncryptedKey {
			t.Error(err)
		}
		plain := filepath.Join(dir, "plain.key")
		if out, err := exec.Command(openssl, "pkey", "-in", encrypted, "-passin", "pass:secret", "-out", plain).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if err := os.Chmod(plain, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := certs.LoadKeyPair(certPath, plain); err != nil {
			t.Error(err)
		}
	}
}
