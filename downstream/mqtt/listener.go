package mqtt

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

const (
	// mostSilent is how many connections of a listener may be about to say who they are: ample for
	// nodes that all come back together, and too few to cost a Raspberry Pi its memory.
	mostSilent = 256
	// acceptPause is waited after a failed accept.
	acceptPause = 20 * time.Millisecond
)

// boundListener gives each connection until embeddedHello to say who it is: the broker itself waits for
// a CONNECT without end, and counts only clients. Of those that are silent so far one has to go when
// there are too many: the oldest of the peer that has the most, so that who is silent on purpose keeps
// out nobody else, however fast it comes again. An address that another
// program has is tried again until it is free.
type boundListener struct {
	id      string
	addr    string // as configured
	log     *slog.Logger
	refused func(reason)
	end     chan struct{} // closed by Close

	mu      sync.Mutex
	ln      net.Listener // nil: the address can't be had at present
	down    error        // why not
	conns   map[*boundConn]struct{}
	silent  []*boundConn       // of them, the oldest first
	of      map[netip.Addr]int // how many of them are of one peer
	dropped bool
}

func newBoundListener(id, addr string, log *slog.Logger, refused func(reason)) *boundListener {
	return &boundListener{id: id, addr: addr, log: log, refused: refused, end: make(chan struct{}),
		conns: map[*boundConn]struct{}{}, of: map[netip.Addr]int{}}
}

// bind tries to have the address. The error is kept until it has succeeded.
func (l *boundListener) bind() error {
	ln, err := net.Listen("tcp", l.addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.end:
		if ln != nil {
			ln.Close()
		}
		return net.ErrClosed
	default:
	}
	if l.down = err; err == nil {
		l.ln = ln
	}
	return err
}

// bound is the socket, or why there is none.
func (l *boundListener) bound() (net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ln, l.down
}

// wait returns the socket as soon as there is one, nil when the listener was closed.
func (l *boundListener) wait() net.Listener {
	var between backoff
	for {
		if ln, _ := l.bound(); ln != nil {
			return ln
		}
		pause, _ := between.next(0)
		select {
		case <-l.end:
			return nil
		case <-time.After(pause):
		}
		if l.bind() == nil {
			l.log.Info("embedded broker listens", "addresses", []string{l.Addr().String()})
		}
	}
}

// Addr is the bound address, the configured one while there is none.
func (l *boundListener) Addr() net.Addr {
	if ln, _ := l.bound(); ln != nil {
		return ln.Addr()
	}
	return configured(l.addr)
}

// configured is an address as it was written down.
type configured string

func (a configured) Network() string { return "tcp" }
func (a configured) String() string  { return string(a) }

// Close ends Accept. It may be called again.
func (l *boundListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.end:
		return nil
	default:
	}
	close(l.end)
	if l.ln == nil {
		return nil
	}
	return l.ln.Close()
}

// loopback reports whether only this machine reaches it, offLoopback whether others do: while it has
// no address, nobody.
func (l *boundListener) loopback() bool { return l.ip().IsLoopback() }

func (l *boundListener) offLoopback() bool { return l.ip() != nil && !l.loopback() }

func (l *boundListener) ip() net.IP {
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return a.IP
	}
	return nil
}

// warning is that it can't listen, with what a person can do.
func (l *boundListener) warning() (discipline.Warning, bool) {
	_, err := l.bound()
	if err == nil {
		return discipline.Warning{}, false
	}
	key, fix := "listen", "see that this machine has that address"
	if l.id == tlsListener {
		key = "tls_listen"
	}
	switch taken := errors.Is(err, syscall.EADDRINUSE); {
	case taken && l.id == plainListener:
		fix = fmt.Sprintf("another program has the port: if it is a broker, use it (broker = %q in [mqtt])", OwnBroker(l.addr))
	case taken:
		fix = "another program has the port: stop it"
	}
	return discipline.Warning{ID: "mqtt-port", Text: fmt.Sprintf("The embedded broker can't listen: %v; %s, or change %s in [mqtt]. It is tried again.", err, fix, key)}, true
}

// OwnBroker is the URL by which this machine reaches a broker that listens on the address listen.
func OwnBroker(listen string) string {
	return "mqtt://" + strings.Replace(listen, "0.0.0.0:", "127.0.0.1:", 1)
}

func (l *boundListener) Accept() (net.Conn, error) {
	ln := l.wait()
	if ln == nil {
		return nil, net.ErrClosed
	}
	for {
		tcp, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			// Out of descriptors, or the peer was gone already: the broker would stop accepting for good.
			time.Sleep(acceptPause)
			continue
		}
		c := &boundConn{Conn: tcp, l: l, peer: peerOf(tcp)}
		if gone := l.enter(c); gone != nil {
			if gone != c {
				l.refused(reasonSilent)
			}
			gone.Close()
		}
		_ = c.SetDeadline(time.Now().Add(embeddedHello))
		return c, nil
	}
}

// enter takes in one more connection, and returns the one that has to go for it: itself at the end.
func (l *boundListener) enter(c *boundConn) (gone *boundConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped {
		return c
	}
	full := len(l.silent) >= mostSilent
	l.conns[c] = struct{}{}
	l.of[c.peer]++
	if full {
		gone = l.silent[0]
		for _, s := range l.silent {
			if l.of[s.peer] > l.of[gone.peer] {
				gone = s
			}
		}
	}
	l.silent = append(l.silent, c)
	return gone
}

// peerOf is who counts as one peer: an IPv4 address, or the /64 of which an IPv6 host may take any
// address that it likes.
func peerOf(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	a := tcp.AddrPort().Addr().Unmap()
	if p, err := a.Prefix(64); err == nil {
		return p.Addr()
	}
	return a
}

// named is told that who is at the other end of c has said who it is and may stay.
func (l *boundListener) named(c *boundConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.speaks(c)
}

func (l *boundListener) speaks(c *boundConn) {
	if i := slices.Index(l.silent, c); i >= 0 {
		l.silent = slices.Delete(l.silent, i, i+1)
		if l.of[c.peer]--; l.of[c.peer] == 0 {
			delete(l.of, c.peer)
		}
	}
}

func (l *boundListener) leave(c *boundConn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.speaks(c)
	ended := c.ended
	c.ended = nil
	l.mu.Unlock()
	if ended != nil {
		ended()
	}
}

// drop ends all connections, and those that are still to come.
func (l *boundListener) drop() {
	l.mu.Lock()
	l.dropped = true
	all := slices.Collect(maps.Keys(l.conns))
	l.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// boundConn is one accepted connection.
type boundConn struct {
	net.Conn
	l    *boundListener
	peer netip.Addr

	ended func() // of l.mu
}

// atEnd has f called once c is closed, or now if it is already. It is for one f.
func (c *boundConn) atEnd(f func()) {
	c.l.mu.Lock()
	_, open := c.l.conns[c]
	if open {
		c.ended = f
	}
	c.l.mu.Unlock()
	if !open {
		f()
	}
}

// SetDeadline is what the broker calls for the keep-alive, before each packet: it must not put off
// the end of a write that is under way.
func (c *boundConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// Write ends the connection when it fails: the broker would go on after half a packet.
func (c *boundConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(embeddedWrite))
	n, err := c.Conn.Write(b)
	if err != nil {
		c.Close()
	}
	return n, err
}

func (c *boundConn) Close() error {
	c.l.leave(c)
	return c.Conn.Close()
}
