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
	"testing"
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		scheme string
		err    error
		says   string // "": nothing more
	}{
		{"mqtt", io.EOF, "mqtts://"},
		{"mqtt", fmt.Errorf("read: %w", syscall.ECONNRESET), "8883"},
		{"mqtt", fmt.Errorf("%w (kind 1, 3 bytes)", ErrUnasked), "mqtts://"},
		{"mqtts", tls.RecordHeaderError{Msg: "x"}, "mqtt://"},
		{"mqtts", io.ErrUnexpectedEOF, "1883"},
		{"ws", errGreeting, "wss://"},
		{"wss", io.EOF, "mqtts://"},
		{"unix", io.EOF, ""},
		{"mqtt", syscall.ECONNREFUSED, ""},
		{"mqtts", errors.New("certificate signed by unknown authority"), ""},
	} {
		got := Explain(&url.URL{Scheme: c.scheme}, c.err)
		if !errors.Is(got, c.err) && got.Error() != c.err.Error() {
			t.Errorf("%s, %v: became %v", c.scheme, c.err, got)
		}
		if more := got.Error() != c.err.Error(); more != (c.says != "") || !strings.Contains(got.Error(), c.says) {
			t.Errorf("%s, %v: %v, should say %q", c.scheme, c.err, got, c.says)
		}
	}
}

// TestLasting: two attempts that fail for the same reason say the same.
func TestLasting(t *testing.T) {
	from := func(port int) error {
		at := func(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
		return fmt.Errorf("connect: %w", &net.OpError{Op: "read", Net: "tcp", Source: at(port), Addr: at(8883), Err: syscall.ECONNRESET})
	}
	one, two := Lasting(from(40001)), Lasting(from(40002))
	if one.Error() != two.Error() || !strings.Contains(one.Error(), "127.0.0.1:8883") || !errors.Is(one, syscall.ECONNRESET) {
		t.Errorf("%v\n%v", one, two)
	}
	for _, err := range []error{nil, io.EOF, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}} {
		if got := Lasting(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
