package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"strings"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// Connect makes one TLS connection to the named server, judges it as a source's would be, closes it,
// and returns what was found. Its error says why the server would be refused, or not be reached; the
// report is then as far as it came. `ntsgw check -connect` shows it for every server.
func (p *Policy) Connect(ctx context.Context, name string) (Report, error) {
	cfg, deferred, err := p.KEConfig(name)
	if err != nil {
		r := Report{Server: name, Text: err.Error()}
		if e, ok := err.(*Error); ok {
			r.Reason = e.Why
		}
		return r, err
	}
	s := p.state.Load().servers[name]
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.cfg.Address)
	if err != nil {
		return Report{Server: name, DatesDeferred: deferred, Reason: "unreachable", Text: err.Error()}, err
	}
	defer conn.Close()
	client := tls.Client(conn, cfg)
	if err := client.HandshakeContext(ctx); err != nil {
		if e, ok := err.(*Error); ok {
			r, _ := p.Report(name)
			return r, e
		}
		if ntske.RefusesALPN(err) {
			err = noNTS(name)
			return Report{Server: name, DatesDeferred: deferred, Reason: WhyNoNTS, Text: err.Error()}, err
		}
		return Report{Server: name, DatesDeferred: deferred, Reason: "tls", Text: err.Error()}, err
	}
	r, _ := p.Report(name)
	// A peer that knows no ALPN at all answers nothing, and the handshake succeeds (RFC 8915 §4 wants it).
	if client.ConnectionState().NegotiatedProtocol != ntske.ALPN {
		err := noNTS(name)
		r.Accepted, r.Reason, r.Text = false, WhyNoNTS, err.Error()
		return r, err
	}
	return r, nil
}

func noNTS(name string) error {
	return &Error{Server: name, Why: WhyNoNTS, Text: "it " + ntske.OtherService + "; the key exchange is usually on TCP port 4460"}
}

// String returns the report as lines for a person.
func (r Report) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	switch {
	case !r.Accepted:
		line("%s: refused (%s): %s", r.Server, r.Reason, strings.TrimPrefix(r.Text, r.Server+": "))
	case r.DatesDeferred:
		line("%s: accepted, dates not judged: the time is not known", r.Server)
	default:
		line("%s: accepted, %s left", r.Server, configs.Counted(int(math.Round(r.DaysLeft)), "day", "days"))
	}
	for i, c := range r.Chain {
		line("  %d %s", i, c.Subject)
		line("    issuer %s, until %s", c.Issuer, stamp(c.NotAfter))
		line("    pin %s", c.Pin)
		if n := c.Revocation; n != nil {
			from := n.Source
			if n.From != "" {
				from += " " + n.From
			}
			if n.Cached {
				from += ", kept"
			}
			switch n.Status {
			case "unknown":
				line("    revocation unknown")
			case "good":
				line("    revocation good (%s) until %s", from, stamp(n.NextUpdate))
			default:
				line("    revocation %s (%s)", n.Status, from)
			}
			for _, why := range n.Problems {
				line("      %s", why)
			}
		}
	}
	if len(r.Chain) > 0 {
		switch {
		case r.PinsSet == 0:
			line("  pins: none configured")
		default:
			line("  pins: %d of %d in the chain", len(r.PinsMet), r.PinsSet)
		}
		staple := ""
		if r.MustStaple {
			staple = ", the certificate demands a staple"
		}
		line("  revocation: %s%s", r.Mode, staple)
	}
	return b.String()
}
