package beacon

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

// The functions below write CBOR item by item, wrong where a test wants it wrong.

func cat(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func num(v int64) []byte      { return appendInt(nil, v) }
func bstr(v []byte) []byte    { return appendBytes(nil, v) }
func mapOf(n uint64) []byte   { return appendHead(nil, majorMap, n) }
func tagged(n uint64) []byte  { return appendHead(nil, majorTag, n) }
func arrayOf(n uint64) []byte { return appendHead(nil, majorArray, n) }
func raw(b ...byte) []byte    { return b }
func fill(n int, v byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = v
	}
	return b
}

// entry is one key of a payload with its value, both encoded.
type entry struct{ key, value []byte }

func kv(key int64, value []byte) entry { return entry{num(key), value} }

// payloadOf writes a map of the entries in the order given.
func payloadOf(es ...entry) []byte {
	b := mapOf(uint64(len(es)))
	for _, e := range es {
		b = cat(b, e.key, e.value)
	}
	return b
}

// timeOf is the extended time of the statements in tests, or whatever the entries make of it.
func timeOf(es ...entry) []byte {
	if es == nil {
		es = []entry{kv(1, num(1_790_000_000)), kv(-8, guaranteeOf()), kv(-9, num(123_456_789))}
	}
	return cat(tagged(1001), payloadOf(es...))
}

func guaranteeOf(es ...entry) []byte {
	if es == nil {
		es = []entry{kv(1, num(0)), kv(-9, num(2_500_000))}
	}
	return payloadOf(es...)
}

func beaconEntries() []entry {
	return []entry{
		kv(1, timeOf()), kv(2, bstr(raw(1, 2, 3, 4, 5, 6, 7, 8))), kv(3, num(7)), kv(4, num(1)),
		kv(5, num(2)), kv(6, num(0)), kv(7, num(37)), kv(8, num(16)),
	}
}

func responseEntries() []entry {
	return []entry{
		kv(1, timeOf()), kv(2, bstr(raw(1, 2, 3, 4, 5, 6, 7, 8))), kv(4, num(1)),
		kv(5, num(2)), kv(6, num(0)), kv(7, num(37)), kv(9, bstr(fill(16, 3))), kv(10, num(812_345)), kv(11, num(3)),
	}
}

// with replaces the value of a key.
func with(es []entry, key int64, value []byte) []entry {
	out := append([]entry(nil), es...)
	for i := range out {
		if string(out[i].key) == string(num(key)) {
			out[i].value = value
		}
	}
	return out
}

// without drops a key.
func without(es []entry, key int64) (out []entry) {
	for _, e := range es {
		if string(e.key) != string(num(key)) {
			out = append(out, e)
		}
	}
	return out
}

// plus puts further entries behind.
func plus(es []entry, more ...entry) []entry { return append(append([]entry(nil), es...), more...) }

// before puts an entry in front of the one with the given key.
func before(es []entry, key int64, e entry) (out []entry) {
	for _, x := range es {
		if string(x.key) == string(num(key)) {
			out = append(out, e)
		}
		out = append(out, x)
	}
	return out
}

// crafted is a COSE message of parts that a test may have made wrong. Whatever isn't given is as
// it should be, and the proof fits what is there.
type crafted struct {
	tag         uint64
	items       uint64
	protected   []byte // the header itself, without its byte string
	unprotected []byte
	payload     []byte
	proof       []byte
	external    []byte // the byte string's content
}

func (c crafted) assemble() []byte {
	return cat(tagged(c.tag), arrayOf(c.items), bstr(c.protected), c.unprotected, c.payload, bstr(c.proof))
}

// sign1 makes a COSE_Sign1; edit may change the parts before it is signed.
func sign1(t testing.TB, k *SigningKey, kind Kind, gateway string, payload []byte, edit func(*crafted)) []byte {
	t.Helper()
	c := crafted{tag: tagSign1, items: 4, unprotected: mapOf(0), payload: bstr(payload)}
	c.protected = appendProtected(nil, k.pub.alg, k.pub.kid[:])
	external := appendExternal(nil, kind, gateway, "")
	if edit != nil {
		edit(&c)
	}
	if c.external != nil {
		external = bstr(c.external)
	}
	tbs := cat(arrayOf(4), appendText(nil, "Signature1"), bstr(c.protected), external, c.payload)
	if c.proof == nil {
		sig, err := k.appendSignature(nil, tbs)
		if err != nil {
			t.Fatal(err)
		}
		c.proof = sig
	}
	return c.assemble()
}

// mac0 is the same for COSE_Mac0.
func mac0(k *MACKey, kind Kind, payload []byte, edit func(*crafted)) []byte {
	c := crafted{tag: tagMAC0, items: 4, unprotected: mapOf(0), payload: bstr(payload)}
	c.protected = appendProtected(nil, HMAC256, k.kid[:])
	external := appendExternal(nil, kind, k.gateway, k.node)
	if edit != nil {
		edit(&c)
	}
	if c.external != nil {
		external = bstr(c.external)
	}
	if c.proof == nil {
		h := hmac.New(sha256.New, k.key[:])
		h.Write(cat(arrayOf(4), appendText(nil, "MAC0"), bstr(c.protected), external, c.payload))
		c.proof = h.Sum(nil)
	}
	return c.assemble()
}
