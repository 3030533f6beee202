package beacon

// Reason is the word under which a refusal is counted, logged and shown.
type Reason string

// Why a message was refused, in the order in which the checks are made.
const (
	ReasonSize            Reason = "size"             // longer than MaxMessage
	ReasonMalformed       Reason = "malformed"        // not the COSE or CBOR that the protocol asks for
	ReasonWrongKind       Reason = "wrong-kind"       // signed where a MAC is due, or the other way round
	ReasonWrongAlg        Reason = "wrong-alg"        // another algorithm than the pinned key's
	ReasonUnknownKID      Reason = "unknown-kid"      // names another key, or another generation of it
	ReasonBadSignature    Reason = "bad-signature"    // signature or MAC doesn't fit: forged, damaged, or of another kind, gateway or node
	ReasonOutsideValidity Reason = "outside-validity" // its time lies outside its key's validity
	ReasonBelowFloor      Reason = "below-floor"      // t + E lies before the floor
	ReasonOldSerial       Reason = "old-serial"       // a delegation older than one already seen
	ReasonNoNonce         Reason = "no-nonce"         // a response to no open request
	ReasonLate            Reason = "late"             // a response past its request's deadline, or not plausible in time
	ReasonContradiction   Reason = "contradiction"    // authentic, but it contradicts what was proved before
	ReasonClock           Reason = "clock"            // the local clock's reading lies before an earlier one
)

// Why a gateway states no time.
const (
	ReasonUnsynchronized Reason = "unsynchronized" // there is none to state
	ReasonLeapSecond     Reason = "leap-second"    // during an inserted second
	ReasonEpochChanged   Reason = "epoch-changed"  // the timeline changed after the request arrived
	ReasonSuspended      Reason = "suspended"      // the raw clock stood still in between
	ReasonTooSlow        Reason = "too-slow"       // the answer took 2^32 ns or longer
	ReasonRange          Reason = "range"          // time or bound can't be expressed
)

// Error is a refusal. What was refused has changed nothing.
type Error struct {
	Reason Reason
	Text   string // one clause for a person
}

// Error returns "reason: text".
func (e *Error) Error() string {
	if e.Text == "" {
		return string(e.Reason)
	}
	return string(e.Reason) + ": " + e.Text
}

// Is reports whether target is an Error with the same reason, whatever its text.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == e.Reason
}

// ReasonOf returns the word of an error of this package, or "" for any other.
func ReasonOf(err error) Reason {
	if e, ok := err.(*Error); ok && e != nil {
		return e.Reason
	}
	return ""
}

func refuse(r Reason, text string) *Error { return &Error{Reason: r, Text: text} }
