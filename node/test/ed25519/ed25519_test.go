// Package ed25519_test holds the node library's own Ed25519 verification to the verdicts of Go's
// crypto/ed25519: RFC 8032's vectors, every kind of odd encoding that is known to divide
// implementations, and random signatures, sound and damaged.
package ed25519_test

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"io"
	"math/big"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
)

var cases = flag.Int("cases", 2000, "random signatures to compare")

type signed struct {
	key, sig, msg []byte
	name          string
}

// judge asks the C library, built here.
func judge(t *testing.T, each func(yield func(signed))) (accepted, total int) {
	t.Helper()
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("gcc is not installed (Debian package gcc)")
	}
	bin := filepath.Join(t.TempDir(), "judge")
	if out, err := exec.Command(cc, "-std=c99", "-O2", "-Wall", "-Wextra", "-o", bin, "../judge/ed25519.c", "../../src/ports/ed25519/ntsgw_ed25519.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(bin)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	type want struct {
		ok    bool
		case_ signed
	}
	wants := make(chan want, 4096)
	go func() {
		w := bufio.NewWriter(in)
		each(func(c signed) {
			w.Write(c.key)
			w.Write(c.sig)
			w.WriteByte(byte(len(c.msg)))
			w.Write(c.msg)
			wants <- want{ed25519.Verify(c.key, c.msg, c.sig), c}
		})
		w.Flush()
		in.Close()
		close(wants)
	}()
	verdicts := bufio.NewReader(out)
	wrong := 0
	// The writer buffers: verdicts are read behind it.
	var queue []want
	for w := range wants {
		queue = append(queue, w)
	}
	for _, w := range queue {
		v, err := verdicts.ReadByte()
		if err != nil {
			t.Fatal(err)
		}
		total++
		if w.ok {
			accepted++
		}
		if (v == 1) != w.ok {
			if wrong++; wrong <= 10 {
				t.Errorf("%s: C says %d, Go %v\nkey %x\nsignature %x\nmessage %x", w.case_.name, v, w.ok, w.case_.key, w.case_.sig, w.case_.msg)
			}
		}
	}
	if _, err := verdicts.ReadByte(); err != io.EOF {
		t.Error("more verdicts than cases")
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return accepted, total
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRFC8032 is RFC 8032 section 7.1, tests 1 to 3 and SHA(abc).
func TestRFC8032(t *testing.T) {
	vectors := [][3]string{
		{"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72", "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82", "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
		{"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
			"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
			"dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
	}
	accepted, _ := judge(t, func(yield func(signed)) {
		for _, v := range vectors {
			yield(signed{unhex(t, v[0]), unhex(t, v[2]), unhex(t, v[1]), "RFC 8032"})
		}
	})
	if accepted != len(vectors) {
		t.Errorf("%d of %d accepted", accepted, len(vectors))
	}
}

// The curve, affine and slow, for points that no honest key has.
var (
	p, _     = new(big.Int).SetString("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed", 16)
	order, _ = new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)
	curveD   = mod(new(big.Int).Mul(big.NewInt(-121665), inverse(big.NewInt(121666))))
)

func mod(v *big.Int) *big.Int     { return v.Mod(v, p) }
func inverse(v *big.Int) *big.Int { return new(big.Int).ModInverse(v, p) }
func times(a, b *big.Int) *big.Int {
	return mod(new(big.Int).Mul(a, b))
}

type point struct{ x, y *big.Int }

func (a point) plus(b point) point {
	k := times(times(curveD, times(a.x, b.x)), times(a.y, b.y))
	x := mod(new(big.Int).Add(times(a.x, b.y), times(b.x, a.y)))
	y := mod(new(big.Int).Add(times(a.y, b.y), times(a.x, b.x)))
	one := big.NewInt(1)
	return point{
		times(x, inverse(mod(new(big.Int).Add(one, k)))),
		times(y, inverse(mod(new(big.Int).Sub(one, k)))),
	}
}

func (a point) mul(n *big.Int) point {
	r := point{big.NewInt(0), big.NewInt(1)}
	for i := n.BitLen() - 1; i >= 0; i-- {
		r = r.plus(r)
		if n.Bit(i) == 1 {
			r = r.plus(a)
		}
	}
	return r
}

// encode writes y, or y + p where that has room and is asked for, with a sign bit.
func encode(y *big.Int, sign uint, extra bool) []byte {
	v := new(big.Int).Set(y)
	if extra {
		v.Add(v, p)
	}
	if v.BitLen() > 255 {
		return nil
	}
	b := make([]byte, 32)
	for i, c := range v.Bytes() {
		b[len(v.Bytes())-1-i] = c
	}
	b[31] |= byte(sign << 7)
	return b
}

func (a point) bytes() []byte { return encode(a.y, a.x.Bit(0), false) }

func little(b []byte) *big.Int {
	r := make([]byte, len(b))
	for i := range b {
		r[len(b)-1-i] = b[i]
	}
	return new(big.Int).SetBytes(r)
}

func scalar(v *big.Int) []byte { return encode(v, 0, false) }

// torsion gives the eight points of small order, multiples of the first.
func torsion() []point {
	// Any point times the order is one; one in two of them has order 8.
	for y := int64(2); ; y++ {
		x := recoverX(big.NewInt(y))
		if x == nil {
			continue
		}
		q := point{x, big.NewInt(y)}.mul(order)
		r, n := q, 1
		for r.x.Sign() != 0 || r.y.Cmp(big.NewInt(1)) != 0 {
			r = r.plus(q)
			n++
		}
		if n == 8 {
			all := []point{}
			r := point{big.NewInt(0), big.NewInt(1)}
			for range 8 {
				all = append(all, r)
				r = r.plus(q)
			}
			return all
		}
	}
}

func recoverX(y *big.Int) *big.Int {
	yy := times(y, y)
	u := mod(new(big.Int).Sub(yy, big.NewInt(1)))
	v := mod(new(big.Int).Add(times(curveD, yy), big.NewInt(1)))
	return new(big.Int).ModSqrt(times(u, inverse(v)), p)
}

func basePoint() point {
	y := times(big.NewInt(4), inverse(big.NewInt(5)))
	x := recoverX(y)
	if x.Bit(0) == 1 {
		x.Sub(p, x)
	}
	return point{x, y}
}

func hashScalar(r, a, m []byte) *big.Int {
	h := sha512.New()
	h.Write(r)
	h.Write(a)
	h.Write(m)
	k := little(h.Sum(nil))
	return k.Mod(k, order)
}

// TestOddEncodings: small orders, encodings that aren't reduced, the sign of zero, scalars at and
// beyond the order, mixed orders: accepted and refused as Go does.
func TestOddEncodings(t *testing.T) {
	small := torsion()
	base := basePoint()
	rng := rand.New(rand.NewPCG(1, 2))
	var encodings [][]byte
	for _, q := range small {
		for sign := range uint(2) {
			for _, extra := range []bool{false, true} {
				if b := encode(q.y, sign, extra); b != nil {
					encodings = append(encodings, b)
				}
			}
		}
	}
	for v := range int64(25) { // everything from p up to 2^255 that is some y, and 0 to 24
		for sign := range uint(2) {
			for _, extra := range []bool{false, true} {
				if b := encode(big.NewInt(v), sign, extra); b != nil {
					encodings = append(encodings, b)
				}
			}
		}
	}
	encodings = append(encodings, base.bytes(), make([]byte, 32), unhex(t, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"))
	var scalars [][]byte
	for _, v := range []int64{-1, 0, 1} {
		scalars = append(scalars, scalar(new(big.Int).Add(order, big.NewInt(v))))
		scalars = append(scalars, scalar(new(big.Int).Add(new(big.Int).Lsh(order, 1), big.NewInt(v))))
	}
	scalars = append(scalars, make([]byte, 32), scalar(big.NewInt(1)), scalar(big.NewInt(8)), scalar(new(big.Int).Lsh(big.NewInt(1), 252)),
		scalar(new(big.Int).Lsh(big.NewInt(1), 253)), unhex(t, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"))

	accepted, total := judge(t, func(yield func(signed)) {
		for _, a := range encodings {
			for _, r := range encodings {
				m := []byte{byte(rng.Uint32())}
				yield(signed{a, append(append([]byte{}, r...), scalars[rng.IntN(len(scalars))]...), m, "odd encodings"})
				yield(signed{a, append(append([]byte{}, r...), scalars[6]...), m, "odd encodings, S = 0"})
			}
			for _, s := range scalars {
				yield(signed{a, append(append([]byte{}, a...), s...), nil, "odd scalars"})
			}
		}
		// Keys and commitments with a part of small order; the equation holds, or holds but for it.
		for range 300 {
			secret := new(big.Int).SetUint64(rng.Uint64())
			r := new(big.Int).SetUint64(rng.Uint64())
			a := base.mul(secret).plus(small[rng.IntN(8)])
			c := base.mul(r)
			if rng.IntN(2) == 0 {
				c = c.plus(small[rng.IntN(8)])
			}
			m := []byte{byte(rng.Uint32()), byte(rng.Uint32())}
			k := hashScalar(c.bytes(), a.bytes(), m)
			s := new(big.Int).Mul(k, secret)
			s.Add(s, r).Mod(s, order)
			yield(signed{a.bytes(), append(c.bytes(), scalar(s)...), m, "mixed orders"})
			s.Add(s, order)
			yield(signed{a.bytes(), append(c.bytes(), scalar(s)...), m, "S + order"})
		}
	})
	t.Logf("%d cases, %d of them accepted", total, accepted)
	if accepted < 50 || accepted > total/2 {
		t.Errorf("%d of %d accepted: these cases say little", accepted, total)
	}
}

// TestRandom compares random signatures, half of them damaged by a bit or two.
func TestRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	fill := func(b []byte) {
		for i := 0; i+8 <= len(b); i += 8 {
			binary.LittleEndian.PutUint64(b[i:], rng.Uint64())
		}
		for i := len(b) &^ 7; i < len(b); i++ {
			b[i] = byte(rng.Uint32())
		}
	}
	var seed [32]byte
	var key ed25519.PrivateKey
	done := 0
	for done < *cases {
		n := min(*cases-done, 20000)
		accepted, _ := judge(t, func(yield func(signed)) {
			for i := range n {
				if i%4 == 0 {
					fill(seed[:])
					key = ed25519.NewKeyFromSeed(seed[:])
				}
				m := make([]byte, rng.IntN(256))
				fill(m)
				c := signed{append([]byte{}, key[32:]...), ed25519.Sign(key, m), m, "random"}
				if i%2 == 1 {
					for range 1 + rng.IntN(2) {
						switch at := rng.IntN(96 + len(m)); {
						case at < 32:
							c.key[at] ^= 1 << rng.IntN(8)
						case at < 96:
							c.sig[at-32] ^= 1 << rng.IntN(8)
						default:
							m[at-96] ^= 1 << rng.IntN(8)
						}
					}
				}
				yield(c)
			}
		})
		if accepted < n/2-1 {
			t.Errorf("%d of %d accepted", accepted, n)
		}
		done += n
	}
}
