package nts

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// MaxPacketSize is the largest datagram that is sent or looked at: with IPv6 and UDP headers it
// fits the smallest MTU, 1280 bytes.
const MaxPacketSize = 1232

// maxRootDistance is RFC 5905's MAXDISP: beyond it a server says nothing useful.
const maxRootDistance = 16 * time.Second

// nak is the kiss code of an NTS NAK (RFC 8915 §5.7).
const nak = "NTSN"

// Client makes requests and opens responses with one pair of keys. It is safe for concurrent
// use as long as each Request is used by one goroutine.
type Client struct{ c2s, s2c AEAD }

// NewClient returns a client with the keys that NTS-KE gave for the AEAD algorithm.
func NewClient(algorithm uint16, keys ntske.Keys) (*Client, error) {
	c2s, err := NewAEAD(algorithm, keys.C2S)
	if err != nil {
		return nil, fmt.Errorf("client to server key: %w", err)
	}
	s2c, err := NewAEAD(algorithm, keys.S2C)
	if err != nil {
		return nil, fmt.Errorf("server to client key: %w", err)
	}
	return &Client{c2s: c2s, s2c: s2c}, nil
}

// Request is one request: what was sent, and what its answer must repeat. It may be used again
// by a further call of Client.Request.
type Request struct {
	Packet   []byte     // the datagram to send
	Transmit ntp.Time64 // a random number in place of the time, so that nobody can guess the origin
	// Placeholders is how many were put in: MaxPacketSize may allow fewer than were asked for.
	Placeholders int
	uid          [UniqueIdentifierSize]byte
	plain        []byte // scratch of the answer
}

// Request fills r with a request that spends cookie and asks for placeholders cookies more than
// the one that replaces it. Randomness is read from random. The request is as long as the
// response to it, or longer, if the new cookies are no longer than the old.
func (c *Client) Request(r *Request, cookie []byte, placeholders int, random io.Reader) error {
	if len(cookie)%4 != 0 || len(cookie) < minFieldSize-fieldHeaderSize || len(cookie) > ntske.MaxCookieSize {
		return fmt.Errorf("NTS request: cookie of %d bytes", len(cookie))
	}
	var drawn [UniqueIdentifierSize + 8]byte
	if _, err := io.ReadFull(random, drawn[:]); err != nil {
		return fmt.Errorf("NTS request: drawing a unique identifier: %w", err)
	}
	copy(r.uid[:], drawn[:])
	r.Transmit = 0
	for _, v := range drawn[UniqueIdentifierSize:] {
		r.Transmit = r.Transmit<<8 | ntp.Time64(v)
	}
	if r.Transmit == 0 {
		r.Transmit = 1
	}
	header := ntp.Packet{Version: ntp.Version, Mode: ntp.ModeClient, TransmitTime: r.Transmit}
	b, err := header.AppendBinary(r.Packet[:0])
	if err != nil {
		return fmt.Errorf("NTS request: %w", err)
	}
	b = AppendField(b, TypeUniqueIdentifier, r.uid[:])
	b = AppendField(b, TypeCookie, cookie)
	tail := fieldHeaderSize + authenticatorHeaderSize + pad4(c.c2s.NonceSize()) + c.c2s.Overhead()
	for r.Placeholders = 0; r.Placeholders < placeholders; r.Placeholders++ {
		if len(b)+fieldHeaderSize+len(cookie)+tail > MaxPacketSize {
			break
		}
		b, _ = appendEmptyField(b, TypeCookiePlaceholder, len(cookie))
	}
	if b, err = appendAuthenticator(b, c.c2s, nil, random); err != nil {
		return fmt.Errorf("NTS request: %w", err)
	}
	r.Packet = b
	return nil
}

// Response is an answer that everything was checked of; beside an error behind the AEAD, what is
// left of it.
type Response struct {
	Header  ntp.Packet
	Cookies [][]byte // new cookies, copies; those that fit no packet are left out
}

// Open checks that packet is the answer to r and returns what it says. The checks come in this
// order: unique identifier equal and in the clear; authenticator present, and nothing behind it
// looked at; the AEAD opens; origin timestamp equal; mode, version, stratum, leap, root distance,
// timestamps sane. The first that fails is an *Error with its reason, and nothing of the packet
// is used, but for the hints of Error.Hint, and for the new cookies of an answer that only its
// header's values make useless: they are authentic, and without them a server that is not
// synchronized at present would cost a key exchange each eight requests.
func (c *Client) Open(packet []byte, r *Request) (Response, error) {
	var h ntp.Packet
	if len(packet) > 2*MaxPacketSize || h.UnmarshalBinary(packet) != nil {
		return Response{}, refused(ReasonSize)
	}
	if len(packet) == ntp.PacketSize {
		return Response{}, refused(ReasonPlain)
	}
	seal, sealed, err := findAuthenticator(packet, r.uid[:])
	if err != nil {
		return Response{}, err
	}
	if !sealed {
		return Response{}, unprotected(&h, r)
	}
	auth, ok := parseAuthenticator(seal.Value)
	if !ok {
		return Response{}, refused(ReasonAuthenticator)
	}
	plain, err := c.s2c.Open(r.plain[:0], auth.nonce, auth.ciphertext, packet[:seal.at])
	if err != nil {
		return Response{}, &Error{Reason: ReasonNotAuthentic, Err: err}
	}
	r.plain = plain
	if h.OriginTime != r.Transmit {
		return Response{}, refused(ReasonOrigin)
	}
	cookies, err := newCookies(plain)
	if useless := sane(&h); useless != nil {
		return Response{Cookies: cookies}, useless
	}
	if err != nil {
		return Response{}, err
	}
	return Response{Header: h, Cookies: cookies}, nil
}

type sealField struct {
	Field
	at int // where it begins: what is before it is its associated data
}

// findAuthenticator walks the fields up to the authenticator. The unique identifier must stand
// before it, once, and equal uid.
func findAuthenticator(packet, uid []byte) (seal sealField, found bool, err error) {
	named := false
	for at := ntp.PacketSize; at < len(packet); {
		f, next, err := NextField(packet, at, minFieldSize)
		if err != nil {
			if !named {
				return sealField{}, false, &Error{Reason: ReasonUniqueID, Err: err}
			}
			return sealField{}, false, &Error{Reason: ReasonField, Err: err}
		}
		switch f.Type {
		case TypeUniqueIdentifier:
			if named || !bytes.Equal(f.Value, uid) {
				return sealField{}, false, refused(ReasonUniqueID)
			}
			named = true
		case TypeAuthenticator:
			if !named {
				return sealField{}, false, refused(ReasonUniqueID)
			}
			return sealField{Field: f, at: at}, true, nil
		}
		at = next
	}
	if !named {
		return sealField{}, false, refused(ReasonUniqueID)
	}
	return sealField{}, false, nil
}

// unprotected tells what a packet without authenticator that repeats our unique identifier may
// mean: a NAK, a kiss code, or nothing.
func unprotected(h *ntp.Packet, r *Request) *Error {
	if h.OriginTime == r.Transmit && h.Mode == ntp.ModeServer {
		switch code := h.Kiss(); code {
		case "":
		case nak:
			return refused(ReasonNAK)
		default:
			return &Error{Reason: ReasonUnauthenticKiss, Kiss: code}
		}
	}
	return refused(ReasonUnprotected)
}

// sane judges the header of an authenticated answer.
func sane(h *ntp.Packet) error {
	switch {
	case h.Mode != ntp.ModeServer:
		return refused(ReasonMode)
	case h.Version != ntp.Version:
		return refused(ReasonVersion)
	case h.Kiss() != "":
		return &Error{Reason: ReasonKiss, Kiss: h.Kiss()}
	case h.Stratum == 0 || h.Stratum > ntp.MaxStratum:
		return refused(ReasonStratum)
	case h.Leap == ntp.LeapUnsynchronized:
		return refused(ReasonLeap)
	case h.RootDelay.Duration()/2+h.RootDispersion.Duration() >= maxRootDistance:
		return refused(ReasonRootDistance)
	case h.ReceiveTime == 0 || h.TransmitTime == 0 || h.TransmitTime.Before(h.ReceiveTime):
		return refused(ReasonTimestamps)
	}
	return nil
}

// newCookies copies the cookies out of the decrypted fields.
func newCookies(plain []byte) ([][]byte, error) {
	var cookies [][]byte
	var room []byte
	for at := 0; at < len(plain); {
		f, next, err := NextField(plain, at, fieldHeaderSize)
		if err != nil {
			return nil, &Error{Reason: ReasonEncrypted, Err: err}
		}
		n := len(f.Value)
		if f.Type == TypeCookie && n >= minFieldSize-fieldHeaderSize && n <= ntske.MaxCookieSize && len(cookies) < ntske.MaxCookies {
			if room == nil {
				room = make([]byte, 0, len(plain)-at)
				cookies = make([][]byte, 0, ntske.MaxCookies)
			}
			start := len(room)
			room = append(room, f.Value...)
			cookies = append(cookies, room[start:len(room):len(room)])
		}
		at = next
	}
	return cookies, nil
}
