package mqtt

import (
	"log/slog"
	"net"
	"sync"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// acceptor hands a listener's connections to the broker. The broker's own would do so, too, but not end: it
// asks for a listener's clients under a lock that it takes twice (mochi 2.7.9, Clients.GetByListener), and a
// client that comes or goes in between stops everything for good. And it counts connections in while it waits
// for them all to go.
type acceptor struct {
	id string
	l  net.Listener

	mu    sync.Mutex
	ended bool
	open  sync.WaitGroup // Serve, and one a connection
}

var _ listeners.Listener = (*acceptor)(nil)

func (a *acceptor) Init(*slog.Logger) error { return nil }
func (a *acceptor) ID() string              { return a.id }
func (a *acceptor) Address() string         { return a.l.Addr().String() }
func (a *acceptor) Protocol() string        { return a.l.Addr().Network() }

// Serve gives each connection to establish until the listener is closed.
func (a *acceptor) Serve(establish listeners.EstablishFn) {
	if !a.enter() {
		return
	}
	defer a.open.Done()
	for {
		c, err := a.l.Accept()
		if err != nil {
			return
		}
		if !a.enter() {
			c.Close()
			return
		}
		go func() {
			defer a.open.Done()
			_ = establish(a.id, c) // what is wrong with a client the gate counts
		}()
	}
}

func (a *acceptor) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return false
	}
	a.open.Add(1)
	return true
}

// end accepts nothing more.
func (a *acceptor) end() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.l.Close()
}

// wait returns when nobody is connected any more. It is called after end.
func (a *acceptor) wait() { a.open.Wait() }

// Close is what the broker calls at its end. Its clients have gone by then.
func (a *acceptor) Close(listeners.CloseFn) { a.end() }
