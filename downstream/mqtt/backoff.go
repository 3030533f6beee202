package mqtt

import "time"

const (
	// Between attempts to connect: doubled up to the largest, with a quarter of jitter either way, so
	// that a broker that comes back hears from every gateway within 5 s, but not from all at once.
	backoffMin = 250 * time.Millisecond
	backoffMax = 3 * time.Second
	// A connection that stood for so long was a good one, and the pauses begin anew.
	goodAfter = time.Minute
	// When so many in a row stood for less, something ends them, most likely another client with our
	// id, whose connection each of ours ends in turn. The pauses then grow further.
	shortMany    = 4
	backoffShort = 30 * time.Second
)

// backoff is how long to wait between attempts to connect to one broker.
type backoff struct {
	wait  time.Duration
	short int // connections in a row that stood, but not for goodAfter
}

// next returns the pause before the next attempt, jitter not included, after one whose connection
// stood for that long; 0: it never stood. restless says that it was one of many short ones.
func (b *backoff) next(stood time.Duration) (pause time.Duration, restless bool) {
	most := backoffMax
	switch {
	case stood >= goodAfter:
		*b = backoff{}
	case stood > 0:
		b.short++
		if restless = b.short >= shortMany; restless {
			most = backoffShort
		}
	}
	pause = max(backoffMin, min(b.wait, most))
	b.wait = 2 * pause
	return pause, restless
}
