package certs_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/certs/revocation"
	"github.com/ntsgw/ntsgw/configs"
)

// responsive is a policy with all the time for responders that a busy machine needs.
func responsive(t testing.TB, clock certs.Clock, trust configs.Trust, servers ...configs.Server) *certs.Policy {
	t.Helper()
	return within(t, time.Minute, clock, trust, servers...)
}

// within is a policy that waits for a responder for so long.
func within(t testing.TB, timeout time.Duration, clock certs.Clock, trust configs.Trust, servers ...configs.Server) *certs.Policy {
	t.Helper()
	p, err := certs.New(certs.Options{Servers: servers, Trust: trust, Clock: clock, StateDir: t.TempDir(), RevocationTimeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRevocation(t *testing.T) {
	cases := []struct {
		name    string
		mode    string // default: require
		leaf    certstest.Leaf
		staple  certstest.Behaviour // default: none
		ocsp    certstest.Behaviour
		crl     certstest.Behaviour
		file    certstest.Behaviour // a local list; default: none
		revoke  bool
		down    bool
		unknown bool // the clock knows no time
		later   time.Duration
		why     string
		counted string // accepted, and counted as a warning
		source  string // of the leaf's answer
	}{
		{name: "good by OCSP", source: revocation.SourceOCSP},
		{name: "good by OCSP POST", ocsp: certstest.PostOnly, source: revocation.SourceOCSP},
		{name: "good by CRL", leaf: certstest.Leaf{NoOCSP: true}, source: revocation.SourceCRL},
		{name: "good by its part of a CRL", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.Partition, source: revocation.SourceCRL},
		{name: "revoked by its part of a CRL", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.Partition, revoke: true, why: certs.WhyRevoked},
		{name: "good by staple", staple: certstest.Honest, down: true, mode: "prefer", source: revocation.SourceStaple, counted: revocation.WhyUnreachable},
		{name: "good by a delegate", ocsp: certstest.Delegated, source: revocation.SourceOCSP},
		{name: "good without nextUpdate", ocsp: certstest.NoNextUpdate, source: revocation.SourceOCSP},
		{name: "CRL when OCSP fails", ocsp: certstest.HTTPError, source: revocation.SourceCRL, counted: revocation.WhyHTTP},
		{name: "good by a local list", file: certstest.Honest, leaf: certstest.Leaf{NoOCSP: true, NoCRL: true}, source: revocation.SourceCRLFile},

		{name: "revoked by OCSP", revoke: true, why: certs.WhyRevoked},
		{name: "revoked by OCSP, prefer", mode: "prefer", revoke: true, why: certs.WhyRevoked},
		{name: "revoked by CRL", leaf: certstest.Leaf{NoOCSP: true}, mode: "prefer", revoke: true, why: certs.WhyRevoked},
		{name: "revoked by staple", staple: certstest.Honest, mode: "prefer", revoke: true, down: true, why: certs.WhyRevoked},
		{name: "revoked by a local list", file: certstest.Honest, leaf: certstest.Leaf{NoOCSP: true, NoCRL: true}, mode: "prefer", revoke: true, why: certs.WhyRevoked},
		{name: "revoked by a stale local list", file: certstest.Stale, leaf: certstest.Leaf{NoOCSP: true, NoCRL: true}, mode: "prefer", revoke: true, why: certs.WhyRevoked},
		{name: "a local list signed by a stranger", file: certstest.WrongKey, leaf: certstest.Leaf{NoOCSP: true, NoCRL: true}, revoke: true, why: revocation.WhyCRLWrongSigner},
		{name: "revoked by a staple before time is known", staple: certstest.Honest, mode: "prefer", revoke: true, unknown: true, why: certs.WhyRevoked},
		{name: "revoked, off", mode: "off", revoke: true},

		{name: "OCSP signed by the wrong key", ocsp: certstest.WrongKey, crl: certstest.HTTPError, why: revocation.WhyOCSPWrongSigner},
		{name: "OCSP signed by no delegate", ocsp: certstest.BadDelegate, crl: certstest.HTTPError, why: revocation.WhyOCSPDelegate},
		{name: "OCSP signed by an expired delegate", ocsp: certstest.OldDelegate, crl: certstest.HTTPError, why: revocation.WhyOCSPDelegate},
		{name: "OCSP signed by a delegate that has expired since", ocsp: certstest.Delegated, crl: certstest.HTTPError, later: 2 * time.Hour, why: revocation.WhyOCSPStale},
		{name: "OCSP for another serial", ocsp: certstest.OtherSerial, crl: certstest.HTTPError, why: revocation.WhyOCSPWrongSerial},
		{name: "OCSP for another issuer", ocsp: certstest.OtherIssuer, crl: certstest.HTTPError, why: revocation.WhyOCSPWrongIssuer},
		{name: "stale", ocsp: certstest.Stale, crl: certstest.HTTPError, why: revocation.WhyOCSPStale},
		{name: "future", ocsp: certstest.Future, crl: certstest.HTTPError, why: revocation.WhyOCSPFuture},
		{name: "unknown", ocsp: certstest.Unknown, crl: certstest.HTTPError, why: revocation.WhyOCSPUnknown},
		{name: "tryLater", ocsp: certstest.TryLater, crl: certstest.HTTPError, why: revocation.WhyOCSPTryLater},
		{name: "10 MB answer", ocsp: certstest.Huge, crl: certstest.HTTPError, why: revocation.WhyTooLarge},
		{name: "slow-loris responder", ocsp: certstest.SlowLoris, crl: certstest.HTTPError, why: revocation.WhyTimeout},
		{name: "hanging responder", ocsp: certstest.Hang, crl: certstest.HTTPError, why: revocation.WhyTimeout},
		{name: "redirect loop", ocsp: certstest.RedirectLoop, crl: certstest.HTTPError, why: revocation.WhyRedirect},
		{name: "redirect to https", ocsp: certstest.ToHTTPS, crl: certstest.HTTPError, why: revocation.WhyRedirect},
		{name: "garbage", ocsp: certstest.Garbage, crl: certstest.HTTPError, why: revocation.WhyOCSPMalformed},
		{name: "responder down", down: true, why: revocation.WhyUnreachable},
		{name: "nobody to ask", leaf: certstest.Leaf{NoOCSP: true, NoCRL: true}, why: certs.WhyRevocationUnknown},
		{name: "CRL signed by the wrong key", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.WrongKey, why: revocation.WhyCRLWrongSigner},
		{name: "stale CRL", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.Stale, why: revocation.WhyCRLStale},
		{name: "future CRL", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.Future, why: revocation.WhyCRLFuture},
		{name: "delta CRL", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.DeltaOnly, why: revocation.WhyCRLUnsupported},
		{name: "CRL of another distribution point", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.OtherPartition, why: revocation.WhyCRLOther},
		{name: "CRL garbage", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.Garbage, why: revocation.WhyCRLMalformed},

		{name: "prefer: slow-loris responder", mode: "prefer", ocsp: certstest.SlowLoris, crl: certstest.HTTPError, counted: revocation.WhyTimeout},
		{name: "prefer: responder down", mode: "prefer", down: true, counted: revocation.WhyUnreachable},
		{name: "prefer: OCSP signed by the wrong key", mode: "prefer", ocsp: certstest.WrongKey, crl: certstest.HTTPError, counted: revocation.WhyOCSPWrongSigner},
		{name: "prefer: nobody to ask", mode: "prefer", leaf: certstest.Leaf{NoOCSP: true, NoCRL: true}},
		{name: "staple of another certificate", mode: "require", staple: certstest.OtherSerial, source: revocation.SourceOCSP, counted: revocation.WhyOCSPWrongSerial},

		{name: "OCSP from a year ahead", mode: "prefer", ocsp: certstest.NextYear, why: certs.WhyTimeContradicted},
		{name: "CRL from a year ahead", mode: "prefer", leaf: certstest.Leaf{NoOCSP: true}, crl: certstest.NextYear, why: certs.WhyTimeContradicted},
		{name: "staple from a year ahead", mode: "prefer", staple: certstest.NextYear, why: certs.WhyTimeContradicted},

		{name: "must-staple with a staple", leaf: certstest.Leaf{MustStaple: true}, staple: certstest.Honest, source: revocation.SourceStaple},
		{name: "staple missing under must-staple", mode: "prefer", leaf: certstest.Leaf{MustStaple: true}, why: certs.WhyStapleMissing},
		{name: "staple missing under must-staple before time is known", mode: "prefer", leaf: certstest.Leaf{MustStaple: true}, unknown: true, why: certs.WhyStapleMissing},
		{name: "stale staple under must-staple", mode: "prefer", leaf: certstest.Leaf{MustStaple: true}, staple: certstest.Stale, why: revocation.WhyOCSPStale},
		{name: "future staple under must-staple", mode: "prefer", leaf: certstest.Leaf{MustStaple: true}, staple: certstest.Future, why: revocation.WhyOCSPFuture},
		{name: "staple by the wrong key under must-staple", mode: "prefer", leaf: certstest.Leaf{MustStaple: true}, staple: certstest.WrongKey, why: revocation.WhyOCSPWrongSigner},
		{name: "must-staple, off", mode: "off", leaf: certstest.Leaf{MustStaple: true}},

		{name: "require waits for time", unknown: true, down: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pki := certstest.New(t)
			cert := pki.Issue(t, c.leaf)
			if c.revoke {
				pki.Responder.Revoke(cert.Leaf.SerialNumber)
			}
			if c.staple != "" {
				cert.OCSPStaple = pki.Responder.Staple(cert.Leaf, c.staple)
			}
			pki.Responder.OCSP(c.ocsp)
			pki.Responder.CRL(c.crl)
			pki.Responder.Down(c.down)
			addr := certstest.Serve(t, certstest.ServerConfig(cert))
			sound := certstest.New(t)
			honest := certstest.Serve(t, certstest.ServerConfig(sound.Issue(t, certstest.Leaf{})))
			if c.mode == "" {
				c.mode = "require"
			}
			ca := pki.CAFile(t)
			trust := configs.Trust{RevocationCheck: time.Hour}
			if c.file != "" {
				path := filepath.Join(t.TempDir(), "list.crl")
				if err := os.WriteFile(path, pki.Responder.List(pki.Intermediate, c.file), 0o644); err != nil {
					t.Fatal(err)
				}
				trust.CRL = []string{path}
			}
			clock := knows(pki.Now.Add(c.later))
			if c.unknown {
				clock = knowsNot(time.Time{})
			}
			timeout := time.Minute
			if c.ocsp == certstest.SlowLoris || c.ocsp == certstest.Hang {
				timeout = 2 * time.Second // which the honest server's responder has, too
			}
			p := within(t, timeout, clock, trust,
				configs.Server{Name: "tested", Address: addr, CA: ca, Revocation: c.mode},
				configs.Server{Name: "honest", Address: honest, CA: sound.CAFile(t), Revocation: c.mode})
			_, err := connect(t, p, "tested", addr)
			wants(t, p, err, c.why, honest)
			r, _ := p.Report("tested")
			if r.Accepted != (c.why == "") || r.Reason != c.why {
				t.Errorf("report %+v", r)
			}
			if c.source != "" {
				if n := r.Chain[0].Revocation; n == nil || n.Source != c.source || n.Status != "good" {
					t.Errorf("note %+v, want good by %s", n, c.source)
				}
			}
			if c.counted != "" && p.Doubts()[c.counted] == 0 {
				t.Errorf("doubts %v, want %s", p.Doubts(), c.counted)
			}
			if c.counted == "" && len(p.Doubts()) > 0 {
				t.Errorf("doubts %v, want none", p.Doubts())
			}
			if c.why == "" && len(p.Counts()) > 0 {
				t.Errorf("counts %v, want none", p.Counts())
			}
		})
	}
}

// A server that is revoked later loses its standing session at the next check, though the answer at
// hand would still hold for days.
func TestRevokedLater(t *testing.T) {
	for _, by := range []certstest.Leaf{{}, {NoOCSP: true}} {
		pki := certstest.New(t)
		cert := pki.Issue(t, by)
		addr := certstest.Serve(t, certstest.ServerConfig(cert))
		p := responsive(t, knows(pki.Now), configs.Trust{RevocationCheck: time.Hour}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t)})
		cs, err := connect(t, p, "a", addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Recheck("a", cs); err != nil {
			t.Fatalf("recheck of a good one: %v", err)
		}
		pki.Responder.Revoke(cert.Leaf.SerialNumber)
		if _, err := connect(t, p, "a", addr); err != nil {
			t.Fatalf("the answer at hand is fresh, yet: %v", err)
		}
		if err := p.Recheck("a", cs); reason(err) != certs.WhyRevoked {
			t.Fatalf("recheck after the revocation: %v", err)
		}
		pki.Responder.Down(true)
		if _, err := connect(t, p, "a", addr); reason(err) != certs.WhyRevoked {
			t.Fatalf("the revocation was forgotten: %v", err)
		}
	}
}

// What was revoked stays so, whatever is said later, unless it was only on hold.
func TestRevokedForGood(t *testing.T) {
	for _, hold := range []bool{false, true} {
		pki := certstest.New(t)
		cert := pki.Issue(t, certstest.Leaf{})
		serving := certstest.ServerConfig(cert)
		var staple []byte
		serving.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c := cert
			c.OCSPStaple = staple
			return &c, nil
		}
		serving.Certificates = nil
		addr := certstest.Serve(t, serving)
		p := responsive(t, knows(pki.Now.Add(time.Hour)), configs.Trust{}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t)})
		if hold {
			pki.Responder.Hold()
		}
		pki.Responder.Revoke(cert.Leaf.SerialNumber)
		if _, err := connect(t, p, "a", addr); reason(err) != certs.WhyRevoked {
			t.Fatal(err)
		}
		pki.Responder.Pardon(cert.Leaf.SerialNumber)
		pki.Responder.SetNow(pki.Now.Add(time.Minute))
		want := certs.WhyRevoked
		if hold {
			want = ""
		}
		for range 2 {
			if _, err := connect(t, p, "a", addr); reason(err) != want {
				t.Errorf("hold %v: %q, want %q", hold, reason(err), want)
			}
			staple = pki.Responder.Staple(cert.Leaf, certstest.Honest)
		}
		if _, err := connect(t, p, "a", addr); reason(err) != want {
			t.Errorf("hold %v: %q, want %q", hold, reason(err), want)
		}
	}
}

// Answers are kept on disk until their end, and a restart with the responder down uses them.
func TestAnswersSurviveRestart(t *testing.T) {
	pki := certstest.New(t)
	dir := t.TempDir()
	for _, c := range []struct {
		name   string
		leaf   certstest.Leaf
		revoke bool
		damage bool
		later  time.Duration
		why    string
	}{
		{name: "good by OCSP"},
		{name: "good by CRL", leaf: certstest.Leaf{NoOCSP: true}},
		{name: "revoked", revoke: true, why: certs.WhyRevoked},
		{name: "revoked, long after", revoke: true, later: 30 * 24 * time.Hour, why: certs.WhyRevoked},
		{name: "damaged", damage: true, why: revocation.WhyUnreachable},
		{name: "ended", later: 10 * 24 * time.Hour, why: revocation.WhyOCSPStale},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer pki.Responder.Down(false)
			cert := pki.Issue(t, c.leaf)
			addr := certstest.Serve(t, certstest.ServerConfig(cert))
			start := func(at time.Time) *certs.Policy {
				p, err := certs.New(certs.Options{Clock: knows(at), StateDir: dir, RevocationTimeout: time.Minute,
					Servers: []configs.Server{{Name: "a", Address: addr, CA: pki.CAFile(t), Revocation: "require"}}})
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			if c.revoke {
				pki.Responder.Revoke(cert.Leaf.SerialNumber)
			}
			if _, err := connect(t, start(pki.Now), "a", addr); (err != nil) != c.revoke {
				t.Fatal(err)
			}
			pki.Responder.Down(true)
			if c.damage {
				files, _ := filepath.Glob(filepath.Join(dir, "revocation", "*.der"))
				if len(files) == 0 {
					t.Fatal("nothing was kept")
				}
				for _, f := range files {
					b, _ := os.ReadFile(f)
					b[len(b)-1] ^= 1
					if err := os.WriteFile(f, b, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := connect(t, start(pki.Now.Add(c.later)), "a", addr); reason(err) != c.why {
				t.Errorf("after the restart: %q, want %q (%v)", reason(err), c.why, err)
			}
		})
	}
}

// Answers at hand are not asked for again within revocation_check, and a responder that failed is
// left alone for a minute.
func TestCourtesy(t *testing.T) {
	pki := certstest.New(t)
	addr := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, certstest.Leaf{})))
	p := responsive(t, knows(pki.Now), configs.Trust{RevocationCheck: time.Hour}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t)})
	for range 5 {
		if _, err := connect(t, p, "a", addr); err != nil {
			t.Fatal(err)
		}
	}
	if gets, posts, lists := pki.Responder.Requests(); gets != 2 || posts != 0 || lists != 0 {
		t.Errorf("%d GETs, %d POSTs, %d lists; want one GET for each of two certificates", gets, posts, lists)
	}
}

// A responder that failed is left alone for a minute by handshakes, and is asked by a recheck.
func TestCourtesyToFailing(t *testing.T) {
	for _, c := range []struct {
		ocsp, crl          certstest.Behaviour
		gets, posts, lists int
	}{
		// The responder of both certificates is asked once in both ways, and each list once.
		{certstest.HTTPError, certstest.HTTPError, 1, 1, 2},
		// It answers well about the other certificate.
		{certstest.Garbage, certstest.Garbage, 2, 0, 1},
		{certstest.WrongKey, certstest.WrongKey, 2, 0, 1},
		{certstest.TryLater, certstest.DeltaOnly, 2, 0, 1},
	} {
		t.Run(string(c.ocsp), func(t *testing.T) {
			courtesyToFailing(t, c.ocsp, c.crl, [3]int{c.gets, c.posts, c.lists})
		})
	}
}

func courtesyToFailing(t *testing.T, ocsp, crl certstest.Behaviour, want [3]int) {
	pki := certstest.New(t)
	addr := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, certstest.Leaf{})))
	pki.Responder.OCSP(ocsp)
	pki.Responder.CRL(crl)
	p := responsive(t, knows(pki.Now), configs.Trust{RevocationCheck: time.Hour}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t)})
	var cs *tls.ConnectionState
	for range 5 {
		var err error
		if cs, err = connect(t, p, "a", addr); err != nil {
			t.Fatal(err)
		}
	}
	if gets, posts, lists := pki.Responder.Requests(); [3]int{gets, posts, lists} != want {
		t.Errorf("%d GETs, %d POSTs, %d lists; want %v", gets, posts, lists, want)
	}
	pki.Responder.OCSP(certstest.Honest)
	if err := p.Recheck("a", cs); err != nil {
		t.Fatal(err)
	}
	if r, _ := p.Report("a"); r.Chain[0].Revocation.Status != "good" {
		t.Errorf("%+v", r.Chain[0].Revocation)
	}
}

// Somebody on the path can hold the authority's newer list back, and not push the one at hand out.
func TestForgedListReplacesNothing(t *testing.T) {
	pki := certstest.New(t)
	cert := pki.Issue(t, certstest.Leaf{NoOCSP: true})
	addr := certstest.Serve(t, certstest.ServerConfig(cert))
	p := responsive(t, knows(pki.Now), configs.Trust{}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t)})
	cs, err := connect(t, p, "a", addr)
	if err != nil {
		t.Fatal(err)
	}
	pki.Responder.Revoke(cert.Leaf.SerialNumber)
	if err := p.Recheck("a", cs); reason(err) != certs.WhyRevoked {
		t.Fatal(err)
	}
	pki.Responder.Pardon(cert.Leaf.SerialNumber)
	for _, b := range []certstest.Behaviour{certstest.WrongKey, certstest.Stale, certstest.Garbage, certstest.HTTPError} {
		pki.Responder.CRL(b)
		if err := p.Recheck("a", cs); reason(err) != certs.WhyRevoked {
			t.Errorf("%s: %v", b, err)
		}
	}
}

// A pin that replaces the chain still has its revocation looked up.
func TestPinnedAndRevoked(t *testing.T) {
	pki := certstest.New(t)
	cert := pki.Issue(t, certstest.Leaf{})
	pki.Responder.Revoke(cert.Leaf.SerialNumber)
	addr := certstest.Serve(t, certstest.ServerConfig(cert))
	p := responsive(t, knows(pki.Now), configs.Trust{}, configs.Server{Name: "a", Address: addr, PinMode: "replace", Pins: []string{certs.PinOf(cert.Leaf).String()}})
	if _, err := connect(t, p, "a", addr); reason(err) != certs.WhyRevoked {
		t.Error(err)
	}
}

// Without knowledge of time nobody is asked: an answer's window could not be judged.
func TestNobodyIsAskedBeforeTime(t *testing.T) {
	pki := certstest.New(t)
	addr := certstest.Serve(t, certstest.ServerConfig(pki.Issue(t, certstest.Leaf{})))
	p := responsive(t, knowsNot(time.Time{}), configs.Trust{}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t), Revocation: "require"})
	cs, err := connect(t, p, "a", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Recheck("a", cs); err != nil {
		t.Fatal(err)
	}
	if gets, posts, lists := pki.Responder.Requests(); gets+posts+lists > 0 {
		t.Error("somebody was asked")
	}
}

// Time that becomes known between the configuration and the handshake does not end the deferral, but
// what it has passed is past; and time that is lost ends the handshake.
func TestClockChangesDuringHandshake(t *testing.T) {
	pki := certstest.New(t)
	old := pki.Issue(t, certstest.Leaf{NotBefore: pki.Now.Add(-48 * time.Hour), NotAfter: pki.Now.Add(-time.Hour)})
	for _, c := range []struct {
		name          string
		before, after bool
		cert          tls.Certificate
		why           string
	}{
		{"found", false, true, pki.Issue(t, certstest.Leaf{}), ""},
		{"found, and the certificate was expired", false, true, old, certs.WhyExpired},
		{"lost", true, false, pki.Issue(t, certstest.Leaf{}), certs.WhyTimeUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := certstest.Serve(t, certstest.ServerConfig(c.cert))
			known := c.before
			p := policy(t, func() (time.Time, time.Time, bool) {
				if !known {
					return time.Time{}, time.Time{}, false
				}
				return pki.Now, pki.Now, true
			}, configs.Trust{}, configs.Server{Name: "a", Address: addr, CA: pki.CAFile(t), Revocation: "off"})
			cfg, _, err := p.KEConfig("a")
			if err != nil {
				t.Fatal(err)
			}
			known = c.after
			conn, err := tls.Dial("tcp", addr, cfg)
			if err == nil {
				conn.Close()
			}
			if reason(err) != c.why {
				t.Errorf("%q, want %q (%v)", reason(err), c.why, err)
			}
		})
	}
}
