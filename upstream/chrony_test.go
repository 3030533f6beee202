package upstream_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

// chrony is a chronyd that serves NTS on loopback and touches no clock.
type chrony struct {
	tb      testing.TB
	dir     string
	address string // KE
	conf    string
	cmd     *exec.Cmd
}

func newChrony(t testing.TB, ca *upstreamtest.CA, extra ...string) *chrony {
	t.Helper()
	for _, name := range []string{"chronyd", "setpriv"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: no real NTS peer (apt-get install chrony util-linux)", name)
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
	cert, key := ca.Files(t, dir)
	c := &chrony{tb: t, dir: dir, conf: filepath.Join(dir, "chrony.conf")}
	ke, ntp := loopback.Port(t), loopback.Port(t)
	c.address = fmt.Sprintf("127.0.0.1:%d", ke)
	lines := append([]string{
		"ntsservercert " + cert, "ntsserverkey " + key, "ntsprocesses 0",
		fmt.Sprintf("ntsport %d", ke), fmt.Sprintf("port %d", ntp),
		"bindaddress 127.0.0.1", "allow 127.0.0.1", "local stratum 1",
		"cmdport 0", "bindcmdaddress " + dir + "/c.sock", "pidfile " + dir + "/pid",
		"user root",
	}, extra...)
	if err := os.WriteFile(c.conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o770)
	t.Cleanup(c.stop)
	c.start()
	return c
}

func (c *chrony) start() {
	c.tb.Helper()
	c.cmd = program.Noclock("chronyd", "-x", "-d", "-f", c.conf)
	var log bytes.Buffer
	c.cmd.Stdout, c.cmd.Stderr = &log, &log
	if err := c.cmd.Start(); err != nil {
		c.tb.Fatal(err)
	}
	end := time.Now().Add(patience)
	for {
		conn, err := net.Dial("tcp", c.address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			c.stop()
			c.tb.Fatalf("chronyd does not serve NTS-KE: %s", log.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// stop ends chronyd.
func (c *chrony) stop() {
	if c.cmd == nil {
		return
	}
	c.cmd.Process.Signal(syscall.SIGTERM)
	c.cmd.Wait()
	c.cmd = nil
}

// stats returns what chronyd itself counted.
func (c *chrony) stats() string {
	out, err := exec.Command("chronyc", "-h", c.dir+"/c.sock", "serverstats").CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

func TestChronyServes(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	c := newChrony(t, ca)
	began := time.Now()
	r := start(t, ca, c.address, nil)
	m := r.next()
	t.Logf("first measurement %v after the start, delay %v, bound %v", time.Since(began).Round(time.Millisecond),
		m.Delay, m.Delay/2+m.RootDelay/2+m.RootDispersion+m.Precision)
	for range 5 {
		r.next()
	}
	var st upstream.Status
	r.await("eight cookies", func(now upstream.Status) bool { // one less while the next answer is waited for
		st = now
		return st.Cookies == 8
	})
	if st.AEAD != 15 || st.Reach&0x3f != 0x3f || st.LastError != "" {
		t.Errorf("status %+v", st)
	}
	if len(st.Rejected) != 0 {
		t.Errorf("rejected: %v", st.Rejected)
	}
	stats := c.stats()
	if !strings.Contains(stats, "NTS-KE connections accepted: ") || !strings.Contains(stats, "Authenticated NTP packets") {
		t.Errorf("chrony says: %s", stats)
	}
	t.Logf("chrony says:\n%s", stats)
}

func TestChronyRestartsWithNewCookieKeys(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	c := newChrony(t, ca)
	r := start(t, ca, c.address, nil)
	for range 3 {
		r.next()
	}
	keAt := r.Status().KEAt
	c.stop()
	c.start() // without ntsdumpdir its cookie keys are new ones
	began := time.Now()
	r.await("keys that are new", func(st upstream.Status) bool { return st.KEAt.After(keAt) })
	r.next()
	t.Logf("measurements resumed %v after the restart", time.Since(began).Round(time.Millisecond))
	if st := r.Status(); st.Rejected[upstream.ReasonNAKPlain] == 0 || st.Rejected[upstream.ReasonNAK] == 0 {
		t.Errorf("no NAK was seen: %v", st.Rejected)
	}
}

func TestChronyIsQueried(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	c := newChrony(t, ca)
	began := time.Now()
	res, err := upstream.Query(context.Background(), upstream.QueryOptions{
		Address: c.address, Trust: &upstreamtest.Trust{Roots: ca.Pool()}, Clock: sysclock.Reader{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v: %+v", time.Since(began).Round(time.Millisecond), *res)
	if res.AEAD != 15 || res.Cookies != 8 || res.CookieBytes == 0 || res.Stratum != 1 || res.NTPAddress == "" ||
		res.Delay < 0 || res.Delay > 0.1 || res.Offset > 0.01 || res.Offset < -0.01 ||
		!strings.HasPrefix(res.Certificate.SPKIPin, "sha256/") || res.Certificate.Subject != "CN=test server" ||
		res.Revocation != "unknown" {
		t.Errorf("query: %+v", *res)
	}
}
