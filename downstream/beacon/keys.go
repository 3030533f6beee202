package beacon

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"
)

// Alg is a COSE algorithm number (RFC 9053, RFC 9864).
type Alg int8

// The algorithms.
const (
	Ed25519 Alg = -19 // signatures with Ed25519 (RFC 8032)
	ES256   Alg = -9  // ECDSA with P-256 and SHA-256
	HMAC256 Alg = 5   // HMAC with SHA-256, not truncated
)

// String returns Ed25519, ES256 or HMAC256.
func (a Alg) String() string {
	switch a {
	case Ed25519:
		return "Ed25519"
	case ES256:
		return "ES256"
	case HMAC256:
		return "HMAC256"
	}
	return fmt.Sprintf("alg %d", int8(a))
}

// ParseAlg is the inverse of String for signature algorithms.
func ParseAlg(s string) (Alg, error) {
	switch s {
	case "Ed25519", "ed25519":
		return Ed25519, nil
	case "ES256", "es256":
		return ES256, nil
	}
	return 0, fmt.Errorf("algorithm %q is not known; choose Ed25519 or ES256", s)
}

// Labels and values of COSE_Key (RFC 9052 §7.1, RFC 9053 §7).
const (
	ktyOKP     = 1
	ktyEC2     = 2
	crvP256    = 1
	crvEd25519 = 6
	negCurve   = 0 // label −1, as −1 − label
	negX       = 1 // label −2
	negY       = 2 // label −3
)

// KIDSize is the length of the key id of a signing key, in bytes.
const KIDSize = 8

// PublicKey verifies signatures. It is immutable and safe for concurrent use.
type PublicKey struct {
	alg Alg
	raw []byte // 32 bytes, or the 65-byte uncompressed point
	kid [KIDSize]byte
	ec  *ecdsa.PublicKey // of ES256
}

// NewPublicKey makes a key of its bytes: 32 for Ed25519, the 65-byte uncompressed point (SEC 1
// §2.3.3) for ES256.
func NewPublicKey(alg Alg, raw []byte) (*PublicKey, error) {
	k := &PublicKey{alg: alg, raw: bytes.Clone(raw)}
	switch alg {
	case Ed25519:
		if len(raw) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("an Ed25519 public key has 32 bytes, not %d", len(raw))
		}
	case ES256:
		if len(raw) != 65 {
			return nil, fmt.Errorf("an uncompressed P-256 point has 65 bytes, not %d", len(raw))
		}
		ec, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
		if err != nil {
			return nil, fmt.Errorf("P-256 public key: %w", err)
		}
		k.ec = ec
	default:
		return nil, fmt.Errorf("%v does not sign", alg)
	}
	sum := sha256.Sum256(k.appendCOSEKey(nil))
	copy(k.kid[:], sum[:])
	return k, nil
}

// Alg returns Ed25519 or ES256.
func (k *PublicKey) Alg() Alg { return k.alg }

// Bytes returns a copy: 32 bytes, or the 65-byte uncompressed point.
func (k *PublicKey) Bytes() []byte { return bytes.Clone(k.raw) }

// KID returns the key id: the first 8 bytes of the SHA-256 thumbprint (RFC 9679).
func (k *PublicKey) KID() [KIDSize]byte { return k.kid }

// Equal reports whether both are the same key of the same algorithm.
func (k *PublicKey) Equal(o *PublicKey) bool {
	return o != nil && k.alg == o.alg && bytes.Equal(k.raw, o.raw)
}

// appendCOSEKey appends the COSE_Key with its required members only, which is also what the
// thumbprint is made of (RFC 9679 §4).
func (k *PublicKey) appendCOSEKey(b []byte) []byte {
	const one, crv, x, y = 1, majorNeg<<5 | negCurve, majorNeg<<5 | negX, majorNeg<<5 | negY
	if k.alg == ES256 {
		b = append(b, majorMap<<5|4, one, ktyEC2, crv, crvP256, x)
		b = appendBytes(b, k.raw[1:33])
		return appendBytes(append(b, y), k.raw[33:])
	}
	b = append(b, majorMap<<5|3, one, ktyOKP, crv, crvEd25519, x)
	return appendBytes(b, k.raw)
}

// readCOSEKey reads exactly the COSE_Key of alg and returns what NewPublicKey takes.
func readCOSEKey(r *reader, alg Alg) []byte {
	const text = "not the COSE_Key of this algorithm"
	kty, crv, labels := uint64(ktyOKP), uint64(crvEd25519), uint64(3)
	if alg == ES256 {
		kty, crv, labels = ktyEC2, crvP256, 4
	}
	m := r.openMap(text)
	if r.ok() && m.left != labels {
		r.fail(text)
	}
	label := func(wantNeg bool, want uint64) {
		if neg, v, ok := m.next(); ok && (neg != wantNeg || v != want) {
			r.fail(text)
		}
	}
	number := func(want uint64) {
		if v := r.expect(majorUint, text); r.ok() && v != want {
			r.fail(text)
		}
	}
	label(false, 1)
	number(kty)
	label(true, negCurve)
	number(crv)
	label(true, negX)
	if alg != ES256 {
		x := make([]byte, 32)
		r.fixed(x, text)
		return x
	}
	point := make([]byte, 65)
	point[0] = 4
	r.fixed(point[1:33], text)
	label(true, negY)
	r.fixed(point[33:], text)
	return point
}

// verify judges a 64-byte signature over tbs.
func (k *PublicKey) verify(tbs, sig []byte) bool {
	if k.alg == Ed25519 {
		return ed25519.Verify(k.raw, tbs, sig)
	}
	sum := sha256.Sum256(tbs)
	return ecdsa.Verify(k.ec, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
}

// SigningKey signs. It is safe for concurrent use.
type SigningKey struct {
	pub *PublicKey

	mu  sync.RWMutex // held for writing by Erase only
	ed  ed25519.PrivateKey
	ec  *ecdsa.PrivateKey
	sec []byte // the 32 secret bytes
}

// GenerateSigningKey makes a new key from random, which is crypto/rand.Reader but in tests.
func GenerateSigningKey(alg Alg, random io.Reader) (*SigningKey, error) {
	secret := make([]byte, 32)
	for range 100 { // a P-256 scalar is out of range once in 2^32
		if _, err := io.ReadFull(random, secret); err != nil {
			return nil, fmt.Errorf("make a signing key: %w", err)
		}
		k, err := NewSigningKey(alg, secret)
		if err == nil || alg != ES256 {
			return k, err
		}
	}
	return nil, errors.New("make a signing key: the random source gives no usable scalar")
}

// NewSigningKey makes a key of its 32 secret bytes: Ed25519's seed (RFC 8032 §5.1.5) or P-256's
// scalar, big-endian.
func NewSigningKey(alg Alg, secret []byte) (*SigningKey, error) {
	if len(secret) != 32 {
		return nil, fmt.Errorf("a secret key has 32 bytes, not %d", len(secret))
	}
	k := &SigningKey{sec: bytes.Clone(secret)}
	var raw []byte
	switch alg {
	case Ed25519:
		k.ed = ed25519.NewKeyFromSeed(secret)
		raw = k.ed[32:]
	case ES256:
		ec, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
		if err != nil {
			return nil, fmt.Errorf("P-256 secret key: %w", err)
		}
		k.ec = ec
		if raw, err = ec.PublicKey.Bytes(); err != nil {
			return nil, fmt.Errorf("P-256 public key: %w", err)
		}
	default:
		return nil, fmt.Errorf("%v does not sign", alg)
	}
	pub, err := NewPublicKey(alg, raw)
	if err != nil {
		return nil, err
	}
	k.pub = pub
	return k, nil
}

// Public returns the public half.
func (k *SigningKey) Public() *PublicKey { return k.pub }

// Secret returns a copy of what NewSigningKey takes.
func (k *SigningKey) Secret() []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return bytes.Clone(k.sec)
}

// Erase overwrites the secret; the key signs no more. Copies that the runtime or the standard
// library made can't be reached.
func (k *SigningKey) Erase() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.sec)
	clear(k.ed)
	k.ed, k.ec, k.sec = nil, nil, nil
}

// appendSignature appends the 64-byte signature over tbs. Both algorithms are deterministic here
// (RFC 8032, RFC 6979): a bad random source can't give the key away.
func (k *SigningKey) appendSignature(dst, tbs []byte) ([]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	switch {
	case k.ed != nil:
		return append(dst, ed25519.Sign(k.ed, tbs)...), nil
	case k.ec != nil:
		sum := sha256.Sum256(tbs)
		der, err := k.ec.Sign(nil, sum[:], crypto.SHA256)
		if err != nil {
			return dst, fmt.Errorf("sign with ES256: %w", err)
		}
		return appendRawSignature(dst, der)
	}
	return dst, errors.New("the signing key was erased")
}

// appendRawSignature appends r ‖ s of an ASN.1 signature, 32 bytes each (RFC 9053 §2.1).
func appendRawSignature(dst, der []byte) ([]byte, error) {
	bad := errors.New("sign with ES256: not the ASN.1 that was expected")
	if len(der) < 2 || der[0] != 0x30 || int(der[1]) != len(der)-2 {
		return dst, bad
	}
	der = der[2:]
	for range 2 {
		if len(der) < 2 || der[0] != 0x02 || int(der[1]) > len(der)-2 {
			return dst, bad
		}
		v := der[2 : 2+int(der[1])]
		der = der[2+len(v):]
		for len(v) > 0 && v[0] == 0 {
			v = v[1:]
		}
		if len(v) > 32 {
			return dst, bad
		}
		for range 32 - len(v) {
			dst = append(dst, 0)
		}
		dst = append(dst, v...)
	}
	return dst, nil
}
