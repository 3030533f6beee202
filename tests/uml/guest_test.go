package uml

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/tests/uml/probe"
	"github.com/ntsgw/ntsgw/upstream/ntp"
)

// guest is one user-mode Linux machine.
type guest struct {
	l       *lab
	n       int
	log     string
	process *process
	control net.Conn
	asked   int // commands so far
	stop    chan struct{}
	probing sync.WaitGroup

	mu      sync.Mutex
	samples []sample
}

// sample is the best exchange of a second.
type sample struct {
	at    time.Time     // of this machine
	err   time.Duration // the guest's clock minus this machine's
	slack time.Duration // half the round trip: how wrong err can be
	probe.Answer
}

// guest boots a machine and begins to probe it. spec's Address, Shared and Log are filled in.
func (l *lab) guest(spec probe.Spec) *guest {
	l.t.Helper()
	l.guests++
	g := &guest{l: l, n: l.guests, stop: make(chan struct{})}
	tap := fmt.Sprintf("tap%d", g.n)
	l.IP("tuntap", "add", tap, "mode", "tap")
	l.IP("addr", "add", hostAddress(g.n)+"/24", "dev", tap)
	l.IP("link", "set", tap, "up")
	spec.Address, spec.Shared = guestAddress(g.n)+"/24", l.dir
	g.log = filepath.Join(l.dir, fmt.Sprintf("guest%d.log", g.n))
	spec.Log = g.log
	text, err := json.Marshal(spec)
	if err != nil {
		l.t.Fatal(err)
	}
	path := l.write(fmt.Sprintf("guest%d.json", g.n), text)
	g.process = l.run("linux.uml", "mem=160M", "rootfstype=hostfs", "rootflags=/", "ro", "con0=fd:0,fd:1", "con=null", "quiet",
		"uml_dir="+l.dir, "vec0:transport=tap,ifname="+tap+",depth=16,gro=0,vec=0", "guestspec="+path, "init="+built(l.t, "guestinit"))
	l.t.Cleanup(g.end)
	if err := l.Enter(func() (err error) {
		g.control, err = net.Dial("udp", net.JoinHostPort(guestAddress(g.n), fmt.Sprint(probe.Port)))
		return err
	}); err != nil {
		l.t.Fatal(err)
	}
	for begun := time.Now(); ; {
		if _, err := g.within(300*time.Millisecond, "hello"); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
		if time.Since(begun) > busy*30*time.Second {
			l.t.Fatalf("the guest did not come up: %s", g.process.out.String())
		}
	}
	g.probing.Go(g.probe)
	return g
}

// busy is how many times as long things may take on a machine that does something else as well.
const busy = 4

// try sends a command; a lost datagram is an error.
func (g *guest) try(command string) (string, error) { return g.within(busy*7*time.Second, command) }

// Commands are numbered: the answer to one that was given up may come late.
func (g *guest) within(limit time.Duration, command string) (string, error) {
	g.control.SetDeadline(time.Now().Add(limit))
	g.asked++
	number := strconv.Itoa(g.asked)
	if _, err := g.control.Write([]byte(string(rune(probe.Command)) + number + " " + command)); err != nil {
		return "", err
	}
	buf := make([]byte, 65536)
	for {
		n, err := g.control.Read(buf)
		if err != nil {
			return "", err
		}
		answers, said, _ := strings.Cut(string(buf[:n]), " ")
		if answers != number {
			continue
		}
		word, rest, _ := strings.Cut(said, " ")
		if word != "ok" {
			return "", fmt.Errorf("guest: %s", rest)
		}
		return rest, nil
	}
}

// do sends a command that must succeed.
func (g *guest) do(command string) string {
	g.l.t.Helper()
	out, err := g.try(command)
	if err != nil {
		g.l.t.Fatalf("%s: %v\n%s", command, err, g.logText())
	}
	return out
}

func (g *guest) logText() string {
	b, _ := os.ReadFile(g.log)
	return string(b)
}

// kernel is what the guest's kernel says of its clock.
func (g *guest) kernel() (k sysclock.KernelState) {
	g.l.t.Helper()
	if err := json.Unmarshal([]byte(g.do("kernel")), &k); err != nil {
		g.l.t.Fatal(err)
	}
	return k
}

func (g *guest) end() {
	select {
	case <-g.stop:
	default:
		close(g.stop)
	}
	g.probing.Wait()
	if g.control != nil {
		g.try("off")
		g.control.Close()
	}
	select {
	case <-g.process.done:
	case <-time.After(busy * 3 * time.Second):
	}
	g.process.end()
	if g.l.t.Failed() {
		g.l.t.Logf("guest %d's program said:\n%s", g.n, tail(g.logText(), 6000))
	}
}

// sub runs a part of a test whose failures are its own.
func (l *lab) sub(name string, f func(t *testing.T)) {
	whole := l.t
	whole.Run(name, func(t *testing.T) {
		l.t = t
		defer func() { l.t = whole }()
		f(t)
	})
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// probe makes 20 exchanges a second and keeps the one with the least round trip.
func (g *guest) probe() {
	var s *ntp.Socket
	if err := g.l.Enter(func() (err error) {
		s, err = ntp.Dial(netip.MustParseAddrPort(fmt.Sprintf("%s:%d", guestAddress(g.n), probe.Port)))
		return err
	}); err != nil {
		g.l.t.Error(err)
		return
	}
	defer s.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var best sample
	for i := uint64(1); ; i++ {
		select {
		case <-g.stop:
			return
		case <-tick.C:
		}
		ahead := g.l.skips.ahead()
		got, ok := exchange(s, i)
		if g.l.skips.ahead() != ahead {
			best = sample{}
			continue
		}
		got.err -= ahead
		if ok && (best.at.IsZero() || got.slack < best.slack) {
			best = got
		}
		if i%20 == 0 && !best.at.IsZero() {
			g.mu.Lock()
			g.samples = append(g.samples, best)
			g.mu.Unlock()
			best = sample{}
		}
	}
}

func exchange(s *ntp.Socket, token uint64) (sample, bool) {
	var buf [128]byte
	q := binary.BigEndian.AppendUint64([]byte{probe.Time}, token)
	t1 := sysclock.ReadPair().Real
	sent, err := s.Send(q, netip.AddrPort{}, netip.Addr{})
	if err != nil {
		return sample{}, false
	}
	s.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	for {
		got, err := s.Receive(buf[:])
		if err != nil {
			return sample{}, false
		}
		a, err := probe.Decode(buf[:got.N])
		if err != nil || a.Token != token {
			continue
		}
		t4 := got.Stamp
		if t4 == 0 {
			t4 = sysclock.ReadPair().Real
		}
		if at := s.SendStamp(sent.ID); at > t1 {
			t1 = at
		}
		trip := (t4 - t1) - (a.Sent - a.Received)
		if trip < 0 || a.Sent < a.Received {
			return sample{}, false // the guest's clock was set in between
		}
		return sample{at: time.Unix(0, t1), slack: time.Duration(trip/2 + 1),
			err: time.Duration((a.Received-t1)/2 + (a.Sent-t4)/2), Answer: a}, true
	}
}

// since returns the samples from t on.
func (g *guest) since(t time.Time) []sample {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []sample
	for _, s := range g.samples {
		if !s.at.Before(t) {
			out = append(out, s)
		}
	}
	return out
}

// wait returns when the newest sample satisfies ok, which it does within limit on a machine that does nothing else.
func (g *guest) wait(what string, limit time.Duration, ok func(sample) bool) time.Duration {
	g.l.t.Helper()
	limit *= busy
	begun := time.Now()
	for time.Since(begun) < limit {
		if s := g.since(begun); len(s) > 0 && ok(s[len(s)-1]) {
			return time.Since(begun)
		}
		time.Sleep(100 * time.Millisecond)
	}
	last := "no probe was answered"
	if s := g.since(begun); len(s) > 0 {
		last = fmt.Sprintf("the last probe: %+v", s[len(s)-1])
	}
	g.l.t.Fatalf("%s did not happen within %v; %s", what, limit, last)
	return 0
}

// hold lets d go by and holds each sample in it to the promise: while the kernel calls itself
// synchronized, its maximum error covers the true one.
func (g *guest) hold(d time.Duration) []sample {
	g.l.t.Helper()
	begun := time.Now()
	time.Sleep(d)
	got := g.since(begun)
	if len(got) < int(d.Seconds()*0.3) {
		g.l.t.Errorf("only %d probes in %v", len(got), d)
	}
	g.judge(got)
	return got
}

func (g *guest) judge(got []sample) {
	g.l.t.Helper()
	for _, s := range got {
		if !s.Unsynchronized && s.err.Abs() > s.MaxError+s.slack {
			g.l.t.Errorf("the clock is off by %v ± %v, its kernel was told %v", s.err, s.slack, s.MaxError)
		}
	}
}

// spread is the root mean square and the largest absolute error, and the median slack and bound.
func spread(got []sample) (rms, worst, bound time.Duration) {
	if len(got) == 0 {
		return 0, 0, 0
	}
	var sum float64
	var bounds []time.Duration
	for _, s := range got {
		sum += float64(s.err) * float64(s.err)
		worst = max(worst, s.err.Abs())
		bounds = append(bounds, s.MaxError)
	}
	return time.Duration(math.Sqrt(sum / float64(len(got)))), worst, median(bounds)
}

func median[T int64 | float64 | time.Duration](v []T) T {
	s := append([]T(nil), v...)
	for i := range s {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
	return s[len(s)/2]
}
