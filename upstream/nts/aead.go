package nts

import (
	"crypto/cipher"
	"fmt"
	"sync"
	"unsafe"

	"github.com/secure-io/siv-go"

	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// AEAD is one key of an AEAD algorithm. It is safe for concurrent use. Wrong lengths and
// ciphertexts that don't verify are errors, never panics.
type AEAD interface {
	// NonceSize is the length of the nonces that are sent.
	NonceSize() int
	// Overhead is how much longer a ciphertext is than its plaintext.
	Overhead() int
	// Seal appends the ciphertext of plaintext to dst. The nonce must be of an allowed length.
	Seal(dst, nonce, plaintext, additional []byte) ([]byte, error)
	// Open appends the plaintext of ciphertext to dst, or returns dst as it was and an error.
	Open(dst, nonce, ciphertext, additional []byte) ([]byte, error)
}

// AEADError says why nothing was sealed or opened.
type AEADError struct{ Reason string }

// Error implements error.
func (e AEADError) Error() string { return "AEAD: " + e.Reason }

// Why an AEAD refuses.
const (
	AEADKeySize   = "key-size"
	AEADNonceSize = "nonce-size"
	AEADTooShort  = "ciphertext-too-short"
	AEADTooLong   = "too-long"
	AEADNotEqual  = "not-authentic"
	AEADUnknown   = "unknown-algorithm"
)

// maxAEADInput is more than any UDP datagram and keeps the scratch small.
const maxAEADInput = 1 << 16

// NewAEAD returns the AEAD algorithm (IANA's number: 15 or 30) with a key, which is copied.
func NewAEAD(algorithm uint16, key []byte) (AEAD, error) {
	a, err := newPooled(algorithm, key, nil)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// pooled hands each caller a cipher of its own: siv-go's have state that two calls would share.
type pooled struct {
	algorithm uint16
	nonce     int
	key       []byte
	scratch   *sync.Pool // of *scratch; may be shared by many keys
	ciphers   sync.Pool  // of cipher.AEAD
}

func newPooled(algorithm uint16, key []byte, shared *sync.Pool) (*pooled, error) {
	a := &pooled{algorithm: algorithm, key: align(len(key)), scratch: shared}
	copy(a.key, key)
	if a.scratch == nil {
		a.scratch = newScratchPool()
	}
	switch {
	case ntske.KeySize(algorithm) == 0:
		return nil, fmt.Errorf("algorithm %d: %w", algorithm, AEADError{AEADUnknown})
	case len(key) != ntske.KeySize(algorithm):
		return nil, fmt.Errorf("algorithm %d, key of %d bytes: %w", algorithm, len(key), AEADError{AEADKeySize})
	}
	a.nonce = 16
	if algorithm == ntske.AEADAES128GCMSIV {
		a.nonce = 12
	}
	first, err := a.newCipher()
	if err != nil {
		return nil, err
	}
	a.ciphers.Put(first)
	return a, nil
}

func (a *pooled) newCipher() (cipher.AEAD, error) {
	if a.algorithm == ntske.AEADAES128GCMSIV {
		return siv.NewGCM(a.key)
	}
	return siv.NewCMAC(a.key)
}

func (a *pooled) NonceSize() int { return a.nonce }
func (a *pooled) Overhead() int  { return 16 }

// allowedNonce keeps siv-go from panicking. Its AES-SIV-CMAC takes 16 bytes or none (RFC 5297
// allows any length). A peer's packet may come with none: siv-go then leaves an empty additional
// input out of S2V, but NTS's is the packet before it and never empty.
func (a *pooled) allowedNonce(nonce []byte) bool {
	return len(nonce) == a.nonce || a.algorithm == ntske.AEADAESSIVCMAC256 && len(nonce) == 0
}

func (a *pooled) Seal(dst, nonce, plaintext, additional []byte) ([]byte, error) {
	switch {
	case !a.allowedNonce(nonce):
		return dst, AEADError{AEADNonceSize}
	case len(plaintext) > maxAEADInput || len(additional) > maxAEADInput:
		return dst, AEADError{AEADTooLong}
	}
	c, err := a.take()
	if err != nil {
		return dst, err
	}
	s := a.scratch.Get().(*scratch)
	s.lay(nonce, plaintext, additional, len(plaintext)+a.Overhead())
	dst = append(dst, c.Seal(s.out[:0], s.nonce, s.in, s.additional)...)
	a.scratch.Put(s)
	a.ciphers.Put(c)
	return dst, nil
}

func (a *pooled) Open(dst, nonce, ciphertext, additional []byte) ([]byte, error) {
	switch {
	case !a.allowedNonce(nonce):
		return dst, AEADError{AEADNonceSize}
	case len(ciphertext) < a.Overhead():
		return dst, AEADError{AEADTooShort}
	case len(ciphertext) > maxAEADInput || len(additional) > maxAEADInput:
		return dst, AEADError{AEADTooLong}
	}
	c, err := a.take()
	if err != nil {
		return dst, err
	}
	s := a.scratch.Get().(*scratch)
	s.lay(nonce, ciphertext, additional, len(ciphertext)-a.Overhead())
	plain, err := c.Open(s.out[:0], s.nonce, s.in, s.additional)
	if err == nil {
		dst = append(dst, plain...)
	}
	a.scratch.Put(s)
	a.ciphers.Put(c)
	if err != nil {
		return dst, AEADError{AEADNotEqual}
	}
	return dst, nil
}

func (a *pooled) take() (cipher.AEAD, error) {
	if c, ok := a.ciphers.Get().(cipher.AEAD); ok {
		return c, nil
	}
	return a.newCipher()
}

// scratch holds copies of a call's inputs, and its output, at addresses that are multiples of
// 16: siv-go's amd64 assembly uses aligned loads and stores, and faults on others. Each part has
// a block to spare behind it, as the assembly works in whole blocks.
type scratch struct {
	room                       []byte
	nonce, in, additional, out []byte
}

const block = 16

func newScratchPool() *sync.Pool {
	return &sync.Pool{New: func() any { return &scratch{room: align(2048)} }}
}

func (s *scratch) lay(nonce, in, additional []byte, out int) {
	parts := [4]int{len(nonce), len(in), len(additional), out}
	need := 0
	for _, n := range parts {
		need += blocks(n)
	}
	if need > len(s.room) {
		s.room = align(2 * need)
	}
	at := 0
	part := func(n int) []byte {
		p := s.room[at : at+n : at+blocks(n)]
		at += blocks(n)
		return p
	}
	s.nonce, s.in, s.additional, s.out = part(parts[0]), part(parts[1]), part(parts[2]), part(parts[3])
	copy(s.nonce, nonce)
	copy(s.in, in)
	copy(s.additional, additional)
}

// blocks rounds n up to whole blocks and adds one.
func blocks(n int) int { return (n+block-1)/block*block + block }

// align returns n bytes at an address that is a multiple of 16.
func align(n int) []byte {
	b := make([]byte, n+block)
	shift := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) % block)
	return b[shift : shift+n : shift+n]
}
