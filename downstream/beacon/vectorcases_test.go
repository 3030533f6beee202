package beacon

import (
	"bytes"
	"testing"
)

const (
	vectorGateway = "gw1"
	vectorNode    = "node-7"
)

// vectorCase is one message with the verdict on it.
type vectorCase struct {
	name     string
	kind     Kind
	key      string // of vectorKeys: whose public half judges it; "node" for MACs
	msg      []byte
	reason   Reason    // "" when it is to be accepted
	validity [2]uint32 // of the key that signed a beacon; {0, 0}: not asked
}

// vectorKeys are the signing keys of the vectors, by name.
func vectorKeys(t testing.TB) map[string]*SigningKey {
	return map[string]*SigningKey{
		"root-ed25519":   signingKey(t, Ed25519, 0x11),
		"online-ed25519": signingKey(t, Ed25519, 0x22),
		"other-ed25519":  signingKey(t, Ed25519, 0x33),
		"root-es256":     signingKey(t, ES256, 0x44),
		"online-es256":   signingKey(t, ES256, 0x55),
	}
}

func vectorNodeKey(t testing.TB, gateway, node string, generation uint32) *MACKey {
	k, err := NewMACKey(NodeKey(secret(0x66), gateway, node, generation), gateway, node, generation)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// vectorCases is every message of the vectors, in order.
func vectorCases(t testing.TB) []vectorCase {
	var cs []vectorCase
	cs = append(cs, legalCases(t)...)
	cs = append(cs, coseCases(t)...)
	cs = append(cs, payloadCases(t)...)
	cs = append(cs, delegationCases(t)...)
	cs = append(cs, macCases(t)...)
	return cs
}

func must(t testing.TB, b []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func legalCases(t testing.TB) (cs []vectorCase) {
	keys, node := vectorKeys(t), vectorNodeKey(t, vectorGateway, vectorNode, 1)
	add := func(name string, kind Kind, key string, msg []byte) {
		cs = append(cs, vectorCase{name: name, kind: kind, key: key, msg: msg})
	}
	for _, alg := range []string{"ed25519", "es256"} {
		online, root := keys["online-"+alg], keys["root-"+alg]
		b := Beacon{Statement: statement(), Sequence: 7, NextIn: 16}
		add("beacon-"+alg, KindBeacon, "online-"+alg, must2(t)(b.AppendSigned(nil, online, vectorGateway)))
		b = Beacon{Statement: largestStatement(), Sequence: 1<<32 - 1, NextIn: 1<<16 - 1}
		add("beacon-largest-"+alg, KindBeacon, "online-"+alg, must2(t)(b.AppendSigned(nil, online, vectorGateway)))
		d := Delegation{Key: online.Public(), Serial: 3, NotBefore: 1_789_000_000, NotAfter: 1_791_592_000}
		add("delegation-"+alg, KindDelegation, "root-"+alg, must2(t)(d.AppendSigned(nil, root, vectorGateway)))
		d = Delegation{Key: online.Public(), Serial: 1<<32 - 1, NotBefore: 1<<32 - 1, NotAfter: 1<<32 - 1}
		add("delegation-largest-"+alg, KindDelegation, "root-"+alg, must2(t)(d.AppendSigned(nil, root, vectorGateway)))
	}
	smallest := Beacon{Statement: Statement{State: 2, Stratum: 1}}
	add("beacon-smallest", KindBeacon, "online-ed25519", must2(t)(smallest.AppendSigned(nil, keys["online-ed25519"], vectorGateway)))
	deleted := Beacon{Statement: statement(), Sequence: 8, NextIn: 16}
	deleted.Leap, deleted.State = -1, 3
	add("beacon-leap-deleted-holdover", KindBeacon, "online-ed25519", must2(t)(deleted.AppendSigned(nil, keys["online-ed25519"], vectorGateway)))

	add("request", KindRequest, "node", (&Request{Nonce: [16]byte(fill(16, 3))}).AppendSealed(nil, node))
	add("request-telemetry", KindRequest, "node", (&Request{Nonce: [16]byte(fill(16, 3)), HalfWidth: 25_000, HasHalfWidth: true}).AppendSealed(nil, node))
	add("request-largest", KindRequest, "node", (&Request{Nonce: [16]byte(fill(16, 255)), HalfWidth: 1<<32 - 1, HasHalfWidth: true}).AppendSealed(nil, node))
	add("response", KindResponse, "node", must2(t)((&Response{Statement: statement(), Nonce: [16]byte(fill(16, 3)), Turnaround: 812_345, Serial: 3}).AppendSealed(nil, node)))
	add("response-largest", KindResponse, "node", must2(t)((&Response{Statement: largestStatement(), Nonce: [16]byte(fill(16, 255)), Turnaround: 1<<32 - 1, Serial: 1<<32 - 1}).AppendSealed(nil, node)))

	// What a later version may add is passed over.
	for _, c := range skippedCases() {
		add("skip-"+c.name, KindBeacon, "online-ed25519", sign1(t, keys["online-ed25519"], KindBeacon, vectorGateway, payloadOf(c.entries...), nil))
	}
	d := delegationEntries(keys["online-ed25519"].Public())
	add("skip-in-delegation", KindDelegation, "root-ed25519", sign1(t, keys["root-ed25519"], KindDelegation, vectorGateway,
		payloadOf(plus(d, kv(5, num(1)), kv(-1, bstr(fill(3, 1))))...), nil))

	// A key's validity, to the nanosecond at its end.
	for _, c := range []struct {
		name     string
		validity [2]uint32
		reason   Reason
	}{
		{"validity-inside", [2]uint32{1_790_000_000, 1_790_000_001}, ""},
		{"validity-not-yet", [2]uint32{1_790_000_001, 1_800_000_000}, ReasonOutsideValidity},
		{"validity-past", [2]uint32{1_780_000_000, 1_790_000_000}, ReasonOutsideValidity}, // by 123,456,789 ns
		{"validity-long-past", [2]uint32{1_700_000_000, 1_702_592_000}, ReasonOutsideValidity},
	} {
		b := Beacon{Statement: statement(), Sequence: 7, NextIn: 16}
		cs = append(cs, vectorCase{c.name, KindBeacon, "online-ed25519",
			must2(t)(b.AppendSigned(nil, keys["online-ed25519"], vectorGateway)), c.reason, c.validity})
	}
	exact := Beacon{Statement: statement(), Sequence: 7, NextIn: 16}
	exact.Nanos = 0
	cs = append(cs, vectorCase{"validity-last-moment", KindBeacon, "online-ed25519",
		must2(t)(exact.AppendSigned(nil, keys["online-ed25519"], vectorGateway)), "", [2]uint32{1_780_000_000, 1_790_000_000}})
	return cs
}

// must2 takes a function's results as they come.
func must2(t testing.TB) func([]byte, error) []byte {
	return func(b []byte, err error) []byte { return must(t, b, err) }
}

type namedEntries struct {
	name    string
	entries []entry
}

// skippedCases are beacons with keys that version 1 doesn't list.
func skippedCases() []namedEntries {
	b := beaconEntries()
	deep := func(n int) []byte { return cat(bytes.Repeat(arrayOf(1), n), num(0)) }
	at := func(e entry) []entry { return plus(b, e) }
	inTime := func(es ...entry) []entry { return with(b, 1, timeOf(es...)) }
	sec, gua, nan := kv(1, num(1_790_000_000)), kv(-8, guaranteeOf()), kv(-9, num(123_456_789))
	return []namedEntries{
		{"unsigned-key", at(kv(14, num(1)))},
		{"key-12", at(kv(12, num(1)))},
		{"key-zero", append([]entry{kv(0, num(1))}, b...)},
		{"large-key", at(entry{raw(0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), num(1)})},
		{"key-32", at(kv(32, num(1)))},
		{"key-33", at(kv(33, num(1)))},
		{"key-65-and-257", plus(b, kv(65, num(1)), kv(257, num(1)))},
		{"negative-key", at(kv(-1, num(1)))},
		{"least-negative-key", at(entry{raw(0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), num(1)})},
		{"bytes", at(kv(14, bstr(fill(20, 1))))},
		{"text", at(kv(14, appendText(nil, "later")))},
		{"false-true-null-undefined", at(kv(14, cat(arrayOf(4), raw(0xf4, 0xf5, 0xf6, 0xf7))))},
		{"simple-255", at(kv(14, raw(0xf8, 0xff)))},
		{"half-float", at(kv(14, raw(0xf9, 0x3c, 0x00)))},
		{"single-float", at(kv(14, raw(0xfa, 0x47, 0xc3, 0x50, 0x00)))},                         // 100000.0
		{"double-float", at(kv(14, raw(0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a)))}, // 1.1
		{"empty-containers", at(kv(14, cat(arrayOf(2), arrayOf(0), mapOf(0))))},
		{"depth-4", at(kv(14, deep(4)))},
		{"depth-4-tags-and-maps", at(kv(14, cat(tagged(99), mapOf(1), num(1), tagged(98), arrayOf(1), num(2))))},
		{"map-in-order", at(kv(14, cat(mapOf(3), num(10), num(0), num(100), num(0), num(-1), num(0))))},
		{"time-negative-before", inTime(sec, kv(-3, num(5)), gua, nan)},
		{"time-negative-after", inTime(sec, gua, nan, kv(-10, appendText(nil, "x")))},
	}
}

func coseCases(t testing.TB) (cs []vectorCase) {
	keys, node := vectorKeys(t), vectorNodeKey(t, vectorGateway, vectorNode, 1)
	online := keys["online-ed25519"]
	payload := payloadOf(beaconEntries()...)
	good := sign1(t, online, KindBeacon, vectorGateway, payload, nil)
	add := func(name string, msg []byte, r Reason) {
		cs = append(cs, vectorCase{name: "cose-" + name, kind: KindBeacon, key: "online-ed25519", msg: msg, reason: r})
	}
	edit := func(f func(*crafted)) []byte { return sign1(t, online, KindBeacon, vectorGateway, payload, f) }
	kid := online.pub.kid[:]

	add("empty", nil, ReasonMalformed)
	add("cut-short", good[:len(good)-1], ReasonMalformed)
	add("half", good[:len(good)/2], ReasonMalformed)
	add("one-byte-more", cat(good, raw(0)), ReasonMalformed)
	add("longer-than-any", cat(good, fill(201-len(good), 0)), ReasonSize)
	add("untagged", good[1:], ReasonMalformed)
	add("other-tag", edit(func(c *crafted) { c.tag = 98 }), ReasonMalformed)
	add("tag-not-shortest", cat(raw(0xd8, 18), good[1:]), ReasonMalformed)
	add("mac-in-place-of-signature", mac0(node, KindBeacon, payload, nil), ReasonWrongKind)
	add("array-of-three", edit(func(c *crafted) { c.items = 3 }), ReasonMalformed)
	add("array-of-five", cat(edit(func(c *crafted) { c.items = 5 }), num(0)), ReasonMalformed)
	add("array-indefinite", cat(raw(0xd2, 0x9f), good[2:], raw(0xff)), ReasonMalformed)
	add("unprotected-header", edit(func(c *crafted) { c.unprotected = cat(mapOf(1), num(5), num(1)) }), ReasonMalformed)
	add("detached-payload", edit(func(c *crafted) { c.payload = raw(0xf6) }), ReasonMalformed)
	add("payload-length-not-shortest", edit(func(c *crafted) {
		c.payload = cat(raw(0x59, 0, byte(len(payload))), payload)
	}), ReasonMalformed)
	add("signature-short", edit(func(c *crafted) { c.proof = fill(63, 1) }), ReasonMalformed)
	add("signature-long", edit(func(c *crafted) { c.proof = fill(65, 1) }), ReasonMalformed)
	add("header-empty", edit(func(c *crafted) { c.protected = nil }), ReasonMalformed)
	add("header-without-kid", edit(func(c *crafted) { c.protected = cat(mapOf(1), num(1), num(-19)) }), ReasonMalformed)
	add("header-without-alg", edit(func(c *crafted) { c.protected = cat(mapOf(1), num(4), bstr(kid)) }), ReasonMalformed)
	add("header-with-more", edit(func(c *crafted) {
		c.protected = cat(mapOf(3), num(1), num(-19), num(4), bstr(kid), num(5), num(0))
	}), ReasonMalformed)
	add("header-out-of-order", edit(func(c *crafted) {
		c.protected = cat(mapOf(2), num(4), bstr(kid), num(1), num(-19))
	}), ReasonMalformed)
	add("header-alg-as-text", edit(func(c *crafted) {
		c.protected = cat(mapOf(2), num(1), appendText(nil, "Ed25519"), num(4), bstr(kid))
	}), ReasonMalformed)
	add("header-followed", edit(func(c *crafted) { c.protected = append(c.protected, 0) }), ReasonMalformed)
	add("alg-none", edit(func(c *crafted) { c.protected = appendProtected(nil, 0, kid) }), ReasonWrongAlg)
	add("alg-eddsa", edit(func(c *crafted) { c.protected = appendProtected(nil, -8, kid) }), ReasonWrongAlg)
	add("alg-es256", edit(func(c *crafted) { c.protected = appendProtected(nil, ES256, kid) }), ReasonWrongAlg)
	add("alg-hmac", edit(func(c *crafted) { c.protected = appendProtected(nil, HMAC256, kid) }), ReasonWrongAlg)
	add("alg-old-es256", edit(func(c *crafted) { c.protected = appendProtected(nil, -7, kid) }), ReasonWrongAlg)
	add("kid-of-another-key", edit(func(c *crafted) {
		c.protected = appendProtected(nil, Ed25519, keys["other-ed25519"].pub.kid[:])
	}), ReasonUnknownKID)
	add("kid-short", edit(func(c *crafted) { c.protected = appendProtected(nil, Ed25519, kid[:7]) }), ReasonUnknownKID)
	add("kid-collides", sign1(t, keys["other-ed25519"], KindBeacon, vectorGateway, payload, func(c *crafted) {
		c.protected = appendProtected(nil, Ed25519, kid)
	}), ReasonBadSignature)
	add("bit-in-payload", flip(good, 20), ReasonBadSignature)
	add("bit-in-signature", flip(good, len(good)-1), ReasonBadSignature)
	add("signature-of-zeros", edit(func(c *crafted) { c.proof = fill(64, 0) }), ReasonBadSignature)
	add("scalar-not-reduced", unreduced(good), ReasonBadSignature)
	add("other-gateway", sign1(t, online, KindBeacon, "gw2", payload, nil), ReasonBadSignature)
	add("gateway-cut", sign1(t, online, KindBeacon, "gw", payload, nil), ReasonBadSignature)
	add("other-version", edit(func(c *crafted) { c.external = []byte("ntsgw/2/beacon/gw1") }), ReasonBadSignature)
	add("no-external-data", edit(func(c *crafted) { c.external = []byte{} }), ReasonBadSignature)
	add("signed-as-delegation", sign1(t, online, KindDelegation, vectorGateway, payload, nil), ReasonBadSignature)
	add("signed-as-response", sign1(t, online, KindResponse, vectorGateway, payload, nil), ReasonBadSignature)

	ec := keys["online-es256"]
	addES := func(name string, msg []byte, r Reason) {
		cs = append(cs, vectorCase{name: "es256-" + name, kind: KindBeacon, key: "online-es256", msg: msg, reason: r})
	}
	goodES := sign1(t, ec, KindBeacon, vectorGateway, payload, nil)
	editES := func(f func(*crafted)) []byte { return sign1(t, ec, KindBeacon, vectorGateway, payload, f) }
	addES("bit-in-r", flip(goodES, len(goodES)-64), ReasonBadSignature)
	addES("bit-in-s", flip(goodES, len(goodES)-1), ReasonBadSignature)
	addES("zeros", editES(func(c *crafted) { c.proof = fill(64, 0) }), ReasonBadSignature)
	addES("ones", editES(func(c *crafted) { c.proof = fill(64, 255) }), ReasonBadSignature)
	addES("alg-ed25519", editES(func(c *crafted) { c.protected = appendProtected(nil, Ed25519, ec.pub.kid[:]) }), ReasonWrongAlg)
	addES("other-gateway", sign1(t, ec, KindBeacon, "gw2", payload, nil), ReasonBadSignature)
	return cs
}

// flip turns the lowest bit of the byte at i.
func flip(msg []byte, i int) []byte {
	b := bytes.Clone(msg)
	b[i] ^= 1
	return b
}

// unreduced adds the group's order to S of an Ed25519 signature: RFC 8032 §5.1.7 refuses it.
func unreduced(msg []byte) []byte {
	order := []byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	b := bytes.Clone(msg)
	s, carry := b[len(b)-32:], 0
	for i := range s {
		v := int(s[i]) + int(order[i]) + carry
		s[i], carry = byte(v), v>>8
	}
	return b
}

func payloadCases(t testing.TB) (cs []vectorCase) {
	online, node := vectorKeys(t)["online-ed25519"], vectorNodeKey(t, vectorGateway, vectorNode, 1)
	b := beaconEntries()
	add := func(name string, payload []byte) {
		cs = append(cs, vectorCase{name: "payload-" + name, kind: KindBeacon, key: "online-ed25519",
			msg: sign1(t, online, KindBeacon, vectorGateway, payload, nil), reason: ReasonMalformed})
	}
	set := func(name string, key int64, value []byte) { add(name, payloadOf(with(b, key, value)...)) }

	for key := int64(1); key <= 8; key++ {
		add("without-"+string(rune('0'+key)), payloadOf(without(b, key)...))
	}
	add("empty", nil)
	add("empty-map", mapOf(0))
	add("array", cat(arrayOf(1), num(1)))
	add("cut-short", payloadOf(b...)[:40])
	add("followed", cat(payloadOf(b...), num(0)))
	add("map-longer-than-said", cat(mapOf(7), payloadOf(b...)[1:]))
	add("map-shorter-than-said", cat(mapOf(9), payloadOf(b...)[1:]))
	add("map-indefinite", cat(raw(0xbf), payloadOf(b...)[1:], raw(0xff)))
	add("map-length-not-shortest", cat(raw(0xb8, 8), payloadOf(b...)[1:]))
	add("map-length-huge", cat(raw(0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), payloadOf(b...)[1:]))
	add("key-repeated", payloadOf(before(b, 4, kv(3, num(7)))...))
	add("unlisted-key-repeated", payloadOf(plus(b, kv(14, num(1)), kv(14, num(1)))...))
	add("keys-out-of-order", payloadOf(plus(without(b, 3), kv(3, num(7)))...))
	add("unlisted-out-of-order", payloadOf(append([]entry{kv(14, num(1))}, b...)...))
	add("negative-before-unsigned", payloadOf(append([]entry{kv(-1, num(1))}, b...)...))
	add("key-not-shortest", payloadOf(append([]entry{{raw(0x18, 1), timeOf()}}, without(b, 1)...)...))
	add("key-text", payloadOf(plus(b, entry{appendText(nil, "a"), num(1)})...))
	add("key-bytes", payloadOf(plus(b, entry{bstr(raw(1)), num(1)})...))
	add("nonce-in-beacon", payloadOf(plus(b, kv(9, bstr(fill(16, 1))))...))
	add("elapsed-in-beacon", payloadOf(plus(b, kv(10, num(1)))...))
	add("serial-in-beacon", payloadOf(plus(b, kv(11, num(1)))...))
	add("telemetry-in-beacon", payloadOf(plus(b, kv(13, num(1)))...))

	set("epoch-7-bytes", 2, bstr(fill(7, 1)))
	set("epoch-9-bytes", 2, bstr(fill(9, 1)))
	set("epoch-text", 2, appendText(nil, "12345678"))
	set("epoch-indefinite", 2, cat(raw(0x5f), bstr(fill(8, 1)), raw(0xff)))
	set("sequence-2^32", 3, num(1<<32))
	set("sequence-negative", 3, num(-1))
	set("sequence-not-shortest", 3, raw(0x18, 7))
	set("sequence-float", 3, raw(0xf9, 0x47, 0))
	set("sequence-tagged", 3, cat(tagged(2), bstr(raw(7))))
	set("state-0", 4, num(0))
	set("state-3", 4, num(3))
	set("state-true", 4, raw(0xf5))
	set("stratum-0", 5, num(0))
	set("stratum-16", 5, num(16))
	set("leap-3", 6, num(3))
	set("leap-minus-2", 6, num(-2))
	set("leap-null", 6, raw(0xf6))
	set("tai-256", 7, num(256))
	set("tai-negative", 7, num(-1))
	set("next-65536", 8, num(1<<16))
	set("next-2^64-1", 8, raw(0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))

	sec, gua, nan := kv(1, num(1_790_000_000)), kv(-8, guaranteeOf()), kv(-9, num(123_456_789))
	time := func(name string, es ...entry) { set("time-"+name, 1, timeOf(es...)) }
	set("time-untagged", 1, timeOf()[3:])
	set("time-tag-1", 1, cat(tagged(1), num(1_790_000_000)))
	set("time-tag-1002", 1, cat(tagged(1002), timeOf()[3:]))
	set("time-tag-not-shortest", 1, cat(raw(0xda, 0, 0, 0x03, 0xe9), timeOf()[3:]))
	time("without-seconds", gua, nan)
	time("without-guarantee", sec, nan)
	time("without-nanoseconds", sec, gua)
	time("out-of-order", sec, nan, gua)
	time("seconds-2^32", kv(1, num(1<<32)), gua, nan)
	time("seconds-negative", kv(1, num(-1)), gua, nan)
	time("seconds-float", kv(1, raw(0xfb, 0x41, 0xda, 0xac, 0x4c, 0xe0, 0, 0, 0)), gua, nan)
	time("nanoseconds-10^9", sec, gua, kv(-9, num(1_000_000_000)))
	time("nanoseconds-negative", sec, gua, kv(-9, num(-1)))
	time("critical-key", sec, kv(14, num(1)), gua, nan)
	time("critical-timescale", sec, kv(13, num(1)), gua, nan)
	time("decimal-fraction-key", sec, kv(4, num(1)), gua, nan)
	time("key-text", sec, gua, nan, entry{appendText(nil, "a"), num(1)})
	time("key-repeated", sec, gua, nan, nan)
	time("skipped-too-deep", sec, gua, nan, kv(-10, cat(bytes.Repeat(arrayOf(1), 5), num(0))))
	guarantee := func(name string, v []byte) { time("guarantee-"+name, sec, kv(-8, v), nan) }
	guarantee("number", num(1))
	guarantee("tagged", cat(tagged(1002), guaranteeOf()))
	guarantee("without-seconds", guaranteeOf(kv(-9, num(1))))
	guarantee("without-nanoseconds", guaranteeOf(kv(1, num(1))))
	guarantee("65536-s", guaranteeOf(kv(1, num(1<<16)), kv(-9, num(0))))
	guarantee("negative", guaranteeOf(kv(1, num(-1)), kv(-9, num(0))))
	guarantee("10^9-ns", guaranteeOf(kv(1, num(0)), kv(-9, num(1_000_000_000))))
	guarantee("unknown-negative", guaranteeOf(kv(1, num(0)), kv(-9, num(1)), kv(-10, num(1))))
	guarantee("unknown-between", guaranteeOf(kv(1, num(0)), kv(-8, num(1)), kv(-9, num(1))))
	guarantee("milliseconds", guaranteeOf(kv(1, num(0)), kv(-3, num(1))))
	guarantee("out-of-order", guaranteeOf(kv(-9, num(0)), kv(1, num(1))))

	skip := func(name string, v []byte) { add("skipped-"+name, payloadOf(plus(b, kv(14, v))...)) }
	skip("too-deep", cat(bytes.Repeat(arrayOf(1), 5), num(0)))
	skip("too-deep-empty", cat(bytes.Repeat(arrayOf(1), 4), arrayOf(0)))
	skip("depth-50", cat(bytes.Repeat(arrayOf(1), 40), num(0)))
	skip("tags-too-deep", cat(bytes.Repeat(raw(0xc1), 5), num(0)))
	skip("number-not-shortest", raw(0x18, 1))
	skip("indefinite-array", raw(0x9f, 1, 0xff))
	skip("indefinite-text", raw(0x7f, 0x61, 'a', 0xff))
	skip("break", raw(0xff))
	skip("reserved-length", raw(0x1c))
	skip("array-longer-than-message", raw(0x9a, 0xff, 0xff, 0xff, 0xff))
	skip("map-longer-than-message", raw(0xbb, 0x80, 0, 0, 0, 0, 0, 0, 1))
	skip("bytes-longer-than-message", raw(0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
	skip("map-out-of-order", cat(mapOf(2), num(2), num(0), num(1), num(0)))
	skip("map-key-repeated", cat(mapOf(2), num(1), num(0), num(1), num(0)))
	skip("simple-in-two-bytes", raw(0xf8, 0x14))
	skip("single-not-shortest", raw(0xfa, 0x3f, 0x80, 0, 0))
	skip("double-not-shortest", raw(0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0))
	skip("nothing", nil)

	r := responseEntries()
	addMAC := func(name string, kind Kind, payload []byte) {
		cs = append(cs, vectorCase{name: "payload-" + name, kind: kind, key: "node", msg: mac0(node, kind, payload, nil), reason: ReasonMalformed})
	}
	for _, key := range []int64{1, 2, 4, 5, 6, 7, 9, 10, 11} {
		addMAC("response-without-"+string(rune('a'+key-1)), KindResponse, payloadOf(without(r, key)...))
	}
	addMAC("response-nonce-15", KindResponse, payloadOf(with(r, 9, bstr(fill(15, 3)))...))
	addMAC("response-elapsed-2^32", KindResponse, payloadOf(with(r, 10, num(1<<32))...))
	addMAC("response-elapsed-negative", KindResponse, payloadOf(with(r, 10, num(-1))...))
	addMAC("response-serial-2^32", KindResponse, payloadOf(with(r, 11, num(1<<32))...))
	addMAC("response-with-sequence", KindResponse, payloadOf(before(r, 4, kv(3, num(1)))...))
	addMAC("response-with-next", KindResponse, payloadOf(before(r, 9, kv(8, num(1)))...))
	addMAC("response-with-telemetry", KindResponse, payloadOf(plus(r, kv(13, num(1)))...))
	addMAC("request-empty", KindRequest, mapOf(0))
	addMAC("request-nonce-17", KindRequest, payloadOf(kv(9, bstr(fill(17, 3)))))
	addMAC("request-with-time", KindRequest, payloadOf(kv(1, timeOf()), kv(9, bstr(fill(16, 3)))))
	addMAC("request-telemetry-2^32", KindRequest, payloadOf(kv(9, bstr(fill(16, 3))), kv(13, num(1<<32))))
	return cs
}

func delegationEntries(key *PublicKey) []entry {
	return []entry{kv(1, key.appendCOSEKey(nil)), kv(2, num(3)), kv(3, num(1_789_000_000)), kv(4, num(1_791_592_000))}
}

func delegationCases(t testing.TB) (cs []vectorCase) {
	keys := vectorKeys(t)
	ed, es := keys["online-ed25519"].Public(), keys["online-es256"].Public()
	add := func(name, root string, payload []byte, r Reason) {
		cs = append(cs, vectorCase{name: "delegation-" + name, kind: KindDelegation, key: root,
			msg: sign1(t, keys[root], KindDelegation, vectorGateway, payload, nil), reason: r})
	}
	d, e := delegationEntries(ed), delegationEntries(es)
	edKey := func(b []byte) []byte { return payloadOf(with(d, 1, b)...) }
	esKey := func(b []byte) []byte { return payloadOf(with(e, 1, b)...) }
	x, p := bstr(ed.raw), es.raw

	for key := int64(1); key <= 4; key++ {
		add("without-"+string(rune('0'+key)), "root-ed25519", payloadOf(without(d, key)...), ReasonMalformed)
	}
	add("serial-2^32", "root-ed25519", payloadOf(with(d, 2, num(1<<32))...), ReasonMalformed)
	add("not-before-negative", "root-ed25519", payloadOf(with(d, 3, num(-1))...), ReasonMalformed)
	add("not-after-2^32", "root-ed25519", payloadOf(with(d, 4, num(1<<32))...), ReasonMalformed)
	add("key-of-other-alg", "root-ed25519", payloadOf(e...), ReasonMalformed)
	add("key-of-other-alg-es256", "root-es256", payloadOf(d...), ReasonMalformed)
	add("key-x-31", "root-ed25519", edKey(cat(mapOf(3), num(1), num(1), num(-1), num(6), num(-2), bstr(ed.raw[:31]))), ReasonMalformed)
	add("key-curve-x25519", "root-ed25519", edKey(cat(mapOf(3), num(1), num(1), num(-1), num(4), num(-2), x)), ReasonMalformed)
	add("key-with-kid", "root-ed25519", edKey(cat(mapOf(4), num(1), num(1), num(2), bstr(fill(8, 1)), num(-1), num(6), num(-2), x)), ReasonMalformed)
	add("key-with-alg", "root-ed25519", edKey(cat(mapOf(4), num(1), num(1), num(3), num(-19), num(-1), num(6), num(-2), x)), ReasonMalformed)
	add("key-without-curve", "root-ed25519", edKey(cat(mapOf(2), num(1), num(1), num(-2), x)), ReasonMalformed)
	add("key-out-of-order", "root-ed25519", edKey(cat(mapOf(3), num(-1), num(6), num(1), num(1), num(-2), x)), ReasonMalformed)
	ec := func(y []byte) []byte {
		return cat(mapOf(4), num(1), num(2), num(-1), num(1), num(-2), bstr(p[1:33]), num(-3), y)
	}
	add("key-y-bool", "root-es256", esKey(ec(raw(0xf5))), ReasonMalformed)
	add("key-y-31", "root-es256", esKey(ec(bstr(p[33:64]))), ReasonMalformed)
	add("key-off-curve", "root-es256", esKey(ec(bstr(flip(p[33:], 31)))), ReasonMalformed)
	add("key-point-zero", "root-es256", esKey(cat(mapOf(4), num(1), num(2), num(-1), num(1), num(-2), bstr(fill(32, 0)), num(-3), bstr(fill(32, 0)))), ReasonMalformed)
	add("key-curve-p384", "root-es256", esKey(cat(mapOf(4), num(1), num(2), num(-1), num(2), num(-2), bstr(p[1:33]), num(-3), bstr(p[33:]))), ReasonMalformed)

	cs = append(cs,
		vectorCase{name: "delegation-by-online-key", kind: KindDelegation, key: "root-ed25519", reason: ReasonUnknownKID,
			msg: sign1(t, keys["online-ed25519"], KindDelegation, vectorGateway, payloadOf(d...), nil)},
		vectorCase{name: "delegation-forged", kind: KindDelegation, key: "root-ed25519", reason: ReasonBadSignature,
			msg: sign1(t, keys["other-ed25519"], KindDelegation, vectorGateway, payloadOf(d...), func(c *crafted) {
				c.protected = appendProtected(nil, Ed25519, keys["root-ed25519"].pub.kid[:])
			})},
		vectorCase{name: "delegation-of-other-gateway", kind: KindDelegation, key: "root-ed25519", reason: ReasonBadSignature,
			msg: sign1(t, keys["root-ed25519"], KindDelegation, "gw2", payloadOf(d...), nil)},
		vectorCase{name: "delegation-signed-as-beacon", kind: KindDelegation, key: "root-ed25519", reason: ReasonBadSignature,
			msg: sign1(t, keys["root-ed25519"], KindBeacon, vectorGateway, payloadOf(d...), nil)},
		vectorCase{name: "delegation-by-root-of-other-alg", kind: KindDelegation, key: "root-ed25519", reason: ReasonWrongAlg,
			msg: sign1(t, keys["root-es256"], KindDelegation, vectorGateway, payloadOf(e...), nil)},
	)
	return cs
}

func macCases(t testing.TB) (cs []vectorCase) {
	keys, node := vectorKeys(t), vectorNodeKey(t, vectorGateway, vectorNode, 1)
	payload := payloadOf(responseEntries()...)
	good := mac0(node, KindResponse, payload, nil)
	add := func(name string, msg []byte, r Reason) {
		cs = append(cs, vectorCase{name: "mac-" + name, kind: KindResponse, key: "node", msg: msg, reason: r})
	}
	edit := func(f func(*crafted)) []byte { return mac0(node, KindResponse, payload, f) }
	kid := node.kid[:]
	add("cut-short", good[:len(good)-1], ReasonMalformed)
	add("one-byte-more", cat(good, raw(0)), ReasonMalformed)
	add("untagged", good[1:], ReasonMalformed)
	add("signature-in-place-of-mac", sign1(t, keys["online-ed25519"], KindResponse, vectorGateway, payload, nil), ReasonWrongKind)
	add("tag-of-16", edit(func(c *crafted) { c.proof = fill(16, 1) }), ReasonMalformed)
	add("unprotected-header", edit(func(c *crafted) { c.unprotected = cat(mapOf(1), num(4), bstr(kid)) }), ReasonMalformed)
	add("alg-hmac-256-64", edit(func(c *crafted) { c.protected = appendProtected(nil, 4, kid) }), ReasonWrongAlg)
	add("alg-none", edit(func(c *crafted) { c.protected = appendProtected(nil, 0, kid) }), ReasonWrongAlg)
	add("old-generation", mac0(vectorNodeKey(t, vectorGateway, vectorNode, 0), KindResponse, payload, nil), ReasonUnknownKID)
	add("next-generation", mac0(vectorNodeKey(t, vectorGateway, vectorNode, 2), KindResponse, payload, nil), ReasonUnknownKID)
	add("kid-8-bytes", edit(func(c *crafted) { c.protected = appendProtected(nil, HMAC256, cat(kid, kid)) }), ReasonUnknownKID)
	add("bit-in-payload", flip(good, 20), ReasonBadSignature)
	add("bit-in-tag", flip(good, len(good)-1), ReasonBadSignature)
	add("other-node", mac0(vectorNodeKey(t, vectorGateway, "node-8", 1), KindResponse, payload, nil), ReasonBadSignature)
	add("other-gateway", mac0(vectorNodeKey(t, "gw2", vectorNode, 1), KindResponse, payload, nil), ReasonBadSignature)
	add("same-key-other-node-named", edit(func(c *crafted) { c.external = []byte("ntsgw/1/resp/gw1/node-8") }), ReasonBadSignature)
	add("request-as-response", mac0(node, KindRequest, payload, nil), ReasonBadSignature)
	add("without-node", edit(func(c *crafted) { c.external = []byte("ntsgw/1/resp/gw1") }), ReasonBadSignature)
	return cs
}
