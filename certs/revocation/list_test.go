package revocation_test

import (
	"context"
	"encoding/pem"
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

// Many questions at once about certificates of one authority cost one download of its list.
func TestConcurrentQuestions(t *testing.T) {
	pki := certstest.New(t)
	c := revocation.New(revocation.Options{Dir: t.TempDir(), Timeout: 5 * time.Second})
	leaf := pki.Issue(t, certstest.Leaf{NoOCSP: true}).Leaf
	answers := make(chan revocation.Result)
	for range 20 {
		go func() {
			answers <- c.Check(context.Background(), revocation.Request{Cert: leaf, Issuer: pki.Intermediate.Cert, Now: revocation.Point(pki.Now), Ask: revocation.AskIfOld})
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
