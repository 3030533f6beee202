package broker

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func noTLS() (*tls.Config, error) { return nil, nil }

// TestAnEndlessGreeting is not held: the connection ends after 64 KiB, and the reason is said.
func TestAnEndlessGreeting(t *testing.T) {
	for _, begin := range []string{"", "HTTP/1.1 101 Switching Protocols\r\nX: ", "HTTP/1.1 101 Switching Protocols\r\nX: y\r\nX: "} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		sent := make(chan int, 1)
		go func() {
			n := 0
			defer func() { sent <- n }()
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			io.WriteString(c, begin)
			for more := bytes.Repeat([]byte("a"), 1<<16); n < 512<<20; {
				k, err := c.Write(more)
				if n += k; err != nil {
					return
				}
			}
		}()
		c, err := Dial(t.Context(), &url.URL{Scheme: "ws", Host: ln.Addr().String()}, noTLS)
		if !errors.Is(err, errGreeting) {
			t.Errorf("%q: %v", begin, err)
		}
		if c != nil {
			c.Close()
		}
		ln.Close()
		if n := <-sent; n > 64<<20 { // what the system takes in for both sides
			t.Errorf("%q: %d bytes were read", begin, n)
		}
	}
}

// TestWebsocketIsAStream: messages of any size and number, and more than a greeting may have.
func TestWebsocketIsAStream(t *testing.T) {
	var up websocket.Upgrader
	up.Subprotocols = []string{"mqtt"}
	want := bytes.Repeat([]byte("0123456789abcdef"), 3*mostGreeting/16)
	heard := make(chan []byte, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mqtt" {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		c, err := up.Upgrade(w, r, nil)
		if err != nil || c.Subprotocol() != "mqtt" {
			t.Errorf("%v %q", err, c.Subprotocol())
			return
		}
		defer c.Close()
		for i, n := 0, 0; i < len(want); i, n = i+n, n*2%7001+1 { // empty ones, too
			n = min(n, len(want)-i)
			c.WriteMessage(websocket.BinaryMessage, want[i:i+n])
		}
		_, b, _ := c.ReadMessage()
		heard <- b
	}))
	defer s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	if _, err := Dial(t.Context(), &url.URL{Scheme: "ws", Host: host, Path: "/elsewhere"}, noTLS); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("elsewhere: %v", err)
	}
	c, err := Dial(t.Context(), &url.URL{Scheme: "ws", User: url.UserPassword("a", "b"), Host: host, Path: "/mqtt"}, noTLS)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := Socket(c).(*net.TCPConn); !ok {
		t.Errorf("below it is %T", Socket(c))
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%v, the same: %v", err, bytes.Equal(got, want))
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Error(err)
	}
	if b := <-heard; string(b) != "hello" {
		t.Errorf("heard %q", b)
	}
}

// TestWebsocketDeadline: who acknowledges messages writes beside the client library, which sets a deadline for each of its
// own. `go test -race` finds what is not safe in that.
func TestWebsocketDeadline(t *testing.T) {
	var up websocket.Upgrader
	ended := make(chan int, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		n := 0
		for {
			_, b, err := c.ReadMessage()
			if err != nil {
				ended <- n
				return
			}
			n += len(b)
		}
	}))
	defer s.Close()
	c, err := Dial(t.Context(), &url.URL{Scheme: "ws", Host: strings.TrimPrefix(s.URL, "http://")}, noTLS)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	acknowledged := make(chan struct{})
	go func() {
		defer close(acknowledged)
		for range 1000 {
			if _, err := c.Write([]byte{puback, 2, 0, 1}); err != nil {
				t.Error(err)
			}
		}
	}()
	for range 1000 {
		if err := errors.Join(c.SetWriteDeadline(time.Now().Add(time.Hour)), c.SetWriteDeadline(time.Time{})); err != nil {
			t.Error(err)
		}
	}
	<-acknowledged
	if err := c.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Error(err)
	}
	_, err = c.Write([]byte("late"))
	if why := net.Error(nil); !errors.As(err, &why) || !why.Timeout() {
		t.Errorf("after the deadline: %v", err)
	}
	c.Close()
	if n := <-ended; n != 4000 {
		t.Errorf("%d bytes came", n)
	}
}
