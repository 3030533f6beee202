package mqtt

import (
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/mqtt/broker"
)

// errStale is why a connection ends whose node has other secrets by now.
var errStale = errors.New("the node's secrets have changed")

// gate is what the embedded broker asks: who may connect, read and write, and what becomes of an
// exchange request. Requests are answered here, from the moment their last byte was read, and are
// routed to nobody.
type gate struct {
	mochi.HookBase
	topics    topics
	nodes     *Nodes
	timeline  Timeline
	clock     Clock
	resp      *responder
	count     *traffic
	listeners map[string]*boundListener // by id
	publish   func(topic string, payload []byte) error
	refuse    func(*mochi.Client, packets.Code) // answers a CONNECT
	connects  atomic.Uint64
	seats     seats
	nameless  int // how many may be connected without a name
}

func newGate(o *Options, t topics, resp *responder, c *traffic) *gate {
	return &gate{topics: t, nodes: o.Nodes, timeline: o.Timeline, clock: o.Clock, resp: resp, count: c, listeners: map[string]*boundListener{},
		nameless: nameless(o.Config.MaxClients)}
}

// ID names the hook.
func (g *gate) ID() string { return "ntsgw" }

// Provides says which events the broker calls this hook for.
func (g *gate) Provides(b byte) bool {
	switch b {
	case mochi.OnConnect, mochi.OnConnectAuthenticate, mochi.OnSessionEstablish, mochi.OnSessionEstablished, mochi.OnACLCheck,
		mochi.OnPacketRead, mochi.OnPublish, mochi.OnDisconnect, mochi.OnSubscribe:
		return true
	}
	return false
}

// OnConnect refuses a node that has its share of the broker's connections already, and those without a name who have
// theirs: no one alone keeps the others out.
func (g *gate) OnConnect(cl *mochi.Client, pk packets.Packet) error {
	c, ok := broker.Socket(cl.Net.Conn).(*boundConn)
	most, why, code := nodeClients, reasonNodeClients, packets.Err3NotAuthorized
	switch { // who may come in at all is asked next
	case !ok:
		return nil
	case g.welcomesNameless(cl, pk):
		most, why, code = g.nameless, reasonAnonymous, packets.Err3ServerUnavailable
	case g.generation(pk) == 0:
		return nil
	}
	if g.seats.take(string(pk.Connect.Username), cl.ID, c, most) {
		return nil
	}
	g.count.add(why)
	if cl.Properties.ProtocolVersion == 5 {
		code = packets.ErrQuotaExceeded
	}
	g.refuse(cl, code)
	return packets.ErrQuotaExceeded
}

// welcomesNameless reports whether a CONNECT gives no name on a listener that only this machine reaches.
func (g *gate) welcomesNameless(cl *mochi.Client, pk packets.Packet) bool {
	return len(pk.Connect.Username) == 0 && !pk.Connect.PasswordFlag && g.listeners[cl.Net.Listener].loopback()
}

// OnConnectAuthenticate lets in enrolled nodes with their password, and anybody without a name on
// a listener that only this machine reaches.
func (g *gate) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	switch {
	case g.welcomesNameless(cl, pk), g.generation(pk) != 0:
		return true
	case len(pk.Connect.Username) == 0 && !pk.Connect.PasswordFlag:
		g.count.add(reasonAnonymous)
	default:
		g.count.add(reasonLogin)
	}
	return false
}

// generation returns the generation of the node whose name and password a CONNECT carries, or 0.
func (g *gate) generation(pk packets.Packet) uint32 {
	k := g.activeNode(string(pk.Connect.Username))
	if k == nil || subtle.ConstantTimeCompare(pk.Connect.Password, []byte(k.password)) != 1 {
		return 0
	}
	return k.Generation
}

// stillValid reports whether the secrets that a client logged in with are the present ones.
func (g *gate) stillValid(cl *mochi.Client) bool {
	user := string(cl.Properties.Username)
	if user == "" {
		return true
	}
	k := g.activeNode(user)
	return k != nil && strings.HasPrefix(cl.ID, clientPrefix(user, k.Generation))
}

// clientPrefix is put before the identifiers of a node's clients.
func clientPrefix(user string, generation uint32) string {
	return user + "/" + strconv.FormatUint(uint64(generation), 10) + "/"
}

func (g *gate) activeNode(name string) *nodeKeys {
	if g.nodes == nil {
		return nil
	}
	if k := g.nodes.lookup(name); k != nil && k.State == NodeActive {
		return k
	}
	return nil
}

// OnSessionEstablish keeps clients apart: a client identifier is only unique under one user, so
// that nobody takes over another's session; no session outlives its connection; and a last will
// that the client could not publish itself is dropped, since the broker sends wills unasked.
func (g *gate) OnSessionEstablish(cl *mochi.Client, pk packets.Packet) {
	cl.ID = clientPrefix(string(cl.Properties.Username), g.generation(pk)) + cl.ID
	g.connects.Add(1)
	if c, ok := broker.Socket(cl.Net.Conn).(*boundConn); ok {
		c.l.named(c)
	}
	cl.Properties.Clean = true
	cl.Properties.Props.TopicAliasMaximum = 0 // an alias whose first message was dropped would name nothing
	if cl.Properties.Will.Flag != 0 {
		cl.Properties.Will = mochi.Will{}
		g.count.add(reasonACL)
	}
}

// OnSessionEstablished looks once more whether the secrets that a client came with hold: those that ended while it
// came in were not looked for among the connections, where it is only now.
func (g *gate) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) {
	if !cl.Net.Inline && !g.stillValid(cl) {
		cl.Stop(errStale)
	}
}

// OnACLCheck is asked with a filter at a subscription and with a topic at each delivery. A filter
// with wildcards is let in when it can match something the client may read; what is delivered is
// judged by topic. Writing is left to OnPublish: here a refusal would end an MQTT 3.1.1 client's
// connection, again and again for one that announces itself after each connect.
func (g *gate) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	if write {
		return true
	}
	user := cl.Properties.Username
	if g.topics.common(topic) || g.ownTopic(g.topics.resp, topic, user) {
		return true
	}
	if !strings.ContainsAny(topic, "+#") {
		return false
	}
	if g.topics.commonMatches(topic) {
		return true
	}
	return len(user) != 0 && filterMatches(topic, g.topics.resp+string(user))
}

// ownTopic reports whether topic is the named client's own below prefix.
func (g *gate) ownTopic(prefix, topic string, user []byte) bool {
	return len(user) != 0 && len(topic) == len(prefix)+len(user) &&
		topic[:len(prefix)] == prefix && topic[len(prefix):] == string(user)
}

// OnSubscribe lowers the wish for QoS 1: nothing is stored for anybody.
func (g *gate) OnSubscribe(_ *mochi.Client, pk packets.Packet) packets.Packet {
	for i := range pk.Filters {
		pk.Filters[i].Qos = 0
	}
	return pk
}

// OnPacketRead answers exchange requests. The raw clock is read first: the packet's last byte has
// arrived just now.
func (g *gate) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type != packets.Publish || !strings.HasPrefix(pk.TopicName, g.topics.req) {
		return pk, nil
	}
	at := arrival(g.timeline, g.clock)
	g.request(cl, pk, at)
	return pk, nil
}

func (g *gate) request(cl *mochi.Client, pk packets.Packet, at beacon.Arrival) {
	if !g.ownTopic(g.topics.req, pk.TopicName, cl.Properties.Username) {
		return // counted when it is published
	}
	node := pk.TopicName[len(g.topics.req):]
	if pk.FixedHeader.Retain { // a request is never retained
		g.resp.refuse(g.count, reasonReplay, node)
		return
	}
	q, ok := g.resp.admit(g.count, node, pk.Payload, at)
	if !ok {
		return
	}
	if b := g.resp.answer(&q); b != nil {
		_ = g.publish(g.topics.resp+node, b) // when nobody listens nothing is lost
	}
}

// OnPublish lets nothing of a client through: requests were answered when they were read, and
// nobody but the gateway writes anything else. MQTT 5 can say so to the client.
func (g *gate) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	if !g.ownTopic(g.topics.req, pk.TopicName, cl.Properties.Username) {
		g.count.add(reasonACL)
		if cl.Properties.ProtocolVersion == 5 && pk.FixedHeader.Qos > 0 {
			return pk, packets.ErrNotAuthorized
		}
	}
	return pk, packets.CodeSuccessIgnore
}

// OnDisconnect counts what the broker itself refused.
func (g *gate) OnDisconnect(_ *mochi.Client, err error, _ bool) {
	switch {
	case err == nil:
	case errors.Is(err, packets.ErrPacketTooLarge):
		g.count.add(beacon.ReasonSize)
	case errors.As(err, new(packets.Code)):
		g.count.add(reasonProtocol)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, new(net.Error)), errors.Is(err, net.ErrClosed):
		// The client went, or its network did.
	default:
		g.count.add(reasonProtocol)
	}
}

// filterMatches reports whether an MQTT topic filter (MQTT 3.1.1 §4.7) matches a topic.
func filterMatches(filter, topic string) bool {
	for {
		f, frest, fmore := strings.Cut(filter, "/")
		if f == "#" {
			return !fmore
		}
		t, trest, tmore := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		switch {
		case !fmore && !tmore:
			return true
		case !tmore: // "a/#" matches "a" too
			return frest == "#"
		case !fmore:
			return false
		}
		filter, topic = frest, trest
	}
}
