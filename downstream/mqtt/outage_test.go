package mqtt

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

// outage is a proxy in front of a broker that can be cut or stalled.
type outage struct {
	ln net.Listener
	to string

	mu      sync.Mutex
	stalled chan struct{} // open: what comes from the gateway is neither read nor passed on
	conns   []net.Conn
	last    time.Time // when a connection began
}

func newOutage(t testing.TB, to string) *outage {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &outage{ln: ln, to: to, stalled: make(chan struct{})}
	close(o.stalled)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			o.mu.Lock()
			o.conns, o.last = append(o.conns, c, b), time.Now()
			stall := o.stalled
			o.mu.Unlock()
			wg.Go(func() { o.pass(b, c, stall); b.Close() })
			wg.Go(func() { o.pass(c, b, stall); c.Close() })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		o.resume()
		o.cut()
		wg.Wait()
	})
	return o
}

// pass copies, and stands still while the proxy is stalled. A connection that began before the
// stall is held; one that begins during it is not.
func (o *outage) pass(dst, src net.Conn, began chan struct{}) {
	buf := make([]byte, 4096)
	for {
		n, err := src.Read(buf)
		if err != nil {
			return
		}
		o.mu.Lock()
		now := o.stalled
		o.mu.Unlock()
		if now != began { // silent from now on; what comes is lost, as on a dead link
			select {
			case <-now:
				return
			case <-time.After(time.Minute):
				return
			}
		}
		if _, err := dst.Write(buf[:n]); err != nil && err != io.ErrShortWrite {
			return
		}
	}
}

// stall makes all present connections silent, without an end.
func (o *outage) stall() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stalled = make(chan struct{})
}

func (o *outage) resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.stalled:
	default:
		close(o.stalled)
	}
}

// cut ends all present connections.
func (o *outage) cut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.conns {
		c.Close()
	}
	o.conns = nil
}

// TestLastWill: when the gateway's connection is cut the broker says offline, and the gateway, once
// back, says online.
func TestLastWill(t *testing.T) {
	t.Parallel()
	port := loopback.Port(t)
	newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true")
	o := newOutage(t, fmt.Sprintf("127.0.0.1:%d", port))
	s := subscribe(t, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "ntsgw/gw1/#")
	startLab(t, func(c *configs.MQTT) { c.Broker = "mqtt://" + o.ln.Addr().String() })
	s.next("ntsgw/gw1/beacon", 5*time.Second)
	for len(s.got) > 0 {
		<-s.got
	}
	o.cut()
	for _, want := range []string{"offline", "online"} {
		r := s.next("ntsgw/gw1/status", 5*time.Second)
		for string(r.payload) != want {
			r = s.next("ntsgw/gw1/status", 5*time.Second)
		}
	}
	late := subscribe(t, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "ntsgw/gw1/status")
	if r := late.next("ntsgw/gw1/status", 3*time.Second); string(r.payload) != "online" || !r.retained {
		t.Errorf("retained status %q", r.payload)
	}
}

// TestSilentBroker: a link that goes dead without an end is noticed by the keep-alive and replaced.
// Beacons made meanwhile are not delivered afterwards.
func TestSilentBroker(t *testing.T) {
	t.Parallel()
	port := loopback.Port(t)
	newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true")
	o := newOutage(t, fmt.Sprintf("127.0.0.1:%d", port))
	s := subscribe(t, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "ntsgw/gw1/beacon")
	l := startLab(t, func(c *configs.MQTT) { c.Broker = "mqtt://" + o.ln.Addr().String() })
	s.next("ntsgw/gw1/beacon", 5*time.Second)
	start := time.Now()
	o.stall()
	// The stall holds connections that began before it; the next one is new and works.
	until(t, "a new connection", 20*time.Second, func() bool { return l.server.Status().Brokers[0].Connects >= 2 })
	t.Logf("noticed and replaced after %v", time.Since(start))
	for len(s.got) > 0 {
		<-s.got
	}
	o.mu.Lock()
	close(o.stalled)
	began := o.last
	o.mu.Unlock()
	for range 3 {
		b := l.keys.verifyBeacon(t, s.next("ntsgw/gw1/beacon", 3*time.Second).payload)
		if early := began.Sub(b.UTC()); early > b.MaxError {
			t.Errorf("a beacon that was made %v before there was a connection came", early)
		}
	}
}

// TestTwoGatewaysWithOneID end each other's connections: both soon pause for long, and say why in a
// few lines.
func TestTwoGatewaysWithOneID(t *testing.T) {
	t.Parallel()
	port := loopback.Port(t)
	newMosquitto(t, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true")
	var labs [2]*lab
	var logs [2]program.Buffer
	for i := range labs {
		labs[i] = startLabWith(t, func(c *configs.MQTT) { c.Broker = brokerAt(port) },
			func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&logs[i], nil)) })
	}
	connects := func() (n uint64) {
		for _, l := range labs {
			n += l.server.Status().Brokers[0].Connects
		}
		return n
	}
	for _, l := range labs {
		until(t, "the warning", 30*time.Second, func() bool {
			w := l.server.Warnings()
			return len(w) == 1 && w[0].ID == "broker-restless"
		})
	}
	before, began := connects(), time.Now()
	until(t, "more connections", 30*time.Second, func() bool { return connects() >= before+3 })
	if d := time.Since(began); d < 1500*time.Millisecond { // the pauses are 2 s and more by now, and double
		t.Errorf("3 more connections in %v", d)
	}
	for i := range logs {
		text := logs[i].String()
		if n := strings.Count(text, "\n"); n > 2*shortMany+2 || !strings.Contains(text, "client_id=ntsgw-gw1") {
			t.Errorf("%d lines, or not why:\n%s", n, text)
		}
	}
}

// TestOneReasonIsLoggedOnce: a broker that hangs up on each attempt does so at another port of ours each time, which
// filled the log with a line every three seconds.
func TestOneReasonIsLoggedOnce(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var attempts atomic.Int32
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 4)) // with the rest unread its end is a reset
			c.Close()
			attempts.Add(1)
		}
	}()
	t.Cleanup(func() { ln.Close(); <-ended })
	var log program.Buffer
	l := startLabWith(t, func(c *configs.MQTT) { c.Broker = "mqtt://" + ln.Addr().String() },
		func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	until(t, "attempts", 10*time.Second, func() bool { return attempts.Load() >= 4 })
	l.stop()
	if n := strings.Count(log.String(), "broker not reached"); n != 1 {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
}
