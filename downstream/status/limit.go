package status

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

const (
	// pageConns and socketConns are how many connections may be open at once: ample for people and
	// scrapers, and too few to cost a Raspberry Pi its memory. Everyone on the host may open the socket.
	pageConns   = 64
	socketConns = 32
)

// limited has at most so many connections open. For a new one too many the one goes that has been open for the
// longest of those of the peer that has the most: a question takes a moment, so that who keeps connections open keeps
// nobody out, and who opens them without end only others on its own host.
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
	c := &limitedConn{Conn: conn, l: l, peer: peerOf(conn)}
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
	l.open = append(l.open, c)
	if len(l.open) <= l.most {
		return nil
	}
	has := map[netip.Addr]int{}
	for _, o := range l.open {
		has[o.peer]++
	}
	for _, o := range l.open {
		if oldest == nil || has[o.peer] > has[oldest.peer] {
			oldest = o
		}
	}
	return oldest
}

type limitedConn struct {
	net.Conn
	l    *limited
	peer netip.Addr
}

// peerOf is whom a connection is counted for: an IPv4 address, or the /64 of which an IPv6 host may take any address
// that it likes. Those of the control socket are one's.
func peerOf(conn net.Conn) netip.Addr {
	at, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := at.AddrPort().Addr().Unmap()
	if p, err := ip.Prefix(64); err == nil {
		return p.Addr()
	}
	return ip
}

func (c *limitedConn) Close() error {
	c.l.mu.Lock()
	if i := slices.Index(c.l.open, c); i >= 0 {
		c.l.open = slices.Delete(c.l.open, i, i+1)
	}
	c.l.mu.Unlock()
	return c.Conn.Close()
}
