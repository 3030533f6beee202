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
	return &failure{reason: word, text: fmt.Sprintf("%s: %v", doing, err), denied: true, err: err}
}

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
		f.text = fmt.Sprintf("the name %s does not resolve (%s): check the spelling and this machine's DNS, or configure an address", host, dns.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		f.reason = ReasonRefused
		f.text = fmt.Sprintf("%s refuses the connection: nothing listens there; NTS-KE is usually on TCP port 4460", address)
	case timeout(err):
		f.reason = ReasonTimeout
		f.text = fmt.Sprintf("no answer from %s in time: a firewall may drop TCP to that port; let it out, and UDP to port 123", address)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		f.text = fmt.Sprintf("no route to %s: this machine's network is not up, or lacks that address family", address)
	default:
		f.text = fmt.Sprintf("connecting to %s: %v", address, err)
	}
	return f
}

// tlsFailure explains why the handshake failed.
func tlsFailure(address string, err error) *failure {
	var r reasoned
	if errors.As(err, &r) && r.Reason() != "" {
		return refusal(err, ReasonTrust, "the certificate is refused")
	}
	f := &failure{reason: ReasonTLS, err: err}
	var (
		expired   x509.CertificateInvalidError
		name      x509.HostnameError
		authority x509.UnknownAuthorityError
		header    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &expired) && expired.Reason == x509.Expired:
		f.denied = true
		f.text = fmt.Sprintf("the certificate of %s is expired or not yet valid by this machine's clock: %v", address, err)
	case errors.As(err, &name):
		f.denied = true
		f.text = fmt.Sprintf("the certificate of %s is for another name: %v; list that name in names if it is the right server", address, err)
	case errors.As(err, &authority):
		f.denied = true
		f.text = fmt.Sprintf("the certificate of %s is signed by nobody this gateway knows: %v; give its CA in ca, or pin its key in pins", address, err)
	case ntske.RefusesALPN(err):
		f.reason = ntske.ReasonALPN
		f.text = address + " " + ntske.OtherService
	case errors.As(err, &header):
		f.text = fmt.Sprintf("%s does not speak TLS at all: it is another service", address)
	case remoteAlert(err):
		f.text = fmt.Sprintf("%s ended the TLS handshake: %v; it may want a client certificate, or lack TLS 1.3", address, err)
	case timeout(err):
		f.reason = ReasonTimeout
		f.text = fmt.Sprintf("%s took the connection but did not finish the TLS handshake in time", address)
	case closed(err):
		f.text = fmt.Sprintf("%s closed the connection in the TLS handshake", address)
	default:
		f.text = fmt.Sprintf("TLS with %s: %v", address, err)
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
		f.text = fmt.Sprintf("%s ended the connection after the handshake: %v; it may want another client certificate", address, e.Err)
	case e.Reason == ntske.ReasonTransport && e.Err != nil && timeout(e.Err):
		f.reason = ReasonTimeout
		f.text = fmt.Sprintf("%s did not answer the NTS-KE request in time", address)
	case e.Reason == ntske.ReasonALPN:
		f.text = address + " " + ntske.OtherService
	case e.Reason == ntske.ReasonNoCookies:
		f.text = fmt.Sprintf("%s gave no cookie that fits an NTP packet: %s", address, e.Detail)
	default:
		f.text = fmt.Sprintf("%s: %v", address, err)
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
