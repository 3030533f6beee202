package status

import (
	"net"
	"slices"
	"sync"
)

const (
	// pageConns and socketConns are how many connections may be open at once: ample for people and
	// scrapers, and too few to cost a Raspberry Pi its memory. Everyone on the host may open the socket.
	pageConns   = 64
	socketConns = 32
)

// limited has at most so many connections open. The one that has been open for the longest goes for a new
// one: a question takes a moment, so that who keeps connections open keeps nobody out.
type limited struct {
	net.Listener
	most    int
	tooMany func()

	mu   sync.Mutex
	open []*limitedConn // the oldest first
}

func limit(l net.Listener, most int, tooMany func()) *limited {
	return &limited{Listener: l, most: most, tooMany: tooMany}
}

func (l *limited) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &limitedConn{Conn: conn, l: l}
	if oldest := l.enter(c); oldest != nil {
		l.tooMany()
		oldest.Close()
	}
	return c, nil
}

// enter takes in one more connection, and returns the one that has to go for it.
func (l *limited) enter(c *limitedConn) (oldest *limitedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most {
		oldest = l.open[0]
	}
	l.open = append(l.open, c)
	return oldest
}

type limitedConn struct {
	net.Conn
	l *limited
}

func (c *limitedConn) Close() error {
	c.l.mu.Lock()
	if i := slices.Index(c.l.open, c); i >= 0 {
		c.l.open = slices.Delete(c.l.open, i, i+1)
	}
	c.l.mu.Unlock()
	return c.Conn.Close()
}
