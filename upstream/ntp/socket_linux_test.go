package ntp

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/netstamp"
)

// within allows for the clock being slewed, not stepped, while the test runs.
func within(t *testing.T, what string, stamp int64, from, to time.Time) {
	t.Helper()
	if stamp < from.UnixNano() || stamp > to.UnixNano() {
		t.Errorf("%s at %v, outside %v … %v", what, time.Unix(0, stamp), from, to)
	}
}

func TestSocketStamps(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			server, err := Listen(netip.AddrPortFrom(netip.MustParseAddr(host), 0))
			if err != nil {
				t.Skipf("no %s here: %v", host, err)
			}
			defer server.Close()
			client, err := Dial(server.LocalAddr())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			rx, tx := client.Stamps()
			if srx, _ := server.Stamps(); !rx || !tx || !srx {
				if runtime.GOARCH == "arm" || runtime.GOARCH == "arm64" {
					t.Skip("no stamps here: qemu-user does not know SO_TIMESTAMPING")
				}
				t.Fatalf("the kernel refuses stamps: client %v %v, server %v", rx, tx, srx)
			}
			deadline := time.Now().Add(5 * time.Second)
			if err := errors.Join(server.SetReadDeadline(deadline), client.SetReadDeadline(deadline)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			stamped := 0
			// The kernel turns stamping on a moment after it was asked to, and 20 exchanges may be over by then.
			on := time.Now().Add(4 * time.Second)
			for i := 0; i < 20 || stamped < 10 && time.Now().Before(on); i++ {
				before := time.Now()
				sent, err := client.Send([]byte{byte(i), 1, 2}, netip.AddrPort{}, netip.Addr{})
				if err != nil {
					t.Fatal(err)
				}
				in, err := server.Receive(buf)
				if err != nil || in.N != 3 || buf[0] != byte(i) || in.Peer != client.LocalAddr() || in.Local != server.LocalAddr().Addr() {
					t.Fatalf("%+v, %v", in, err)
				}
				if _, err := server.Send(buf[:2], in.Peer, in.Local); err != nil {
					t.Fatal(err)
				}
				back, err := client.Receive(buf)
				if err != nil || back.N != 2 || back.Peer != server.LocalAddr() {
					t.Fatalf("%+v, %v", back, err)
				}
				after := time.Now()
				stamp := client.SendStamp(sent.ID)
				if sent.ID != uint32(i) || sent.Stamp != 0 && sent.Stamp != stamp {
					t.Errorf("datagram %d has id %d, stamps %d and %d", i, sent.ID, sent.Stamp, stamp)
				}
				if stamp == 0 || in.Stamp == 0 || back.Stamp == 0 {
					time.Sleep(time.Millisecond)
					continue
				}
				stamped++
				within(t, "sent", stamp, before, after)
				within(t, "received by the server", in.Stamp, before, after)
				within(t, "received by the client", back.Stamp, before, after)
				if in.Stamp < stamp || back.Stamp < in.Stamp {
					t.Errorf("out of order: %d, %d, %d", stamp, in.Stamp, back.Stamp)
				}
			}
			if stamped < 10 {
				t.Errorf("only %d exchanges have all stamps", stamped)
			}
		})
	}
}

func TestSocketTruncates(t *testing.T) {
	server, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := Dial(server.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Send(make([]byte, 50), netip.AddrPort{}, netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	if in, err := server.Receive(make([]byte, 10)); err != nil || !in.Truncated || in.N != 10 {
		t.Fatalf("%+v, %v", in, err)
	}
}

// TestSocketSurvivesRefusal sends to a port that nobody listens on: the ICMP error is told, and
// ids still match their stamps afterwards.
func TestSocketSurvivesRefusal(t *testing.T) {
	server, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	at := server.LocalAddr()
	client, err := Dial(at)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server.Close()
	if err := client.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Send([]byte("x"), netip.AddrPort{}, netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Receive(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("%v instead of a refusal", err)
	}
	if server, err = Listen(at); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var sent Sent
	before := time.Now()
	for range 3 { // the first may still be told of the refusal
		if sent, err = client.Send([]byte("y"), netip.AddrPort{}, netip.Addr{}); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Receive(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if stamp := client.SendStamp(sent.ID); stamp != 0 {
		within(t, "sent", stamp, before, time.Now())
	}
	if err := client.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Receive(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
}

func FuzzControl(f *testing.F) {
	f.Add(appendPacketInfo(nil, netip.MustParseAddr("192.0.2.1")))
	f.Add(appendPacketInfo(nil, netip.MustParseAddr("2001:db8::1")))
	f.Add(netstamp.AppendControl(nil, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPING, make([]byte, 48)))
	f.Add(make([]byte, 16))
	f.Fuzz(func(t *testing.T, b []byte) {
		netstamp.ForEachControl(b, func(level, kind int32, data []byte) {
			netstamp.Software(level, kind, data)
			packetInfo(level, kind, data)
			netstamp.ID(level, kind, data)
		})
	})
}

func BenchmarkSocketExchange(b *testing.B) {
	server, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	client, err := Dial(server.LocalAddr())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	buf := make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		sent, err := client.Send(buf, netip.AddrPort{}, netip.Addr{})
		if err != nil {
			b.Fatal(err)
		}
		in, err := server.Receive(buf)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := server.Send(buf, in.Peer, in.Local); err != nil {
			b.Fatal(err)
		}
		if _, err := client.Receive(buf); err != nil {
			b.Fatal(err)
		}
		client.SendStamp(sent.ID)
	}
}
