package beacon

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// schedule is one run of the world: a node, its gateways, and a broker and a network that do what
// they want. Everything follows from seed and number.
type schedule struct {
	w       *world
	gws     []*simGateway
	foreign *simGateway // another gateway's traffic, which the broker may bring here
	sibling *simGateway // the first gateway, as another node of it sees it
	node    *Node
	faults  int
	liars   int

	expired int64 // UTC second at which a gateway's leap list expired; 0: none did

	flash   []Kept
	counter uint64
	boot    [16]byte

	rec        recorder
	used       map[string]bool
	deliveries int
	exchanges  []widthTerm // accepted ones of an only, honest gateway since the last reset
	problem    string      // what broke the promise; "" while it holds
}

// widthTerm is what the width formula needs of one accepted exchange.
type widthTerm struct {
	m1, m4 Ticks
	fixed  int64 // 2E − (t3 − t2), ns
}

// newSchedule makes schedule number n of a seed. With toy set, a fast MAC stands in for the real
// cryptography.
func newSchedule(seed, n uint64, toy bool, alg Alg, broken faults, record bool) *schedule {
	w := &world{rng: rand.New(rand.NewPCG(seed, n)), toy: toy, alg: alg, broken: broken}
	rates := []Rate{{1000, 1, 0}, {1, 1, 0}, {1_000_000, 1, 0}, {1000, 4, 0}, {30518, 1, 0}}
	w.rate = rates[w.rng.IntN(len(rates))]
	ppm := []float64{0.5, 20, 20, 50, 100, 5000}
	w.rate.RhoPPB = RhoFromPPM(ppm[w.rng.IntN(len(ppm))])
	w.local = w.rng.Int64N(1 << 50)
	w.newDelta()

	s := &schedule{w: w, used: map[string]bool{}}
	s.rec = recorder{on: record, digest: 14695981039346656037}
	s.when()
	count := []int{1, 1, 1, 1, 2, 3, 3, 4, 5}[w.rng.IntN(9)]
	s.faults = w.rng.IntN((count-1)/2 + 1)
	for i := range count {
		s.gws = append(s.gws, w.newGateway(fmt.Sprintf("gw%d", i), "node-7"))
	}
	for range s.faults {
		if w.chance(0.6) {
			g := s.gws[w.rng.IntN(count)]
			if !g.lies {
				g.lies = true
				s.liars++
				s.use("one-of-several-lies")
			}
			g.lieBy = w.between(time.Millisecond, 400*24*time.Hour) * (1 - 2*w.rng.Int64N(2))
		}
	}
	s.foreign = w.newGateway("other", "node-7")
	s.sibling = &simGateway{}
	*s.sibling = *s.gws[0]
	s.sibling.node = "node-8"
	w.random(s.sibling.key[:])
	s.sibling.mac, _ = NewMACKey(s.sibling.key, s.sibling.name, "node-8", 1)
	if s.expired != 0 {
		s.gws[w.rng.IntN(count)].expired = s.expired
	}
	if w.rate.RhoPPB > 0 && (w.delta == int64(w.rate.RhoPPB) || w.delta == -int64(w.rate.RhoPPB)) {
		s.use("oscillator-at-rho")
	}
	s.flash = make([]Kept, count)
	s.begin(true)
	s.lookAtEdge()
	return s
}

// when chooses the date and the leap seconds around it.
func (s *schedule) when() {
	w := s.w
	year := 2026 + w.rng.IntN(30)
	month := time.Month(1 + w.rng.IntN(12))
	at := time.Date(year, month, 1+w.rng.IntN(28), w.rng.IntN(24), w.rng.IntN(60), w.rng.IntN(60), 0, time.UTC)
	if w.chance(0.4) { // close to where leap seconds come
		month = []time.Month{time.January, time.July}[w.rng.IntN(2)]
		end := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
		at = end.Add(-time.Duration(w.between(time.Second, 3*24*time.Hour)))
		if w.chance(0.3) { // so that the latest message may be of the month before
			at = end.Add(-time.Duration(1+w.rng.IntN(45*24)) * time.Hour)
		}
		switch w.rng.IntN(3) {
		case 0:
			w.leaps = append(w.leaps, leapEvent{end.Unix(), 1})
			s.use("leap-inserted")
		case 1:
			w.leaps = append(w.leaps, leapEvent{end.Unix(), -1})
			s.use("leap-deleted")
		}
		if month == time.January {
			s.use("december-to-january")
		}
	}
	if w.chance(0.1) {
		s.leapListExpires(at)
	}
	w.now = (at.Unix()+firstOffset)*second + w.rng.Int64N(second)
}

// leapListExpires lets a gateway's list expire some time ago, with leaps since that it missed.
func (s *schedule) leapListExpires(now time.Time) {
	w := s.w
	s.expired = now.Unix() - w.rng.Int64N(900*24*3600)
	var missed []leapEvent
	for month := monthOf(s.expired) + 1; month <= monthOf(now.Unix()); month++ {
		if month%6 == 0 && w.chance(0.5) {
			missed = append(missed, leapEvent{monthStart(month), 1 - 2*w.rng.Int64N(2)})
		}
	}
	w.leaps = append(missed, w.leaps...)
	s.use("leap-list-expired")
}

// lookAtEdge reads the clock, and lets beacons through, in the seconds around the month's end when
// that is close.
func (s *schedule) lookAtEdge() {
	w := s.w
	u := w.utc(w.now)
	edge := (monthStart(monthOf(floorDiv(u.posix, second))+1) + u.offset) * second
	if edge-w.now > int64(50*24*time.Hour) {
		return
	}
	for range 6 {
		at := edge + w.rng.Int64N(6*second) - 3*second
		g := w.rng.IntN(len(s.gws))
		w.later(at-w.now, func() {
			if w.chance(0.3) {
				s.beacon(g)
			} else if w.chance(0.3) {
				s.exchange(g)
			}
			s.read()
		})
	}
}

func (s *schedule) use(class string) { s.used[class] = true }

// begin starts the node, or starts it again.
func (s *schedule) begin(flash bool) {
	w := s.w
	w.random(s.boot[:])
	if !flash {
		clear(s.flash)
		s.counter = 0
	}
	c := NodeConfig{
		Faults: s.faults, Rate: w.rate, Random: bytes.NewReader(s.boot[:]),
		Reserve: func(count uint32) (uint64, error) {
			first := s.counter
			s.counter += uint64(count)
			return first, nil
		},
		Keep: func(g int, k Kept) { s.flash[g] = k },
	}
	for _, g := range s.gws {
		c.Enrolments = append(c.Enrolments, Enrolment{g.name, g.node, &g.key, 1, g.root.pub})
	}
	n, err := NewNode(c)
	if err != nil {
		panic(err)
	}
	if w.toy {
		n.crypto = toyProver{}
	}
	n.broken, n.clock.broken = w.broken, w.broken
	for i, k := range s.flash {
		n.Restore(i, k)
	}
	s.node = n
	s.exchanges = nil
	s.rec.begin(s)
}

// play runs the whole schedule; afterwards problem says whether the promise was kept.
func (s *schedule) play() {
	w := s.w
	for g := range s.gws {
		if w.chance(0.9) {
			s.deliver(g, KindDelegation, s.gws[g].delegation)
		}
	}
	steps := 14 + w.rng.IntN(16)
	for range steps {
		if s.problem != "" {
			break
		}
		w.run(s.gap())
		switch w.rng.IntN(10) {
		case 0, 1, 2:
			s.beacon(w.rng.IntN(len(s.gws)))
		case 3, 4, 5:
			s.exchange(w.rng.IntN(len(s.gws)))
		case 6:
			w.run(w.between(time.Microsecond, 100*time.Millisecond))
			s.gws[w.rng.IntN(len(s.gws))].correct()
		default:
			all := attacks()
			a := all[w.rng.IntN(len(all))]
			if a.do(s) {
				s.use(a.name)
			}
		}
		s.read()
	}
	w.run(int64(20 * time.Second))
	s.read()
	s.rec.end()
}

func (s *schedule) gap() int64 {
	w := s.w
	switch w.rng.IntN(8) {
	case 0:
		return w.between(time.Hour, 40*24*time.Hour)
	case 1, 2:
		return w.between(time.Second, time.Hour)
	}
	return w.between(time.Millisecond, 20*time.Second)
}

// path is an ordinary network's delay.
func (s *schedule) path() int64 { return s.w.between(100*time.Microsecond, 400*time.Millisecond) }

func (s *schedule) beacon(g int) {
	if msg := s.gws[g].beacon(); msg != nil {
		s.w.later(s.path(), func() { s.deliver(g, KindBeacon, msg) })
	}
}

// ask lets the node make a request and returns it.
func (s *schedule) ask(g int) []byte {
	m := s.w.reading()
	msg, err := s.node.Request(g, m)
	s.rec.request(g, m, msg)
	if err != nil && s.problem == "" {
		s.problem = fmt.Sprintf("request: %v", err)
	}
	return msg
}

// exchange is a whole exchange over paths of the given delays.
func (s *schedule) exchange(g int) { s.exchangeOver(g, s.path(), s.path()) }

func (s *schedule) exchangeOver(g int, there, back int64) {
	w := s.w
	msg := s.ask(g)
	w.later(there, func() { s.serve(g, msg, back) })
}

// serve lets the gateway answer a request that has just arrived.
func (s *schedule) serve(g int, msg []byte, back int64) {
	w := s.w
	gw := s.gws[g]
	a, ok := gw.request(msg)
	if !ok {
		return
	}
	work := w.between(10*time.Microsecond, 50*time.Millisecond)
	if w.chance(0.03) {
		work = w.between(time.Second, 10*time.Second)
	}
	if w.chance(0.3) { // a measurement comes in between and moves the timeline inside its bound
		w.later(work/2, func() { gw.correct() })
	}
	w.later(work, func() {
		if answer := gw.answer(a); answer != nil {
			w.later(back, func() { s.deliver(g, KindResponse, answer) })
		}
	})
}

// deliver hands a message to the node and holds what it makes of it to the promise.
func (s *schedule) deliver(g int, kind Kind, msg []byte) {
	m := s.w.reading()
	asked := s.node.gateways[g].askedAt
	better, err := s.node.Feed(g, kind, msg, m)
	s.deliveries++
	s.rec.feed(s, g, kind, m, msg, better, err)
	if err == nil && kind == KindResponse && len(s.gws) == 1 && s.liars == 0 && !s.w.broken.any() {
		r, e := openResponse(msg, s.gws[0].mac, s.node.crypto)
		if e == nil {
			s.exchanges = append(s.exchanges, widthTerm{asked, m, 2*int64(r.MaxError) - int64(r.Turnaround)})
		}
	}
	if ReasonOf(err) == ReasonContradiction {
		if s.liars == 0 {
			s.fail("a contradiction without a lie")
		}
		s.exchanges = nil
	}
	s.check(m)
}

func (f faults) any() bool { return f != faults{} }

func (s *schedule) fail(format string, args ...any) {
	if s.problem == "" {
		s.problem = fmt.Sprintf(format, args...)
	}
}

func (s *schedule) read() { s.readAt(s.w.reading(), s.w.now) }

// readAt reads the node at m, which its clock showed when true time was now.
func (s *schedule) readAt(m Ticks, now int64) {
	s.rec.read(s, m)
	s.checkAt(m, now)
}

// check holds the node to the promise now.
func (s *schedule) check(m Ticks) { s.checkAt(m, s.w.now) }

func (s *schedule) checkAt(m Ticks, now int64) {
	w, c := s.w, &s.node.clock
	tai, _ := c.TAI(m)
	// A reading is as good as its tick: within it, evidence may have come in after it.
	late := int64(0)
	for i := range s.gws {
		if now < w.now && c.gateways[i].interval.loAt == m {
			late = w.rate.most(m, m)
		}
	}
	if tai.Lo > now+late || now > tai.Hi {
		s.fail("true time is %d ns below lo, %d ns above hi", tai.Lo-now, now-tai.Hi)
	}
	u := w.utc(now)
	utc := c.UTC(m)
	if !u.inserted && (utc.Lo > u.posix+late || u.posix > utc.Hi) { // POSIX has no number for an inserted second
		s.fail("true UTC is %d ns below lo, %d ns above hi", utc.Lo-u.posix, u.posix-utc.Hi)
	}
	if at, bound, ok := c.Now(m); ok {
		t := at.UnixNano()
		if !utc.Contains(t) || t-int64(bound) > utc.Lo || t+int64(bound) < utc.Hi {
			s.fail("the estimate %d ± %d doesn't cover %v", t, bound, utc)
		}
	}
	if c.Alarms()&AlarmFloor != 0 && s.liars == 0 {
		s.fail("an honest answer lies before the floor")
	}
	unit := int64(w.rate.CountNanos)
	for _, x := range s.exchanges {
		if m < c.last {
			break // an end is unknown before its own reading
		}
		round, since := int64(x.m4-x.m1)*unit, int64(m-x.m4)*unit
		limit := round + w.rate.drift(round) + x.fixed + 2*w.rate.drift(since) + 3*int64(w.rate.Tick)*unit*2 + 8
		if tai.Width() > uint64(limit) {
			s.fail("%d ns wide, %d ns beyond the formula", tai.Width(), int64(tai.Width())-limit)
		}
	}
}

// attack is one thing that a broker, a network or a thief may do. do reports whether it could.
type attack struct {
	name string
	do   func(*schedule) bool
}

// pick is a random element, or nil.
func pick(w *world, list [][]byte) []byte {
	if len(list) == 0 {
		return nil
	}
	return list[w.rng.IntN(len(list))]
}

func (s *schedule) gateway() (int, *simGateway) {
	g := s.w.rng.IntN(len(s.gws))
	return g, s.gws[g]
}

// fresh makes a message of a gateway and says what it is; a beacon or an answer to a request that
// was made just now.
func (s *schedule) fresh(g int) (Kind, []byte) {
	gw := s.gws[g]
	if s.w.chance(0.5) {
		return KindBeacon, gw.beacon()
	}
	msg := s.ask(g)
	s.w.advance(s.path())
	a, ok := gw.request(msg)
	if !ok {
		return KindResponse, nil
	}
	s.w.advance(s.w.between(10*time.Microsecond, 10*time.Millisecond))
	return KindResponse, gw.answer(a)
}

// harmed delivers a fresh message that harm has changed, then, sometimes, the message itself.
func harmed(harm func(w *world, msg []byte) []byte) func(*schedule) bool {
	return func(s *schedule) bool {
		g, _ := s.gateway()
		kind, msg := s.fresh(g)
		if msg == nil {
			return false
		}
		s.w.advance(s.path())
		s.deliver(g, kind, harm(s.w, bytes.Clone(msg)))
		if s.w.chance(0.5) {
			s.deliver(g, kind, msg)
		}
		return true
	}
}

// late delivers a fresh message after a delay.
func late(lo, hi time.Duration) func(*schedule) bool {
	return func(s *schedule) bool {
		g, _ := s.gateway()
		if s.w.chance(0.5) {
			s.exchangeOver(g, s.w.between(lo, hi), s.path())
			return true
		}
		msg := s.gws[g].beacon()
		if msg == nil {
			return false
		}
		s.w.later(s.w.between(lo, hi), func() { s.deliver(g, KindBeacon, msg) })
		return true
	}
}

// replayed delivers an old message again.
func (s *schedule) replayed() bool {
	g, gw := s.gateway()
	kind, old := KindBeacon, pick(s.w, gw.sent)
	if s.w.chance(0.5) {
		kind, old = KindResponse, pick(s.w, gw.answered)
		if s.w.chance(0.7) {
			s.ask(g) // so that a nonce is open
			s.w.advance(s.path())
		}
	}
	if old == nil {
		return false
	}
	s.deliver(g, kind, old)
	return true
}

// reboot starts the node again and replays something at once.
func reboot(flash bool) func(*schedule) bool {
	return func(s *schedule) bool {
		s.begin(flash)
		for g := range s.gws {
			if s.w.chance(0.8) {
				s.deliver(g, KindDelegation, s.gws[g].delegation)
			}
		}
		if s.w.chance(0.5) {
			s.w.local = s.w.rng.Int64N(1 << 40)
		}
		s.replayed()
		return true
	}
}

func attacks() []attack {
	return []attack{
		{"drop", func(s *schedule) bool {
			g, gw := s.gateway()
			gw.beacon()
			s.ask(g)
			return true
		}},
		{"delay-seconds", late(time.Second, time.Minute)},
		{"delay-to-a-day", late(time.Minute, 24*time.Hour)},
		{"replay", (*schedule).replayed},
		{"replay-older-epoch", func(s *schedule) bool {
			g, gw := s.gateway()
			old := pick(s.w, gw.sent)
			if old == nil {
				return false
			}
			gw.jump()
			s.beacon(g)
			s.w.run(int64(time.Second))
			s.deliver(g, KindBeacon, old)
			return true
		}},
		{"replay-after-reboot-with-floor", reboot(true)},
		{"replay-after-reboot-without-floor", reboot(false)},
		{"reorder", func(s *schedule) bool {
			g, gw := s.gateway()
			a := gw.beacon()
			s.w.advance(s.path())
			b := gw.beacon()
			if a == nil || b == nil {
				return false
			}
			s.w.advance(s.path())
			s.deliver(g, KindBeacon, b)
			s.deliver(g, KindBeacon, a)
			return true
		}},
		{"duplicate", func(s *schedule) bool {
			g, _ := s.gateway()
			kind, msg := s.fresh(g)
			if msg == nil {
				return false
			}
			s.w.advance(s.path())
			for range 2 + s.w.rng.IntN(3) {
				s.deliver(g, kind, msg)
			}
			return true
		}},
		{"cross-gateway", func(s *schedule) bool {
			g, _ := s.gateway()
			from := s.foreign
			if len(s.gws) > 1 && s.w.chance(0.5) {
				from = s.gws[(g+1)%len(s.gws)]
			}
			switch s.w.rng.IntN(3) {
			case 0:
				s.deliver(g, KindDelegation, from.delegation)
			default:
				if msg := from.beacon(); msg != nil {
					s.deliver(g, KindBeacon, msg)
				}
			}
			return true
		}},
		{"cross-node", func(s *schedule) bool {
			msg := s.ask(0)
			s.w.advance(s.path())
			sib := s.sibling
			sib.epoch, sib.off, sib.bound, sib.state = s.gws[0].epoch, s.gws[0].off, s.gws[0].bound, s.gws[0].state
			a, ok := s.gws[0].request(msg)
			if !ok {
				return false
			}
			answer := sib.answer(a) // the right nonce, for the wrong node
			if answer == nil {
				return false
			}
			s.w.advance(s.path())
			s.deliver(0, KindResponse, answer)
			return true
		}},
		{"cross-kind", func(s *schedule) bool {
			g, gw := s.gateway()
			b := gw.beacon()
			s.w.advance(s.w.between(time.Millisecond, time.Minute))
			q := s.ask(g)
			if b == nil {
				return false
			}
			s.w.advance(s.path())
			s.deliver(g, KindResponse, b)
			s.deliver(g, KindResponse, q)
			s.deliver(g, KindDelegation, b)
			s.deliver(g, KindBeacon, gw.delegation)
			if r := pick(s.w, gw.answered); r != nil {
				s.deliver(g, KindBeacon, r)
			}
			return true
		}},
		{"bit-flip", harmed(func(w *world, msg []byte) []byte {
			msg[w.rng.IntN(len(msg))] ^= 1 << w.rng.IntN(8)
			return msg
		})},
		{"bit-flip-in-time", harmed(func(w *world, msg []byte) []byte {
			if i := bytes.Index(msg, []byte{0xd9, 0x03, 0xe9, 0xa3, 0x01, 0x1a}); i >= 0 {
				msg[i+6+w.rng.IntN(4)] ^= 1 << w.rng.IntN(8)
			}
			return msg
		})},
		{"truncation", harmed(func(w *world, msg []byte) []byte { return msg[:w.rng.IntN(len(msg))] })},
		{"60-kB-message", harmed(func(w *world, msg []byte) []byte {
			if w.chance(0.9) {
				return append(msg, make([]byte, 201+w.rng.IntN(100))...)
			}
			return append(msg, make([]byte, 60_000)...)
		})},
		{"not-deterministic", harmed(func(_ *world, msg []byte) []byte {
			return cat(msg[:1], raw(0x98, 4), msg[2:]) // an array head that is not the shortest
		})},
		{"duplicate-keys", harmed(func(_ *world, msg []byte) []byte {
			return bytes.Replace(msg, raw(0xa2, 0x01), raw(0xa2, 0x04), 1)
		})},
		{"huge-integers", harmed(func(_ *world, msg []byte) []byte {
			return cat(msg[:2], raw(0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), msg[3:])
		})},
		{"nested-depth", harmed(func(_ *world, msg []byte) []byte {
			return cat(msg[:1], bytes.Repeat(raw(0x81), 30), msg[1:])
		})},
		{"wrong-alg", harmed(algorithm(-7))},
		{"alg-none", harmed(algorithm(0))},
		{"key-id-collision", func(s *schedule) bool {
			g, gw := s.gateway()
			b := s.forged(gw)
			s.deliver(g, KindBeacon, s.w.sign(s.w.newKey(), gw.online.pub, KindBeacon, gw.name, b))
			return true
		}},
		{"forged-delegation", func(s *schedule) bool {
			g, gw := s.gateway()
			thief := s.w.newKey()
			d := Delegation{thief.pub, gw.serial + 1, 0, 1<<32 - 1}
			s.deliver(g, KindDelegation, s.w.sign(thief, gw.root.pub, KindDelegation, gw.name, d.appendPayload(nil)))
			s.deliver(g, KindBeacon, s.w.sign(thief, thief.pub, KindBeacon, gw.name, s.forged(gw)))
			return true
		}},
		{"expired-key-stolen", func(s *schedule) bool {
			g, gw := s.gateway()
			stolen, delegation := gw.online, gw.delegation
			utc := floorDiv(s.w.utc(s.w.now).posix, second)
			s.w.run((gw.notAfter - utc + 60) * second)
			if s.w.chance(0.5) {
				gw.rotate(30 * 24 * 3600)
			}
			s.deliver(g, KindDelegation, delegation)
			s.deliver(g, KindBeacon, s.w.sign(stolen, stolen.pub, KindBeacon, gw.name, s.forged(gw)))
			return true
		}},
		{"older-delegation", func(s *schedule) bool {
			g, gw := s.gateway()
			gw.rotate(30 * 24 * 3600)
			if s.w.chance(0.7) {
				s.deliver(g, KindDelegation, gw.delegation)
			}
			s.deliver(g, KindDelegation, pick(s.w, gw.older))
			return true
		}},
		{"delegation-withheld", func(s *schedule) bool {
			g, gw := s.gateway()
			gw.rotate(30 * 24 * 3600)
			s.beacon(g)
			s.exchange(g)
			s.w.run(int64(2 * time.Second))
			s.beacon(g)
			return true
		}},
		{"sleeper-over-rotations", func(s *schedule) bool {
			g, gw := s.gateway()
			old := gw.beacon()
			for range 10 {
				s.w.run(int64(15 * 24 * time.Hour))
				gw.rotate(30 * 24 * 3600)
			}
			s.deliver(g, KindDelegation, gw.delegation)
			if old != nil {
				s.deliver(g, KindBeacon, old)
			}
			s.beacon(g)
			return true
		}},
		{"retained-beacon-planted", func(s *schedule) bool {
			g, gw := s.gateway()
			old := pick(s.w, gw.sent)
			if old == nil {
				return false
			}
			s.w.run(s.w.between(time.Hour, 10*24*time.Hour))
			s.deliver(g, KindBeacon, old)
			return true
		}},
		{"will-planted", func(s *schedule) bool {
			g, _ := s.gateway()
			s.deliver(g, []Kind{KindBeacon, KindDelegation, KindResponse}[s.w.rng.IntN(3)], []byte("offline"))
			return true
		}},
		{"retained-key-overwritten", func(s *schedule) bool {
			g, gw := s.gateway()
			s.deliver(g, KindDelegation, nil)
			s.deliver(g, KindDelegation, s.foreign.delegation)
			s.deliver(g, KindDelegation, gw.delegation)
			return true
		}},
		{"answer-to-anothers-nonce", func(s *schedule) bool {
			g, gw := s.gateway()
			first := s.ask(g)
			s.w.advance(s.path())
			a, ok := gw.request(first)
			if !ok {
				return false
			}
			answer := gw.answer(a)
			s.w.advance(s.w.between(time.Millisecond, 5*time.Second))
			s.ask(g)
			if answer == nil {
				return false
			}
			s.w.advance(s.path())
			s.deliver(g, KindResponse, answer)
			return true
		}},
		{"late-answer", func(s *schedule) bool {
			g, _ := s.gateway()
			s.exchangeOver(g, s.path(), s.w.between(9*time.Second, 3*time.Minute))
			s.w.run(int64(3 * time.Minute))
			return true
		}},
		{"answer-before-request", func(s *schedule) bool {
			g, gw := s.gateway()
			old := pick(s.w, gw.answered)
			if old == nil {
				return false
			}
			s.deliver(g, KindResponse, old)
			s.exchange(g)
			return true
		}},
		{"request-repeated", func(s *schedule) bool {
			g, _ := s.gateway()
			msg := s.ask(g)
			s.w.later(s.path(), func() { s.serve(g, msg, s.path()) })
			s.w.later(s.path()+int64(time.Second), func() { s.serve(g, msg, s.path()) })
			s.w.run(int64(2 * time.Second))
			return true
		}},
		{"nonce-after-reboot", func(s *schedule) bool {
			g, gw := s.gateway()
			s.ask(g)
			s.begin(s.w.chance(0.5))
			s.deliver(g, KindDelegation, gw.delegation)
			s.ask(g)
			if old := pick(s.w, gw.answered); old != nil {
				s.deliver(g, KindResponse, old)
			}
			s.exchange(g)
			return true
		}},
		{"uncounted-sleep", func(s *schedule) bool {
			s.w.run(s.w.between(time.Second, 24*time.Hour))
			s.w.local = s.w.rng.Int64N(1 << 50)
			s.node.Discontinuity()
			s.exchanges = nil
			s.rec.discontinuity()
			if s.w.chance(0.5) {
				s.w.now += s.w.between(time.Second, 24*time.Hour)
			}
			return true
		}},
		{"uncounted-sleep-while-asking", func(s *schedule) bool {
			g, gw := s.gateway()
			a, ok := gw.request(s.ask(g))
			if !ok {
				return false
			}
			answer := gw.answer(a)
			if answer == nil {
				return false
			}
			s.w.now += s.w.between(time.Second, time.Hour) // the node's clock stands still
			s.node.Discontinuity()
			s.exchanges = nil
			s.rec.discontinuity()
			s.w.advance(s.path())
			s.deliver(g, KindResponse, answer)
			return true
		}},
		{"counted-sleep", func(s *schedule) bool {
			s.w.run(s.w.between(time.Hour, 30*24*time.Hour))
			s.exchange(s.w.rng.IntN(len(s.gws)))
			return true
		}},
		{"gateway-restarts", func(s *schedule) bool {
			g, gw := s.gateway()
			gw.jump()
			gw.seq = 0
			gw.asked = gw.asked[:0]
			s.beacon(g)
			return true
		}},
		{"gateway-jumps-while-answering", func(s *schedule) bool {
			g, gw := s.gateway()
			msg := s.ask(g)
			s.w.advance(s.path())
			a, ok := gw.request(msg)
			if !ok {
				return false
			}
			s.w.advance(s.w.between(time.Millisecond, 3*time.Second))
			gw.jump()
			if answer := gw.answer(a); answer != nil {
				s.w.advance(s.path())
				s.deliver(g, KindResponse, answer)
			}
			return true
		}},
		{"gateway-suspended", func(s *schedule) bool {
			g, gw := s.gateway()
			msg := s.ask(g)
			s.w.advance(s.path())
			if a, ok := gw.request(msg); ok {
				s.w.advance(s.w.between(time.Second, time.Hour)) // its raw clock stands still
				gw.jump()                                        // and that is noticed
				if answer := gw.answer(a); answer != nil {
					s.deliver(g, KindResponse, answer)
				}
			}
			s.beacon(g)
			return true
		}},
		{"gateway-in-holdover", func(s *schedule) bool {
			g, gw := s.gateway()
			gw.state = discipline.Holdover
			gw.bound += s.w.between(time.Millisecond, 10*time.Second)
			s.beacon(g)
			s.exchange(g)
			return true
		}},
		{"reading-overtaken", func(s *schedule) bool {
			// A task reads the node's clock and is held up: evidence comes in before it asks.
			m, now := s.w.reading(), s.w.now
			g, _ := s.gateway()
			s.w.run(s.w.between(time.Microsecond, time.Second))
			if kind, msg := s.fresh(g); msg != nil {
				s.w.advance(s.path())
				s.deliver(g, kind, msg)
			}
			s.readAt(m, now)
			return true
		}},
		{"alarms-cleared", func(s *schedule) bool {
			s.node.ClearAlarms()
			s.rec.clear()
			return true
		}},
	}
}

// algorithm rewrites the algorithm in the protected header.
func algorithm(alg int64) func(*world, []byte) []byte {
	return func(_ *world, msg []byte) []byte {
		msg = bytes.Clone(msg)
		if len(msg) > 5 {
			msg[5] = num(alg)[0]
		}
		return msg
	}
}

// forged is a beacon's payload that would do the most harm if it were believed.
func (s *schedule) forged(gw *simGateway) []byte {
	st, ok := gw.statement()
	if !ok {
		st = statement()
	}
	st.Seconds += uint32(s.w.rng.IntN(1 << 24))
	st.MaxError = 1000
	b := Beacon{Statement: st, Sequence: 1 << 31, NextIn: 16}
	return b.appendPayload(nil)
}

// recorder writes what happens to the node as a stream of events that other implementations can
// play, and a digest of what came of it; testdata/README.md describes both.
type recorder struct {
	stream []byte // nil: nothing is written
	on     bool
	digest uint64
}

const (
	eventBegin         = 1
	eventFeed          = 2
	eventRequest       = 3
	eventDiscontinuity = 4
	eventRead          = 5
	eventClear         = 6
	eventEnd           = 7
)

func (r *recorder) write(b ...byte) {
	if r.on {
		r.stream = append(r.stream, b...)
	}
}

func (r *recorder) hash(b ...byte) {
	for _, c := range b {
		r.digest = (r.digest ^ uint64(c)) * 1099511628211
	}
}

func (r *recorder) hash64(v uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	r.hash(b[:]...)
}

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func (r *recorder) begin(s *schedule) {
	if !r.on {
		return
	}
	toy := byte(1)
	if !s.w.toy {
		toy = 0
	}
	r.write(eventBegin, toy, byte(len(s.gws)), byte(s.faults))
	r.write(be32(s.w.rate.CountNanos)...)
	r.write(be32(s.w.rate.Tick)...)
	r.write(be32(s.w.rate.RhoPPB)...)
	r.write(be32(uint32(DefaultDeadline / time.Millisecond))...)
	r.write(s.boot[:]...)
	r.write(be64(s.counter)...)
	for i, g := range s.gws {
		r.write(byte(len(g.name)))
		r.write([]byte(g.name)...)
		r.write(byte(len(g.node)))
		r.write([]byte(g.node)...)
		r.write(g.key[:]...)
		r.write(be32(1)...)
		r.write(byte(g.root.pub.alg), byte(len(g.root.pub.raw)))
		r.write(g.root.pub.raw...)
		r.write(be32(s.flash[i].Serial)...)
		r.write(be32(s.flash[i].Floor)...)
	}
}

// resultCode numbers the results as the C library does.
func resultCode(better bool, err error) byte {
	if err == nil {
		if better {
			return 0
		}
		return 1
	}
	order := []Reason{ReasonSize, ReasonMalformed, ReasonWrongKind, ReasonWrongAlg, ReasonUnknownKID, ReasonBadSignature,
		ReasonOutsideValidity, ReasonBelowFloor, ReasonOldSerial, ReasonNoNonce, ReasonLate, ReasonContradiction, ReasonClock}
	for i, r := range order {
		if r == ReasonOf(err) {
			return byte(-(i + 2))
		}
	}
	return 0x80
}

// state adds what the node knows at m.
func (r *recorder) state(s *schedule, m Ticks) {
	b, generation := s.node.clock.TAI(m)
	r.hash64(uint64(b.Lo))
	r.hash64(uint64(b.Hi))
	r.hash(byte(generation>>8), byte(generation), byte(s.node.clock.alarms))
	for _, k := range s.flash {
		r.hash(be32(k.Serial)...)
		r.hash(be32(k.Floor)...)
	}
}

func (r *recorder) feed(s *schedule, g int, kind Kind, m Ticks, msg []byte, better bool, err error) {
	if !r.on {
		return
	}
	r.write(eventFeed, byte(g), byte(kind))
	r.write(be64(uint64(m))...)
	r.write(byte(len(msg)>>8), byte(len(msg)))
	r.write(msg...)
	r.hash(resultCode(better, err))
	r.state(s, m)
}

func (r *recorder) request(g int, m Ticks, msg []byte) {
	if !r.on {
		return
	}
	r.write(eventRequest, byte(g))
	r.write(be64(uint64(m))...)
	r.hash(byte(len(msg)))
	r.hash(msg...)
}

func (r *recorder) discontinuity() { r.write(eventDiscontinuity) }

func (r *recorder) clear() { r.write(eventClear) }

func (r *recorder) read(s *schedule, m Ticks) {
	if !r.on {
		return
	}
	r.write(eventRead)
	r.write(be64(uint64(m))...)
	r.state(s, m)
	u := s.node.clock.UTC(m)
	r.hash64(uint64(u.Lo))
	r.hash64(uint64(u.Hi))
	r.hash(byte(s.node.clock.Know(m)))
}

func (r *recorder) end() {
	r.write(eventEnd)
	r.write(be64(r.digest)...)
}
