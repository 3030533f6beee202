package nts

import (
	"fmt"
	"io"
	"sync"

	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// Server opens requests and seals replies. It keeps nothing of its clients: a request's cookie
// holds the keys. Safe for concurrent use as long as each Accepted is used by one goroutine.
type Server struct {
	cookies *CookieKeys
	random  io.Reader
	scratch *sync.Pool
}

// NewServer returns a server that opens cookies of the ring. Nonces are read from random.
func NewServer(cookies *CookieKeys, random io.Reader) *Server {
	return &Server{cookies: cookies, random: random, scratch: newScratchPool()}
}

// Accepted is an authenticated request, or with an error of ReasonBadCookie or
// ReasonNotAuthentic one that deserves a NAK. It may be used again by a further call of Open.
type Accepted struct {
	Header ntp.Packet
	// Cookies is how many the reply carries: one, and one for each placeholder that is long
	// enough, at most ntske.MaxCookies.
	Cookies   int
	algorithm uint16
	keys      ntske.Keys
	uid       []byte
	size      int // of the request: a reply is never longer
	tag       [16]byte
	plain     []byte
}

// Tag is the request's authentication tag: two requests that a client made have different ones.
func (q *Accepted) Tag() [16]byte { return q.tag }

// Open checks a request: a whole NTP header of version 4 and mode 3; one unique identifier, one
// cookie, and an authenticator behind them; a cookie that opens; and an AEAD that opens under
// the key in it. Whatever stands behind the authenticator is not looked at. Failures are an
// *Error; only with ReasonBadCookie and ReasonNotAuthentic is q good for NAK. q aliases packet.
func (s *Server) Open(packet []byte, q *Accepted) error {
	*q = Accepted{plain: q.plain[:0], size: len(packet)}
	h := &q.Header
	if len(packet) > 2*MaxPacketSize || h.UnmarshalBinary(packet) != nil {
		return refused(ReasonSize)
	}
	switch {
	case h.Version != ntp.Version:
		return refused(ReasonVersion)
	case h.Mode != ntp.ModeClient:
		return refused(ReasonMode)
	case len(packet) == ntp.PacketSize:
		return refused(ReasonPlain)
	}
	var cookie []byte
	var seal sealField
	wanted := [ntske.MaxCookies]int{} // lengths of the placeholders
	placeholders := 0
	for at := ntp.PacketSize; at < len(packet); {
		f, next, err := NextField(packet, at, minFieldSize)
		if err != nil {
			return &Error{Reason: ReasonField, Err: err}
		}
		switch f.Type {
		case TypeUniqueIdentifier:
			if q.uid != nil {
				return refused(ReasonDuplicateField)
			}
			q.uid = f.Value
		case TypeCookie:
			if cookie != nil {
				return refused(ReasonDuplicateField)
			}
			cookie = f.Value
		case TypeCookiePlaceholder:
			if placeholders < len(wanted) {
				wanted[placeholders] = len(f.Value)
				placeholders++
			}
		case TypeAuthenticator:
			seal, next = sealField{Field: f, at: at}, len(packet)
		}
		at = next
	}
	switch {
	case seal.at == 0:
		if cookie == nil {
			return refused(ReasonPlain)
		}
		return refused(ReasonUnprotected)
	case len(q.uid) < UniqueIdentifierSize:
		return refused(ReasonUniqueID)
	case cookie == nil:
		return refused(ReasonNoCookie)
	}
	auth, ok := parseAuthenticator(seal.Value)
	if !ok {
		return refused(ReasonAuthenticator)
	}
	algorithm, keys, err := s.cookies.Open(cookie)
	if err != nil {
		return err
	}
	c2s, err := newPooled(algorithm, keys.C2S, s.scratch)
	if err != nil {
		return refused(ReasonBadCookie)
	}
	plain, err := c2s.Open(q.plain, auth.nonce, auth.ciphertext, packet[:seal.at])
	if err != nil {
		return &Error{Reason: ReasonNotAuthentic, Err: err}
	}
	q.plain = plain
	// Placeholders may also be sent encrypted (RFC 8915 §5.5).
	for at := 0; at < len(plain); {
		f, next, err := NextField(plain, at, fieldHeaderSize)
		if err != nil {
			return &Error{Reason: ReasonEncrypted, Err: err}
		}
		if f.Type == TypeCookiePlaceholder && placeholders < len(wanted) {
			wanted[placeholders] = len(f.Value)
			placeholders++
		}
		at = next
	}
	q.algorithm, q.keys = algorithm, keys
	if algorithm == ntske.AEADAES128GCMSIV { // its tag is the end (RFC 8452 §4), SIV's the beginning
		copy(q.tag[:], auth.ciphertext[len(auth.ciphertext)-len(q.tag):])
	} else {
		copy(q.tag[:], auth.ciphertext)
	}
	q.Cookies = 1
	for _, n := range wanted[:placeholders] {
		if n >= CookieSize(algorithm) && q.Cookies < ntske.MaxCookies {
			q.Cookies++
		}
	}
	return nil
}

// Reply appends the sealed reply to b, which must be empty. The header is filled by stamp as
// late as can be: after the new cookies are made, just before the packet is sealed; stamp
// returning false means that there is nothing to say any more, and Reply returns ErrNoTime. The
// reply is never longer than the request: cookies that don't fit are left out.
func (s *Server) Reply(b []byte, q *Accepted, stamp func(*ntp.Packet) bool) ([]byte, error) {
	s2c, err := newPooled(q.algorithm, q.keys.S2C, s.scratch)
	if err != nil {
		return b, err
	}
	field := fieldHeaderSize + CookieSize(q.algorithm)
	fixed := ntp.PacketSize + fieldHeaderSize + len(q.uid) +
		fieldHeaderSize + authenticatorHeaderSize + pad4(s2c.NonceSize()) + s2c.Overhead()
	plain := q.plain[:0]
	for i := 0; i < q.Cookies && fixed+len(plain)+field <= q.size; i++ {
		var value []byte
		plain, value = appendEmptyField(plain, TypeCookie, CookieSize(q.algorithm))
		if _, err := s.cookies.Seal(value[:0], q.algorithm, q.keys); err != nil {
			return b, err
		}
	}
	q.plain = plain
	h := ntp.Packet{Version: ntp.Version, Mode: ntp.ModeServer, Poll: q.Header.Poll, OriginTime: q.Header.TransmitTime}
	if !stamp(&h) {
		return b, ErrNoTime
	}
	if b, err = h.AppendBinary(b); err != nil {
		return b, err
	}
	b = AppendField(b, TypeUniqueIdentifier, q.uid)
	return appendAuthenticator(b, s2c, plain, s.random)
}

// ErrNoTime says that a Reply's stamp function had no time to give.
var ErrNoTime = fmt.Errorf("no time to give")

// NAK appends the answer to a request whose cookie or authenticator did not open (RFC 8915
// §5.7): kiss code NTSN with the request's unique identifier, unauthenticated.
func (s *Server) NAK(b []byte, q *Accepted) ([]byte, error) {
	h := ntp.Packet{
		Leap: ntp.LeapUnsynchronized, Version: ntp.Version, Mode: ntp.ModeServer,
		Poll: q.Header.Poll, ReferenceID: ntp.RefID(nak), OriginTime: q.Header.TransmitTime,
	}
	b, err := h.AppendBinary(b)
	if err != nil {
		return b, err
	}
	return AppendField(b, TypeUniqueIdentifier, q.uid), nil
}
