package uml

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// delays draws the time that a datagram takes on the way to the server and back.
type delays struct {
	name     string
	up, down func(*rand.Rand) time.Duration
}

func none(*rand.Rand) time.Duration { return 0 }

// exponential is a constant delay and a mean extra one.
func exponential(least, mean time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return least + time.Duration(r.ExpFloat64()*float64(mean)) }
}

func gaussian(mean, std time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration {
		return max(0, mean+time.Duration(r.NormFloat64()*float64(std)))
	}
}

// relay stands between guest n and a server that is bound to 127.0.0.1, and delays datagrams.
// Both guests of a comparison get the same draws for the same packets in a row.
func (l *lab) relay(n int, s *server, d delays, seed uint64) {
	l.t.Helper()
	var tcp net.Listener
	var udp *net.UDPConn
	if err := l.Enter(func() (err error) {
		if tcp, err = net.Listen("tcp", fmt.Sprintf("%s:%d", hostAddress(n), s.ke)); err != nil {
			return err
		}
		udp, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(hostAddress(n)), Port: s.ntp})
		return err
	}); err != nil {
		l.t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() { l.relayTCP(tcp, s) })
	wait.Go(func() { l.relayUDP(udp, s, d, rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))) })
	l.t.Cleanup(func() { tcp.Close(); udp.Close(); wait.Wait() })
}

func (l *lab) relayTCP(from net.Listener, s *server) {
	for {
		a, err := from.Accept()
		if err != nil {
			return
		}
		var b net.Conn
		if err := l.Enter(func() (err error) {
			b, err = net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", s.ke), 2*time.Second)
			return err
		}); err != nil {
			a.Close()
			continue
		}
		a.SetDeadline(time.Now().Add(10 * time.Second))
		b.SetDeadline(time.Now().Add(10 * time.Second))
		go func() { io.Copy(b, a); b.Close() }()
		go func() { io.Copy(a, b); a.Close() }()
	}
}

func (l *lab) relayUDP(from *net.UDPConn, s *server, d delays, up, down *rand.Rand) {
	backs := map[string]*net.UDPConn{}
	defer func() {
		for _, c := range backs {
			c.Close()
		}
	}()
	var drawing sync.Mutex
	draw := func(f func(*rand.Rand) time.Duration, r *rand.Rand) time.Duration {
		drawing.Lock()
		defer drawing.Unlock()
		return f(r)
	}
	buf := make([]byte, 2048)
	for {
		n, peer, err := from.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		arrived := sysclock.Now()
		back := backs[peer.String()]
		if back == nil {
			if err := l.Enter(func() (err error) {
				back, err = net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.ntp})
				return err
			}); err != nil {
				continue
			}
			backs[peer.String()] = back
			go func() {
				buf := make([]byte, 2048)
				for {
					n, err := back.Read(buf)
					if err != nil {
						return
					}
					later(sysclock.Now().Add(draw(d.down, down)), func(b []byte) { from.WriteToUDPAddrPort(b, peer) }, buf[:n])
				}
			}()
		}
		later(arrived.Add(draw(d.up, up)), func(b []byte) { back.Write(b) }, buf[:n])
	}
}

// later sends a copy of b when it is time: a timer brings it near, a spin to the point. The
// runtime's timers wake up to a millisecond late, on a grid of a millisecond: with a shorter spin
// most draws would become that grid's.
func later[T interface{ ~int64 }](at T, send func([]byte), b []byte) {
	left := func() time.Duration { return time.Duration(int64(at) - int64(sysclock.Now())) }
	if left() <= 0 {
		send(b)
		return
	}
	b = append([]byte(nil), b...)
	const spin = 2500 * time.Microsecond
	go func() {
		if rest := left() - spin; rest > 0 {
			time.Sleep(rest)
		}
		for left() > 0 {
		}
		send(b)
	}()
}

func TestDelaysHaveTheStatedMean(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, f := range map[string]func(*rand.Rand) time.Duration{
		"exponential": exponential(time.Millisecond, time.Millisecond), "gaussian": gaussian(2*time.Millisecond, 500*time.Microsecond),
	} {
		sum := 0.0
		for range 10_000 {
			sum += float64(f(r))
		}
		if mean := sum / 10_000; math.Abs(mean-2e6) > 5e4 {
			t.Errorf("%s: mean %v", name, time.Duration(mean))
		}
	}
}
