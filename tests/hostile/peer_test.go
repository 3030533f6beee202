package hostile

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// peer is an NTS server of stratum 1 that serves the host clock, wrong by what the test says, over
// a network that the test holds packets back in.
type peer struct {
	name    string
	address string // of its NTS-KE
	ca      string // a file

	mu         sync.Mutex
	began      time.Time
	lie        func(t time.Duration) time.Duration // its clock minus truth; nil: none
	out, back  func(t time.Duration) time.Duration // added to the ways to it and back; nil: none
	dispersion time.Duration                       // stated
	edit       func(t time.Duration, h *ntp.Packet)
	silent     bool
	asked      int
}

// set changes how the peer is.
func (p *peer) set(f func(p *peer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

func authority(t testing.TB) (*certs.Throwaway, string) {
	t.Helper()
	ca, err := certs.NewThrowaway("127.0.0.1", "localhost")
	must(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, ca.CAPEM, 0o644))
	return ca, file
}

// writeCertificate puts a certificate for loopback and its authority into dir.
func writeCertificate(t testing.TB, dir string) {
	t.Helper()
	ca, err := certs.NewThrowaway("127.0.0.1", "localhost")
	must(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(ca.Certificate.PrivateKey)
	must(t, err)
	var chain []byte
	for _, der := range ca.Certificate.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	must(t, os.WriteFile(filepath.Join(dir, "server.pem"), chain, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "server.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "server-ca.pem"), ca.CAPEM, 0o644))
}

// newPeer starts a peer, which ends with the test.
func newPeer(t testing.TB, name string) *peer {
	t.Helper()
	ca, file := authority(t)
	p := &peer{name: name, ca: file, began: time.Now(), dispersion: 50 * time.Microsecond}
	cookies, err := nts.NewCookieKeys(rand.Reader)
	must(t, err)
	ke, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{ca.Certificate}, NextProtos: []string{ntske.ALPN}, MinVersion: tls.VersionTLS13})
	must(t, err)
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	p.address = ke.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ke.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
				defer cancel()
				ntske.Server(ctx, c.(*tls.Conn), ntske.ServerOptions{
					NTPPort:   conn.LocalAddr().(*net.UDPAddr).AddrPort().Port(),
					NewCookie: func(a uint16, k ntske.Keys) ([]byte, error) { return cookies.Seal(nil, a, k) },
				})
			})
		}
	})
	server := nts.NewServer(cookies, rand.Reader)
	wg.Go(func() {
		for {
			b := make([]byte, 2048)
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			came := time.Now()
			wg.Go(func() {
				if reply := p.answer(server, b[:n], came); reply != nil {
					conn.WriteToUDPAddrPort(reply, from)
				}
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		ke.Close()
		conn.Close()
		wg.Wait()
	})
	return p
}

// answer makes the reply to one request, with the delays that the test wants.
func (p *peer) answer(server *nts.Server, packet []byte, came time.Time) []byte {
	p.mu.Lock()
	q := peer{began: p.began, lie: p.lie, out: p.out, back: p.back, dispersion: p.dispersion, edit: p.edit, silent: p.silent}
	p.asked++
	p.mu.Unlock()
	if q.silent {
		return nil
	}
	t := came.Sub(q.began)
	if q.out != nil {
		until(came.Add(q.out(t)))
		came = time.Now()
	}
	wrong := time.Duration(0)
	if q.lie != nil {
		wrong = q.lie(t)
	}
	var a nts.Accepted
	err := server.Open(packet, &a)
	if err != nil {
		return nil
	}
	var sent time.Time
	reply, err := server.Reply(nil, &a, func(h *ntp.Packet) bool {
		h.Stratum, h.Precision, h.ReferenceID = 1, -24, ntp.RefID("GPS")
		h.RootDispersion = ntp.ShortFromDuration(q.dispersion)
		sent = time.Now()
		h.ReferenceTime = ntp.Time64FromUnix(sent.Add(wrong).UnixNano())
		h.ReceiveTime = ntp.Time64FromUnix(came.Add(wrong).UnixNano())
		h.TransmitTime = ntp.Time64FromUnix(sent.Add(wrong).UnixNano())
		if q.edit != nil {
			q.edit(t, h)
		}
		return true
	})
	if err != nil {
		return nil
	}
	if q.back != nil {
		until(sent.Add(q.back(t)))
	}
	return reply
}

// until waits for an instant, more exactly than a sleep alone.
func until(at time.Time) {
	if d := time.Until(at) - 300*time.Microsecond; d > 0 {
		time.Sleep(d)
	}
	for time.Now().Before(at) {
		runtime.Gosched()
	}
}
