package nts

// The reasons a datagram is refused for, in the order in which a client checks. They are counted
// and shown under these words.
const (
	ReasonSize          = "packet-size"     // shorter than an NTP header, or absurdly long
	ReasonField         = "extension-field" // extension fields that make no sense before the authenticator
	ReasonPlain         = "plain-ntp"       // no extension field at all: NTP without NTS
	ReasonUniqueID      = "unique-id"       // none in the clear, or not the request's: not an answer to it
	ReasonUnprotected   = "no-authenticator"
	ReasonAuthenticator = "authenticator" // an authenticator whose lengths make no sense
	ReasonNotAuthentic  = "not-authentic" // the AEAD does not open
	ReasonEncrypted     = "encrypted-fields"
	ReasonOrigin        = "origin" // origin timestamp not the request's
	ReasonMode          = "mode"
	ReasonVersion       = "version"
	ReasonKiss          = "kiss" // an authenticated kiss code
	ReasonStratum       = "stratum"
	ReasonLeap          = "leap" // the server says that it is not synchronized
	ReasonRootDistance  = "root-distance"
	ReasonTimestamps    = "timestamps" // zero, or sent before it was received

	// Hints: a NAK and a kiss code that nobody vouches for.
	ReasonNAK             = "nak"
	ReasonUnauthenticKiss = "kiss-unauthenticated"

	// A server's own.
	ReasonDuplicateField = "duplicate-field"
	ReasonNoCookie       = "no-cookie"
	ReasonBadCookie      = "bad-cookie" // not sealed with a key that is still known: answer with a NAK
)

// Error is why a datagram is refused. Nothing of it may be used but what Client.Open returns beside it.
type Error struct {
	Reason string // one of the Reason constants
	// Kiss is the kiss code, for instance "RATE", with ReasonKiss and ReasonUnauthenticKiss.
	Kiss string
	Err  error // the cause underneath, if any
}

// Error implements error.
func (e *Error) Error() string {
	s := "NTS: " + e.Reason
	if e.Kiss != "" {
		s += " " + e.Kiss
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause underneath.
func (e *Error) Unwrap() error { return e.Err }

// Hint reports whether anybody on the path could have written the datagram: go on waiting for a
// good answer until the deadline, and act on the hint only then (RFC 8915 §5.7).
func (e *Error) Hint() bool {
	return e.Reason == ReasonNAK || e.Reason == ReasonUnauthenticKiss
}

func refused(reason string) *Error { return &Error{Reason: reason} }
