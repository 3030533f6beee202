package nts

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// pair is a client and a server that share keys, and a request between them.
type pair struct {
	algorithm uint16
	keys      ntske.Keys
	cookies   *CookieKeys
	server    *Server
	client    *Client
	request   Request
}

func newPair(t testing.TB, algorithm uint16) *pair {
	t.Helper()
	p := &pair{algorithm: algorithm}
	size := ntske.KeySize(algorithm)
	p.keys = ntske.Keys{C2S: bytes.Repeat([]byte{1}, size), S2C: bytes.Repeat([]byte{2}, size)}
	var err error
	if p.cookies, err = NewCookieKeys(rand.Reader); err != nil {
		t.Fatal(err)
	}
	p.server = NewServer(p.cookies, rand.Reader)
	if p.client, err = NewClient(algorithm, p.keys); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) cookie(t testing.TB) []byte {
	t.Helper()
	c, err := p.cookies.Seal(nil, p.algorithm, p.keys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *pair) ask(t testing.TB, placeholders int) []byte {
	t.Helper()
	if err := p.client.Request(&p.request, p.cookie(t), placeholders, rand.Reader); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(p.request.Packet)
}

func goodHeader(h *ntp.Packet) bool {
	h.Stratum, h.Precision, h.ReferenceID = 1, -20, ntp.RefID("GPS")
	h.RootDelay, h.RootDispersion = 100, 200
	h.ReferenceTime, h.ReceiveTime, h.TransmitTime = 1000<<32, 1001<<32, 1001<<32|5
	return true
}

func (p *pair) answer(t testing.TB, packet []byte, stamp func(*ntp.Packet) bool) []byte {
	t.Helper()
	var q Accepted
	if err := p.server.Open(packet, &q); err != nil {
		t.Fatal(err)
	}
	b, err := p.server.Reply(nil, &q, stamp)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func reason(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return fmt.Sprint(err)
}

func TestExchange(t *testing.T) {
	for _, algorithm := range []uint16{ntske.AEADAESSIVCMAC256, ntske.AEADAES128GCMSIV} {
		for placeholders := range 9 {
			p := newPair(t, algorithm)
			packet := p.ask(t, placeholders)
			reply := p.answer(t, packet, goodHeader)
			if len(reply) > len(packet) || len(packet) > MaxPacketSize {
				t.Errorf("AEAD %d, %d placeholders: request of %d bytes, reply of %d", algorithm, placeholders, len(packet), len(reply))
			}
			r, err := p.client.Open(reply, &p.request)
			if err != nil {
				t.Fatalf("AEAD %d, %d placeholders: %v", algorithm, placeholders, err)
			}
			want := min(p.request.Placeholders+1, ntske.MaxCookies)
			if len(r.Cookies) != want || r.Header.Stratum != 1 || r.Header.TransmitTime != 1001<<32|5 {
				t.Errorf("AEAD %d, %d placeholders: %d cookies, want %d; %+v", algorithm, placeholders, len(r.Cookies), want, r.Header)
			}
			for i, c := range r.Cookies {
				if a, keys, err := p.cookies.Open(c); err != nil || a != algorithm || !bytes.Equal(keys.S2C, p.keys.S2C) {
					t.Errorf("new cookie: %v", err)
				}
				if i > 0 && bytes.Equal(c, r.Cookies[0]) {
					t.Error("two cookies are equal")
				}
			}
		}
	}
}

func TestSevenPlaceholdersFit(t *testing.T) {
	for _, algorithm := range []uint16{ntske.AEADAESSIVCMAC256, ntske.AEADAES128GCMSIV} {
		p := newPair(t, algorithm)
		p.ask(t, 7)
		if p.request.Placeholders != 7 {
			t.Errorf("AEAD %d: only %d placeholders fit", algorithm, p.request.Placeholders)
		}
	}
	p := newPair(t, 15)
	if err := p.client.Request(&p.request, make([]byte, 512), 7, rand.Reader); err != nil {
		t.Fatal(err)
	}
	if p.request.Placeholders != 1 || len(p.request.Packet) > MaxPacketSize {
		t.Errorf("with the largest cookie: %d placeholders, %d bytes", p.request.Placeholders, len(p.request.Packet))
	}
	for _, n := range []int{0, 8, 13, 516} {
		if p.client.Request(&p.request, make([]byte, n), 0, rand.Reader) == nil {
			t.Errorf("a cookie of %d bytes was accepted", n)
		}
	}
}

// reseal rebuilds a reply with another header or other fields, as a server with the keys could.
func (p *pair) reseal(t testing.TB, edit func(*ntp.Packet), uid []byte, plain []byte) []byte {
	t.Helper()
	h := ntp.Packet{Version: 4, Mode: 4, OriginTime: p.request.Transmit}
	goodHeader(&h)
	if edit != nil {
		edit(&h)
	}
	b, err := h.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if uid != nil {
		b = AppendField(b, TypeUniqueIdentifier, uid)
	}
	s2c, err := NewAEAD(p.algorithm, p.keys.S2C)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = appendAuthenticator(b, s2c, plain, rand.Reader); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestClientRefuses(t *testing.T) {
	p := newPair(t, ntske.AEADAESSIVCMAC256)
	request := p.ask(t, 3)
	uid := p.request.uid[:]
	good := p.answer(t, request, goodHeader)
	sealAt := ntp.PacketSize + 36
	with := func(edit func(*ntp.Packet)) []byte { return p.reseal(t, edit, uid, nil) }
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	kiss := func(code string, stratum uint8, uid []byte, origin ntp.Time64) []byte {
		h := ntp.Packet{Leap: 3, Version: 4, Mode: 4, Stratum: stratum, ReferenceID: ntp.RefID(code), OriginTime: origin}
		b, _ := h.AppendBinary(nil)
		if uid != nil {
			b = AppendField(b, TypeUniqueIdentifier, uid)
		}
		return b
	}
	other := bytes.Repeat([]byte{9}, 32)
	origin := p.request.Transmit
	for _, tt := range []struct {
		name, want string
		packet     []byte
	}{
		{"empty", ReasonSize, nil},
		{"header cut", ReasonSize, good[:47]},
		{"huge", ReasonSize, append(bytes.Clone(good), make([]byte, 4000)...)},
		{"plain NTP", ReasonPlain, good[:48]},
		{"no unique identifier", ReasonUniqueID, p.reseal(t, nil, nil, nil)},
		{"another unique identifier", ReasonUniqueID, p.reseal(t, nil, other, nil)},
		{"unique identifier cut short", ReasonUniqueID, p.reseal(t, nil, uid[:16], nil)},
		{"unique identifier only in the ciphertext", ReasonUniqueID, p.reseal(t, nil, nil, AppendField(nil, TypeUniqueIdentifier, uid))},
		{"unique identifier behind the authenticator", ReasonUniqueID, AppendField(p.reseal(t, nil, nil, nil), TypeUniqueIdentifier, uid)},
		{"unique identifier twice", ReasonUniqueID, change(func(b []byte) []byte {
			return append(AppendField(bytes.Clone(b[:48]), TypeUniqueIdentifier, uid), b[48:]...)
		})},
		{"echo of the request", ReasonNotAuthentic, request},
		{"no authenticator", ReasonUnprotected, good[:sealAt]},
		{"field of length 0", ReasonField, change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[sealAt+2:], 0); return b })},
		{"field longer than the packet", ReasonField, change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[sealAt+2:], 2000); return b })},
		{"field of odd length", ReasonField, change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[sealAt+2:], 17); return b })},
		{"field shorter than RFC 7822 allows", ReasonField, change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[sealAt+2:], 12); return b })},
		{"cut in the authenticator", ReasonField, good[:len(good)-4]},
		{"nonce longer than the field", ReasonAuthenticator, change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[sealAt+4:], 2000); return b })},
		{"ciphertext longer than the field", ReasonAuthenticator, change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[sealAt+6:], 60000); return b })},
		{"nonce of a length that the AEAD does not take", ReasonNotAuthentic, change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[sealAt+4:], 15); return b })},
		{"ciphertext of 8 bytes", ReasonNotAuthentic, change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[sealAt+6:], 8); return b })},
		{"transmit time changed", ReasonNotAuthentic, change(func(b []byte) []byte { b[45] ^= 1; return b })},
		{"ciphertext changed", ReasonNotAuthentic, change(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
		{"origin", ReasonOrigin, with(func(h *ntp.Packet) { h.OriginTime++ })},
		{"mode", ReasonMode, with(func(h *ntp.Packet) { h.Mode = 5 })},
		{"version", ReasonVersion, with(func(h *ntp.Packet) { h.Version = 3 })},
		{"authenticated kiss", ReasonKiss, with(func(h *ntp.Packet) { h.Stratum, h.ReferenceID = 0, ntp.RefID("RATE") })},
		{"stratum 0 without a code", ReasonStratum, with(func(h *ntp.Packet) { h.Stratum, h.ReferenceID = 0, 0 })},
		{"stratum 16", ReasonStratum, with(func(h *ntp.Packet) { h.Stratum = 16 })},
		{"unsynchronized", ReasonLeap, with(func(h *ntp.Packet) { h.Leap = 3 })},
		{"root distance", ReasonRootDistance, with(func(h *ntp.Packet) { h.RootDelay, h.RootDispersion = 20<<16, 6<<16 })},
		{"sent before received", ReasonTimestamps, with(func(h *ntp.Packet) { h.TransmitTime = h.ReceiveTime - 1 })},
		{"no transmit time", ReasonTimestamps, with(func(h *ntp.Packet) { h.TransmitTime = 0 })},
		{"nonsense in the ciphertext", ReasonEncrypted, p.reseal(t, nil, uid, []byte{2, 4, 0, 8, 1})},
		{"NAK", ReasonNAK, kiss("NTSN", 0, uid, origin)},
		{"NAK without unique identifier", ReasonPlain, kiss("NTSN", 0, nil, origin)},
		{"NAK with another unique identifier", ReasonUniqueID, kiss("NTSN", 0, other, origin)},
		{"NAK with another origin", ReasonUnprotected, kiss("NTSN", 0, uid, origin+1)},
		{"kiss nobody vouches for", ReasonUnauthenticKiss, kiss("DENY", 0, uid, origin)},
		{"time nobody vouches for", ReasonUnprotected, kiss("GPS", 1, uid, origin)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := p.request
			r, err := p.client.Open(tt.packet, &p.request)
			if reason(err) != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if r.Cookies != nil || r.Header != (ntp.Packet{}) {
				t.Errorf("a refused packet left %+v", r)
			}
			if p.request.Transmit != before.Transmit || p.request.uid != before.uid {
				t.Error("the request changed")
			}
		})
	}
	if _, err := p.client.Open(good, &p.request); err != nil {
		t.Fatalf("the honest answer afterwards: %v", err)
	}
	// What follows the authenticator is not looked at, whatever it is.
	for _, tail := range [][]byte{{0}, AppendField(nil, TypeCookie, make([]byte, 100)), AppendField(nil, TypeAuthenticator, make([]byte, 40))} {
		r, err := p.client.Open(append(bytes.Clone(good), tail...), &p.request)
		if err != nil || len(r.Cookies) != 4 {
			t.Errorf("with %d bytes behind the authenticator: %d cookies, %v", len(tail), len(r.Cookies), err)
		}
	}
}

// TestUselessAnswersBringCookies: what only the header's values make useless is authentic all the same.
func TestUselessAnswersBringCookies(t *testing.T) {
	p := newPair(t, ntske.AEADAESSIVCMAC256)
	p.ask(t, 1)
	plain := AppendField(AppendField(nil, TypeCookie, make([]byte, 100)), TypeCookie, make([]byte, 100))
	for _, tt := range []struct {
		name, want string
		edit       func(*ntp.Packet)
		plain      []byte
		cookies    int
	}{
		{"unsynchronized", ReasonLeap, func(h *ntp.Packet) { h.Leap = 3 }, plain, 2},
		{"kiss", ReasonKiss, func(h *ntp.Packet) { h.Stratum, h.ReferenceID = 0, ntp.RefID("RATE") }, plain, 2},
		{"stratum", ReasonStratum, func(h *ntp.Packet) { h.Stratum = 16 }, plain, 2},
		{"another origin", ReasonOrigin, func(h *ntp.Packet) { h.OriginTime++ }, plain, 0},
		{"unsynchronized, with nonsense behind a cookie", ReasonLeap, func(h *ntp.Packet) { h.Leap = 3 }, append(bytes.Clone(plain), 2, 4, 0xff, 0xff), 0},
	} {
		r, err := p.client.Open(p.reseal(t, tt.edit, p.request.uid[:], tt.plain), &p.request)
		if reason(err) != tt.want || len(r.Cookies) != tt.cookies || r.Header != (ntp.Packet{}) {
			t.Errorf("%s: %v, %d cookies, header %+v", tt.name, err, len(r.Cookies), r.Header)
		}
	}
}

// TestChecksComeInOrder gives packets that are wrong in two ways: the earlier check speaks.
func TestChecksComeInOrder(t *testing.T) {
	p := newPair(t, ntske.AEADAES128GCMSIV)
	p.ask(t, 0)
	uid := p.request.uid[:]
	all := func(h *ntp.Packet) {
		h.OriginTime, h.Mode, h.Version, h.Stratum, h.Leap, h.RootDispersion = 1, 2, 2, 99, 3, 1<<31
	}
	steps := []struct {
		want string
		mend func(*ntp.Packet)
	}{
		{ReasonOrigin, func(h *ntp.Packet) { h.OriginTime = p.request.Transmit }},
		{ReasonMode, func(h *ntp.Packet) { h.Mode = 4 }},
		{ReasonVersion, func(h *ntp.Packet) { h.Version = 4 }},
		{ReasonStratum, func(h *ntp.Packet) { h.Stratum = 1 }},
		{ReasonLeap, func(h *ntp.Packet) { h.Leap = 0 }},
		{ReasonRootDistance, func(h *ntp.Packet) { h.RootDispersion = 0 }},
	}
	open := func(b []byte) string { _, err := p.client.Open(b, &p.request); return reason(err) }
	broken := p.reseal(t, all, make([]byte, 32), nil)
	broken[len(broken)-1] ^= 1
	if got := open(broken); got != ReasonUniqueID {
		t.Errorf("everything wrong: %s", got)
	}
	broken = p.reseal(t, all, uid, nil)
	broken[len(broken)-1] ^= 1
	if got := open(broken); got != ReasonNotAuthentic {
		t.Errorf("all but the unique identifier wrong: %s", got)
	}
	mended := func(n int) func(*ntp.Packet) {
		return func(h *ntp.Packet) {
			all(h)
			for _, s := range steps[:n] {
				s.mend(h)
			}
		}
	}
	for i, s := range steps {
		if got := open(p.reseal(t, mended(i), uid, nil)); got != s.want {
			t.Errorf("step %d: %s, want %s", i, got, s.want)
		}
	}
	if got := open(p.reseal(t, mended(len(steps)), uid, nil)); got != "<nil>" {
		t.Errorf("nothing wrong: %s", got)
	}
}

func TestNAK(t *testing.T) {
	p := newPair(t, ntske.AEADAESSIVCMAC256)
	packet := p.ask(t, 0)
	for range keptKeys {
		if err := p.cookies.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	var q Accepted
	err := p.server.Open(packet, &q)
	if reason(err) != ReasonBadCookie {
		t.Fatal(err)
	}
	b, err := p.server.NAK(nil, &q)
	if err != nil || len(b) > len(packet) {
		t.Fatal(len(b), err)
	}
	_, err = p.client.Open(b, &p.request)
	var e *Error
	if !errors.As(err, &e) || e.Reason != ReasonNAK || !e.Hint() {
		t.Fatal(err)
	}
}

func TestCookieKeys(t *testing.T) {
	p := newPair(t, ntske.AEADAESSIVCMAC256)
	c := p.cookie(t)
	if len(c) != CookieSize(p.algorithm) || len(c)%4 != 0 {
		t.Errorf("cookie of %d bytes", len(c))
	}
	for range keptKeys - 1 {
		if err := p.cookies.Rotate(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.cookies.Open(c); err != nil {
			t.Fatal("a cookie of a kept key does not open:", err)
		}
	}
	if err := p.cookies.Rotate(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.cookies.Open(c); reason(err) != ReasonBadCookie {
		t.Error("a cookie of a forgotten key opens:", err)
	}
	fresh := p.cookie(t)
	for bit := range 8 * len(fresh) {
		fresh[bit/8] ^= 1 << (bit % 8)
		if _, _, err := p.cookies.Open(fresh); reason(err) != ReasonBadCookie {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
		fresh[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(fresh) {
		if _, _, err := p.cookies.Open(fresh[:n]); reason(err) != ReasonBadCookie {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if _, err := p.cookies.Seal(nil, 15, ntske.Keys{C2S: make([]byte, 16), S2C: make([]byte, 16)}); err == nil {
		t.Error("keys of a wrong length were sealed")
	}
}

func TestServerRefuses(t *testing.T) {
	p := newPair(t, ntske.AEADAESSIVCMAC256)
	good := p.ask(t, 2)
	uidAt, cookieAt := ntp.PacketSize, ntp.PacketSize+36
	cookieEnd := cookieAt + 4 + CookieSize(15)
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	for _, tt := range []struct {
		name, want string
		packet     []byte
	}{
		{"empty", ReasonSize, nil},
		{"header cut", ReasonSize, good[:30]},
		{"huge", ReasonSize, append(bytes.Clone(good), make([]byte, 4000)...)},
		{"plain NTP", ReasonPlain, good[:48]},
		{"plain NTP with a MAC", ReasonField, append(bytes.Clone(good[:48]), make([]byte, 20)...)},
		{"plain NTP with a foreign field", ReasonPlain, AppendField(bytes.Clone(good[:48]), 0x2005, make([]byte, 28))},
		{"version 3", ReasonVersion, change(func(b []byte) []byte { b[0] = 3<<3 | 3; return b })},
		{"version 5", ReasonVersion, change(func(b []byte) []byte { b[0] = 5<<3 | 3; return b })},
		{"a reply", ReasonMode, change(func(b []byte) []byte { b[0] = 4<<3 | 4; return b })},
		{"control message", ReasonMode, change(func(b []byte) []byte { b[0] = 4<<3 | 6; return b })},
		{"cut at the cookie", ReasonField, good[:cookieAt+20]},
		{"cut before the authenticator", ReasonUnprotected, good[:cookieEnd]},
		{"no unique identifier", ReasonUniqueID, append(bytes.Clone(good[:uidAt]), good[cookieAt:]...)},
		{"two unique identifiers", ReasonDuplicateField, append(bytes.Clone(good[:cookieAt]), good[uidAt:]...)},
		{"two cookies", ReasonDuplicateField, append(bytes.Clone(good[:cookieEnd]), good[cookieAt:]...)},
		{"no cookie", ReasonNoCookie, append(bytes.Clone(good[:cookieAt]), good[cookieEnd:]...)},
		{"cookie changed", ReasonBadCookie, change(func(b []byte) []byte { b[cookieAt+30] ^= 1; return b })},
		{"unknown cookie key", ReasonBadCookie, change(func(b []byte) []byte { b[cookieAt+4] ^= 1; return b })},
		{"header changed", ReasonNotAuthentic, change(func(b []byte) []byte { b[40] ^= 1; return b })},
		{"tag changed", ReasonNotAuthentic, change(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
		{"authenticator lengths", ReasonAuthenticator, change(func(b []byte) []byte { b[len(b)-36] = 0xff; return b })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var q Accepted
			if err := p.server.Open(tt.packet, &q); reason(err) != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if q.Cookies != 0 {
				t.Error("a refused request may have cookies")
			}
		})
	}
	var q Accepted
	if err := p.server.Open(good, &q); err != nil || q.Cookies != 3 {
		t.Fatalf("the honest request afterwards: %d cookies, %v", q.Cookies, err)
	}
}

func TestReplyIsNeverLonger(t *testing.T) {
	p := newPair(t, ntske.AEADAESSIVCMAC256)
	c2s, _ := NewAEAD(15, p.keys.C2S)
	// Placeholders that promise more room than they take, and a nonce-less authenticator.
	header := ntp.Packet{Version: 4, Mode: 3, TransmitTime: 1}
	b, _ := header.AppendBinary(nil)
	b = AppendField(b, TypeUniqueIdentifier, make([]byte, 32))
	b = AppendField(b, TypeCookie, p.cookie(t))
	sealed, err := c2s.Seal(nil, nil, bytes.Repeat(AppendField(nil, TypeCookiePlaceholder, make([]byte, 104)), 2), b)
	if err != nil {
		t.Fatal(err)
	}
	b = AppendField(b, TypeAuthenticator, append([]byte{0, 0, 0, byte(len(sealed))}, sealed...))
	var q Accepted
	if err := p.server.Open(b, &q); err != nil || q.Cookies != 3 {
		t.Fatal(q.Cookies, err)
	}
	reply, err := p.server.Reply(nil, &q, goodHeader)
	if err != nil || len(reply) > len(b) {
		t.Fatalf("request of %d bytes, reply of %d, %v", len(b), len(reply), err)
	}
	if _, err := p.server.Reply(nil, &q, func(*ntp.Packet) bool { return false }); !errors.Is(err, ErrNoTime) {
		t.Fatal(err)
	}
}

func BenchmarkClientExchange(b *testing.B) {
	for _, algorithm := range []uint16{ntske.AEADAESSIVCMAC256, ntske.AEADAES128GCMSIV} {
		b.Run(fmt.Sprintf("AEAD=%d", algorithm), func(b *testing.B) {
			p := newPair(b, algorithm)
			cookie := p.cookie(b)
			// Opening needs an answer to this very request, so the reply's origin and identifier
			// are those of a request that is asked again each time from the same random bytes.
			seed := make([]byte, 64)
			if err := p.client.Request(&p.request, cookie, 0, bytes.NewReader(seed)); err != nil {
				b.Fatal(err)
			}
			reply := p.answer(b, p.request.Packet, goodHeader)
			random := bytes.NewReader(seed)
			b.ReportAllocs()
			for b.Loop() {
				random.Reset(seed)
				if err := p.client.Request(&p.request, cookie, 0, random); err != nil {
					b.Fatal(err)
				}
				if _, err := p.client.Open(reply, &p.request); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkClientRequest(b *testing.B) {
	p := newPair(b, ntske.AEADAESSIVCMAC256)
	cookie := p.cookie(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.client.Request(&p.request, cookie, 0, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkServerExchange(b *testing.B) {
	for _, algorithm := range []uint16{ntske.AEADAESSIVCMAC256, ntske.AEADAES128GCMSIV} {
		b.Run(fmt.Sprintf("AEAD=%d", algorithm), func(b *testing.B) {
			p := newPair(b, algorithm)
			packet := p.ask(b, 0)
			var q Accepted
			var reply []byte
			b.ReportAllocs()
			for b.Loop() {
				if err := p.server.Open(packet, &q); err != nil {
					b.Fatal(err)
				}
				var err error
				if reply, err = p.server.Reply(reply[:0], &q, goodHeader); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
