package ntp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"
)

var sample = Packet{
	Leap: 1, Version: 4, Mode: 4, Stratum: 2, Poll: 6, Precision: -23,
	RootDelay: 0x00010203, RootDispersion: 0x04050607, ReferenceID: 0x08090a0b,
	ReferenceTime: 0x0c0d0e0f10111213, OriginTime: 0x1415161718191a1b,
	ReceiveTime: 0x1c1d1e1f20212223, TransmitTime: 0x2425262728292a2b,
}

const sampleHex = "640206e9" + "00010203" + "04050607" + "08090a0b" +
	"0c0d0e0f10111213" + "1415161718191a1b" + "1c1d1e1f20212223" + "2425262728292a2b"

func TestPacket(t *testing.T) {
	b, err := sample.AppendBinary(nil)
	if err != nil || hex.EncodeToString(b) != sampleHex {
		t.Fatalf("%x, %v", b, err)
	}
	var p Packet
	if err := p.UnmarshalBinary(append(b, "extension"...)); err != nil || p != sample {
		t.Fatalf("%+v, %v", p, err)
	}
	for n := range PacketSize {
		q := sample
		var short ShortPacketError
		if err := q.UnmarshalBinary(b[:n]); !errors.As(err, &short) || short.Size != n || q != sample {
			t.Fatalf("%d bytes: %v, %+v", n, err, q)
		}
	}
	for _, bad := range []Packet{{Leap: 4}, {Version: 8}, {Mode: 8}} {
		if b, err := bad.AppendBinary([]byte("x")); err == nil || string(b) != "x" {
			t.Errorf("%+v: %q, %v", bad, b, err)
		}
	}
}

func TestKiss(t *testing.T) {
	for _, tt := range []struct {
		stratum uint8
		id      uint32
		want    string
	}{
		{0, RefID("RATE"), "RATE"}, {0, RefID("DN"), "DN"}, {1, RefID("GPS"), ""},
		{0, 0, ""}, {0, 0x41004243, ""}, {0, 0xffffffff, ""},
	} {
		if got := (&Packet{Stratum: tt.stratum, ReferenceID: tt.id}).Kiss(); got != tt.want {
			t.Errorf("stratum %d, %08x: %q, want %q", tt.stratum, tt.id, got, tt.want)
		}
	}
}

func TestAddressID(t *testing.T) {
	for address, want := range map[string]uint32{
		"192.0.2.1": 0xc0000201, "::ffff:192.0.2.1": 0xc0000201,
		"2001:db8::1": 0x39ab9b37, "fe80::1%eth0": 0x89e5301f,
	} {
		if got := AddressID(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %08x, want %08x", address, got, want)
		}
	}
}

func unix(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UnixNano()
}

func TestTime64(t *testing.T) {
	for _, tt := range []struct {
		name, at, pivot string
		want            Time64
	}{
		{"era 0", "1970-01-01T00:00:00Z", "1971-01-01T00:00:00Z", 0x83aa7e8000000000},
		{"half", "1970-01-01T00:00:00.5Z", "1971-01-01T00:00:00Z", 0x83aa7e8080000000},
		{"last second of era 0", "2036-02-07T06:28:15Z", "2026-01-01T00:00:00Z", 0xffffffff00000000},
		{"first second of era 1", "2036-02-07T06:28:17Z", "2026-01-01T00:00:00Z", 0x0000000100000000},
		{"era 1 seen from era 0", "2040-01-01T00:00:00.000000001Z", "2030-01-01T00:00:00Z", 0},
		{"era 0 seen from era 1", "2030-01-01T00:00:00.999999999Z", "2040-01-01T00:00:00Z", 0},
		{"before 1970", "1969-12-31T23:59:59.75Z", "1980-01-01T00:00:00Z", 0x83aa7e7fc0000000},
		{"60 years ahead", "2086-01-01T00:00:00Z", "2026-01-01T00:00:00Z", 0},
	} {
		ns := unix(tt.at)
		got := Time64FromUnix(ns)
		if tt.want != 0 && got != tt.want { // 0: only there and back
			t.Errorf("%s: %016x, want %016x", tt.name, uint64(got), uint64(tt.want))
		}
		if back := got.UnixNano(unix(tt.pivot)); back != ns {
			t.Errorf("%s: back to %d, %d off", tt.name, back, back-ns)
		}
	}
	if Time64FromUnix(unix("2036-02-07T06:28:16Z")) == 0 {
		t.Error("the first instant of era 1 reads as unknown")
	}
	if !Time64(0xffffffff00000000).Before(1) || Time64(1).Before(1) {
		t.Error("Before across the era")
	}
}

func FuzzTime64(f *testing.F) {
	f.Add(int64(0), int64(0))
	f.Add(unix("2036-02-07T06:28:16Z"), int64(-1))
	f.Add(int64(math.MinInt64), int64(1)<<60)
	f.Fuzz(func(t *testing.T, ns, off int64) {
		got := Time64FromUnix(ns)
		_ = got.UnixNano(off) // whatever the pivot, no panic
		pivot := ns + off%(60*365*86400*1e9)
		if (pivot > ns) != (off%(60*365*86400*1e9) > 0) || pivot > 8e18 || pivot < -8e18 || ns > 8e18 || ns < -8e18 {
			return
		}
		if back := got.UnixNano(pivot); back != ns && got != 1 {
			t.Fatalf("%d near %d: %016x reads back as %d", ns, pivot, uint64(got), back)
		}
	})
}

func TestShort(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want Short
	}{
		{-1, 0}, {0, 0}, {1, 1}, {15258, 1}, {15259, 2}, {time.Second, 1 << 16}, {time.Second + 1, 1<<16 + 1},
		{65536 * time.Second, math.MaxUint32}, {math.MaxInt64, math.MaxUint32},
	} {
		got := ShortFromDuration(tt.d)
		if got != tt.want {
			t.Errorf("%v: %d, want %d", tt.d, got, tt.want)
		}
		if got != math.MaxUint32 && got.Duration() < tt.d {
			t.Errorf("%v shrank to %v", tt.d, got.Duration())
		}
	}
	for _, s := range []Short{0, 1, 2, 65535, 65536, math.MaxUint32} {
		if back := ShortFromDuration(s.Duration()); back != s && back != s+1 {
			t.Errorf("%d became %d", s, back)
		}
	}
}

func TestPrecision(t *testing.T) {
	for _, tt := range []struct {
		log2 int8
		want time.Duration
	}{{0, time.Second}, {-1, 500 * time.Millisecond}, {-20, 954}, {-30, 1}, {-128, 1}, {4, 16 * time.Second}, {127, 1 << 17 * time.Second}} {
		if got := PrecisionDuration(tt.log2); got != tt.want {
			t.Errorf("2^%d s: %v, want %v", tt.log2, got, tt.want)
		}
	}
}

func FuzzPacket(f *testing.F) {
	b, _ := hex.DecodeString(sampleHex)
	f.Add(b)
	f.Add(b[:40])
	f.Add(bytes.Repeat([]byte{0xff}, 60))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Packet
		if p.UnmarshalBinary(b) != nil {
			return
		}
		_ = p.Kiss()
		if again, err := p.AppendBinary(nil); err != nil || !bytes.Equal(again, b[:PacketSize]) {
			t.Fatalf("%x reads back as %x, %v", b[:PacketSize], again, err)
		}
	})
}
