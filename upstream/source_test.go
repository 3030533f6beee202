package upstream_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/upstream"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

type (
	measurement = discipline.Measurement
)

// elsewhere is a socket to another peer than it says.
type elsewhere struct {
	upstream.Socket
	claims netip.AddrPort
}

func (e elsewhere) Receive(b []byte) (ntp.Received, error) {
	in, err := e.Socket.Receive(b)
	in.Peer = e.claims
	return in, err
}

func openElsewhere(peer, claims netip.AddrPort) (upstream.Socket, error) {
	s, err := ntp.Dial(peer)
	return elsewhere{s, claims}, err
}

// reported waits for Changed to say what is wanted.
func (r *rig) reported(what string, ok func(change) bool) {
	r.tb.Helper()
	end := time.After(patience)
	for {
		select {
		case c := <-r.changed:
			if ok(c) {
				return
			}
		case <-r.out:
		case <-end:
			r.tb.Fatalf("%s was not reported: %+v", what, r.Status())
		}
	}
}

func TestServersThatWork(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	for _, c := range []struct {
		name string
		cfg  upstreamtest.Config
		aead uint16
	}{
		{"as usual", upstreamtest.Config{}, 30},
		{"AEAD 15 only", upstreamtest.Config{AEADs: []uint16{15}}, 15},
		{"over IPv6", upstreamtest.Config{Listen: "::1"}, 30},
		{"three cookies", upstreamtest.Config{Cookies: 3}, 30},
		{"cookies that are longer in replies", upstreamtest.Config{AEADs: []uint16{15}, Pad: 28}, 15},
		{"a server name", upstreamtest.Config{NTPServer: "localhost"}, 30},
		{"an address", upstreamtest.Config{NTPServer: "127.0.0.1"}, 30},
		{"far ahead", upstreamtest.Config{Offset: 20 * 365 * 24 * time.Hour}, 30},
		{"behind", upstreamtest.Config{Offset: -250 * time.Millisecond}, 30},
		{"at least three placeholders wanted", upstreamtest.Config{Tolerates: func(n int) bool { return n >= 3 }}, 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.cfg.Listen == "::1" && !ipv6() {
				t.Skip("no IPv6 on the loopback here")
			}
			server := upstreamtest.NewServer(t, ca, c.cfg)
			r := start(t, ca, server.Address, nil)
			r.offset = c.cfg.Offset
			for range 4 {
				r.next()
			}
			st := r.Status()
			if st.AEAD != c.aead || st.LastError != "" || st.Denied != "" || st.KEAt.IsZero() || st.NTPAddr != server.NTP.String() {
				t.Errorf("status %+v", st)
			}
			if d, bound := st.Offset-c.cfg.Offset, st.Delay/2+2*time.Millisecond; d > bound || d < -bound {
				t.Errorf("offset to the host %v", st.Offset)
			}
			if kes, _ := server.Seen(); kes != 1 {
				t.Errorf("%d key exchanges", kes)
			}
			r.reported("that it answers", func(c change) bool { return c.reachable && c.denied == "" })
		})
	}
}

func ipv6() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// A server written from RFC 8915 alone has other keys for AEAD 30 than chrony 4.4 to 4.6, and drops what it can't
// open: the keys are right after one request that was lost, or after a second where the right one was lost, too.
func TestServerWrittenFromTheRFC(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{Literal: true})
	r := start(t, ca, server.Address, nil)
	for range 4 {
		r.next()
	}
	if st, n := r.Status(), server.Seen; st.AEAD != 30 || st.LastError != "" || st.Rejected[upstream.ReasonNoReply] != 1 {
		kes, asked := n()
		t.Errorf("%d key exchanges, %d requests, %+v", kes, len(asked), st)
	}
	if kes, _ := server.Seen(); kes != 1 {
		t.Errorf("%d key exchanges", kes)
	}

	res, err := upstream.Query(context.Background(), upstream.QueryOptions{
		Address: server.Address, Trust: r.trust, Clock: sysclock.Reader{}, Timeout: patience,
	})
	if err != nil || res.AEAD != 30 {
		t.Errorf("query: %+v, %v", res, err)
	}
}

// coarse reads the clocks down to whole milliseconds once it is told to.
type coarse struct {
	sysclock.Reader
	is atomic.Bool
}

func (c *coarse) read(r discipline.Raw) discipline.Raw {
	if c.is.Load() {
		r -= r % 1e6
	}
	return r
}

func (c *coarse) Now() discipline.Raw { return c.read(c.Reader.Now()) }

func (c *coarse) ReadPair() discipline.HostReading {
	p := c.Reader.ReadPair()
	p.Raw = c.read(p.Raw)
	return p
}

// stampless is a socket without the kernel's stamps, which would not be of the coarse clock.
type stampless struct{ upstream.Socket }

func (s stampless) Send(b []byte, peer netip.AddrPort, local netip.Addr) (ntp.Sent, error) {
	sent, err := s.Socket.Send(b, peer, local)
	sent.Stamp = 0
	return sent, err
}

func (stampless) SendStamp(uint32) int64 { return 0 }

func (s stampless) Receive(b []byte) (ntp.Received, error) {
	in, err := s.Socket.Receive(b)
	in.Stamp = 0
	return in, err
}

// A raw clock that becomes coarse, as when the kernel changes to another counter, shows in what is stated.
func TestTickIsStated(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	clock := &coarse{}
	r := start(t, ca, server.Address, func(opt *upstream.Options) {
		opt.Clock = clock
		opt.Open = func(peer netip.AddrPort) (upstream.Socket, error) {
			s, err := ntp.Dial(peer)
			return stampless{s}, err
		}
	})
	if m := r.next(); m.Precision > 500*time.Microsecond {
		t.Errorf("a fine clock: %v is stated", m.Precision)
	}
	clock.is.Store(true)
	r.next() // may have been under way
	r.next()
	if m := r.next(); m.Precision < time.Millisecond || m.Precision > 1200*time.Microsecond {
		t.Errorf("a clock of milliseconds: %v is stated", m.Precision)
	}
}

func TestSilentNTP(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	server.Silence(true)
	r := start(t, ca, server.Address, nil)
	r.await("the cause", func(st upstream.Status) bool {
		return strings.Contains(st.LastError, "middlebox") && st.Rejected[upstream.ReasonNoReply] > 0
	})
	server.Silence(false)
	r.next()
	r.reported("that it answers", func(c change) bool { return c.reachable })
}

func TestNobodyTakesNTP(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{NTPServer: "127.0.0.2"}) // it listens on 127.0.0.1 only
	var log lines
	r := start(t, ca, server.Address, func(opt *upstream.Options) { opt.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	var st upstream.Status
	r.await("the cause", func(now upstream.Status) bool {
		st = now
		return strings.Contains(st.LastError, "nobody takes NTP at 127.0.0.2") && st.Rejected[upstream.ReasonSocket] > 3
	})
	// A poll that is lost is counted once, and the cause holds nothing that is new each time.
	if lost := st.Rejected[upstream.ReasonSocket] + st.Rejected[upstream.ReasonNoReply]; lost > st.Sent {
		t.Errorf("%d of %d requests are counted as lost: %v", lost, st.Sent, st.Rejected)
	}
	if n := strings.Count(log.String(), "WARN"); n != 1 || strings.Contains(st.LastError, "->") {
		t.Errorf("%d warnings of one cause:\n%s", n, log.String())
	}
}

func TestAnswersWithoutAuthentication(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	// NTP goes to a port where somebody else answers, as a router may do on port 123.
	router, err := net.ListenPacket("udp", "127.0.0.3:0")
	if err != nil {
		t.Skipf("no 127.0.0.3 here: %v", err)
	}
	t.Cleanup(func() { router.Close() })
	go func() {
		b := make([]byte, 2000)
		for {
			_, peer, err := router.ReadFrom(b)
			if err != nil {
				return
			}
			reply := make([]byte, 48)
			reply[0], reply[1] = 4<<3|4, 1
			copy(reply[24:32], b[40:48])
			reply[32], reply[40] = 0xee, 0xee
			router.WriteTo(reply, peer)
		}
	}()
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	r := start(t, ca, server.Address, func(opt *upstream.Options) {
		opt.Open = func(netip.AddrPort) (upstream.Socket, error) {
			return openElsewhere(router.LocalAddr().(*net.UDPAddr).AddrPort(), server.NTP)
		}
	})
	r.await("the cause", func(st upstream.Status) bool {
		return strings.Contains(st.LastError, "plain NTP is never used") && st.Rejected["plain-ntp"] > 0
	})
	if st := r.Status(); st.Reach != 0 || st.Stratum != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestNAK(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	r := start(t, ca, server.Address, nil)
	r.next()
	r.next()
	server.Forget(t)
	began := time.Now()
	m := r.next()
	if r.Status().Rejected[upstream.ReasonNAK] == 0 {
		// One exchange may have been answered already.
		m = r.next()
	}
	t.Logf("a measurement %v after the keys were forgotten", time.Since(began).Round(time.Millisecond))
	if kes, _ := server.Seen(); kes != 2 || r.Status().Rejected[upstream.ReasonNAK] != 1 {
		t.Errorf("%d key exchanges, %v, %+v", kes, r.Status().Rejected, m)
	}
}

func TestDatesDeferred(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	r := start(t, ca, server.Address, func(opt *upstream.Options) { opt.Trust.(*upstreamtest.Trust).Defer(true) })
	for range 2 {
		if m := r.next(); !m.DatesDeferred {
			t.Fatal("a sample does not say that dates were not judged")
		}
	}
	if !r.Status().DatesDeferred {
		t.Error("the status does not say so")
	}
	r.trust.Defer(false)
	known := time.Now()
	for {
		if m := r.next(); !m.DatesDeferred {
			break
		}
	}
	t.Logf("judged samples %v after the time was known", time.Since(known).Round(time.Millisecond))
	for range 3 {
		if m := r.next(); m.DatesDeferred {
			t.Error("a sample of the old session came after one of the new")
		}
	}
	if kes, _ := server.Seen(); kes != 2 {
		t.Errorf("%d key exchanges", kes)
	}
}

// lines is a log that a test reads.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *lines) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// Keys that are made again because the time became known are no loss and no warning; a server that
// falls silent is one.
func TestOnlyALossIsWarnedOf(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	var log lines
	r := start(t, ca, server.Address, func(opt *upstream.Options) {
		opt.Trust.(*upstreamtest.Trust).Defer(true)
		opt.Log = slog.New(slog.NewTextHandler(&log, nil))
		opt.MinPoll = time.Second // eight silent polls are a loss
	})
	r.next()
	r.trust.Defer(false)
	r.Recheck()
	for r.next().DatesDeferred {
	}
	r.next()
	if text := log.String(); strings.Contains(text, "WARN") || strings.Count(text, "server answers") != 1 {
		t.Errorf("the log says\n%s", text)
	}
	server.Silence(true)
	r.await("the loss", func(st upstream.Status) bool { return st.Reach == 0 })
	server.Silence(false)
	r.await("the return", func(st upstream.Status) bool { return st.Reach != 0 })
	r.next()
	text := log.String()
	if strings.Count(text, "WARN") != 1 || !strings.Contains(text, `msg="server does not answer"`) || strings.Contains(text, `cause=""`) || strings.Count(text, "server answers") != 2 {
		t.Errorf("the log says\n%s", text)
	}
}

func TestRecheck(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	r := start(t, ca, server.Address, nil)
	r.next()
	r.Recheck()
	r.next()
	r.trust.Refuse(&upstreamtest.Refusal{Word: "revoked", Text: "its certificate is revoked"})
	r.Recheck()
	r.reported("the denial", func(c change) bool { return !c.reachable && strings.Contains(c.denied, "revoked") })
	st := r.Status()
	if st.Cookies != 0 || st.AEAD != 0 || st.Rejected["revoked"] == 0 || st.Denied == "" {
		t.Errorf("status %+v", st)
	}
	_, before := server.Seen()
	r.await("a second refusal", func(st upstream.Status) bool { return st.Rejected["revoked"] >= 2 })
	if _, after := server.Seen(); len(after) != len(before) {
		t.Error("a denied server is asked on")
	}
	r.trust.Refuse(nil)
	r.Recheck()
	r.reported("that it is back", func(c change) bool { return c.reachable && c.denied == "" })
	r.next()
}

func TestRecheckByTheClock(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	r := start(t, ca, server.Address, func(opt *upstream.Options) { opt.RecheckEvery = 100 * time.Millisecond })
	r.await("two rechecks", func(upstream.Status) bool { return r.trust.Rechecks() >= 2 })
	r.trust.Refuse(&upstreamtest.Refusal{Word: "expired", Text: "its certificate is expired"})
	r.reported("the denial", func(c change) bool { return strings.Contains(c.denied, "expired") })
}

// refusing is a Trust whose refusal names the present time, as that of an expired certificate does.
type refusing struct {
	*upstreamtest.Trust
	n atomic.Int64
}

func (r *refusing) KEConfig(string) (*tls.Config, bool, error) {
	return nil, false, &upstreamtest.Refusal{Word: "expired", Text: fmt.Sprintf("it ended at 1, and it may be %d", 10+r.n.Add(1))}
}

// A server that is refused for one and the same reason for long is told of once.
func TestOneCauseIsLoggedOnce(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	var log lines
	r := start(t, ca, "127.0.0.1:4460", func(opt *upstream.Options) {
		opt.Trust = &refusing{Trust: opt.Trust.(*upstreamtest.Trust)}
		opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	r.await("four refusals", func(st upstream.Status) bool { return st.Rejected["expired"] >= 4 })
	if text := log.String(); strings.Count(text, "WARN") != 1 || !strings.Contains(text, "it may be 11") {
		t.Errorf("the log says\n%s", text)
	}
}

// steps is a host clock that is set while a request is out.
type steps struct {
	sysclock.Reader
	mu  sync.Mutex
	off time.Duration
	nap time.Duration
}

func (s *steps) ReadPair() discipline.HostReading {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.Reader.ReadPair()
	r.Real += int64(s.off)
	return r
}

func (s *steps) Suspended() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Reader.Suspended() + s.nap
}

// stepper sets the clock when the second reply has come, and shifts the kernel's stamps with it.
type stepper struct {
	upstream.Socket
	clock *steps
	do    func(*steps)
	seen  *int
}

func (s stepper) shift(stamp int64) int64 {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	if stamp == 0 {
		return 0
	}
	return stamp + int64(s.clock.off)
}

func (s stepper) Send(b []byte, peer netip.AddrPort, local netip.Addr) (ntp.Sent, error) {
	out, err := s.Socket.Send(b, peer, local)
	out.Stamp = s.shift(out.Stamp)
	return out, err
}

func (s stepper) SendStamp(uint32) int64 { return 0 } // on the loopback Send has it

func (s stepper) Receive(b []byte) (ntp.Received, error) {
	in, err := s.Socket.Receive(b)
	in.Stamp = s.shift(in.Stamp)
	if err == nil {
		if *s.seen++; *s.seen == 2 {
			s.clock.mu.Lock()
			defer s.clock.mu.Unlock()
			s.do(s.clock)
		}
	}
	return in, err
}

func TestHostClockIsSteppedInMidExchange(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	for _, c := range []struct {
		reason string
		do     func(*steps)
	}{
		{upstream.ReasonStepped, func(s *steps) { s.off += 3 * time.Second }},
		{upstream.ReasonSuspended, func(s *steps) { s.nap += time.Hour }},
	} {
		t.Run(c.reason, func(t *testing.T) {
			clock, seen := &steps{}, 0
			r := start(t, ca, server.Address, func(opt *upstream.Options) {
				opt.Clock = clock
				opt.Open = func(peer netip.AddrPort) (upstream.Socket, error) {
					s, err := ntp.Dial(peer)
					return stepper{s, clock, c.do, &seen}, err
				}
			})
			// The offset is to the raw clock, which was not stepped: all of them hold.
			first, second := r.next(), r.next()
			if n := r.Status().Rejected; n[c.reason] != 1 || len(n) != 1 {
				t.Errorf("rejected: %v", n)
			}
			if second.At.Sub(first.At) < 400*time.Millisecond {
				t.Error("the exchange between was not dropped")
			}
		})
	}
}

func TestDenyAndSleep(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	clock := &steps{}
	r := start(t, ca, server.Address, func(opt *upstream.Options) { opt.Clock = clock })
	r.next()
	server.Inject(upstreamtest.Deny())
	r.reported("the denial", func(c change) bool { return !c.reachable && strings.Contains(c.denied, "DENY") })
	if st := r.Status(); st.Rejected[upstream.ReasonKissDeny] != 1 || st.Cookies != 0 {
		t.Errorf("status %+v", st)
	}
	// The next try is an hour away, but then the machine sleeps.
	clock.mu.Lock()
	clock.nap = time.Hour
	clock.mu.Unlock()
	r.next()
}

func TestSetPollWakes(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	r := start(t, ca, server.Address, func(opt *upstream.Options) { opt.MaxPoll = time.Hour })
	for range 12 {
		r.next() // through the burst
	}
	r.SetPoll(time.Hour)
	if p := r.Status().Poll; p != time.Hour {
		t.Errorf("poll %v", p)
	}
	r.next() // its time was set before
	r.SetPoll(0)
	if m := r.next(); m.Poll != 3*time.Second {
		t.Errorf("poll %v", m.Poll)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	good := upstream.Options{Address: "host.example", Trust: &upstreamtest.Trust{Roots: ca.Pool()}, Clock: sysclock.Reader{}, Out: make(chan<- measurement)}
	s, err := upstream.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Status(); st.Address != "host.example:4460" || st.Poll != 16*time.Second {
		t.Errorf("status %+v", st)
	}
	for name, bend := range map[string]func(*upstream.Options){
		"no address":     func(o *upstream.Options) { o.Address = "" },
		"no port":        func(o *upstream.Options) { o.Address = "host.example:" },
		"no trust":       func(o *upstream.Options) { o.Trust = nil },
		"no clock":       func(o *upstream.Options) { o.Clock = nil },
		"no out":         func(o *upstream.Options) { o.Out = nil },
		"polls too fast": func(o *upstream.Options) { o.MinPoll = time.Millisecond },
		"polls too slow": func(o *upstream.Options) { o.MaxPoll = 200000 * time.Second },
		"polls crossed":  func(o *upstream.Options) { o.MinPoll, o.MaxPoll = time.Hour, time.Minute },
	} {
		opt := good
		bend(&opt)
		if _, err := upstream.New(opt); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for in, want := range map[string]string{"::1": "[::1]:4460", "[::1]": "[::1]:4460", "[::1]:5": "[::1]:5", "1.2.3.4": "1.2.3.4:4460"} {
		opt := good
		opt.Address = in
		if s, err := upstream.New(opt); err != nil || s.Status().Address != want {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestQueryAgainstAServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	server.Silence(true)
	_, err := upstream.Query(context.Background(), upstream.QueryOptions{
		Address: server.Address, Trust: &upstreamtest.Trust{Roots: ca.Pool()}, Clock: sysclock.Reader{}, Samples: 1, Timeout: patience,
	})
	if err == nil || !strings.Contains(err.Error(), "middlebox") {
		t.Errorf("%v", err)
	}
}

// A single question, too, tries all that a server may want, whatever the number of samples.
func TestQueryAdapts(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	for name, cfg := range map[string]upstreamtest.Config{
		"three placeholders":                    {Tolerates: func(n int) bool { return n >= 3 }},
		"seven":                                 {Tolerates: func(n int) bool { return n == 7 }},
		"three, and the RFC's keys for AEAD 30": {Literal: true, Tolerates: func(n int) bool { return n >= 3 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := upstreamtest.NewServer(t, ca, cfg)
			_, err := upstream.Query(context.Background(), upstream.QueryOptions{
				Address: server.Address, Trust: &upstreamtest.Trust{Roots: ca.Pool()}, Clock: sysclock.Reader{}, Samples: 1, Timeout: patience,
			})
			if err != nil {
				_, asked := server.Seen()
				t.Errorf("%v; placeholders of each request: %d", err, asked)
			}
		})
	}
}

// A server that drops what comes with AEAD 30, whatever its keys, is asked with AEAD 15, and the answer says so.
func TestQueryFallsBackToAEAD15(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	ask := func(cfg upstreamtest.Config, timeout time.Duration, aeads ...uint16) (*upstream.QueryResult, int, error) {
		server := upstreamtest.NewServer(t, ca, cfg)
		res, err := upstream.Query(context.Background(), upstream.QueryOptions{AEADs: aeads, Samples: 1, Timeout: timeout,
			Address: server.Address, Trust: &upstreamtest.Trust{Roots: ca.Pool()}, Clock: sysclock.Reader{}})
		kes, _ := server.Seen()
		return res, kes, err
	}
	if res, kes, err := ask(upstreamtest.Config{Deaf: 30}, patience); err != nil || res.AEAD != 15 || res.AEADSilent != 30 || kes != 2 {
		t.Errorf("%+v after %d key exchanges, %v", res, kes, err)
	}
	if res, _, err := ask(upstreamtest.Config{}, patience); err != nil || res.AEAD != 30 || res.AEADSilent != 0 {
		t.Errorf("a server that answers: %+v, %v", res, err)
	}
	// Where AEAD 15 can't be had, what was silent is told, not that.
	if _, kes, err := ask(upstreamtest.Config{Deaf: 30, AEADs: []uint16{30}}, patience); err == nil || !strings.Contains(err.Error(), "stays silent") || kes != 2 {
		t.Errorf("AEAD 30 only: %d key exchanges, %v", kes, err)
	}
	if _, kes, err := ask(upstreamtest.Config{Deaf: 30}, time.Second, 30); err == nil || kes != 1 {
		t.Errorf("asked for AEAD 30 alone: %d key exchanges, %v", kes, err)
	}
}
