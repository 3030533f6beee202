package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/gorilla/websocket"
)

// Lasting gives err without the port that was ours, which is another at each attempt: the same reason then reads the same.
func Lasting(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Source == nil {
		return err
	}
	return lasting{err, strings.ReplaceAll(err.Error(), op.Source.String()+"->", "")}
}

type lasting struct {
	error
	text string
}

func (l lasting) Error() string { return l.text }
func (l lasting) Unwrap() error { return l.error }

// Explain says beside err, why no connection to the broker at u came to stand, what a person may have mixed up where
// the other side answered with what is none, or hung up.
func Explain(u *url.URL, err error) error {
	mixed := errors.As(err, new(tls.RecordHeaderError))
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, websocket.ErrBadHandshake, ErrPacketSize, ErrUnasked, errGreeting} {
		mixed = mixed || errors.Is(err, e)
	}
	if !mixed {
		return err
	}
	const tlsPort, plainPort = "one with TLS, such as 8883, wants ", "one without TLS, such as 1883, wants "
	hint := map[string]string{
		"mqtt":  tlsPort + "mqtts://, one with WebSocket ws:// or wss://",
		"mqtts": plainPort + "mqtt://, one with WebSocket wss:// or ws://",
		"ws":    "one with TLS wants wss://, one without WebSocket mqtt:// or mqtts://",
		"wss":   "one without TLS wants ws://, one without WebSocket mqtts:// or mqtt://",
	}
	hint["tcp"], hint["tls"] = hint["mqtt"], hint["mqtts"]
	if hint[u.Scheme] == "" {
		return err
	}
	return fmt.Errorf("%w; see whether %s:// is right for that port (%s), and what the broker's log says", err, u.Scheme, hint[u.Scheme])
}
