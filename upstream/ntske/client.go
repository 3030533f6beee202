package ntske

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"slices"
)

// MaxCookies is how many cookies a server hands out and a client keeps (RFC 8915 §4.1.6).
const MaxCookies = 8

// MaxCookieSize is the largest cookie that is kept, so that a request with it and one
// placeholder fits the smallest IPv6 MTU.
const MaxCookieSize = 512

// minCookieSize makes a cookie extension field of 16 bytes, the least there is (RFC 7822 §3).
const minCookieSize = 12

// ClientOptions says what is offered. The zero value offers AEAD 30 and 15.
type ClientOptions struct {
	// AEADs are offered in this order of preference; nil: 30, 15.
	AEADs []uint16
	// NTPServer and NTPPort ask for a particular NTP server; empty and 0: no wish.
	NTPServer string
	NTPPort   uint16
	Limits    Limits
}

// Client makes the exchange over conn, whose configuration has decided already whom to trust;
// it must offer the protocol name ALPN. The handshake is completed if it was not. ctx bounds
// all of it. Every failure is an *Error. The connection stays the caller's to close.
func Client(ctx context.Context, conn *tls.Conn, opt ClientOptions) (*Session, error) {
	offer := opt.AEADs
	if len(offer) == 0 {
		offer = []uint16{AEADAES128GCMSIV, AEADAESSIVCMAC256}
	}
	for _, a := range offer {
		if KeySize(a) == 0 {
			return nil, failf(ReasonAEAD, "algorithm %d is not known here", a)
		}
	}
	state, err := handshake(ctx, conn)
	if err != nil {
		return nil, err
	}
	defer bounded(ctx, conn)()
	request, err := MarshalMessage(clientRequest(offer, opt))
	if err != nil {
		return nil, &Error{Reason: ReasonInternal, Err: err}
	}
	if _, err := conn.Write(request); err != nil {
		return nil, &Error{Reason: ReasonTransport, Detail: "sending the request", Err: err}
	}
	records, err := ReadMessage(conn, opt.Limits)
	if err != nil {
		if cause := ctx.Err(); cause != nil {
			return nil, &Error{Reason: ReasonTransport, Detail: "waiting for the response", Err: errors.Join(cause, err)}
		}
		return nil, err
	}
	session, err := ParseResponse(records, offer)
	if err != nil {
		return nil, err
	}
	if session.Keys, err = exportKeys(state, session.AEAD, session.AEAD); err != nil {
		return nil, err
	}
	if session.AEAD == AEADAES128GCMSIV && !session.Compliant128GCM {
		compliant := session.Keys
		if session.Keys, err = exportKeys(state, session.AEAD, AEADAESSIVCMAC256); err != nil {
			return nil, err
		}
		session.Alternative = &compliant
	}
	return session, nil
}

func clientRequest(offer []uint16, opt ClientOptions) []Record {
	records := []Record{
		{Critical: true, Type: TypeNextProtocol, Body: appendNumbers(nil, ProtocolNTPv4)},
		{Critical: true, Type: TypeAEADAlgorithm, Body: appendNumbers(nil, offer...)},
	}
	if slices.Contains(offer, AEADAES128GCMSIV) {
		records = append(records, Record{Type: TypeCompliant128GCM})
	}
	if opt.NTPServer != "" {
		records = append(records, Record{Type: TypeNTPv4Server, Body: []byte(opt.NTPServer)})
	}
	if opt.NTPPort != 0 {
		records = append(records, Record{Type: TypeNTPv4Port, Body: appendNumbers(nil, opt.NTPPort)})
	}
	return records
}

// ParseResponse judges a server's response to a request that offered the AEADs in offer. The
// Session it returns has no keys yet. Every failure is an *Error.
func ParseResponse(records []Record, offer []uint16) (*Session, error) {
	s := &Session{NTPPort: 123}
	seen := map[uint16]bool{}
	once := func(r Record) error {
		if seen[r.Type] {
			return failf(ReasonDuplicate, "record type %d twice", r.Type)
		}
		seen[r.Type] = true
		return nil
	}
	// An error record explains everything else that is odd about a response.
	for _, r := range records {
		switch r.Type {
		case TypeError:
			return nil, peerError(r)
		case TypeWarning:
			return nil, failf(ReasonWarning, "%x", r.Body)
		}
	}
	refused := 0 // cookies
	for _, r := range records {
		var err error
		switch r.Type {
		case TypeNextProtocol:
			err = once(r)
			switch list, ok := numbers(r.Body); {
			case err != nil:
			case !ok || !r.Critical || len(list) > 1:
				err = failf(ReasonMalformed, "next protocol record %x", r.Body)
			case len(list) == 0 || list[0] != ProtocolNTPv4:
				err = failf(ReasonProtocol, "the server does not speak NTPv4")
			}
		case TypeAEADAlgorithm:
			err = once(r)
			switch list, ok := numbers(r.Body); {
			case err != nil:
			case !ok || len(list) > 1:
				err = failf(ReasonMalformed, "AEAD algorithm record %x", r.Body)
			case len(list) == 0:
				err = failf(ReasonAEAD, "the server knows none of %d", offer)
			case !slices.Contains(offer, list[0]):
				err = failf(ReasonAEAD, "the server chose %d, which was not offered", list[0])
			default:
				s.AEAD = list[0]
			}
		case TypeNewCookie:
			switch n := len(r.Body); {
			case n%4 != 0 || n < minCookieSize || n > MaxCookieSize:
				refused++
			case len(s.Cookies) < MaxCookies:
				s.Cookies = append(s.Cookies, r.Body)
			}
		case TypeNTPv4Server:
			if err = once(r); err == nil && !validHost(r.Body) {
				err = failf(ReasonMalformed, "NTP server name of %d bytes", len(r.Body))
			}
			s.NTPServer = string(r.Body)
		case TypeNTPv4Port:
			if err = once(r); err == nil && (len(r.Body) != 2 || binary.BigEndian.Uint16(r.Body) == 0) {
				err = failf(ReasonMalformed, "NTP port record %x", r.Body)
			}
			if err == nil {
				s.NTPPort = binary.BigEndian.Uint16(r.Body)
			}
		case TypeCompliant128GCM:
			if err = once(r); err == nil && len(r.Body) != 0 {
				err = failf(ReasonMalformed, "compliant-128-gcm-siv record with a body")
			}
			s.Compliant128GCM = true
		default:
			if r.Critical {
				err = failf(ReasonUnknownCritical, "record type %d", r.Type)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case !seen[TypeNextProtocol]:
		return nil, failf(ReasonMissing, "no next protocol record")
	case !seen[TypeAEADAlgorithm]:
		return nil, failf(ReasonMissing, "no AEAD algorithm record")
	case len(s.Cookies) == 0 && refused > 0:
		return nil, failf(ReasonNoCookies, "%d cookies, none of a length that fits", refused)
	case len(s.Cookies) == 0:
		return nil, failf(ReasonNoCookies, "no cookie")
	}
	return s, nil
}

func peerError(r Record) error {
	code, ok := numbers(r.Body)
	if !ok || len(code) != 1 {
		return failf(ReasonMalformed, "error record %x", r.Body)
	}
	switch code[0] {
	case CodeUnrecognizedCritical:
		return failf(ReasonPeerUnrecognizedCritical, "the peer does not know a critical record")
	case CodeBadRequest:
		return failf(ReasonPeerBadRequest, "the peer calls the request bad")
	case CodeInternalServerError:
		return failf(ReasonPeerInternal, "the peer failed")
	}
	return failf(ReasonPeerUnknown, "error code %d", code[0])
}

// validHost holds a negotiated name to visible ASCII of a length that DNS allows; whether it
// may be contacted is the caller's to judge.
func validHost(b []byte) bool {
	if len(b) == 0 || len(b) > 255 {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c > '~' || c == '/' || c == '%' {
			return false
		}
	}
	return true
}
