package status

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestConnectionsAreLimited: who keeps connections open on the page or the control socket costs only so many, and keeps
// nobody out.
func TestConnectionsAreLimited(t *testing.T) {
	base, socket := start(t, synced())
	for _, way := range []struct {
		network, addr string
		most          int
	}{{"unix", socket, socketConns}, {"tcp", strings.TrimPrefix(base, "http://"), pageConns}} {
		const more = 10
		var held []net.Conn
		for range way.most + more {
			c, err := net.Dial(way.network, way.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			held = append(held, c)
			c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
			c.SetReadDeadline(time.Now().Add(30 * time.Second))
			if _, err := io.ReadAtLeast(c, make([]byte, 4096), 10); err != nil {
				t.Fatalf("%s: no answer: %v", way.network, err)
			}
		}
		for i, c := range held[:more] {
			c.SetReadDeadline(time.Now().Add(30 * time.Second))
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: connection %d of %d stays", way.network, i, len(held))
			}
		}
		for i, c := range held[more:] {
			c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if _, err := io.Copy(io.Discard, c); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: connection %d of %d was ended: %v", way.network, more+i, len(held), err)
			}
		}
	}
	if _, err := Ask(context.Background(), socket); err != nil {
		t.Error(err)
	}
	if _, body := get(t, "GET", base+"/metrics"); !strings.Contains(body, `reason="connections"} 22`) {
		t.Errorf("not counted:\n%s", body)
	}
}

// Who opens connections without end ends its own, not those of others that are older.
func TestTheBusiestPeerLosesItsOldest(t *testing.T) {
	base, _ := start(t, synced())
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	ask := func(c net.Conn) error {
		c.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			return err
		}
		_, err := io.ReadAtLeast(c, make([]byte, 4096), 10)
		return err
	}
	quiet := dial("127.0.0.2")
	if err := ask(quiet); err != nil {
		t.Fatal(err)
	}
	for range 3 * pageConns {
		if err := ask(dial("127.0.0.3")); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(quiet); err != nil {
		t.Errorf("the one connection of another was ended: %v", err)
	}
}

func TestPeers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{{"192.0.2.1", "192.0.2.1", true}, {"192.0.2.1", "192.0.2.2", false}, {"2001:db8::1", "2001:db8::2:3", true},
		{"2001:db8::1", "2001:db8:0:1::1", false}, {"::ffff:192.0.2.1", "192.0.2.1", true}} {
		of := func(s string) any { return peerOf(from{at: &net.TCPAddr{IP: net.ParseIP(s), Port: len(s)}}) }
		if (of(c.a) == of(c.b)) != c.same {
			t.Errorf("%s and %s", c.a, c.b)
		}
	}
}

type from struct {
	net.Conn
	at net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.at }
