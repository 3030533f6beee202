// Package loopback gives tests addresses of loopback that nobody else has.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// The kernel gives ports from 32768 on to whoever asks for any (net.ipv4.ip_local_port_range). Ours lie
// below, so that one can be closed and opened again without another's connection on it meanwhile.
const (
	first = 12000
	count = 20000
)

var next = func() *atomic.Int32 {
	var n atomic.Int32
	n.Store(rand.Int32N(count)) // packages are tested at the same time
	return &n
}()

// Free returns an address, host and port, as Port gives them.
func Free(t testing.TB) string { return address(Port(t)) }

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// Port returns a port that was free for TCP and UDP just now. It is given to nobody else in this
// process.
func Port(t testing.TB) int {
	t.Helper()
	for range count {
		n := first + int(next.Add(1))%count
		a := address(n)
		l, err := net.Listen("tcp", a)
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", a)
		l.Close()
		if err == nil {
			u.Close()
			return n
		}
	}
	t.Fatal("no port of loopback is free")
	return 0
}

// Serve gives each connection to f, in a goroutine of its own, until the test ends; f need not close it. It returns
// the address.
func Serve(t testing.TB, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return l.Addr().String()
}
