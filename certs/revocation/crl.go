package revocation

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"
)

// List is one certificate revocation list (RFC 5280 §5). It is safe for concurrent use.
type List struct {
	From   string // the file or the URL
	Number string // the CRL number in decimal; empty: none

	ThisUpdate, NextUpdate time.Time

	rl      *x509.RevocationList
	revoked map[string]entry // by the serial number's bytes
	scope   scope

	mu     sync.Mutex
	signed map[[32]byte]error // by the issuer's fingerprint: the signature was checked
}

type entry struct {
	at     time.Time
	reason int
}

// scope is the issuing distribution point extension (RFC 5280 §5.2.5).
type scope struct {
	Point struct {
		FullName []asn1.RawValue `asn1:"optional,tag:0"`
	} `asn1:"optional,tag:0"`
	UserOnly      bool           `asn1:"optional,tag:1"`
	CAOnly        bool           `asn1:"optional,tag:2"`
	Reasons       asn1.BitString `asn1:"optional,tag:3"`
	Indirect      bool           `asn1:"optional,tag:4"`
	AttributeOnly bool           `asn1:"optional,tag:5"`
}

// ParseList reads a list in DER. Lists that it can't apply in full are refused: deltas, indirect
// lists, lists of some reasons, unknown critical extensions.
func ParseList(der []byte) (*List, *Error) {
	rl, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, problem(WhyCRLMalformed, err, "not a revocation list")
	}
	l := &List{ThisUpdate: rl.ThisUpdate, NextUpdate: rl.NextUpdate, rl: rl, signed: map[[32]byte]error{}}
	if rl.Number != nil {
		l.Number = rl.Number.String()
	}
	if rl.NextUpdate.IsZero() || rl.NextUpdate.Before(rl.ThisUpdate) {
		return nil, problem(WhyCRLMalformed, nil, "the list does not say until when it holds")
	}
	for _, x := range rl.Extensions {
		switch {
		case x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 28}):
			if rest, err := asn1.Unmarshal(x.Value, &l.scope); err != nil || len(rest) > 0 {
				return nil, problem(WhyCRLMalformed, err, "the list's issuing distribution point can't be read")
			}
			if l.scope.Indirect || l.scope.AttributeOnly || l.scope.Reasons.BitLength > 0 {
				return nil, problem(WhyCRLUnsupported, nil, "an indirect list, or one of some reasons only")
			}
		case x.Critical:
			return nil, problem(WhyCRLUnsupported, nil, "the list has a critical extension (%v) that is not understood", x.Id)
		}
	}
	l.revoked = make(map[string]entry, len(rl.RevokedCertificateEntries))
	for i := range rl.RevokedCertificateEntries {
		e := &rl.RevokedCertificateEntries[i]
		for _, x := range e.Extensions {
			if x.Critical && !x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 21}) {
				return nil, problem(WhyCRLUnsupported, nil, "an entry has a critical extension (%v) that is not understood", x.Id)
			}
		}
		l.revoked[string(e.SerialNumber.Bytes())] = entry{at: e.RevocationTime, reason: e.ReasonCode}
	}
	// Kept once, not thrice.
	rl.RevokedCertificateEntries = nil
	rl.RevokedCertificates = nil //nolint:staticcheck // it is filled all the same
	return l, nil
}

// maxHead is what a list may have beside its entries: its issuer's name, extensions and signature.
const maxHead = 64 << 10 // bytes

// ParseSignedList is ParseList for a list from the network: of one that issuer did not sign only the
// head is read, for the entries of a long list take twenty times its size while they are parsed.
func ParseSignedList(der []byte, issuer *x509.Certificate) (*List, *Error) {
	h, e := head(der)
	if e != nil {
		return nil, e
	}
	if err := h.CheckSignatureFrom(issuer); err != nil {
		return nil, problem(WhyCRLWrongSigner, err, "the list is not signed by %s", issuer.Subject)
	}
	l, e := ParseList(der)
	if e == nil {
		l.signed[sha256.Sum256(issuer.Raw)] = nil
	}
	return l, e
}

// head reads a list without its entries (RFC 5280 §5.1). The signature in it is that over the whole.
func head(der []byte) (*x509.RevocationList, *Error) {
	malformed := problem(WhyCRLMalformed, nil, "not a revocation list")
	in, whole, signed, body := cryptobyte.String(der), cryptobyte.String{}, cryptobyte.String{}, cryptobyte.String{}
	if !in.ReadASN1(&whole, tags.SEQUENCE) || !whole.ReadASN1Element(&signed, tags.SEQUENCE) {
		return nil, malformed
	}
	in = signed
	if !in.ReadASN1(&body, tags.SEQUENCE) {
		return nil, malformed
	}
	var kept []byte
	for times, entries := false, false; !body.Empty(); {
		var part cryptobyte.String
		var tag tags.Tag
		if !body.ReadAnyASN1Element(&part, &tag) {
			return nil, malformed
		}
		if tag == tags.SEQUENCE && times && !entries { // they come right after the times
			entries = true
			continue
		}
		times = times || tag == tags.UTCTime || tag == tags.GeneralizedTime
		if kept = append(kept, part[:min(len(part), maxHead)]...); len(kept)+len(whole) > maxHead {
			return nil, problem(WhyCRLMalformed, nil, "the list has more than %d bytes beside its entries", maxHead)
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(kept) })
		b.AddBytes(whole) // the algorithm and the signature
	})
	short, err := b.Bytes()
	if err != nil {
		return nil, problem(WhyCRLMalformed, err, "not a revocation list")
	}
	h, err := x509.ParseRevocationList(short)
	if err != nil {
		return nil, problem(WhyCRLMalformed, err, "not a revocation list")
	}
	h.RawTBSRevocationList = signed
	return h, nil
}

// LoadLists reads every list of a file: one in DER, or any number in PEM.
func LoadLists(path string) ([]*List, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lists []*List
	add := func(der []byte) error {
		l, e := ParseList(der)
		if e != nil {
			return fmt.Errorf("%s: %w", path, e)
		}
		l.From = path
		lists = append(lists, l)
		return nil
	}
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		return lists, add(text)
	}
	for bytes.Contains(text, []byte("-----BEGIN ")) {
		block, rest := pem.Decode(text)
		if block == nil || bytes.Count(text[:len(text)-len(rest)], []byte("-----BEGIN ")) > 1 {
			return nil, fmt.Errorf("%s: a PEM block is cut short or damaged", path)
		}
		text = rest
		if block.Type != "X509 CRL" {
			continue
		}
		if err := add(block.Bytes); err != nil {
			return nil, err
		}
	}
	if len(lists) == 0 {
		return nil, fmt.Errorf("%s: no revocation list in it (PEM blocks of type X509 CRL are wanted)", path)
	}
	return lists, nil
}

// covers reports whether l speaks of certificates like cert: its issuer by name and key, its kind,
// its distribution point.
func (l *List) covers(cert, issuer *x509.Certificate) bool {
	if a, s := l.rl.AuthorityKeyId, issuer.SubjectKeyId; len(a) > 0 && len(s) > 0 && !bytes.Equal(a, s) {
		return false // another authority of the same name, or an earlier key of this one
	}
	if !bytes.Equal(l.rl.RawIssuer, cert.RawIssuer) || l.scope.UserOnly && cert.IsCA || l.scope.CAOnly && !cert.IsCA {
		return false
	}
	if len(l.scope.Point.FullName) == 0 {
		return true
	}
	return slices.ContainsFunc(l.scope.Point.FullName, func(n asn1.RawValue) bool {
		return n.Class == asn1.ClassContextSpecific && n.Tag == 6 && slices.Contains(cert.CRLDistributionPoints, string(n.Bytes))
	})
}

// signedBy checks the signature once for each issuer.
func (l *List) signedBy(issuer *x509.Certificate) error {
	id := sha256.Sum256(issuer.Raw)
	l.mu.Lock()
	defer l.mu.Unlock()
	err, known := l.signed[id]
	if !known {
		err = l.rl.CheckSignatureFrom(issuer)
		l.signed[id] = err
	}
	return err
}

// about returns what l says of cert. It does not judge the window.
func (l *List) about(cert, issuer *x509.Certificate) (*Answer, *Error) {
	if !l.covers(cert, issuer) {
		return nil, problem(WhyCRLOther, nil, "the list %s does not speak of this certificate", l.From)
	}
	if err := l.signedBy(issuer); err != nil {
		return nil, problem(WhyCRLWrongSigner, err, "the list %s is not signed by %s", l.From, issuer.Subject)
	}
	a := &Answer{Status: Good, Source: SourceCRL, From: l.From, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate}
	if e, found := l.revoked[string(cert.SerialNumber.Bytes())]; found {
		a.Status, a.RevokedAt, a.ReasonCode = Revoked, e.at, e.reason
	}
	return a, nil
}

// Digest returns the SHA-256 of the list.
func (l *List) Digest() [sha256.Size]byte { return sha256.Sum256(l.rl.Raw) }

// Issuer returns the name of the authority whose list it is.
func (l *List) Issuer() string { return l.rl.Issuer.String() }
