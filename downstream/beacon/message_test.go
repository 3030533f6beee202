package beacon

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

func secret(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

func signingKey(t testing.TB, alg Alg, fill byte) *SigningKey {
	t.Helper()
	k, err := NewSigningKey(alg, secret(fill))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func macKey(t testing.TB, gateway, node string, generation uint32) *MACKey {
	t.Helper()
	k, err := NewMACKey(NodeKey(secret(9), gateway, node, generation), gateway, node, generation)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func statement() Statement {
	return Statement{
		Seconds: 1_790_000_000, Nanos: 123_456_789, MaxError: 2_500_000 * time.Nanosecond,
		Epoch: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, State: discipline.Synchronized, Stratum: 2, TAIOffset: 37,
	}
}

func largestStatement() Statement {
	return Statement{
		Seconds: math.MaxUint32, Nanos: 999_999_999, MaxError: 65_535*time.Second + 999_999_999,
		Epoch: [8]byte{255, 255, 255, 255, 255, 255, 255, 255}, State: discipline.Holdover, Stratum: 15,
		Leap: discipline.LeapUnknown, TAIOffset: 255,
	}
}

func TestEveryKindComesBack(t *testing.T) {
	for _, alg := range []Alg{Ed25519, ES256} {
		t.Run(alg.String(), func(t *testing.T) {
			root, online := signingKey(t, alg, 1), signingKey(t, alg, 2)
			b := Beacon{Statement: statement(), Sequence: 7, NextIn: 16}
			msg, err := b.AppendSigned(nil, online, "gw1")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := VerifyBeacon(msg, online.Public(), "gw1"); err != nil || got != b {
				t.Errorf("got %+v, %v; want %+v", got, err, b)
			}
			d := Delegation{Key: online.Public(), Serial: 3, NotBefore: 1_789_000_000, NotAfter: 1_791_000_000}
			msg, err = d.AppendSigned(nil, root, "gw1")
			if err != nil {
				t.Fatal(err)
			}
			got, err := VerifyDelegation(msg, root.Public(), "gw1")
			if err != nil || !got.Key.Equal(d.Key) || got.Serial != 3 || got.NotBefore != d.NotBefore || got.NotAfter != d.NotAfter {
				t.Errorf("got %+v, %v; want %+v", got, err, d)
			}
		})
	}
	k := macKey(t, "gw1", "node-7", 1)
	for _, q := range []Request{{Nonce: [16]byte{1}}, {Nonce: [16]byte{2}, HalfWidth: 25_000, HasHalfWidth: true}} {
		if got, err := OpenRequest(q.AppendSealed(nil, k), k); err != nil || got != q {
			t.Errorf("got %+v, %v; want %+v", got, err, q)
		}
	}
	a := Response{Statement: statement(), Nonce: [16]byte{3}, Turnaround: 812_345, Serial: 3}
	msg, err := a.AppendSealed(nil, k)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenResponse(msg, k); err != nil || got != a {
		t.Errorf("got %+v, %v; want %+v", got, err, a)
	}
}

// TestLargestMessagesFitSmallBuffers holds the largest legal value of each kind to the buffers of
// small MQTT clients: 200 bytes of payload, 256 for a whole packet with a topic of 48.
func TestLargestMessagesFitSmallBuffers(t *testing.T) {
	long := strings.Repeat("g", 16)
	key := macKey(t, long, strings.Repeat("n", 16), math.MaxUint32)
	for _, c := range []struct {
		name string
		want int
		make func() ([]byte, error)
	}{
		{"beacon", 144, func() ([]byte, error) {
			b := Beacon{Statement: largestStatement(), Sequence: math.MaxUint32, NextIn: math.MaxUint16}
			return b.AppendSigned(nil, signingKey(t, Ed25519, 2), long)
		}},
		{"beacon ES256", 144, func() ([]byte, error) {
			b := Beacon{Statement: largestStatement(), Sequence: math.MaxUint32, NextIn: math.MaxUint16}
			return b.AppendSigned(nil, signingKey(t, ES256, 2), long)
		}},
		{"delegation Ed25519", 145, func() ([]byte, error) {
			d := Delegation{signingKey(t, Ed25519, 2).Public(), math.MaxUint32, math.MaxUint32, math.MaxUint32}
			return d.AppendSigned(nil, signingKey(t, Ed25519, 1), long)
		}},
		{"delegation ES256", 180, func() ([]byte, error) {
			d := Delegation{signingKey(t, ES256, 2).Public(), math.MaxUint32, math.MaxUint32, math.MaxUint32}
			return d.AppendSigned(nil, signingKey(t, ES256, 1), long)
		}},
		{"request", 74, func() ([]byte, error) {
			q := Request{Nonce: [16]byte{255}, HalfWidth: math.MaxUint32, HasHalfWidth: true}
			return q.AppendSealed(nil, key), nil
		}},
		{"response", 128, func() ([]byte, error) {
			a := Response{Statement: largestStatement(), Turnaround: math.MaxUint32, Serial: math.MaxUint32}
			return a.AppendSealed(nil, key)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, err := c.make()
			if err != nil {
				t.Fatal(err)
			}
			if len(msg) != c.want {
				t.Errorf("%d bytes, want %d", len(msg), c.want)
			}
			if len(msg) > MaxMessage {
				t.Errorf("%d bytes: beyond MaxMessage", len(msg))
			}
			// Fixed header: type, remaining length (two bytes from 128 on); topic with its length.
			if packet := 1 + 2 + 2 + 48 + len(msg); packet > 256 {
				t.Errorf("packet of %d bytes", packet)
			}
		})
	}
}

func TestErrorsCarryTheirReason(t *testing.T) {
	online := signingKey(t, Ed25519, 2)
	_, err := VerifyBeacon(nil, online.Public(), "gw1")
	if ReasonOf(err) != ReasonMalformed || !errors.Is(err, &Error{Reason: ReasonMalformed}) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkBeaconSign(b *testing.B) {
	for _, alg := range []Alg{Ed25519, ES256} {
		b.Run(alg.String(), func(b *testing.B) {
			online := signingKey(b, alg, 2)
			snap := &discipline.Snapshot{State: discipline.Synchronized, TAI: 1_790_000_000_000_000_000, MaxErrorAt: time.Millisecond, TAIOffset: 37, Stratum: 2}
			buf := make([]byte, 0, MaxMessage)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m, err := FromSnapshot(snap, discipline.Raw(i), uint32(i), 16*time.Second)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := m.AppendSigned(buf, online, "gw1"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBeaconVerify(b *testing.B) {
	for _, alg := range []Alg{Ed25519, ES256} {
		b.Run(alg.String(), func(b *testing.B) {
			online := signingKey(b, alg, 2)
			m := Beacon{Statement: statement(), Sequence: 7, NextIn: 16}
			msg, err := m.AppendSigned(nil, online, "gw1")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := VerifyBeacon(msg, online.Public(), "gw1"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExchange is the gateway's side of one exchange: request opened, answer made and sealed.
func BenchmarkExchange(b *testing.B) {
	k := macKey(b, "gw1", "node-7", 1)
	q := Request{Nonce: [16]byte{1}, HalfWidth: 20_000, HasHalfWidth: true}
	msg := q.AppendSealed(nil, k)
	snap := &discipline.Snapshot{State: discipline.Synchronized, TAI: 1_790_000_000_000_000_000, MaxErrorAt: time.Millisecond, TAIOffset: 37, Stratum: 2}
	buf := make([]byte, 0, MaxMessage)
	b.ReportAllocs()
	for b.Loop() {
		q, err := OpenRequest(msg, k)
		if err != nil {
			b.Fatal(err)
		}
		a, err := Answer(&q, Arrival{Raw: 1000}, snap, 51_000, false, 3)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.AppendSealed(buf, k); err != nil {
			b.Fatal(err)
		}
	}
}
