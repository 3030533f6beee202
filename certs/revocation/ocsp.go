package revocation

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // responders name issuers by it (RFC 5019 §2.1.1); nothing rests on its strength
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// lifeWithoutEnd is for how long an answer without nextUpdate counts; RFC 6960 §4.2.2.1 says only
// that newer information is always available.
const lifeWithoutEnd = 24 * time.Hour

// What RFC 6960 §4.2.1 says of a response, as far as x/crypto/ocsp does not look: it finds the
// single response by serial number alone.
type (
	ocspResponse struct {
		Status asn1.Enumerated
		Body   struct {
			Type    asn1.ObjectIdentifier
			Content []byte
		} `asn1:"explicit,tag:0,optional"`
	}
	ocspBasic struct {
		TBS struct {
			Raw         asn1.RawContent
			Version     int `asn1:"optional,default:0,explicit,tag:0"`
			ResponderID asn1.RawValue
			ProducedAt  time.Time `asn1:"generalized"`
			Responses   []ocspSingle
		}
	}
	ocspSingle struct {
		ID struct {
			Hash     pkix.AlgorithmIdentifier
			NameHash []byte
			KeyHash  []byte
			Serial   *big.Int
		}
	}
)

// ParseOCSP reads and checks an OCSP response (RFC 6960 §3.2) about cert: that it speaks of cert
// and no other, and is signed by issuer or by a delegate that issuer made for it. It does not judge
// the window.
func ParseOCSP(der []byte, cert, issuer *x509.Certificate) (*Answer, *Error) {
	var outer ocspResponse
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 {
		return nil, problem(WhyOCSPMalformed, err, "not an OCSP response")
	}
	switch ocsp.ResponseStatus(outer.Status) {
	case ocsp.Success:
	case ocsp.TryLater:
		return nil, problem(WhyOCSPTryLater, nil, "the responder says: try later")
	default:
		return nil, problem(WhyOCSPRefused, nil, "the responder says: %v", ocsp.ResponseStatus(outer.Status))
	}
	var basic ocspBasic
	if rest, err := asn1.Unmarshal(outer.Body.Content, &basic); err != nil || len(rest) > 0 {
		return nil, problem(WhyOCSPMalformed, err, "not a basic OCSP response")
	}
	if e := speaksOf(basic.TBS.Responses, cert, issuer); e != nil {
		return nil, e
	}
	r, err := ocsp.ParseResponseForCert(der, cert, nil)
	if err != nil {
		// The package's errors have no types of their own for this.
		if strings.Contains(err.Error(), "bad signature") {
			return nil, problem(WhyOCSPWrongSigner, err, "the answer is not signed by the certificate in it")
		}
		return nil, problem(WhyOCSPMalformed, err, "not an OCSP response that can be used")
	}
	a := &Answer{ThisUpdate: r.ThisUpdate, NextUpdate: r.NextUpdate}
	if e := signedFor(r, issuer, a); e != nil {
		return nil, e
	}
	if a.NextUpdate.IsZero() {
		a.NextUpdate = a.ThisUpdate.Add(lifeWithoutEnd)
	}
	if a.NextUpdate.Before(a.ThisUpdate) {
		return nil, problem(WhyOCSPMalformed, nil, "the answer ends before it begins")
	}
	switch r.Status {
	case ocsp.Good:
		a.Status = Good
	case ocsp.Revoked:
		a.Status, a.RevokedAt, a.ReasonCode = Revoked, r.RevokedAt, r.RevocationReason
	default:
		return nil, problem(WhyOCSPUnknown, nil, "the responder does not know the certificate")
	}
	return a, nil
}

// speaksOf demands exactly one answer with cert's serial number, and issuer as its issuer.
func speaksOf(list []ocspSingle, cert, issuer *x509.Certificate) *Error {
	var found *ocspSingle
	for i := range list {
		if list[i].ID.Serial != nil && list[i].ID.Serial.Cmp(cert.SerialNumber) == 0 {
			if found != nil {
				return problem(WhyOCSPMalformed, nil, "the answer speaks of the serial number twice")
			}
			found = &list[i]
		}
	}
	if found == nil {
		return problem(WhyOCSPWrongSerial, nil, "the answer is for another serial number")
	}
	h, ok := hashes()[found.ID.Hash.Algorithm.String()]
	if !ok {
		return problem(WhyOCSPMalformed, nil, "the answer names its issuer by an unknown hash (%v)", found.ID.Hash.Algorithm)
	}
	key, err := publicKeyBits(issuer)
	if err != nil {
		return problem(WhyOCSPMalformed, err, "the issuer's key can't be read")
	}
	if !bytes.Equal(sum(h, issuer.RawSubject), found.ID.NameHash) || !bytes.Equal(sum(h, key), found.ID.KeyHash) {
		return problem(WhyOCSPWrongIssuer, nil, "the answer is for a certificate of another issuer")
	}
	return nil
}

func hashes() map[string]crypto.Hash {
	return map[string]crypto.Hash{
		"1.3.14.3.2.26":          crypto.SHA1,
		"2.16.840.1.101.3.4.2.1": crypto.SHA256,
		"2.16.840.1.101.3.4.2.2": crypto.SHA384,
		"2.16.840.1.101.3.4.2.3": crypto.SHA512,
	}
}

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// publicKeyBits returns the bits of the key that an OCSP certificate id hashes.
func publicKeyBits(c *x509.Certificate) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info); err != nil {
		return nil, err
	}
	return info.Key.RightAlign(), nil
}

// signedFor checks who signed r (RFC 6960 §4.2.2.2): issuer, or a certificate that issuer signed
// for the purpose. x/crypto/ocsp leaves the purpose to its caller.
func signedFor(r *ocsp.Response, issuer *x509.Certificate, a *Answer) *Error {
	d := r.Certificate
	if d == nil || bytes.Equal(d.Raw, issuer.Raw) ||
		bytes.Equal(d.RawSubjectPublicKeyInfo, issuer.RawSubjectPublicKeyInfo) && bytes.Equal(d.RawSubject, issuer.RawSubject) {
		if err := r.CheckSignatureFrom(issuer); err != nil {
			return problem(WhyOCSPWrongSigner, err, "the answer is not signed by %s", issuer.Subject)
		}
		return nil
	}
	if err := d.CheckSignatureFrom(issuer); err != nil {
		return problem(WhyOCSPWrongSigner, err, "the answer's signer %s has no certificate of %s", d.Subject, issuer.Subject)
	}
	if !slices.Contains(d.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
		return problem(WhyOCSPDelegate, nil, "the answer's signer %s may not sign OCSP answers", d.Subject)
	}
	if r.ProducedAt.Before(d.NotBefore) || r.ProducedAt.After(d.NotAfter) {
		return problem(WhyOCSPDelegate, nil, "the answer was made at %s, outside the life of its signer %s", stamp(r.ProducedAt), d.Subject)
	}
	if err := r.CheckSignatureFrom(d); err != nil {
		return problem(WhyOCSPWrongSigner, err, "the answer is not signed by %s", d.Subject)
	}
	a.signerUntil = d.NotAfter
	return nil
}

// request makes the DER of a request about cert. There is no nonce: most responders sign in
// advance, and what a nonce would give, freshness, the window bounds.
func request(cert, issuer *x509.Certificate) ([]byte, error) {
	der, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		return nil, errors.New("cannot ask about a certificate whose issuer's key is unreadable")
	}
	return der, nil
}
