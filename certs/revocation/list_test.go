package revocation_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/certs/revocation"
)

func TestLoadLists(t *testing.T) {
	pki := certstest.New(t)
	der := pki.Responder.List(pki.Intermediate, certstest.Honest)
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	for _, c := range []struct {
		name    string
		content []byte
		lists   int
	}{
		{"DER", der, 1},
		{"PEM", block, 1},
		{"two in PEM", slices.Concat(block, block), 2},
		{"half-written DER", der[:len(der)-1], 0},
		{"half-written PEM", block[:len(block)/2], 0},
		{"a second one half-written", slices.Concat(block, block[:len(block)/2]), 0},
		{"empty", nil, 0},
		{"a certificate", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pki.Root.Cert.Raw}), 0},
	} {
		path := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(path, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		lists, err := revocation.LoadLists(path)
		if len(lists) != c.lists && err == nil || (err == nil) != (c.lists > 0) {
			t.Errorf("%s: %d lists, %v", c.name, len(lists), err)
		}
	}
}

// Of a list that the authority did not sign the entries are not looked at, be they ever so many.
func TestForgedListIsNotRead(t *testing.T) {
	pki := certstest.New(t)
	for range 5000 {
		pki.Responder.Revoke(certstest.Serial(t))
	}
	signer := pki.Intermediate.Cert
	forged, signed := pki.Responder.List(pki.Intermediate, certstest.WrongKey), pki.Responder.List(pki.Intermediate, certstest.Honest)
	if _, e := revocation.ParseSignedList(signed, signer); e != nil {
		t.Error(e)
	}
	var e *revocation.Error
	if n := testing.AllocsPerRun(1, func() { _, e = revocation.ParseSignedList(forged, signer) }); n > 500 {
		t.Errorf("%v allocations for a forged list of 5000 entries", n)
	}
	if e == nil || e.Why != revocation.WhyCRLWrongSigner {
		t.Error(e)
	}
	// The signature is over all of it: no entry can be left out or taken from another list.
	for i := range 100 {
		damaged := bytes.Clone(signed)
		damaged[len(signed)*i/100] ^= 1
		if _, e := revocation.ParseSignedList(damaged, signer); e == nil {
			t.Errorf("byte %d was changed unnoticed", len(signed)*i/100)
		}
	}
	// What is long beside the entries is not read, either.
	long, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: pki.Now, NextUpdate: pki.Now.Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, 1<<20)}}}, signer, certstest.Key(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, e := revocation.ParseSignedList(long, signer); e == nil || e.Why != revocation.WhyCRLMalformed {
		t.Error(e)
	}
}

// Many questions at once about certificates of one authority cost one download of its list.
func TestConcurrentQuestions(t *testing.T) {
	pki := certstest.New(t)
	c := revocation.New(revocation.Options{Dir: t.TempDir(), Timeout: time.Minute})
	leaf := pki.Issue(t, certstest.Leaf{NoOCSP: true}).Leaf
	answers := make(chan revocation.Result)
	for range 20 {
		go func() {
			answers <- c.Check(context.Background(), revocation.Request{Cert: leaf, Issuer: pki.Intermediate.Cert, Now: revocation.Window{Earliest: pki.Now, Latest: pki.Now, Known: true}, Ask: revocation.AskIfOld})
		}()
	}
	for range 20 {
		if r := <-answers; r.Status != revocation.Good {
			t.Error(r)
		}
	}
	if _, _, lists := pki.Responder.Requests(); lists > 3 {
		t.Errorf("%d downloads", lists)
	}
}
