package ntske

import "fmt"

// The reasons an exchange fails for. They are counted and shown under these words.
const (
	ReasonTransport       = "ke-transport"        // the connection failed or took too long
	ReasonTLSVersion      = "ke-tls-version"      // not TLS 1.3
	ReasonALPN            = "ke-alpn"             // the peer did not agree to ntske/1
	ReasonNoEnd           = "ke-no-end"           // closed before the End of Message record
	ReasonTooBig          = "ke-too-big"          // more bytes than the limit
	ReasonTooMany         = "ke-too-many-records" // more records than the limit
	ReasonMalformed       = "ke-malformed"        // a known record with a body or bit it can't have
	ReasonDuplicate       = "ke-duplicate"        // a record twice that may be there once
	ReasonMissing         = "ke-missing"          // a mandatory record is not there
	ReasonUnknownCritical = "ke-unknown-critical" // an unknown record with the critical bit
	ReasonProtocol        = "ke-protocol"         // NTPv4 was not agreed on
	ReasonAEAD            = "ke-aead"             // no algorithm in common, or one that was not offered
	ReasonNoCookies       = "ke-no-cookies"       // none, or none that fits an NTP packet
	ReasonWarning         = "ke-warning"          // the server warns; no code is defined (RFC 8915 §4.1.4)
	// What the peer's Error record says.
	ReasonPeerUnrecognizedCritical = "ke-error-unrecognized-critical"
	ReasonPeerBadRequest           = "ke-error-bad-request"
	ReasonPeerInternal             = "ke-error-internal"
	ReasonPeerUnknown              = "ke-error-unknown"
	// ReasonUnexpected is a record that the other side sends.
	ReasonUnexpected = "ke-unexpected"
	// ReasonInternal is our own failure, for instance of the random source.
	ReasonInternal = "ke-internal"
)

// Error is why an exchange failed.
type Error struct {
	Reason string // one of the Reason constants
	Detail string
	Err    error // the cause underneath, if any
}

// Error implements error.
func (e *Error) Error() string {
	s := "NTS-KE: " + e.Reason
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause underneath.
func (e *Error) Unwrap() error { return e.Err }

func failf(reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
