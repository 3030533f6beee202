package discipline

// Refusal is why a measurement was not taken: a reason word for counters and one sentence
// for a person. State is unchanged whenever Update returns one.
type Refusal struct {
	Reason string // kebab-case, stable
	Text   string
}

// Error returns the sentence.
func (r *Refusal) Error() string { return "measurement refused: " + r.Text }

// The refusals of Update; compare with errors.Is or ==.
var (
	ErrUnknownSource = &Refusal{"unknown-source", "its source is not configured"}
	ErrNotNewer      = &Refusal{"not-newer", "it is not newer than the last one of its source"}
	ErrDenied        = &Refusal{"denied", "its source is denied at present"}
	ErrOutOfRange    = &Refusal{"out-of-range", "a field lies outside its range"}
	ErrBeforeFloor   = &Refusal{"before-floor", "the server's time lies before the time that is known to have passed"}
	ErrBadStratum    = &Refusal{"bad-stratum", "the server's stratum is not 1 to 15"}
	ErrNotSynced     = &Refusal{"server-unsynchronized", "the server says that its own clock is not synchronized"}
	ErrLeapEdge      = &Refusal{"leap-edge", "it was made within two seconds of a leap second, when a server's UTC is ambiguous"}
	ErrTooOld        = &Refusal{"too-old", "it was made before the timeline was begun anew"}
)
