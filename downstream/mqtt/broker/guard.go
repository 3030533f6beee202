// Package broker is how we come to an MQTT broker that runs elsewhere, and are careful with it: an address in,
// a connection out from which comes only what a client of ours may be sent (MQTT 3.1.1). The client library trusts
// a broker with more: it holds what is long, keeps what is of QoS 2, and ends the program on an answer that does not fit.
package broker

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// MaxPacket is the longest packet of a broker that is taken in, in bytes after the fixed
// header. Everything on our topics fits into 256; the client library has no limit of its own and
// would hold whatever length a broker names, up to 256 MiB.
const MaxPacket = 1024

// ErrPacketSize is why a connection ends whose broker sends something else than a message that is
// longer than MaxPacket.
var ErrPacketSize = errors.New("the broker sends what is no MQTT 3.1.1: a packet too long for its kind")

// ErrQoS is why a connection ends whose broker delivers with QoS 1 or 2, though only QoS 0 is asked for: the
// client library keeps each message of QoS 2 until the broker releases it.
var ErrQoS = errors.New("the broker delivers with a QoS that was not asked for")

// ErrUnasked is why a connection ends whose broker sends a packet that answers nothing of ours: the client library
// trusts an answer to a subscription to have as many codes as that had filters, and takes the program with it.
var ErrUnasked = errors.New("the broker sends what is no MQTT 3.1.1: a packet that answers nothing")

// Conn is a connection of which reading is guarded: it ends where the broker does what no broker may.
//
// Messages longer than MaxPacket are read past and told to TooLarge: on a broker without access
// rules anybody can send one, who must not be able to end the connection of all with it.
type Conn struct {
	net.Conn
	o       Options
	filters atomic.Int32 // of the subscription that awaits its answer; 0: none does

	in   *bufio.Reader
	head []byte // of the present packet's fixed header, not yet handed on
	left int    // of the present packet after it

	mu    sync.Mutex
	wrong error
}

// Options are what is told while a Conn is read; nil: nobody is.
type Options struct {
	Arrived  func() // after each time that bytes have come in, before they are handed on
	TooLarge func() // a message was read past
	AboveQoS func() // a message ends the connection
}

// Guard guards c.
func Guard(c net.Conn, o Options) *Conn {
	for _, f := range []*func(){&o.Arrived, &o.TooLarge, &o.AboveQoS} {
		if *f == nil {
			*f = func() {}
		}
	}
	g := &Conn{Conn: c, o: o}
	g.in = bufio.NewReaderSize(told{g}, MaxPacket)
	return g
}

// Subscribing is told of a subscription of so many filters before it is sent.
func (c *Conn) Subscribing(filters int) { c.filters.Store(int32(filters)) }

// Fault is what the broker did wrong, nil so far: whoever waits for the client library may hear only that the
// connection was lost.
func (c *Conn) Fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong
}

// Read hands on the packets that are short enough. One goroutine may call it.
func (c *Conn) Read(b []byte) (int, error) {
	for len(c.head) == 0 && c.left == 0 {
		if err := c.next(); err != nil {
			if errors.Is(err, ErrPacketSize) || errors.Is(err, ErrQoS) || errors.Is(err, ErrUnasked) {
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
func (c *Conn) next() error {
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
			return fmt.Errorf("%w (its length has more than 4 bytes)", ErrPacketSize)
		}
	}
	switch kind := head[0] >> 4; {
	case kind == publish && head[0]&0x06 != 0: // MQTT 3.1.1 §3.8.4: never above the QoS that was granted
		c.o.AboveQoS()
		return fmt.Errorf("%w (%d)", ErrQoS, head[0]>>1&3)
	case kind == publish && length > MaxPacket:
		c.o.TooLarge()
		_, err := c.in.Discard(length)
		return err
	case length > MaxPacket:
		return fmt.Errorf("%w (kind %d, %d bytes)", ErrPacketSize, kind, length)
	case kind == publish, kind == connack && length == 2, kind == pingresp && length == 0:
	case kind == suback && length > 2 && length == 2+int(c.filters.Swap(0)): // a code a filter (§3.9.3)
	default:
		return fmt.Errorf("%w (kind %d, %d bytes)", ErrUnasked, kind, length)
	}
	c.head, c.left = head, length
	return nil
}

// told reads the connection itself.
type told struct{ c *Conn }

func (t told) Read(b []byte) (int, error) {
	n, err := t.c.Conn.Read(b)
	t.c.o.Arrived()
	return n, err
}
