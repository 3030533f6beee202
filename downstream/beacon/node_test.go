package beacon

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// bench is one node and one gateway on a table: real keys, a clock that is exact.
type bench struct {
	t      *testing.T
	root   *SigningKey
	online *SigningKey
	mac    *MACKey
	node   *Node
	now    int64 // true TAI, ns
	serial uint32
	flash  Kept
	ids    []Enrolment
}

const benchRho = 20_001 // ppb

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, root: signingKey(t, Ed25519, 1), online: signingKey(t, Ed25519, 2), mac: macKey(t, "gw1", "node-7", 1),
		now: 1_790_000_037 * second, serial: 1}
	key := NodeKey(secret(9), "gw1", "node-7", 1)
	b.ids = []Enrolment{{"gw1", "node-7", &key, 1, b.root.Public()}}
	b.boot()
	b.take(KindDelegation, b.delegation(), "")
	return b
}

func (b *bench) boot() {
	b.t.Helper()
	n, err := NewNode(NodeConfig{Enrolments: b.ids, Rate: Rate{1000, 1, benchRho}, Random: bytes.NewReader(secret(byte(b.now))),
		Keep: func(_ int, k Kept) { b.flash = k }})
	if err != nil {
		b.t.Fatal(err)
	}
	n.Restore(0, b.flash)
	b.node = n
}

func (b *bench) m() Ticks             { return Ticks(b.now / 1000) }
func (b *bench) pass(d time.Duration) { b.now += int64(d) }
func (b *bench) utc() uint32          { return uint32(b.now/second - 37) }
func (b *bench) statement() (s Statement) {
	return Statement{Seconds: b.utc(), Nanos: uint32(b.now % second), MaxError: time.Millisecond, State: discipline.Synchronized, Stratum: 2, TAIOffset: 37}
}

func (b *bench) delegation() []byte {
	d := Delegation{b.online.Public(), b.serial, b.utc() - 3600, b.utc() + 30*86400}
	return must2(b.t)(d.AppendSigned(nil, b.root, "gw1"))
}

func (b *bench) beacon(s Statement, by *SigningKey) []byte {
	m := Beacon{Statement: s, Sequence: 1, NextIn: 16}
	return must2(b.t)(m.AppendSigned(nil, by, "gw1"))
}

func (b *bench) answer(request []byte, s Statement) []byte {
	q, err := OpenRequest(request, b.mac)
	if err != nil {
		b.t.Fatal(err)
	}
	r := Response{Statement: s, Nonce: q.Nonce, Serial: b.serial}
	return must2(b.t)(r.AppendSealed(nil, b.mac))
}

func (b *bench) ask() []byte {
	b.t.Helper()
	msg, err := b.node.Request(0, b.m())
	if err != nil {
		b.t.Fatal(err)
	}
	return msg
}

func (b *bench) take(kind Kind, msg []byte, want Reason) {
	b.t.Helper()
	if _, err := b.node.Feed(0, kind, msg, b.m()); ReasonOf(err) != want {
		b.t.Errorf("%v: %v; want %q", kind, err, want)
	}
}

// exchange makes a good one over 10 ms each way.
func (b *bench) exchange() {
	b.t.Helper()
	q := b.ask()
	b.pass(10 * time.Millisecond)
	r := b.answer(q, b.statement())
	b.pass(10 * time.Millisecond)
	b.take(KindResponse, r, "")
}

func (b *bench) inside() {
	b.t.Helper()
	if i, _ := b.node.Clock().TAI(b.m()); !i.Contains(b.now) {
		b.t.Errorf("true time is outside [%d, %d]", i.Lo-b.now, i.Hi-b.now)
	}
}

func TestNodeKnowsOnlyWhatIsProved(t *testing.T) {
	b := newBench(t)
	if _, _, ok := b.node.Clock().Now(b.m()); ok || b.node.Clock().Know(b.m()) != NothingKnown {
		t.Error("a number before the first evidence")
	}
	b.take(KindBeacon, b.beacon(b.statement(), b.online), "")
	if _, _, ok := b.node.Clock().Now(b.m()); ok || b.node.Clock().Know(b.m()) != LowerBound {
		t.Error("a number without an upper bound")
	}
	b = newBench(t)
	b.exchange()
	if _, _, ok := b.node.Clock().Now(b.m()); !ok || b.node.Clock().Know(b.m()) != Bounded {
		t.Error("no number after an exchange")
	}
	i, _ := b.node.Clock().TAI(b.m())
	// 20 ms round trip at ρ, 2E, one tick and the rounding.
	if want := uint64(20_000_000 + 400_020/1000 + 2_000_000 + 1000 + 10); i.Width() > want || i.Width() < 22_000_000 {
		t.Errorf("%d ns wide, want %d at most", i.Width(), want)
	}
	b.inside()
	b.pass(time.Hour)
	after, _ := b.node.Clock().TAI(b.m())
	if grown := after.Width() - i.Width(); grown > 144_010_000+3000 || grown < 144_000_000 {
		t.Errorf("an hour at 20 ppm made it %d ns wider", grown)
	}
	b.inside()
	b.node.Discontinuity()
	b.pass(time.Hour)
	if b.node.Clock().Know(b.m()) != LowerBound {
		t.Error("an upper bound after uncounted sleep")
	}
	b.take(KindBeacon, b.beacon(b.statement(), b.online), "")
	b.exchange()
	b.inside()
}

func TestAnswersCountOnceInTimeAndToTheirRequest(t *testing.T) {
	b := newBench(t)
	q := b.ask()
	r := b.answer(q, b.statement())
	b.take(KindResponse, r, "")
	b.take(KindResponse, r, ReasonNoNonce)
	first := b.answer(b.ask(), b.statement())
	b.ask()
	b.take(KindResponse, first, ReasonNoNonce)
	r = b.answer(b.ask(), b.statement())
	b.pass(10*time.Second + 2*time.Millisecond)
	b.take(KindResponse, r, ReasonLate)
	r = b.answer(b.ask(), b.statement())
	b.node.Discontinuity()
	b.take(KindResponse, r, ReasonNoNonce)
	seen := map[string]bool{}
	for range 200 {
		q, err := OpenRequest(b.ask(), b.mac)
		if err != nil || seen[string(q.Nonce[:])] {
			t.Fatalf("nonce repeated, or %v", err)
		}
		seen[string(q.Nonce[:])] = true
	}
}

func TestRotationTheftAndRecovery(t *testing.T) {
	b := newBench(t)
	b.exchange()
	stolen, old := b.online, b.delegation()
	// The thief states a time in the key's validity, but in the future: lo goes wrong...
	s := b.statement()
	s.Seconds += 5 * 86400
	b.take(KindBeacon, b.beacon(s, stolen), ReasonContradiction)
	if b.node.Clock().Alarms()&AlarmContradiction == 0 {
		t.Error("no alarm")
	}
	if lower, upper := b.node.Evidence(0); len(lower) == 0 || len(upper) == 0 {
		t.Errorf("evidence of %d and %d bytes", len(lower), len(upper))
	}
	// … until the gateway rotates, and an answer names the new serial.
	b.online, b.serial = signingKey(t, Ed25519, 3), 2
	b.exchange()
	if b.node.Clock().Alarms()&AlarmWithheld == 0 {
		t.Error("nobody notices that the delegation is withheld")
	}
	b.take(KindBeacon, b.beacon(s, stolen), ReasonUnknownKID)
	b.take(KindDelegation, old, ReasonOldSerial)
	b.take(KindDelegation, b.delegation(), "")
	if b.node.Clock().Alarms()&AlarmWithheld != 0 {
		t.Error("the alarm stays after the delegation came")
	}
	b.take(KindBeacon, b.beacon(b.statement(), b.online), "")
	b.inside()
	s = b.statement()
	s.Seconds += 31 * 86400
	b.take(KindBeacon, b.beacon(s, b.online), ReasonOutsideValidity)
	b.node.ClearAlarms()
	if b.node.Clock().Alarms() != 0 {
		t.Error("alarms stay")
	}
	b.inside()
}

func TestFloorOutlivesAReboot(t *testing.T) {
	b := newBench(t)
	b.exchange()
	floor := b.flash.Floor
	if int64(floor) > b.now/second || int64(floor) < b.now/second-1 {
		t.Fatalf("floor %d at %d", floor, b.now/second)
	}
	old := b.beacon(b.statement(), b.online)
	oldDelegation := b.delegation()
	b.pass(23 * time.Hour)
	b.exchange()
	if b.flash.Floor != floor {
		t.Error("written again within a day")
	}
	b.pass(2 * time.Hour)
	b.exchange()
	if b.flash.Floor <= floor {
		t.Error("not raised after a day")
	}
	b.boot()
	b.take(KindDelegation, oldDelegation, "")
	b.take(KindBeacon, old, ReasonBelowFloor)
	// An authentic answer of the past: the floor, or the gateway, is wrong.
	b.now -= 3 * int64(24*time.Hour)
	r := b.answer(b.ask(), b.statement())
	b.take(KindResponse, r, ReasonBelowFloor)
	if b.node.Clock().Alarms()&AlarmFloor == 0 {
		t.Error("no alarm")
	}
	// A new enrolment clears it.
	b.flash = Kept{}
	b.boot()
	b.exchange()
	b.inside()
}

func TestFloorIsNeverBeyondTheKeysEnd(t *testing.T) {
	b := newBench(t)
	s := b.statement()
	b.serial = 2
	b.online = signingKey(t, Ed25519, 3)
	d := Delegation{b.online.Public(), 2, s.Seconds - 86400, s.Seconds - 10}
	b.take(KindDelegation, must2(t)(d.AppendSigned(nil, b.root, "gw1")), "")
	b.exchange()
	if want := s.Seconds - 10 + 37; b.flash.Floor > want {
		t.Errorf("floor %d beyond the end %d of the newest key", b.flash.Floor, want)
	}
}

func TestMarzulloCounterexample(t *testing.T) {
	// Two honest, wide intervals and a lie that meets one of them where truth is not. The region that most
	// intervals cover is [9, 10]; truth is at 5.
	all := []Bounds{{0, 6}, {4, 10}, {9, 12}}
	got, ok := hull(all, 2)
	if !ok || !got.Contains(5) {
		t.Errorf("%v, %v", got, ok)
	}
	if got != (Bounds{4, 10}) {
		t.Errorf("%v, want the hull of what two cover", got)
	}
	if _, ok := hull([]Bounds{{0, 1}, {2, 3}, {4, 5}}, 2); ok {
		t.Error("agreement where there is none")
	}
	if got, ok := hull([]Bounds{{5, HiUnknown}, {LoUnknown, HiUnknown}, {1, 9}}, 2); !ok || got != (Bounds{1, HiUnknown}) {
		t.Errorf("one silent, one with beacons only: %v, %v", got, ok)
	}
}

func TestMonotonicNeverGoesBack(t *testing.T) {
	b := newBench(t)
	b.exchange()
	var mono Monotonic
	last := time.Time{}
	for i := range 400 {
		b.pass(100 * time.Millisecond)
		switch {
		case i == 50: // a bad path: the estimate jumps about
			q := b.ask()
			b.pass(2 * time.Second)
			b.take(KindResponse, b.answer(q, b.statement()), "")
		case i%60 == 0:
			b.exchange()
		}
		now, inside, ok := mono.Now(b.node.Clock(), b.m())
		if !ok || now.Before(last) {
			t.Fatalf("%v after %v (%v)", now, last, ok)
		}
		if i, _ := b.node.Clock().TAI(b.m()); inside != i.Contains(now.UnixNano()+37*second) {
			t.Errorf("says inside: %v", inside)
		}
		last = now
	}
}

func TestClockReadingBackwardsIsRefused(t *testing.T) {
	b := newBench(t)
	b.exchange()
	before, _ := b.node.Clock().TAI(b.m())
	msg := b.beacon(b.statement(), b.online)
	if _, err := b.node.Feed(0, KindBeacon, msg, b.m()-1_000_000); ReasonOf(err) != ReasonClock {
		t.Errorf("%v", err)
	}
	if after, _ := b.node.Clock().TAI(b.m()); after != before {
		t.Error("and it changed something")
	}
	if _, err := b.node.Request(0, b.m()-1_000_000); ReasonOf(err) != ReasonClock {
		t.Errorf("%v", err)
	}
}

func TestWithoutFreshNoncesThereAreNoExchanges(t *testing.T) {
	b := newBench(t)
	n, err := NewNode(NodeConfig{Enrolments: b.ids, Rate: Rate{1000, 1, benchRho}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Request(0, 1); !errors.Is(err, ErrNoRandom) {
		t.Errorf("%v", err)
	}
	ids := []Enrolment{b.ids[0]}
	ids[0].NodeKey = nil
	n, err = NewNode(NodeConfig{Enrolments: ids, Rate: Rate{1000, 1, benchRho}, Random: bytes.NewReader(secret(1))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Request(0, 1); !errors.Is(err, ErrNoKey) {
		t.Errorf("%v", err)
	}
}

func TestTopics(t *testing.T) {
	b := newBench(t)
	for kind, want := range map[Kind]string{
		KindBeacon: "ntsgw/gw1/beacon", KindDelegation: "ntsgw/gw1/key", KindRequest: "ntsgw/gw1/req/node-7", KindResponse: "ntsgw/gw1/resp/node-7",
	} {
		if got := b.node.Topic(0, kind); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if _, k, ok := b.node.Match(want); ok != (kind != KindRequest) || (ok && k != kind) {
			t.Errorf("%s: %v, %v", want, k, ok)
		}
	}
}

func TestExchangeInIsWhenTheWidthIsReached(t *testing.T) {
	b := newBench(t)
	if b.node.Clock().ExchangeIn(b.m(), time.Second) != 0 {
		t.Error("not due without an interval")
	}
	b.exchange()
	const limit = 60 * time.Millisecond
	in := b.node.Clock().ExchangeIn(b.m(), limit)
	b.pass(in - time.Millisecond)
	if i, _ := b.node.Clock().TAI(b.m()); i.Width() > uint64(limit) {
		t.Errorf("%d ns wide already", i.Width())
	}
	b.pass(time.Second)
	if i, _ := b.node.Clock().TAI(b.m()); i.Width() < uint64(limit) {
		t.Errorf("still only %d ns wide", i.Width())
	}
}

func TestRhoFromADataSheet(t *testing.T) {
	for ppm, want := range map[float64]uint32{20: 20_001, 0: 0, 5000: 5_025_126} {
		if got := RhoFromPPM(ppm); got != want {
			t.Errorf("%v ppm: %d, want %d", ppm, got, want)
		}
	}
}
