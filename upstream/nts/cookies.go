package nts

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// cookieKeySize is that of AES-SIV-CMAC-256, which seals cookies whatever they are for.
const cookieKeySize = 32

// cookieHeaderSize is that of the part in the clear: key id and nonce.
const cookieHeaderSize = 4 + 16

// keptKeys is how many keys open cookies: the newest, which also seals, and those before it.
const keptKeys = 3

// CookieKeys seals and opens cookies (RFC 8915 §6) with a key that is rotated:
//
//	key id (4) | nonce (16) | AES-SIV-CMAC-256 of: AEAD (2), zero (2), C2S, S2C
//
// The key id is the associated data. A cookie opens until keptKeys−1 rotations after it was
// sealed. Keys live in memory only: after a restart clients get a NAK and come back over NTS-KE.
// Safe for concurrent use.
type CookieKeys struct {
	mu     sync.RWMutex
	keys   []cookieKey // newest first
	random io.Reader
}

type cookieKey struct {
	id   uint32
	aead AEAD
}

// NewCookieKeys returns a ring with one key, drawn from random.
func NewCookieKeys(random io.Reader) (*CookieKeys, error) {
	k := &CookieKeys{random: random}
	return k, k.Rotate()
}

// Rotate draws a new key and forgets the oldest.
func (k *CookieKeys) Rotate() error {
	var drawn [4 + cookieKeySize]byte
	if _, err := io.ReadFull(k.random, drawn[:]); err != nil {
		return fmt.Errorf("drawing a cookie key: %w", err)
	}
	aead, err := NewAEAD(ntske.AEADAESSIVCMAC256, drawn[4:])
	if err != nil {
		return fmt.Errorf("cookie key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	id := binary.BigEndian.Uint32(drawn[:])
	for i := 0; i < len(k.keys); i++ { // an id that two keys share would hide one
		if k.keys[i].id == id {
			id, i = id+1, -1
		}
	}
	keys := append([]cookieKey{{id: id, aead: aead}}, k.keys...)
	k.keys = keys[:min(len(keys), keptKeys)]
	return nil
}

// CookieSize returns the length of a cookie for the AEAD algorithm, a multiple of 4.
func CookieSize(algorithm uint16) int {
	return cookieHeaderSize + 16 + 4 + 2*ntske.KeySize(algorithm)
}

// Seal appends a new cookie to b. No two are equal.
func (k *CookieKeys) Seal(b []byte, algorithm uint16, keys ntske.Keys) ([]byte, error) {
	size := ntske.KeySize(algorithm)
	if size == 0 || len(keys.C2S) != size || len(keys.S2C) != size {
		return b, fmt.Errorf("cookie: AEAD algorithm %d with keys of %d and %d bytes", algorithm, len(keys.C2S), len(keys.S2C))
	}
	k.mu.RLock()
	key := k.keys[0]
	k.mu.RUnlock()
	var plain [4 + 2*32]byte
	binary.BigEndian.PutUint16(plain[:], algorithm)
	n := 4 + copy(plain[4:], keys.C2S)
	n += copy(plain[n:], keys.S2C)
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, key.id)
	b = append(b, make([]byte, 16)...)
	nonce := b[start+4 : start+cookieHeaderSize]
	if _, err := io.ReadFull(k.random, nonce); err != nil {
		return b[:start], fmt.Errorf("cookie: drawing a nonce: %w", err)
	}
	out, err := key.aead.Seal(b, nonce, plain[:n], b[start:start+4])
	if err != nil {
		return b[:start], fmt.Errorf("cookie: %w", err)
	}
	return out, nil
}

// Open returns what a cookie holds. Every failure is an *Error with ReasonBadCookie.
func (k *CookieKeys) Open(cookie []byte) (algorithm uint16, keys ntske.Keys, err error) {
	if len(cookie) < cookieHeaderSize {
		return 0, ntske.Keys{}, refused(ReasonBadCookie)
	}
	id := binary.BigEndian.Uint32(cookie)
	var aead AEAD
	k.mu.RLock()
	for _, c := range k.keys {
		if c.id == id {
			aead = c.aead
		}
	}
	k.mu.RUnlock()
	if aead == nil {
		return 0, ntske.Keys{}, refused(ReasonBadCookie)
	}
	plain, err := aead.Open(nil, cookie[4:cookieHeaderSize], cookie[cookieHeaderSize:], cookie[:4])
	if err != nil {
		return 0, ntske.Keys{}, &Error{Reason: ReasonBadCookie, Err: err}
	}
	if len(plain) < 4 {
		return 0, ntske.Keys{}, refused(ReasonBadCookie)
	}
	algorithm = binary.BigEndian.Uint16(plain)
	size := ntske.KeySize(algorithm)
	if size == 0 || len(plain) != 4+2*size {
		return 0, ntske.Keys{}, refused(ReasonBadCookie)
	}
	return algorithm, ntske.Keys{C2S: plain[4 : 4+size], S2C: plain[4+size:]}, nil
}
