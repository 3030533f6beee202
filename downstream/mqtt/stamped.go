package mqtt

import (
	"net"
	"sync"

	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/mqtt/broker"
)

// stampedConn is a guarded connection that notes when bytes have come in. A message that a handler sees was read
// at last() or before, so last() may serve as the instant by which it had arrived whole.
type stampedConn struct {
	arrived func() beacon.Arrival
	told    broker.Options

	mu   sync.Mutex
	conn *broker.Conn // nil: not dialled yet
	read beacon.Arrival
	gone bool
}

func (c *stampedConn) wrap(conn net.Conn) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		conn.Close()
		return nil, net.ErrClosed
	}
	o := c.told
	o.Arrived = c.stamp
	c.conn = broker.Guard(conn, o)
	return c.conn, nil
}

// shut closes the connection, or the one that is about to come.
func (c *stampedConn) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	if c.conn != nil {
		c.conn.Close()
	}
}

// guarded is the connection, nil before it was dialled.
func (c *stampedConn) guarded() *broker.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// fault is what the broker did wrong, nil so far.
func (c *stampedConn) fault() error {
	if g := c.guarded(); g != nil {
		return g.Fault()
	}
	return nil
}

func (c *stampedConn) stamp() {
	at := c.arrived()
	c.mu.Lock()
	c.read = at
	c.mu.Unlock()
}

func (c *stampedConn) last() beacon.Arrival {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read
}
