package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/upstream"
)

func queryVerb(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "query")
	ca := f.String("ca", "", "a PEM `FILE` with the server's certificate authority (default: the system's)")
	cert := f.String("cert", "", "a PEM `FILE` with a client certificate, where the server asks for one")
	key := f.String("key", "", "its key `FILE`")
	revocation := f.String("revocation", "prefer", "off, prefer or require")
	asJSON := f.Bool("json", false, "print JSON")
	timeout := f.Duration("timeout", 10*time.Second, "give up after `D`")
	rest, err := f.operands(args, 1, 1)
	if err != nil {
		return err
	}
	address, ok := configs.KEAddress(rest[0])
	if !ok {
		return misuse("%q is not a server; write HOST or HOST:PORT", rest[0])
	}
	if *timeout <= 0 {
		return misuse("-timeout must be larger than 0")
	}
	if (*cert == "") != (*key == "") {
		return misuse("-cert and -key belong together: give both or neither")
	}
	server := configs.Server{Name: address, Address: address, CA: *ca, Cert: *cert, Key: *key, Roots: "system", PinMode: "add", Revocation: *revocation}
	if *ca != "" {
		server.Roots = "ca"
	}
	trust := configs.Defaults().Trust
	trust.Revocation = *revocation
	if err := knownRevocation(*revocation); err != nil {
		return err
	}
	// A query is asked by a person who looks at the answer: the host clock judges the dates.
	policy, err := certs.New(certs.Options{Servers: []configs.Server{server}, Trust: trust, Clock: hostClock})
	if err != nil {
		return err
	}
	if problems := policy.Problems(); len(problems) > 0 {
		return &exitError{exitConfig, errors.Join(problems...)}
	}
	r, err := upstream.Query(ctx, upstream.QueryOptions{
		Address: address, Name: address, Trust: policy, Clock: sysclock.Reader{}, Timeout: *timeout,
		Revocation: func(name string) string { return revocationWord(policy, name) },
	})
	if err != nil {
		return withAuthority(err, "-ca FILE")
	}
	if *asJSON {
		return printJSON(t.out, r)
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("server", "%s", r.Address)
	row("time server", "%s", r.NTPAddress)
	row("AEAD", "%s", aeadText(r))
	row("cookies", "%d of %d bytes", r.Cookies, r.CookieBytes)
	row("stratum", "%d", r.Stratum)
	row("offset", "%s (server minus this host)", status.Duration(r.Offset))
	row("delay", "%s", status.Duration(r.Delay))
	row("root delay", "%s", status.Duration(r.RootDelay))
	row("root dispersion", "%s", status.Duration(r.RootDispersion))
	row("certificate", "%s, by %s", r.Certificate.Subject, r.Certificate.Issuer)
	row("", "until %s", r.Certificate.NotAfter.UTC().Format("2006-01-02 15:04 MST"))
	row("pin", "%s", r.Certificate.SPKIPin)
	if r.Revocation != "" {
		row("revocation", "%s", r.Revocation)
	}
	return w.Flush()
}

// revocationWord is what was found out about the server's own certificate.
func revocationWord(policy *certs.Policy, name string) string {
	r, ok := policy.Report(name)
	switch {
	case !ok || len(r.Chain) == 0:
		return "unknown"
	case r.Mode == "off":
		return "not asked"
	case r.Chain[0].Revocation == nil:
		return "unknown: nobody is named who could say"
	}
	return r.Chain[0].Revocation.Status
}

// hostClock trusts the host clock as it is.
func hostClock() (earliest, latest time.Time, known bool) {
	now := time.Now()
	return now, now, true
}

func knownRevocation(mode string) error {
	words := []string{"off", "prefer", "require"}
	for _, w := range words {
		if mode == w {
			return nil
		}
	}
	return misuse("-revocation %q is not one of %s", mode, strings.Join(words, ", "))
}

// aeadText is what was used, and what was not answered.
func aeadText(r *upstream.QueryResult) string {
	text := fmt.Sprintf("%d (%s)", r.AEAD, aeadName(r.AEAD))
	if r.AEADSilent != 0 {
		text += fmt.Sprintf("; with %d (%s) the server was silent", r.AEADSilent, aeadName(r.AEADSilent))
	}
	return text
}

func aeadName(id uint16) string {
	switch id {
	case 15:
		return "AES-SIV-CMAC-256"
	case 30:
		return "AES-128-GCM-SIV"
	}
	return "unknown"
}
