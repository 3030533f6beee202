package certs

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
)

// Whatever a file holds, nothing panics, and what is accepted is whole.
func FuzzParseFiles(f *testing.F) {
	made, err := NewThrowaway("localhost")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made.CAPEM)
	f.Add(made.CertPEM)
	f.Add(made.KeyPEM)
	f.Add(append(made.CertPEM, made.KeyPEM...))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY"}))
	f.Add([]byte("sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
	f.Add([]byte(`{"utc":"2026-11-25T00:00:00Z","sum":"00"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if list, err := parseCertificates(text, false); err == nil {
			if len(list) == 0 {
				t.Fatal("accepted a file without certificates")
			}
			for _, c := range list {
				if _, err := x509.ParseCertificate(c.Raw); err != nil {
					t.Fatal(err)
				}
			}
		}
		if key, err := parseKey("file", text); (key == nil) == (err == nil) {
			t.Fatal("neither a key nor a reason, or both")
		}
		if p, err := ParsePin(string(text)); err == nil && p.String() != string(text) {
			t.Fatalf("%q became %s", text, p)
		}
		var s savedTime
		if json.Unmarshal(text, &s) == nil && s.Sum == s.sum() && !strings.Contains(string(text), s.Sum) {
			t.Fatal("a sum from nowhere")
		}
	})
}
