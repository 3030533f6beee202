package revocation

import (
	"fmt"
	"time"
)

// Why an answer was not believed or not had: the words that are counted, logged and shown.
const (
	WhyOCSPMalformed   = "ocsp-malformed"
	WhyOCSPWrongSigner = "ocsp-wrong-signer" // not signed by the issuer or its delegate
	WhyOCSPDelegate    = "ocsp-delegate"     // signed by a certificate that may not sign answers
	WhyOCSPWrongSerial = "ocsp-wrong-serial"
	WhyOCSPWrongIssuer = "ocsp-wrong-issuer"
	WhyOCSPStale       = "ocsp-stale"
	WhyOCSPFuture      = "ocsp-future"
	WhyOCSPUnknown     = "ocsp-unknown"   // the responder does not know the certificate
	WhyOCSPTryLater    = "ocsp-try-later" // the responder has no answer at present
	WhyOCSPRefused     = "ocsp-refused"   // the responder refuses to answer

	WhyCRLMalformed   = "crl-malformed"
	WhyCRLWrongSigner = "crl-wrong-signer"
	WhyCRLStale       = "crl-stale"
	WhyCRLFuture      = "crl-future"
	WhyCRLUnsupported = "crl-unsupported" // a delta, an indirect list or a critical extension
	WhyCRLOther       = "crl-other"       // a list that does not speak of this certificate

	WhyUnreachable = "responder-unreachable"
	WhyTimeout     = "responder-timeout"
	WhyTooLarge    = "answer-too-large"
	WhyRedirect    = "responder-redirect" // too many, or away from http
	WhyHTTP        = "responder-http"     // a status other than 200
)

// Error says why one source gave no answer.
type Error struct {
	Why  string
	Text string
	Err  error // the cause; may be nil
	// Ahead is by how much a correctly signed answer begins after the latest that it may be now.
	Ahead time.Duration
}

// Error returns the text and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Text, e.Err)
	}
	return e.Text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason returns the word under which it is counted.
func (e *Error) Reason() string { return e.Why }

func problem(why string, cause error, format string, args ...any) *Error {
	return &Error{Why: why, Text: fmt.Sprintf(format, args...), Err: cause}
}
