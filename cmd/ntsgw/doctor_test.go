package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
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
			c.Status.Listen, c.MQTT.Listen = free, free
			if f := startFinding(c, nil); f.grade != "ok" {
				t.Fatalf("all are free: %s", f.text)
			}
			tt.set(&c, tt.taken)
			if f := startFinding(c, nil); f.grade != "bad" || !strings.Contains(f.text, tt.taken) || !strings.Contains(f.text, "stop who holds it") {
				t.Errorf("%s %s", f.grade, f.text)
			}
			_, port, _ := net.SplitHostPort(tt.taken)
			nowhere := net.JoinHostPort("192.0.2.1", port) // RFC 5737: nobody's
			tt.set(&c, nowhere)
			if f := startFinding(c, nil); f.grade != "bad" || !strings.Contains(f.text, nowhere) || !strings.Contains(f.text, "no interface of this machine") {
				t.Errorf("%s %s", f.grade, f.text)
			}
		})
	}
}

// TestDoctorSaysWhatEnded holds the doctor, and check, to say of a certificate that ended that it did: whoever is shown it
// refuses it.
func TestDoctorSaysWhatEnded(t *testing.T) {
	t.Parallel()
	pki, dir := certstest.New(t), t.TempDir()
	for _, name := range []string{"ended", "soon", "good"} {
		end := pki.Now.AddDate(0, 0, map[string]int{"ended": -3, "soon": 5, "good": 80}[name])
		certstest.WritePair(t, dir, name, pki.Issue(t, certstest.Leaf{NotBefore: end.AddDate(0, 0, -90), NotAfter: end}))
	}
	config := filepath.Join(dir, "c.toml")
	for _, c := range []struct{ listener, name, grade, says string }{
		{"nts", "ended", "bad", " ended at "},
		{"nts", "soon", "note", " ends within 7 days, at "},
		{"nts", "good", "", ""},
		{"mqtt", "ended", "bad", " ended at "},
		{"mqtt", "soon", "note", " ends within 7 days, at "},
		{"both", "ended", "bad", " ended at "},
	} {
		text := "[gateway]\nstate_dir = \"state\"\n[status]\nlisten = \"127.0.0.1:0\"\nsocket = \"none.sock\"\n[mqtt]\nlisten = \"127.0.0.1:0\"\n"
		if c.listener != "nts" {
			text += fmt.Sprintf("tls_listen = \"127.0.0.1:0\"\ntls_cert = \"%s.pem\"\ntls_key = \"%[1]s.key\"\n", c.name)
		}
		if c.listener != "mqtt" {
			text += fmt.Sprintf("[nts_server]\nlisten = \"127.0.0.1:0\"\nntp_listen = \"127.0.0.1:0\"\ncert = \"%s.pem\"\nkey = \"%[1]s.key\"\n", c.name)
		}
		program.Write(t, config, text)
		line := "by the host clock: The listener's certificate CN=localhost (" + filepath.Join(dir, c.name+".pem") + ")" + c.says
		var doctor, check, problems strings.Builder
		dispatch(t.Context(), terminal{nil, &doctor, &doctor}, []string{"doctor", "-offline", "-config", config})
		code := dispatch(t.Context(), terminal{nil, &check, &problems}, []string{"check", "-config", config})
		want := 1
		if c.says == "" {
			want = 0
		}
		if n := strings.Count(doctor.String(), fmt.Sprintf("%-5s %s", c.grade, line)); n != want || strings.Count(doctor.String(), "by the host clock") != want {
			t.Errorf("%v: doctor says it %d times:\n%s", c, n, doctor.String())
		}
		if n := strings.Count(problems.String(), config+": "+line); n != want || code != exitOK || !strings.Contains(check.String(), ": ok, ") {
			t.Errorf("%v: check says it %d times and ends with %d:\n%s%s", c, n, code, problems.String(), check.String())
		}
	}
}

// TestDoctorAsksWhatTheGatewayWouldAsk holds the doctor, and check -connect, to find out what a connection alone does
// not show: that a server gives no authenticated time, or is not the right one.
func TestDoctorAsksWhatTheGatewayWouldAsk(t *testing.T) {
	t.Parallel()
	ca, file, other := upstreamtest.NewCA(t), filepath.Join(t.TempDir(), "ca.pem"), certstest.New(t).CAFile(t)
	if err := os.WriteFile(file, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	silent := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
	silent.Silence(true)
	noKeys := certstest.Serve(t, certstest.ServerConfig(ca.Issue(t))) // it offers ntske/1 and speaks something else
	honest := upstreamtest.NewServer(t, ca, upstreamtest.Config{}).Address
	c := configs.Defaults()
	c.Trust.MaxSourceStratum = 15
	for _, s := range []configs.Server{
		{Name: "good", Address: honest},
		{Name: "unknown", Address: "nts.invalid:4460"},
		{Name: "closed", Address: "127.0.0.1:1"},
		{Name: "stranger", Address: honest, CA: other},
		{Name: "pinned", Address: honest, Pins: []string{"sha256/" + strings.Repeat("A", 43) + "="}},
		{Name: "no-time", Address: silent.Address},
		{Name: "no-keys", Address: noKeys},
	} {
		s.Roots, s.PinMode, s.Revocation = "ca", "add", "off"
		if s.CA == "" {
			s.CA = file
		}
		c.Servers = append(c.Servers[:len(c.Servers):len(c.Servers)], s)
	}
	c.Servers = c.Servers[len(configs.Defaults().Servers):]
	probes, err := probeServers(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ doctor, check string }{
		{"good gives authenticated time: stratum", "accepted, 1 day left\n  stratum"},
		{"the name nts.invalid does not resolve", "not reached: the name nts.invalid"},
		{"127.0.0.1:1 refuses the connection", "not reached: 127.0.0.1:1 refuses"},
		{`name its authority: ca = "FILE" in the [[server]] of stranger`, "refused (unknown-ca): "},
		{"pin", "refused (pin-mismatch): "},
		{"no-time can't be used: ", "its certificate is accepted, but it gives no time that can be used: "},
		{"no-keys can't be used: ", "its certificate is accepted, but it gives no time that can be used: "},
	} {
		f, report, name := probes[i].finding(), probes[i].report(), c.Servers[i].Name
		if (f.grade == "ok") != (i == 0) || !strings.HasPrefix(f.text, name+" ") || !strings.Contains(f.text, want.doctor) {
			t.Errorf("doctor: %s %s", f.grade, f.text)
		}
		if !strings.HasPrefix(report, name+": "+want.check) {
			t.Errorf("check -connect: %s", report)
		}
	}
}

// TestAStrangeAuthorityIsNamedWithItsFlag holds query to say where an authority is named that it does not know.
func TestAStrangeAuthorityIsNamedWithItsFlag(t *testing.T) {
	server := upstreamtest.NewServer(t, upstreamtest.NewCA(t), upstreamtest.Config{})
	var said strings.Builder
	args := []string{"query", server.Address, "-revocation", "off", "-ca", certstest.New(t).CAFile(t)}
	if code := dispatch(context.Background(), terminal{out: io.Discard, err: &said}, args); code != exitFailed || !strings.Contains(said.String(), "name its authority: -ca FILE") {
		t.Errorf("exit code %d: %s", code, said.String())
	}
}

// TestACoarseClockIsUnfit holds the start to end, with the code of what a person must mend, over a raw clock that counts
// timer interrupts, and the doctor to say the same.
func TestACoarseClockIsUnfit(t *testing.T) {
	g := &gateway{cfg: quietly(t), log: slog.New(slog.DiscardHandler), tick: func() time.Duration { return 4 * time.Millisecond }}
	err := g.newLoop(make(chan discipline.Measurement), nil)
	if e := (*exitError)(nil); !errors.As(err, &e) || e.code != exitConfig || !strings.Contains(err.Error(), "steps of 4ms, more than 100µs, so this host is not fit") {
		t.Errorf("%v", err)
	}
	for tick, want := range map[time.Duration]finding{
		17:                    {"ok", "fine enough"},
		10 * time.Microsecond: {"note", "steps of 10µs"},
		4 * time.Millisecond:  {"bad", "not fit"},
	} {
		if f := tickFinding(tick); f.grade != want.grade || !strings.Contains(f.text, want.text) {
			t.Errorf("%v: %s %s", tick, f.grade, f.text)
		}
	}
}

// TestDoctorGradesARunningGateway holds the doctor to call no gateway well that serves nothing.
func TestDoctorGradesARunningGateway(t *testing.T) {
	for _, tt := range []struct {
		state, time string
		uptime      float64
		grade       string
	}{
		{"synchronized", "2026-01-01T00:00:00Z", 9, "ok"},
		{"holdover", "2026-01-01T00:00:00Z", 9999, "note"},
		{"acquiring", "", 9, "note"},
		{"acquiring", "", 9999, "bad"},
		{"unsynchronized", "", 9999, "bad"},
	} {
		r := status.Report{State: tt.state, Synchronized: tt.state == "synchronized", Time: tt.time, Uptime: tt.uptime}
		if f := gatewayFinding(&r); f.grade != tt.grade || !strings.Contains(f.text, tt.state) {
			t.Errorf("%s after %g s: %s %s", tt.state, tt.uptime, f.grade, f.text)
		}
	}
}

// TestDoctorTriesEveryBroker holds the doctor to say what a broker that runs elsewhere says.
func TestDoctorTriesEveryBroker(t *testing.T) {
	// answers is a broker that answers every CONNECT (MQTT 3.1.1, 3.2) with code.
	answers := func(code byte) string {
		return "mqtt://" + loopback.Serve(t, func(c net.Conn) {
			c.Read(make([]byte, 512))
			c.Write([]byte{0x20, 2, 0, code})
			io.ReadAll(c)
		})
	}
	open, shut, down := answers(0), answers(5), "mqtt://127.0.0.1:1"
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		cfg   configs.MQTT
		grade string
		says  string
	}{
		{configs.MQTT{Broker: open}, "ok", "lets the gateway in"},
		{configs.MQTT{Broker: shut}, "bad", "lets nobody in without a name and password"},
		{configs.MQTT{Broker: shut, User: "gw", PasswordFile: password}, "bad", "refuses the name gw and its password: mend user and password_file"},
		{configs.MQTT{Broker: down}, "bad", "nothing listens there"},
		{configs.MQTT{Also: []string{down}}, "bad", "nothing listens there"},
	} {
		tt.cfg.Enabled = true
		found := brokerFindings(context.Background(), tt.cfg)
		if len(found) != 1 || found[0].grade != tt.grade || !strings.Contains(found[0].text, tt.says) {
			t.Errorf("%d: %v", i, found)
		}
	}
	if found := brokerFindings(context.Background(), configs.Defaults().MQTT); len(found) != 0 {
		t.Errorf("the embedded broker was tried: %v", found)
	}
}
