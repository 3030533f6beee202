package certstest

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"
)

// ServerConfig is a TLS 1.3 server's configuration for NTS-KE with cert.
func ServerConfig(cert tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"ntske/1"}, Certificates: []tls.Certificate{cert}}
}

// Serve accepts TLS connections on loopback until the test ends and returns host:port. To each
// that completes its handshake it sends "ok" and closes it.
func Serve(tb testing.TB, cfg *tls.Config) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				_, _ = tls.Server(c, cfg).Write([]byte("ok"))
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}
