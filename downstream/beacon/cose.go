package beacon

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// COSE tags (RFC 9052 §2).
const (
	tagMAC0  = 17
	tagSign1 = 18

	labelAlg = 1
	labelKID = 4

	signatureSize = 64
	macSize       = 32
)

// envelope is a COSE_Sign1 or COSE_Mac0 taken apart; everything lies inside the message.
type envelope struct {
	protected []byte // the serialized protected header
	alg       int64
	kid       []byte
	payload   []byte
	proof     []byte // signature or tag
}

// open takes a message apart: tag, exactly the two protected headers, no unprotected ones, an
// attached payload, a proof of the right length.
func open(msg []byte, tag byte) (envelope, *Error) {
	var e envelope
	if len(msg) > MaxMessage {
		return e, refuse(ReasonSize, "longer than any message of the protocol")
	}
	proof := macSize
	other := byte(tagSign1)
	if tag == tagSign1 {
		proof, other = signatureSize, tagMAC0
	}
	if len(msg) > 0 && msg[0] == majorTag<<5|other {
		return e, refuse(ReasonWrongKind, "")
	}
	r := reader{b: msg}
	if r.expect(majorTag, "the COSE tag is missing") != uint64(tag) {
		r.fail("the COSE tag is missing")
	}
	if r.expect(majorArray, "COSE must be an array of four") != 4 {
		r.fail("COSE must be an array of four")
	}
	e.protected = r.bytes("the protected header must be a byte string")
	if r.expect(majorMap, "the unprotected header must be empty") != 0 {
		r.fail("the unprotected header must be empty")
	}
	e.payload = r.bytes("the payload must be a byte string")
	e.proof = r.bytes("signature or tag must be a byte string")
	if r.ok() && len(e.proof) != proof {
		r.fail("signature or tag has the wrong length")
	}
	r.end()
	if r.ok() {
		e.header(&r)
	}
	if !r.ok() {
		return envelope{}, refuse(ReasonMalformed, r.err)
	}
	return e, nil
}

// header reads the protected header: exactly {1: alg, 4: kid}.
func (e *envelope) header(outer *reader) {
	const text = "the protected header must be algorithm and key id"
	r := reader{b: e.protected}
	m := r.openMap(text)
	if r.ok() && m.left != 2 {
		r.fail(text)
	}
	if neg, label, ok := m.next(); ok && (neg || label != labelAlg) {
		r.fail(text)
	}
	major, v := r.head()
	switch {
	case !r.ok():
	case major == majorUint && v < 1<<62:
		e.alg = int64(v)
	case major == majorNeg && v < 1<<62:
		e.alg = -1 - int64(v)
	default:
		r.fail(text)
	}
	if neg, label, ok := m.next(); ok && (neg || label != labelKID) {
		r.fail(text)
	}
	e.kid = r.bytes(text)
	r.end()
	if !r.ok() {
		outer.fail(r.err)
	}
}

// expect compares algorithm and key id with those of the pinned key.
func (e *envelope) expect(alg Alg, kid []byte) *Error {
	if e.alg != int64(alg) {
		return refuse(ReasonWrongAlg, "not the pinned key's algorithm")
	}
	if string(e.kid) != string(kid) {
		return refuse(ReasonUnknownKID, "made with another key")
	}
	return nil
}

// appendStructure appends what is signed or authenticated (RFC 9052 §4.4, §6.3).
func appendStructure(b []byte, context string, protected []byte, kind Kind, gateway, node string, payload []byte) []byte {
	b = append(b, majorArray<<5|4)
	b = appendText(b, context)
	b = appendBytes(b, protected)
	b = appendExternal(b, kind, gateway, node)
	return appendBytes(b, payload)
}

// appendExternal appends the external data as a byte string: ntsgw/1/<kind>/<gateway>[/<node>].
func appendExternal(b []byte, kind Kind, gateway, node string) []byte {
	const prefix = "ntsgw/1/"
	k := kind.String()
	n := len(prefix) + len(k) + 1 + len(gateway)
	if node != "" {
		n += 1 + len(node)
	}
	b = appendHead(b, majorBytes, uint64(n))
	b = append(append(append(append(b, prefix...), k...), '/'), gateway...)
	if node != "" {
		b = append(append(b, '/'), node...)
	}
	return b
}

func appendProtected(b []byte, alg Alg, kid []byte) []byte {
	b = appendInt(append(b, majorMap<<5|2, labelAlg), int64(alg))
	return appendBytes(append(b, labelKID), kid)
}

// structureRoom holds any Sig_structure or MAC_structure of this protocol.
const structureRoom = MaxMessage + 96

// appendSign1 appends the tagged COSE_Sign1 with the given payload.
func appendSign1(dst []byte, k *SigningKey, kind Kind, gateway string, payload []byte) ([]byte, error) {
	if !ValidName(gateway) {
		return dst, refuse(ReasonRange, "not a valid gateway name")
	}
	var header [16]byte
	protected := appendProtected(header[:0], k.pub.alg, k.pub.kid[:])
	var room [structureRoom]byte
	tbs := appendStructure(room[:0], "Signature1", protected, kind, gateway, "", payload)

	out := appendBytes(append(dst, majorTag<<5|tagSign1, majorArray<<5|4), protected)
	out = appendBytes(append(out, majorMap<<5), payload)
	out = appendHead(out, majorBytes, signatureSize)
	out, err := k.appendSignature(out, tbs)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// prover is the cryptography of a receiver. Tests that run millions of messages put a fast one in
// its place.
type prover interface {
	verify(k *PublicKey, tbs, signature []byte) bool
	mac(dst []byte, key *[32]byte, data []byte) []byte
}

// realProver is the one that is used.
type realProver struct{}

func (realProver) verify(k *PublicKey, tbs, signature []byte) bool { return k.verify(tbs, signature) }

func (realProver) mac(dst []byte, key *[32]byte, data []byte) []byte {
	h := hmac.New(sha256.New, key[:])
	h.Write(data)
	return h.Sum(dst)
}

// openSign1 verifies a COSE_Sign1 and returns its payload.
func openSign1(msg []byte, k *PublicKey, kind Kind, gateway string, p prover) ([]byte, *Error) {
	e, err := open(msg, tagSign1)
	if err != nil {
		return nil, err
	}
	if err := e.expect(k.alg, k.kid[:]); err != nil {
		return nil, err
	}
	var room [structureRoom]byte
	tbs := appendStructure(room[:0], "Signature1", e.protected, kind, gateway, "", e.payload)
	if !p.verify(k, tbs, e.proof) {
		return nil, refuse(ReasonBadSignature, "")
	}
	return e.payload, nil
}

// MACKey is what a node and its gateway share, with everything that is authenticated along with a
// message. It is immutable and safe for concurrent use.
type MACKey struct {
	key     [32]byte
	kid     [4]byte // the generation, big-endian
	gateway string
	node    string
}

// NewMACKey makes a MACKey of NodeKey's result. The names must satisfy ValidName.
func NewMACKey(key [32]byte, gateway, node string, generation uint32) (*MACKey, error) {
	if !ValidName(gateway) || !ValidName(node) {
		return nil, refuse(ReasonRange, "not a valid name")
	}
	k := &MACKey{key: key, gateway: gateway, node: node}
	binary.BigEndian.PutUint32(k.kid[:], generation)
	return k, nil
}

// Generation returns the generation of the key.
func (k *MACKey) Generation() uint32 { return binary.BigEndian.Uint32(k.kid[:]) }

// appendMAC appends the tag over a MAC_structure.
func (k *MACKey) appendMAC(dst []byte, protected []byte, kind Kind, payload []byte, p prover) []byte {
	var room [structureRoom]byte
	return p.mac(dst, &k.key, appendStructure(room[:0], "MAC0", protected, kind, k.gateway, k.node, payload))
}

// appendMAC0 appends the tagged COSE_Mac0 with the given payload.
func (k *MACKey) appendMAC0(dst []byte, kind Kind, payload []byte, p prover) []byte {
	var header [16]byte
	protected := appendProtected(header[:0], HMAC256, k.kid[:])
	dst = appendBytes(append(dst, majorTag<<5|tagMAC0, majorArray<<5|4), protected)
	dst = appendBytes(append(dst, majorMap<<5), payload)
	return k.appendMAC(appendHead(dst, majorBytes, macSize), protected, kind, payload, p)
}

// openMAC0 verifies a COSE_Mac0 and returns its payload.
func (k *MACKey) openMAC0(msg []byte, kind Kind, p prover) ([]byte, *Error) {
	e, err := open(msg, tagMAC0)
	if err != nil {
		return nil, err
	}
	if err := e.expect(HMAC256, k.kid[:]); err != nil {
		return nil, err
	}
	var room [macSize]byte
	if subtle.ConstantTimeCompare(k.appendMAC(room[:0], e.protected, kind, e.payload, p), e.proof) != 1 {
		return nil, refuse(ReasonBadSignature, "")
	}
	return e.payload, nil
}
