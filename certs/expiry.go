package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
)

// Item is something in use that ends some day.
type Item struct {
	Kind      string        `json:"kind"` // ca, client-certificate, listener-certificate, server-certificate, crl, ocsp
	Name      string        `json:"name"` // the subject or the issuer
	From      string        `json:"from"` // a file, a URL or a server's name
	NotBefore time.Time     `json:"not_before"`
	NotAfter  time.Time     `json:"not_after"`
	Left      time.Duration `json:"-"` // until NotAfter; negative when that has passed
}

// DaysLeft returns Left in days.
func (i Item) DaysLeft() float64 { return i.Left.Hours() / 24 }

// Expiries returns everything in use that ends, the first to end first: the certificates of the
// configured files, those of the servers' chains as they were last seen, revocation lists and OCSP
// answers.
func (p *Policy) Expiries(now time.Time) []Item {
	var list []Item
	for _, f := range p.state.Load().files {
		list = append(list, f.items...)
	}
	p.mu.Lock()
	for name, r := range p.reports {
		if !r.Accepted {
			continue
		}
		for i, c := range r.Chain {
			if i > 0 && i == len(r.Chain)-1 {
				break // the authority: a file's, or the system's
			}
			list = append(list, Item{Kind: KindServer, Name: c.Subject, From: name, NotBefore: c.NotBefore, NotAfter: c.NotAfter})
			if n := c.Revocation; n != nil && n.Status == "good" && n.Source != "crl-file" {
				kind := KindOCSP
				if n.Source == "crl" {
					kind = KindCRL
				}
				from := n.From
				if from == "" {
					from = name
				}
				list = append(list, Item{Kind: kind, Name: c.Subject, From: from, NotBefore: n.ThisUpdate, NotAfter: n.NextUpdate})
			}
		}
	}
	p.mu.Unlock()
	for i := range list {
		list[i].Left = list[i].NotAfter.Sub(now)
	}
	slices.SortFunc(list, func(a, b Item) int {
		if c := a.NotAfter.Compare(b.NotAfter); c != 0 {
			return c
		}
		return strings.Compare(a.Kind+a.From+a.Name, b.Kind+b.From+b.Name)
	})
	return slices.Compact(list)
}

// FileExpiries returns the certificates in a PEM file as it is now, of what is read anew at each use. Nothing is said of
// one that can't be read: who uses it does.
func FileExpiries(kind, path string, now time.Time) []Item {
	list, err := readCertificates(path, true)
	if err != nil {
		return nil
	}
	return itemsOf(kind, path, list, now)
}

func itemsOf(kind, path string, list []*x509.Certificate, now time.Time) []Item {
	items := make([]Item, len(list))
	for i, c := range list {
		items[i] = Item{Kind: kind, Name: c.Subject.String(), From: path, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Left: c.NotAfter.Sub(now)}
	}
	return items
}

const day = 24 * time.Hour

// due returns how many days of warning i has come to: 30, 7, 1, 0 when it has ended, −1 for none.
// A warning longer than a quarter of the whole life is left out: what lives for 90 days is renewed
// when 30 are left, and what lives for four days is always within seven of its end.
func (i Item) due() int {
	if i.Left <= 0 {
		return 0
	}
	life := i.NotAfter.Sub(i.NotBefore)
	for _, days := range []int{1, 7, 30} {
		if d := time.Duration(days) * day; i.Left <= d && d <= life/4 {
			return days
		}
	}
	return -1
}

// ExpiryWarnings returns the warnings about those that ended or end soon, by what is left of each.
func ExpiryWarnings(list []Item) []discipline.Warning {
	var w []discipline.Warning
	for _, i := range list {
		what := map[string]string{KindCA: "The authority", KindClient: "The client certificate", KindServer: "The server certificate",
			KindShown: "The listener's certificate", KindCRL: "The revocation list about", KindOCSP: "The OCSP answer about"}[i.Kind]
		id := "certificate"
		if i.Kind == KindCRL || i.Kind == KindOCSP {
			id = i.Kind
		}
		add := func(id, format string, args ...any) {
			w = append(w, discipline.Warning{ID: id, Text: fmt.Sprintf(format, args...)})
		}
		switch due := i.due(); due {
		case -1:
		case 0:
			add(id+"-expired", "%s %s (%s) ended at %s; %s", what, i.Name, i.From, stamp(i.NotAfter), renew(i.Kind))
		default:
			add(id+"-expires", "%s %s (%s) ends within %s, at %s; %s", what, i.Name, i.From, configs.Counted(due, "day", "days"), stamp(i.NotAfter), renew(i.Kind))
		}
	}
	return w
}

// Warnings returns what a person should know of. now is the present time; the zero time means that it
// is not known, and nothing is said of what ends.
func (p *Policy) Warnings(now time.Time) []discipline.Warning {
	var list []discipline.Warning
	add := func(id, format string, args ...any) {
		list = append(list, discipline.Warning{ID: id, Text: fmt.Sprintf(format, args...)})
	}
	if !now.IsZero() {
		list = ExpiryWarnings(p.Expiries(now))
	}
	for _, err := range p.Problems() {
		add("trust-file-refused", "A trust file is refused: %v.", err)
	}
	st := p.state.Load()
	for _, cfg := range p.rules.Load().servers {
		if n := len(st.servers[cfg.Name].req.pins); n == 1 {
			add("pin-without-backup", "Server %s has one pin only: when its key is replaced it is lost; add the pin of a spare key.", cfg.Name)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cfg := range p.rules.Load().servers {
		r := p.reports[cfg.Name]
		if r == nil || !r.Accepted || len(r.Chain) == 0 {
			continue
		}
		if r.PinsSet > 1 && len(r.PinsMet) == r.PinsSet {
			add("pin-without-backup", "All pins of server %s are of its present chain: none is a spare; add the pin of a key that is kept aside.", cfg.Name)
		}
		if r.DatesDeferred || r.Mode == "off" {
			continue
		}
		if n := r.Chain[0].Revocation; n == nil || n.Status != "good" {
			why := "nobody is named who could say"
			if n != nil && len(n.Problems) > 0 {
				why = n.Problems[0]
			}
			add("revocation-unknown", "Whether the certificate of %s was revoked could not be found out (%s); it is accepted because revocation is %q.", cfg.Name, why, r.Mode)
		}
	}
	return list
}

func renew(kind string) string {
	switch kind {
	case KindServer:
		return "its operator must renew it."
	case KindCRL, KindOCSP:
		return "a newer one could not be had yet."
	}
	return "replace the file; it is read without a restart."
}
