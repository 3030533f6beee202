package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

// TestATakenPortIsNamedWithItsKey holds the advice to the listener whose port is taken.
func TestATakenPortIsNamedWithItsKey(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken, dir := l.Addr().String(), t.TempDir()
	cert, key := certstest.WritePair(t, dir, "server", certstest.New(t).Issue(t, certstest.Leaf{}))
	for _, c := range []struct{ name, listen, tls, says, not string }{
		{"plain", taken, "", `broker = "mqtt://` + taken + `"`, "tls_listen"},
		{"TLS", "127.0.0.1:0", taken, "change tls_listen in [mqtt]", "broker ="},
	} {
		cfg := configs.Defaults()
		cfg.Gateway.StateDir, cfg.Clock.Mode = filepath.Join(dir, c.name), "observe"
		cfg.MQTT.Listen, cfg.MQTT.TLSListen, cfg.MQTT.TLSCert, cfg.MQTT.TLSKey = c.listen, c.tls, cert, key
		if _, err := newGateway(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), c.not) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestThePageTakesNothingWithIt holds a page that can't listen to be warned of and tried again, while the gateway runs.
func TestThePageTakesNothingWithIt(t *testing.T) {
	taken, err := net.Listen("tcp", loopback.Free(t)) // a port that no other connection is given while it is free
	if err != nil {
		t.Fatal(err)
	}
	cfg := configs.Defaults()
	cfg.Gateway.StateDir, cfg.Clock.Mode, cfg.MQTT.Enabled = t.TempDir(), "observe", false
	cfg.Servers, cfg.BuiltinServers = []configs.Server{{Name: "closed", Address: "127.0.0.1:1", Roots: "system", PinMode: "add"}}, false
	cfg.Status.Listen, cfg.Status.Socket = taken.Addr().String(), filepath.Join(program.Folder(t), "s")
	g, err := newGateway(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		taken.Close()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	}()
	warned := func(r *status.Report) bool {
		return slices.ContainsFunc(r.Warnings, func(w discipline.Warning) bool { return w.ID == "status-page" })
	}
	asked := func(want bool) func() bool {
		return func() bool {
			r, err := status.Ask(ctx, cfg.Status.Socket)
			return err == nil && warned(r) == want
		}
	}
	program.Eventually(t, 5*time.Second, "the control socket says that the page is not there", asked(true))
	taken.Close()
	program.Eventually(t, 5*time.Second, "the page is there, and nothing is said of it any more", asked(false))
	resp, err := http.Get("http://" + cfg.Status.Listen + "/status.json")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestTheLogSaysWhySoTheClockIs holds the start to tell who steers the host clock and why, whoever decided it.
func TestTheLogSaysWhySoTheClockIs(t *testing.T) {
	for _, c := range []struct{ mode, says string }{
		{"observe", `"clock mode" mode=observe why="the configuration says so"`},
		{"follow", `"clock mode" mode=follow why="the configuration says so"`},
		{"auto", `"clock mode" mode=observe why="this process may not set the host clock"`},
	} {
		if c.mode == "auto" && sysclock.MaySetTime() {
			continue // the loop decides, and says so
		}
		cfg := configs.Defaults()
		cfg.Gateway.StateDir, cfg.Clock.Mode, cfg.MQTT.Enabled = t.TempDir(), c.mode, false
		var log strings.Builder
		if _, err := newGateway(cfg, slog.New(slog.NewTextHandler(&log, nil))); err != nil || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s: %v\n%s", c.mode, err, log.String())
		}
	}
}
