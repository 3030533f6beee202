package broker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// feed is a connection of which only reading matters.
type feed struct {
	net.Conn
	io.Reader
}

func (f feed) Read(b []byte) (int, error) { return f.Reader.Read(b) }

// publishOf is a PUBLISH of that remaining length, without its last bytes.
func publishOf(length int, b []byte) []byte {
	head := []byte{0x30}
	for n := length; ; n >>= 7 {
		if n < 0x80 {
			head = append(head, byte(n))
			break
		}
		head = append(head, byte(n)|0x80)
	}
	return append(head, b...)
}

// zeroes is n bytes that nobody has to hold.
type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestLongPackets: what another broker sends beyond the limit is never held, and ends the connection
// only where no client of the broker can cause it.
func TestLongPackets(t *testing.T) {
	pong := []byte{0xd0, 0}
	join := func(parts ...[]byte) io.Reader { return bytes.NewReader(bytes.Join(parts, nil)) }
	const topic = "\x00\x14ntsgw/gw1/req/node-a"
	fits := publishOf(MaxPacket, append([]byte(topic), make([]byte, MaxPacket-len(topic))...))
	for _, c := range []struct {
		name    string
		in      io.Reader
		got     []byte // kinds of the packets that come through
		skipped int
		err     error
	}{
		{"short ones", join(pong, publishOf(30, []byte(topic+"12345678")), pong), []byte{packets.Pingresp, packets.Publish, packets.Pingresp}, 0, io.EOF},
		{"as long as can be", join(fits, pong), []byte{packets.Publish, packets.Pingresp}, 0, io.EOF},
		{"a byte longer", join(publishOf(MaxPacket+1, make([]byte, MaxPacket+1)), pong), []byte{packets.Pingresp}, 1, io.EOF},
		{"the longest that MQTT has", io.MultiReader(join(publishOf(268_435_455, nil)), io.LimitReader(zeroes{}, 268_435_455), join(pong, fits)), []byte{packets.Pingresp, packets.Publish}, 1, io.EOF},
		{"one that never ends", join(publishOf(268_435_455, []byte(topic))), nil, 1, io.EOF},
		{"no message", join([]byte{0x90, 0x81, 0x08, 0}), nil, 0, ErrPacketSize},
		{"a QoS that MQTT has not", join(pong, []byte{0x36, 4, 0, 0, 0, 1}, pong), []byte{packets.Pingresp}, 0, ErrQoS},
		{"an answer to a subscription that is none", join(pong, []byte{0x90, 3, 0, 1, 0}, pong), []byte{packets.Pingresp}, 0, ErrUnasked},
		{"an answer to nothing, for a message", join(pong, []byte{0x40, 2, 0, 1}, pong), []byte{packets.Pingresp}, 0, ErrUnasked},
		{"what only clients send", join(pong, []byte{0x82, 6, 0, 1, 0, 1, 'x', 0}, pong), []byte{packets.Pingresp}, 0, ErrUnasked},
		{"an answer to a ping that says more", join([]byte{0xd0, 1, 0}, pong), nil, 0, ErrUnasked},
		{"retained", join([]byte{0x31, 2, 0, 0}, pong), []byte{packets.Publish, packets.Pingresp}, 0, io.EOF},
		{"a length of five bytes", join([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x01}), nil, 0, ErrPacketSize},
	} {
		for way, in := range map[string]func(io.Reader) io.Reader{"": func(r io.Reader) io.Reader { return r }, ", byte by byte": iotest.OneByteReader} {
			if way != "" && c.name == "the longest that MQTT has" {
				continue
			}
			t.Run(c.name+way, func(t *testing.T) {
				if s, ok := c.in.(io.Seeker); ok {
					s.Seek(0, io.SeekStart)
				}
				skipped := 0
				conn := Guard(feed{Reader: in(c.in)}, Options{TooLarge: func() { skipped++ }})
				var got []byte
				for {
					p, err := packets.ReadPacket(conn)
					if err != nil {
						if !errors.Is(err, c.err) {
							t.Errorf("ends with %v, want %v", err, c.err)
						}
						if fault := conn.Fault(); (fault == nil) != (c.err == io.EOF) || fault != nil && !errors.Is(fault, c.err) {
							t.Errorf("the fault is %v, want %v", fault, c.err)
						}
						break
					}
					switch p.(type) {
					case *packets.PingrespPacket:
						got = append(got, packets.Pingresp)
					case *packets.PublishPacket:
						got = append(got, packets.Publish)
					default:
						t.Fatalf("got %v", p)
					}
				}
				if !bytes.Equal(got, c.got) || skipped != c.skipped {
					t.Errorf("got kinds %v, %d skipped; want %v, %d", got, skipped, c.got, c.skipped)
				}
			})
		}
	}
}

// both is a connection of which reading and writing matter.
type both struct {
	feed
	*bytes.Buffer
}

func (b both) Read(p []byte) (int, error)  { return b.feed.Read(p) }
func (b both) Write(p []byte) (int, error) { return b.Buffer.Write(p) }

// TestMessagesAboveQoS0: brokers that deliver with the sender's QoS are acknowledged, or they would stop after some tens
// of messages; what comes through is of QoS 0, so that nothing is kept. Any client of such a broker can send them.
func TestMessagesAboveQoS0(t *testing.T) {
	const topic = "ntsgw/gw1/req/node-a"
	message := func(qos byte, id uint16, payload []byte) []byte {
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.Qos, p.MessageID, p.TopicName, p.Payload = qos, id, topic, payload
		var b bytes.Buffer
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	long := bytes.Repeat([]byte{7}, MaxPacket-2-len(topic)-2)
	again := message(2, 0x305, []byte("again"))
	again[0] |= 0x08
	for _, c := range []struct {
		name     string
		in       []byte
		got      []string
		answered []byte
		skipped  int
		err      error
	}{
		{"QoS 0", message(0, 0, []byte("a")), []string{"a"}, nil, 0, io.EOF},
		{"QoS 1", message(1, 0x102, []byte("a")), []string{"a"}, []byte{0x40, 2, 1, 2}, 0, io.EOF},
		{"QoS 2 and its end", append(message(2, 0x304, []byte("b")), 0x62, 2, 3, 4), []string{"b"}, []byte{0x50, 2, 3, 4, 0x70, 2, 3, 4}, 0, io.EOF},
		{"QoS 2, again", again, []string{"again"}, []byte{0x50, 2, 3, 5}, 0, io.EOF},
		{"empty", message(1, 1, nil), []string{""}, []byte{0x40, 2, 0, 1}, 0, io.EOF},
		{"as long as can be", message(1, 2, long), []string{string(long)}, []byte{0x40, 2, 0, 2}, 0, io.EOF},
		{"a byte longer", append(message(2, 3, append(long, 7)), message(1, 4, []byte("c"))...), []string{"c"}, []byte{0x50, 2, 0, 3, 0x40, 2, 0, 4}, 1, io.EOF},
		{"without an identifier", []byte{0x32, 4, 0, 2, 'a', 'b', 0, 0}, nil, nil, 0, ErrQoS},
		{"without a topic", []byte{0x32, 2, 0, 0, 0, 0}, nil, nil, 0, ErrQoS},
		{"without anything, the last", []byte{0x32, 0}, nil, nil, 0, ErrQoS},
		{"many", bytes.Repeat(append(message(2, 3, []byte("x")), 0x62, 2, 0, 3), 1000), slices.Repeat([]string{"x"}, 1000), bytes.Repeat([]byte{0x50, 2, 0, 3, 0x70, 2, 0, 3}, 1000), 0, io.EOF},
	} {
		for way, in := range map[string]func(io.Reader) io.Reader{"": func(r io.Reader) io.Reader { return r }, ", byte by byte": iotest.OneByteReader} {
			t.Run(c.name+way, func(t *testing.T) {
				var answered bytes.Buffer
				skipped := 0
				conn := Guard(both{feed{Reader: in(bytes.NewReader(c.in))}, &answered}, Options{TooLarge: func() { skipped++ }})
				var got []string
				for {
					p, err := packets.ReadPacket(conn)
					if err != nil {
						if !errors.Is(err, c.err) {
							t.Errorf("ends with %v, want %v", err, c.err)
						}
						break
					}
					m, ok := p.(*packets.PublishPacket)
					if !ok || m.Qos != 0 || m.Dup || m.TopicName != topic {
						t.Fatalf("got %v", p)
					}
					got = append(got, string(m.Payload))
				}
				if !slices.Equal(got, c.got) || !bytes.Equal(answered.Bytes(), c.answered) || skipped != c.skipped {
					t.Errorf("got %d messages, answered %x, %d skipped; want %d, %x, %d", len(got), answered.Bytes(), skipped, len(c.got), c.answered, c.skipped)
				}
			})
		}
	}
}

// TestAnswersToSubscriptions: the client library takes the program with it where an answer has more codes
// than the subscription had filters, and says that all is well where a filter was refused.
func TestAnswersToSubscriptions(t *testing.T) {
	answer := func(codes ...byte) []byte { return append([]byte{0x90, byte(2 + len(codes)), 0, 1}, codes...) }
	for _, c := range []struct {
		name    string
		filters int
		in      []byte
		got     int // that come through
		err     error
	}{
		{"a code a filter", 2, answer(0, 0x80), 1, io.EOF},
		{"a code more", 2, answer(0, 0, 0), 0, ErrUnasked},
		{"a code less", 2, answer(0), 0, ErrUnasked},
		{"no code", 1, answer(), 0, ErrUnasked},
		{"no code, and no subscription", 0, answer(), 0, ErrUnasked},
		{"twice", 1, append(answer(0), answer(0)...), 1, ErrUnasked},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := Guard(feed{Reader: bytes.NewReader(c.in)}, Options{})
			conn.Subscribing(c.filters)
			for got := 0; ; got++ {
				if _, err := packets.ReadPacket(conn); err != nil {
					if got != c.got || !errors.Is(err, c.err) {
						t.Errorf("%d came through, then %v; want %d, then %v", got, err, c.got, c.err)
					}
					break
				}
			}
		})
	}
}
