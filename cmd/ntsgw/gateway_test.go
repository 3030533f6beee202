package main

import (
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/configs"
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
