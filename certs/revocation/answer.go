package revocation

import "time"

// Status is what an answer says.
type Status uint8

// The statuses.
const (
	Unknown Status = iota // nobody could say
	Good
	Revoked
)

// String returns the word used on the page and in JSON.
func (s Status) String() string {
	switch s {
	case Good:
		return "good"
	case Revoked:
		return "revoked"
	}
	return "unknown"
}

// Where an answer came from.
const (
	SourceStaple  = "staple"
	SourceOCSP    = "ocsp"
	SourceCRL     = "crl"
	SourceCRLFile = "crl-file"
)

// certificateHold is the one reason (RFC 5280 §5.3.1) that may be taken back.
const certificateHold = 6

// Answer is a checked statement about one certificate.
type Answer struct {
	Status Status
	Source string // one of the constants above
	From   string // the URL or the file; empty for a staple
	Cached bool   // it was fetched earlier
	// ThisUpdate and NextUpdate are the window of the statement.
	ThisUpdate, NextUpdate time.Time
	RevokedAt              time.Time // when Revoked
	ReasonCode             int       // when Revoked: RFC 5280 §5.3.1

	signerUntil time.Time // a delegate's NotAfter; zero: signed by the issuer itself
}

// window judges the statement's window: stale unless it certainly still holds, future when it
// certainly does not yet hold. A statement made this second is neither, whatever the clock's bound.
func (a *Answer) window(w Window, stale, future string) *Error {
	end := a.NextUpdate
	if !a.signerUntil.IsZero() && a.signerUntil.Before(end) {
		end = a.signerUntil
	}
	if !w.Known {
		if w.Earliest.After(end) {
			return problem(stale, nil, "the answer ended at %s, and it is later than %s for certain", stamp(end), stamp(w.Earliest))
		}
		return nil
	}
	if a.ThisUpdate.After(w.Latest) {
		e := problem(future, nil, "the answer begins at %s, and it is %s at the latest", stamp(a.ThisUpdate), stamp(w.Latest))
		e.Ahead = a.ThisUpdate.Sub(w.Latest)
		return e
	}
	if w.Latest.After(end) {
		return problem(stale, nil, "the answer ended at %s, and it may be %s", stamp(end), stamp(w.Latest))
	}
	return nil
}

// final reports whether a means that the certificate is revoked even after its window: what was
// revoked stays so, unless it was only on hold.
func (a *Answer) final() bool { return a.Status == Revoked && a.ReasonCode != certificateHold }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
