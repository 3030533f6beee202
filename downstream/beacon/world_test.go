package beacon

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// toyProver stands in for signatures and MACs where millions of messages are judged: keyed FNV-1a,
// stretched by SplitMix64. Whoever has the key that verifies can forge; the attackers in these
// tests don't. testdata/README.md defines it for implementations in other languages.
type toyProver struct{}

func toyHash(key, data []byte) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for _, b := range key {
		h = (h ^ uint64(b)) * prime
	}
	for _, b := range data {
		h = (h ^ uint64(b)) * prime
	}
	return h
}

func toyStretch(dst []byte, h uint64, n int) []byte {
	for range n / 8 {
		h += 0x9E3779B97F4A7C15
		z := h
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		dst = binary.BigEndian.AppendUint64(dst, z^z>>31)
	}
	return dst
}

func (toyProver) verify(k *PublicKey, tbs, signature []byte) bool {
	var room [signatureSize]byte
	return string(toyStretch(room[:0], toyHash(k.raw, tbs), signatureSize)) == string(signature)
}

func (toyProver) mac(dst []byte, key *[32]byte, data []byte) []byte {
	return toyStretch(dst, toyHash(key[:], data), macSize)
}

// simKey is a signing key of the simulated world.
type simKey struct {
	pub  *PublicKey
	real *SigningKey // nil with toy cryptography
}

func (w *world) newKey() *simKey {
	var secret [32]byte
	w.random(secret[:])
	if w.toy {
		pub, err := NewPublicKey(Ed25519, secret[:])
		if err != nil {
			panic(err)
		}
		return &simKey{pub: pub}
	}
	k, err := NewSigningKey(w.alg, secret[:])
	if err != nil {
		panic(err)
	}
	return &simKey{k.Public(), k}
}

// sign makes a COSE_Sign1 that names kidOf's key.
func (w *world) sign(k *simKey, kidOf *PublicKey, kind Kind, gateway string, payload []byte) []byte {
	protected := appendProtected(nil, kidOf.alg, kidOf.kid[:])
	tbs := appendStructure(nil, "Signature1", protected, kind, gateway, "", payload)
	b := appendBytes([]byte{majorTag<<5 | tagSign1, majorArray<<5 | 4}, protected)
	b = appendBytes(append(b, majorMap<<5), payload)
	b = appendHead(b, majorBytes, signatureSize)
	if k.real == nil {
		return toyStretch(b, toyHash(k.pub.raw, tbs), signatureSize)
	}
	b, err := k.real.appendSignature(b, tbs)
	if err != nil {
		panic(err)
	}
	return b
}

// leapEvent is a leap second of the simulated world.
type leapEvent struct {
	utc  int64 // the first second after it, POSIX numbering
	sign int64
}

// world is true time, the node's oscillator and the gateways. Everything in it is exact integers.
type world struct {
	rng *rand.Rand
	toy bool
	alg Alg

	now   int64 // true TAI, ns
	local int64 // what the node's oscillator has counted, ns
	delta int64 // its present rate error, ppb: true = local·(1 + delta)
	rate  Rate

	leaps  []leapEvent
	broken faults

	queue []queued
	order uint64
}

type queued struct {
	at    int64
	order uint64
	do    func()
}

func (w *world) random(b []byte) {
	for i := range b {
		b[i] = byte(w.rng.Uint32())
	}
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// between is uniform on a logarithmic scale.
func (w *world) between(lo, hi time.Duration) int64 {
	octaves := bits.Len64(uint64(hi / lo))
	d := int64(lo) << w.rng.IntN(octaves)
	d += w.rng.Int64N(d + 1)
	return min(d, int64(hi))
}

// advance lets at least d ns of true time pass, or a little less: what matters is that the
// oscillator keeps its word exactly.
func (w *world) advance(d int64) {
	if d <= 0 {
		return
	}
	hi, lo := bits.Mul64(uint64(d), second)
	q, _ := bits.Div64(hi, lo, uint64(second+w.delta))
	n := int64(q) + 1
	w.local += n
	w.now += n + n/second*w.delta + n%second*w.delta/second // truncated towards n: inside (1 ± ρ)n
	if w.chance(0.2) {
		w.newDelta()
	}
}

func (w *world) newDelta() {
	rho := int64(w.rate.RhoPPB)
	switch w.rng.IntN(4) {
	case 0:
		w.delta = rho
	case 1:
		w.delta = -rho
	case 2:
		w.delta = 0
	default:
		w.delta = w.rng.Int64N(2*rho+1) - rho
	}
}

// reading is what the node's clock shows.
func (w *world) reading() Ticks {
	n := uint64(w.local) / uint64(w.rate.CountNanos)
	return Ticks(n - n%uint64(w.rate.Tick))
}

func (w *world) later(d int64, do func()) {
	w.order++
	w.queue = append(w.queue, queued{w.now + max(d, 0), w.order, do})
}

// run lets true time pass until end, with everything that is due on the way.
func (w *world) run(d int64) {
	end := w.now + d
	for {
		next := -1
		for i := range w.queue {
			if w.queue[i].at <= end && (next < 0 || w.queue[i].at < w.queue[next].at ||
				w.queue[i].at == w.queue[next].at && w.queue[i].order < w.queue[next].order) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		q := w.queue[next]
		w.queue[next] = w.queue[len(w.queue)-1]
		w.queue = w.queue[:len(w.queue)-1]
		w.advance(q.at - w.now)
		q.do()
	}
	w.advance(end - w.now)
}

const firstOffset = 37

// utcReading is true UTC.
type utcReading struct {
	posix    int64 // ns since 1970, POSIX numbering
	offset   int64
	leap     discipline.Leap // at the end of that month
	inserted bool
}

// utc converts true TAI.
func (w *world) utc(tai int64) utcReading {
	r := utcReading{offset: firstOffset}
	for _, l := range w.leaps {
		edge := (l.utc + r.offset) * second // the first moment after the month, by the old offset
		switch {
		case l.sign > 0 && tai >= edge+second:
			r.offset++
		case l.sign > 0 && tai >= edge:
			r.inserted = true
		case l.sign < 0 && tai >= edge-second:
			r.offset--
		}
	}
	r.posix = tai - r.offset*second
	if r.inserted {
		r.posix -= second
	}
	r.leap = w.leapOf(monthOf(floorDiv(r.posix, second)))
	return r
}

func (w *world) leapOf(month int) discipline.Leap {
	for _, l := range w.leaps {
		if monthOf(l.utc-1) == month {
			return discipline.Leap(l.sign)
		}
	}
	return discipline.LeapNone
}

// simGateway is a gateway that keeps its word, unless it lies.
type simGateway struct {
	w      *world
	name   string
	node   string
	key    [32]byte // the node's
	mac    *MACKey
	root   *simKey
	lies   bool
	closed bool // its messages are lost

	online     *simKey
	retired    []*simKey
	serial     uint32
	notBefore  int64 // UTC s
	notAfter   int64
	delegation []byte
	older      [][]byte

	epoch    [8]byte
	off      int64 // of the timeline from true time, ns
	bound    int64
	state    discipline.State
	seq      uint32
	drift    int64 // of its raw clock, ppb
	expired  int64 // UTC second at which its leap list expired; 0: it did not
	lieBy    int64
	asked    [][NonceSize]byte
	sent     [][]byte // its beacons
	answered [][]byte
}

func (w *world) newGateway(name, node string) *simGateway {
	g := &simGateway{w: w, name: name, node: node, root: w.newKey(), state: discipline.Synchronized}
	w.random(g.key[:])
	mac, err := NewMACKey(g.key, name, node, 1)
	if err != nil {
		panic(err)
	}
	g.mac = mac
	g.drift = w.rng.Int64N(400_001) - 200_000
	g.jump()
	g.rotate(30 * 24 * 3600)
	return g
}

// jump begins a new timeline.
func (g *simGateway) jump() {
	g.w.random(g.epoch[:])
	g.correct()
}

// correct moves the timeline inside a new bound.
func (g *simGateway) correct() {
	w := g.w
	if w.chance(0.1) {
		g.bound = w.between(500*time.Millisecond, 40*time.Second)
	} else {
		g.bound = w.between(2*time.Microsecond, 100*time.Millisecond)
	}
	switch w.rng.IntN(4) {
	case 0:
		g.off = g.bound
	case 1:
		g.off = -g.bound
	default:
		g.off = w.rng.Int64N(2*g.bound+1) - g.bound
	}
}

func (g *simGateway) rotate(validity int64) {
	w := g.w
	if g.online != nil {
		g.retired = append(g.retired, g.online)
		g.older = append(g.older, g.delegation)
	}
	utc := floorDiv(w.utc(w.now).posix, second)
	g.online, g.serial = w.newKey(), g.serial+1+uint32(w.rng.IntN(2))
	g.notBefore, g.notAfter = utc-3600, utc+validity
	d := Delegation{g.online.pub, g.serial, uint32(g.notBefore), uint32(g.notAfter)}
	g.delegation = w.sign(g.root, g.root.pub, KindDelegation, g.name, d.appendPayload(nil))
}

// statement is what the gateway says of now; ok is false when it says nothing.
func (g *simGateway) statement() (s Statement, ok bool) {
	w := g.w
	u := w.utc(w.now + g.off)
	bound, leap, offset := g.bound, u.leap, u.offset
	if g.expired != 0 {
		// UTC is right, but which leaps came since the list expired isn't known.
		offset = w.offsetAtUTC(g.expired)
		missed := leapEnds(monthOf(g.expired), monthOf(floorDiv(u.posix, second)))
		if missed > 0 {
			bound += missed * second
			leap = discipline.LeapUnknown
		}
	}
	if g.lies {
		u.posix += g.lieBy
	}
	sec := floorDiv(u.posix, second)
	if u.inserted || sec < 0 || sec >= secondsLimit {
		return s, false
	}
	return Statement{
		Seconds: uint32(sec), Nanos: uint32(u.posix - sec*second), MaxError: time.Duration(bound),
		Epoch: g.epoch, State: g.state, Stratum: 2, Leap: leap, TAIOffset: uint8(offset),
	}, true
}

func (w *world) offsetAtUTC(utc int64) int64 {
	off := int64(firstOffset)
	for _, l := range w.leaps {
		if utc >= l.utc {
			off += l.sign
		}
	}
	return off
}

func (g *simGateway) beacon() []byte {
	s, ok := g.statement()
	if !ok {
		return nil
	}
	g.renew(&s)
	g.seq++
	b := Beacon{Statement: s, Sequence: g.seq, NextIn: 16}
	msg := g.w.sign(g.online, g.online.pub, KindBeacon, g.name, b.appendPayload(nil))
	g.sent = append(g.sent, msg)
	return msg
}

// renew replaces the online key before it would have to sign beyond its validity.
func (g *simGateway) renew(s *Statement) {
	if int64(s.Seconds) >= g.notAfter || int64(s.Seconds) < g.notBefore {
		g.rotate(30 * 24 * 3600)
	}
}

// arrival is what the gateway keeps of a request until it answers.
type arrival struct {
	nonce [NonceSize]byte
	epoch [8]byte
	at    int64 // true time
	tod   int64 // time of day by the timeline of then
}

// request takes a request; ok is false when it is not answered.
func (g *simGateway) request(msg []byte) (a arrival, ok bool) {
	p := prover(realProver{})
	if g.w.toy {
		p = toyProver{}
	}
	payload, err := g.mac.openMAC0(msg, KindRequest, p)
	if err != nil {
		return a, false
	}
	f, err := parsePayload(KindRequest, payload)
	if err != nil {
		return a, false
	}
	for _, n := range g.asked {
		if n == f.nonce {
			return a, false
		}
	}
	g.asked = append(g.asked, f.nonce)
	return arrival{f.nonce, g.epoch, g.w.now, g.w.now + g.off}, true
}

// answer makes the response; nil when there is none.
func (g *simGateway) answer(a arrival) []byte {
	w := g.w
	s, ok := g.statement()
	if !ok || (a.epoch != g.epoch && !w.broken.timeline) {
		return nil
	}
	true_ := w.now - a.at
	raw := true_ + true_/second*g.drift + true_%second*g.drift/second
	if raw >= 1<<32 {
		return nil
	}
	turnaround := raw - raw/100 - 1
	if w.broken.timeline {
		turnaround = w.now + g.off - a.tod
	}
	if g.lies && w.chance(0.5) {
		turnaround += w.between(time.Microsecond, 4*time.Second)
	}
	turnaround = max(0, min(turnaround, 1<<32-1))
	r := Response{Statement: s, Nonce: a.nonce, Turnaround: time.Duration(turnaround), Serial: g.serial}
	p := prover(realProver{})
	if w.toy {
		p = toyProver{}
	}
	msg := g.mac.appendMAC0(nil, KindResponse, r.appendPayload(nil), p)
	g.answered = append(g.answered, msg)
	return msg
}
