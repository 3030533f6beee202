package configs

import (
	"net"
	"strings"
	"time"
)

// Defaults returns the configuration that holds without any file.
func Defaults() Config {
	c := Config{
		Gateway: Gateway{StateDir: "/var/lib/ntsgw"},
		Clock: Clock{
			Mode:            "auto",
			StepThreshold:   100 * time.Millisecond,
			PanicThreshold:  1000 * time.Second,
			HoldoverMax:     24 * time.Hour,
			MaxFrequencyPPM: 500,
			RTC:             true,
			Thermometer:     "auto",
			DriftFile:       "drift",
		},
		Trust: Trust{MaxSourceStratum: 1, Revocation: "prefer", RevocationCheck: time.Hour},
		MQTT: MQTT{
			Enabled:      true,
			Listen:       "127.0.0.1:1883",
			Interval:     16 * time.Second,
			Algorithms:   []string{"ed25519"},
			MaxClients:   10000,
			RequestRate:  1,
			RequestBurst: 8,
		},
		PTP:    PTP{Priority1: 128, Priority2: 128},
		Status: Status{Listen: "127.0.0.1:8460", Socket: "/run/ntsgw/ntsgw.sock"},
		Log:    Log{Level: "info", Format: "auto"},
	}
	c.Servers = builtinServers()
	c.BuiltinServers = true
	return c
}

// builtinServers is the list that is used when no [[server]] is given: public Stratum-1
// servers of four operators. Their operators ask for moderate polling.
func builtinServers() []Server {
	var list []Server
	for _, host := range []string{
		"ptbtime1.ptb.de", "ptbtime2.ptb.de", "ptbtime3.ptb.de", "ptbtime4.ptb.de",
		"sth1.nts.netnod.se", "sth2.nts.netnod.se", "gbg1.nts.netnod.se", "mmo1.nts.netnod.se",
		"ntppool1.time.nl", "ntppool2.time.nl",
		"gps.ntp.br",
	} {
		s := newServer()
		s.Name, s.Address = host, net.JoinHostPort(host, DefaultKEPort)
		s.MinPoll = 64 * time.Second
		list = append(list, s)
	}
	return list
}

// DefaultKEPort is the port of NTS-KE (RFC 8915 §7.1).
const DefaultKEPort = "4460"

func newServer() Server {
	return Server{Roots: "", PinMode: "add", MinPoll: 16 * time.Second, MaxPoll: 1024 * time.Second}
}

// splitHostPort splits HOST, HOST:PORT, [V6]:PORT and a bare V6 address, with def for a
// missing port.
func splitHostPort(s, def string) (host, port string, ok bool) {
	if h, p, err := net.SplitHostPort(s); err == nil {
		return h, p, h != "" && p != ""
	}
	h := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if strings.Contains(h, ":") && net.ParseIP(h) == nil {
		return "", "", false
	}
	return h, def, h != ""
}

// KEAddress returns s as host:port with the port of NTS-KE where s has none, or false when
// it is not an address.
func KEAddress(s string) (string, bool) {
	h, p, ok := splitHostPort(s, DefaultKEPort)
	if !ok || strings.ContainsAny(h, " /\\@?#") || !validPort(p) {
		return "", false
	}
	return net.JoinHostPort(h, p), true
}
