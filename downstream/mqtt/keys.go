package mqtt

import "github.com/ntsgw/ntsgw/downstream/beacon"

// SigningKey is an online key with the root's statement about it.
type SigningKey struct {
	Online     *beacon.SigningKey
	Delegation beacon.Delegation
	Signed     []byte // the delegation as it is published
}

// Keys gives the signing keys of the present, at most one an algorithm. After a rotation it gives
// the new ones; a key that was given out may be erased then, and signing with it fails. Safe for
// concurrent use.
type Keys interface {
	Current() []SigningKey
}

// algName is the configuration's word for an algorithm.
func algName(a beacon.Alg) string {
	switch a {
	case beacon.Ed25519:
		return algEd25519
	case beacon.ES256:
		return algES256
	}
	return ""
}
