package upstream

// Why a datagram was not used, or an exchange came to nothing: the words under which they are
// counted in Status.Rejected, beside those of packages nts (of replies) and ntske (of key
// exchanges) and the words that Trust's errors bring.
const (
	// Of authenticated replies that can't be used; they end the exchange.
	ReasonStratumLimit = "stratum-above-limit" // above MaxSourceStratum
	ReasonDelay        = "delay"               // the round trip is shorter than the server's part of it, or absurd
	ReasonPrecision    = "precision"           // coarser than a second
	// Authenticated kiss codes (RFC 5905 §7.4); without authentication they are counted under
	// nts.ReasonUnauthenticKiss.
	ReasonKissRate = "kiss-rate"
	ReasonKissDeny = "kiss-deny"
	ReasonKissRstr = "kiss-rstr"
	ReasonKissElse = "kiss-other"

	// Of other datagrams; the exchange goes on.
	ReasonLate      = "late"              // the reply to a request whose time was over
	ReasonDuplicate = "duplicate"         // a second reply to an answered request
	ReasonSource    = "unexpected-source" // from another address than was asked, where the system lets it through
	ReasonUnasked   = "unasked"           // while no request was out
	// ReasonNAKPlain is a NAK, which is never authenticated: a hint until the deadline.
	ReasonNAKPlain = "nak-unauthenticated"

	// Of the exchange as a whole.
	ReasonNAK       = "nak"                // a NAK that nothing better followed: keys are made anew
	ReasonNoReply   = "no-reply"           // nothing that could be used before the deadline
	ReasonStepped   = "host-clock-stepped" // the host clock was set while the request was out
	ReasonStamp     = "stamp-outside"      // a kernel stamp outside the exchange
	ReasonSuspended = "suspended"          // the machine slept while the request was out
	ReasonSend      = "send-failed"        // the system refused to send
	ReasonSocket    = "ntp-refused"        // ICMP says that nobody listens there, or nobody can be reached
	ReasonInternal  = "internal"           // our own failure, for instance of the random source

	// Of key exchanges, before ntske's own.
	ReasonName    = "name-unresolved"
	ReasonRefused = "ke-refused"     // nobody listens
	ReasonNetwork = "ke-unreachable" // no route
	ReasonTimeout = "ke-timeout"
	ReasonTLS     = "ke-tls"
	ReasonHost    = "host-not-allowed" // Trust.AllowHost without a word of its own
	ReasonTrust   = "not-trusted"      // Trust without a word of its own
	ReasonRevoked = "revoked"          // Trust's word for a certificate that its authority has taken back
)

// distrusts reports whether Trust, with that word, takes back that it ever stood by a session: a pin, an authority, a
// name or the host itself was taken out of the configuration. That a certificate ended, or that nobody could say whether
// it is revoked, doesn't.
func distrusts(word string) bool {
	switch word {
	case "pin-mismatch", "unknown-ca", "self-signed", "not-authorized", "wrong-name", ReasonTrust, ReasonHost:
		return true
	}
	return false
}

// tellsOfThePast reports whether a refusal with that word takes back what a session brought that is over.
func tellsOfThePast(word string) bool { return word == ReasonRevoked || distrusts(word) }
