package broker

import (
	"bytes"
	"errors"
	"io"
	"net"
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
		{"a QoS that nobody asked for, 1", join(pong, []byte{0x32, 4, 0, 0, 0, 1}, pong), []byte{packets.Pingresp}, 0, ErrQoS},
		{"a QoS that nobody asked for, 2, again", join(pong, []byte{0x3c, 4, 0, 0, 0, 1}, pong), []byte{packets.Pingresp}, 0, ErrQoS},
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
				skipped, above := 0, 0
				conn := Guard(feed{Reader: in(c.in)}, Options{TooLarge: func() { skipped++ }, AboveQoS: func() { above++ }})
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
				if wants := errors.Is(c.err, ErrQoS); (above == 1) != wants {
					t.Errorf("%d above the QoS, wanted: %v", above, wants)
				}
				if !bytes.Equal(got, c.got) || skipped != c.skipped {
					t.Errorf("got kinds %v, %d skipped; want %v, %d", got, skipped, c.got, c.skipped)
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
