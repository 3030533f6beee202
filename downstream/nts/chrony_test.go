package nts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/tests/program"
)

// TestChronyFollows has Debian's chronyd as the client of a server whose clock is 1.5 s ahead of
// the host's: it gets keys, authenticates every answer, selects the server, and sees the offset.
func TestChronyFollows(t *testing.T) {
	for _, name := range []string{"chronyd", "chronyc", "setpriv"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: no real NTS client (apt-get install chrony util-linux)", name)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("chronyd starts as root only")
	}
	dir, err := os.MkdirTemp("", "chrony") // a short path: it holds a Unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o770); err != nil { // chronyd insists on its socket's folder
		t.Fatal(err)
	}
	ca, err := certs.NewThrowaway("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca.CAPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	const ahead15 = 1500 * time.Millisecond
	l := newLab(t, func(o *Options) {
		o.Timeline = ahead(ahead15, 0)
		o.Certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &ca.Certificate, nil }
	})
	l.pool = x509.NewCertPool()
	l.pool.AppendCertsFromPEM(ca.CAPEM)
	conf := filepath.Join(dir, "chrony.conf")
	lines := []string{
		// Its name resolver is not asked for an address; polls begin at 1/16 s.
		fmt.Sprintf("server 127.0.0.1 nts ntsport %d iburst minpoll -4 maxpoll -4", l.server.KEAddr().Port()),
		"ntstrustedcerts " + dir + "/ca.pem", "nosystemcert",
		"cmdport 0", "bindcmdaddress " + dir + "/c.sock", "pidfile " + dir + "/pid", "port 0",
		"user root",
	}
	if err := os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	program.Start(t, program.Noclock("chronyd", "-x", "-d", "-f", conf))
	ask := func(what string) string {
		out, _ := exec.Command("chronyc", "-h", dir+"/c.sock", "-n", "-c", what).Output()
		return strings.TrimSpace(string(out))
	}
	// name, mode, key id, key type, key length, last, attempts, NAKs, cookies, cookie length
	// AEAD 30 from chrony 4.4 on, where Nettle is new enough.
	algorithm := regexp.MustCompile(`^127\.0\.0\.1,NTS,1,(15,256|30,128),[0-9]+,0,0,8,(104|72)$`)
	lastField := regexp.MustCompile(`,([0-9.e-]+)$`)
	// amiss says what chronyd does not say yet. A busy machine makes round trips long, and one that is asked for its
	// cookies just when it waits for an answer has one less.
	amiss := func() string {
		sources, auth, tracking := ask("sources"), ask("authdata"), ask("tracking")
		said := fmt.Sprintf("\nsources  %s\nauthdata %s\ntracking %s\ncounters %+v", sources, auth, tracking, l.server.Status())
		// ^,*,127.0.0.1,…: a server that is selected; "#,0" would be an own reference.
		if !strings.HasPrefix(sources, "^,*,127.0.0.1,1,") || l.server.Status().Answered < 20 {
			return "the server is not selected" + said
		}
		if !algorithm.MatchString(auth) {
			return "authdata" + said
		}
		// ref id, name, stratum, ref time, system, last offset, …, leap status
		f := strings.Split(tracking, ",")
		if len(f) < 14 || f[0] != "7F000001" || f[2] != "2" || f[13] != "Normal" {
			return "tracking" + said
		}
		// With -x chronyd keeps a clock of its own, and says how far the host's is off it.
		if off, err := strconv.ParseFloat(f[4], 64); err != nil || off < ahead15.Seconds()-0.001 || off > ahead15.Seconds()+0.001 {
			return fmt.Sprintf("the host is %v s behind, the server is %v ahead%s", f[4], ahead15, said)
		}
		if m := lastField.FindStringSubmatch(sources); m == nil {
			return "sources" + said
		} else if bound, err := strconv.ParseFloat(m[1], 64); err != nil || bound < 250e-6 || bound > 5e-3 {
			return "the error bound" + said
		}
		t.Log(said)
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for what := amiss(); what != ""; what = amiss() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("chronyd still says of %s", what)
		}
	}
	t.Logf("all of it after %v", time.Since(began).Round(time.Millisecond))
	if s := l.server.Status(); s.Accepted != 1 || len(s.Refused) != 0 || s.NAKs != 0 {
		t.Errorf("counters %+v", s)
	}

	// Cookie keys change under it: it is told, and comes back by itself.
	for range 3 {
		if err := l.server.cookies.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	before := l.server.Status()
	l.becomes("a NAK", func(s Status) bool { return s.NAKs > before.NAKs })
	l.becomes("new keys and answers", func(s Status) bool { return s.Accepted == 2 && s.Answered > before.Answered })
}
