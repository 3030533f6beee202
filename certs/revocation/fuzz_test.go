package revocation_test

import (
	"testing"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/certs/revocation"
)

// Whatever bytes come, nothing panics, and what is accepted is a complete statement.
func FuzzParseOCSP(f *testing.F) {
	pki := certstest.New(f)
	leaf := pki.Issue(f, certstest.Leaf{}).Leaf
	for _, b := range []certstest.Behaviour{certstest.Honest, certstest.Unknown, certstest.TryLater, certstest.Delegated, certstest.BadDelegate,
		certstest.OtherSerial, certstest.OtherIssuer, certstest.NoNextUpdate, certstest.WrongKey} {
		f.Add(pki.Responder.Staple(leaf, b))
	}
	pki.Responder.Revoke(leaf.SerialNumber)
	f.Add(pki.Responder.Staple(leaf, certstest.Honest))
	f.Add([]byte{})
	f.Add([]byte{0x30, 0x03, 0x0a, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		a, e := revocation.ParseOCSP(der, leaf, pki.Intermediate.Cert)
		if (a == nil) == (e == nil) {
			t.Fatal("neither an answer nor a reason, or both")
		}
		if a != nil && (a.Status == revocation.Unknown || a.ThisUpdate.IsZero() || a.NextUpdate.Before(a.ThisUpdate)) {
			t.Fatalf("accepted %+v", a)
		}
	})
}

func FuzzParseList(f *testing.F) {
	pki := certstest.New(f)
	for _, b := range []certstest.Behaviour{certstest.Honest, certstest.DeltaOnly, certstest.OtherPartition, certstest.WrongKey} {
		f.Add(pki.Responder.List(pki.Intermediate, b))
	}
	pki.Responder.Revoke(certstest.Serial(f))
	f.Add(pki.Responder.List(pki.Intermediate, certstest.Honest))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, der []byte) {
		l, e := revocation.ParseList(der)
		if (l == nil) == (e == nil) {
			t.Fatal("neither a list nor a reason, or both")
		}
		if signed, _ := revocation.ParseSignedList(der, pki.Intermediate.Cert); signed != nil && l == nil {
			t.Fatal("accepted as signed what is not a list")
		}
		if l != nil && l.NextUpdate.Before(l.ThisUpdate) {
			t.Fatalf("accepted a list from %v to %v", l.ThisUpdate, l.NextUpdate)
		}
	})
}
