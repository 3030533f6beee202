package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/ntsgw/ntsgw/certs"
)

const (
	// Everything on this broker's topics fits into 256 bytes; a CONNECT of MQTT 5 or a SUBSCRIBE
	// with many filters may be longer.
	embeddedPacket = 1024
	// A subscriber that reads so slowly that this many messages wait loses the next ones: a beacon
	// that comes late is worth less than the next one.
	embeddedPending = 32
	// A new connection must have sent its CONNECT by then.
	embeddedHello = 10 * time.Second
	// A client that takes nothing in for so long is let go: the broker itself waits without end, and
	// its own end with it.
	embeddedWrite = 5 * time.Second
	// At the end all have so long to take in the goodbye.
	embeddedGoodbye = time.Second
	plainListener   = "tcp"
	tlsListener     = "tls"
	// connectionSlack is how many connections beyond the clients may be about to say who they are.
	connectionSlack = 16
	// acceptPause is waited after a failed accept.
	acceptPause = 20 * time.Millisecond
)

// ErrTLSListen says that it is the listener for TLS that can't be opened.
var ErrTLSListen = errors.New("tls_listen")

// embedded is the broker in the gateway's own process.
type embedded struct {
	broker    *mochi.Server
	hook      *gate
	listeners []*boundListener
	shown     *certs.Serving // nil: no listener with TLS
	running   atomic.Bool

	mu   sync.Mutex
	kept map[string]uint64 // versions of what is retained
}

// newEmbedded opens the listeners; nothing is accepted before run.
func newEmbedded(o *Options, t topics, resp *responder, c *counters) (*embedded, error) {
	caps := mochi.NewDefaultServerCapabilities()
	caps.MaximumClients = int64(o.Config.MaxClients)
	caps.MaximumPacketSize = embeddedPacket
	caps.MaximumClientWritesPending = embeddedPending
	caps.MaximumMessageExpiryInterval = 0 // else retained delegations would be dropped after a day
	caps.MaximumSessionExpiryInterval = 0 // nothing is kept for who is away: a beacon is never stored
	caps.MaximumQos = 2                   // accepted from nodes; what is sent is QoS 0
	caps.ReceiveMaximum = 16
	caps.MaximumInflight = 16
	caps.TopicAliasMaximum = 0
	caps.SharedSubAvailable = 0
	b := mochi.New(&mochi.Options{
		Capabilities:             caps,
		ClientNetReadBufferSize:  512,
		ClientNetWriteBufferSize: 1024,
		Logger:                   slog.New(slog.DiscardHandler), // it logs per packet; the gate counts instead
		SysTopicResendInterval:   24 * 3600,                     // each one stops the world to read memory statistics
		InlineClient:             true,
	})
	e := &embedded{broker: b, hook: newGate(o, t, resp, c), kept: make(map[string]uint64)}
	e.hook.publish = func(topic string, payload []byte) error { return e.publish(topic, payload, false) }
	if err := b.AddHook(e.hook, nil); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	err := e.open(o, plainListener, o.Config.Listen, nil)
	if err != nil {
		return nil, err
	}
	if o.Config.TLSListen != "" {
		if e.shown, err = certs.NewServing("the TLS listener", o.Config.TLSCert, o.Config.TLSKey); err != nil {
			e.closeListeners()
			return nil, fmt.Errorf("embedded broker: certificate of the TLS listener: %w", err)
		}
		if err := e.open(o, tlsListener, o.Config.TLSListen, &tls.Config{
			MinVersion:     tls.VersionTLS12, // BearSSL, on the ESP8266, has no TLS 1.3
			GetCertificate: e.shown.Certificate,
		}); err != nil {
			e.closeListeners()
			return nil, fmt.Errorf("%w: %w", ErrTLSListen, err)
		}
	}
	return e, nil
}

// open binds one listener.
func (e *embedded) open(o *Options, id, addr string, cfg *tls.Config) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	bl := &boundListener{Listener: ln, limit: o.Config.MaxClients + connectionSlack, conns: map[*boundConn]struct{}{}}
	var l net.Listener = bl
	if cfg != nil {
		l = tls.NewListener(bl, cfg)
	}
	loopback := false
	if a, ok := ln.Addr().(*net.TCPAddr); ok {
		loopback = a.IP.IsLoopback()
	}
	e.hook.listeners[id] = loopback
	if err := e.broker.AddListener(listeners.NewNet(id, l)); err != nil {
		ln.Close()
		return fmt.Errorf("embedded broker: %w", err)
	}
	e.listeners = append(e.listeners, bl)
	return nil
}

func (e *embedded) closeListeners() {
	for _, l := range e.listeners {
		l.Close()
	}
}

// run serves until ctx ends.
func (e *embedded) run(ctx context.Context, status string) error {
	if err := e.broker.Serve(); err != nil {
		e.closeListeners()
		return fmt.Errorf("embedded broker: %w", err)
	}
	e.running.Store(true)
	<-ctx.Done()
	e.running.Store(false)
	_ = e.publish(status, []byte("offline"), true)
	drop := func() {
		for _, l := range e.listeners {
			l.drop()
		}
	}
	late := time.AfterFunc(embeddedGoodbye, drop)
	err := e.broker.Close() // says goodbye to one client after the other
	late.Stop()
	drop() // who came in between
	return err
}

// refresh publishes the retained messages that have changed since the last call.
func (e *embedded) refresh(keep *retained) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range keep.all() {
		if e.kept[r.topic] == r.version {
			continue
		}
		if err := e.publish(r.topic, r.payload, true); err == nil {
			e.kept[r.topic] = r.version
		}
	}
}

// publish hands a message to all subscribers that are connected now.
func (e *embedded) publish(topic string, payload []byte, retain bool) error {
	return e.broker.Publish(topic, payload, retain, 0)
}

// addresses are the bound addresses, the plain listener's first.
func (e *embedded) addresses() []string {
	var a []string
	for _, l := range e.listeners {
		a = append(a, l.Addr().String())
	}
	return a
}

func (e *embedded) clients() int {
	return int(atomic.LoadInt64(&e.broker.Info.ClientsConnected))
}

func (e *embedded) connects() uint64 { return e.hook.connects.Load() }

func (e *embedded) state() string {
	if e.running.Load() {
		return BrokerConnected
	}
	return BrokerStopped
}

// dropStale ends the connections of nodes whose secrets are no longer valid.
func (e *embedded) dropStale() {
	for _, cl := range e.broker.Clients.GetAll() {
		if cl.Net.Inline || cl.Closed() {
			continue
		}
		if !e.hook.stillValid(cl) {
			cl.Stop(errors.New("the node's secrets have changed"))
		}
	}
}

// boundListener accepts at most limit connections at a time, and gives each until embeddedHello
// to say who it is: the broker itself waits for a CONNECT without end.
type boundListener struct {
	net.Listener
	limit   int
	refused atomic.Uint64

	mu      sync.Mutex
	conns   map[*boundConn]struct{}
	dropped bool
}

func (l *boundListener) Accept() (net.Conn, error) {
	for {
		tcp, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			// Out of descriptors, or the peer was gone already: the broker would stop accepting for good.
			time.Sleep(acceptPause)
			continue
		}
		c := &boundConn{Conn: tcp, l: l}
		if !l.enter(c) {
			l.refused.Add(1)
			tcp.Close()
			continue
		}
		_ = c.SetDeadline(time.Now().Add(embeddedHello))
		return c, nil
	}
}

// enter counts one more connection, unless that is too many.
func (l *boundListener) enter(c *boundConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped || len(l.conns) >= l.limit {
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *boundListener) leave(c *boundConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// open is how many connections there are.
func (l *boundListener) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
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
	l *boundListener
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
