package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// failure is why a key exchange came to nothing.
type failure struct {
	reason string // counted
	text   string // one sentence for a person
	// local: the server was not reached, so trying again soon costs it nothing.
	local bool
	// denied: Trust refused; not the network's fault.
	denied bool
	err    error
}

// Error returns the sentence.
func (f *failure) Error() string { return f.text }

// Unwrap returns the cause underneath.
func (f *failure) Unwrap() error { return f.err }

// reasoned is an error that brings the word it is counted under.
type reasoned interface {
	error
	Reason() string
}

// refusal makes a failure of what Trust says; word is counted when it brings none of its own.
func refusal(err error, word, doing string) *failure {
	var r reasoned
	if errors.As(err, &r) && r.Reason() != "" {
		word = r.Reason()
	}
	return &failure{reason: word, text: fmt.Sprintf("%s: %s", doing, words(err)), denied: true, err: err}
}

// distrust makes a failure of what Trust says of a server. Who judged a certificate names the server, too: it is named once.
func distrust(err error, name, how string) *failure {
	f := refusal(err, ReasonTrust, name+how)
	f.text = strings.Replace(f.text, ": "+name+": ", ": ", 1)
	return f
}

// ownEnd is this machine's end of a connection as package net writes it: "10.0.0.5:44478->".
var ownEnd = regexp.MustCompile(`\S+:\d+->`)

// words is err without this machine's own end: its port is another one each time, and the same cause
// would be news, and a line in the log, at each poll.
func words(err error) string { return ownEnd.ReplaceAllString(err.Error(), "") }

// Unreachable says in one sentence, with the fix, why no connection to the KE server at address (host:port)
// came about; err is what the dialer returned.
func Unreachable(address string, err error) error { return dialFailure(address, err) }

// dialFailure explains why no connection to the KE server came about.
func dialFailure(address string, err error) *failure {
	f := &failure{reason: ReasonNetwork, local: true, err: err}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		f.reason = ReasonName
		host, _, _ := net.SplitHostPort(address)
		f.text = fmt.Sprintf("the name %s does not resolve (%s): check the spelling and this machine's DNS, or configure an address", host, words(errors.New(dns.Err)))
	case errors.Is(err, syscall.ECONNREFUSED):
		f.reason = ReasonRefused
		f.text = fmt.Sprintf("%s refuses the connection: nothing listens there; NTS-KE is usually on TCP port 4460", address)
	case timeout(err):
		f.reason = ReasonTimeout
		f.text = fmt.Sprintf("no answer from %s in time: a firewall may drop TCP to that port; let it out, and UDP to port 123", address)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		f.text = fmt.Sprintf("no route to %s: this machine's network is not up, or lacks that address family", address)
	default:
		f.text = fmt.Sprintf("connecting to %s: %s", address, words(err))
	}
	return f
}

// trustIt says how an authority of one's own is trusted.
const trustIt = `; if it is the right server, name its authority with ca = "FILE" in its [[server]], or pin its key with pins`

// tlsFailure explains why the handshake failed.
func tlsFailure(address string, err error) *failure {
	var (
		r         reasoned
		expired   x509.CertificateInvalidError
		name      x509.HostnameError
		authority x509.UnknownAuthorityError
		header    tls.RecordHeaderError
	)
	if errors.As(err, &r) && r.Reason() != "" {
		f := refusal(err, ReasonTrust, "the certificate is refused")
		if errors.As(err, &authority) {
			f.text += trustIt
		}
		return f
	}
	f := &failure{reason: ReasonTLS, err: err}
	switch {
	case errors.As(err, &expired) && expired.Reason == x509.Expired:
		f.denied = true
		f.text = fmt.Sprintf("the certificate of %s is expired or not yet valid by this machine's clock: %s", address, words(err))
	case errors.As(err, &name):
		f.denied = true
		f.text = fmt.Sprintf("the certificate of %s is for another name: %s; list that name in names if it is the right server", address, words(err))
	case errors.As(err, &authority):
		f.denied = true
		f.text = fmt.Sprintf("the certificate of %s is signed by nobody this gateway knows: %s", address, words(err)) + trustIt
	case ntske.RefusesALPN(err):
		f.reason = ntske.ReasonALPN
		f.text = address + " " + ntske.OtherService
	case errors.As(err, &header):
		f.text = fmt.Sprintf("%s does not speak TLS at all: it is another service", address)
	case remoteAlert(err):
		f.text = fmt.Sprintf("%s ended the TLS handshake: %s; it may want a client certificate, or lack TLS 1.3", address, words(err))
	case timeout(err):
		f.reason = ReasonTimeout
		f.text = fmt.Sprintf("%s took the connection but did not finish the TLS handshake in time", address)
	case closed(err):
		f.text = fmt.Sprintf("%s closed the connection in the TLS handshake", address)
	default:
		f.text = fmt.Sprintf("TLS with %s: %s", address, words(err))
	}
	return f
}

// remoteAlert reports whether the peer ended the connection with a TLS alert.
func remoteAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// exchangeFailure explains what went wrong behind the handshake.
func exchangeFailure(address string, err error) *failure {
	var e *ntske.Error
	if !errors.As(err, &e) {
		return tlsFailure(address, err)
	}
	f := &failure{reason: e.Reason, err: err}
	switch {
	case e.Reason == ntske.ReasonTransport && e.Err != nil && remoteAlert(e.Err):
		// In TLS 1.3 the server judges the client's certificate after our handshake is done.
		f.text = fmt.Sprintf("%s ended the connection after the handshake: %s; it may want another client certificate", address, words(e.Err))
	case e.Reason == ntske.ReasonTransport && e.Err != nil && timeout(e.Err):
		f.reason = ReasonTimeout
		f.text = fmt.Sprintf("%s did not answer the NTS-KE request in time", address)
	case e.Reason == ntske.ReasonALPN:
		f.text = address + " " + ntske.OtherService
	case e.Reason == ntske.ReasonNoCookies:
		f.text = fmt.Sprintf("%s gave no cookie that fits an NTP packet: %s", address, e.Detail)
	default:
		f.text = fmt.Sprintf("%s: %s", address, words(err))
	}
	return f
}

func timeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
