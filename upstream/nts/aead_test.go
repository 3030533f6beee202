package nts

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/ntsgw/ntsgw/upstream/ntske"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var vectors = []struct {
	name                                              string
	algorithm                                         uint16
	key, nonce, plaintext, additional, wantCiphertext string
}{
	{"RFC 5297 A.1", 15, "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0 f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "",
		"112233445566778899aabbccddee", "101112131415161718191a1b1c1d1e1f2021222324252627",
		"85632d07c6e8f37f950acd320a2ecc93 40c02b9690c4dc04daef7f6afe5c"},
	{"RFC 5297 A.2 without its second associated data", 15, "7f7e7d7c7b7a79787776757473727170 404142434445464748494a4b4c4d4e4f",
		"09f911029d74e35bd84156c5635688c0",
		"7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
		"00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
		"85825e22e90cf2ddda2c548dc7c1b6310dcdaca0cebf9dc6cb90583f5bf1506e02cd48832b00e4e598b2b22a53e6199d4df0c1666a35a0433b250dc134d776"},
	{"RFC 8452 appendix A", 30, "ee8e1ed9ff2540ae8f2ba9f50bc2f27c", "752abad3e0afb5f434dc4310",
		hex.EncodeToString([]byte("Hello world")), hex.EncodeToString([]byte("example")),
		"5d349ead175ef6b1def6fd4fbcdeb7e4793f4a1d7e4faa70100af1"},
	{"RFC 8452 C.1 empty", 30, "01000000000000000000000000000000", "030000000000000000000000", "", "",
		"dc20e2d83f25705bb49e439eca56de25"},
	{"RFC 8452 C.1 8 bytes", 30, "01000000000000000000000000000000", "030000000000000000000000", "0100000000000000", "",
		"b5d839330ac7b786578782fff6013b815b287c22493a364c"},
	{"RFC 8452 C.1 12 bytes", 30, "01000000000000000000000000000000", "030000000000000000000000", "010000000000000000000000", "",
		"7323ea61d05932260047d942a4978db357391a0bc4fdec8b0d106639"},
	{"RFC 8452 C.1 16 bytes", 30, "01000000000000000000000000000000", "030000000000000000000000", "01000000000000000000000000000000", "",
		"743f7c8077ab25f8624e2e948579cf77303aaf90f6fe21199c6068577437a0c4"},
	{"RFC 8452 C.1 64 bytes", 30, "01000000000000000000000000000000", "030000000000000000000000",
		"01000000000000000000000000000000020000000000000000000000000000000300000000000000000000000000000004000000000000000000000000000000", "",
		"2433668f1058190f6d43e360f4f35cd8e475127cfca7028ea8ab5c20f7ab2af02516a2bdcbc08d521be37ff28c152bba36697f25b4cd169c6590d1dd39566d3f8a263dd317aa88d56bdf3936dba75bb8"},
	{"RFC 8452 C.1 one byte of associated data", 30, "01000000000000000000000000000000", "030000000000000000000000", "0200000000000000", "01",
		"1e6daba35669f4273b0a1a2560969cdf790d99759abd1508"},
	{"RFC 8452 C.1 odd lengths", 30, "bde3b2f204d1e9f8b06bc47f9745b3d1", "ae06556fb6aa7890bebc18fe",
		"6b3db4da3d57aa94842b9803a96e07fb6de7", "1860f762ebfbd08284e421702de0de18baa9c9596291b08466f37de21c7f",
		"6298b296e24e8cc35dce0bed484b7f30d5803e377094f04709f64d7b985310a4db84"},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			a, err := NewAEAD(v.algorithm, unhex(t, v.key))
			if err != nil {
				t.Fatal(err)
			}
			plaintext, additional, nonce, want := unhex(t, v.plaintext), unhex(t, v.additional), unhex(t, v.nonce), unhex(t, v.wantCiphertext)
			got, err := a.Seal(nil, nonce, plaintext, additional)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("sealed %x, %v; want %x", got, err, want)
			}
			back, err := a.Open(nil, nonce, want, additional)
			if err != nil || !bytes.Equal(back, plaintext) {
				t.Fatalf("opened %x, %v; want %x", back, err, plaintext)
			}
		})
	}
}

// TestReferenceIsRFC5297 holds the reference below to the vector with two associated data.
func TestReferenceIsRFC5297(t *testing.T) {
	v := vectors[1]
	got := referenceSIV(unhex(t, v.key), unhex(t, v.plaintext), unhex(t, v.additional),
		unhex(t, "102030405060708090a0"), unhex(t, v.nonce))
	want := unhex(t, "7bdb6e3b432667eb06f4d14bff2fbd0f cb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d")
	if !bytes.Equal(got, want) {
		t.Fatalf("got %x, want %x", got, want)
	}
}

// TestAlignmentsAndLengths puts every input and the output at every alignment, with lengths
// around whole blocks and nothing at all, and compares with plain implementations of the RFCs.
func TestAlignmentsAndLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(room []byte) []byte {
		for i := range room {
			room[i] = byte(rng.Uint32())
		}
		return room
	}
	lengths := []int{0, 1, 15, 16, 17, 31, 32, 33, 100, 816}
	for _, algorithm := range []uint16{ntske.AEADAESSIVCMAC256, ntske.AEADAES128GCMSIV} {
		key := random(make([]byte, ntske.KeySize(algorithm)))
		for shift := range 16 {
			a, err := NewAEAD(algorithm, append(make([]byte, shift), key...)[shift:])
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range lengths {
				for _, m := range lengths {
					at := func(k, off int) []byte { return random(make([]byte, k+32))[(off & 15):][:k:k] }
					nonce := at(a.NonceSize(), shift*7)
					plaintext, additional := at(n, shift), at(m, shift*3+1)
					var want []byte
					if algorithm == ntske.AEADAES128GCMSIV {
						want = referenceGCMSIV(key, nonce, plaintext, additional)
					} else {
						want = referenceSIV(key, plaintext, additional, nonce)
					}
					dst := make([]byte, shift, shift+n+16)
					got, err := a.Seal(dst, nonce, plaintext, additional)
					if err != nil || !bytes.Equal(got[shift:], want) {
						t.Fatalf("algorithm %d, shift %d, lengths %d and %d: sealed %x, %v; want %x", algorithm, shift, n, m, got[shift:], err, want)
					}
					back, err := a.Open(dst, nonce, got[shift:], additional)
					if err != nil || !bytes.Equal(back[shift:], plaintext) {
						t.Fatalf("algorithm %d, shift %d, lengths %d and %d: opened %x, %v", algorithm, shift, n, m, back, err)
					}
				}
			}
		}
	}
}

// TestGenericPath runs the tests of the AEAD again without siv-go's assembly: it looks at the
// processor's features, and the environment can hide them.
func TestGenericPath(t *testing.T) {
	const marker = "NTS_TEST_GENERIC_PATH"
	a, err := newPooled(ntske.AEADAES128GCMSIV, make([]byte, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.newCipher()
	if err != nil {
		t.Fatal(err)
	}
	inside := reflect.ValueOf(c).Elem().Field(0).Elem().Type().String()
	if os.Getenv(marker) != "" {
		if !strings.Contains(inside, "Generic") {
			t.Fatalf("this process still uses %s", inside)
		}
		return
	}
	if strings.Contains(inside, "Generic") {
		return // the other tests have run on it already: siv-go's assembly is amd64's only
	}
	cmd := exec.Command(os.Args[0], "-test.run=^(TestVectors|TestAlignmentsAndLengths|TestRefusals|TestTamper|TestGenericPath|TestConcurrent)$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=cpu.aes=off,cpu.pclmulqdq=off", marker+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: TestAlignmentsAndLengths") {
		t.Fatalf("the tests did not run:\n%s", out)
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		algorithm uint16
		key       int
		reason    string
	}{
		{15, 31, AEADKeySize}, {15, 48, AEADKeySize}, {15, 0, AEADKeySize},
		{30, 32, AEADKeySize}, {30, 15, AEADKeySize}, {17, 64, AEADUnknown}, {0, 16, AEADUnknown},
	} {
		_, err := NewAEAD(tt.algorithm, make([]byte, tt.key))
		var e AEADError
		if !errors.As(err, &e) || e.Reason != tt.reason {
			t.Errorf("algorithm %d with a key of %d bytes: %v", tt.algorithm, tt.key, err)
		}
	}
	for _, algorithm := range []uint16{15, 30} {
		a, err := NewAEAD(algorithm, make([]byte, ntske.KeySize(algorithm)))
		if err != nil {
			t.Fatal(err)
		}
		dst := []byte("before")
		want := func(what string, out []byte, err error, reason string) {
			t.Helper()
			var e AEADError
			if !errors.As(err, &e) || e.Reason != reason || string(out) != "before" {
				t.Errorf("algorithm %d, %s: %q, %v; want %s", algorithm, what, out, err, reason)
			}
		}
		for n := range 40 {
			if n == a.NonceSize() || n == 0 && algorithm == 15 {
				continue
			}
			out, err := a.Seal(dst, make([]byte, n), nil, nil)
			want(fmt.Sprintf("sealing with a nonce of %d bytes", n), out, err, AEADNonceSize)
			out, err = a.Open(dst, make([]byte, n), make([]byte, 32), nil)
			want(fmt.Sprintf("opening with a nonce of %d bytes", n), out, err, AEADNonceSize)
		}
		nonce := make([]byte, a.NonceSize())
		for n := range 16 {
			out, err := a.Open(dst, nonce, make([]byte, n), nil)
			want(fmt.Sprintf("a ciphertext of %d bytes", n), out, err, AEADTooShort)
		}
		out, err := a.Open(dst, nonce, make([]byte, maxAEADInput+1), nil)
		want("a huge ciphertext", out, err, AEADTooLong)
		out, err = a.Seal(dst, nonce, nil, make([]byte, maxAEADInput+1))
		want("huge associated data", out, err, AEADTooLong)
	}
}

func TestTamper(t *testing.T) {
	for _, algorithm := range []uint16{15, 30} {
		a, err := NewAEAD(algorithm, bytes.Repeat([]byte{7}, ntske.KeySize(algorithm)))
		if err != nil {
			t.Fatal(err)
		}
		nonce, additional := make([]byte, a.NonceSize()), []byte("associated")
		sealed, err := a.Seal(nil, nonce, []byte("some words that are longer than a block"), additional)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range [][]byte{nonce, additional, sealed} {
			for bit := range 8 * len(part) {
				part[bit/8] ^= 1 << (bit % 8)
				if out, err := a.Open(nil, nonce, sealed, additional); !errors.Is(err, AEADError{AEADNotEqual}) || out != nil {
					t.Fatalf("algorithm %d: a flipped bit opens: %q, %v", algorithm, out, err)
				}
				part[bit/8] ^= 1 << (bit % 8)
			}
		}
	}
}

func TestConcurrent(t *testing.T) {
	for _, algorithm := range []uint16{15, 30} {
		a, err := NewAEAD(algorithm, make([]byte, ntske.KeySize(algorithm)))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				nonce := bytes.Repeat([]byte{byte(g)}, a.NonceSize())
				plain := bytes.Repeat([]byte{byte(g)}, 20*g)
				for range 200 {
					sealed, err := a.Seal(nil, nonce, plain, nonce)
					if err != nil {
						t.Error(err)
						return
					}
					if back, err := a.Open(nil, nonce, sealed, nonce); err != nil || !bytes.Equal(back, plain) {
						t.Errorf("goroutine %d: %x, %v", g, back, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// referenceSIV is RFC 5297 §2 as it is written, over crypto/aes.
func referenceSIV(key, plaintext []byte, strings ...[]byte) []byte {
	d := referenceCMAC(key[:16], make([]byte, 16))
	for _, s := range strings {
		d = xor(double(d), referenceCMAC(key[:16], s))
	}
	var t []byte
	if len(plaintext) >= 16 {
		t = bytes.Clone(plaintext)
		copy(t[len(t)-16:], xor(t[len(t)-16:], d))
	} else {
		t = append(bytes.Clone(plaintext), 0x80)
		t = append(t, make([]byte, 16-len(t))...)
		t = xor(double(d), t)
	}
	v := referenceCMAC(key[:16], t)
	counter := bytes.Clone(v)
	counter[8] &= 0x7f
	counter[12] &= 0x7f
	enc, _ := aes.NewCipher(key[16:])
	out := bytes.Clone(v)
	stream := make([]byte, 16)
	for i, b := range plaintext {
		if i%16 == 0 {
			enc.Encrypt(stream, counter)
			for j := 15; j >= 0; j-- {
				if counter[j]++; counter[j] != 0 {
					break
				}
			}
		}
		out = append(out, b^stream[i%16])
	}
	return out
}

// referenceCMAC is RFC 4493 §2.4.
func referenceCMAC(key, m []byte) []byte {
	c, _ := aes.NewCipher(key)
	l := make([]byte, 16)
	c.Encrypt(l, l)
	k1 := double(l)
	last := make([]byte, 16)
	n := (len(m) + 15) / 16
	if n > 0 && len(m)%16 == 0 {
		copy(last, xor(m[len(m)-16:], k1))
	} else {
		if n == 0 {
			n = 1
		}
		copy(last, m[16*(n-1):])
		last[len(m)-16*(n-1)] = 0x80
		last = xor(last, double(k1))
	}
	x := make([]byte, 16)
	for i := range n - 1 {
		x = xor(x, m[16*i:16*i+16])
		c.Encrypt(x, x)
	}
	x = xor(x, last)
	c.Encrypt(x, x)
	return x
}

func double(b []byte) []byte {
	out := make([]byte, 16)
	for i := range out {
		out[i] = b[i] << 1
		if i < 15 {
			out[i] |= b[i+1] >> 7
		}
	}
	if b[0]&0x80 != 0 {
		out[15] ^= 0x87
	}
	return out
}

func xor(a, b []byte) []byte {
	out := make([]byte, 16)
	for i := range out {
		out[i] = a[i] ^ b[i]
	}
	return out
}

// referenceGCMSIV is RFC 8452 §4 for AES-128, one bit at a time.
func referenceGCMSIV(key, nonce, plaintext, additional []byte) []byte {
	c, _ := aes.NewCipher(key)
	derived := func(i uint32) []byte {
		in := make([]byte, 16)
		binary.LittleEndian.PutUint32(in, i)
		copy(in[4:], nonce)
		c.Encrypt(in, in)
		return in[:8]
	}
	authKey := append(derived(0), derived(1)...)
	encKey := append(derived(2), derived(3)...)
	var blocks []byte
	for _, part := range [][]byte{additional, plaintext} {
		blocks = append(blocks, part...)
		blocks = append(blocks, make([]byte, -len(part)&15)...)
	}
	blocks = binary.LittleEndian.AppendUint64(blocks, uint64(len(additional))*8)
	blocks = binary.LittleEndian.AppendUint64(blocks, uint64(len(plaintext))*8)
	s := make([]byte, 16)
	for i := 0; i < len(blocks); i += 16 {
		s = dot(xor(s, blocks[i:i+16]), authKey)
	}
	for i := range nonce {
		s[i] ^= nonce[i]
	}
	s[15] &= 0x7f
	enc, _ := aes.NewCipher(encKey)
	tag := make([]byte, 16)
	enc.Encrypt(tag, s)
	counter := bytes.Clone(tag)
	counter[15] |= 0x80
	var out []byte
	stream := make([]byte, 16)
	for i, b := range plaintext {
		if i%16 == 0 {
			enc.Encrypt(stream, counter)
			binary.LittleEndian.PutUint32(counter, binary.LittleEndian.Uint32(counter)+1)
		}
		out = append(out, b^stream[i%16])
	}
	return append(out, tag...)
}

// dot is a·b·x^−128 in RFC 8452 §3's field: bit i of a byte string is the coefficient of x^i.
func dot(a, b []byte) []byte {
	bit := func(v []byte, i int) byte { return v[i/8] >> (i % 8) & 1 }
	out := make([]byte, 16)
	for i := range 128 {
		if bit(a, i) == 1 {
			out = xor(out, b)
		}
		// out·x^−1: the polynomial is x^128 + x^127 + x^126 + x^121 + 1.
		low := out[0] & 1
		for j := range 16 {
			out[j] >>= 1
			if j < 15 {
				out[j] |= (out[j+1] & 1) << 7
			}
		}
		if low == 1 {
			out[15] ^= 0xe1 // x^127, x^126, x^125 and x^120
		}
	}
	return out
}
