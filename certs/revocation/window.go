// Package revocation finds out whether a certificate was revoked: from a stapled OCSP answer, a
// cache, an OCSP responder (RFC 6960, RFC 5019) or revocation lists (RFC 5280 §5).
//
// A certificate with its issuer and what is known of the present time come in; an Answer, or the
// reasons why nobody could give one, come out. Every answer is checked before it is believed.
package revocation

import "time"

// Window is what is known of the present time.
type Window struct {
	// Earliest and Latest hold true time between them when Known. When not Known, Earliest is a
	// floor that true time is past (zero: none), and Latest is not used.
	Earliest, Latest time.Time
	Known            bool
}
