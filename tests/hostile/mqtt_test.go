package hostile

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/mqtt"
	"github.com/ntsgw/ntsgw/tests/program"
)

// client is an MQTT connection that sends any bytes.
type client struct {
	t    testing.TB
	conn net.Conn
}

// packet is one MQTT control packet (MQTT 3.1.1 §2).
func packet(first byte, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	out := []byte{first}
	for n := len(b); ; {
		d := byte(n % 128)
		if n /= 128; n > 0 {
			d |= 0x80
		}
		if out = append(out, d); n == 0 {
			break
		}
	}
	return append(out, b...)
}

func text(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

// login is a CONNECT; will adds a last will on a topic, retained.
func login(id, user, password, will string) []byte {
	flags := byte(2)
	body := [][]byte{text("MQTT"), {4, 0}, {0, 60}, text(id)}
	if will != "" {
		flags |= 0x24
		body = append(body, text(will), text("planted"))
	}
	if user != "" {
		flags |= 0xc0
		body = append(body, text(user), text(password))
	}
	body[1][1] = flags
	return packet(0x10, body...)
}

func publication(topic string, qos byte, retain bool, payload []byte) []byte {
	first := byte(0x30) | qos<<1
	if retain {
		first |= 1
	}
	body := [][]byte{text(topic)}
	if qos > 0 {
		body = append(body, []byte{0, 7})
	}
	return packet(first, append(body, payload)...)
}

func subscription(filters ...string) []byte {
	body := [][]byte{{0, 9}}
	for _, f := range filters {
		body = append(body, text(f), []byte{0})
	}
	return packet(0x82, body...)
}

// raw connects and says nothing.
func (g *gateway) raw() *client {
	g.t.Helper()
	c, err := net.Dial("tcp", g.broker)
	must(g.t, err)
	g.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(program.Busy * 20 * time.Second))
	return &client{g.t, c}
}

// connect logs in.
func (g *gateway) connect(connect []byte) *client {
	g.t.Helper()
	c := g.raw()
	c.send(connect)
	if first, body, err := c.read(); err != nil || first != 0x20 || len(body) < 2 || body[1] != 0 {
		g.t.Fatalf("not let in: %x %x %v", first, body, err)
	}
	return c
}

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Logf("sending: %v", err)
	}
}

func (c *client) read() (first byte, body []byte, err error) {
	var one [1]byte
	if _, err = io.ReadFull(c.conn, one[:]); err != nil {
		return 0, nil, err
	}
	first = one[0]
	n, shift := 0, 0
	for {
		if _, err = io.ReadFull(c.conn, one[:]); err != nil {
			return 0, nil, err
		}
		n |= int(one[0]&0x7f) << shift
		if shift += 7; one[0] < 0x80 {
			break
		}
	}
	body = make([]byte, n)
	_, err = io.ReadFull(c.conn, body)
	return first, body, err
}

// message waits for a publication.
func (c *client) message(within time.Duration) (topic string, payload []byte, retained bool, err error) {
	c.conn.SetReadDeadline(time.Now().Add(within))
	for {
		first, body, err := c.read()
		if err != nil {
			return "", nil, false, err
		}
		if first>>4 == 3 {
			n := int(binary.BigEndian.Uint16(body))
			return string(body[2 : 2+n]), body[2+n:], first&1 == 1, nil
		}
	}
}

// node is an enrolled device.
type node struct {
	*client
	g   *gateway
	e   mqtt.Enrolment
	key *beacon.MACKey
}

func (g *gateway) enrol(name string) mqtt.Enrolment {
	g.t.Helper()
	return g.enrolBy("add", name)
}

// enrolBy gives a device new secrets: verb is add or rotate.
func (g *gateway) enrolBy(verb, name string) mqtt.Enrolment {
	g.t.Helper()
	out, code := g.command("node", verb, name, "-form", "json", "-config", g.config)
	var e mqtt.Enrolment
	if err := json.Unmarshal([]byte(out), &e); err != nil || code != 0 {
		g.t.Fatalf("%d %v\n%s", code, err, out)
	}
	return e
}

// letsIn tells whether the broker knows the device by these secrets by now.
func (g *gateway) letsIn(e mqtt.Enrolment) bool {
	g.t.Helper()
	c := g.raw()
	defer c.conn.Close()
	c.send(login("probe", e.MQTTUser, e.MQTTPassword, ""))
	first, body, err := c.read()
	return err == nil && first == 0x20 && body[1] == 0
}

func macKey(t testing.TB, e mqtt.Enrolment, gateway, name string, generation uint32) *beacon.MACKey {
	t.Helper()
	key, err := hex.DecodeString(e.Key)
	must(t, err)
	k, err := beacon.NewMACKey([32]byte(key), gateway, name, generation)
	must(t, err)
	return k
}

func (g *gateway) node(e mqtt.Enrolment) *node {
	g.t.Helper()
	n := &node{client: g.connect(login("device", e.MQTTUser, e.MQTTPassword, "")), g: g, e: e}
	n.key = macKey(g.t, e, e.Gateway, e.Node, e.Generation)
	n.send(subscription(e.TopicPrefix + "resp/" + e.Node))
	if first, body, err := n.read(); err != nil || first != 0x90 || body[2] != 0 {
		g.t.Fatalf("subscribing: %x %x %v", first, body, err)
	}
	return n
}

func newRequest(t testing.TB) *beacon.Request {
	q := &beacon.Request{}
	_, err := rand.Read(q.Nonce[:])
	must(t, err)
	return q
}

// exchange is an honest one: its answer is the first that comes, and true.
func (n *node) exchange() beacon.Response {
	n.g.t.Helper()
	q := newRequest(n.g.t)
	n.conn.SetDeadline(time.Now().Add(program.Busy * 20 * time.Second))
	m1 := time.Now()
	n.send(publication(n.e.TopicPrefix+"req/"+n.e.Node, 0, false, q.AppendSealed(nil, n.key)))
	_, b, _, err := n.message(program.Busy * 5 * time.Second)
	m4 := time.Now()
	if err != nil {
		n.g.t.Fatalf("no answer: %v; refused: %v", err, n.g.refusals("mqtt"))
	}
	r, err := beacon.OpenResponse(b, n.key)
	if err != nil || r.Nonce != q.Nonce {
		n.g.t.Fatalf("the answer: %v", err)
	}
	if t2 := r.UTC().Add(-r.Turnaround); m1.After(t2.Add(r.MaxError)) || m4.Before(r.UTC().Add(-r.MaxError)) || r.Turnaround > m4.Sub(m1) {
		n.g.t.Errorf("asked %v, answered %v, but it says %v … %v ± %v", m1, m4, t2, r.UTC(), r.MaxError)
	}
	return r
}

func TestItsExchanges(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []*peer{newPeer(t, "s0")}, options{mqtt: "request_rate = 100\nrequest_burst = 100\n"}).start()
	line := g.synced(15 * time.Second)
	a, b := g.enrol("node-a"), g.enrol("node-b")
	old, gone := g.enrol("node-c"), g.enrol("node-d")
	rotated := g.enrolBy("rotate", "node-c")
	if out, code := g.command("node", "revoke", "node-d", "-config", g.config); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	// The last change is noticed when the one before it is and node-d is out.
	program.Eventually(t, program.Noticed, "the changes are noticed", func() bool { return g.letsIn(rotated) && !g.letsIn(gone) })
	g.node(b)
	n := g.node(a)
	n.exchange()
	const req = "ntsgw/gw1/req/"
	spent := newRequest(t).AppendSealed(nil, n.key)
	n.send(publication(req+"node-a", 0, false, spent))
	_, answer, _, err := n.message(program.Busy * 5 * time.Second)
	must(t, err)
	fresh := func(k *beacon.MACKey) []byte { return newRequest(t).AppendSealed(nil, k) }
	flip := func(b []byte, bit int) []byte { b = slices.Clone(b); b[bit/8] ^= 1 << (bit % 8); return b }
	good := fresh(n.key)
	for _, tt := range []struct {
		name, topic, want string
		payload           []byte
	}{
		{"one byte too long", req + "node-a", "size", make([]byte, beacon.MaxMessage+1)},
		{"empty", req + "node-a", "malformed", nil},
		{"cut by a byte", req + "node-a", "malformed", good[:len(good)-1]},
		{"a byte more", req + "node-a", "malformed", append(slices.Clone(good), 0)},
		{"nested without end", req + "node-a", "malformed", bytes.Repeat([]byte{0x81}, 200)},
		{"a length of 2^64", req + "node-a", "malformed", append([]byte{0xd1, 0x84, 0x5b}, bytes.Repeat([]byte{0xff}, 20)...)},
		{"a bit of the MAC", req + "node-a", "bad-signature", flip(good, len(good)*8-1)},
		{"a bit of the nonce", req + "node-a", "bad-signature", flip(good, (len(good)-40)*8)},
		{"an answer as a request", req + "node-a", "bad-signature", answer},
		{"another gateway's", req + "node-a", "bad-signature", fresh(macKey(t, a, "gw2", "node-a", 1))},
		{"another node's key", req + "node-a", "bad-signature", fresh(macKey(t, b, "gw1", "node-a", 1))},
		{"a generation to come", req + "node-a", "unknown-kid", fresh(macKey(t, a, "gw1", "node-a", 2))},
		{"answered before", req + "node-a", "replay", spent},
		{"another node's topic", req + "node-b", "acl", fresh(macKey(t, b, "gw1", "node-b", 1))},
		{"a stranger's topic", req + "stranger", "acl", good},
		{"the topic above", "ntsgw/gw1/req", "acl", good},
		{"the topic below", req + "node-a/x", "acl", good},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g.t, n.t = t, t
			before := g.refusals("mqtt")
			n.send(publication(tt.topic, 0, false, tt.payload))
			g.rises("mqtt", before, tt.want)
			n.exchange()
			g.same(line)
		})
	}
	for _, tt := range []struct {
		name, user, password string
	}{
		{"a revoked node", gone.MQTTUser, gone.MQTTPassword},
		{"an older generation", old.MQTTUser, old.MQTTPassword},
		{"another's password", a.MQTTUser, b.MQTTPassword},
		{"a wildcard as a name", "#", a.MQTTPassword},
		{"a name with a slash", "node-a/1", a.MQTTPassword},
		{"a space as the password", "node-a", " "},
	} {
		t.Run("login with "+tt.name, func(t *testing.T) {
			g.t, n.t = t, t
			before := g.refusals("mqtt")
			c := g.raw()
			c.send(login("device", tt.user, tt.password, ""))
			if first, body, err := c.read(); err == nil && first == 0x20 && body[1] == 0 {
				t.Error("was let in")
			}
			g.rises("mqtt", before, "login")
			n.exchange()
			g.same(line)
		})
	}
	g.t, n.t = t, t
}

// What strangers plant, the next device must not find.
func TestItsBroker(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []*peer{newPeer(t, "s0")}, options{mqtt: "request_rate = 100\nrequest_burst = 100\n"}).start()
	line := g.synced(15 * time.Second)
	a := g.enrol("node-a")
	program.Eventually(t, program.Noticed, "the enrolment is noticed", func() bool { return g.letsIn(a) })
	n := g.node(a)
	watcher := g.connect(login("watcher", "", "", ""))
	watcher.send(subscription("#", "$SYS/#"))
	// genuine fails when anything that a device may find is not the gateway's.
	genuine := func(topics ...string) {
		g.t.Helper()
		late := g.connect(login("late", "", "", ""))
		late.send(subscription("#", "ntsgw/gw1/+", "$SYS/#", "+/+/+/+"))
		found := map[string]bool{}
		lacks := func(topic string) bool { return !found["ntsgw/gw1/"+topic] }
		for slices.ContainsFunc(append(topics, "key", "status", "state"), lacks) {
			topic, payload, retained, err := late.message(program.Busy * 5 * time.Second)
			if err != nil {
				g.t.Fatalf("found only %v: %v", found, err)
			}
			if bytes.Contains(payload, []byte("planted")) || len(payload) == 0 || retained && strings.HasSuffix(topic, "beacon") || strings.HasPrefix(topic, "$") {
				g.t.Errorf("found on %s (retained %v): %q", topic, retained, payload)
			}
			found[topic] = true
		}
		late.conn.Close()
	}
	genuine("beacon")
	plant := func(topic string, qos byte) []byte { return publication(topic, qos, true, []byte("planted")) }
	for _, tt := range []struct {
		name, want string
		as         bool   // the enrolled node
		connect    []byte // instead of an honest one
		send       []byte
	}{
		{name: "a retained beacon", want: "acl", send: plant("ntsgw/gw1/beacon", 0)},
		{name: "a retained delegation at QoS 1", want: "acl", send: plant("ntsgw/gw1/key", 1)},
		{name: "a retained status at QoS 2", want: "acl", send: plant("ntsgw/gw1/status", 2)},
		{name: "an empty retained delegation", want: "acl", send: publication("ntsgw/gw1/key", 0, true, nil)},
		{name: "an answer", want: "acl", send: plant("ntsgw/gw1/resp/node-a", 0)},
		{name: "a topic of its own", want: "acl", send: plant("other/topic", 0)},
		{name: "a retained beacon by a node", want: "acl", as: true, send: plant("ntsgw/gw1/beacon", 0)},
		{name: "an answer by a node", want: "acl", as: true, send: plant("ntsgw/gw1/resp/node-a", 1)},
		{name: "a will on the delegation", want: "acl", connect: login("w1", "", "", "ntsgw/gw1/key")},
		{name: "a will on the status", want: "acl", connect: login("w2", "", "", "ntsgw/gw1/status")},
		{name: "a node's will on its answers", want: "acl", connect: login("w3", a.MQTTUser, a.MQTTPassword, "ntsgw/gw1/resp/node-a")},
		{name: "a packet of 2 kB", want: "size", send: publication("x", 0, false, make([]byte, 2000))},
		{name: "a packet that says it has 256 MB", want: "size", send: []byte{0x30, 0xff, 0xff, 0xff, 0x7f}},
		{name: "a length of five bytes", want: "protocol", send: []byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x7f}},
		{name: "a reserved packet type", want: "protocol", send: []byte{0x00, 0x00}},
		{name: "a second CONNECT", want: "protocol", send: login("again", "", "", "")},
		{name: "QoS 3", want: "protocol", send: packet(0x36, text("x"), []byte{0, 1}, []byte("planted"))},
		{name: "a wildcard as a topic", want: "protocol", send: plant("ntsgw/#", 0)},
		{name: "a topic longer than its packet", want: "protocol", send: packet(0x30, []byte{0xff, 0xff, 'x'})},
		{name: "a topic that is not UTF-8", want: "protocol", send: plant("ntsgw/\xff\xfe", 0)},
		{name: "a subscription without filters", want: "protocol", send: packet(0x82, []byte{0, 1})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g.t, n.t = t, t
			before := g.refusals("mqtt")
			connect := tt.connect
			if connect == nil {
				connect = login("attacker", "", "", "")
				if tt.as {
					connect = login("attacker", a.MQTTUser, a.MQTTPassword, "")
				}
			}
			c := g.connect(connect)
			if tt.send != nil {
				c.send(tt.send)
			}
			g.rises("mqtt", before, tt.want)
			c.conn.Close() // without a DISCONNECT: a will would be sent now
			genuine()
			n.exchange()
			g.same(line)
		})
	}
	for _, tt := range []struct {
		name string
		send []byte
	}{
		{"TLS instead of MQTT", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
		{"HTTP instead of MQTT", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
		{"a publication before its login", plant("ntsgw/gw1/key", 0)},
		{"another protocol's name", packet(0x10, text("MQTX"), []byte{4, 2, 0, 60}, text("x"))},
		{"a version to come", packet(0x10, text("MQTT"), []byte{9, 2, 0, 60}, text("x"))},
		{"a login that is cut", login("x", "", "", "")[:8]},
		{"a login of 4 kB", login(strings.Repeat("x", 4000), "", "", "")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g.t, n.t = t, t
			c := g.raw()
			c.send(tt.send)
			if strings.HasSuffix(tt.name, "cut") {
				c.conn.Close()
			} else if first, body, err := c.read(); err == nil && first == 0x20 && body[1] == 0 {
				t.Error("was let in")
			} else if errors.As(err, new(net.Error)) && err.(net.Error).Timeout() {
				t.Error("the connection was kept")
			}
			genuine()
			n.exchange()
			g.same(line)
		})
	}
	t.Run("a flood of subscriptions, by one that never reads", func(t *testing.T) {
		g.t, n.t = t, t
		c := g.connect(login("flood", "", "", ""))
		c.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
		for i := range 20000 {
			if _, err := c.conn.Write(subscription("#", "ntsgw/#", fmt.Sprintf("+/+/x%d", i))); err != nil {
				break
			}
		}
		n.exchange()
		genuine()
		g.same(line)
	})
	t.Run("five hundred connections that say nothing", func(t *testing.T) {
		g.t, n.t = t, t
		for range 500 {
			g.raw()
		}
		n.exchange()
		genuine("beacon")
		g.same(line)
	})
	g.t, n.t = t, t
	for {
		topic, payload, _, err := watcher.message(200 * time.Millisecond)
		if err != nil {
			break
		}
		if bytes.Contains(payload, []byte("planted")) || strings.HasPrefix(topic, "$") || strings.Contains(topic, "/req/") {
			t.Errorf("delivered on %s: %q", topic, payload)
		}
	}
}
