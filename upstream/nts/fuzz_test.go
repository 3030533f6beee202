package nts

import (
	"bytes"
	"testing"

	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

func FuzzClientOpen(f *testing.F) {
	p := newPair(f, ntske.AEADAESSIVCMAC256)
	request := p.ask(f, 1)
	good := p.answer(f, request, goodHeader)
	f.Add(good)
	f.Add(good[:48])
	f.Add(good[:84])
	f.Add(request)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := p.client.Open(b, &p.request)
		if err == nil && !bytes.HasPrefix(b, good) {
			t.Fatalf("opened a packet that nobody sealed: %x", b)
		}
		if err != nil && (r.Cookies != nil || r.Header != (ntp.Packet{})) {
			t.Fatal("a refused packet left something")
		}
	})
}

func FuzzServerOpen(f *testing.F) {
	p := newPair(f, ntske.AEADAES128GCMSIV)
	good := p.ask(f, 1)
	f.Add(good)
	f.Add(good[:48])
	f.Add(good[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		var q Accepted
		err := p.server.Open(b, &q)
		if err == nil && !bytes.HasPrefix(b, good) {
			t.Fatalf("accepted a request that nobody sealed: %x", b)
		}
		if r := reason(err); r == ReasonBadCookie || r == ReasonNotAuthentic {
			if reply, err := p.server.NAK(nil, &q); err != nil || len(reply) > len(b) {
				t.Fatalf("NAK of %d bytes to a request of %d, %v", len(reply), len(b), err)
			}
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add(AppendField(AppendField(nil, TypeCookie, make([]byte, 100)), TypeUniqueIdentifier, make([]byte, 32)))
	f.Add([]byte{1, 4, 0, 4})
	f.Add([]byte{1, 4, 0, 0, 1, 4, 0xff, 0xfc})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		at := 0
		for at < len(b) {
			field, next, err := NextField(b, at, fieldHeaderSize)
			if err != nil {
				break
			}
			if next <= at || next > len(b) {
				t.Fatalf("from %d to %d of %d", at, next, len(b))
			}
			again, at = AppendField(again, field.Type, field.Value), next
			parseAuthenticator(field.Value)
		}
		if !bytes.Equal(again, b[:at]) {
			t.Fatalf("%x reads back as %x", b[:at], again)
		}
	})
}

func FuzzCookie(f *testing.F) {
	p := newPair(f, ntske.AEADAESSIVCMAC256)
	good := p.cookie(f)
	f.Add(good)
	f.Add(good[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := p.cookies.Open(b); err == nil && !bytes.Equal(b, good) {
			t.Fatalf("opened a cookie that nobody sealed: %x", b)
		}
	})
}

func FuzzNewCookies(f *testing.F) {
	f.Add(AppendField(nil, TypeCookie, make([]byte, 100)))
	f.Fuzz(func(t *testing.T, b []byte) {
		cookies, _ := newCookies(b)
		for _, c := range cookies {
			if len(c)%4 != 0 || len(c) < 12 || len(c) > ntske.MaxCookieSize {
				t.Fatalf("cookie of %d bytes", len(c))
			}
		}
	})
}
