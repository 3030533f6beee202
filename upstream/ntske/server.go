package ntske

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
)

// ServerOptions says what a server agrees to and hands out.
type ServerOptions struct {
	// AEADs are those it knows; the first that the client offers among them is taken, 30 only for want of another
	// where the client does not say that its keys for it are compliant.
	// nil: 30, 15.
	AEADs []uint16
	// NTPServer and NTPPort are negotiated when not empty and not 0 or 123.
	NTPServer string
	NTPPort   uint16
	// NewCookie makes a cookie for an association. Its length must be a multiple of 4.
	NewCookie func(aead uint16, keys Keys) ([]byte, error)
	Cookies   int // how many; 0: MaxCookies
	Limits    Limits
}

// Request is what a client asked for.
type Request struct {
	NTPv4           bool
	AEADs           []uint16 // in the client's order
	Compliant128GCM bool
}

// Server makes a server's half of the exchange over conn, whose configuration must offer the
// protocol name ALPN. The handshake is completed if it was not. ctx bounds all of it. A request
// that is refused is answered with the Error record it deserves and comes back as an *Error.
// The connection stays the caller's to close.
func Server(ctx context.Context, conn *tls.Conn, opt ServerOptions) (*Session, error) {
	state, err := handshake(ctx, conn)
	if err != nil {
		return nil, err
	}
	defer bounded(ctx, conn)()
	records, err := ReadMessage(conn, opt.Limits)
	if err != nil {
		return nil, refuse(conn, err)
	}
	request, err := ParseRequest(records)
	if err != nil {
		return nil, refuse(conn, err)
	}
	known := opt.AEADs
	if len(known) == 0 {
		known = []uint16{AEADAES128GCMSIV, AEADAESSIVCMAC256}
	}
	session := &Session{NTPServer: opt.NTPServer, NTPPort: 123, Compliant128GCM: request.Compliant128GCM}
	if opt.NTPPort != 0 {
		session.NTPPort = opt.NTPPort
	}
	var reply []Record
	var verdict error
	switch i := request.choose(known); {
	case !request.NTPv4:
		reply = []Record{{Critical: true, Type: TypeNextProtocol}}
		verdict = failf(ReasonProtocol, "the client does not offer NTPv4")
	case i < 0:
		reply = []Record{
			{Critical: true, Type: TypeNextProtocol, Body: appendNumbers(nil, ProtocolNTPv4)},
			{Critical: true, Type: TypeAEADAlgorithm},
		}
		verdict = failf(ReasonAEAD, "the client offers %d", request.AEADs)
	default:
		session.AEAD = request.AEADs[i]
		if reply, err = session.fill(state, opt); err != nil {
			return nil, refuse(conn, err)
		}
	}
	b, err := MarshalMessage(reply)
	if err != nil {
		return nil, refuse(conn, &Error{Reason: ReasonInternal, Err: err})
	}
	if _, err := conn.Write(b); err != nil {
		return nil, &Error{Reason: ReasonTransport, Detail: "sending the response", Err: err}
	}
	if verdict != nil {
		return nil, verdict
	}
	return session, nil
}

// choose returns the index of the algorithm to take, the first that is known; −1: there is none. Without the record of
// compliance nobody can tell which keys the client derives for 30: chrony 4.4 to 4.6 others than RFC 8915 has. Where it
// offers another, that one is taken.
func (q *Request) choose(known []uint16) int {
	usable := func(a uint16) bool { return slices.Contains(known, a) && KeySize(a) > 0 }
	if !q.Compliant128GCM {
		if i := slices.IndexFunc(q.AEADs, func(a uint16) bool { return usable(a) && a != AEADAES128GCMSIV }); i >= 0 {
			return i
		}
	}
	return slices.IndexFunc(q.AEADs, usable)
}

// fill derives the keys, makes the cookies and returns the response's records.
func (s *Session) fill(state *tls.ConnectionState, opt ServerOptions) ([]Record, error) {
	contextAEAD := s.AEAD
	if s.AEAD == AEADAES128GCMSIV && !s.Compliant128GCM {
		// As chrony 4.4 to 4.6, the clients that are known to offer 30 without the record, expect it.
		contextAEAD = AEADAESSIVCMAC256
	}
	var err error
	if s.Keys, err = exportKeys(state, s.AEAD, contextAEAD); err != nil {
		return nil, err
	}
	records := []Record{
		{Critical: true, Type: TypeNextProtocol, Body: appendNumbers(nil, ProtocolNTPv4)},
		{Critical: true, Type: TypeAEADAlgorithm, Body: appendNumbers(nil, s.AEAD)},
	}
	if s.AEAD == AEADAES128GCMSIV && s.Compliant128GCM {
		records = append(records, Record{Type: TypeCompliant128GCM})
	}
	if s.NTPServer != "" {
		records = append(records, Record{Critical: true, Type: TypeNTPv4Server, Body: []byte(s.NTPServer)})
	}
	if s.NTPPort != 123 {
		records = append(records, Record{Critical: true, Type: TypeNTPv4Port, Body: appendNumbers(nil, s.NTPPort)})
	}
	count := opt.Cookies
	if count == 0 {
		count = MaxCookies
	}
	for range count {
		cookie, err := opt.NewCookie(s.AEAD, s.Keys)
		if err != nil {
			return nil, &Error{Reason: ReasonInternal, Detail: "making a cookie", Err: err}
		}
		s.Cookies = append(s.Cookies, cookie)
		records = append(records, Record{Type: TypeNewCookie, Body: cookie})
	}
	return records, nil
}

// ParseRequest judges a client's request. Every failure is an *Error.
func ParseRequest(records []Record) (*Request, error) {
	q := &Request{}
	seen := map[uint16]bool{}
	for _, r := range records {
		switch r.Type {
		case TypeNextProtocol, TypeAEADAlgorithm, TypeNTPv4Server, TypeNTPv4Port, TypeCompliant128GCM:
			if seen[r.Type] {
				return nil, failf(ReasonDuplicate, "record type %d twice", r.Type)
			}
			seen[r.Type] = true
		}
		switch r.Type {
		case TypeNextProtocol:
			list, ok := numbers(r.Body)
			if !ok || !r.Critical || len(list) == 0 {
				return nil, failf(ReasonMalformed, "next protocol record %x", r.Body)
			}
			q.NTPv4 = slices.Contains(list, ProtocolNTPv4)
		case TypeAEADAlgorithm:
			list, ok := numbers(r.Body)
			if !ok || len(list) == 0 {
				return nil, failf(ReasonMalformed, "AEAD algorithm record of %d bytes", len(r.Body))
			}
			q.AEADs = list
		case TypeNTPv4Server:
			if !validHost(r.Body) {
				return nil, failf(ReasonMalformed, "NTP server name of %d bytes", len(r.Body))
			}
		case TypeNTPv4Port:
			if len(r.Body) != 2 {
				return nil, failf(ReasonMalformed, "NTP port record of %d bytes", len(r.Body))
			}
		case TypeCompliant128GCM:
			if len(r.Body) != 0 {
				return nil, failf(ReasonMalformed, "compliant-128-gcm-siv record with a body")
			}
			q.Compliant128GCM = true
		case TypeError, TypeWarning, TypeNewCookie:
			return nil, failf(ReasonUnexpected, "record type %d from a client", r.Type)
		default:
			if r.Critical {
				return nil, failf(ReasonUnknownCritical, "record type %d", r.Type)
			}
		}
	}
	if !seen[TypeNextProtocol] {
		return nil, failf(ReasonMissing, "no next protocol record")
	}
	if q.NTPv4 && !seen[TypeAEADAlgorithm] {
		return nil, failf(ReasonMissing, "no AEAD algorithm record")
	}
	return q, nil
}

// refuse answers with the Error record that the failure deserves, if the client can still read
// one, and returns the failure.
func refuse(conn *tls.Conn, failure error) error {
	code := uint16(CodeBadRequest)
	var e *Error
	if errors.As(failure, &e) {
		switch e.Reason {
		case ReasonTransport:
			return failure
		case ReasonUnknownCritical:
			code = CodeUnrecognizedCritical
		case ReasonInternal:
			code = CodeInternalServerError
		}
	}
	b, err := MarshalMessage([]Record{{Critical: true, Type: TypeError, Body: appendNumbers(nil, code)}})
	if err == nil {
		_, _ = conn.Write(b) // the failure that counts is the first
	}
	return failure
}
