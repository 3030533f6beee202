package upstream

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// world is a server, a path and a clock in virtual time, and a poller in them.
type world struct {
	t      *testing.T
	p      *poller
	now    discipline.Raw
	ring   *nts.CookieKeys
	server *nts.Server

	epoch  int64 // UTC of raw 0, nanoseconds since 1970
	rtt    time.Duration
	keFail *failure
	// reach decides whether a request arrives.
	reach func(placeholders, size int) bool
	// header bends replies.
	header func(*ntp.Packet)
	// aead of keys, and what a key exchange hands out instead of what it should.
	aead      uint16
	offered   func([]uint16) uint16 // says which, when not nil
	bendKeys  func(*keys)
	noCookies bool
	deferred  bool

	shown  map[string]bool // cookies that were seen on the wire
	kes    []discipline.Raw
	asks   []discipline.Raw
	wanted []int
	got    []discipline.Measurement
}

func newWorld(t *testing.T, opt Options) *world {
	t.Helper()
	opt.Name, opt.Address = "s", "server.example"
	opt.Trust, opt.Clock = struct{ Trust }{}, struct{ Clock }{}
	opt.Rand = mathrand.NewChaCha8([32]byte{1})
	if err := opt.complete(); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, shown: map[string]bool{}, rtt: 20 * time.Millisecond, aead: ntske.AEADAESSIVCMAC256,
		epoch: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC).UnixNano()}
	w.forget()
	w.p = newPoller(&opt, 0)
	return w
}

// forget is a restart of the server.
func (w *world) forget() {
	var err error
	if w.ring, err = nts.NewCookieKeys(rand.Reader); err != nil {
		w.t.Fatal(err)
	}
	w.server = nts.NewServer(w.ring, rand.Reader)
}

// run lets d pass.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for {
		act, wake := w.p.due(w.now)
		switch act {
		case keyExchange:
			w.keyExchange()
		case request:
			w.request()
		default:
			if w.p.phase == keying {
				w.t.Fatal("keying, but nothing is under way")
			}
			if wake > end {
				w.now = end
				return
			}
			if wake <= w.now {
				w.t.Fatal("nothing to do and no time to wait for")
			}
			w.now = wake
		}
		if len(w.kes)+len(w.asks) > 1e6 {
			w.t.Fatal("it spins")
		}
	}
}

func (w *world) keyExchange() {
	w.kes = append(w.kes, w.now)
	w.now = w.now.Add(3 * w.rtt)
	if w.offered != nil {
		w.aead = w.offered(w.p.offer([]uint16{30, 15}))
	}
	if w.keFail != nil {
		w.p.keysFailed(w.now, w.keFail)
		return
	}
	n := ntske.KeySize(w.aead)
	k := &keys{Session: &ntske.Session{AEAD: w.aead, NTPPort: 123}, peer: netip.MustParseAddrPort("192.0.2.1:123"), deferred: w.deferred}
	k.C2S, k.S2C = make([]byte, n), make([]byte, n)
	rand.Read(k.C2S)
	rand.Read(k.S2C)
	for range ntske.MaxCookies {
		c, err := w.ring.Seal(nil, k.AEAD, k.Keys)
		if err != nil {
			w.t.Fatal(err)
		}
		k.Cookies = append(k.Cookies, c)
	}
	if w.bendKeys != nil {
		w.bendKeys(k)
	}
	w.p.keysMade(w.now, k)
}

func (w *world) pair(at discipline.Raw) discipline.HostReading {
	return discipline.HostReading{Raw: at, Real: int64(at) + 1e18, Width: 100}
}

func (w *world) request() {
	w.asks = append(w.asks, w.now)
	packet, err := w.p.ask(w.now)
	if err != nil {
		return
	}
	w.wanted = append(w.wanted, w.p.open.req.Placeholders)
	if c := string(w.p.open.cookie); w.shown[c] {
		w.t.Fatal("a cookie was shown twice: the requests can be linked (RFC 8915 §1.1)")
	} else {
		w.shown[c] = true
	}
	w.p.sent(departure{pair: w.pair(w.now), before: w.now})
	if w.reach != nil && !w.reach(w.p.open.req.Placeholders, len(packet)) {
		return
	}
	reply := w.reply(packet)
	if reply == nil {
		return
	}
	w.now = w.now.Add(w.rtt)
	if m, ok := w.p.receive(w.now, reply, arrival{after: w.now, pair: w.pair(w.now)}); ok {
		w.got = append(w.got, m)
	}
}

func (w *world) reply(packet []byte) []byte {
	var q nts.Accepted
	if err := w.server.Open(packet, &q); err != nil {
		b, err := w.server.NAK(nil, &q)
		if err != nil {
			w.t.Fatal(err)
		}
		return b
	}
	if w.noCookies {
		q.Cookies = 0
	}
	middle := w.epoch + int64(w.now.Add(w.rtt/2))
	b, err := w.server.Reply(nil, &q, func(h *ntp.Packet) bool {
		h.Stratum, h.Precision, h.ReferenceID = 1, -25, ntp.RefID("GPS")
		h.ReceiveTime, h.TransmitTime = ntp.Time64FromUnix(middle), ntp.Time64FromUnix(middle)
		if w.header != nil {
			w.header(h)
		}
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// most is the largest number of times in list within any window of d.
func most(list []discipline.Raw, d time.Duration) (n int) {
	for i := range list {
		j := i
		for j < len(list) && list[j].Sub(list[i]) < d {
			j++
		}
		n = max(n, j-i)
	}
	return n
}

func least(list []discipline.Raw) time.Duration {
	d := time.Duration(1<<63 - 1)
	for i := 1; i < len(list); i++ {
		d = min(d, list[i].Sub(list[i-1]))
	}
	return d
}

func TestBuiltinServersArePolledWithCourtesy(t *testing.T) {
	w := newWorld(t, Options{Builtin: true, MinPoll: time.Second})
	w.run(24 * time.Hour)
	if len(w.kes) != 1 {
		t.Errorf("%d key exchanges in a day with a server that works", len(w.kes))
	}
	if d := least(w.asks); d < 2*time.Second {
		t.Errorf("two requests %v apart", d)
	}
	if n := most(w.asks[4:], 64*time.Second); n > 1 {
		t.Errorf("%d requests within 64 s after the first samples", n)
	}
	if n := len(w.asks); n < 1200 || n > 1360 {
		t.Errorf("%d requests in a day", n)
	}
	if len(w.got) != len(w.asks) || len(w.p.cookies) != 8 {
		t.Errorf("%d measurements of %d requests, %d cookies", len(w.got), len(w.asks), len(w.p.cookies))
	}
}

func TestConfiguredServersAreAskedQuickly(t *testing.T) {
	w := newWorld(t, Options{MinPoll: time.Second, MaxPoll: 64 * time.Second})
	w.run(2 * time.Second)
	if len(w.got) < 5 {
		t.Errorf("%d samples in the first 2 s", len(w.got))
	}
	w = newWorld(t, Options{})
	w.run(3 * time.Second)
	if len(w.got) < 3 {
		t.Errorf("%d samples in the first 3 s", len(w.got))
	}
}

func TestMeasurement(t *testing.T) {
	w := newWorld(t, Options{})
	w.run(10 * time.Second)
	for _, m := range w.got {
		// The path is symmetric, so the offset is exact but for rounding.
		if d := m.Offset - w.epoch; d < -2 || d > 2 {
			t.Errorf("offset is %d ns off", d)
		}
		if d := m.Delay - w.rtt; d < -2 || d > 2 {
			t.Errorf("delay %v", m.Delay)
		}
		if m.Stratum != 1 || m.Source != "s" || !m.Authenticated || m.DatesDeferred || m.Poll != 16*time.Second || m.RefID != 0xc0000201 {
			t.Errorf("measurement %+v", m)
		}
	}
	if len(w.got) == 0 {
		t.Error("no measurement")
	}
	// The middle of the exchange is where the offset holds.
	if m := w.got[0]; m.At != w.asks[0].Add(w.rtt/2) {
		t.Errorf("at %d, asked at %d", m.At, w.asks[0])
	}
}

func TestEras(t *testing.T) {
	for _, year := range []int{2025, 2035, 2036, 2037, 2100, 2140} {
		w := newWorld(t, Options{})
		w.epoch = time.Date(year, 2, 7, 6, 28, 15, 0, time.UTC).UnixNano()
		w.run(3 * time.Second)
		if len(w.got) == 0 {
			t.Fatalf("%d: no measurement", year)
		}
		if d := w.got[0].Offset - w.epoch; d < -2 || d > 2 {
			t.Errorf("%d: offset is %v off", year, time.Duration(d))
		}
	}
}

func TestWishForPoll(t *testing.T) {
	w := newWorld(t, Options{MinPoll: 16 * time.Second, MaxPoll: 256 * time.Second})
	w.p.setWish(w.now, 100*time.Second)
	w.run(time.Hour)
	if n := most(w.asks[8:], 99*time.Second); n != 1 {
		t.Errorf("%d requests within 99 s", n)
	}
	w.p.setWish(w.now, time.Second)
	if w.p.interval() != 16*time.Second {
		t.Errorf("poll %v below the least", w.p.interval())
	}
	before := len(w.asks)
	w.run(17 * time.Second)
	if len(w.asks) == before {
		t.Error("a shorter poll did not bring the next request forward")
	}
	w.p.setWish(w.now, time.Hour)
	if w.p.interval() != 256*time.Second {
		t.Errorf("poll %v above the most", w.p.interval())
	}
}

func TestKeyExchangesThatFailBackOff(t *testing.T) {
	away := &failure{reason: ReasonRefused, text: "away", local: true}
	bad := &failure{reason: ReasonTLS, text: "bad"}
	for _, c := range []struct {
		name    string
		opt     Options
		fail    *failure
		hour    [2]int // key exchanges in the first hour
		day     [2]int // in the 24th hour
		within  time.Duration
		soonest time.Duration
	}{
		{"configured, not reached", Options{}, away, [2]int{330, 430}, [2]int{320, 410}, 15 * time.Second, 700 * time.Millisecond},
		{"configured, fails", Options{}, bad, [2]int{55, 85}, [2]int{48, 80}, 90 * time.Second, 700 * time.Millisecond},
		{"built in, not reached", Options{Builtin: true}, away, [2]int{55, 85}, [2]int{48, 80}, 90 * time.Second, time.Second},
		{"built in, fails", Options{Builtin: true}, bad, [2]int{10, 14}, [2]int{0, 2}, 90 * time.Minute, 7 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.opt)
			w.keFail = c.fail
			w.run(time.Hour)
			if n := len(w.kes); n < c.hour[0] || n > c.hour[1] {
				t.Errorf("%d key exchanges in the first hour", n)
			}
			if d := least(w.kes); d < c.soonest {
				t.Errorf("two key exchanges %v apart", d)
			}
			w.run(22 * time.Hour)
			before := len(w.kes)
			w.run(time.Hour)
			if n := len(w.kes) - before; n < c.day[0] || n > c.day[1] {
				t.Errorf("%d key exchanges in the 24th hour", n)
			}
			w.keFail = nil
			healed := w.now
			w.run(c.within)
			if len(w.got) == 0 {
				t.Errorf("no measurement %v after it works again", w.now.Sub(healed))
			}
			if w.p.rejected[c.fail.reason] == 0 {
				t.Errorf("not counted: %v", w.p.rejected)
			}
		})
	}
}

// A server whose NTP part does not know the cookies of its KE part must not be asked for keys
// in a loop.
func TestNAKLoop(t *testing.T) {
	for _, builtin := range []bool{false, true} {
		w := newWorld(t, Options{Builtin: builtin})
		w.bendKeys = func(k *keys) {
			for _, c := range k.Cookies {
				c[0] ^= 0xff
			}
		}
		w.run(time.Hour)
		limit := 85
		if builtin {
			limit = 14
		}
		if n := len(w.kes); n > limit || n < 5 {
			t.Errorf("built in %v: %d key exchanges in an hour", builtin, n)
		}
		if w.p.rejected[ReasonNAK] == 0 || w.p.rejected[ReasonNAKPlain] != w.p.rejected[ReasonNAK] {
			t.Errorf("built in %v: %v", builtin, w.p.rejected)
		}
		if len(w.got) != 0 || w.p.reach != 0 || w.p.lastError == "" {
			t.Errorf("built in %v: %d measurements, reach %x, %q", builtin, len(w.got), w.p.reach, w.p.lastError)
		}
	}
}

// The same for one that answers once and then no more.
func TestNAKAfterEachFirstReply(t *testing.T) {
	w := newWorld(t, Options{MinPoll: time.Second, MaxPoll: time.Second})
	w.header = func(*ntp.Packet) { w.forget() }
	w.run(time.Hour)
	if n := len(w.kes); n > 85 {
		t.Errorf("%d key exchanges in an hour", n)
	}
	if len(w.got) < len(w.kes)-1 {
		t.Errorf("%d measurements of %d sessions", len(w.got), len(w.kes))
	}
}

func TestRestartOfTheServer(t *testing.T) {
	w := newWorld(t, Options{MinPoll: time.Second, MaxPoll: time.Second})
	w.run(time.Minute)
	w.forget()
	before := len(w.got)
	w.run(5 * time.Second)
	if len(w.kes) != 2 || len(w.got)-before < 3 {
		t.Errorf("%d key exchanges, %d measurements in the 5 s after", len(w.kes), len(w.got)-before)
	}
}

func TestSilenceUsesCookiesUpAndThenMakesKeysWithPatience(t *testing.T) {
	w := newWorld(t, Options{})
	w.run(time.Minute)
	kes := len(w.kes)
	w.reach = func(int, int) bool { return false }
	w.run(24 * time.Hour)
	if n := len(w.kes) - kes; n > 24*60 {
		t.Errorf("%d key exchanges in a day of silence", n)
	}
	if w.p.reach != 0 || w.p.lastError == "" {
		t.Errorf("reach %x, %q", w.p.reach, w.p.lastError)
	}
	w.reach = nil
	before := len(w.got)
	w.run(150 * time.Second)
	if len(w.got) == before {
		t.Error("no measurement within 150 s of its return")
	}
}

func TestCookiesComeBackToEight(t *testing.T) {
	w := newWorld(t, Options{MinPoll: time.Second, MaxPoll: time.Second})
	lost := 0
	w.reach = func(int, int) bool { lost++; return lost%3 != 0 }
	w.run(10 * time.Minute)
	if len(w.kes) != 1 {
		t.Errorf("%d key exchanges with a third of the packets lost", len(w.kes))
	}
	w.reach = nil
	w.run(3 * time.Second)
	if len(w.p.cookies) != 8 {
		t.Errorf("%d cookies", len(w.p.cookies))
	}
}

func TestServersThatDislikeRequests(t *testing.T) {
	for _, c := range []struct {
		name  string
		reach func(placeholders, size int) bool
		kes   int // in an hour, at most
	}{
		{"fewer than three placeholders", func(n, _ int) bool { return n >= 3 }, 2},
		{"any placeholder", func(n, _ int) bool { return n == 0 }, 8},
		{"more than 300 bytes", func(_, size int) bool { return size <= 300 }, 8},
		{"more than three placeholders", func(n, _ int) bool { return n <= 3 }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			// Some are lost whatever they are like, so that cookies are lacking.
			lost := 0
			w.reach = func(n, size int) bool { lost++; return lost%20 > 1 && c.reach(n, size) }
			w.run(time.Hour)
			if len(w.kes) > c.kes {
				t.Errorf("%d key exchanges in an hour", len(w.kes))
			}
			if len(w.got) < 170 {
				t.Errorf("%d measurements of %d requests in an hour", len(w.got), len(w.asks))
			}
		})
	}
}

// A server that never sends cookies back is asked for keys when they are used up, no more.
func TestServerWithoutNewCookies(t *testing.T) {
	w := newWorld(t, Options{MinPoll: 16 * time.Second})
	w.noCookies = true
	w.run(time.Hour)
	if n := len(w.kes); n < 26 || n > 31 {
		t.Errorf("%d key exchanges in an hour", n)
	}
	if len(w.got) < 215 {
		t.Errorf("%d measurements", len(w.got))
	}
}

func TestRate(t *testing.T) {
	w := newWorld(t, Options{MinPoll: time.Second, MaxPoll: 64 * time.Second})
	w.run(20 * time.Second)
	rate := 2
	w.header = func(h *ntp.Packet) {
		if rate--; rate >= 0 {
			h.Stratum, h.ReferenceID = 0, ntp.RefID("RATE")
		}
	}
	w.run(20 * time.Second)
	if w.p.interval() != 16*time.Second || w.p.rejected[ReasonKissRate] != 2 {
		t.Errorf("poll %v after two RATE, %v", w.p.interval(), w.p.rejected)
	}
	w.run(2 * time.Minute)
	if w.p.interval() != 16*time.Second {
		t.Errorf("RATE is forgotten within 2 minutes: poll %v", w.p.interval())
	}
	w.run(20 * time.Minute)
	if w.p.interval() != time.Second {
		t.Errorf("RATE is never forgotten: poll %v", w.p.interval())
	}
}

// A server's RATE goes before max_poll (RFC 5905 §7.4); one that nobody signed does not.
func TestRateBeyondMaxPoll(t *testing.T) {
	for _, c := range []struct{ min, max, want time.Duration }{
		{4 * time.Second, 4 * time.Second, time.Minute},
		{64 * time.Second, 64 * time.Second, 128 * time.Second},
		{mostPoll, mostPoll, 2 * mostPoll},
	} {
		w := newWorld(t, Options{MinPoll: c.min, MaxPoll: c.max})
		w.run(40 * c.max)
		rated := true
		w.header = func(h *ntp.Packet) {
			if rated {
				h.Stratum, h.ReferenceID = 0, ntp.RefID("RATE")
			}
		}
		w.run(20 * max(c.want, c.max))
		w.asks = nil
		w.run(20 * c.want)
		if d := least(w.asks); d < c.want || w.p.interval() != c.want {
			t.Errorf("max_poll %v: polls %v apart at the least, interval %v, want %v", c.max, d, w.p.interval(), c.want)
		}
		w.p.slowDown(w.p.pace.maxPoll)
		if d := w.p.interval(); d != c.want {
			t.Errorf("max_poll %v: %v after a kiss code without proof", c.max, d)
		}
		rated = false
		w.run(50 * c.want)
		if d := w.p.interval(); d != c.max {
			t.Errorf("max_poll %v: RATE is not forgotten: %v", c.max, d)
		}
		w.p.slowDown(w.p.pace.maxPoll)
		if d := w.p.interval(); d != c.max {
			t.Errorf("max_poll %v: a kiss code without proof makes %v of it", c.max, d)
		}
		for _, m := range w.got {
			if m.Poll > 1<<18*time.Second {
				t.Fatalf("a poll of %v, which the discipline refuses", m.Poll)
			}
		}
	}
}

func TestDeny(t *testing.T) {
	for _, code := range []string{"DENY", "RSTR"} {
		w := newWorld(t, Options{MinPoll: time.Second})
		w.run(20 * time.Second)
		w.header = func(h *ntp.Packet) { h.Stratum, h.ReferenceID = 0, ntp.RefID(code) }
		w.run(10 * time.Second)
		if w.p.denied == "" || w.p.reach != 0 || w.p.client != nil {
			t.Errorf("%s: denied %q, reach %x", code, w.p.denied, w.p.reach)
		}
		asks, kes := len(w.asks), len(w.kes)
		w.header = nil
		w.run(58 * time.Minute)
		if len(w.asks) != asks || len(w.kes) != kes {
			t.Errorf("%s: asked within the hour", code)
		}
		w.run(30 * time.Minute)
		if w.p.denied != "" || w.p.reach == 0 {
			t.Errorf("%s: not tried again: %q", code, w.p.denied)
		}
	}
}

// Kiss codes and NAKs without authentication change nothing when an honest reply follows, and
// never deny.
func TestHints(t *testing.T) {
	w := newWorld(t, Options{MinPoll: time.Second, MaxPoll: 64 * time.Second})
	w.run(20 * time.Second)
	for w.p.phase != waiting {
		act, wake := w.p.due(w.now)
		if act == request {
			packet, _ := w.p.ask(w.now)
			w.p.sent(departure{pair: w.pair(w.now), before: w.now})
			h := ntp.Packet{Version: 4, Mode: ntp.ModeServer, ReferenceID: ntp.RefID("DENY"), OriginTime: w.p.open.req.Transmit}
			hint, _ := h.AppendBinary(nil)
			hint = append(hint, packet[ntp.PacketSize:ntp.PacketSize+36]...)
			w.p.receive(w.now, hint, arrival{after: w.now, pair: w.pair(w.now)})
			if w.p.phase != waiting || w.p.rejected[nts.ReasonUnauthenticKiss] != 1 {
				t.Fatalf("phase %d, %v", w.p.phase, w.p.rejected)
			}
			continue
		}
		w.now = wake
	}
	w.run(5 * time.Second) // its time is over
	if w.p.denied != "" || w.p.client == nil || w.p.interval() <= time.Second {
		t.Errorf("denied %q, poll %v", w.p.denied, w.p.interval())
	}
}

// chrony 4.4 to 4.6 derive the keys of AEAD 30 otherwise: a NAK to the first request switches.
func TestAlternativeKeys(t *testing.T) {
	w := newWorld(t, Options{})
	w.aead = ntske.AEADAES128GCMSIV
	w.bendKeys = func(k *keys) {
		right := k.Keys
		k.Alternative = &right
		k.Keys = ntske.Keys{C2S: make([]byte, 16), S2C: make([]byte, 16)}
	}
	w.run(10 * time.Second)
	if len(w.kes) != 1 || len(w.got) < 3 || w.p.rejected[ReasonNAK] != 1 {
		t.Errorf("%d key exchanges, %d measurements, %v", len(w.kes), len(w.got), w.p.rejected)
	}
}

// A server that drops what does not authenticate: the keys take turns until a reply decides, so that a lost packet
// costs one turn.
func TestAlternativeKeysOfAServerThatIsSilent(t *testing.T) {
	for name, c := range map[string]struct {
		alternative bool         // these are right
		lost        map[int]bool // requests of the right keys, by number
		misses      uint64
	}{
		"chrony's":                  {false, nil, 0},
		"chrony's, the first lost":  {false, map[int]bool{0: true}, 2},
		"the RFC's":                 {true, nil, 1},
		"the RFC's, the first lost": {true, map[int]bool{0: true}, 3},
		"the RFC's, two lost":       {true, map[int]bool{0: true, 1: true}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.aead = ntske.AEADAES128GCMSIV
			w.bendKeys = func(k *keys) {
				right, wrong := k.Keys, ntske.Keys{C2S: make([]byte, 16), S2C: make([]byte, 16)}
				if c.alternative {
					k.Keys, k.Alternative = wrong, &right
				} else {
					k.Alternative = &wrong
				}
			}
			opened := 0
			w.reach = func(int, int) bool {
				var q nts.Accepted
				if w.server.Open(w.p.open.req.Packet, &q) != nil {
					return false
				}
				opened++
				return !c.lost[opened-1]
			}
			w.run(time.Minute)
			if len(w.kes) != 1 || len(w.got) < 3 || w.p.rejected[ReasonNoReply] != c.misses || w.p.spare != nil {
				t.Errorf("%d key exchanges, %d measurements, %v", len(w.kes), len(w.got), w.p.rejected)
			}
			// Once they are decided a loss changes nothing.
			before := len(w.got)
			w.reach = func(int, int) bool { w.reach = nil; return false }
			w.run(time.Minute)
			if len(w.got)-before < 2 || len(w.kes) != 1 {
				t.Errorf("%d measurements after a later loss, %d key exchanges", len(w.got)-before, len(w.kes))
			}
			// And the next session begins with them.
			before, asks := len(w.got), len(w.asks)
			w.p.end(w.now, "")
			w.run(time.Minute)
			if n := len(w.got) - before; n < 3 || n != len(w.asks)-asks || len(w.kes) != 2 {
				t.Errorf("in the next session: %d measurements, %v", len(w.got)-before, w.p.rejected)
			}
		})
	}
}

// A session with AEAD 30 that ends without a reply under any keys is followed by one with AEAD 15, and that, if it is as
// silent, by one of the server's choice.
func TestWithoutAEAD30(t *testing.T) {
	for name, c := range map[string]struct {
		works uint16 // 0: neither
		nak   bool   // instead of silence
	}{
		"only AEAD 15 works": {works: 15}, "only AEAD 15 works, else NAKs": {15, true}, "neither": {}, "AEAD 30 works": {works: 30},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			var used []uint16
			w.bendKeys = func(k *keys) {
				used = append(used, k.AEAD)
				if k.AEAD != c.works && c.nak {
					for _, cookie := range k.Cookies {
						cookie[0] ^= 0xff
					}
				}
			}
			w.offered = func(offer []uint16) uint16 { // it prefers 30
				if slices.Contains(offer, 30) {
					return 30
				}
				return 15
			}
			w.reach = func(int, int) bool { return w.p.keys.AEAD == c.works || c.nak }
			w.run(5 * time.Minute)
			want := map[uint16][]uint16{15: {30, 15}, 0: {30, 15, 30, 15}, 30: {30}}[c.works]
			if n := len(want); len(used) < n || !slices.Equal(used[:n], want) || (c.works != 0) != (len(used) == n && len(w.got) > 3) {
				t.Errorf("AEADs %d, %d measurements", used, len(w.got))
			}
		})
	}
}

// A server that has no AEAD 15 is offered both again.
func TestWithoutAEAD30OnceInTurn(t *testing.T) {
	w := newWorld(t, Options{})
	w.aead = ntske.AEADAES128GCMSIV
	w.reach = func(int, int) bool { return false }
	var offers [][]uint16
	w.offered = func(offer []uint16) uint16 {
		offers = append(offers, offer)
		w.keFail = nil
		if !slices.Contains(offer, 30) {
			w.keFail = &failure{reason: ntske.ReasonAEAD, text: "none of them"}
		}
		return 30
	}
	w.run(5 * time.Minute)
	if len(offers) < 3 || !slices.Contains(offers[0], 30) || slices.Contains(offers[1], 30) || !slices.Contains(offers[2], 30) {
		t.Errorf("offered %d", offers)
	}
}

// A query tries all that it has cookies for before its time is over, so that it learns what a server wants as a
// poller does.
func TestQueryHasTimeForEachCookie(t *testing.T) {
	for _, all := range []time.Duration{9 * time.Second, 10 * time.Second, 15 * time.Second, time.Minute} {
		w := newWorld(t, Options{MinPoll: time.Second})
		w.p.pace.timeout = replyTimeout(all)
		w.reach = func(int, int) bool { return false }
		w.run(all)
		if n := len(w.asks); n < ntske.MaxCookies {
			t.Errorf("%v: %d requests", all, n)
		}
	}
}

func TestLateReply(t *testing.T) {
	w := newWorld(t, Options{MinPoll: time.Second, MaxPoll: time.Second})
	w.run(20 * time.Second)
	var late []byte
	w.reach = func(int, int) bool {
		if late == nil {
			late = w.reply(w.p.open.req.Packet)
			return false
		}
		return true
	}
	w.run(1500 * time.Millisecond)
	if late == nil {
		t.Fatal("nothing was asked")
	}
	before := len(w.got)
	if _, ok := w.p.receive(w.now, late, arrival{after: w.now, pair: w.pair(w.now)}); ok {
		t.Error("a late reply was believed")
	}
	if w.p.rejected[ReasonLate] != 1 || w.p.rejected[ReasonNoReply] != 1 {
		t.Errorf("%v", w.p.rejected)
	}
	w.run(5 * time.Second)
	if len(w.got)-before < 3 {
		t.Errorf("%d measurements after it", len(w.got)-before)
	}
}

func TestRedoOnceDatesCanBeJudged(t *testing.T) {
	w := newWorld(t, Options{})
	w.deferred = true
	w.run(3 * time.Second)
	if len(w.got) == 0 {
		t.Fatal("no measurement")
	}
	for _, m := range w.got {
		if !m.DatesDeferred {
			t.Error("a sample of a session without judged dates does not say so")
		}
	}
	before := len(w.got)
	w.deferred = false
	w.p.redo(w.now)
	if w.p.client != nil || len(w.p.cookies) != 0 || w.p.reach != 0 {
		t.Error("something of the session is left")
	}
	w.run(2 * time.Second)
	if len(w.got)-before < 2 {
		t.Errorf("%d measurements in the 2 s after", len(w.got)-before)
	}
	for _, m := range w.got[before:] {
		if m.DatesDeferred {
			t.Error("a sample of the new session is marked")
		}
	}
}

// Once dates can be judged, a server that the operator configured is asked again at once, whether or
// not the first session had a reply yet; a built-in one with courtesy.
func TestRedoIsQuick(t *testing.T) {
	for _, c := range []struct {
		name    string
		opt     Options
		before  time.Duration // of the session when the time becomes known
		least   time.Duration // between the key exchanges
		most    time.Duration // until the next one
		deafKEs bool
	}{
		{"configured", Options{}, 250 * time.Millisecond, 0, 100 * time.Millisecond, false},
		{"configured, after a while", Options{MinPoll: time.Second}, time.Minute, 0, 100 * time.Millisecond, false},
		{"configured, no reply yet", Options{}, 250 * time.Millisecond, 0, 100 * time.Millisecond, true},
		{"built in", Options{Builtin: true}, 8500 * time.Millisecond, time.Second, 4 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.opt)
			w.deferred = true
			if c.deafKEs {
				w.reach = func(int, int) bool { return false }
			}
			w.run(c.before)
			if len(w.kes) != 1 || (len(w.got) == 0) != c.deafKEs {
				t.Fatalf("%d key exchanges, %d measurements", len(w.kes), len(w.got))
			}
			known := w.now
			w.deferred, w.reach = false, nil
			w.p.redo(w.now)
			w.run(c.most)
			if len(w.kes) != 2 || w.kes[1].Sub(known) > c.most || w.kes[1].Sub(w.kes[0]) < c.least {
				t.Errorf("known at %v, key exchanges at %v", known, w.kes)
			}
		})
	}
}

// Where the time is found and lost in turns, because the full checks fail whenever it is found, keys
// are asked for with the patience that failures deserve.
func TestRedoThatFailsBacksOff(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  Options
		most int // key exchanges in an hour
	}{
		{"configured", Options{MinPoll: time.Second}, 150},
		{"built in", Options{Builtin: true}, 25},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.opt)
			refused := &failure{reason: "expired", text: "expired", denied: true}
			for w.now < discipline.Raw(time.Hour) {
				w.deferred, w.keFail, w.got = true, nil, nil
				for len(w.got) == 0 { // a session whose dates are not judged
					w.run(100 * time.Millisecond)
				}
				if turns := len(w.kes) / 2; turns > 0 && w.p.verdict != refused.text {
					t.Fatalf("%q is said of it in turn %d", w.p.verdict, turns)
				}
				w.deferred, w.keFail, w.p.denied = false, refused, ""
				w.p.redo(w.now)
				for w.p.denied == "" { // the full checks fail, and the time is unknown again
					w.run(100 * time.Millisecond)
				}
			}
			if len(w.kes) > c.most {
				t.Errorf("%d key exchanges in an hour", len(w.kes))
			}
			w.keFail = nil
			w.run(2 * time.Hour)
			if w.p.verdict != "" || w.p.reach == 0 {
				t.Errorf("%q is said of a server that is accepted in full", w.p.verdict)
			}
		})
	}
}

// A server that answers, but not with a time that can be used, costs no further key exchange: its
// answers bring cookies all the same.
func TestServerThatIsNotSynchronizedCostsNoKeys(t *testing.T) {
	for name, header := range map[string]func(*ntp.Packet){
		"leap":          func(h *ntp.Packet) { h.Leap = ntp.LeapUnsynchronized },
		"stratum":       func(h *ntp.Packet) { h.Stratum = 16 },
		"root distance": func(h *ntp.Packet) { h.RootDispersion = 20 << 16 },
		"timestamps":    func(h *ntp.Packet) { h.TransmitTime = 0 },
		"kiss":          func(h *ntp.Packet) { h.Stratum, h.ReferenceID = 0, ntp.RefID("XTRA") },
		"rate":          func(h *ntp.Packet) { h.Stratum, h.ReferenceID = 0, ntp.RefID("RATE") },
	} {
		w := newWorld(t, Options{MinPoll: time.Second, MaxPoll: 64 * time.Second})
		w.header = header
		w.run(time.Hour)
		if len(w.kes) != 1 || len(w.p.cookies) != 8 || len(w.got) != 0 || w.p.reach != 0 {
			t.Errorf("%s: %d key exchanges, %d cookies, %d measurements, reach %x", name, len(w.kes), len(w.p.cookies), len(w.got), w.p.reach)
		}
		w.header = nil
		w.run(3 * time.Minute)
		if len(w.kes) != 1 || len(w.got) == 0 {
			t.Errorf("%s: once it is over: %d key exchanges, %d measurements", name, len(w.kes), len(w.got))
		}
	}
}

func TestRefusedSession(t *testing.T) {
	w := newWorld(t, Options{})
	w.run(time.Minute)
	f := &failure{reason: "revoked", text: "revoked", denied: true}
	w.keFail = f
	w.p.refuse(w.now, f)
	if w.p.client != nil || w.p.cookies != nil || w.p.denied == "" || w.p.reach != 0 {
		t.Errorf("after a refusal: %+v", w.p)
	}
	w.run(time.Hour)
	if w.p.denied == "" {
		t.Error("not denied any more")
	}
	w.keFail = nil
	w.p.hurry(w.now)
	w.run(3 * time.Second)
	if w.p.denied != "" || w.p.reach == 0 {
		t.Errorf("denied %q after it is trusted again", w.p.denied)
	}
}

// TestWhatTellsOfThePast holds a refusal to vouch no more for what the server said before exactly where Trust takes
// back that it stood by the session; never where somebody in between could cause it, or a certificate just ended.
func TestWhatTellsOfThePast(t *testing.T) {
	for _, c := range []struct {
		word           string
		session, other bool // said of the standing session, of a new key exchange
	}{
		{"revoked", true, true},
		{"pin-mismatch", true, false},
		{"unknown-ca", true, false},
		{"self-signed", true, false},
		{"not-authorized", true, false},
		{"wrong-name", true, false},
		{"not-trusted", true, false},
		{"expired", false, false},
		{"not-yet-valid", false, false},
		{"revocation-unknown", false, false},
		{"time-contradicted", false, false},
	} {
		f := &failure{reason: c.word, text: c.word, denied: true}
		w := newWorld(t, Options{})
		w.run(time.Minute)
		w.p.refuse(w.now, f)
		if got := w.p.standing(); got.Revoked != c.session || got.Denied == "" {
			t.Errorf("%s, of the session: %+v", c.word, got)
		}
		w = newWorld(t, Options{})
		w.run(time.Minute)
		w.p.end(w.now, "")
		w.p.keysFailed(w.now, f)
		if got := w.p.standing(); got.Revoked != c.other || got.Denied == "" {
			t.Errorf("%s, of a key exchange: %+v", c.word, got)
		}
	}
}

// unsent lets the next n requests fail to leave the machine.
func (w *world) unsent(n int) {
	w.t.Helper()
	for n > 0 {
		act, wake := w.p.due(w.now)
		switch {
		case act == nothing && wake > w.now:
			w.now = wake
			continue
		case act != request:
			w.t.Fatalf("action %d with %d requests to go", act, n)
		}
		if _, err := w.p.ask(w.now); err != nil {
			w.t.Fatal(err)
		}
		w.p.notSent(w.now, errors.New("network is unreachable"))
		n--
	}
}

func TestNotSent(t *testing.T) {
	w := newWorld(t, Options{})
	w.run(time.Minute)
	for len(w.p.cookies) > 0 && w.p.phase != polling {
		w.run(time.Millisecond)
	}
	cookies := len(w.p.cookies)
	for range 20 {
		w.unsent(mostUnsent - 1)
		if len(w.p.cookies) != cookies {
			t.Fatalf("%d cookies of %d left, though none was shown to anybody", len(w.p.cookies), cookies)
		}
		w.run(time.Minute)
	}
	if n := w.p.rejected[ReasonSend]; n != 20*(mostUnsent-1) || len(w.kes) != 1 {
		t.Errorf("%d not sent, %d key exchanges", n, len(w.kes))
	}
}

// A short gap in the network costs no session, however often requests are due.
func TestNoWayForAWhile(t *testing.T) {
	w := newWorld(t, Options{MinPoll: time.Second, MaxPoll: time.Second})
	w.run(time.Minute)
	begun := w.now
	for w.now.Sub(begun) < leastUnsent-5*time.Second {
		w.unsent(1)
	}
	if n := w.p.rejected[ReasonSend]; n < 2*mostUnsent || len(w.kes) != 1 {
		t.Errorf("%d not sent, %d key exchanges", n, len(w.kes))
	}
	got := len(w.got)
	if w.run(5 * time.Second); len(w.got) == got || len(w.kes) != 1 {
		t.Errorf("after it: %d measurements, %d key exchanges", len(w.got)-got, len(w.kes))
	}
}

// A machine that loses the address family that its key exchange came by, or moves to a network without it, finds the
// server by another key exchange; the old session would last for ever, as its cookies are never spent.
func TestNoWayToTheServer(t *testing.T) {
	for _, builtin := range []bool{false, true} {
		w := newWorld(t, Options{Builtin: builtin})
		w.run(time.Hour)
		before, got := len(w.kes), len(w.got)
		w.unsent(mostUnsent)
		w.run(5 * time.Second)
		if len(w.kes) != before+1 || len(w.got) == got {
			t.Errorf("builtin %v: %d key exchanges and %d measurements after it", builtin, len(w.kes)-before, len(w.got)-got)
		}
		// No network at all: it is tried again and again, and each key exchange fails on this machine.
		w.unsent(mostUnsent)
		w.keFail = &failure{reason: ReasonNetwork, local: true, text: "no route"}
		w.run(6 * time.Hour)
		w.keFail, got = nil, len(w.got)
		w.run(90 * time.Second)
		if len(w.got) == got {
			t.Errorf("builtin %v: no measurement a minute after the network is back", builtin)
		}
	}
}

type dry struct{}

func (dry) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestWithoutRandomnessNothingIsSent(t *testing.T) {
	w := newWorld(t, Options{})
	w.p.random = dry{}
	w.run(time.Minute)
	if len(w.wanted) != 0 || w.p.rejected[ReasonInternal] == 0 {
		t.Errorf("%d requests, %v", len(w.wanted), w.p.rejected)
	}
}

func TestAfterSleepTheServerIsAskedAtOnce(t *testing.T) {
	w := newWorld(t, Options{MinPoll: time.Hour, MaxPoll: time.Hour})
	w.run(5 * time.Minute)
	before := len(w.got)
	w.p.resumed(w.now)
	w.run(3 * time.Second)
	if n := len(w.got) - before; n < 2 || len(w.kes) != 1 {
		t.Errorf("%d measurements in the 3 s after, %d key exchanges", n, len(w.kes))
	}
	// In the middle of an exchange: what it brings can't be used.
	for w.p.phase != waiting {
		act, wake := w.p.due(w.now)
		if act == request {
			w.p.ask(w.now)
		} else {
			w.now = wake
		}
	}
	w.p.resumed(w.now)
	if w.p.phase != polling || w.p.open != nil || w.p.wake > w.now.Add(time.Second) {
		t.Errorf("phase %d, due in %v", w.p.phase, w.p.wake.Sub(w.now))
	}
	// While there are no keys.
	w.keFail = &failure{reason: ReasonTLS, text: "bad"}
	w.p.end(w.now, "")
	w.run(time.Hour)
	w.keFail = nil
	w.p.resumed(w.now)
	before = len(w.got)
	w.run(3 * time.Second)
	if len(w.got) == before {
		t.Error("no measurement in the 3 s after, when there were no keys")
	}
}

// Whatever comes in, nothing but counters changes unless it is the answer.
func FuzzReceive(f *testing.F) {
	t := &testing.T{}
	w := newWorld(t, Options{})
	w.run(5 * time.Second)
	for w.p.phase != waiting {
		act, wake := w.p.due(w.now)
		if act == request {
			w.p.ask(w.now)
			w.p.sent(departure{pair: w.pair(w.now), before: w.now})
		} else {
			w.now = wake
		}
	}
	honest := w.reply(w.p.open.req.Packet)
	f.Add(honest[:len(honest)-1])
	f.Add(honest[:ntp.PacketSize])
	f.Add(honest[:ntp.PacketSize+36])
	f.Add(w.p.open.req.Packet)
	f.Add(w.p.closed[0].req.Packet)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Equal(b, honest) {
			return
		}
		p := *w.p
		p.rejected = maps.Clone(p.rejected)
		open := *p.open
		p.open = &open
		_, ok := p.receive(w.now, b, arrival{after: w.now, pair: w.pair(w.now)})
		if ok || p.phase != waiting || p.reach != w.p.reach || len(p.cookies) != len(w.p.cookies) || p.wake != w.p.wake ||
			p.denied != w.p.denied || p.lastError != w.p.lastError || p.open == nil || p.open.answered {
			t.Errorf("%x was believed", b)
		}
		n := uint64(0)
		for _, v := range p.rejected {
			n += v
		}
		for _, v := range w.p.rejected {
			n -= v
		}
		if n != 1 {
			t.Errorf("%x was counted %d times", b, n)
		}
	})
}

// The client's own part of an exchange: building the request and opening its answer.
func BenchmarkExchange(b *testing.B) {
	for _, aead := range []uint16{ntske.AEADAESSIVCMAC256, ntske.AEADAES128GCMSIV} {
		b.Run(fmt.Sprintf("aead-%d", aead), func(b *testing.B) {
			w := newWorld(&testing.T{}, Options{MinPoll: time.Second, MaxPoll: time.Second})
			w.aead = aead
			w.run(10 * time.Second)
			var client time.Duration
			b.ReportAllocs()
			for b.Loop() {
				for {
					act, wake := w.p.due(w.now)
					if act == request {
						break
					}
					w.now = wake
				}
				began := time.Now()
				packet, _ := w.p.ask(w.now)
				w.p.sent(departure{pair: w.pair(w.now), before: w.now})
				client += time.Since(began)
				reply := w.reply(packet)
				w.now = w.now.Add(w.rtt)
				began = time.Now()
				_, ok := w.p.receive(w.now, reply, arrival{after: w.now, pair: w.pair(w.now)})
				client += time.Since(began)
				if !ok {
					b.Fatal("refused")
				}
			}
			b.ReportMetric(float64(client.Nanoseconds())/float64(b.N), "client-ns/op")
		})
	}
}

// Sessions are judged for as long as anything rests on what they brought, one of each certificate.
func TestWhichSessionsCount(t *testing.T) {
	session := func(certificate byte) *keys {
		return &keys{Session: &ntske.Session{}, state: tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte{certificate}}}}}
	}
	r := &runner{}
	a, a2, b := session(1), session(1), session(2)
	want := func(what string, list ...*keys) {
		t.Helper()
		if got := r.judgeable(); !slices.Equal(got, list) {
			t.Errorf("%s: %v, want %v", what, got, list)
		}
	}
	r.stands(a)
	r.stands(b)
	r.stands(a2)
	want("another session with the first certificate", b, a2)
	for range stoodFor - 2 {
		r.stands(a2)
	}
	want("before the last sample is forgotten", b, a2)
	r.stands(a2)
	want("after it", a2)
	for c := byte(3); c < 9; c++ {
		r.stands(session(c))
	}
	if n := len(r.judgeable()); n != mostStood {
		t.Errorf("%d are judged, so that with the present one none ever is", n)
	}
}

// A session that ends for a cause of its own, such as its certificate's end, hides none that brought time before it: of
// those, too, a revocation takes back what they said.
func TestWhichSessionsCountAfterARefusal(t *testing.T) {
	session := func(certificate byte) *keys {
		return &keys{Session: &ntske.Session{}, state: tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte{certificate}}}}}
	}
	for _, c := range []struct {
		word  string
		kept  bool // the one before
		heard bool // the newest session brought time
	}{{"expired", true, true}, {"expired", true, false}, {ReasonRevoked, false, true}, {"unknown-ca", false, true}} {
		w := newWorld(t, Options{})
		w.run(time.Minute)
		r := newRunner(&Source{opt: Options{Name: "s", Clock: still{}}, poller: w.p})
		before, newest := session(1), session(2)
		r.session = newest
		r.stands(before)
		if c.heard {
			r.stands(newest)
		}
		r.judged(verdict{session: newest, err: said(c.word), n: 1})
		if kept := len(r.stood) == 1 && r.stood[0].keys == before; kept != c.kept {
			t.Errorf("%s, heard %v: %v", c.word, c.heard, r.stood)
		}
	}
}

// said is an error of Trust's with that word.
type said string

func (s said) Error() string  { return string(s) }
func (s said) Reason() string { return string(s) }

// still is a Clock that stands.
type still struct{ Clock }

func (still) Now() discipline.Raw { return discipline.Raw(time.Hour) }
