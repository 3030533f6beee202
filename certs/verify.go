package certs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/ntsgw/ntsgw/certs/revocation"
)

// maxPresented bounds the certificates that a server may present, and with them the work that a
// stranger can ask for.
const maxPresented = 10

// Smallest keys, bits (RFC 9325 §4.2).
const (
	minRSA = 2048
	minEC  = 256
)

// requirement is what one server's chain must satisfy.
type requirement struct {
	roots       *x509.CertPool
	rootsListed []*x509.Certificate // the same, where they can be listed
	names       []string
	pins        []Pin
	pinsReplace bool
}

// chains returns the presented certificates' chains, leaf first, that satisfy r at every instant
// of w; or, while time is not known, at some instant after the floor. Its error is an *Error.
func (r *requirement) chains(presented []*x509.Certificate, w revocation.Window) ([][]*x509.Certificate, error) {
	if len(presented) == 0 {
		return nil, refuse(WhyNoCertificate, "the server sent no certificate")
	}
	if len(presented) > maxPresented {
		return nil, refuse(WhyTooManyCerts, "the server sent %d certificates, more than %d", len(presented), maxPresented)
	}
	leaf := presented[0]
	if leaf.NotAfter.Before(leaf.NotBefore) {
		return nil, refuse(WhyImpossibleWindow, "the certificate ends (%s) before it begins (%s)", stamp(leaf.NotAfter), stamp(leaf.NotBefore))
	}
	s := search{leaf: leaf, presented: presented, roots: r.roots, listed: r.rootsListed,
		usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if r.pinsReplace {
		s.roots, s.listed = x509.NewCertPool(), nil
		for _, c := range presented {
			if slices.Contains(r.pins, PinOf(c)) {
				s.roots.AddCert(c)
				s.listed = append(s.listed, c)
			}
		}
		if len(s.listed) == 0 {
			return nil, r.pinMismatch(leaf)
		}
	}
	if weak := weakKey(leaf); weak != "" {
		return nil, refuse(WhyWeakKey, "%s", weak)
	}
	found, err := s.at(w)
	if err != nil {
		return nil, s.explain(err, w)
	}
	if err := r.checkNames(leaf); err != nil {
		return nil, err
	}
	var first *Error
	good := found[:0]
	for _, chain := range found {
		if e := r.checkChain(chain); e == nil {
			good = append(good, chain)
		} else if first == nil {
			first = e
		}
	}
	if len(good) == 0 {
		return nil, first
	}
	return good, nil
}

func (r *requirement) checkNames(leaf *x509.Certificate) error {
	var err error
	for _, name := range r.names {
		if err = leaf.VerifyHostname(bracketIP(name)); err == nil {
			return nil
		}
	}
	return refuse(WhyWrongName, "the certificate is not for %s", strings.Join(r.names, " or ")).because(err)
}

// bracketIP writes addresses as VerifyHostname wants them.
func bracketIP(name string) string {
	if net.ParseIP(name) != nil {
		return "[" + name + "]"
	}
	return name
}

func (r *requirement) checkChain(chain []*x509.Certificate) *Error {
	for i, c := range chain {
		if weak := weakKey(c); weak != "" {
			return refuse(WhyWeakKey, "%s", weak)
		}
		// The last one is trusted for its key, not for its signature.
		if i < len(chain)-1 && weakSignature(c) {
			return refuse(WhyWeakSignature, "%s is signed with %s", c.Subject, c.SignatureAlgorithm)
		}
	}
	if len(r.pins) == 0 {
		return nil
	}
	for _, c := range chain {
		if slices.Contains(r.pins, PinOf(c)) {
			return nil
		}
	}
	return r.pinMismatch(chain[0])
}

func (r *requirement) pinMismatch(leaf *x509.Certificate) *Error {
	return refuse(WhyPinMismatch, "no certificate of the chain has a pinned key (the server's own is %s)", PinOf(leaf))
}

// search is one look for chains.
type search struct {
	leaf      *x509.Certificate
	presented []*x509.Certificate
	roots     *x509.CertPool
	listed    []*x509.Certificate
	usages    []x509.ExtKeyUsage
}

// at returns the chains that hold over the whole of w, or, while time is not known, at some
// instant at or after w.Earliest.
func (s *search) at(w revocation.Window) ([][]*x509.Certificate, error) {
	if w.Known {
		found, err := s.verify(w.Earliest)
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(chain []*x509.Certificate) bool {
			return slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return w.Latest.After(c.NotAfter) })
		})
		if len(found) == 0 {
			return nil, x509.CertificateInvalidError{Cert: s.leaf, Reason: x509.Expired}
		}
		return found, nil
	}
	var first error
	for _, t := range s.instants(w.Earliest) {
		found, err := s.verify(t)
		if err == nil {
			return found, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = x509.CertificateInvalidError{Cert: s.leaf, Reason: x509.Expired}
	}
	return nil, first
}

// instants returns the instants, in order of likelihood, one of which lies in the intersection of
// a chain's validity windows with [floor, ∞) if that is not empty: such an intersection begins
// at the floor or where one of the chain's windows begins.
func (s *search) instants(floor time.Time) []time.Time {
	begin := s.leaf.NotBefore
	if floor.After(begin) {
		begin = floor
	}
	if begin.After(s.leaf.NotAfter) {
		return nil
	}
	list := []time.Time{begin}
	for _, certs := range [][]*x509.Certificate{s.presented[1:], s.listed} {
		for _, c := range certs {
			if c.NotBefore.After(begin) && !c.NotBefore.After(s.leaf.NotAfter) && !slices.ContainsFunc(list, c.NotBefore.Equal) {
				list = append(list, c.NotBefore)
			}
		}
	}
	return list
}

func (s *search) verify(t time.Time) ([][]*x509.Certificate, error) {
	if t.IsZero() { // crypto/x509 would read the host's clock instead
		t = time.Unix(0, 0)
	}
	intermediates := x509.NewCertPool()
	for _, c := range s.presented[1:] {
		intermediates.AddCert(c)
	}
	return s.leaf.Verify(x509.VerifyOptions{Roots: s.roots, Intermediates: intermediates, CurrentTime: t, KeyUsages: s.usages})
}

// explain names the reason for which no chain was found. crypto/x509 reports the first obstacle
// it met, which in a forest of cross-signed certificates need not be the one that decided; so one
// condition after the other is lifted until a chain appears.
func (s *search) explain(err error, w revocation.Window) *Error {
	lifted := *s
	lifted.usages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	if _, e := lifted.at(w); e == nil {
		return refuse(WhyWrongUsage, "the certificate may not be used for a TLS server (extended key usage)").because(err)
	}
	if found, e := lifted.at(revocation.Window{}); e == nil {
		return datesError(found[0], w)
	}
	for _, c := range s.presented {
		if weakSignature(c) && c.CheckSignatureFrom(c) != nil {
			return refuse(WhyWeakSignature, "%s is signed with %s", c.Subject, c.SignatureAlgorithm).because(err)
		}
	}
	if invalid, ok := err.(x509.CertificateInvalidError); ok {
		switch invalid.Reason {
		case x509.Expired:
			return datesError([]*x509.Certificate{s.leaf}, w)
		default:
			return refuse(WhyNotAuthorized, "the chain breaks its own rules").because(err)
		}
	}
	if s.leaf.CheckSignature(s.leaf.SignatureAlgorithm, s.leaf.RawTBSCertificate, s.leaf.Signature) == nil {
		return refuse(WhySelfSigned, "the certificate is signed by itself and is not among the trusted ones").because(x509.UnknownAuthorityError{Cert: s.leaf})
	}
	return refuse(WhyUnknownCA, "no trusted authority has signed the certificate (issuer %s)", s.leaf.Issuer).because(err)
}

func datesError(chain []*x509.Certificate, w revocation.Window) *Error {
	for _, c := range chain {
		switch {
		case w.Known && w.Latest.After(c.NotAfter):
			return refuse(WhyExpired, "the certificate of %s ended at %s, and it may be %s", c.Subject, stamp(c.NotAfter), stamp(w.Latest))
		case w.Known && w.Earliest.Before(c.NotBefore):
			return refuse(WhyNotYetValid, "the certificate of %s begins at %s, and it may be %s only", c.Subject, stamp(c.NotBefore), stamp(w.Earliest))
		case !w.Known && w.Earliest.After(c.NotAfter):
			return refuse(WhyExpired, "the certificate of %s ended at %s, and it is later than %s for certain", c.Subject, stamp(c.NotAfter), stamp(w.Earliest))
		}
	}
	return refuse(WhyExpired, "the certificates of the chain are not all valid at one time")
}

// weakKey says what is wrong with c's key, or returns "".
func weakKey(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA {
			return fmt.Sprintf("%s has an RSA key of %d bits; %d is the least", c.Subject, bits, minRSA)
		}
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < minEC {
			return fmt.Sprintf("%s has an EC key of %d bits; %d is the least", c.Subject, bits, minEC)
		}
	case ed25519.PublicKey:
	default:
		return fmt.Sprintf("%s has a key of a kind (%s) that is not accepted", c.Subject, c.PublicKeyAlgorithm)
	}
	return ""
}

func weakSignature(c *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
