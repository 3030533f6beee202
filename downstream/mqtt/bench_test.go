package mqtt

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/suspend"
	"github.com/ntsgw/ntsgw/tests/loopback"
)

func percentile(d []time.Duration, p float64) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, int(math.Ceil(p*float64(len(d))))-1)]
}

// BenchmarkBeacon is one beacon from the reading of the timeline to the embedded broker's queue of
// its one subscriber.
func BenchmarkBeacon(b *testing.B) {
	for _, alg := range []string{algEd25519, algES256} {
		b.Run(alg, func(b *testing.B) {
			l := startLab(b, func(c *configs.MQTT) { c.Interval, c.Algorithms = time.Hour, []string{alg} })
			connect(b, l.addr(), "", "", "ntsgw/gw1/#", func(string, []byte) {})
			until(b, "the publisher has nothing to do", 5*time.Second, func() bool { return l.server.Status().Beacons == 1 })
			all := make([]time.Duration, 0, b.N)
			b.ReportAllocs()
			for b.Loop() {
				t := time.Now()
				if !l.server.pub.beacon(t.Add(time.Second)) {
					b.Fatal("no beacon")
				}
				all = append(all, time.Since(t))
			}
			b.ReportMetric(float64(percentile(all, 0.5).Nanoseconds())/1e3, "p50-µs")
			b.ReportMetric(float64(percentile(all, 0.99).Nanoseconds())/1e3, "p99-µs")
		})
	}
}

// BenchmarkExchange is the server's side of one exchange: every check, the time, the seal.
func BenchmarkExchange(b *testing.B) {
	clock := newTestClock()
	tl := newTestTimeline(clock)
	nodes, _ := openTestNodes(b)
	cfg := testConfig()
	cfg.RequestRate, cfg.RequestBurst = 1e9, 1e9
	o := Options{Timeline: tl, Clock: clock, Nodes: nodes, Config: cfg, Gateway: "gw1", Log: testLog(b)}
	r, c := newResponder(&o, suspend.New(clock)), newTraffic()
	const n = 64
	var keys [n]*beacon.MACKey
	for i := range keys {
		keys[i] = macKey(b, enrol(b, nodes, fmt.Sprintf("node-%d", i)))
	}
	for i := range nonceMemory * n { // the memory of each node is full
		k := i % n
		r.admit(c, fmt.Sprintf("node-%d", k), newRequest().AppendSealed(nil, keys[k]), arrival(tl, clock))
	}
	var seq atomic.Uint64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		k := int(seq.Add(1)) % n
		name := fmt.Sprintf("node-%d", k)
		req := newRequest()
		buf := make([]byte, 0, 256)
		var i uint64
		for pb.Next() {
			i++
			for j := range 8 {
				req.Nonce[j] = byte(i >> (8 * j))
			}
			msg := req.AppendSealed(buf[:0], keys[k])
			q, ok := r.admit(c, name, msg, arrival(tl, clock))
			if !ok || r.answer(&q) == nil {
				b.Fatalf("refused: %v", c.refused.words())
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
}

// BenchmarkFanOut is the time from the wish for a beacon to its arrival at each of many subscribers
// in a process of their own: through the embedded broker, and through mosquitto.
// NTSGW_FANOUT sets their number.
func BenchmarkFanOut(b *testing.B) {
	n := 5000
	if s := os.Getenv("NTSGW_FANOUT"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	var p99 [2]time.Duration
	b.Run("embedded", func(b *testing.B) {
		l := startLab(b, func(c *configs.MQTT) { c.Interval, c.MaxClients = time.Hour, n+10 })
		l.server.embedded.hook.nameless = n
		p99[0] = fanOut(b, l, l.addr(), n)
	})
	b.Run("mosquitto", func(b *testing.B) {
		port := loopback.Port(b)
		newMosquitto(b, fmt.Sprintf("listener %d 127.0.0.1", port), "allow_anonymous true", "max_connections -1", "set_tcp_nodelay true")
		l := startLab(b, func(c *configs.MQTT) { c.Interval, c.Broker = time.Hour, brokerAt(port) })
		until(b, "connected", 5*time.Second, func() bool { return l.server.Status().Brokers[0].State == BrokerConnected })
		p99[1] = fanOut(b, l, fmt.Sprintf("127.0.0.1:%d", port), n)
		if p99[0] > 0 && p99[1] > 0 {
			b.ReportMetric(float64(p99[0])/float64(p99[1]), "embedded/mosquitto")
		}
	})
}

func fanOut(b *testing.B, l *lab, addr string, n int) time.Duration {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestFanOutSubscribers$", "-test.timeout", "10m")
	cmd.Env = append(os.Environ(), fmt.Sprintf("NTSGW_FANOUT_AT=%s %d", addr, n))
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close() // ends it
	sc := bufio.NewScanner(out)
	line := func() []string {
		for sc.Scan() {
			if f := strings.Fields(sc.Text()); len(f) > 0 && (f[0] == "ready" || f[0] == "round") {
				return f
			}
		}
		b.Fatal("the subscribers ended")
		return nil
	}
	line()
	var worst, all []time.Duration
	for b.Loop() {
		start := time.Now()
		l.server.pub.soon()
		f := line()
		at99, _ := strconv.ParseInt(f[1], 10, 64)
		last, _ := strconv.ParseInt(f[2], 10, 64)
		all = append(all, time.Duration(at99-start.UnixNano()))
		worst = append(worst, time.Duration(last-start.UnixNano()))
	}
	p := percentile(all, 0.5)
	b.ReportMetric(float64(p.Microseconds())/1e3, "p99-ms")
	b.ReportMetric(float64(percentile(worst, 0.5).Microseconds())/1e3, "last-ms")
	b.ReportMetric(float64(n), "subscribers")
	return p
}

// TestFanOutSubscribers is the other process of BenchmarkFanOut: subscribers on plain sockets. It
// prints, a round in which each has had one message, when 99 % and when all had it.
func TestFanOutSubscribers(t *testing.T) {
	var addr string
	var n int
	if _, err := fmt.Sscan(os.Getenv("NTSGW_FANOUT_AT"), &addr, &n); err != nil {
		t.Skip("only as part of BenchmarkFanOut")
	}
	type arrivalAt struct {
		who int
		at  int64
	}
	got := make(chan arrivalAt, n)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range n {
		c, err := rawSubscribe(addr, fmt.Sprintf("s%d", i), "ntsgw/gw1/beacon")
		if err != nil {
			t.Fatalf("subscriber %d: %v", i, err)
		}
		context.AfterFunc(ctx, func() { c.Close() })
		wg.Go(func() {
			r := bufio.NewReaderSize(c, 512)
			for {
				if _, _, err := readPacket(r); err != nil {
					return
				}
				got <- arrivalAt{i, time.Now().UnixNano()}
			}
		})
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println("ready")
	for ctx.Err() == nil {
		at := make([]int64, 0, n)
		for len(at) < n {
			select {
			case a := <-got:
				at = append(at, a.at)
			case <-ctx.Done():
				wg.Wait()
				return
			}
		}
		slices.Sort(at)
		fmt.Printf("\nround %d %d\n", at[int(math.Ceil(0.99*float64(n)))-1], at[n-1])
	}
	wg.Wait()
}

// rawSubscribe connects and subscribes with nothing but a socket (MQTT 3.1.1 §3.1, §3.8).
func rawSubscribe(addr, id, topic string) (net.Conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	text := func(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }
	connect := append(text("MQTT"), 4, 2, 0, 0)
	connect = append(connect, text(id)...)
	sub := append([]byte{0, 1}, text(topic)...)
	sub = append(sub, 0)
	b := append([]byte{0x10, byte(len(connect))}, connect...)
	b = append(append(b, 0x82, byte(len(sub))), sub...)
	if _, err := c.Write(b); err != nil {
		c.Close()
		return nil, err
	}
	r := bufio.NewReaderSize(c, 16)
	for _, want := range []byte{0x20, 0x90} {
		kind, body, err := readPacket(r)
		if err != nil || kind != want {
			c.Close()
			return nil, fmt.Errorf("packet %#x % x: %w", kind, body, err)
		}
	}
	return c, nil
}

func readPacket(r *bufio.Reader) (kind byte, body []byte, err error) {
	if kind, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, shift := 0, 0
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		n |= int(b&0x7f) << shift
		if shift += 7; b < 0x80 || shift > 21 {
			break
		}
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return kind & 0xf0, body, err
}
