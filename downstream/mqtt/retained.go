package mqtt

import (
	"bytes"
	"slices"
	"sync"
)

// retained holds the present content of the retained topics. Whoever publishes them asks for all
// of them at each connect, and waits on changed in between.
type retained struct {
	mu     sync.Mutex
	list   []kept // in the order of first publication
	wake   chan struct{}
	serial uint64
}

type kept struct {
	topic   string
	payload []byte
	version uint64
}

func newRetained() *retained { return &retained{wake: make(chan struct{})} }

// set replaces a topic's content and reports whether that differs. With again it counts as new
// even when it is the same.
func (r *retained) set(topic string, payload []byte, again bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.list {
		if r.list[i].topic == topic {
			if !again && bytes.Equal(r.list[i].payload, payload) {
				return false
			}
			r.serial++
			r.list[i] = kept{topic, payload, r.serial}
			r.signal()
			return true
		}
	}
	r.serial++
	r.list = append(r.list, kept{topic, payload, r.serial})
	r.signal()
	return true
}

func (r *retained) signal() {
	close(r.wake)
	r.wake = make(chan struct{})
}

// changed returns a channel that is closed at the next change.
func (r *retained) changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wake
}

// is reports whether content is a topic's present one.
func (r *retained) is(topic string, content []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.list, func(k kept) bool { return k.topic == topic && bytes.Equal(k.payload, content) })
}

// all returns a copy of the list; the payloads are not to be changed.
func (r *retained) all() []kept {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]kept(nil), r.list...)
}
