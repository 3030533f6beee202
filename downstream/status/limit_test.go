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
