package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"github.com/ntsgw/ntsgw/certs/revocation"
)

// maxChains bounds how many of several possible chains are asked about.
const maxChains = 3

// maxAhead is how far ahead of ours the clock of an authority may be. An answer signed later than
// that proves that ours is wrong, whoever said so: servers that lie together at a cold start would
// have to hold back every authority's answers too.
const maxAhead = time.Hour

// notRevoked accepts the first chain none of whose certificates is revoked, as far as s.mode wants
// that known. The last of each chain is trusted for itself and not asked about. While dates are
// deferred, "require" is satisfied later: such a session only serves to find the time.
func (p *Policy) notRevoked(s *server, chains [][]*x509.Certificate, cs *tls.ConnectionState, w revocation.Window, ask revocation.Ask, rep *Report) error {
	if s.mode == "off" {
		rep.chain(chains[0], s, w)
		return nil
	}
	var firstErr *Error
	var firstRep Report
	for i, chain := range chains[:min(len(chains), maxChains)] {
		tried := *rep
		tried.chain(chain, s, w)
		err := p.chainNotRevoked(s, chain, cs, w, ask, &tried)
		if err == nil {
			*rep = tried
			return nil
		}
		if i == 0 {
			firstErr, firstRep = err, tried
		}
	}
	*rep = firstRep
	return firstErr
}

func (p *Policy) chainNotRevoked(s *server, chain []*x509.Certificate, cs *tls.ConnectionState, w revocation.Window, ask revocation.Ask, rep *Report) *Error {
	for i, c := range chain {
		issuer := issuerOf(i, chain, cs.PeerCertificates)
		if issuer == nil {
			if i == 0 && s.mode == "require" && w.Known {
				return refuse(WhyRevocationUnknown, "revocation must be known, but the pinned certificate came without its issuer")
			}
			continue
		}
		q := revocation.Request{Cert: c, Issuer: issuer, Lists: p.lists(), Now: w, Ask: ask}
		if i == 0 {
			q.Staple = cs.OCSPResponse
		}
		res := p.checker.Check(context.Background(), q)
		rep.Chain[i].Revocation = note(&res)
		if res.Status == revocation.Revoked {
			return refuse(WhyRevoked, "%s was revoked at %s (%s%s)", c.Subject, stamp(res.RevokedAt), res.Source, from(res.From))
		}
		if i == 0 && rep.MustStaple {
			if len(cs.OCSPResponse) == 0 {
				return refuse(WhyStapleMissing, "the certificate demands a stapled OCSP answer, and the server sent none")
			}
			if e := res.StapleProblem; e != nil {
				return refuse(e.Why, "the certificate demands a stapled OCSP answer, and the one sent is no good").because(e)
			}
		}
		if !w.Known {
			continue
		}
		for _, e := range res.Problems {
			if e.Ahead > maxAhead {
				return refuse(WhyTimeContradicted, "the authority of %s signed an answer %v after the time that the servers agreed on", c.Subject, e.Ahead.Round(time.Second)).because(e)
			}
		}
		if res.Status != revocation.Good && s.mode == "require" && (i == 0 || revocation.Sources(c)) {
			if len(res.Problems) == 0 {
				return refuse(WhyRevocationUnknown, "revocation must be known, but %s names nobody to ask", c.Subject)
			}
			return refuse(res.Problems[0].Why, "revocation of %s must be known", c.Subject).because(errors.Join(asErrors(res.Problems)...))
		}
		// Accepted all the same: what went wrong is counted, and shown as a warning.
		for _, e := range res.Problems {
			p.doubt(e.Why)
		}
	}
	return nil
}

// issuerOf returns the certificate that signed chain[i], nil for the end of the chain. A pinned
// leaf is its whole chain; then what it was presented with is looked through.
func issuerOf(i int, chain, presented []*x509.Certificate) *x509.Certificate {
	if i+1 < len(chain) {
		return chain[i+1]
	}
	if i > 0 {
		return nil
	}
	for _, c := range presented[1:] {
		if chain[0].CheckSignatureFrom(c) == nil {
			return c
		}
	}
	return nil
}

func from(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

func asErrors(list []*revocation.Error) []error {
	errs := make([]error, len(list))
	for i, e := range list {
		errs[i] = e
	}
	return errs
}
