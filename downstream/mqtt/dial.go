package mqtt

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"syscall"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/configs"
)

// userTimeout ends a TCP connection whose peer has acknowledged nothing for so long: without it
// the kernel would keep sent beacons for a quarter of an hour and deliver them late.
const userTimeout = 5 * time.Second

// dialBroker opens a connection to a broker: TCP, TLS, WebSocket or a Unix socket. Certificates and
// keys are read each time, so that new ones are used at the next connect.
func dialBroker(ctx context.Context, u *url.URL, cfg configs.MQTT) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	d := &net.Dialer{Timeout: connectTimeout, Control: boundDelivery}
	switch u.Scheme {
	case "mqtt", "tcp":
		return d.DialContext(ctx, "tcp", u.Host)
	case "unix":
		return (&net.Dialer{}).DialContext(ctx, "unix", u.Path)
	case "mqtts", "tls":
		t, err := ClientTLS(u.Hostname(), cfg)
		if err != nil {
			return nil, err
		}
		return (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", u.Host)
	case "ws", "wss":
		var t *tls.Config
		if u.Scheme == "wss" {
			var err error
			if t, err = ClientTLS(u.Hostname(), cfg); err != nil {
				return nil, err
			}
		}
		plain := *u
		plain.User = nil // it goes into the CONNECT packet
		c, err := paho.NewWebsocket(plain.String(), t, connectTimeout, nil, nil)
		if err != nil {
			return nil, err
		}
		boundSent(c)
		return c, nil
	}
	return nil, fmt.Errorf("scheme %s is not known", u.Scheme)
}

// boundSent does what boundDelivery does for a connection that another package dialled.
func boundSent(c net.Conn) {
	if s, ok := below(c).(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			_ = boundDelivery("", "", raw)
		}
	}
}

func boundDelivery(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		// Best effort: not every kernel has it.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
}

// BrokerExpiries returns the certificates of the files that ClientTLS reads, where a broker is reached over TLS.
func BrokerExpiries(cfg configs.MQTT, now time.Time) []certs.Item {
	overTLS := func(broker string) bool {
		u, err := brokerURL(broker)
		return err == nil && slices.Contains([]string{"mqtts", "tls", "wss"}, u.Scheme)
	}
	if !overTLS(cfg.Broker) && !slices.ContainsFunc(cfg.Also, overTLS) {
		return nil
	}
	var list []certs.Item
	if cfg.CA != "" {
		list = certs.FileExpiries(certs.KindCA, cfg.CA, now)
	}
	if cfg.Cert != "" {
		list = append(list, certs.FileExpiries(certs.KindClient, cfg.Cert, now)...)
	}
	return list
}

// ClientTLS is what the certificate of a broker on host must satisfy, with our own certificate where
// one is configured. The files are read now.
func ClientTLS(host string, cfg configs.MQTT) (*tls.Config, error) {
	t := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if cfg.CA != "" {
		var err error
		if t.RootCAs, err = certs.LoadPool(cfg.CA); err != nil {
			return nil, fmt.Errorf("the broker's certificate authority: %w", err)
		}
	}
	if cfg.Cert != "" {
		pair, err := certs.LoadKeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, fmt.Errorf("client certificate for the broker: %w", err)
		}
		t.Certificates = []tls.Certificate{*pair}
	}
	return t, nil
}
