package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/loop"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/durable"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

// quietly is a configuration that disturbs nobody: a server that refuses, and nothing is handed on.
func quietly(t *testing.T) configs.Config {
	cfg := configs.Defaults()
	cfg.Gateway.StateDir, cfg.Clock.Mode, cfg.MQTT.Enabled = t.TempDir(), "observe", false
	cfg.Servers, cfg.BuiltinServers = []configs.Server{{Name: "closed", Address: "127.0.0.1:1", Roots: "system", PinMode: "add"}}, false
	cfg.Status.Listen, cfg.Status.Socket = "", filepath.Join(program.Folder(t), "s")
	return cfg
}

// runs starts a gateway that must not end before the test does.
func runs(t *testing.T, cfg configs.Config) {
	t.Helper()
	g, err := newGateway(cfg, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g.runs(t)
}

func (g *gateway) runs(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

// warned returns the text of the warning id as the control socket says it, "" where there is none, and whether the
// socket answers.
func warned(t *testing.T, cfg configs.Config, id string) (text string, answers bool) {
	r, err := status.Ask(t.Context(), cfg.Status.Socket)
	if err != nil {
		return "", false
	}
	for _, w := range r.Warnings {
		if w.ID == id {
			text = w.Text
		}
	}
	return text, true
}

// TestATakenPortTakesNothingWithIt holds what can't listen to be warned of, with what to do, and tried again, while the
// gateway runs and hands time on in the other ways.
func TestATakenPortTakesNothingWithIt(t *testing.T) {
	pki := t.TempDir()
	cert, key := certstest.WritePair(t, pki, "server", certstest.New(t).Issue(t, certstest.Leaf{}))
	for _, c := range []struct {
		name, id string
		udp      bool
		set      func(c *configs.Config, taken, free string)
		says     string // %s: the port that is taken
	}{
		{"page", "status-page", false, func(c *configs.Config, taken, free string) {
			c.Status.Listen, c.MQTT.Enabled, c.MQTT.Listen = taken, true, free
		}, "change listen in [status]"},
		{"broker", "mqtt-port", false, func(c *configs.Config, taken, free string) {
			c.MQTT.Enabled, c.MQTT.Listen, c.MQTT.TLSListen, c.MQTT.TLSCert, c.MQTT.TLSKey = true, taken, free, cert, key
		}, `broker = "mqtt://%s" in [mqtt]`},
		{"broker with TLS", "mqtt-port", false, func(c *configs.Config, taken, free string) {
			c.MQTT.Enabled, c.MQTT.Listen, c.MQTT.TLSListen, c.MQTT.TLSCert, c.MQTT.TLSKey = true, free, taken, cert, key
		}, "change tls_listen in [mqtt]"},
		{"key exchange", "nts-port", false, func(c *configs.Config, taken, free string) {
			c.NTSServer.Listen, c.NTSServer.NTPListen, c.NTSServer.Cert, c.NTSServer.Key = taken, "127.0.0.1:0", cert, key
			c.Status.Listen = free
		}, "change listen or ntp_listen in [nts_server]"},
		{"time", "nts-port", true, func(c *configs.Config, taken, free string) {
			c.NTSServer.Listen, c.NTSServer.NTPListen, c.NTSServer.Cert, c.NTSServer.Key = free, taken, cert, key
		}, "change listen or ntp_listen in [nts_server]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, taken, free := quietly(t), loopback.Free(t), loopback.Free(t)
			var holder io.Closer
			var err error
			if c.udp {
				holder, err = net.ListenPacket("udp", taken)
			} else {
				holder, err = net.Listen("tcp", taken)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer holder.Close()
			c.set(&cfg, taken, free)
			runs(t, cfg)
			says := strings.ReplaceAll(c.says, "%s", taken)
			program.Eventually(t, 10*time.Second, "the control socket says what to do", func() bool {
				text, _ := warned(t, cfg, c.id)
				return strings.Contains(text, says) && strings.Contains(text, taken)
			})
			if !c.udp { // without its time the NTS server gives no keys either
				listens(t, free)
			}
			holder.Close()
			program.Eventually(t, 20*time.Second, "nothing is said of it any more", func() bool {
				text, answers := warned(t, cfg, c.id)
				return answers && text == ""
			})
			if c.udp {
				taken = free
			}
			listens(t, taken)
		})
	}
}

// TestABadTimeFloorIsToldOf holds the operator's file, where it is no time, to be warned of and counted.
func TestABadTimeFloorIsToldOf(t *testing.T) {
	cfg := quietly(t)
	program.Write(t, filepath.Join(cfg.Gateway.StateDir, certs.OperatorName), "tomorrow\n")
	g, err := newGateway(cfg, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer g.lock.Close()
	if w := g.warnings(); !slices.ContainsFunc(w, func(w discipline.Warning) bool {
		return w.ID == "floor-file-refused" && strings.Contains(w.Text, "time-floor is not a time; write one line such as")
	}) {
		t.Errorf("warnings %v", w)
	}
	if n := g.metrics()["certs"]["refused"].(map[string]uint64)[certs.WhyBadFile]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// TestTheEndOfWhatListenersShowIsSaid holds the certificates that we show ourselves to be counted down and warned of as
// those are that we are shown.
func TestTheEndOfWhatListenersShowIsSaid(t *testing.T) {
	pki := certstest.New(t)
	pair := func(name string, end time.Time) (cert, key string) {
		return certstest.WritePair(t, t.TempDir(), name, pki.Issue(t, certstest.Leaf{NotBefore: end.AddDate(0, 0, -90), NotAfter: end}))
	}
	cfg := quietly(t)
	nts, mqtt := &cfg.NTSServer, &cfg.MQTT
	nts.Listen, nts.NTPListen = "127.0.0.1:0", "127.0.0.1:0"
	nts.Cert, nts.Key = pair("nts", pki.Now.AddDate(0, 0, -3))
	mqtt.Enabled, mqtt.Listen, mqtt.TLSListen = true, "127.0.0.1:0", "127.0.0.1:0"
	mqtt.TLSCert, mqtt.TLSKey = pair("mqtt", pki.Now.AddDate(0, 0, 5))
	ask := func() *status.Report {
		g, err := newGateway(cfg, false, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		g.known = func() (earliest, latest time.Time, known bool) { return pki.Now, pki.Now, true }
		g.runs(t)
		var r *status.Report
		program.Eventually(t, 10*time.Second, "the control socket answers", func() bool {
			r, err = status.Ask(t.Context(), cfg.Status.Socket)
			return err == nil
		})
		return r
	}
	r := ask()
	for _, want := range []struct {
		path, id, says string
		left           time.Duration
	}{
		{nts.Cert, "certificate-expired", "ended at", -3 * 24 * time.Hour},
		{mqtt.TLSCert, "certificate-expires", "ends within 7 days", 5 * 24 * time.Hour},
	} {
		var found, said int
		for _, e := range r.Expiries {
			if e.From == want.path && e.Kind == "listener-certificate" && e.Name == "CN=localhost" && e.Left != nil &&
				math.Abs(*e.Left-want.left.Seconds()) < 7200 { // an hour, should daylight saving have begun meanwhile
				found++
			}
		}
		for _, w := range r.Warnings {
			if w.ID == want.id && strings.Contains(w.Text, "CN=localhost ("+want.path+") "+want.says) && strings.Contains(w.Text, "; replace the file; ") {
				said++
			}
		}
		if found != 1 || said != 1 {
			t.Errorf("%s: %d times in %+v, warned of %d times in %v", want.path, found, r.Expiries, said, r.Warnings)
		}
	}

	// Two listeners may show one certificate: a metric has each set of labels once.
	cfg.Gateway.StateDir, cfg.Status.Socket = t.TempDir(), filepath.Join(program.Folder(t), "s")
	mqtt.TLSCert, mqtt.TLSKey = nts.Cert, nts.Key
	seen := map[string]int{}
	for _, e := range ask().Expiries {
		if seen[e.Kind+e.Name+e.From]++; seen[e.Kind+e.Name+e.From] > 1 {
			t.Errorf("twice: %+v", e)
		}
	}
}

// TestTheEndOfWhatBrokersNeedIsSaid holds the files for brokers over TLS to be counted down and warned of, and not twice
// where a server has the same ones.
func TestTheEndOfWhatBrokersNeedIsSaid(t *testing.T) {
	pki := certstest.New(t)
	ca, now := pki.CAFile(t), pki.Now.AddDate(10, 0, 3) // the root ended three days before
	cert, key := certstest.WritePair(t, t.TempDir(), "client", pki.Issue(t, certstest.Leaf{NotBefore: now.AddDate(0, 0, -85), NotAfter: now.AddDate(0, 0, 5), Signer: pki.Root}))
	for _, c := range []struct {
		broker string
		server bool // has the same authority
		want   int
	}{
		{"mqtts://127.0.0.1:1", false, 1},
		{"wss://127.0.0.1:1", true, 1},
		{"mqtt://127.0.0.1:1", false, 0},
	} {
		cfg := quietly(t)
		cfg.MQTT.Enabled, cfg.MQTT.Broker, cfg.MQTT.CA, cfg.MQTT.Cert, cfg.MQTT.Key = true, c.broker, ca, cert, key
		if c.server {
			cfg.Servers[0].CA, cfg.Servers[0].Roots = ca, "ca"
		}
		g, err := newGateway(cfg, false, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		g.lock.Close()
		g.known = func() (earliest, latest time.Time, known bool) { return now, now, true }
		got := map[string]int{}
		for _, e := range g.expiries() {
			got[e.Kind+" "+e.From]++
		}
		for _, w := range g.warnings() {
			for _, path := range []string{ca, cert} {
				if strings.Contains(w.Text, "("+path+")") {
					got[w.ID+" "+path]++
				}
			}
		}
		for _, f := range endFindings(cfg, now) {
			got[f.grade]++
		}
		for _, what := range []string{"ca " + ca, "client-certificate " + cert, "certificate-expired " + ca, "certificate-expires " + cert, "bad", "note"} {
			if got[what] != c.want {
				t.Errorf("%s: %s %d times, want %d", c.broker, what, got[what], c.want)
			}
		}
	}
}

func listens(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestServingIsRemembered holds a gateway that served time to be no longer starting: should it lose the time, it is ill.
func TestServingIsRemembered(t *testing.T) {
	t.Parallel()
	ca, file := upstreamtest.NewCA(t), filepath.Join(t.TempDir(), "ca.pem")
	program.Write(t, file, string(ca.PEM()))
	server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	cfg := quietly(t)
	cfg.Servers = []configs.Server{{Name: "lab", Address: server.Address, CA: file, Roots: "ca", PinMode: "add", MinPoll: time.Second, MaxPoll: time.Second}}
	cfg.Trust.MaxSourceStratum = 15
	g, err := newGateway(cfg, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if g.served.Load() {
		t.Error("before it began")
	}
	g.runs(t)
	program.Eventually(t, time.Minute, "it serves", func() bool { return g.loop.Snapshot().Serving() })
	program.Eventually(t, 10*time.Second, "that is remembered", g.served.Load)
}

// TestWhatAPersonMustMendEndsTheStart holds a start to end where no waiting helps.
func TestWhatAPersonMustMendEndsTheStart(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(c *configs.Config)
		code int
	}{
		{"no certificate of the NTS server", func(c *configs.Config) {
			c.NTSServer.Listen, c.NTSServer.NTPListen = "127.0.0.1:0", "127.0.0.1:0"
			c.NTSServer.Cert, c.NTSServer.Key = "nowhere.pem", "nowhere.key"
		}, exitConfig},
		{"no certificate of the broker", func(c *configs.Config) {
			c.MQTT.Enabled, c.MQTT.Listen, c.MQTT.TLSListen = true, "127.0.0.1:0", "127.0.0.1:0"
			c.MQTT.TLSCert, c.MQTT.TLSKey = "nowhere.pem", "nowhere.key"
		}, exitConfig},
		{"PTP on an unfit interface", func(c *configs.Config) { c.PTP.Interfaces = []string{"lo"} }, exitConfig},
	} {
		cfg := quietly(t)
		c.set(&cfg)
		_, err := newGateway(cfg, false, slog.New(slog.DiscardHandler))
		if e := (*exitError)(nil); !errors.As(err, &e) || e.code != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestKeysThatCannotBeUsedEndTheStart holds it to end with a code over which systemd does not start it again, where a file
// is not as it was left; who only holds a lock may be gone at the next start.
func TestKeysThatCannotBeUsedEndTheStart(t *testing.T) {
	change := func(path string, mode os.FileMode) func(dir string) error {
		return func(dir string) error { return os.Chmod(filepath.Join(dir, path), mode) }
	}
	remove := func(path string) func(dir string) error {
		return func(dir string) error { return os.Remove(filepath.Join(dir, path)) }
	}
	spoil := func(path string) func(dir string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, path), []byte("x"), 0o600) }
	}
	for _, c := range []struct {
		name string
		do   func(dir string) error
		code int
	}{
		{"nothing", func(string) error { return nil }, exitOK},
		{"a root key that others may read", change("keys/root-ed25519.key", 0o644), exitPermission},
		{"no root key", remove("keys/root-ed25519.key"), exitConfig},
		{"a spoilt root key", spoil("keys/root-ed25519.key"), exitConfig},
		{"a node key that others may read", change("nodes/nodes.key", 0o644), exitPermission},
		{"no node key", remove("nodes/nodes.key"), exitConfig},
		{"no node list", remove("nodes/nodes.json"), exitConfig},
		{"a spoilt node list", spoil("nodes/nodes.json"), exitConfig},
		{"a node list that is held", func(dir string) error {
			unlock, err := durable.Lock(filepath.Join(dir, "nodes/nodes.lock"))
			t.Cleanup(unlock)
			return err
		}, exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := quietly(t)
			keys, err := openSigning(cfg)
			if err != nil {
				t.Fatal(err)
			}
			nodes, err := openNodes(cfg, keys.Gateway())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := nodes.Add("kitchen"); err != nil {
				t.Fatal(err)
			}
			if err := c.do(cfg.Gateway.StateDir); err != nil {
				t.Fatal(err)
			}
			_, err = newGateway(cfg, false, slog.New(slog.DiscardHandler))
			if got := code(terminal{err: io.Discard}, verb{name: "run"}, err); got != c.code {
				t.Errorf("exit code %d, want %d: %v", got, c.code, err)
			}
		})
	}
}

// TestTheLogSaysWhySoTheClockIs holds the start to tell who steers the host clock and why, whoever decided it.
func TestTheLogSaysWhySoTheClockIs(t *testing.T) {
	for _, c := range []struct {
		mode string
		dry  bool
		says string
	}{
		{"observe", false, `"clock mode" mode=observe why="the configuration says so"`},
		{"follow", false, `"clock mode" mode=follow why="the configuration says so"`},
		{"auto", true, `"clock mode" mode=observe why="this is a dry run"`},
		{"system", true, `"clock mode" mode=observe why="this is a dry run"`},
		{"auto", false, `"clock mode" mode=observe why="this process may not set the host clock"`},
	} {
		if c.mode == "auto" && !c.dry && sysclock.MaySetTime() {
			continue // the loop decides, and says so
		}
		cfg := quietly(t)
		cfg.Clock.Mode = c.mode
		var log strings.Builder
		if _, err := newGateway(cfg, c.dry, slog.New(slog.NewTextHandler(&log, nil))); err != nil || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s: %v\n%s", c.mode, err, log.String())
		}
	}
}

// No source event is lost while the loop is busy, and a source that waits for it ends with the program.
func TestSourceEventsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(chan loop.SourceEvent, 1)
		tell := hand(events)
		told := make(chan struct{})
		go func() {
			defer close(told)
			tell(t.Context(), "a", discipline.Standing{Reachable: true})
			tell(t.Context(), "a", discipline.Standing{Denied: "revoked", Revoked: true})
			tell(t.Context(), "a", discipline.Standing{})
		}()
		synctest.Wait()
		for i, want := range []discipline.Standing{{Reachable: true}, {Denied: "revoked", Revoked: true}, {}} {
			synctest.Wait()
			select {
			case e := <-events:
				if e.Name != "a" || e.Standing != want {
					t.Errorf("event %d is %+v", i, e)
				}
			default:
				t.Errorf("event %d was lost", i)
			}
		}
		<-told
		events <- loop.SourceEvent{}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		tell(ctx, "a", discipline.Standing{})
	})
}
