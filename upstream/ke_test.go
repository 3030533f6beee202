package upstream_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/upstream"
	"github.com/ntsgw/ntsgw/upstream/ntske"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

// listen serves connections with f until the test ends, and returns the address.
func listen(t *testing.T, cfg *tls.Config, f func(net.Conn)) string {
	t.Helper()
	return loopback.Serve(t, func(c net.Conn) {
		if cfg != nil {
			c = tls.Server(c, cfg)
		}
		f(c)
	})
}

// says answers every request with the same message.
func says(t *testing.T, records ...ntske.Record) func(net.Conn) {
	t.Helper()
	b, err := ntske.MarshalMessage(records)
	if err != nil {
		t.Fatal(err)
	}
	return writes(b)
}

func writes(b []byte) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := ntske.ReadMessage(c, ntske.Limits{}); err != nil {
			return
		}
		c.Write(b)
		io.Copy(io.Discard, c) // until the client hangs up
	}
}

func TestKeyExchangesThatFail(t *testing.T) {
	ca := upstreamtest.NewCA(t)
	other := upstreamtest.NewCA(t)
	good := func(ca *upstreamtest.CA, names ...string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, names...)}, NextProtos: []string{ntske.ALPN}}
	}
	with := func(f func(*tls.Config)) *tls.Config {
		cfg := good(ca)
		f(cfg)
		return cfg
	}
	shake := func(c net.Conn) {
		if c.(*tls.Conn).Handshake() == nil {
			io.Copy(io.Discard, c)
		}
	}
	var (
		ntpv4   = ntske.Record{Critical: true, Type: ntske.TypeNextProtocol, Body: []byte{0, 0}}
		aead15  = ntske.Record{Critical: true, Type: ntske.TypeAEADAlgorithm, Body: []byte{0, 15}}
		cookie  = ntske.Record{Type: ntske.TypeNewCookie, Body: make([]byte, 100)}
		oversea = ntske.Record{Critical: true, Type: ntske.TypeNTPv4Server, Body: []byte("elsewhere.example")}
	)
	for _, c := range []struct {
		name    string
		address string
		trust   func(*upstreamtest.Trust)
		reason  string
		says    string // part of the sentence
		denied  bool
	}{
		{name: "name that does not resolve", address: "nowhere.invalid:4460", reason: upstream.ReasonName, says: "does not resolve"},
		{name: "nobody listens", address: loopback.Free(t), reason: upstream.ReasonRefused, says: "nothing listens there"},
		{name: "another service", address: listen(t, nil, func(c net.Conn) { io.WriteString(c, "220 mail.example ESMTP\r\n"); io.Copy(io.Discard, c) }),
			reason: upstream.ReasonTLS, says: "does not speak TLS"},
		{name: "closed at once", address: listen(t, nil, func(net.Conn) {}), reason: upstream.ReasonTLS, says: "closed the connection"},
		{name: "no ALPN", address: listen(t, with(func(c *tls.Config) { c.NextProtos = nil }), shake), reason: ntske.ReasonALPN, says: "no ALPN ntske/1"},
		{name: "another ALPN", address: listen(t, with(func(c *tls.Config) { c.NextProtos = []string{"h2"} }), shake), reason: ntske.ReasonALPN, says: "no ALPN ntske/1"},
		{name: "TLS 1.2 only", address: listen(t, with(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), shake), reason: upstream.ReasonTLS, says: "lack TLS 1.3"},
		{name: "unknown CA", address: listen(t, good(other), shake), reason: upstream.ReasonTLS, says: "signed by nobody", denied: true},
		{name: "certificate for another name", address: listen(t, good(ca, "other.example"), shake), reason: upstream.ReasonTLS, says: "for another name", denied: true},
		{name: "client certificate wanted", address: listen(t, with(func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool() }), shake),
			reason: ntske.ReasonTransport, says: "client certificate"},
		{name: "Trust refuses the server", address: "127.0.0.1:1", trust: func(tr *upstreamtest.Trust) {
			tr.Refuse(&upstreamtest.Refusal{Word: "world-readable-key", Text: "the key is not private"})
		},
			reason: "world-readable-key", says: "the key is not private", denied: true},
		{name: "Trust refuses the host", address: "127.0.0.1:1", trust: func(tr *upstreamtest.Trust) { tr.RefuseHost("127.0.0.1", errors.New("not in the list")) },
			reason: upstream.ReasonHost, says: "not in the list", denied: true},
		{name: "negotiated host that is not allowed", address: listen(t, good(ca), says(t, ntpv4, aead15, oversea, cookie)),
			trust: func(tr *upstreamtest.Trust) {
				tr.RefuseHost("elsewhere.example", &upstreamtest.Refusal{Word: "not-trusted", Text: "not in the list"})
			},
			reason: "not-trusted", says: "elsewhere.example may not be contacted", denied: true},
		{name: "negotiated host that does not resolve", address: listen(t, good(ca), says(t, ntpv4, aead15,
			ntske.Record{Type: ntske.TypeNTPv4Server, Body: []byte("nowhere.invalid")}, cookie)), reason: upstream.ReasonName, says: "nowhere.invalid"},
		{name: "error record", address: listen(t, good(ca), says(t, ntske.Record{Critical: true, Type: ntske.TypeError, Body: []byte{0, 1}})),
			reason: ntske.ReasonPeerBadRequest, says: "calls the request bad"},
		{name: "no cookie", address: listen(t, good(ca), says(t, ntpv4, aead15)), reason: ntske.ReasonNoCookies, says: "no cookie"},
		{name: "cookies that fit no packet", address: listen(t, good(ca), says(t, ntpv4, aead15, ntske.Record{Type: ntske.TypeNewCookie, Body: make([]byte, 4000)})),
			reason: ntske.ReasonNoCookies, says: "none of a length that fits"},
		{name: "algorithm that was not offered", address: listen(t, good(ca), says(t, ntpv4, ntske.Record{Critical: true, Type: ntske.TypeAEADAlgorithm, Body: []byte{0, 17}}, cookie)),
			reason: ntske.ReasonAEAD, says: "not offered"},
		{name: "unknown critical record", address: listen(t, good(ca), says(t, ntpv4, aead15, cookie, ntske.Record{Critical: true, Type: 999})),
			reason: ntske.ReasonUnknownCritical, says: "999"},
		{name: "cut off", address: listen(t, good(ca), func(c net.Conn) {
			ntske.ReadMessage(c, ntske.Limits{})
			c.Write([]byte{0x80, 1, 0, 2, 0})
		}), reason: ntske.ReasonNoEnd, says: "closed before the end"},
		{name: "endless", address: listen(t, good(ca), func(c net.Conn) {
			ntske.ReadMessage(c, ntske.Limits{})
			for {
				if _, err := c.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}), reason: ntske.ReasonMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, ca, c.address, func(opt *upstream.Options) {
				if c.trust != nil {
					c.trust(opt.Trust.(*upstreamtest.Trust))
				}
			})
			r.await("the failure", func(st upstream.Status) bool { return st.LastError != "" })
			st := r.Status()
			if st.Rejected[c.reason] == 0 {
				t.Errorf("counted %v, not %s; %s", st.Rejected, c.reason, st.LastError)
			}
			if !strings.Contains(st.LastError, c.says) {
				t.Errorf("%q does not say %q", st.LastError, c.says)
			}
			if (st.Denied != "") != c.denied || st.Reach != 0 || st.Sent != 0 {
				t.Errorf("status %+v", st)
			}

			// The same for one that asks once, without waiting.
			tr := &upstreamtest.Trust{Roots: ca.Pool()}
			if c.trust != nil {
				c.trust(tr)
			}
			res, err := upstream.Query(context.Background(), upstream.QueryOptions{Address: c.address, Trust: tr, Clock: sysclock.Reader{}, Timeout: patience})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("query: %v, %v", res, err)
			}
			t.Log(st.LastError)
		})
	}
}

// A server that takes the connection and then says nothing must not hold up the end.
func TestRunEndsInTheMiddleOfAKeyExchange(t *testing.T) {
	ca := upstreamtest.NewCA(t)
	accepted := make(chan struct{}, 100)
	address := listen(t, nil, func(c net.Conn) { accepted <- struct{}{}; io.Copy(io.Discard, c) })
	r := &upstreamtest.Trust{Roots: ca.Pool()}
	s, err := upstream.New(upstream.Options{Name: "s", Address: address, Trust: r, Clock: sysclock.Reader{}, Out: make(chan<- measurement)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-accepted
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("Run goes on")
	}
}
