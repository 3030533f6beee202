package beacon

import (
	"bytes"
	"testing"
)

// FuzzPayload gives the decoders of all kinds any bytes: what they accept must be canonical, so
// that writing it again gives the same, apart from skipped keys.
func FuzzPayload(f *testing.F) {
	for _, c := range vectorCases(f) {
		if e, err := open(c.msg, tagSign1); err == nil {
			f.Add(e.payload)
		}
		if e, err := open(c.msg, tagMAC0); err == nil {
			f.Add(e.payload)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > MaxMessage {
			return
		}
		for _, kind := range []Kind{KindBeacon, KindRequest, KindResponse} {
			v, err := parsePayload(kind, b)
			if err != nil {
				continue
			}
			if kind != KindRequest {
				if err := v.Statement.check(); err != nil {
					t.Fatalf("%v accepted out of range: %v", kind, err)
				}
			}
			var again []byte
			switch kind {
			case KindBeacon:
				again = (&Beacon{Statement: v.Statement, Sequence: v.sequence, NextIn: v.nextIn}).appendPayload(nil)
			case KindRequest:
				again = (&Request{Nonce: v.nonce, HalfWidth: v.halfWidth, HasHalfWidth: v.seen&field(keyHalfWidth) != 0}).appendPayload(nil)
			case KindResponse:
				continue // its numbers are checked by the two others
			}
			w, err := parsePayload(kind, again)
			if err != nil || w != v {
				t.Fatalf("%v: %x became %x: %v", kind, b, again, err)
			}
			if len(again) == len(b) && !bytes.Equal(again, b) {
				t.Fatalf("%v: %x is a second encoding of %x", kind, b, again)
			}
		}
		for _, alg := range []Alg{Ed25519, ES256} {
			if d, err := parseDelegation(alg, b); err == nil && (d.Key == nil || d.Key.alg != alg) {
				t.Fatalf("delegation of %v without its key", alg)
			}
		}
	})
}

// FuzzMessage gives a whole node any bytes on any topic: nothing may change, and nothing panic.
func FuzzMessage(f *testing.F) {
	for _, c := range vectorCases(f) {
		f.Add(uint8(c.kind), c.msg)
	}
	f.Fuzz(func(t *testing.T, kind uint8, msg []byte) {
		s := newSchedule(1, 1, true, Ed25519, faults{}, false)
		m := s.w.reading()
		before, _ := s.node.clock.TAI(m)
		better, err := s.node.Feed(0, Kind(kind%6), msg, m)
		after, _ := s.node.clock.TAI(m)
		if better || err == nil || before != after {
			t.Fatalf("took %x: %v, %v", msg, better, err)
		}
		if ReasonOf(err) == "" {
			t.Fatalf("refused without a reason: %v", err)
		}
	})
}

// FuzzEnvelope holds what is handed out of a COSE message to lie inside it.
func FuzzEnvelope(f *testing.F) {
	for _, c := range vectorCases(f) {
		f.Add(c.msg)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		for _, tag := range []byte{tagSign1, tagMAC0} {
			e, err := open(msg, tag)
			if err != nil {
				continue
			}
			again := cat(tagged(uint64(tag)), arrayOf(4), bstr(e.protected), mapOf(0), bstr(e.payload), bstr(e.proof))
			if !bytes.Equal(again, msg) {
				t.Fatalf("%x, written again %x", msg, again)
			}
		}
	})
}
