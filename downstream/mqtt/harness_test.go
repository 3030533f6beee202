package mqtt

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/tests/program"
)

// testClock is the machine's monotonic clock as a raw clock, with a suspend on demand.
type testClock struct {
	start     time.Time
	suspended atomic.Int64
	offset    atomic.Int64
}

func newTestClock() *testClock { return &testClock{start: time.Now()} }

func (c *testClock) Now() discipline.Raw {
	return discipline.Raw(time.Since(c.start) + time.Hour + time.Duration(c.offset.Load()))
}
func (c *testClock) Suspended() time.Duration { return time.Duration(c.suspended.Load()) }

// testTimeline is a synchronized timeline that a test may replace.
type testTimeline struct {
	p atomic.Pointer[discipline.Snapshot]
}

func (t *testTimeline) Snapshot() *discipline.Snapshot { return t.p.Load() }

func newTestTimeline(c *testClock) *testTimeline {
	t := &testTimeline{}
	t.set(c, discipline.Synchronized, newTestEpoch())
	return t
}

func newTestEpoch() (e discipline.Epoch) {
	rand.Read(e[:])
	return e
}

// set puts the timeline on the host's time, give or take 1 ms.
func (t *testTimeline) set(c *testClock, s discipline.State, e discipline.Epoch) *discipline.Snapshot {
	// Both are read at once, also where the machine does something else between two readings.
	at, now := c.Now(), time.Now()
	for c.Now().Sub(at) > 500*time.Microsecond {
		at, now = c.Now(), time.Now()
	}
	snap := &discipline.Snapshot{
		State: s, Epoch: e,
		At: at, TAI: now.UnixNano() + 37e9,
		FrequencyPPM: 12.5, RateBoundPPM: 20,
		MaxErrorAt: time.Millisecond, MaxErrorPPM: 20, EstErrorAt: 50 * time.Microsecond, EstErrorPPM: 1,
		TAIOffset: 37, Leap: discipline.LeapNone, Stratum: 2, SourceStratum: 1, NTS: true,
	}
	t.p.Store(snap)
	return snap
}

// logWriter passes log lines to the test.
type logWriter struct{ t testing.TB }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Helper()
	w.t.Logf("%s", strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

func testLog(t testing.TB) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func testConfig() configs.MQTT {
	return configs.MQTT{
		Enabled: true, Listen: "127.0.0.1:0", Interval: 200 * time.Millisecond,
		Algorithms: []string{algEd25519}, MaxClients: 100, RequestRate: 1, RequestBurst: 8,
	}
}

// lab is a running server with what it stands on.
type lab struct {
	t        testing.TB
	dir      string
	clock    *testClock
	timeline *testTimeline
	keys     *testKeys
	nodes    *Nodes
	server   *Server
	stop     func()
}

func startLab(t testing.TB, change func(*configs.MQTT)) *lab {
	t.Helper()
	return startLabWith(t, change, nil)
}

func startLabWith(t testing.TB, change func(*configs.MQTT), opts func(*Options)) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir(), clock: newTestClock()}
	l.timeline = newTestTimeline(l.clock)
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	l.keys = newTestKeys(t, "gw1", cfg.Algorithms)
	nodes, err := OpenNodes(l.dir, "gw1", cfg.Prefix)
	if err != nil {
		t.Fatal(err)
	}
	l.nodes = nodes
	o := Options{Timeline: l.timeline, Clock: l.clock, Keys: l.keys, Nodes: nodes, Config: cfg, Gateway: "gw1", Log: testLog(t)}
	if opts != nil {
		opts(&o)
	}
	if l.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.server.Run(ctx) }()
	stopped := false
	l.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(program.Busy * 10 * time.Second):
			t.Error("Run did not end")
		}
	}
	t.Cleanup(l.stop)
	return l
}

func (l *lab) addr() string { return l.server.Addresses()[0] }

// until polls cond; it is for conditions that nothing announces. They come within d on a machine that does nothing else.
func until(t testing.TB, what string, d time.Duration, cond func() bool) {
	t.Helper()
	d *= program.Busy
	end := time.Now().Add(d)
	for !cond() {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, d)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// needs skips the test when a program is missing.
func needs(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed (Debian packages mosquitto and mosquitto-clients)", p)
		}
	}
}

// mosquitto is a running broker.
type mosquitto struct {
	t    testing.TB
	conf string
	cmd  *exec.Cmd
}

// newMosquitto starts a broker with the configuration's lines.
func newMosquitto(t testing.TB, lines ...string) *mosquitto {
	t.Helper()
	needs(t, "mosquitto", "mosquitto_sub")
	m := &mosquitto{t: t, conf: filepath.Join(t.TempDir(), "mosquitto.conf")}
	text := "user root\nlog_dest stderr\nlog_type all\npersistence false\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(m.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.kill)
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command("mosquitto", "-c", m.conf)
	out, err := m.cmd.StderrPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	up, said := make(chan struct{}), ""
	end := make(chan string, 1)
	go func() {
		sc := bufio.NewScanner(out)
		open := true
		for sc.Scan() {
			if open && strings.Contains(sc.Text(), "running") {
				open = false
				close(up)
			}
			if open {
				said += sc.Text() + "\n"
			}
		}
		end <- said
	}()
	select {
	case <-up:
	case s := <-end:
		m.t.Fatalf("mosquitto ended: %s", s)
	case <-time.After(program.Busy * 10 * time.Second):
		m.t.Fatal("mosquitto did not come up")
	}
}

// kill ends the broker without a goodbye.
func (m *mosquitto) kill() {
	if m.cmd != nil {
		m.cmd.Process.Kill()
		m.cmd.Wait()
		m.cmd = nil
	}
}

// received is a message as mosquitto_sub printed it.
type received struct {
	topic    string
	retained bool
	payload  []byte
	at       time.Time
}

// subscriber is a running mosquitto_sub.
type subscriber struct {
	t     testing.TB
	cmd   *exec.Cmd
	got   chan received
	ended chan struct{}
	said  atomic.Pointer[string]
}

// subscribe starts mosquitto_sub and returns when the broker has answered its subscription.
func subscribe(t testing.TB, args ...string) *subscriber {
	t.Helper()
	needs(t, "mosquitto_sub", "stdbuf")
	s := &subscriber{t: t, got: make(chan received, 10000), ended: make(chan struct{})}
	// Through stdbuf, or its word that it has subscribed waits in a buffer for the first message.
	s.cmd = exec.Command("stdbuf", append([]string{"-oL", "mosquitto_sub", "-d", "-F", "MSG %t %r %x"}, args...)...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.cmd.Stdout
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	up := make(chan string, 16)
	go func() {
		defer close(s.ended)
		sc := bufio.NewScanner(out)
		sc.Buffer(nil, 1<<20)
		var said strings.Builder
		for sc.Scan() {
			line := sc.Text()
			if f := strings.Fields(line); len(f) >= 3 && f[0] == "MSG" {
				r := received{topic: f[1], retained: f[2] == "1", at: time.Now()}
				if len(f) > 3 {
					r.payload, _ = hex.DecodeString(f[3])
				}
				s.got <- r
				continue
			}
			said.WriteString(line + "\n")
			all := said.String()
			s.said.Store(&all)
			if strings.HasPrefix(line, "Subscribed") || strings.Contains(line, "enied") || strings.Contains(line, "efused") || strings.Contains(line, "uthori") {
				select {
				case up <- line:
				default:
				}
			}
		}
	}()
	select {
	case <-up:
	case <-s.ended:
	case <-time.After(program.Busy * 10 * time.Second):
		t.Fatal("mosquitto_sub did not subscribe")
	}
	return s
}

func (s *subscriber) stop() {
	s.cmd.Process.Kill()
	<-s.ended
	s.cmd.Wait()
}

func (s *subscriber) output() string {
	if p := s.said.Load(); p != nil {
		return *p
	}
	return ""
}

// next returns the next message on topic, which comes within d on a machine that does nothing else.
func (s *subscriber) next(topic string, d time.Duration) received {
	s.t.Helper()
	d *= program.Busy
	end := time.After(d)
	for {
		select {
		case r := <-s.got:
			if r.topic == topic {
				return r
			}
		case <-s.ended:
			s.t.Fatalf("mosquitto_sub ended: %s", s.output())
		case <-end:
			s.t.Fatalf("no message on %s within %v: %s", topic, d, s.output())
		}
	}
}

// hostPort splits an address for mosquitto's -h and -p.
func hostPort(addr string) []string {
	h, p, _ := net.SplitHostPort(addr)
	return []string{"-h", h, "-p", p}
}

func brokerAt(port int) string { return fmt.Sprintf("mqtt://127.0.0.1:%d", port) }
