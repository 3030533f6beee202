package mqtt

import (
	"time"

	"github.com/ntsgw/ntsgw/downstream/beacon"
)

// Keys gives the signing keys and the root's statements about them; *signing.Store does. Only the
// Server's own goroutine may rotate within this process: a key is erased at its rotation.
type Keys interface {
	// Renew sees to it that the online keys are good at now, the gateway's proved time; it is called
	// before every beacon.
	Renew(now time.Time) (changed bool, err error)
	// Online returns an algorithm's online key and its delegation as it is published; nil while there
	// is none.
	Online(alg beacon.Alg) (key *beacon.SigningKey, delegation []byte)
	// Covers reports whether a beacon of that algorithm may state t.
	Covers(alg beacon.Alg, t *beacon.Statement) bool
	// Serial is that of the current delegations; 0 before the first.
	Serial() uint32
	// Observe is told a delegation that a broker had retained, and reports whether ours are behind
	// it, as after an old backup was restored.
	Observe(delegation []byte) (behind bool)
}
