package trust

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// folder is what one server's files are in.
type folder string

func newFolder(t *testing.T) folder { return folder(t.TempDir()) }

func (f folder) at(name string) string { return filepath.Join(string(f), name) }

// pair writes a client's certificate and key.
func (f folder) pair(t *testing.T, cert tls.Certificate) {
	certstest.WritePair(t, string(f), "client", cert)
}

func (f folder) lines() []string {
	return []string{fmt.Sprintf("cert = %q\nkey = %q", f.at("client.pem"), f.at("client.key"))}
}

func clientLeaf() certstest.Leaf {
	return certstest.Leaf{Hosts: []string{"gateway"}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}

// Servers that want client certificates (mTLS), and a gateway whose files are wrong at its start: it
// does not contact those servers, says why, and does once the files are right, without a restart.
func TestFilesAtTheStart(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	clients := x509.NewCertPool()
	clients.AddCert(pki.Root.Cert)
	encrypted := func(t *testing.T, path string) {
		block, _ := pem.Decode([]byte(read(t, path)))
		//nolint:staticcheck // what operators have is what is tried
		enc, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", block.Bytes, []byte("secret"), x509.PEMCipherAES128)
		if err != nil {
			t.Fatal(err)
		}
		program.Write(t, path, string(pem.EncodeToMemory(enc)))
	}
	cases := []struct {
		name  string
		spoil func(t *testing.T, f folder)
		why   string
	}{
		{"unreadable key", func(t *testing.T, f folder) { remove(t, f.at("client.key")) }, certs.WhyUnreadableFile},
		{"key not matching certificate", func(t *testing.T, f folder) {
			other := newFolder(t)
			other.pair(t, pki.Issue(t, clientLeaf()))
			program.Write(t, f.at("client.key"), read(t, other.at("client.key")))
		}, certs.WhyKeyMismatch},
		{"encrypted key", func(t *testing.T, f folder) { encrypted(t, f.at("client.key")) }, certs.WhyEncryptedKey},
		{"key that everybody may read", func(t *testing.T, f folder) { chmod(t, f.at("client.key"), 0o644) }, certs.WhyWorldReadableKey},
		{"half-written key", func(t *testing.T, f folder) { halve(t, f.at("client.key")) }, certs.WhyBadFile},
		{"half-written certificate", func(t *testing.T, f folder) { halve(t, f.at("client.pem")) }, certs.WhyBadFile},
		{"no CA file", func(t *testing.T, f folder) { remove(t, f.at("ca.pem")) }, certs.WhyUnreadableFile},
		{"CA file of another kind", func(t *testing.T, f folder) { program.Write(t, f.at("ca.pem"), "# to be done\n") }, certs.WhyBadFile},
	}
	// More than those who may lie: what does not answer might be kept away.
	_, sections := honest(t, pki, len(cases)+1, 0)
	servers, folders := make([]*server, len(cases)), make([]folder, len(cases))
	good := make([]map[string]string, len(cases))
	for i, c := range cases {
		s := newServer(t, pki.Issue(t, certstest.Leaf{}), 0)
		s.stop()
		s.clients = clients
		s.start(t)
		f := newFolder(t)
		f.pair(t, pki.Issue(t, clientLeaf()))
		program.Write(t, f.at("ca.pem"), read(t, pki.CAFile(t)))
		good[i] = map[string]string{}
		for _, name := range []string{"ca.pem", "client.pem", "client.key"} {
			good[i][name] = read(t, f.at(name))
		}
		c.spoil(t, f)
		servers[i], folders[i] = s, f
		sections = append(sections, s.section(c.name, f.at("ca.pem"), f.lines()...))
	}
	g := newGateway(t, "", sections...).start()
	before := g.await(t, "synchronized", synced)
	t.Run("cases", func(t *testing.T) {
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				r := g.await(t, "refused as "+c.why, func(r *status.Report) bool { return source(t, r, c.name).Rejected[c.why] > 0 })
				s := source(t, r, c.name)
				turn{why: c.why}.onlyFor(t, status.Source{}, s)
				if n := servers[i].made.Load(); n != 0 || s.State != "denied" || g.refusals(t, c.why) == 0 {
					t.Errorf("contacted %d times: %+v", n, s)
				}
				holds(t, r, before.Epoch, 0)
				for name, text := range good[i] {
					replace(t, folders[i].at(name), text)
				}
				after := g.await(t, "used with the right files", func(r *status.Report) bool { return believed(source(t, r, c.name)) })
				holds(t, after, before.Epoch, 0)
			})
		}
	})
}

// A server that wants a client certificate tells in TLS when it does not like the one it got.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	pki, other := certstest.New(t), certstest.New(t)
	clients := x509.NewCertPool()
	clients.AddCert(pki.Root.Cert)
	s := newServer(t, pki.Issue(t, certstest.Leaf{}), 0)
	s.stop()
	s.clients = clients
	s.start(t)
	f := newFolder(t)
	f.pair(t, other.Issue(t, clientLeaf()))
	_, sections := honest(t, pki, 3, 0)
	g := newGateway(t, "", append(sections, s.section("mtls", pki.CAFile(t), f.lines()...))...).start()
	const why = ntske.ReasonTransport
	r := g.await(t, "the server refuses a stranger", func(r *status.Report) bool {
		return synced(r) && source(t, r, "mtls").Rejected[why] > 0
	})
	if s := source(t, r, "mtls"); s.Sent != 0 {
		t.Errorf("%+v", s)
	}
	f.pair(t, pki.Issue(t, clientLeaf()))
	after := g.await(t, "the server takes its own", func(r *status.Report) bool { return believed(source(t, r, "mtls")) })
	holds(t, after, r.Epoch, 0)
}

// Files are replaced in every way that operators and orchestrators do it. The server has changed to
// a certificate of a new authority by then, and is refused until the gateway has read of it.
func TestReload(t *testing.T) {
	t.Parallel()
	old, next, last := certstest.New(t), certstest.New(t), certstest.New(t)
	oldCA, newCA := read(t, old.CAFile(t)), read(t, next.CAFile(t))
	// The one before stays beside the new one: taking it out would take back what the servers said under it.
	nextCA, lastCA := newCA+oldCA, read(t, last.CAFile(t))+newCA
	type bad struct {
		why   string
		spoil func(t *testing.T, f folder)
	}
	cases := []struct {
		name   string
		lay    func(t *testing.T, f folder) // lays oldCA at ca.pem; nil: a plain file
		bad    *bad                         // what comes first, and leaves the old content in use
		change func(t *testing.T, f folder) // makes ca.pem nextCA
	}{
		{name: "atomic rename", change: func(t *testing.T, f folder) { replace(t, f.at("ca.pem"), nextCA) }},
		{name: "written in place", change: func(t *testing.T, f folder) { program.Write(t, f.at("ca.pem"), nextCA) }},
		{name: "deleted, then created", bad: &bad{certs.WhyUnreadableFile, func(t *testing.T, f folder) { remove(t, f.at("ca.pem")) }},
			change: func(t *testing.T, f folder) { program.Write(t, f.at("ca.pem"), nextCA) }},
		{name: "half-written file during reload", bad: &bad{certs.WhyBadFile, func(t *testing.T, f folder) { program.Write(t, f.at("ca.pem"), newCA[:len(newCA)/2]) }},
			change: func(t *testing.T, f folder) { program.Write(t, f.at("ca.pem"), nextCA) }},
		{name: "watch directory deleted", bad: &bad{certs.WhyUnreadableFile, func(t *testing.T, f folder) {
			if err := os.RemoveAll(string(f)); err != nil {
				t.Fatal(err)
			}
		}}, change: func(t *testing.T, f folder) {
			if err := os.Mkdir(string(f), 0o755); err != nil {
				t.Fatal(err)
			}
			program.Write(t, f.at("ca.pem"), nextCA)
		}},
		{name: "symlink swap", lay: func(t *testing.T, f folder) {
			for dir, text := range map[string]string{"..1": oldCA, "..2": nextCA} {
				if err := os.Mkdir(f.at(dir), 0o755); err != nil {
					t.Fatal(err)
				}
				program.Write(t, f.at(dir+"/ca.pem"), text)
			}
			symlink(t, "..1", f.at("..data"))
			symlink(t, "..data/ca.pem", f.at("ca.pem"))
		}, change: func(t *testing.T, f folder) {
			symlink(t, "..2", f.at("..data.new"))
			if err := os.Rename(f.at("..data.new"), f.at("..data")); err != nil {
				t.Fatal(err)
			}
		}},
	}
	_, sections := honest(t, certstest.New(t), 3, 0)
	servers, folders := make([]*server, len(cases)), make([]folder, len(cases))
	for i, c := range cases {
		f := folder(filepath.Join(t.TempDir(), "trust"))
		if err := os.Mkdir(string(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if c.lay != nil {
			c.lay(t, f)
		} else {
			program.Write(t, f.at("ca.pem"), oldCA)
		}
		servers[i], folders[i] = newServer(t, old.Issue(t, certstest.Leaf{}), 0), f
		sections = append(sections, servers[i].section(c.name, f.at("ca.pem")))
	}
	g := newGateway(t, "", sections...).start()
	g.await(t, "all are used", allUsed)
	// renew has server i show a certificate of another authority, and the gateway read of that.
	renew := func(t *testing.T, i int, pki *certstest.PKI, change func()) {
		t.Helper()
		name := cases[i].name
		before := g.await(t, "used", func(r *status.Report) bool { return believed(source(t, r, name)) })
		had := source(t, before, name)
		servers[i].restart(t, pki.Issue(t, certstest.Leaf{}), 0)
		refused := g.await(t, "the new authority is unknown", func(r *status.Report) bool {
			return source(t, r, name).Rejected[certs.WhyUnknownCA] > had.Rejected[certs.WhyUnknownCA]
		})
		turn{why: certs.WhyUnknownCA}.onlyFor(t, had, source(t, refused, name))
		change()
		after := g.await(t, "used under the new authority", func(r *status.Report) bool { return believed(source(t, r, name)) })
		holds(t, after, before.Epoch, 0)
	}
	t.Run("cases", func(t *testing.T) {
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s, f := servers[i], folders[i]
				if c.bad != nil {
					counted := g.refusals(t, c.bad.why)
					c.bad.spoil(t, f)
					r := g.await(t, "the bad file is refused", func(r *status.Report) bool { return warned(r, "trust-file-refused", c.name) })
					if g.refusals(t, c.bad.why) <= counted {
						t.Errorf("not counted as %s", c.bad.why)
					}
					if !believed(source(t, r, c.name)) {
						t.Errorf("the old content does not stay: %+v", source(t, r, c.name))
					}
					// The old content is good for a new key exchange too.
					turn{server: s, name: c.name, bad: old.Issue(t, certstest.Leaf{})}.play(t, g)
				}
				renew(t, i, next, func() { c.change(t, f) })
			})
		}
	})
	// What came then is watched as what was there at first. One after the other: what happens to one
	// file must not make the gateway look at another.
	for i, c := range cases {
		t.Run(c.name+", and again", func(t *testing.T) {
			renew(t, i, last, func() {
				path, err := filepath.EvalSymlinks(folders[i].at("ca.pem"))
				if err != nil {
					t.Fatal(err)
				}
				replace(t, path, lastCA)
			})
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// halve leaves the first half of a file.
func halve(t *testing.T, path string) {
	t.Helper()
	text := read(t, path)
	program.Write(t, path, text[:len(text)/2])
}
