package certs_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/configs"
)

// TestReportText makes a connection to each server, as its source does, and reads what is told of its certificate.
func TestReportText(t *testing.T) {
	pki := certstest.New(t)
	good := pki.Issue(t, certstest.Leaf{})
	bad := pki.Issue(t, certstest.Leaf{})
	pki.Responder.Revoke(bad.Leaf.SerialNumber)
	ca := pki.CAFile(t)
	spare := certs.PinOf(certstest.NewRoot(t, "spare", pki.Now).Cert).String()
	serve := func(name string, leaf certstest.Leaf) configs.Server {
		cert := pki.Issue(t, leaf)
		switch name {
		case "good":
			cert = good
		case "revoked":
			cert = bad
		}
		return configs.Server{Name: name, Address: certstest.Serve(t, certstest.ServerConfig(cert)), CA: ca}
	}
	pinned := serve("good", certstest.Leaf{})
	pinned.Pins = []string{spare, certs.PinOf(good.Leaf).String()}
	servers := []configs.Server{pinned, serve("revoked", certstest.Leaf{}),
		serve("expired", certstest.Leaf{NotAfter: pki.Now.Add(-time.Minute)}),
		serve("last day", certstest.Leaf{NotAfter: pki.Now.Add(20 * time.Hour)})}
	p := responsive(t, knows(pki.Now), configs.Trust{}, servers...)
	for i, c := range []struct {
		name, why string
		says      []string
	}{
		{"good", "", []string{"accepted, 90 days left", "revocation good (ocsp http://127.0.0.1:", "pins: 1 of 2 in the chain", "revocation: prefer", certs.PinOf(good.Leaf).String()}},
		{"revoked", certs.WhyRevoked, []string{"revoked: refused (revoked): CN=localhost was revoked at", "revocation revoked (ocsp"}},
		{"expired", certs.WhyExpired, []string{"expired: refused (expired): the certificate of CN=localhost ended at", "0 CN=localhost"}},
		{"last day", "", []string{"accepted, 1 day left"}},
	} {
		cfg, _, err := p.KEConfig(c.name)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := tls.Dial("tcp", servers[i].Address, cfg)
		if err == nil {
			conn.Close()
		}
		r, _ := p.Report(c.name)
		if r.Reason != c.why || (err == nil) != (c.why == "") || r.Accepted != (c.why == "") {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
		for _, s := range c.says {
			if !strings.Contains(r.String(), s) {
				t.Errorf("%s: does not say %q:\n%s", c.name, s, r)
			}
		}
	}
}
