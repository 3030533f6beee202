package nts_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// chrony starts a chronyd that serves NTS on loopback and touches no clock, and returns the
// address of its NTS-KE and the authority that it has its certificate from.
func chrony(t *testing.T) (ke string, pool *x509.CertPool) {
	t.Helper()
	for _, name := range []string{"chronyd", "setpriv"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: no real NTS server (apt-get install chrony util-linux)", name)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("chronyd starts as root only")
	}
	dir, err := os.MkdirTemp("", "chrony")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ca, err := certs.NewThrowaway("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	kePort, ntpPort := loopback.Port(t), loopback.Port(t)
	conf := strings.Join([]string{
		"ntsservercert " + dir + "/cert.pem", "ntsserverkey " + dir + "/key.pem", "ntsprocesses 0", "ntsdumpdir " + dir,
		fmt.Sprintf("ntsport %d", kePort), fmt.Sprintf("port %d", ntpPort),
		"bindaddress 127.0.0.1", "allow 127.0.0.1", "local stratum 1",
		"cmdport 0", "bindcmdaddress /", "pidfile " + dir + "/pid", "user root",
	}, "\n") + "\n"
	for name, content := range map[string][]byte{"cert.pem": ca.CertPEM, "key.pem": ca.KeyPEM, "chrony.conf": []byte(conf)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program.Start(t, program.Noclock("chronyd", "-x", "-d", "-f", dir+"/chrony.conf"))
	ke = fmt.Sprintf("127.0.0.1:%d", kePort)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for tick := time.Tick(10 * time.Millisecond); ; {
		if conn, err := net.Dial("tcp", ke); err == nil {
			conn.Close()
			break
		}
		select {
		case <-tick:
		case <-ctx.Done():
			t.Fatal("chronyd does not serve NTS-KE")
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.CAPEM)
	return ke, pool
}

// TestChronyAnswers has Debian's chronyd as the server of the codecs: keys, forty cookies spent
// one by one with replacements asked for, and what it makes of a spoilt cookie.
func TestChronyAnswers(t *testing.T) {
	ke, pool := chrony(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tcp, err := net.Dial("tcp", ke)
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	conn := tls.Client(tcp, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: []string{ntske.ALPN}})
	session, err := ntske.Client(ctx, conn, ntske.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("AEAD %d, %d cookies of %d bytes, NTP port %d", session.AEAD, len(session.Cookies), len(session.Cookies[0]), session.NTPPort)
	if len(session.Cookies) != 8 || session.NTPServer != "" {
		t.Errorf("%+v", session)
	}
	client, err := nts.NewClient(session.AEAD, session.Keys)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := ntp.Dial(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), session.NTPPort))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	var request nts.Request
	buf := make([]byte, nts.MaxPacketSize)
	ask := func(cookie []byte, placeholders int) (nts.Response, error) {
		t.Helper()
		if err := client.Request(&request, cookie, placeholders, rand.Reader); err != nil {
			t.Fatal(err)
		}
		if _, err := socket.Send(request.Packet, netip.AddrPort{}, netip.Addr{}); err != nil {
			t.Fatal(err)
		}
		if err := socket.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got, err := socket.Receive(buf)
		if err != nil {
			t.Fatal(err)
		}
		if got.N > len(request.Packet) {
			t.Errorf("request of %d bytes, reply of %d", len(request.Packet), got.N)
		}
		return client.Open(buf[:got.N], &request)
	}
	for i := range 40 {
		cookie := session.Cookies[0]
		session.Cookies = session.Cookies[1:]
		placeholders := i % 8 // no more than 7 fit
		from := time.Now()
		r, err := ask(cookie, placeholders)
		to := time.Now()
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Cookies) != placeholders+1 || r.Header.Stratum != 1 {
			t.Errorf("%d placeholders: %d cookies, %+v", placeholders, len(r.Cookies), r.Header)
		}
		at := r.Header.TransmitTime.UnixNano(from.UnixNano())
		if at < from.UnixNano() || at > to.UnixNano() {
			t.Errorf("sent %v after the exchange began, which took %v", time.Duration(at-from.UnixNano()), to.Sub(from))
		}
		session.Cookies = append(session.Cookies, r.Cookies...)
	}
	spoilt := bytes.Clone(session.Cookies[0])
	spoilt[len(spoilt)-1] ^= 1
	_, err = ask(spoilt, 0)
	var e *nts.Error
	if !errors.As(err, &e) || e.Reason != nts.ReasonNAK {
		t.Errorf("a spoilt cookie: %v", err)
	}
	if _, err := ask(session.Cookies[1], 0); err != nil {
		t.Errorf("the honest request after it: %v", err)
	}
}
