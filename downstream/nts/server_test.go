package nts

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// TestTimeServed compares what a client can conclude with the timeline itself, for one that is
// far off the host clock and drifts.
func TestTimeServed(t *testing.T) {
	for _, aead := range []uint16{ntske.AEADAESSIVCMAC256, ntske.AEADAES128GCMSIV} {
		l := newLab(t, func(o *Options) { o.Timeline = ahead(-3*time.Hour, 480) })
		line := l.server.opt.Timeline.Snapshot()
		n := l.node(aead)
		for i := range 50 {
			e := n.ask()
			h := e.Header
			pivot := line.UTCAt(e.from).UnixNano()
			t2, t3 := h.ReceiveTime.UnixNano(pivot), h.TransmitTime.UnixNano(pivot)
			from, to := line.UTCAt(e.from).UnixNano(), line.UTCAt(e.to).UnixNano()
			// The timeline is this test's truth, so the stamps lie in the exchange, but for what
			// the dispersion admits of beyond the timeline's own bound.
			distance := h.RootDelay.Duration()/2 + h.RootDispersion.Duration()
			slack := int64(distance - line.MaxErrorAt)
			if t2 < from-slack || t3 < t2 || t3 > to {
				t.Fatalf("exchange %d: received %d ns after it began, sent %d ns after that, ended %d ns after the sending; slack %d", i, t2-from, t3-t2, to-t3, slack)
			}
			if distance < line.MaxError(e.from) || distance > line.MaxError(e.to)+e.to.Sub(e.from)/4+50*time.Microsecond {
				t.Errorf("root distance %v, the timeline's bound is %v", distance, line.MaxError(e.to))
			}
			if h.Stratum != 1 || h.Leap != 0 || h.ReferenceID != ntp.RefID("LAB") || h.ReferenceTime == 0 || t2 < h.ReferenceTime.UnixNano(pivot) || len(e.Cookies) != 2 {
				t.Errorf("header %+v, %d cookies", h, len(e.Cookies))
			}
		}
		l.becomes("counters", func(s Status) bool {
			return s.Accepted == 1 && s.Answered == 50 && s.NAKs == 0 && len(s.Refused) == 0
		})
	}
}

// TestHostileDatagrams sends each kind of bad datagram to the socket: its own counter rises by
// one, only those that deserve a NAK get an answer, and the next honest request is answered.
func TestHostileDatagrams(t *testing.T) {
	l := newLab(t, nil)
	n := l.node(ntske.AEADAESSIVCMAC256)
	n.ask()
	l.becomes("answer counted", func(s Status) bool { return s.Answered == 1 })
	answered := bytes.Clone(n.request.Packet)
	const uidAt, cookieAt = 48, 84
	cookieEnd := cookieAt + 4 + nts.CookieSize(15)
	change := func(f func(b []byte) []byte) func([]byte) []byte { return f }
	for _, tt := range []struct {
		name, want string
		nak        bool
		make       func(good []byte) []byte
	}{
		{"empty", nts.ReasonSize, false, func(b []byte) []byte { return nil }},
		{"truncated header", nts.ReasonSize, false, func(b []byte) []byte { return b[:47] }},
		{"truncated cookie", nts.ReasonField, false, func(b []byte) []byte { return b[:cookieAt+9] }},
		{"truncated before the authenticator", nts.ReasonUnprotected, false, func(b []byte) []byte { return b[:cookieEnd] }},
		{"truncated in the authenticator", nts.ReasonField, false, func(b []byte) []byte { return b[:len(b)-1] }},
		{"oversized", nts.ReasonSize, false, func(b []byte) []byte { return append(b, make([]byte, 1400)...) }},
		{"plain NTP", nts.ReasonPlain, false, func(b []byte) []byte { return b[:48] }},
		{"version 3", nts.ReasonVersion, false, change(func(b []byte) []byte { b[0] = 3<<3 | 3; return b })},
		{"mode 6 query", nts.ReasonMode, false, change(func(b []byte) []byte { b[0] = 4<<3 | 6; return b })},
		{"an answer", nts.ReasonMode, false, change(func(b []byte) []byte { b[0] = 4<<3 | 4; return b })},
		{"bit flipped in the header", nts.ReasonNotAuthentic, true, change(func(b []byte) []byte { b[41] ^= 4; return b })},
		{"bit flipped in the unique identifier", nts.ReasonNotAuthentic, true, change(func(b []byte) []byte { b[uidAt+10] ^= 4; return b })},
		{"bit flipped in the cookie", nts.ReasonBadCookie, true, change(func(b []byte) []byte { b[cookieAt+50] ^= 4; return b })},
		{"bit flipped in the tag", nts.ReasonNotAuthentic, true, change(func(b []byte) []byte { b[len(b)-3] ^= 4; return b })},
		{"no unique identifier", nts.ReasonUniqueID, false, func(b []byte) []byte { return append(b[:uidAt:uidAt], b[cookieAt:]...) }},
		{"two cookies", nts.ReasonDuplicateField, false, func(b []byte) []byte {
			return append(b[:cookieEnd:cookieEnd], b[cookieAt:]...)
		}},
		{"field of length zero", nts.ReasonField, false, change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[cookieAt+2:], 0); return b })},
		{"authenticator that lies about its lengths", nts.ReasonAuthenticator, false, change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[len(b)-36:], 4000); return b })},
		{"replay of an answered request", reasonReplay, false, func([]byte) []byte { return answered }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l.t, n.t = t, t
			before := l.server.Status()
			packet := tt.make(bytes.Clone(n.prepare()))
			n.send(packet)
			l.rises(before, tt.want, 1)
			if tt.nak {
				b, err := n.receive(time.Minute)
				if err != nil || len(b) > len(packet) {
					t.Fatalf("NAK of %d bytes, %v", len(b), err)
				}
				var h ntp.Packet
				if err := h.UnmarshalBinary(b); err != nil || h.Kiss() != "NTSN" || h.TransmitTime != 0 || h.ReceiveTime != 0 {
					t.Errorf("instead of a NAK: %+v, %v", h, err)
				}
				l.becomes("NAK counted", func(s Status) bool { return s.NAKs == before.NAKs+1 })
			}
			// The honest exchange also shows that nothing else was sent before its answer.
			n.ask()
			l.becomes("answer counted", func(s Status) bool { return s.Answered == before.Answered+1 })
		})
	}
}

// TestUnanswered shows that a bad datagram without a NAK gets no byte back.
func TestUnanswered(t *testing.T) {
	l := newLab(t, nil)
	n := l.node(15)
	before := l.server.Status()
	n.send(n.prepare()[:48])
	l.rises(before, nts.ReasonPlain, 1)
	if b, err := n.receive(50 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%x, %v", b, err)
	}
}

// TestNothingServed takes the timeline away in each way that there is.
func TestNothingServed(t *testing.T) {
	l := newLab(t, nil)
	n := l.node(15)
	good := *l.line.Snapshot()
	leapAt := time.Now().Add(-time.Hour).Unix()
	for _, tt := range []struct {
		name, want string
		edit       func(*discipline.Snapshot)
	}{
		{"unsynchronized", reasonUnsynchronized, func(s *discipline.Snapshot) { s.State = discipline.Unsynchronized }},
		{"acquiring", reasonUnsynchronized, func(s *discipline.Snapshot) { s.State = discipline.Acquiring }},
		{"stratum 16", reasonUnsynchronized, func(s *discipline.Snapshot) { s.Stratum = 16 }},
		{"no stratum", reasonUnsynchronized, func(s *discipline.Snapshot) { s.Stratum = 0 }},
		{"a bound of 16 s", reasonUnsynchronized, func(s *discipline.Snapshot) { s.MaxErrorAt = 16 * time.Second }},
		{"an inserted second", reasonLeapSecond, func(s *discipline.Snapshot) {
			s.Leap, s.LeapAt = discipline.LeapInsert, leapAt
			s.TAI = (leapAt+37)*1e9 + int64(100*time.Millisecond)
			s.At = l.clock.Now()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l.t, n.t = t, t
			before := l.server.Status()
			l.line.edit(tt.edit)
			n.send(n.prepare())
			l.rises(before, tt.want, 1)
			l.line.p.Store(&good)
			n.ask()
		})
	}
	t.Run("holdover is served", func(t *testing.T) {
		l.t, n.t = t, t
		l.line.edit(func(s *discipline.Snapshot) { s.State = discipline.Holdover })
		n.ask()
	})
	t.Run("suspended", func(t *testing.T) {
		l.t, n.t = t, t
		before := l.server.Status()
		l.clock.slept.Add(int64(time.Minute))
		n.send(n.prepare())
		l.rises(before, reasonSuspended, 1)
		// The epoch that follows is not believed at once: it may have begun before the sleep.
		l.line.edit(func(s *discipline.Snapshot) { s.Epoch[0]++ })
		n.send(n.prepare())
		l.rises(before, reasonSuspended, 2)
	})
}

func TestLeapAnnounced(t *testing.T) {
	l := newLab(t, nil)
	n := l.node(15)
	for leap, want := range map[discipline.Leap]uint8{
		discipline.LeapInsert: 1, discipline.LeapDelete: 2, discipline.LeapUnknown: 0, discipline.LeapNone: 0,
	} {
		l.line.edit(func(s *discipline.Snapshot) { s.Leap = leap })
		if got := n.ask().Header.Leap; got != want {
			t.Errorf("leap %d is announced as %d", leap, got)
		}
	}
}

func TestCookieKeysRotate(t *testing.T) {
	l := newLab(t, nil)
	n := l.node(15)
	for range 3 {
		if err := l.server.cookies.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	before := l.server.Status()
	n.send(n.prepare())
	b, err := n.receive(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var e *nts.Error
	if _, err := n.client.Open(b, &n.request); !errors.As(err, &e) || e.Reason != nts.ReasonNAK {
		t.Errorf("instead of a NAK: %v", err)
	}
	l.rises(before, nts.ReasonBadCookie, 1)
}

// TestHostileKE sends each kind of bad request over TLS: the answer, the server's counter, and
// the next honest client.
func TestHostileKE(t *testing.T) {
	good := []ntske.Record{
		{Critical: true, Type: ntske.TypeNextProtocol, Body: []byte{0, 0}},
		{Critical: true, Type: ntske.TypeAEADAlgorithm, Body: []byte{0, 15}},
	}
	with := func(r ...ntske.Record) []byte {
		b, err := ntske.MarshalMessage(append(append([]ntske.Record(nil), good...), r...))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	l := newLab(t, nil)
	for _, tt := range []struct {
		name, want string
		code       byte // of the Error record
		request    []byte
	}{
		{"unknown critical record", ntske.ReasonUnknownCritical, ntske.CodeUnrecognizedCritical, with(ntske.Record{Critical: true, Type: 999})},
		{"a cookie from a client", ntske.ReasonUnexpected, ntske.CodeBadRequest, with(ntske.Record{Type: ntske.TypeNewCookie, Body: []byte{1, 2, 3, 4}})},
		{"a record twice", ntske.ReasonDuplicate, ntske.CodeBadRequest, with(good[1])},
		{"nothing", ntske.ReasonMissing, ntske.CodeBadRequest, []byte{0x80, 0, 0, 0}},
		{"too many records", ntske.ReasonTooMany, ntske.CodeBadRequest, with(make([]ntske.Record, 40)...)},
		{"too big", ntske.ReasonTooBig, ntske.CodeBadRequest, with(ntske.Record{Type: 2000, Body: make([]byte, 60000)})},
		{"noise", ntske.ReasonTooBig, ntske.CodeBadRequest, bytes.Repeat([]byte{0xa5}, 300)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l.t = t
			if tt.name == "too many records" {
				for i := range 40 {
					binary.BigEndian.PutUint16(tt.request[len(good)*6+4*i:], 2000) // else they would end the message
				}
			}
			before := l.server.Status()
			conn, err := tls.Dial("tcp", l.server.KEAddr().String(), l.clientTLS())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write(tt.request); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn)
			want := []byte{0x80, 2, 0, 2, 0, tt.code, 0x80, 0, 0, 0}
			if err != nil || !bytes.Equal(answer, want) {
				t.Errorf("answer %x, %v; want %x", answer, err, want)
			}
			l.rises(before, tt.want, 1)
			l.node(15).ask()
		})
	}
	for _, tt := range []struct {
		name, want string
		edit       func(*tls.Config)
	}{
		{"TLS 1.2", ntske.ReasonTransport, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }},
		{"no ALPN", ntske.ReasonALPN, func(c *tls.Config) { c.NextProtos = nil }},
		{"another ALPN", ntske.ReasonTransport, func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l.t = t
			before := l.server.Status()
			config := l.clientTLS()
			tt.edit(config)
			if _, err := l.establish(config, ntske.ClientOptions{}); err == nil {
				t.Error("was served")
			}
			l.rises(before, tt.want, 1)
			l.node(15).ask()
		})
	}
	t.Run("no AEAD in common", func(t *testing.T) {
		l := newLab(t, func(o *Options) { o.AEADs = []uint16{15} })
		if _, err := l.establish(l.clientTLS(), ntske.ClientOptions{AEADs: []uint16{30}}); keReasonOf(err) != ntske.ReasonAEAD {
			t.Error(err)
		}
		l.rises(Status{}, ntske.ReasonAEAD, 1)
		l.node(15).ask()
	})
}

func TestConnectionLimits(t *testing.T) {
	l := newLab(t, func(o *Options) { o.MaxConnections, o.KETimeout = 8, 3*time.Second })
	var held []net.Conn
	for range 2 { // a quarter of 8
		c, err := net.Dial("tcp", l.server.KEAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	c, err := net.Dial("tcp", l.server.KEAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("a third connection of one address was kept")
	}
	l.rises(Status{}, reasonBusyPeer, 1)
	// Those that say nothing are closed in time, and make room.
	for _, c := range held {
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Error("a silent connection was kept")
		}
	}
	l.becomes("silent connections counted", func(s Status) bool { return s.Refused[ntske.ReasonTransport] == 2 })
	l.node(15).ask()
}

func TestPeersLimit(t *testing.T) {
	p := peers{limit: 2, each: 2}
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i, want := range []string{"", "", reasonBusy} {
		if got := p.enter([]netip.Addr{a, b, b}[i]); got != want {
			t.Errorf("connection %d: %q", i, got)
		}
	}
	p.leave(a)
	if got := p.enter(b); got != "" || len(p.of) != 1 {
		t.Errorf("after one left: %q, %v", got, p.of)
	}
	if got := (&peers{limit: 9, each: 1, total: 1, of: map[netip.Addr]int{a: 1}}).enter(a); got != reasonBusyPeer {
		t.Errorf("%q", got)
	}
}

func TestClientCertificates(t *testing.T) {
	ca, err := certs.NewThrowaway("node")
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(ca.CAPEM)
	l := newLab(t, func(o *Options) { o.ClientCAs = func() *x509.CertPool { return clients } })
	if _, err := l.establish(l.clientTLS(), ntske.ClientOptions{}); err == nil {
		t.Error("a client without certificate was served")
	}
	l.rises(Status{}, ntske.ReasonTransport, 1)
}

func TestNew(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("made from nothing")
	}
	l := newLab(t, nil)
	opt := l.server.opt
	for _, edit := range []func(*Options){
		func(o *Options) { o.KEListen = "nonsense" },
		func(o *Options) { o.NTPListen = "127.0.0.1:nonsense" },
		func(o *Options) { o.KEListen = l.server.KEAddr().String() },
		func(o *Options) { o.NTPListen = l.server.NTPAddr().String() },
	} {
		o := opt
		edit(&o)
		if s, err := New(o); err == nil {
			t.Errorf("made with %q and %q", o.KEListen, o.NTPListen)
			s.ke.Close()
			s.ntp.Close()
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

func BenchmarkAnswer(b *testing.B) {
	l := newLab(b, nil)
	n := l.node(15)
	packet := n.prepare()
	var out []byte
	var q nts.Accepted
	b.ReportAllocs()
	for b.Loop() {
		clear(l.server.replays.seen)
		var ok bool
		if out, ok = l.server.answer(out[:0], packet, 0, &q); !ok {
			b.Fatal("not answered")
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	l := newLab(b, nil)
	n := l.node(15)
	b.ReportAllocs()
	for b.Loop() {
		n.ask()
	}
}

// TestPeersByNetwork: whoever has a whole IPv6 network can't hold more than one peer's part.
func TestPeersByNetwork(t *testing.T) {
	for _, c := range []struct {
		first, second, reason string
	}{
		{"192.0.2.1", "192.0.2.1", reasonBusyPeer},
		{"192.0.2.1", "192.0.2.2", ""},
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", reasonBusyPeer},
		{"2001:db8::1", "2001:db8:0:1::1", ""},
		{"fe80::1%eth0", "fe80::2%eth0", reasonBusyPeer},
	} {
		first, second := netip.MustParseAddr(c.first), netip.MustParseAddr(c.second)
		p := peers{limit: 8, each: 2}
		for range p.each {
			if r := p.enter(first); r != "" {
				t.Fatal(r)
			}
		}
		if r := p.enter(second); r != c.reason {
			t.Errorf("%s after %s: %q, want %q", c.second, c.first, r, c.reason)
		}
		p.leave(first)
		if r := p.enter(second); r != "" {
			t.Errorf("%s after %s left: %s", c.second, c.first, r)
		}
	}
}
