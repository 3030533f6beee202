package main

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ntsgw/ntsgw/configs"
)

// TestDoctorSeesEveryTakenPort holds the doctor to try each address that run would listen on.
func TestDoctorSeesEveryTakenPort(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	const free = "127.0.0.1:0"
	for _, tt := range []struct {
		name  string
		taken string
		set   func(c *configs.Config, taken string)
	}{
		{"page", tcp.Addr().String(), func(c *configs.Config, a string) { c.Status.Listen = a }},
		{"broker", tcp.Addr().String(), func(c *configs.Config, a string) { c.MQTT.Listen = a }},
		{"broker with TLS", tcp.Addr().String(), func(c *configs.Config, a string) { c.MQTT.TLSListen = a }},
		{"key exchange", tcp.Addr().String(), func(c *configs.Config, a string) { c.NTSServer.Listen, c.NTSServer.NTPListen = a, free }},
		{"time", udp.LocalAddr().String(), func(c *configs.Config, a string) { c.NTSServer.Listen, c.NTSServer.NTPListen = free, a }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := configs.Defaults()
			c.Status.Socket = filepath.Join(t.TempDir(), "none.sock")
			c.Status.Listen, c.MQTT.Listen = free, free
			if f := runningFinding(context.Background(), c, nil); f.grade != "ok" {
				t.Fatalf("all are free: %s", f.text)
			}
			tt.set(&c, tt.taken)
			if f := runningFinding(context.Background(), c, nil); f.grade != "bad" || !strings.Contains(f.text, tt.taken) {
				t.Errorf("%s %s", f.grade, f.text)
			}
		})
	}
}

// TestDoctorSaysWhyAServerIsNotReached holds the doctor to name the cause: no firewall is to blame for a
// name that nobody knows.
func TestDoctorSaysWhyAServerIsNotReached(t *testing.T) {
	c := configs.Defaults()
	c.Servers = []configs.Server{{Name: "unknown", Address: "nts.invalid:4460"}, {Name: "closed", Address: "127.0.0.1:1"}}
	for i, want := range []string{"the name nts.invalid does not resolve", "127.0.0.1:1 refuses the connection"} {
		if f := reachFindings(context.Background(), c)[i]; f.grade != "bad" || !strings.Contains(f.text, want) || strings.Contains(f.text, "123") {
			t.Errorf("%s %s", f.grade, f.text)
		}
	}
}
