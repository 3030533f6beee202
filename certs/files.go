package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"time"

	"github.com/ntsgw/ntsgw/certs/revocation"
)

// What a file is used for.
const (
	KindCA     = "ca"
	KindClient = "client-certificate"
	KindCRL    = "crl"
	KindOCSP   = "ocsp"
	KindServer = "server-certificate"
	KindShown  = "listener-certificate" // one that a listener of ours shows
)

// fileInUse is one file's content as it is used.
type fileInUse struct {
	path        string
	kind        string
	fingerprint string // SHA-256, hex: the certificate's, or that of all of them one after the other
	ends        time.Time
	items       []Item
}

func authoritiesInUse(path string, certs []*x509.Certificate, system bool) fileInUse {
	f := fileInUse{path: path, kind: KindCA}
	h := sha256.New()
	for _, c := range certs {
		h.Write(c.Raw)
		if f.ends.IsZero() || c.NotAfter.Before(f.ends) {
			f.ends = c.NotAfter
		}
		// The end of one of the system's hundred authorities is for the distribution to handle.
		if !system {
			f.items = append(f.items, Item{Kind: KindCA, Name: c.Subject.String(), From: path, NotBefore: c.NotBefore, NotAfter: c.NotAfter})
		}
	}
	f.fingerprint = hex.EncodeToString(h.Sum(nil))
	return f
}

func keyPairInUse(path string, pair *tls.Certificate) fileInUse {
	c := pair.Leaf
	return fileInUse{path: path, kind: KindClient, fingerprint: Fingerprint(c), ends: c.NotAfter,
		items: []Item{{Kind: KindClient, Name: c.Subject.String(), From: path, NotBefore: c.NotBefore, NotAfter: c.NotAfter}}}
}

func listsInUse(path string, lists []*revocation.List) fileInUse {
	f := fileInUse{path: path, kind: KindCRL}
	h := sha256.New()
	for _, l := range lists {
		d := l.Digest()
		h.Write(d[:])
		if f.ends.IsZero() || l.NextUpdate.Before(f.ends) {
			f.ends = l.NextUpdate
		}
		f.items = append(f.items, Item{Kind: KindCRL, Name: l.Issuer(), From: path, NotBefore: l.ThisUpdate, NotAfter: l.NextUpdate})
	}
	f.fingerprint = hex.EncodeToString(h.Sum(nil))
	return f
}
