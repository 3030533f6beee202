// Package broker is how we come to an MQTT broker that runs elsewhere, and are careful with it: an address in,
// a connection out from which comes only what a client of ours may be sent (MQTT 3.1.1). The client library trusts
// a broker with more: it holds what is long, keeps what is of QoS 2, and ends the program on an answer that does not fit.
package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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

// ErrQoS is why a connection ends whose broker sends a message of QoS 3, or one of QoS 1 or 2 without its identifier.
var ErrQoS = errors.New("the broker sends what is no MQTT 3.1.1: a message whose QoS makes no sense")

// ErrUnasked is why a connection ends whose broker sends a packet that answers nothing of ours: the client library
// trusts an answer to a subscription to have as many codes as that had filters, and takes the program with it.
var ErrUnasked = errors.New("the broker sends what is no MQTT 3.1.1: a packet that answers nothing")

// Conn is a connection of which reading is guarded: it ends where the broker does what no broker may.
//
// Messages longer than MaxPacket are read past and told to TooLarge: on a broker without access
// rules anybody can send one, who must not be able to end the connection of all with it.
//
// Messages of QoS 1 and 2 are acknowledged and handed on as such of QoS 0, which is all that is asked for: some brokers
// deliver with the sender's QoS if they are told to (EMQX: upgrade_qos), and the client library would keep those of QoS 2.
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
}

// Guard guards c.
func Guard(c net.Conn, o Options) *Conn {
	for _, f := range []*func(){&o.Arrived, &o.TooLarge} {
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

// next reads a fixed header (MQTT 3.1.1 §2.2), and past the packet if that is too long a message. What answers nothing
// of ours ends the connection.
func (c *Conn) next() error {
	const connack, publish, pubrel, suback, pingresp = 2, 3, 6, 9, 13
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
	case kind == publish && head[0]&0x06 != 0:
		return c.lower(head[0], length)
	case kind == pubrel && length == 2: // of a message of QoS 2 that was handed on
		var id [2]byte
		if _, err := io.ReadFull(c.in, id[:]); err != nil {
			return err
		}
		return c.acknowledge(pubcomp, id[:])
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

// The acknowledgements of MQTT 3.1.1 §3.4, §3.5 and §3.7.
const puback, pubrec, pubcomp = 0x40, 0x50, 0x70

// acknowledge answers for the message with that packet identifier. It may be called while others write: a connection
// takes each Write as a whole.
func (c *Conn) acknowledge(kind byte, id []byte) error {
	_, err := c.Conn.Write([]byte{kind, 2, id[0], id[1]})
	return err
}

// lower takes in a message of QoS 1 or 2 after its fixed header: it is acknowledged, and becomes one of QoS 0, without a
// packet identifier. Whether it comes a second time is not looked at: a request does no harm twice.
func (c *Conn) lower(first byte, length int) error {
	ack := byte(puback)
	switch first >> 1 & 3 {
	case 2:
		ack = pubrec
	case 3:
		return fmt.Errorf("%w (3)", ErrQoS)
	}
	if length < 4 { // or what is looked at would be of the next packet
		return fmt.Errorf("%w (no identifier)", ErrQoS)
	}
	size, err := c.in.Peek(2)
	if err != nil {
		return err
	}
	topic := 2 + int(size[0])<<8 + int(size[1])
	if topic+2 > length {
		return fmt.Errorf("%w (no identifier)", ErrQoS)
	}
	var id [2]byte
	if length > MaxPacket {
		c.o.TooLarge()
		if _, err := c.in.Discard(topic); err != nil {
			return err
		}
		if _, err := io.ReadFull(c.in, id[:]); err != nil {
			return err
		}
		if _, err := c.in.Discard(length - topic - 2); err != nil {
			return err
		}
		return c.acknowledge(ack, id[:])
	}
	head := binary.AppendUvarint([]byte{first & 0xf1}, uint64(length-2)) // the same form as MQTT's (§2.2.3)
	body := make([]byte, length)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return err
	}
	copy(id[:], body[topic:])
	if err := c.acknowledge(ack, id[:]); err != nil {
		return err
	}
	c.head = append(append(head, body[:topic]...), body[topic+2:]...)
	return nil
}

// told reads the connection itself.
type told struct{ c *Conn }

func (t told) Read(b []byte) (int, error) {
	n, err := t.c.Conn.Read(b)
	t.c.o.Arrived()
	return n, err
}
