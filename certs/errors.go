package certs

import "fmt"

// Why a server, a host or a file was refused: the words that are counted, logged and shown.
const (
	WhyUnknownServer     = "unknown-server" // not in the configuration
	WhyNotTrusted        = "not-trusted"    // outside [trust] servers
	WhyTimeUnknown       = "time-unknown"   // dates must be judged, but time is not known
	WhyNoCertificate     = "no-certificate" // the server sent none
	WhyTooManyCerts      = "too-many-certificates"
	WhyExpired           = "expired"
	WhyNotYetValid       = "not-yet-valid"
	WhyImpossibleWindow  = "impossible-window" // ends before it begins
	WhyWrongName         = "wrong-name"
	WhyWrongUsage        = "wrong-usage" // extended key usage without serverAuth
	WhySelfSigned        = "self-signed"
	WhyUnknownCA         = "unknown-ca"
	WhyWeakSignature     = "weak-signature" // SHA-1 or MD5
	WhyWeakKey           = "weak-key"       // RSA < 2048, EC < 256 bits, DSA
	WhyNotAuthorized     = "not-authorized" // a CA beyond its constraints, or no CA at all
	WhyPinMismatch       = "pin-mismatch"
	WhyEmptyPins         = "empty-pins"
	WhyBadPin            = "bad-pin"
	WhyUnreadableFile    = "unreadable-file"
	WhyBadFile           = "bad-file" // readable, but not what it should be
	WhyWorldReadableKey  = "world-readable-key"
	WhyEncryptedKey      = "encrypted-key"
	WhyKeyMismatch       = "key-mismatch" // the private key is not the certificate's
	WhyRevoked           = "revoked"
	WhyRevocationUnknown = "revocation-unknown" // required, and nobody could say
	WhyTimeContradicted  = "time-contradicted"  // an authority signed something later than what we take for now
	WhyStapleMissing     = "staple-missing"     // the certificate demands one (RFC 7633)
)

// Error is a refusal. Why is one of the words above or of package revocation.
type Error struct {
	Server string // the configured name; empty when the refusal concerns no server
	Why    string
	Text   string // one clause for a person: what was wrong and, where there is one, the fix
	Err    error  // the cause; may be nil
}

// Error returns "server: text".
func (e *Error) Error() string {
	s := e.Text
	if e.Err != nil {
		s = fmt.Sprintf("%s: %v", s, e.Err)
	}
	if e.Server != "" {
		s = e.Server + ": " + s
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason returns the word under which the refusal is counted.
func (e *Error) Reason() string { return e.Why }

func refuse(why, format string, args ...any) *Error {
	return &Error{Why: why, Text: fmt.Sprintf(format, args...)}
}

// because adds the cause.
func (e *Error) because(err error) *Error {
	e.Err = err
	return e
}
