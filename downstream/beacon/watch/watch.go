// Package watch carries a node's messages for people and scripts: what arrives on a gateway's
// topics is handed over with the raw clock's reading after its last byte, and requests are
// published. It judges nothing; package beacon does.
package watch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/mqtt/broker"
)

// Message is one that arrived.
type Message struct {
	Topic   string // after the prefix: beacon, key, resp/NAME …
	Payload []byte // the receiver's own
	At      discipline.Raw
	Retain  bool
}

// Options says where to listen.
type Options struct {
	Broker   string // mqtt://, mqtts://, ws://, wss:// or unix://
	TLS      *tls.Config
	User     string
	Password string
	Prefix   string   // "ntsgw/<gateway>/", after a site's prefix
	Topics   []string // after the prefix
	Now      func() discipline.Raw
	// State is told when the connection comes (nil), and at every attempt that fails and when it goes
	// (the reason). nil: nobody.
	State func(err error)
}

// ErrRefused is the reason where the broker answers but lets nobody in with this user and password.
var ErrRefused = errors.New("the broker refuses the name and password")

// Session is a connection that comes back by itself.
type Session struct {
	opt    Options
	client paho.Client
	conn   atomic.Pointer[broker.Conn] // the latest; nil: none yet
	in     chan Message
}

// backlog is how many messages may wait for the receiver; later ones are dropped, for a message
// that is read late proves little.
const backlog = 64

// Open starts a session. Close ends it.
func Open(opt Options) (*Session, error) {
	u, err := url.Parse(opt.Broker)
	if err != nil {
		return nil, fmt.Errorf("%q is not a broker's URL: %w", opt.Broker, err)
	}
	switch u.Scheme {
	case "mqtt", "mqtts", "ws", "wss", "unix":
	default:
		return nil, fmt.Errorf("%q is not a broker's URL; write mqtt://HOST:1883, mqtts://HOST:8883, ws://, wss:// or unix://", opt.Broker)
	}
	if (u.Scheme == "mqtt" || u.Scheme == "mqtts") && u.Port() == "" {
		u.Host += map[string]string{"mqtt": ":1883", "mqtts": ":8883"}[u.Scheme]
	}
	s := &Session{opt: opt, in: make(chan Message, backlog)}
	o := paho.NewClientOptions().AddBroker(u.String()).SetUsername(opt.User).SetPassword(opt.Password)
	o.SetCleanSession(true).SetAutoReconnect(true).SetConnectRetry(true).SetConnectRetryInterval(time.Second)
	o.SetProtocolVersion(4) // else what 3.1.1 was refused for is hidden by an attempt with 3.1
	o.SetMaxReconnectInterval(5 * time.Second).SetOrderMatters(true).SetConnectTimeout(5 * time.Second)
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		s.conn.Store(nil)
		c, err := broker.Dial(context.Background(), u, func() (*tls.Config, error) { return opt.TLS, nil })
		if err != nil {
			return nil, err
		}
		guarded := broker.Guard(c, broker.Options{})
		s.conn.Store(guarded)
		return guarded, nil
	})
	tell := func(err error) {
		if opt.State != nil {
			opt.State(err)
		}
	}
	o.SetOnConnectHandler(func(c paho.Client) {
		filters := map[string]byte{}
		for _, t := range opt.Topics {
			filters[opt.Prefix+t] = 0
		}
		if g := s.conn.Load(); g != nil {
			g.Subscribing(len(filters))
		}
		c.SubscribeMultiple(filters, s.arrived)
		tell(nil)
	})
	o.SetConnectionLostHandler(func(_ paho.Client, err error) {
		if fault := s.fault(); fault != nil {
			err = fault
		}
		tell(err)
	})
	o.SetConnectionNotificationHandler(func(_ paho.Client, n paho.ConnectionNotification) {
		if f, ok := n.(paho.ConnectionNotificationFailed); ok {
			err := cause(f.Reason)
			if fault := s.fault(); fault != nil {
				err = fault
			}
			tell(broker.Explain(u, broker.Lasting(err)))
		}
	})
	s.client = paho.NewClient(o)
	s.client.Connect() // retried for as long as the session is open
	return s, nil
}

// fault is what the broker did wrong in the latest connection, nil so far.
func (s *Session) fault() error {
	if c := s.conn.Load(); c != nil {
		return c.Fault()
	}
	return nil
}

// cause is why an attempt failed, without what the client library puts before it.
func cause(err error) error {
	if errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) || errors.Is(err, packets.ErrorRefusedNotAuthorised) {
		return ErrRefused
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all := joined.Unwrap()
		return all[len(all)-1]
	}
	return err
}

func (s *Session) arrived(_ paho.Client, m paho.Message) {
	at := s.opt.Now()
	topic, ok := strings.CutPrefix(m.Topic(), s.opt.Prefix)
	if !ok {
		return
	}
	select {
	case s.in <- Message{Topic: topic, Payload: append([]byte(nil), m.Payload()...), At: at, Retain: m.Retained()}:
	default:
	}
}

// Messages gives what arrives, in order.
func (s *Session) Messages() <-chan Message { return s.in }

// Publish hands one message over at QoS 0; it is an error when that can't be done at once.
func (s *Session) Publish(ctx context.Context, topic string, payload []byte) error {
	if !s.client.IsConnectionOpen() {
		return fmt.Errorf("not connected to %s", s.opt.Broker)
	}
	token := s.client.Publish(s.opt.Prefix+topic, 0, false, payload)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	select {
	case <-token.Done():
		return token.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the session.
func (s *Session) Close() { s.client.Disconnect(100) }
