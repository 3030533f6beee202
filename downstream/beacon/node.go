package beacon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

const (
	// DefaultDeadline is how long after its request an answer counts.
	DefaultDeadline = 10 * time.Second

	nonceBlock   = 64 // numbers reserved at a time
	secondsADay  = 86_400
	evidenceLo   = 144 // bytes: the largest message that raises a lower end
	evidenceHi   = 128 // bytes: the largest that lowers an upper one
	maxUnreplied = 9
)

// Enrolment is one gateway as a node was enrolled with it.
type Enrolment struct {
	Gateway    string
	Node       string     // this node's name there
	NodeKey    *[32]byte  // nil: no exchanges, only lower bounds
	Generation uint32     // of the node key
	Root       *PublicKey // nil: no beacons, only exchanges
}

// Kept is what survives a reboot, stored with the enrolment and forgotten with it.
type Kept struct {
	Serial uint32 // the highest delegation serial that was seen
	Floor  uint32 // true time is not before it: TAI seconds since 1970
}

// NodeConfig is what a Node works with.
type NodeConfig struct {
	Enrolments []Enrolment // 1 … MaxGateways
	Faults     int         // f of them may lie; n ≥ 2f + 1
	Rate       Rate
	Deadline   time.Duration // of an answer, in whole milliseconds; 0: DefaultDeadline

	// Random is a true random source, nil where there is none. Reserve durably sets aside count
	// numbers that were never handed out before, and returns the first; nil where nothing can be
	// kept. With neither there are no exchanges.
	Random  io.Reader
	Reserve func(count uint32) (first uint64, err error)

	// Keep stores what survives a reboot; its changes of the floor come at most once a day. May be nil.
	Keep func(gateway int, k Kept)
}

// Errors of Request.
var (
	ErrNoKey    = errors.New("the node has no key for this gateway: enrol it")
	ErrNoRandom = errors.New("no fresh nonce can be had: neither a random source nor reserved numbers")
)

// Node is the reference node: messages and readings of its clock go in, requests to publish come
// out, and its Clock says what is proved. It does no I/O. It is not safe for concurrent use.
type Node struct {
	c        NodeConfig
	clock    Clock
	gateways []nodeGateway

	counter  uint64 // of nonces
	reserved uint32
	boot     [16]byte
	seeded   bool

	crypto prover
	broken faults
}

// nodeGateway is what a node holds of one gateway.
type nodeGateway struct {
	Enrolment
	mac *MACKey

	held       *Delegation // the one whose key is used
	everHeld   bool        // there was one since the boot, and of the latest:
	heldSerial uint32
	notAfter   uint32
	kept       Kept

	open      bool
	nonce     [NonceSize]byte
	askedAt   Ticks
	askFloor  uint32 // the floor of then: one that was raised meanwhile says nothing about an answer on its way
	unreplied int

	frozen bool // the evidence is that of a contradiction
	lo, hi []byte
}

// NewNode makes a node that knows nothing yet. The configuration stays in use.
func NewNode(c NodeConfig) (*Node, error) {
	clock, err := NewClock(ClockConfig{Gateways: len(c.Enrolments), Faults: c.Faults, Rate: c.Rate})
	if err != nil {
		return nil, err
	}
	if c.Deadline == 0 {
		c.Deadline = DefaultDeadline
	}
	n := &Node{c: c, clock: clock, crypto: realProver{}}
	for _, e := range c.Enrolments {
		g := nodeGateway{Enrolment: e}
		if !ValidName(e.Gateway) {
			return nil, fmt.Errorf("gateway %q: not a valid name", e.Gateway)
		}
		if e.NodeKey != nil {
			if g.mac, err = NewMACKey(*e.NodeKey, e.Gateway, e.Node, e.Generation); err != nil {
				return nil, fmt.Errorf("node %q of %s: %w", e.Node, e.Gateway, err)
			}
		}
		n.gateways = append(n.gateways, g)
	}
	return n, nil
}

// Restore gives back what Keep stored for a gateway; right after NewNode.
func (n *Node) Restore(gateway int, k Kept) { n.gateways[gateway].kept = k }

// Kept returns what survives a reboot, as it is now.
func (n *Node) Kept(gateway int) Kept { return n.gateways[gateway].kept }

// Clock returns the node's clock, for reading.
func (n *Node) Clock() *Clock { return &n.clock }

// Feed takes a message of a kind, at the clock's reading m after its last byte arrived. better
// reports whether the node knows more than before: a narrower interval, or a new delegation.
// Errors are *Error; refused messages have changed nothing but what their reason says.
func (n *Node) Feed(gateway int, kind Kind, msg []byte, m Ticks) (better bool, err error) {
	var e *Error
	switch kind {
	case KindBeacon:
		better, e = n.feedBeacon(gateway, msg, m)
	case KindDelegation:
		better, e = n.feedDelegation(gateway, msg)
	case KindResponse:
		better, e = n.feedResponse(gateway, msg, m)
	default:
		e = refuse(ReasonWrongKind, "a node takes beacons, delegations and responses")
	}
	if e != nil {
		return false, e
	}
	return better, nil
}

func (n *Node) feedDelegation(g int, msg []byte) (bool, *Error) {
	gw := &n.gateways[g]
	if gw.Root == nil {
		return false, n.withoutRoot(msg)
	}
	d, err := verifyDelegation(msg, gw.Root, gw.Gateway, n.prover())
	if err != nil {
		return false, err
	}
	if d.Serial < gw.kept.Serial {
		return false, refuse(ReasonOldSerial, "a later one was seen")
	}
	if h := gw.held; h != nil && h.Serial == d.Serial && h.NotBefore == d.NotBefore && h.NotAfter == d.NotAfter && h.Key.Equal(d.Key) {
		return false, nil
	}
	n.sawSerial(g, d.Serial)
	gw.held, gw.everHeld, gw.heldSerial, gw.notAfter = &d, true, d.Serial, d.NotAfter
	n.clock.alarms &^= AlarmWithheld
	return true, nil
}

// withoutRoot is the verdict on a signed message where no algorithm is pinned.
func (n *Node) withoutRoot(msg []byte) *Error {
	if _, err := open(msg, tagSign1); err != nil {
		return err
	}
	return refuse(ReasonWrongAlg, "no root is enrolled")
}

// sawSerial notes the serial of a verified message; lower ones count no more.
func (n *Node) sawSerial(g int, serial uint32) {
	gw := &n.gateways[g]
	if serial <= gw.kept.Serial {
		return
	}
	gw.kept.Serial = serial
	if gw.held != nil && gw.held.Serial < serial {
		gw.held = nil
	}
	n.keep(g)
}

func (n *Node) keep(g int) {
	if n.c.Keep != nil {
		n.c.Keep(g, n.gateways[g].kept)
	}
}

func (n *Node) feedBeacon(g int, msg []byte, m Ticks) (bool, *Error) {
	b, err := n.verifyBeacon(g, msg)
	if err != nil {
		return false, err
	}
	if err := n.clock.arrive(m); err != nil {
		return false, err
	}
	what, better, err := n.clock.beacon(g, m, &b.Statement)
	n.settled(g, msg, m, what, better, err)
	return better, err
}

// verifyBeacon makes all checks of a beacon that don't concern its arrival.
func (n *Node) verifyBeacon(g int, msg []byte) (Beacon, *Error) {
	gw := &n.gateways[g]
	if gw.Root == nil {
		return Beacon{}, n.withoutRoot(msg)
	}
	if gw.held == nil {
		e, err := open(msg, tagSign1)
		if err == nil && e.alg != int64(gw.Root.alg) {
			err = refuse(ReasonWrongAlg, "not the pinned key's algorithm")
		}
		if err == nil {
			err = refuse(ReasonUnknownKID, "no delegation is held")
		}
		return Beacon{}, err
	}
	b, err := verifyBeacon(msg, gw.held.Key, gw.Gateway, n.prover())
	if err != nil {
		return Beacon{}, err
	}
	if !gw.held.Covers(&b.Statement) {
		return Beacon{}, refuse(ReasonOutsideValidity, "its time lies outside its key's validity")
	}
	if n.belowFloor(&b.Statement, gw.kept.Floor) {
		return Beacon{}, refuse(ReasonBelowFloor, "")
	}
	return b, nil
}

// belowFloor reports whether t + E lies before a floor.
func (n *Node) belowFloor(s *Statement, floor uint32) bool {
	return n.clock.tai(s)+int64(s.MaxError) < int64(floor)*second
}

func (n *Node) feedResponse(g int, msg []byte, m Ticks) (bool, *Error) {
	gw := &n.gateways[g]
	if gw.mac == nil {
		return false, refuse(ReasonUnknownKID, "no node key is enrolled")
	}
	r, err := n.openResponse(g, msg)
	if err != nil {
		return false, err
	}
	if !gw.open || (r.Nonce != gw.nonce && !n.broken.nonce) {
		return false, refuse(ReasonNoNonce, "answers no open request")
	}
	if err := n.clock.arrive(m); err != nil {
		return false, err
	}
	gw.open = n.broken.nonce
	gw.unreplied = 0
	if n.late(gw, m) {
		return false, refuse(ReasonLate, "past the request's deadline")
	}
	n.sawSerial(g, r.Serial)
	if gw.Root != nil && gw.held == nil && gw.kept.Serial > gw.heldSerial {
		n.clock.alarms |= AlarmWithheld
	}
	if n.belowFloor(&r.Statement, gw.askFloor) {
		n.clock.alarms |= AlarmFloor
		return false, refuse(ReasonBelowFloor, "an authentic answer lies before the floor: enrol the node again if the floor is wrong")
	}
	what, better, err := n.clock.exchange(g, gw.askedAt, m, &r.Statement, r.Turnaround)
	n.settled(g, msg, m, what, better, err)
	return better, err
}

// openResponse verifies a response. Without the check of the kind anything authentic of the gateway
// counts as an answer.
func (n *Node) openResponse(g int, msg []byte) (Response, *Error) {
	gw := &n.gateways[g]
	if n.broken.kind && len(msg) > 0 && msg[0] == majorTag<<5|tagSign1 && gw.held != nil {
		b, err := verifyBeacon(msg, gw.held.Key, gw.Gateway, n.prover())
		return Response{Statement: b.Statement, Nonce: gw.nonce}, err
	}
	return openResponse(msg, gw.mac, n.prover())
}

// late judges in whole milliseconds.
func (n *Node) late(gw *nodeGateway, m Ticks) bool {
	d, unit := uint64(m-gw.askedAt), uint64(n.c.Rate.CountNanos)
	ms := d/1_000_000*unit + d%1_000_000*unit/1_000_000
	return ms > uint64(n.c.Deadline/time.Millisecond)
}

func (n *Node) prover() prover {
	if n.broken.signature {
		return credulous{n.crypto}
	}
	return n.crypto
}

// credulous believes every signature.
type credulous struct{ prover }

func (credulous) verify(*PublicKey, []byte, []byte) bool { return true }

// settled keeps the evidence and, where the interval got better, the floors.
func (n *Node) settled(g int, msg []byte, m Ticks, what ends, better bool, err *Error) {
	gw := &n.gateways[g]
	if !gw.frozen {
		if what.lo {
			gw.lo = keepUpTo(gw.lo, msg, evidenceLo)
		}
		if what.hi {
			gw.hi = keepUpTo(gw.hi, msg, evidenceHi)
		}
	}
	switch {
	case err != nil:
		for i := range n.gateways {
			if b := n.clock.gateways[i].interval; b.lo == LoUnknown && b.hi == HiUnknown {
				n.gateways[i].frozen = true
			}
		}
	case better:
		n.raiseFloors(m)
	}
}

func keepUpTo(dst, msg []byte, limit int) []byte {
	if len(msg) > limit {
		return dst[:0]
	}
	return append(dst[:0], msg...)
}

// raiseFloors moves the floors up to the combined lower end: by a day at least, and never beyond
// the end of the newest key.
func (n *Node) raiseFloors(m Ticks) {
	all, _ := n.clock.TAI(m)
	if all.Lo < 0 {
		return
	}
	for i := range n.gateways {
		gw := &n.gateways[i]
		floor := all.Lo / second
		if gw.everHeld {
			floor = min(floor, int64(gw.notAfter)+n.clock.gateways[i].leaps.taiOffset)
		}
		floor = min(floor, math.MaxUint32)
		if floor < int64(gw.kept.Floor)+secondsADay {
			continue
		}
		gw.kept.Floor = uint32(floor)
		n.keep(i)
	}
}

// Evidence returns the messages that made a gateway's lower and upper end, or the two that
// contradict each other while the alarm stands; empty where there is none, or where one is longer
// than those that are kept (144 and 128 bytes).
func (n *Node) Evidence(gateway int) (lower, upper []byte) {
	gw := &n.gateways[gateway]
	return append([]byte(nil), gw.lo...), append([]byte(nil), gw.hi...)
}

// ClearAlarms ends all alarms and frees the evidence of contradictions.
func (n *Node) ClearAlarms() {
	n.clock.ClearAlarms()
	for i := range n.gateways {
		if gw := &n.gateways[i]; gw.frozen {
			gw.frozen, gw.lo, gw.hi = false, gw.lo[:0], gw.hi[:0]
		}
	}
}

// Discontinuity tells that the clock did not count through; before any other call. Open requests
// are dropped.
func (n *Node) Discontinuity() {
	n.clock.Discontinuity()
	for i := range n.gateways {
		n.gateways[i].open = false
	}
}

// Request makes a request to a gateway and opens its nonce; m is read before the call, and the
// message is published after it. A new request closes the one before it. Errors: ErrNoKey,
// ErrNoRandom, and *Error with ReasonClock.
func (n *Node) Request(gateway int, m Ticks) ([]byte, error) {
	gw := &n.gateways[gateway]
	if gw.mac == nil {
		return nil, ErrNoKey
	}
	if err := n.clock.arrive(m); err != nil {
		return nil, err
	}
	gw.open = false
	q := Request{}
	if !n.freshNonce(gw, &q.Nonce) {
		return nil, ErrNoRandom
	}
	if b, _ := n.clock.TAI(m); b.Bounded() {
		if us := b.Width()/2000 + 1; us <= math.MaxUint32 {
			q.HalfWidth, q.HasHalfWidth = uint32(us), true
		}
	}
	gw.open, gw.nonce, gw.askedAt, gw.askFloor = true, q.Nonce, m, gw.kept.Floor
	gw.unreplied = min(gw.unreplied+1, maxUnreplied)
	return q.appendSealed(nil, gw.mac, n.crypto), nil
}

// freshNonce makes HMAC(node key, counter ‖ boot randomness), cut to 16 bytes. It never repeats:
// by the counter where numbers are reserved, else by the randomness.
func (n *Node) freshNonce(gw *nodeGateway, nonce *[NonceSize]byte) bool {
	if !n.seeded && n.c.Random != nil {
		_, err := io.ReadFull(n.c.Random, n.boot[:])
		n.seeded = err == nil
		if !n.seeded {
			n.boot = [16]byte{}
		}
	}
	if n.reserved == 0 && n.c.Reserve != nil {
		if first, err := n.c.Reserve(nonceBlock); err == nil {
			n.counter, n.reserved = first, nonceBlock
		}
	}
	if n.reserved == 0 && !n.seeded {
		return false
	}
	var input [24]byte
	binary.BigEndian.PutUint64(input[:], n.counter)
	copy(input[8:], n.boot[:])
	n.counter++
	if n.reserved > 0 {
		n.reserved--
	}
	var room [macSize]byte
	copy(nonce[:], n.crypto.mac(room[:0], gw.NodeKey, input[:]))
	return true
}

// Retry returns how long to wait before the next request to a gateway while it doesn't answer:
// spread over 16 s for the first one, then doubling from 2 s to 17 minutes, half of it at random.
// pick is a random number.
func (n *Node) Retry(gateway int, pick uint32) time.Duration {
	u := n.gateways[gateway].unreplied
	if u == 0 {
		return time.Duration(pick%16384) * time.Millisecond
	}
	span := uint32(1000) << u
	return time.Duration(span/2+pick%(span/2+1)) * time.Millisecond
}

// Topic returns the topic of a kind of message of a gateway, without a site's prefix.
func (n *Node) Topic(gateway int, kind Kind) string {
	gw := &n.gateways[gateway]
	t := "ntsgw/" + gw.Gateway + "/" + kind.String()
	switch {
	case kind == KindRequest || kind == KindResponse:
		t += "/" + gw.Node
	case gw.Root != nil && gw.Root.alg == ES256:
		t += "-es256"
	}
	return t
}

// Match tells what a topic carries, and whose it is.
func (n *Node) Match(topic string) (gateway int, kind Kind, ok bool) {
	for g := range n.gateways {
		for _, k := range []Kind{KindBeacon, KindDelegation, KindResponse} {
			if n.Topic(g, k) == topic {
				return g, k, true
			}
		}
	}
	return 0, 0, false
}
