package mqtt

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/ntsgw/ntsgw/downstream/beacon"
)

// externalPacket is the longest packet of another broker that is taken in, in bytes after the fixed
// header. Everything on our topics fits into 256; the client library has no limit of its own and
// would hold whatever length a broker names, up to 256 MiB.
const externalPacket = 1024

// errPacketSize is why a connection ends whose broker sends something else than a message that is
// longer than externalPacket.
var errPacketSize = errors.New("the broker sends what is no MQTT 3.1.1: a packet too long for its kind")

// errQoS is why a connection ends whose broker delivers with QoS 1 or 2, though only QoS 0 is asked for: the
// client library keeps each message of QoS 2 until the broker releases it.
var errQoS = errors.New("the broker delivers with a QoS that was not asked for")

// errUnasked is why a connection ends whose broker sends a packet that answers nothing of ours: the client library
// trusts an answer to a subscription to have as many codes as that had filters, and takes the program with it.
var errUnasked = errors.New("the broker sends what is no MQTT 3.1.1: a packet that answers nothing")

// stampedConn notes when bytes have come in. A message that a handler sees was read at last() or
// before, so last() may serve as the instant by which it had arrived whole.
//
// Messages longer than externalPacket are read past and told to tooLarge: on a broker without access
// rules anybody can send one, who must not be able to end the connection of all with it.
type stampedConn struct {
	net.Conn
	arrived  func() beacon.Arrival
	tooLarge func()
	aboveQoS func()
	filters  atomic.Int32 // of the subscription that awaits its answer; 0: none does

	in   *bufio.Reader
	head []byte // of the present packet's fixed header, not yet handed on
	left int    // of the present packet after it

	mu    sync.Mutex
	read  beacon.Arrival
	wrong error
	gone  bool
}

func (c *stampedConn) wrap(conn net.Conn) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		conn.Close()
		return nil, net.ErrClosed
	}
	c.Conn = conn
	c.in = bufio.NewReaderSize(stamping{c}, externalPacket)
	return c, nil
}

// shut closes the connection, or the one that is about to come.
func (c *stampedConn) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	if c.Conn != nil {
		c.Conn.Close()
	}
}

// subscribing is told of a subscription before it is sent.
func (c *stampedConn) subscribing(filters int) { c.filters.Store(int32(filters)) }

// Read hands on the packets that are short enough. One goroutine may call it.
func (c *stampedConn) Read(b []byte) (int, error) {
	for len(c.head) == 0 && c.left == 0 {
		if err := c.next(); err != nil {
			if errors.Is(err, errPacketSize) || errors.Is(err, errQoS) || errors.Is(err, errUnasked) {
				c.mu.Lock()
				c.wrong = err
				c.mu.Unlock()
			}
			return 0, err
		}
	}
	if len(c.head) > 0 {
		n := copy(b, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	n, err := c.in.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

// next reads a fixed header (MQTT 3.1.1 §2.2), and past the packet if that is too long a message. A
// message with a QoS ends the connection: no client of the broker can cause one, it lowers them all.
// So does whatever we wait for no answer of.
func (c *stampedConn) next() error {
	const connack, publish, suback, pingresp = 2, 3, 9, 13
	var head []byte
	length := 0
	for i := 0; ; i++ {
		b, err := c.in.ReadByte()
		if err != nil {
			return err
		}
		head = append(head, b)
		if i == 0 {
			continue
		}
		length |= int(b&0x7f) << (7 * (i - 1))
		if b < 0x80 {
			break
		}
		if i == 4 {
			return fmt.Errorf("%w (its length has more than 4 bytes)", errPacketSize)
		}
	}
	switch kind := head[0] >> 4; {
	case kind == publish && head[0]&0x06 != 0: // MQTT 3.1.1 §3.8.4: never above the QoS that was granted
		c.aboveQoS()
		return fmt.Errorf("%w (%d)", errQoS, head[0]>>1&3)
	case kind == publish && length > externalPacket:
		c.tooLarge()
		_, err := c.in.Discard(length)
		return err
	case length > externalPacket:
		return fmt.Errorf("%w (kind %d, %d bytes)", errPacketSize, kind, length)
	case kind == publish, kind == connack && length == 2, kind == pingresp && length == 0:
	case kind == suback && length > 2 && length == 2+int(c.filters.Swap(0)): // a code a filter (§3.9.3)
	default:
		return fmt.Errorf("%w (kind %d, %d bytes)", errUnasked, kind, length)
	}
	c.head, c.left = head, length
	return nil
}

// fault is what the broker did wrong, nil so far: whoever waits for the client library may hear only that the
// connection was lost.
func (c *stampedConn) fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong
}

func (c *stampedConn) last() beacon.Arrival {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read
}

// stamping reads the connection itself.
type stamping struct{ c *stampedConn }

func (s stamping) Read(b []byte) (int, error) {
	n, err := s.c.Conn.Read(b)
	at := s.c.arrived()
	s.c.mu.Lock()
	s.c.read = at
	s.c.mu.Unlock()
	return n, err
}
