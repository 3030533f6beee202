package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// mostGreeting is how many bytes a server may send until the WebSocket stands, certificates included. Whoever reads
// its answer has no limit, and held 200 MB a second of one endless line.
const mostGreeting = 64 << 10

var errGreeting = errors.New("the broker's answer to the WebSocket's request does not end")

// dialWebsocket opens MQTT over WebSocket (MQTT 3.1.1 §6).
func dialWebsocket(ctx context.Context, d *net.Dialer, u *url.URL, t *tls.Config) (net.Conn, error) {
	var below *greeting
	w := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			below = &greeting{Conn: c}
			below.left.Store(mostGreeting)
			return below, nil
		},
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: t,
		Subprotocols:    []string{"mqtt"},
	}
	plain := *u
	plain.User = nil // it goes into the CONNECT packet
	c, r, err := w.DialContext(ctx, plain.String(), nil)
	switch {
	case below != nil && below.left.Load() < 0:
		return nil, errGreeting
	case err != nil && r != nil:
		return nil, fmt.Errorf("%w (%s)", err, r.Status)
	case err != nil:
		return nil, err
	}
	below.stands.Store(true)
	return &stream{Conn: c}, nil
}

// greeting is a connection that ends when the server says too much before the WebSocket stands.
type greeting struct {
	net.Conn
	left   atomic.Int64
	stands atomic.Bool
}

func (g *greeting) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if !g.stands.Load() && g.left.Add(-int64(n)) < 0 {
		g.Conn.Close()
		return 0, errGreeting
	}
	return n, err
}

// NetConn is for Socket.
func (g *greeting) NetConn() net.Conn { return g.Conn }

// stream is what a WebSocket's messages carry, as one stream of bytes.
type stream struct {
	*websocket.Conn
	message io.Reader // the present one, nil between two; of the one goroutine that reads
	writing sync.Mutex
	until   atomic.Pointer[time.Time] // when a Write ends at the latest; nil: never
}

func (s *stream) Read(b []byte) (int, error) {
	for {
		if s.message == nil {
			_, r, err := s.NextReader()
			if err != nil {
				return 0, err
			}
			s.message = r
		}
		n, err := s.message.Read(b)
		if err == io.EOF {
			s.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (s *stream) Write(b []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if t := s.until.Load(); t != nil {
		_ = s.Conn.SetWriteDeadline(*t) // it never fails
	}
	if err := s.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// SetWriteDeadline holds for each Write that begins later: a WebSocket's own may not be set while another goroutine writes.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.until.Store(&t)
	return nil
}

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}
