package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"

	"github.com/ntsgw/ntsgw/certs/revocation"
)

// Report is what the newest judgement of one server found: what `ntsgw check -connect` shows.
type Report struct {
	Server        string       `json:"server"`
	Accepted      bool         `json:"accepted"`
	Reason        string       `json:"reason,omitempty"` // why it was refused
	Text          string       `json:"text,omitempty"`   // the same as a sentence
	DatesDeferred bool         `json:"dates_deferred"`
	Chain         []ChainEntry `json:"chain"` // leaf first; as presented when no chain was found
	PinsSet       int          `json:"pins_configured"`
	PinsMet       []string     `json:"pins_matched,omitempty"` // pins that the chain satisfies
	Mode          string       `json:"revocation_mode"`
	MustStaple    bool         `json:"must_staple"`
	// DaysLeft is until the first certificate of the chain ends; 0 while time is not known.
	DaysLeft float64 `json:"days_left"`
}

// ChainEntry is one certificate of a chain.
type ChainEntry struct {
	Subject    string          `json:"subject"`
	Issuer     string          `json:"issuer"`
	NotBefore  time.Time       `json:"not_before"`
	NotAfter   time.Time       `json:"not_after"`
	SHA256     string          `json:"sha256"`
	Pin        string          `json:"spki_pin"`
	Revocation *RevocationNote `json:"revocation,omitempty"` // nil: nobody was asked about it
}

// RevocationNote is what was found out about one certificate.
type RevocationNote struct {
	Status     string    `json:"status"`           // good, revoked, unknown
	Source     string    `json:"source,omitempty"` // staple, ocsp, crl, crl-file
	From       string    `json:"from,omitempty"`   // URL or file
	Cached     bool      `json:"cached"`
	ThisUpdate time.Time `json:"this_update,omitzero"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	Problems   []string  `json:"problems,omitempty"` // each source that gave no answer
}

// Report returns what the newest judgement of the named server found; false: none was made yet.
// What it points to is not changed any more.
func (p *Policy) Report(name string) (Report, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.reports[name]
	if !ok {
		return Report{}, false
	}
	return *r, true
}

func (r *Report) chain(certs []*x509.Certificate, s *server, w revocation.Window) {
	r.Chain = make([]ChainEntry, len(certs))
	r.PinsMet, r.DaysLeft = nil, 0
	for i, c := range certs {
		pin := PinOf(c)
		r.Chain[i] = ChainEntry{Subject: c.Subject.String(), Issuer: c.Issuer.String(), NotBefore: c.NotBefore, NotAfter: c.NotAfter,
			SHA256: Fingerprint(c), Pin: pin.String()}
		if slices.Contains(s.req.pins, pin) {
			r.PinsMet = append(r.PinsMet, pin.String())
		}
		if left := c.NotAfter.Sub(w.Latest).Hours() / 24; w.Known && (i == 0 || left < r.DaysLeft) {
			r.DaysLeft = left
		}
	}
}

func note(res *revocation.Result) *RevocationNote {
	n := &RevocationNote{Status: res.Status.String(), Source: res.Source, From: res.From, Cached: res.Cached,
		ThisUpdate: res.ThisUpdate, NextUpdate: res.NextUpdate}
	for _, e := range res.Problems {
		n.Problems = append(n.Problems, e.Why+": "+e.Error())
	}
	return n
}

// judge decides on one connection and keeps the report. Its error is an *Error.
func (p *Policy) judge(s *server, cs *tls.ConnectionState, w revocation.Window, ask revocation.Ask) error {
	rep := &Report{Server: s.cfg.Name, DatesDeferred: !w.Known, PinsSet: len(s.req.pins), Mode: s.mode}
	if !w.Known {
		ask = revocation.AskNobody
	}
	chains, err := s.req.chains(cs.PeerCertificates, w)
	if err == nil {
		rep.MustStaple = mustStaple(cs.PeerCertificates[0])
		err = p.notRevoked(s, chains, cs, w, ask, rep)
	} else {
		rep.chain(cs.PeerCertificates[:min(len(cs.PeerCertificates), maxPresented)], s, w)
	}
	rep.Accepted = err == nil
	if err != nil {
		rep.Reason, rep.Text = err.(*Error).Why, err.Error()
	}
	p.mu.Lock()
	p.reports[s.cfg.Name] = rep
	p.mu.Unlock()
	return err
}

// mustStaple reports whether c demands a stapled OCSP answer (RFC 7633 §4: status_request, 5).
func mustStaple(c *x509.Certificate) bool {
	for _, x := range c.Extensions {
		if x.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}) {
			var features []int
			if _, err := asn1.Unmarshal(x.Value, &features); err == nil && slices.Contains(features, 5) {
				return true
			}
		}
	}
	return false
}
