package signing

import "fmt"

// Why a file was refused: the words that are counted, logged and shown.
const (
	WhyMissing    = "missing-file"
	WhyUnreadable = "unreadable-file"
	WhyReadable   = "world-readable-key" // others than the owner may read it
	WhyBad        = "bad-file"           // readable, but not what it should be
	WhyRootAway   = "root-away"          // what was asked needs the root, and it is kept elsewhere
	WhyTime       = "time-unknown"       // a validity can't be stated before time is known
)

// Error is a refusal that names the file and the cure.
type Error struct {
	Path string
	Why  string // one of the words above
	Text string // what is wrong
	Fix  string // what to do
	Err  error  // the cause; may be nil
}

// Error returns "path: what is wrong (cause); what to do".
func (e *Error) Error() string {
	s := e.Text
	if e.Path != "" {
		s = e.Path + ": " + s
	}
	if e.Err != nil {
		s = fmt.Sprintf("%s (%v)", s, e.Err)
	}
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason returns the word under which the refusal is counted.
func (e *Error) Reason() string { return e.Why }
