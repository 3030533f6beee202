package broker

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeout ends a TCP connection whose peer has acknowledged nothing for so long: without it
// the kernel would keep sent beacons for a quarter of an hour and deliver them late.
const userTimeout = 5 * time.Second

// connectTimeout is how long dialling may take.
const connectTimeout = 4 * time.Second

// Dial opens a connection to a broker: TCP, TLS, WebSocket or a Unix socket, by the URL's scheme. secure gives what
// holds for TLS; it is asked each time, so that new certificates are used at the next connect.
func Dial(ctx context.Context, u *url.URL, secure func() (*tls.Config, error)) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	d := &net.Dialer{Timeout: connectTimeout, Control: boundDelivery}
	switch u.Scheme {
	case "mqtt", "tcp":
		return d.DialContext(ctx, "tcp", u.Host)
	case "unix":
		return (&net.Dialer{}).DialContext(ctx, "unix", u.Path)
	case "mqtts", "tls":
		t, err := secure()
		if err != nil {
			return nil, err
		}
		return (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", u.Host)
	case "ws", "wss":
		var t *tls.Config
		if u.Scheme == "wss" {
			var err error
			if t, err = secure(); err != nil {
				return nil, err
			}
		}
		return dialWebsocket(ctx, d, u, t)
	}
	return nil, fmt.Errorf("scheme %s is not known", u.Scheme)
}

func boundDelivery(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		// Best effort: not every kernel has it.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
}

// Socket is the connection under one of another package's, TLS or WebSocket.
func Socket(c net.Conn) net.Conn {
	for {
		over, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = over.NetConn()
	}
}
