package hostile

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"maps"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// device is an honest client of the gateway's NTS server.
type device struct {
	g       *gateway
	session *ntske.Session
	client  *nts.Client
	conn    *net.UDPConn
	request nts.Request
}

func (g *gateway) tlsConfig() *tls.Config {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, "server-ca.pem"))
	must(g.t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: []string{ntske.ALPN}, MinVersion: tls.VersionTLS13}
}

// keys makes a key exchange.
func (g *gateway) keys() (*ntske.Session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), program.Busy*5*time.Second)
	defer cancel()
	tcp, err := (&net.Dialer{}).DialContext(ctx, "tcp", g.ke)
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	return ntske.Client(ctx, tls.Client(tcp, g.tlsConfig()), ntske.ClientOptions{AEADs: []uint16{15}})
}

func newDevice(g *gateway) *device {
	g.t.Helper()
	session, err := g.keys()
	must(g.t, err)
	d := &device{g: g, session: session}
	d.client, err = nts.NewClient(session.AEAD, session.Keys)
	must(g.t, err)
	at, err := net.ResolveUDPAddr("udp", g.ntp)
	must(g.t, err)
	d.conn, err = net.DialUDP("udp", nil, at)
	must(g.t, err)
	g.t.Cleanup(func() { d.conn.Close() })
	return d
}

// prepare makes the next request.
func (d *device) prepare() []byte {
	d.g.t.Helper()
	cookie := d.session.Cookies[0]
	d.session.Cookies = d.session.Cookies[1:]
	must(d.g.t, d.client.Request(&d.request, cookie, 1, rand.Reader))
	return d.request.Packet
}

// ask makes an honest exchange: the first datagram that comes is its answer, and the time in it
// is true within the root distance in it.
func (d *device) ask() {
	d.g.t.Helper()
	packet := d.prepare()
	asked := time.Now()
	_, err := d.conn.Write(packet)
	must(d.g.t, err)
	b := make([]byte, 2048)
	must(d.g.t, d.conn.SetReadDeadline(time.Now().Add(program.Busy*5*time.Second)))
	n, err := d.conn.Read(b)
	must(d.g.t, err)
	answered := time.Now()
	r, err := d.client.Open(b[:n], &d.request)
	if err != nil {
		d.g.t.Fatalf("the honest request's answer: %v", err)
	}
	d.session.Cookies = append(d.session.Cookies, r.Cookies...)
	h := &r.Header
	distance := h.RootDelay.Duration()/2 + h.RootDispersion.Duration() + time.Microsecond
	t2, t3 := time.Unix(0, h.ReceiveTime.UnixNano(asked.UnixNano())), time.Unix(0, h.TransmitTime.UnixNano(asked.UnixNano()))
	if t2.Add(distance).Before(asked) || t3.Add(-distance).After(answered) {
		d.g.t.Errorf("asked %v, answered %v, but the gateway says %v … %v ± %v", asked, answered, t2, t3, distance)
	}
}

// refusals are the NTS server's counters.
func (g *gateway) refusals(room string) map[string]float64 {
	g.t.Helper()
	out := map[string]float64{}
	m, _ := g.mustReport().Downstream[room].(map[string]any)
	list, _ := m["refused"].(map[string]any)
	for reason, n := range list {
		out[reason], _ = n.(float64)
	}
	return out
}

// rises waits until exactly one more is counted as reason, and fails when another counter moved.
func (g *gateway) rises(room string, before map[string]float64, reason string) {
	g.t.Helper()
	var now map[string]float64
	program.Eventually(g.t, 8*time.Second, "counted as "+reason, func() bool {
		now = g.refusals(room)
		return now[reason] > before[reason]
	})
	want := maps.Clone(before)
	want[reason]++
	if !maps.Equal(now, want) {
		g.t.Errorf("counted %v after %v, want one more %s", now, before, reason)
	}
}

func TestItsNTSServer(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []*peer{newPeer(t, "s0")}, options{nts: true}).start()
	line := g.synced(15 * time.Second)
	d := newDevice(g)
	d.ask()
	answered := bytes.Clone(d.request.Packet)
	const uidAt, cookieAt = ntp.PacketSize, ntp.PacketSize + 4 + nts.UniqueIdentifierSize
	cookieEnd := cookieAt + 4 + nts.CookieSize(15)
	for _, tt := range []struct {
		name, want string
		nak        bool
		bend       func(b []byte) []byte
	}{
		{"empty", nts.ReasonSize, false, func(b []byte) []byte { return nil }},
		{"one byte", nts.ReasonSize, false, func(b []byte) []byte { return b[:1] }},
		{"one byte short of a header", nts.ReasonSize, false, func(b []byte) []byte { return b[:47] }},
		{"65,000 bytes", nts.ReasonSize, false, func(b []byte) []byte { return append(b, make([]byte, 65000-len(b))...) }},
		{"plain NTP", nts.ReasonPlain, false, func(b []byte) []byte { return b[:48] }},
		{"version 3", nts.ReasonVersion, false, func(b []byte) []byte { b[0] = 3<<3 | 3; return b }},
		{"version 5", nts.ReasonVersion, false, func(b []byte) []byte { b[0] = 5<<3 | 3; return b }},
		{"a server's answer", nts.ReasonMode, false, func(b []byte) []byte { b[0] = 4<<3 | 4; return b }},
		{"a control message", nts.ReasonMode, false, func(b []byte) []byte { b[0] = 4<<3 | 6; return b }},
		{"a broadcast", nts.ReasonMode, false, func(b []byte) []byte { b[0] = 4<<3 | 5; return b }},
		{"cut in the cookie", nts.ReasonField, false, func(b []byte) []byte { return b[:cookieAt+9] }},
		{"cut before the authenticator", nts.ReasonUnprotected, false, func(b []byte) []byte { return b[:cookieEnd] }},
		{"cut in the authenticator", nts.ReasonField, false, func(b []byte) []byte { return b[:len(b)-1] }},
		{"a field of length 0", nts.ReasonField, false, func(b []byte) []byte { binary.BigEndian.PutUint16(b[cookieAt+2:], 0); return b }},
		{"a field of length 65,532", nts.ReasonField, false, func(b []byte) []byte { binary.BigEndian.PutUint16(b[cookieAt+2:], 65532); return b }},
		{"no unique identifier", nts.ReasonUniqueID, false, func(b []byte) []byte { return append(b[:uidAt:uidAt], b[cookieAt:]...) }},
		{"no cookie", nts.ReasonNoCookie, false, func(b []byte) []byte { return append(b[:cookieAt:cookieAt], b[cookieEnd:]...) }},
		{"two cookies", nts.ReasonDuplicateField, false, func(b []byte) []byte { return append(b[:cookieEnd:cookieEnd], b[cookieAt:]...) }},
		{"an authenticator that lies about its lengths", nts.ReasonAuthenticator, false, func(b []byte) []byte { binary.BigEndian.PutUint16(b[len(b)-36:], 4000); return b }},
		{"a bit of the header", nts.ReasonNotAuthentic, true, func(b []byte) []byte { b[41] ^= 4; return b }},
		{"a bit of the unique identifier", nts.ReasonNotAuthentic, true, func(b []byte) []byte { b[uidAt+10] ^= 4; return b }},
		{"a bit of the cookie", nts.ReasonBadCookie, true, func(b []byte) []byte { b[cookieAt+50] ^= 4; return b }},
		{"a bit of the tag", nts.ReasonNotAuthentic, true, func(b []byte) []byte { b[len(b)-3] ^= 4; return b }},
		{"an answered request again", "replay", false, func([]byte) []byte { return answered }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g.t = t
			before := g.refusals("nts")
			packet := tt.bend(bytes.Clone(d.prepare()))
			_, err := d.conn.Write(packet)
			must(t, err)
			g.rises("nts", before, tt.want)
			if tt.nak {
				b := make([]byte, 2048)
				must(t, d.conn.SetReadDeadline(time.Now().Add(program.Busy*5*time.Second)))
				n, err := d.conn.Read(b)
				var h ntp.Packet
				if err != nil || h.UnmarshalBinary(b[:n]) != nil || h.Kiss() != "NTSN" || h.TransmitTime != 0 || h.ReceiveTime != 0 || n > len(packet) {
					t.Errorf("instead of a NAK without time: %x, %v", b[:n], err)
				}
			}
			d.ask() // and so nothing was sent but what is asked for
			g.same(line)
		})
	}
	g.t = t
}

func TestItsKeyExchange(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []*peer{newPeer(t, "s0")}, options{nts: true}).start()
	line := g.synced(15 * time.Second)
	good := []ntske.Record{
		{Critical: true, Type: ntske.TypeNextProtocol, Body: []byte{0, 0}},
		{Critical: true, Type: ntske.TypeAEADAlgorithm, Body: []byte{0, 15}},
	}
	message := func(r ...ntske.Record) []byte {
		b, err := ntske.MarshalMessage(r)
		must(t, err)
		return b
	}
	with := func(r ...ntske.Record) []byte { return message(append(good[:2:2], r...)...) }
	many := []byte(nil)
	for range 40 {
		many = append(many, 0x07, 0xd0, 0, 0) // unknown, not critical, empty
	}
	for _, tt := range []struct {
		name, want string
		edit       func(c *tls.Config)
		request    []byte // nil: the connection is closed after the handshake
		raw        []byte // instead of TLS
	}{
		{name: "an unknown critical record", want: ntske.ReasonUnknownCritical, request: with(ntske.Record{Critical: true, Type: 999})},
		{name: "a cookie from a client", want: ntske.ReasonUnexpected, request: with(ntske.Record{Type: ntske.TypeNewCookie, Body: []byte{1, 2, 3, 4}})},
		{name: "a record twice", want: ntske.ReasonDuplicate, request: with(good[1])},
		{name: "no AEAD", want: ntske.ReasonMissing, request: message(good[0])},
		{name: "nothing but an end", want: ntske.ReasonMissing, request: message()},
		{name: "an unknown AEAD only", want: ntske.ReasonAEAD, request: message(good[0], ntske.Record{Critical: true, Type: ntske.TypeAEADAlgorithm, Body: []byte{0x12, 0x34}})},
		{name: "another protocol only", want: ntske.ReasonProtocol, request: message(ntske.Record{Critical: true, Type: ntske.TypeNextProtocol, Body: []byte{0x80, 0}}, good[1])},
		{name: "an odd list of AEADs", want: ntske.ReasonMalformed, request: message(good[0], ntske.Record{Critical: true, Type: ntske.TypeAEADAlgorithm, Body: []byte{0, 15, 0}})},
		{name: "60,000 bytes", want: ntske.ReasonTooBig, request: with(ntske.Record{Type: 2000, Body: make([]byte, 60000)})},
		{name: "forty records", want: ntske.ReasonTooMany, request: append(many, with()...)},
		{name: "noise", want: ntske.ReasonTooBig, request: bytes.Repeat([]byte{0xa5}, 300)},
		{name: "closed without a word", want: ntske.ReasonNoEnd},
		{name: "no ALPN", want: ntske.ReasonALPN, edit: func(c *tls.Config) { c.NextProtos = nil }, request: with()},
		{name: "another ALPN", want: ntske.ReasonTransport, edit: func(c *tls.Config) { c.NextProtos = []string{"h2"} }},
		{name: "TLS 1.2", want: ntske.ReasonTransport, edit: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }},
		{name: "no TLS", want: ntske.ReasonTransport, raw: []byte("GET / HTTP/1.0\r\n\r\n")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g.t = t
			before := g.refusals("nts")
			tcp, err := net.Dial("tcp", g.ke)
			must(t, err)
			defer tcp.Close()
			tcp.SetDeadline(time.Now().Add(program.Busy * 5 * time.Second))
			if tt.raw != nil {
				tcp.Write(tt.raw)
			} else {
				c := g.tlsConfig()
				if tt.edit != nil {
					tt.edit(c)
				}
				conn := tls.Client(tcp, c)
				if conn.Handshake() == nil {
					if tt.request != nil {
						conn.Write(tt.request)
						// Whatever it answers holds no cookie.
						if records, err := ntske.ReadMessage(conn, ntske.Limits{}); err == nil {
							for _, r := range records {
								if r.Type == ntske.TypeNewCookie {
									t.Error("a cookie was given")
								}
							}
						}
					}
					conn.Close()
				}
			}
			g.rises("nts", before, tt.want)
			newDevice(g).ask()
			g.same(line)
		})
	}
	// A hundred connections that say nothing: one address has a quarter of the places, whoever
	// comes from elsewhere is served, and so is this one once they have timed out.
	t.Run("a hundred silent connections", func(t *testing.T) {
		g.t = t
		for range 100 {
			c, err := net.Dial("tcp", g.ke)
			must(t, err)
			defer c.Close()
		}
		program.Eventually(t, 5*time.Second, "the rest is refused", func() bool { return g.refusals("nts")["ke-busy-peer"] >= 84 })
		program.Eventually(t, 10*time.Second, "the honest client is served again", func() bool { _, err := g.keys(); return err == nil })
		newDevice(g).ask()
		g.same(line)
	})
	g.t = t
}
