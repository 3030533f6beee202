package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"strings"
)

// Pin is the SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 7469 §2.4).
type Pin [sha256.Size]byte

// ParsePin reads sha256/BASE64.
func ParsePin(s string) (Pin, error) {
	var p Pin
	text, ok := strings.CutPrefix(s, "sha256/")
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) != len(p) {
		return p, refuse(WhyBadPin, `%q is not a pin; write "sha256/" and 44 characters of base64`, s)
	}
	return Pin(raw), nil
}

// PinOf returns c's pin.
func PinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// String returns sha256/BASE64.
func (p Pin) String() string { return "sha256/" + base64.StdEncoding.EncodeToString(p[:]) }

// Fingerprint returns the SHA-256 of the whole certificate in lower-case hex.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// readCertificates reads every certificate of a PEM file. A file with none or with a half-written one
// is refused whole; so is one with a certificate that can't be parsed, unless lenient: a distribution's
// bundle may hold one that crypto/x509 finds too odd, and is no worse for it.
func readCertificates(path string, lenient bool) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, refuse(WhyUnreadableFile, "cannot read the certificates").because(err)
	}
	list, err := parseCertificates(text, lenient)
	if err != nil {
		return nil, refuse(WhyBadFile, "%s", path).because(err)
	}
	return list, nil
}

func parseCertificates(text []byte, lenient bool) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			// pem.Decode skips what it can't read; a block that was begun and not
			// finished is a file in the middle of being written.
			if bytes.Contains(text, []byte("-----BEGIN ")) {
				return nil, errors.New("a PEM block is cut short or damaged")
			}
			break
		}
		if skipped := text[:len(text)-len(rest)]; bytes.Count(skipped, []byte("-----BEGIN ")) > 1 {
			return nil, errors.New("a PEM block is cut short or damaged")
		}
		text = rest
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			if lenient {
				continue
			}
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("no certificate in it (PEM blocks of type CERTIFICATE are wanted)")
	}
	return list, nil
}
