package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/discipline"
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
	// The end itself takes no longer than this, whatever the broker does: the program ends for the
	// sake of a restart, and must not hang.
	embeddedEnd   = 4 * time.Second
	plainListener = "tcp"
	tlsListener   = "tls"
)

// embedded is the broker in the gateway's own process.
type embedded struct {
	broker    *mochi.Server
	hook      *gate
	listeners []*boundListener
	acceptors []*acceptor
	shown     *certs.Serving // nil: no listener with TLS
	running   atomic.Bool

	mu    sync.Mutex
	kept  map[string]uint64 // versions of what is retained
	ended bool              // what is retained stays as it is
}

// newEmbedded opens the listeners; nothing is accepted before run. An address that can't be had is no
// error: run tries it again.
func newEmbedded(o *Options, t topics, resp *responder) (*embedded, error) {
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
	e := &embedded{broker: b, hook: newGate(o, t, resp, newTraffic()), kept: make(map[string]uint64)}
	e.hook.publish = func(topic string, payload []byte) error { return e.publish(topic, payload, false) }
	e.hook.refuse = func(cl *mochi.Client, code packets.Code) { _ = b.SendConnack(cl, code, false, nil) }
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
			return nil, err
		}
	}
	return e, nil
}

// open binds one listener, or lets it wait for its address. What this process may not do it won't be
// able to later.
func (e *embedded) open(o *Options, id, addr string, cfg *tls.Config) error {
	bl := newBoundListener(id, addr, o.Log, e.hook.count.add)
	if err := bl.bind(); errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("embedded broker: %w", err)
	} else if err != nil {
		o.Log.Warn("the embedded broker can't listen, and tries again", "error", err)
	}
	var l net.Listener = bl
	if cfg != nil {
		l = tls.NewListener(bl, cfg)
	}
	e.hook.listeners[id] = bl
	a := &acceptor{id: id, l: l}
	if err := e.broker.AddListener(a); err != nil {
		bl.Close()
		return fmt.Errorf("embedded broker: %w", err)
	}
	e.listeners, e.acceptors = append(e.listeners, bl), append(e.acceptors, a)
	return nil
}

func (e *embedded) closeListeners() {
	for _, l := range e.listeners {
		l.Close()
	}
}

// run serves until ctx ends.
func (e *embedded) run(ctx context.Context, goodbye func() []message) error {
	if err := e.broker.Serve(); err != nil {
		e.closeListeners()
		return fmt.Errorf("embedded broker: %w", err)
	}
	e.running.Store(true)
	<-ctx.Done()
	e.running.Store(false)
	ended := make(chan error, 1)
	go func() { ended <- e.end(goodbye()) }()
	late := time.NewTimer(embeddedEnd)
	defer late.Stop()
	select {
	case err := <-ended:
		return err
	case <-late.C:
		return fmt.Errorf("embedded broker: it hangs; left alone after %v", embeddedEnd)
	}
}

// end tells all clients what stays retained, and that the broker ends, and waits for them to go.
func (e *embedded) end(last []message) error {
	drop := func() {
		for _, l := range e.listeners {
			l.drop()
		}
	}
	late := time.AfterFunc(embeddedGoodbye, drop)
	defer late.Stop()
	e.mu.Lock()
	e.ended = true
	e.mu.Unlock()
	for _, m := range last {
		_ = e.publish(m.topic, m.payload, true)
	}
	for _, a := range e.acceptors {
		a.end()
	}
	for _, cl := range e.broker.Clients.GetAll() {
		if !cl.Net.Inline && !cl.Closed() {
			_ = e.broker.DisconnectClient(cl, packets.ErrServerShuttingDown)
		}
	}
	for _, a := range e.acceptors {
		a.wait()
	}
	return e.broker.Close()
}

// refresh publishes the retained messages that have changed since the last call.
func (e *embedded) refresh(keep *retained) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return
	}
	for _, r := range keep.all() {
		if e.kept[r.topic] == r.version {
			continue
		}
		if err := e.publish(r.topic, r.payload, true); err == nil {
			e.kept[r.topic] = r.version
		}
	}
}

// offer hands a beacon to all subscribers that are connected now, or drops it.
func (e *embedded) offer(m message) {
	if len(e.addresses()) == 0 || e.publish(m.topic, m.payload, false) != nil {
		e.hook.count.dropped.Add(1)
		return
	}
	e.hook.count.published.Add(1)
}

// publish hands a message to all subscribers that are connected now.
func (e *embedded) publish(topic string, payload []byte, retain bool) error {
	return e.broker.Publish(topic, payload, retain, 0)
}

// addresses are the bound addresses, the plain listener's first.
func (e *embedded) addresses() []string {
	var a []string
	for _, l := range e.listeners {
		if ln, _ := l.bound(); ln != nil {
			a = append(a, ln.Addr().String())
		}
	}
	return a
}

// waits are the reasons why listeners have no address at present.
func (e *embedded) waits() error {
	var all []error
	for _, l := range e.listeners {
		_, err := l.bound()
		all = append(all, err)
	}
	return errors.Join(all...)
}

// warnings are the conditions that a person should act on.
func (e *embedded) warnings() []discipline.Warning {
	var w []discipline.Warning
	for _, l := range e.listeners {
		if one, ok := l.warning(); ok {
			w = append(w, one)
		}
	}
	if plain := e.hook.listeners[plainListener]; plain.offLoopback() {
		w = append(w, discipline.Warning{ID: "mqtt-clear-text", Text: "The embedded broker listens on " + plain.Addr().String() +
			" without TLS: nodes' MQTT passwords can be read on that network (time stays proved). Use tls_listen where nodes can."})
	}
	return w
}

func (e *embedded) clients() int {
	return int(atomic.LoadInt64(&e.broker.Info.ClientsConnected))
}

func (e *embedded) connects() uint64 { return e.hook.connects.Load() }

func (e *embedded) state() string {
	switch {
	case !e.running.Load():
		return BrokerStopped
	case len(e.addresses()) == 0:
		return BrokerWaiting
	}
	return BrokerConnected
}

func (e *embedded) snapshot() BrokerStatus {
	st := BrokerStatus{URL: Embedded, State: e.state(), Connects: e.connects(), Clients: e.clients()}
	if err := e.waits(); err != nil {
		st.LastError = err.Error()
	}
	e.hook.count.into(&st)
	return st
}

// dropStale ends the connections of nodes whose secrets are no longer valid.
func (e *embedded) dropStale() {
	for _, cl := range e.broker.Clients.GetAll() {
		if cl.Net.Inline || cl.Closed() {
			continue
		}
		if !e.hook.stillValid(cl) {
			cl.Stop(errStale)
		}
	}
}
