package nts

// remembered is how many requests are told from their repetition.
const remembered = 4096

// replays remembers the authentication tags of the newest requests, so that a copied datagram
// makes nobody a target of answers. It belongs to the one goroutine that answers.
type replays struct {
	seen map[[16]byte]struct{}
	ring [remembered][16]byte
	next int
}

// fresh remembers tag and reports whether it was not known before.
func (r *replays) fresh(tag [16]byte) bool {
	if r.seen == nil {
		r.seen = make(map[[16]byte]struct{}, remembered)
	}
	if _, known := r.seen[tag]; known {
		return false
	}
	delete(r.seen, r.ring[r.next])
	r.ring[r.next] = tag
	r.seen[tag] = struct{}{}
	r.next = (r.next + 1) % remembered
	return true
}
