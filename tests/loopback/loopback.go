// Package loopback gives tests addresses of loopback that nobody else has.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// The kernel gives ports from 32768 on to whoever asks for any (net.ipv4.ip_local_port_range). Ours lie
// below, so that one can be closed and opened again without another's connection on it meanwhile.
// Packages are tested at the same time, so each process takes them by blocks: it listens on a block's
// first port, which is given to nobody, for as long as it lives.
const (
	first  = 12000
	count  = 20000
	blocks = 400
	block  = count / blocks
)

var mine struct {
	sync.Mutex
	held      []net.Listener // on the first port of each block
	next, end int
}

// Free returns an address, host and port, as Port gives them.
func Free(t testing.TB) string { return address(Port(t)) }

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// Port returns a port that was free for TCP and UDP just now. It is given to nobody else in this
// process, nor in another that asks here.
func Port(t testing.TB) int {
	t.Helper()
	mine.Lock()
	defer mine.Unlock()
	for range count {
		if mine.next == mine.end {
			from := first + rand.IntN(blocks)*block
			l, err := net.Listen("tcp", address(from))
			if err != nil {
				continue
			}
			mine.held = append(mine.held, l)
			mine.next, mine.end = from+1, from+block
		}
		n := mine.next
		mine.next++
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
