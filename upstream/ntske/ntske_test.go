package ntske

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"testing"
	"testing/iotest"
	"time"
)

func reason(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return fmt.Sprint(err)
}

func rec(critical bool, kind uint16, body ...byte) Record {
	return Record{Critical: critical, Type: kind, Body: body}
}

var goodResponse = []Record{
	rec(true, TypeNextProtocol, 0, 0),
	rec(true, TypeAEADAlgorithm, 0, 15),
	rec(false, TypeNewCookie, make([]byte, 100)...),
	rec(false, TypeNewCookie, make([]byte, 100)...),
}

func marshal(t testing.TB, records []Record) []byte {
	t.Helper()
	b, err := MarshalMessage(records)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadMessage(t *testing.T) {
	good := marshal(t, goodResponse)
	for _, tt := range []struct {
		name, want string
		bytes      []byte
		limits     Limits
	}{
		{"whole", "<nil>", good, Limits{}},
		{"nothing", ReasonNoEnd, nil, Limits{}},
		{"cut in a header", ReasonNoEnd, good[:2], Limits{}},
		{"cut in a body", ReasonNoEnd, good[:20], Limits{}},
		{"no end of message", ReasonNoEnd, good[:len(good)-4], Limits{}},
		{"end of message not critical", ReasonMalformed, append(bytes.Clone(good[:len(good)-4]), 0, 0, 0, 0), Limits{}},
		{"end of message with a body", ReasonMalformed, append(bytes.Clone(good[:len(good)-4]), 0x80, 0, 0, 1, 7), Limits{}},
		{"too many bytes", ReasonTooBig, good, Limits{Bytes: len(good) - 1}},
		{"exactly as many bytes", "<nil>", good, Limits{Bytes: len(good)}},
		{"too many records", ReasonTooMany, good, Limits{Records: 3}},
		{"exactly as many records", "<nil>", good, Limits{Records: 4}},
		{"64 kB announced", ReasonTooBig, []byte{0, 5, 0xff, 0xff}, Limits{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"at once": bytes.NewReader(tt.bytes), "byte by byte": iotest.OneByteReader(bytes.NewReader(tt.bytes)),
				"in halves": iotest.HalfReader(bytes.NewReader(tt.bytes)), "error with data": iotest.DataErrReader(bytes.NewReader(tt.bytes)),
			} {
				records, err := ReadMessage(r, tt.limits)
				if reason(err) != tt.want {
					t.Errorf("%s: %v, want %s", name, err, tt.want)
				}
				if err == nil && !bytes.Equal(marshal(t, records), tt.bytes) {
					t.Errorf("%s: %v", name, records)
				}
				if err != nil && records != nil {
					t.Errorf("%s: a refused message left records", name)
				}
			}
		})
	}
	if _, err := ReadMessage(iotest.ErrReader(io.ErrClosedPipe), Limits{}); reason(err) != ReasonTransport || !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	after := bytes.NewReader(append(bytes.Clone(good), "more"...))
	if _, err := ReadMessage(after, Limits{}); err != nil || after.Len() != 4 {
		t.Errorf("%d bytes left behind the message, %v", after.Len(), err)
	}
}

func TestParseResponse(t *testing.T) {
	with := func(more ...Record) []Record { return append(append([]Record(nil), goodResponse...), more...) }
	without := func(kind uint16) (out []Record) {
		for _, r := range goodResponse {
			if r.Type != kind {
				out = append(out, r)
			}
		}
		return out
	}
	replace := func(r Record) []Record { return append(without(r.Type), r) }
	many := func(n int) (out []Record) {
		for range n {
			out = append(out, rec(false, TypeNewCookie, make([]byte, 64)...))
		}
		return out
	}
	for _, tt := range []struct {
		name, want string
		records    []Record
		check      func(*Session) bool
	}{
		{"good", "<nil>", goodResponse, func(s *Session) bool {
			return s.AEAD == 15 && len(s.Cookies) == 2 && s.NTPPort == 123 && s.NTPServer == ""
		}},
		{"nothing", ReasonMissing, nil, nil},
		{"server and port", "<nil>", with(rec(true, TypeNTPv4Server, []byte("ntp.example.net")...), rec(true, TypeNTPv4Port, 0x10, 0x01)),
			func(s *Session) bool { return s.NTPServer == "ntp.example.net" && s.NTPPort == 4097 }},
		{"not critical server and port", "<nil>", with(rec(false, TypeNTPv4Server, []byte("::1")...), rec(false, TypeNTPv4Port, 0, 124)),
			func(s *Session) bool { return s.NTPServer == "::1" && s.NTPPort == 124 }},
		{"unknown record", "<nil>", with(rec(false, 2222, 1, 2, 3)), nil},
		{"unknown critical record", ReasonUnknownCritical, with(rec(true, 2222)), nil},
		{"error 0", ReasonPeerUnrecognizedCritical, []Record{rec(true, TypeError, 0, 0)}, nil},
		{"error 1", ReasonPeerBadRequest, []Record{rec(true, TypeError, 0, 1)}, nil},
		{"error 2", ReasonPeerInternal, []Record{rec(true, TypeError, 0, 2)}, nil},
		{"error 3", ReasonPeerUnknown, []Record{rec(true, TypeError, 0, 3)}, nil},
		{"error of three bytes", ReasonMalformed, []Record{rec(true, TypeError, 0, 1, 2)}, nil},
		{"error beside a good response", ReasonPeerInternal, with(rec(true, TypeError, 0, 2)), nil},
		{"warning", ReasonWarning, with(rec(true, TypeWarning, 0, 1)), nil},
		{"no next protocol", ReasonMissing, without(TypeNextProtocol), nil},
		{"empty next protocol", ReasonProtocol, replace(rec(true, TypeNextProtocol)), nil},
		{"other next protocol", ReasonProtocol, replace(rec(true, TypeNextProtocol, 0x80, 1)), nil},
		{"two next protocols", ReasonMalformed, replace(rec(true, TypeNextProtocol, 0, 0, 0, 1)), nil},
		{"next protocol not critical", ReasonMalformed, replace(rec(false, TypeNextProtocol, 0, 0)), nil},
		{"next protocol twice", ReasonDuplicate, with(rec(true, TypeNextProtocol, 0, 0)), nil},
		{"no AEAD", ReasonMissing, without(TypeAEADAlgorithm), nil},
		{"empty AEAD", ReasonAEAD, replace(rec(true, TypeAEADAlgorithm)), nil},
		{"AEAD not offered", ReasonAEAD, replace(rec(true, TypeAEADAlgorithm, 0, 17)), nil},
		{"two AEADs", ReasonMalformed, replace(rec(true, TypeAEADAlgorithm, 0, 15, 0, 30)), nil},
		{"odd AEAD", ReasonMalformed, replace(rec(true, TypeAEADAlgorithm, 0)), nil},
		{"AEAD twice", ReasonDuplicate, with(rec(true, TypeAEADAlgorithm, 0, 15)), nil},
		{"AEAD not critical", "<nil>", replace(rec(false, TypeAEADAlgorithm, 0, 15)), nil},
		{"no cookies", ReasonNoCookies, without(TypeNewCookie), nil},
		{"only cookies that fit no packet", ReasonNoCookies, append(without(TypeNewCookie), rec(false, TypeNewCookie, make([]byte, 101)...),
			rec(false, TypeNewCookie, make([]byte, 8)...), rec(false, TypeNewCookie, make([]byte, 1000)...)), nil},
		{"one cookie that fits", "<nil>", append(without(TypeNewCookie), rec(false, TypeNewCookie, make([]byte, 101)...), rec(false, TypeNewCookie, make([]byte, 104)...)),
			func(s *Session) bool { return len(s.Cookies) == 1 && len(s.Cookies[0]) == 104 }},
		{"twenty cookies", "<nil>", append(without(TypeNewCookie), many(20)...), func(s *Session) bool { return len(s.Cookies) == MaxCookies }},
		{"port of one byte", ReasonMalformed, with(rec(true, TypeNTPv4Port, 1)), nil},
		{"port 0", ReasonMalformed, with(rec(true, TypeNTPv4Port, 0, 0)), nil},
		{"port twice", ReasonDuplicate, with(rec(true, TypeNTPv4Port, 0, 1), rec(true, TypeNTPv4Port, 0, 1)), nil},
		{"empty server", ReasonMalformed, with(rec(true, TypeNTPv4Server)), nil},
		{"server with a blank", ReasonMalformed, with(rec(true, TypeNTPv4Server, []byte("a b")...)), nil},
		{"server with a zero byte", ReasonMalformed, with(rec(true, TypeNTPv4Server, 'a', 0)), nil},
		{"server of 300 bytes", ReasonMalformed, with(rec(true, TypeNTPv4Server, bytes.Repeat([]byte("a"), 300)...)), nil},
		{"server twice", ReasonDuplicate, with(rec(true, TypeNTPv4Server, 'a'), rec(true, TypeNTPv4Server, 'b')), nil},
		{"compliant", "<nil>", with(rec(false, TypeCompliant128GCM)), func(s *Session) bool { return s.Compliant128GCM }},
		{"compliant with a body", ReasonMalformed, with(rec(false, TypeCompliant128GCM, 1)), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseResponse(tt.records, []uint16{30, 15})
			if reason(err) != tt.want {
				t.Fatalf("%v, want %s", err, tt.want)
			}
			if tt.check != nil && !tt.check(s) {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestParseRequest(t *testing.T) {
	good := []Record{rec(true, TypeNextProtocol, 0, 0), rec(true, TypeAEADAlgorithm, 0, 30, 0, 15)}
	with := func(more ...Record) []Record { return append(append([]Record(nil), good...), more...) }
	for _, tt := range []struct {
		name, want string
		records    []Record
	}{
		{"good", "<nil>", good},
		{"all that a client may say", "<nil>", with(rec(false, TypeCompliant128GCM), rec(true, TypeNTPv4Server, 'h'), rec(true, TypeNTPv4Port, 0, 1), rec(false, 3000))},
		{"nothing", ReasonMissing, nil},
		{"no AEAD", ReasonMissing, good[:1]},
		{"no next protocol", ReasonMissing, good[1:]},
		{"other protocol without AEAD", "<nil>", []Record{rec(true, TypeNextProtocol, 0, 9)}},
		{"next protocol not critical", ReasonMalformed, []Record{rec(false, TypeNextProtocol, 0, 0), good[1]}},
		{"empty next protocol", ReasonMalformed, []Record{rec(true, TypeNextProtocol), good[1]}},
		{"odd AEAD", ReasonMalformed, []Record{good[0], rec(true, TypeAEADAlgorithm, 1)}},
		{"twice", ReasonDuplicate, with(good[0])},
		{"unknown critical", ReasonUnknownCritical, with(rec(true, 3000))},
		{"error", ReasonUnexpected, with(rec(true, TypeError, 0, 1))},
		{"warning", ReasonUnexpected, with(rec(true, TypeWarning, 0, 1))},
		{"cookie", ReasonUnexpected, with(rec(false, TypeNewCookie, 1, 2, 3, 4))},
		{"port of one byte", ReasonMalformed, with(rec(true, TypeNTPv4Port, 1))},
		{"empty server", ReasonMalformed, with(rec(true, TypeNTPv4Server))},
		{"compliant with a body", ReasonMalformed, with(rec(false, TypeCompliant128GCM, 1))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ParseRequest(tt.records); reason(err) != tt.want {
				t.Fatalf("%v, want %s", err, tt.want)
			}
		})
	}
}

// certificate returns a self-signed one for 127.0.0.1 and a pool that trusts it.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// connect returns both ends of a TLS connection over loopback, not yet shaken hands.
func connect(t testing.TB, edit func(client, server *tls.Config)) (client, server *tls.Conn) {
	t.Helper()
	cert, pool := certificate(t)
	cc := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: []string{ALPN}}
	sc := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{ALPN}}
	if edit != nil {
		edit(cc, sc)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	type accepted struct {
		net.Conn
		error
	}
	ch := make(chan accepted, 1)
	go func() { c, err := l.Accept(); ch <- accepted{c, err} }()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := <-ch
	if b.error != nil {
		t.Fatal(b.error)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return tls.Client(a, cc), tls.Server(b.Conn, sc)
}

type outcome struct {
	session *Session
	err     error
}

func run(t testing.TB, client, server *tls.Conn, co ClientOptions, so ServerOptions) (c, s outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ch := make(chan outcome, 1)
	go func() {
		s, err := Server(ctx, server, so)
		if err != nil {
			server.Close()
		}
		ch <- outcome{s, err}
	}()
	session, err := Client(ctx, client, co)
	if err != nil {
		client.Close()
	}
	return outcome{session, err}, <-ch
}

func cookie(aead uint16, keys Keys) ([]byte, error) {
	return append(keys.C2S, make([]byte, 64)...), nil
}

func TestExchange(t *testing.T) {
	for _, tt := range []struct {
		name        string
		offer, know []uint16
		want        uint16
	}{
		{"defaults", nil, nil, 30}, {"client prefers 15", []uint16{15, 30}, nil, 15},
		{"server knows 15 only", nil, []uint16{15}, 15}, {"client knows 15 only", []uint16{15}, nil, 15},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := connect(t, nil)
			c, s := run(t, client, server, ClientOptions{AEADs: tt.offer},
				ServerOptions{AEADs: tt.know, NewCookie: cookie, NTPServer: "ntp.example.net", NTPPort: 1123})
			if c.err != nil || s.err != nil {
				t.Fatal(c.err, s.err)
			}
			got := c.session
			if got.AEAD != tt.want || len(got.Cookies) != MaxCookies || got.NTPServer != "ntp.example.net" || got.NTPPort != 1123 ||
				len(got.C2S) != KeySize(tt.want) || !bytes.Equal(got.C2S, s.session.C2S) || !bytes.Equal(got.S2C, s.session.S2C) ||
				bytes.Equal(got.C2S, got.S2C) || got.Compliant128GCM != (tt.want == 30) || got.Alternative != nil {
				t.Errorf("client %+v, server %+v", got, s.session)
			}
		})
	}
}

// What a client without the record of compliance derives for 30 can't be known, so it gets 15 where it offers that.
func TestChoiceWithoutTheComplianceRecord(t *testing.T) {
	all := []uint16{30, 15}
	for _, tt := range []struct {
		offer, know []uint16
		compliant   bool
		want        int
	}{
		{[]uint16{30, 15}, all, false, 1}, {[]uint16{30, 15}, all, true, 0}, {[]uint16{30, 16, 15}, all, false, 2},
		{[]uint16{15, 30}, all, false, 0}, {[]uint16{15, 30}, all, true, 0},
		{[]uint16{30}, all, false, 0}, {[]uint16{16, 30}, all, true, 1}, {[]uint16{30, 15}, []uint16{30}, false, 0},
		{[]uint16{30}, []uint16{15}, false, -1}, {[]uint16{16}, all, false, -1}, {nil, all, true, -1},
	} {
		q := Request{NTPv4: true, AEADs: tt.offer, Compliant128GCM: tt.compliant}
		if got := q.choose(tt.know); got != tt.want {
			t.Errorf("%+v of %v: %d, want %d", q, tt.know, got, tt.want)
		}
	}
}

// TestForeignExporterContext plays a server that knows nothing of the compliance record.
func TestForeignExporterContext(t *testing.T) {
	for _, contextAEAD := range []uint16{AEADAESSIVCMAC256, AEADAES128GCMSIV} {
		client, server := connect(t, nil)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		done := make(chan outcome, 1)
		go func() {
			state, err := handshake(ctx, server)
			if err == nil {
				_, err = ReadMessage(server, Limits{})
			}
			s := &Session{}
			if err == nil {
				s.Keys, err = exportKeys(state, 30, contextAEAD)
			}
			if err == nil {
				var b []byte
				b, err = MarshalMessage([]Record{goodResponse[0], rec(true, TypeAEADAlgorithm, 0, 30), goodResponse[2]})
				if err == nil {
					_, err = server.Write(b)
				}
			}
			done <- outcome{s, err}
		}()
		got, err := Client(ctx, client, ClientOptions{})
		s := <-done
		if err != nil || s.err != nil {
			t.Fatal(err, s.err)
		}
		want := got.Keys
		if contextAEAD == AEADAES128GCMSIV {
			want = *got.Alternative
		}
		if got.Alternative == nil || !bytes.Equal(want.C2S, s.session.C2S) || !bytes.Equal(want.S2C, s.session.S2C) ||
			bytes.Equal(got.C2S, got.Alternative.C2S) {
			t.Errorf("context of AEAD %d: %+v, the server has %+v", contextAEAD, got, s.session)
		}
	}
}

func TestExchangeRefusals(t *testing.T) {
	nothing := func(client, server *tls.Config) {}
	for _, tt := range []struct {
		name       string
		edit       func(client, server *tls.Config)
		co         ClientOptions
		so         ServerOptions
		cWant      string
		sWant      string
		sWantOther string
	}{
		{name: "TLS 1.2", edit: func(c, s *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, cWant: ReasonTLSVersion, sWant: ReasonTLSVersion},
		{name: "no ALPN at the server", edit: func(c, s *tls.Config) { s.NextProtos = nil }, cWant: ReasonALPN, sWant: ReasonALPN},
		{name: "other ALPN", edit: func(c, s *tls.Config) { c.NextProtos = []string{"h2"} }, cWant: ReasonTransport, sWant: ReasonTransport},
		{name: "untrusted", edit: func(c, s *tls.Config) { c.RootCAs = x509.NewCertPool() }, cWant: ReasonTransport, sWant: ReasonTransport, sWantOther: ReasonNoEnd},
		{name: "no AEAD in common", edit: nothing, co: ClientOptions{AEADs: []uint16{15}}, so: ServerOptions{AEADs: []uint16{30}}, cWant: ReasonAEAD, sWant: ReasonAEAD},
		{name: "cookie fails", edit: nothing, so: ServerOptions{NewCookie: func(uint16, Keys) ([]byte, error) { return nil, io.ErrNoProgress }}, cWant: ReasonPeerInternal, sWant: ReasonInternal},
		{name: "server's limit", edit: nothing, so: ServerOptions{Limits: Limits{Bytes: 10}}, cWant: ReasonPeerBadRequest, sWant: ReasonTooBig},
		{name: "client's limit", edit: nothing, co: ClientOptions{Limits: Limits{Records: 3}}, cWant: ReasonTooMany, sWant: "<nil>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := connect(t, tt.edit)
			if tt.so.NewCookie == nil {
				tt.so.NewCookie = cookie
			}
			c, s := run(t, client, server, tt.co, tt.so)
			if got := reason(s.err); reason(c.err) != tt.cWant || got != tt.sWant && got != tt.sWantOther {
				t.Errorf("client: %v, want %s; server: %v, want %s", c.err, tt.cWant, s.err, tt.sWant)
			}
		})
	}
	if _, err := Client(context.Background(), nil, ClientOptions{AEADs: []uint16{17}}); reason(err) != ReasonAEAD {
		t.Error(err)
	}
}

func TestClientGivesUpInTime(t *testing.T) {
	client, server := connect(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		if err := server.HandshakeContext(context.Background()); err == nil {
			_, _ = ReadMessage(server, Limits{}) // and never answers
		}
		cancel()
	}()
	if _, err := Client(ctx, client, ClientOptions{}); reason(err) != ReasonTransport || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add(marshal(f, goodResponse))
	f.Add(marshal(f, []Record{rec(true, TypeError, 0, 1)}))
	f.Add(marshal(f, clientRequest([]uint16{30, 15}, ClientOptions{NTPServer: "a", NTPPort: 1})))
	f.Add([]byte{0x80, 0, 0, 0})
	f.Add([]byte{0, 5, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := ReadMessage(bytes.NewReader(b), Limits{})
		if err != nil {
			if reason(err) == fmt.Sprint(err) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if again := marshal(t, records); !bytes.HasPrefix(b, again) {
			t.Fatalf("%x reads back as %x", b, again)
		}
		if s, err := ParseResponse(records, []uint16{30, 15}); err == nil && (len(s.Cookies) == 0 || KeySize(s.AEAD) == 0) {
			t.Fatalf("a response without cookies or AEAD: %+v", s)
		}
		if q, err := ParseRequest(records); err == nil && q.NTPv4 && len(q.AEADs) == 0 {
			t.Fatalf("a request without AEAD: %+v", q)
		}
	})
}
