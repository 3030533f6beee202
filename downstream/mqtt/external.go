package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/mqtt/broker"
)

const (
	connectTimeout = 4 * time.Second
	writeTimeout   = 2 * time.Second // a write that blocks longer ends the connection
	keepAlive      = 6 * time.Second
	pingTimeout    = 3 * time.Second
	// A beacon that could not be handed on for so long is thrown away: the next one is worth more.
	staleAfter = time.Second
	// Requests that were found good and wait for an answer; more are refused.
	requestQueue = 256
	// So long after a connection began, and again and again, it is looked at whether the broker lets the
	// gateway do what it must there.
	accessCheck = 3 * time.Second
	// While it does not, that is looked at half as often each time, down to this: somebody reads the broker's log.
	accessRest = time.Minute
)

// message is something to publish.
type message struct {
	topic   string
	payload []byte
	at      time.Time // when it was made
}

// external publishes to one broker that runs elsewhere, and answers the requests that come through
// it. It keeps nothing for later: what can't be handed over now is dropped.
type external struct {
	url     *url.URL
	cfg     configs.MQTT
	id      string
	topics  topics
	arrived func() beacon.Arrival
	keep    *retained
	resp    *responder
	keys    Keys
	soon    func() // asks for a beacon
	goodbye func() []message
	count   *traffic
	log     *slog.Logger

	out      chan message
	requests chan question

	since time.Time // when the present connection began to stand; zero: it doesn't. Of run's goroutine

	mu       sync.Mutex
	status   BrokerStatus
	restless bool   // many connections in a row ended early
	refused  bool   // requests can't be read there
	silent   string // a topic on which nothing comes back of what is published there
	heard    bool   // in the present connection something did
	awaited  bool   // … or should have, since look looked last
}

func newExternal(o *Options, raw string, t topics, keep *retained, resp *responder, soon func(), goodbye func() []message) (*external, error) {
	u, err := brokerURL(raw)
	if err != nil {
		return nil, err
	}
	e := &external{
		url: u, cfg: o.Config, id: "ntsgw-" + o.Gateway, topics: t, keep: keep,
		arrived: func() beacon.Arrival { return arrival(o.Timeline, o.Clock) },
		resp:    resp, keys: o.Keys, soon: soon, goodbye: goodbye, count: newTraffic(),
		out:      make(chan message, 4), // a beacon for each algorithm, with room
		requests: make(chan question, requestQueue),
	}
	e.status = BrokerStatus{URL: u.Redacted(), State: BrokerConnecting}
	e.log = o.Log.With("broker", e.status.URL)
	return e, nil
}

// brokerURL reads an address in the forms of the configuration.
func brokerURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	switch u.Scheme {
	case "mqtt", "tcp", "mqtts", "tls", "ws", "wss":
		if u.Hostname() == "" {
			return nil, fmt.Errorf("broker %s: the host is missing", u.Redacted())
		}
		if u.Port() == "" {
			u.Host = net.JoinHostPort(u.Hostname(), configs.BrokerPort(u.Scheme))
		}
	case "unix":
		if u.Path == "" {
			return nil, fmt.Errorf("broker %s: write unix:///PATH", u.Redacted())
		}
	default:
		return nil, fmt.Errorf("broker %s: the scheme must be mqtt, mqtts, ws, wss or unix", u.Redacted())
	}
	return u, nil
}

// offer hands a beacon over, or drops it; it never waits.
func (e *external) offer(m message) {
	if !e.connected() {
		e.count.dropped.Add(1)
		return
	}
	select {
	case e.out <- m:
	default:
		e.count.dropped.Add(1)
	}
}

func (e *external) connected() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status.State == BrokerConnected
}

func (e *external) snapshot() BrokerStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := e.status
	e.count.into(&st)
	return st
}

// run connects, serves and connects again until ctx ends.
func (e *external) run(ctx context.Context) error {
	var between backoff
	logged := ""
	for ctx.Err() == nil {
		e.since = time.Time{}
		err := e.session(ctx)
		if ctx.Err() != nil {
			break
		}
		err = broker.Lasting(err)
		stood := time.Duration(0)
		if e.since.IsZero() {
			err = broker.Explain(e.url, err)
		} else {
			stood = max(1, time.Since(e.since))
		}
		wait, restless := between.next(stood)
		restless = restless && !errors.Is(err, broker.ErrPacketSize) && !errors.Is(err, broker.ErrQoS) && !errors.Is(err, broker.ErrUnasked) // which say themselves why
		e.lost(err, restless)
		now := fmt.Sprint(err)
		if restless {
			now = "restless"
		}
		if now != logged || stood >= goodAfter { // one line a change, not one an attempt
			logged = now
			if restless {
				e.log.Warn("connections to the broker end soon after they began: another client uses the same id? Two gateways with one id, or broker and also naming one broker twice",
					"client_id", e.id, "error", err)
			} else {
				e.log.Warn("broker not reached", "error", err)
			}
		}
		pause := time.NewTimer(wait*3/4 + rand.N(wait/2))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
	e.mu.Lock()
	e.status.State = BrokerStopped
	e.mu.Unlock()
	return nil
}

func (e *external) lost(err error, restless bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.State = BrokerConnecting
	e.restless = restless
	e.refused, e.silent, e.heard, e.awaited = false, "", false, false
	if err != nil {
		e.status.LastError = err.Error()
	}
}

// good is told that the connection stood for a while.
func (e *external) good() {
	e.mu.Lock()
	was := e.restless
	e.restless = false
	e.mu.Unlock()
	if was {
		e.log.Info("broker connected")
	}
}

// warning is the condition that a person should act on, if there is one.
func (e *external) warning() (discipline.Warning, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.restless:
		return discipline.Warning{ID: "broker-restless", Text: "Connections to " + e.status.URL + " end soon after they began: another client probably uses the id " + e.id +
			" there. Give every gateway an id of its own (id in [gateway]), and name each broker once in broker and also."}, true
	case e.status.State == BrokerConnecting && e.status.LastError != "":
		return discipline.Warning{ID: "broker-unreachable", Text: "No beacons reach " + e.status.URL + ": " + e.status.LastError + "."}, true
	case e.refused:
		return e.access("does not let the gateway read " + e.topics.req + "+: no device gets an answer through it"), true
	case e.silent != "":
		return e.access("returns nothing of what the gateway publishes on " + e.silent + ", which it subscribed to: beacons and answers may not come through, nor requests"), true
	}
	return discipline.Warning{}, false
}

// access is the warning that the broker does not let us do what we must.
func (e *external) access(what string) discipline.Warning {
	return discipline.Warning{ID: "broker-access", Text: "The broker " + e.status.URL + " " + what + ". Let the gateway read and write " + e.topics.prefix + "# there."}
}

// session is one connection, from the dialling to its end. It sets since when that stands.
func (e *external) session(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conn := &stampedConn{arrived: e.arrived, told: broker.Options{
		TooLarge: func() { e.resp.refuse(e.count, beacon.ReasonSize, "") },
	}}
	defer func() {
		if why := conn.fault(); err != nil && why != nil {
			err = why
		}
	}()
	client, err := e.connect(ctx, conn, cancel)
	if err != nil {
		return err
	}
	// Closing the connection ends all that the client still does, whatever it waits for.
	defer conn.shut()

	if err := e.observe(ctx, client, conn); err != nil {
		return err
	}
	seen, err := e.publishRetained(ctx, client, nil)
	if err != nil {
		return err
	}
	if err := e.hearRequests(ctx, client, conn); err != nil {
		return err
	}
	e.drain()
	e.mu.Lock()
	e.status.State, e.status.LastError = BrokerConnected, ""
	e.status.Connects++
	restless := e.restless
	e.mu.Unlock()
	if !restless {
		e.log.Info("broker connected")
	}
	e.since = time.Now()
	e.soon()
	good := time.NewTimer(goodAfter)
	defer good.Stop()

	var answers sync.WaitGroup
	answers.Go(func() { e.answer(ctx, client, cancel) })
	defer answers.Wait()
	defer cancel(nil)
	err = e.deliver(ctx, client, conn, seen, good.C)
	if cause := context.Cause(ctx); cause != nil && errors.Is(cause, context.Canceled) {
		e.leave(client)
		return nil
	}
	return err
}

// deliver hands on what is retained and what is offered, until ctx ends or the broker takes nothing more. seen is
// what it has already.
func (e *external) deliver(ctx context.Context, client paho.Client, conn *stampedConn, seen map[string]uint64, good <-chan time.Time) (err error) {
	after := accessCheck
	look := time.NewTimer(after)
	defer look.Stop()
	// A broker may take its time for a subscription, and beacons don't wait for it.
	asking, stop := context.WithCancel(ctx)
	answered := make(chan error, 1)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	for {
		changed := e.keep.changed()
		if seen, err = e.publishRetained(ctx, client, seen); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-good:
			e.good()
		case <-look.C:
			refused, silent := e.look(seen)
			if refused {
				wait.Go(func() { answered <- e.hearRequests(asking, client, conn) })
				continue
			}
			if after = min(2*after, accessRest); !silent {
				after = accessCheck
			}
			look.Reset(after)
		case err := <-answered:
			if err != nil {
				return err
			}
			after = min(2*after, accessRest)
			look.Reset(after)
		case m := <-e.out:
			if time.Since(m.at) > staleAfter {
				e.count.dropped.Add(1)
				continue
			}
			// A new delegation goes before the first beacon under it.
			if seen, err = e.publishRetained(ctx, client, seen); err != nil {
				return err
			}
			if err := e.publish(ctx, client, m.topic, m.payload, false); err != nil {
				e.count.dropped.Add(1)
				return fmt.Errorf("publish: %w", err)
			}
			e.count.published.Add(1)
		}
	}
}

// drain throws away what was offered to an earlier connection.
func (e *external) drain() {
	for {
		select {
		case <-e.out:
			e.count.dropped.Add(1)
		case <-e.requests:
			e.count.add(reasonSend)
		default:
			return
		}
	}
}

// connect makes a client for one connection. The client's own reconnecting is off: it would keep
// messages for later and report them as delivered.
func (e *external) connect(ctx context.Context, conn *stampedConn, lost context.CancelCauseFunc) (paho.Client, error) {
	opts := paho.NewClientOptions()
	opts.Servers = []*url.URL{e.url}
	opts.SetClientID(e.id) // the same each time: the broker ends an older connection, and its last will comes before our "online"
	opts.SetProtocolVersion(4)
	opts.SetCleanSession(true)
	opts.SetAutoReconnect(false)
	opts.SetConnectRetry(false)
	opts.SetOrderMatters(true) // the handler never waits; otherwise a flood starts a goroutine a message
	opts.SetConnectTimeout(connectTimeout)
	opts.SetWriteTimeout(writeTimeout)
	opts.SetKeepAlive(keepAlive)
	opts.SetPingTimeout(pingTimeout)
	opts.SetBinaryWill(e.topics.status, []byte("offline"), 0, true)
	opts.SetConnectionLostHandler(func(_ paho.Client, err error) { lost(fmt.Errorf("connection lost: %w", err)) })
	user, password, err := Login(e.url, e.cfg) // at each connect, so that a new password is used at once
	if err != nil {
		return nil, err
	}
	opts.SetUsername(user)
	opts.SetPassword(password)
	opts.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		c, err := broker.Dial(ctx, e.url, e.tls)
		if err != nil {
			return nil, err
		}
		return conn.wrap(c)
	})
	client := paho.NewClient(opts)
	// Dialling and the MQTT handshake each have connectTimeout.
	if err := await(ctx, client.Connect(), 2*connectTimeout); err != nil {
		conn.shut()
		if errors.Is(err, packets.ErrorRefusedNotAuthorised) || errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) {
			if user == "" {
				return nil, fmt.Errorf("connect: %w: the broker wants a name and a password; give user and password_file in [mqtt]", err)
			}
			return nil, fmt.Errorf("connect: %w: the broker does not know the user %q with this password; correct user or password_file in [mqtt]", err, user)
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	return client, nil
}

// tls is what holds for TLS with the broker. The files are read now.
func (e *external) tls() (*tls.Config, error) { return ClientTLS(e.url.Hostname(), e.cfg) }

// Login is the name and the password to give the broker at u. The password's file is read now.
func Login(u *url.URL, cfg configs.MQTT) (user, password string, err error) {
	user = cfg.User
	if u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
	}
	if cfg.PasswordFile != "" && password == "" {
		b, err := os.ReadFile(cfg.PasswordFile)
		if err != nil {
			return "", "", fmt.Errorf("read the broker's password: %w", err)
		}
		password = strings.TrimRight(string(b), "\r\n")
	}
	return user, password, nil
}

// observe looks at the delegations that the broker has retained before ours replace them: newer
// ones than ours mean that an old backup was restored here.
func (e *external) observe(ctx context.Context, client paho.Client, conn *stampedConn) error {
	_, err := e.subscribe(ctx, client, conn, slices.Collect(maps.Values(e.topics.key)), func(m paho.Message) {
		if !m.Retained() { // what is published while we listen is our own, or a flood
			e.returned(m)
			return
		}
		if e.keys.Observe(m.Payload()) {
			e.log.Warn("the broker has a newer delegation than ours: an old backup of the signing keys was restored")
			e.soon()
		}
	})
	if err != nil {
		return fmt.Errorf("subscribe to delegations: %w", err)
	}
	return nil
}

// returned is told of a message on the delegations' topics. One of ours shows that the broker lets us write and
// read there: some say yes to a subscription, and to what is published, and drop it.
func (e *external) returned(m paho.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.heard && e.keep.is(m.Topic(), m.Payload()) {
		e.heard = true
		if e.silent != "" {
			e.silent = ""
			e.log.Info("the broker returns what is published")
		}
	}
}

// hearRequests subscribes to the requests, and notes whether the broker lets us read them.
func (e *external) hearRequests(ctx context.Context, client paho.Client, conn *stampedConn) error {
	if e.resp.nodes == nil {
		return nil
	}
	topic := e.topics.req + "+"
	refused, err := e.subscribe(ctx, client, conn, []string{topic}, func(m paho.Message) { e.receive(conn, m) })
	if err != nil {
		return fmt.Errorf("subscribe to requests: %w", err)
	}
	e.mu.Lock()
	was := e.refused
	e.refused = refused
	e.mu.Unlock()
	switch {
	case refused && !was:
		e.log.Warn("the broker does not let the gateway read requests: no device gets an answer through it", "topic", topic)
	case was && !refused:
		e.log.Info("the broker lets the gateway read requests", "topic", topic)
	}
	return nil
}

// subscribe returns whether the broker refuses one of the filters.
func (e *external) subscribe(ctx context.Context, client paho.Client, conn *stampedConn, filters []string, f func(paho.Message)) (refused bool, err error) {
	const failure = 0x80 // MQTT 3.1.1 §3.9.3
	all := make(map[string]byte)
	for _, filter := range filters {
		all[filter] = 0
	}
	conn.guarded().Subscribing(len(all))
	tok := client.SubscribeMultiple(all, func(_ paho.Client, m paho.Message) { f(m) })
	if err := await(ctx, tok, connectTimeout); err != nil {
		return false, err
	}
	for _, code := range tok.(*paho.SubscribeToken).Result() {
		refused = refused || code >= failure
	}
	return refused, nil
}

// look finds out whether the broker lets the gateway do what it must there, by what it has done since the last
// time: its rules may have been mended meanwhile. What is to be published again for it is taken out of seen; refused:
// the requests are to be subscribed to again.
func (e *external) look(seen map[string]uint64) (refused, silent bool) {
	e.mu.Lock()
	heard, awaited, was := e.heard, e.awaited, e.silent
	for _, topic := range e.topics.key {
		switch _, published := seen[topic]; {
		case heard || !published:
		case awaited:
			e.silent = topic
			delete(seen, topic)
		default:
			e.awaited = true
		}
	}
	now := e.silent
	refused = e.refused
	e.mu.Unlock()
	if was == "" && now != "" {
		e.log.Warn("the broker returns nothing of what the gateway publishes, as if it dropped it", "topic", now)
	}
	return refused, now != ""
}

// publishRetained publishes the retained messages that differ from those in seen, and returns
// what was published by now.
func (e *external) publishRetained(ctx context.Context, client paho.Client, seen map[string]uint64) (map[string]uint64, error) {
	next := make(map[string]uint64)
	for _, r := range e.keep.all() {
		if seen[r.topic] != r.version {
			if err := e.publish(ctx, client, r.topic, r.payload, true); err != nil {
				return nil, fmt.Errorf("publish %s: %w", r.topic, err)
			}
		}
		next[r.topic] = r.version
	}
	return next, nil
}

// publish hands one message over. An error means that the connection is to be given up: whether
// the message went out is not known then.
func (e *external) publish(ctx context.Context, client paho.Client, topic string, payload []byte, retain bool) error {
	if !client.IsConnectionOpen() {
		return paho.ErrNotConnected
	}
	return await(ctx, client.Publish(topic, 0, retain, payload), writeTimeout)
}

// leave says goodbye, as far as the broker listens.
func (e *external) leave(client paho.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, m := range e.goodbye() {
		_ = e.publish(ctx, client, m.topic, m.payload, true)
	}
	client.Disconnect(250)
}

// receive judges a request on the client library's own goroutine: some microseconds, and it never
// waits, so that a flood of forged ones fills no queue.
func (e *external) receive(conn *stampedConn, m paho.Message) {
	at := conn.last()
	topic := m.Topic()
	if !strings.HasPrefix(topic, e.topics.req) {
		return
	}
	if m.Retained() { // planted: a request is never retained
		e.resp.refuse(e.count, reasonReplay, topic[len(e.topics.req):])
		return
	}
	node := topic[len(e.topics.req):]
	q, ok := e.resp.admit(e.count, node, m.Payload(), at)
	if !ok {
		return
	}
	select {
	case e.requests <- q:
	default:
		e.resp.refuse(e.count, reasonBusy, node)
	}
}

// answer answers the requests of one session.
func (e *external) answer(ctx context.Context, client paho.Client, lost context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-e.requests:
			b := e.resp.answer(&r)
			if b == nil {
				continue
			}
			if err := e.publish(ctx, client, e.topics.resp+r.node.Name, b, false); err != nil {
				e.count.add(reasonSend)
				lost(fmt.Errorf("answer: %w", err))
				return
			}
		}
	}
}

// errTimeout is what await returns when nothing happened in time.
var errTimeout = errors.New("no answer in time")

// await waits for a token. The token's own Wait can hang for ever.
func await(ctx context.Context, tok paho.Token, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-tok.Done():
		return tok.Error()
	case <-ctx.Done():
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return ctx.Err()
	case <-t.C:
		return errTimeout
	}
}
