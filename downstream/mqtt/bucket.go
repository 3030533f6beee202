package mqtt

import (
	"sync"

	"github.com/ntsgw/ntsgw/discipline"
)

// bucket is a token bucket on the raw clock. Safe for concurrent use after fill.
type bucket struct {
	mu     sync.Mutex
	rate   float64 // tokens a second
	burst  float64 // most that there can be
	tokens float64
	at     discipline.Raw
}

// fill sets the limits and fills the bucket.
func (b *bucket) fill(rate, burst float64, now discipline.Raw) {
	b.rate, b.burst, b.tokens, b.at = rate, burst, burst, now
}

// take takes one token, if there is one.
func (b *bucket) take(now discipline.Raw) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(b.burst, b.tokens+d.Seconds()*b.rate)
		b.at = now
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
