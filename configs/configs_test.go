package configs

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestExampleIsTheDefaults(t *testing.T) {
	got, err := Parse("/etc/ntsgw/ntsgw.toml", Example)
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Path = "/etc/ntsgw/ntsgw.toml"
	// An empty list in the file and an absent one mean the same.
	for _, list := range []*[]string{&got.Trust.Servers, &got.Trust.CRL, &got.MQTT.Also, &got.PTP.Interfaces, &got.PTP.P2P, &got.PTP.UDP6, &got.Status.Hosts} {
		if len(*list) != 0 {
			t.Errorf("the example fills a list: %v", *list)
		}
		*list = nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("example differs from the defaults:\n got %+v\nwant %+v", got, want)
	}
}

// TestExampleServerCanBeTaken holds the [[server]] of the example, which is commented out, to be right without the #.
func TestExampleServerCanBeTaken(t *testing.T) {
	_, text, _ := strings.Cut(Example, "\n# [[server]]\n")
	text, _, _ = strings.Cut("[[server]]\n"+text, "\n[trust]")
	got, err := Parse("c.toml", strings.ReplaceAll(text, "\n# ", "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Servers; len(s) != 1 || s[0].Address != "nts.example.net:4460" || s[0].Name != "example" || s[0].MinPoll != 16*time.Second || s[0].Roots != "ca" {
		t.Errorf("server: %+v", s)
	}
}

func TestTimeIsHandedOutBesideTheKeys(t *testing.T) {
	for listen, want := range map[string]string{"": "", "192.0.2.1:4460": "192.0.2.1:123", ":4460": ":123", "[::1]:4460": "[::1]:123"} {
		got, err := Parse("c.toml", fmt.Sprintf("[nts_server]\nlisten = %q\ncert = \"c\"\nkey = \"k\"\n", listen))
		if err != nil || got.NTSServer.NTPListen != want {
			t.Errorf("%q: time on %q, want %q: %v", listen, got.NTSServer.NTPListen, want, err)
		}
	}
}

func TestExampleNamesEveryKey(t *testing.T) {
	cfg := Defaults()
	for section, fields := range cfg.sections() {
		for key := range fields {
			if !strings.Contains(Example, "\n"+key+" = ") {
				t.Errorf("[%s] %s is not in the example", section, key)
			}
		}
	}
	for key := range (&Server{}).fields() {
		if !strings.Contains(Example, "\n# "+key+" = ") {
			t.Errorf("[[server]] %s is not in the example", key)
		}
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "[clock]\nstep_treshold = \"1s\"\n", `c.toml:2:1: unknown key in [clock] "step_treshold"; did you mean "step_threshold"?`},
		{"unknown section", "[clok]\n", `c.toml:1:1: unknown section "clok"; did you mean [clock]?`},
		{"servers as a section", "[[servers]]\naddress = \"a.net\"\n", `c.toml:1:1: unknown section "servers"; did you mean [[server]]?`},
		{"a key as a section", "[listen]\nx = 1\n[[server]]\naddress = \"a.net\"\n", `c.toml:1:1: unknown section "listen"; known are [clock], [gateway], [log], [mqtt], [nts_server], [ptp], [[server]], [status], [trust]`},
		{"servers as a key", "servers = \"x\"\n", "c.toml:1:1: servers belongs in [trust]: write it below that line"},
		{"no section", "state_dir = \"s\"\nlisten = \"x\"\n[clock]\nca = \"x\"\n", "c.toml:1:1: state_dir belongs in [gateway]: write it below that line\nc.toml:2:1: listen belongs in [mqtt] or [nts_server] or [status]: write it below that line\nc.toml:4:1: ca belongs in [[server]] or [mqtt]: write it below that line"},
		{"wrong type", "[clock]\n  step_threshold = 5\n", `c.toml:2:3: step_threshold: want a duration in quotes with a unit, such as "1s", have the number 5`},
		{"no unit", "[mqtt]\ninterval = \"16\"\n", `c.toml:2:1: interval: "16" is not a duration; write a number with a unit (ms, s, m, h), such as "16s"`},
		{"out of range", "[trust]\nmax_source_stratum = 16\n", `c.toml:2:1: max_source_stratum: 16 is out of range; it must be 1 to 15`},
		{"a rate that no clock has", "[clock]\nmax_frequency_ppm = 100000\n", `c.toml:2:1: max_frequency_ppm: 100000 is out of range; it must be 1 to 10000`},
		{"a limit that nothing can keep", "[clock]\nmax_error_limit = \"1ns\"\n", `c.toml:2:1: max_error_limit: 1ns is out of range; it must be 1µs to 18h0m0s, or "0s" for none`},
		{"longer than can be counted", "[clock]\nholdover_max = \"3000000h\"\n", `c.toml:2:1: holdover_max: 3000000h is out of range; it must be 1m0s to 8760h0m0s`},
		{"choice", "[clock]\nmode = \"obsrve\"\n", `c.toml:2:1: mode: "obsrve" is not one of auto, system, observe, follow; did you mean "observe"?`},
		{"duplicate server", "[[server]]\naddress = \"a.net\"\n[[server]]\naddress = \"a.net:4460\"\n", `c.toml:4:1: server a.net:4460 is listed twice; the first is on line 1`},
		{"no address", "\n[[server]]\nname = \"x\"\n", `c.toml:2:1: a [[server]] needs an address: add address = "nts.example.net"`},
		{"control character", "[[server]]\naddress = \"a.net\"\nname = \"a\\tb\"\n", `c.toml:3:1: name: "a\tb" holds a control character, such as a tab or a line's end; leave it out`},
		{"one bracket", "[server]\naddress = \"a.net\"\n", `c.toml:1:1: servers are written as [[server]], with two brackets, once for each`},
		{"a broker twice", "[mqtt]\nbroker = \"mqtt://a\"\nalso = [\"mqtt://b\", \"mqtt://a\"]\n", `c.toml:3:1: also: "mqtt://a" is the broker already`},
		{"pin", "[[server]]\naddress = \"a.net\"\npins = [\"sha256/AA\"]\n", `c.toml:3:1: pins: entry 1: "sha256/AA" is not a pin; write "sha256/" and 44 characters of base64, as ntsgw query -json prints in spki_pin`},
		{"one port for two", "[mqtt]\nlisten = \"127.0.0.1:8460\"\n", `c.toml:2:1: 127.0.0.1:8460 can't be listened on twice: 127.0.0.1:8460 in [status] has it; give another port`},
		{"one port for two, one of them everywhere", "[status]\nlisten = \":1883\"\n", `c.toml:2:1: :1883 can't be listened on twice: 127.0.0.1:1883 in [mqtt] has it; give another port`},
		{"quorum", "[clock]\nmin_sources = 3\n[[server]]\naddress = \"a.net\"\n", `c.toml:2:1: min_sources is 3, but only 1 server is configured: it could never be reached`},
		{"quorum of two", "[clock]\nmin_sources = 3\n[[server]]\naddress = \"a.net\"\n[[server]]\naddress = \"b.net\"\n", `c.toml:2:1: min_sources is 3, but only 2 servers are configured: it could never be reached`},
		{"syntax", "[clock]\nmode = observe\n", `c.toml:2:8: not valid TOML: expected value but found "observe" instead`},
		{"broker with a password", "[mqtt]\nbroker = \"mqtt://gw:secret@h\"\n", "c.toml:2:1: broker: a broker's URL carries no user or password; use user and password_file"},
		{"broker with a password and a bad port", "[mqtt]\nbroker = \"mqtt://gw:secret@h:x\"\n", "c.toml:2:1: broker: a broker's URL carries no user or password; use user and password_file"},
		{"broker with a password and no scheme", "[mqtt]\nalso = [\"gw:secret@h:1883\"]\n", "c.toml:2:1: also: entry 1: a broker's URL carries no user or password; use user and password_file"},
		{"broker", "[mqtt]\nbroker = \"http://x\"\n", `c.toml:2:1: broker: "http://x" is not a broker's URL; write mqtt://HOST:1883, mqtts://HOST:8883, ws://HOST/PATH, wss://HOST/PATH or unix:///PATH`},
		{"untrusted", "[trust]\nservers = [\"b.net\"]\n[[server]]\naddress = \"a.net\"\n", `c.toml:4:1: server a.net:4460 is not in [trust] servers, so it would never be contacted`},
		{"multi-line string hides no key", "[clock]\nleap_list = \"\"\"\nmode = 3\n\"\"\"\nmode = 3\n", `c.toml:5:1: mode: want a string in quotes, have the number 3`},
		{"PTP twice on one interface", "[ptp]\ninterfaces = [\"eth0\", \"eth0\"]\n", `c.toml:2:1: interfaces: entry 2: "eth0" is listed twice`},
		{"PTP on an address", "[ptp]\ninterfaces = [\"192.0.2.1\"]\n", `c.toml:2:1: interfaces: entry 1: "192.0.2.1" is not a network interface's name; ip -br link lists them`},
		{"PTP on an alias", "[ptp]\ninterfaces = [\"eth0:1\"]\n", `c.toml:2:1: interfaces: entry 1: "eth0:1" is not a network interface's name; ip -br link lists them`},
		{"peer delays where there is no PTP", "[ptp]\ninterfaces = [\"eth0\"]\np2p = [\"eth1\"]\n", `c.toml:3:1: p2p: "eth1" is not in interfaces`},
		{"IPv6 where there is no PTP", "[ptp]\nudp6 = [\"eth0\"]\n", `c.toml:2:1: udp6: "eth0" is not in interfaces`},
		{"PTP over IPv6 twice", "[ptp]\ninterfaces = [\"eth0\"]\nudp6 = [\"eth0\", \"eth0\"]\n", `c.toml:3:1: udp6: entry 2: "eth0" is listed twice`},
		{"PTP priority", "[ptp]\npriority1 = 256\n", `c.toml:2:1: priority1: 256 is out of range; it must be 0 to 255`},
		{"thermometer", "[clock]\nthermometer = \"atuo\"\n", `c.toml:2:1: thermometer: "atuo" is not auto, none or the full path of a file that holds millidegrees; did you mean "auto"?`},
		{"thermometer's path", "[clock]\nthermometer = \"zones/temp\"\n", `c.toml:2:1: thermometer: "zones/temp" is not auto, none or the full path of a file that holds millidegrees`},
		{"days", "[clock]\nholdover_max = \"1.5d\"\n", `c.toml:2:1: holdover_max: "1.5d" is not a duration; write a number with a unit (ms, s, m, h), such as "36h"`},
		{"minutes", "[mqtt]\ninterval = \"5 Minutes\"\n", `c.toml:2:1: interval: "5 Minutes" is not a duration; write a number with a unit (ms, s, m, h), such as "5m"`},
		{"decimal comma", "[mqtt]\ninterval = \"1,5s\"\n", `c.toml:2:1: interval: "1,5s" is not a duration; write a number with a unit (ms, s, m, h), such as "1.5s"`},
		{"no duration at all", "[mqtt]\ninterval = \"\"\n", `c.toml:2:1: interval: "" is not a duration; write a number with a unit (ms, s, m, h), such as "1s"`},
		{"no quotes about a duration", "[mqtt]\ninterval = 16s\n", `c.toml:2:14: not valid TOML: expected a top-level item to end with a newline, comment, or EOF, but got 's' instead; words and durations stand in straight double quotes`},
		{"a section twice", "[clock]\nrtc = true\n[clock]\n", `c.toml:3:2: not valid TOML: Key 'clock' has already been defined; write each section and key once`},
		{"a whole number with an exponent", "[mqtt]\nmax_clients = 1e3\n", `c.toml:2:1: max_clients: want a whole number, without point or exponent: 1000`},
		{"a number in quotes", "[clock]\nmin_sources = \"2\"\n", `c.toml:2:1: min_sources: want "auto" or a whole number without quotes, have "2"`},
		{"large letters", "[log]\nlevel = \"INFO\"\n", `c.toml:2:1: level: "INFO" is not one of debug, info, warn, error; did you mean "info"?`},
		{"no state folder", "[gateway]\nstate_dir = \"\"\n", `c.toml:2:1: state_dir: it can't be empty; leave it out for "/var/lib/ntsgw"`},
		{"no socket", "[status]\nsocket = \"\"\n", `c.toml:2:1: socket: it can't be empty; leave it out for "/run/ntsgw/ntsgw.sock"`},
		{"a socket's path too long", "[status]\nsocket = \"/" + strings.Repeat("x", 107) + "\"\n", `c.toml:2:1: socket: the path has 108 bytes; a socket's has 107 at most`},
		{"an empty path in a list", "[trust]\ncrl = [\"\"]\n", `c.toml:2:1: crl: entry 1: it is empty; name a file, or leave the entry out`},
		{"one server in other letters", "[[server]]\naddress = \"a.net\"\n[[server]]\naddress = \"A.NET.\"\n", `c.toml:4:1: server A.NET.:4460 is listed twice; the first is on line 1`},
		{"one server in other digits", "[[server]]\naddress = \"2001:db8::1\"\n[[server]]\naddress = \"[2001:DB8:0::1]:4460\"\n", `c.toml:4:1: server [2001:DB8:0::1]:4460 is listed twice; the first is on line 1`},
		{"an unknown key of a server", "[[server]]\nadress = \"a.net\"\n", `c.toml:2:1: unknown key in [[server]] "adress"; did you mean "address"?`},
		{"a port of its own", "[[server]]\naddress = \"a.net\"\nport = 4460\n", `c.toml:3:1: unknown key in [[server]] "port"; the port stands behind the host, such as "host:4460"`},
		{"a name in no certificate", "[[server]]\naddress = \"a.net\"\nnames = [\"https://a.net\"]\n", `c.toml:3:1: names: entry 1: "https://a.net" is not a name in a certificate; write a host name or IP address, without a port`},
		{"a broker's port", "[mqtt]\nbroker = \"mqtt://h:99999\"\n", `c.toml:2:1: broker: "mqtt://h:99999" names no port; it is a number from 1 to 65535, or left out`},
		{"a broker's IPv6 address", "[mqtt]\nbroker = \"mqtt://::1:1883\"\n", `c.toml:2:1: broker: "mqtt://::1:1883": an IPv6 address stands in brackets: mqtt://[::1]:1883`},
		{"a broker's socket", "[mqtt]\nbroker = \"unix://run/m.sock\"\n", `c.toml:2:1: broker: "unix://run/m.sock": a socket's path begins with a third slash: unix:///run/m.sock`},
		{"a broker in other letters", "[mqtt]\nbroker = \"mqtt://H\"\nalso = [\"mqtt://h:1883\"]\n", `c.toml:3:1: also: "mqtt://h:1883" is the broker already`},
		{"a broker's prefix in vain, twice", "[mqtt]\nalso = [\"mqtt://h/a\", \"mqtt://h/b\"]\n", `c.toml:2:1: also: "mqtt://h/b" is listed twice`},
		{"another broker twice", "[mqtt]\nalso = [\"mqtt://h\", \"mqtt://h:1883/\"]\n", `c.toml:2:1: also: "mqtt://h:1883/" is listed twice`},
		{"a prefix of two lines", "[mqtt]\nprefix = \"\\n/\"\n", `c.toml:2:1: prefix: "\n/" is not a topic prefix`},
		{"trust in a built-in server", "[trust]\nservers = [\"ptbtime1.ptb.de\"]\n", `c.toml:2:1: servers: no [[server]] is configured, and 10 of the 11 built-in ones are not in this list`},
		{"poll order", "[[server]]\naddress=\"a.net\"\nmin_poll=\"64s\"\nmax_poll=\"16s\"\n", `c.toml:3:1: min_poll (1m4s) is larger than max_poll (16s)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("c.toml", tt.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if got := err.Error(); !strings.HasPrefix(got, tt.want) {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestEveryNumberHasARange gives each key that takes a number or a duration values that no gateway can work with.
// What does nothing, or is written otherwise than here, ends no gateway that ran with it: it is said at most.
func TestNoMistakes(t *testing.T) {
	for _, tt := range []struct{ name, text, note string }{
		{"all hosts of a domain, as certificates name them", "[[server]]\naddress = \"192.0.2.1\"\nnames = [\"*.example.net\"]\n", ""},
		{"an address in brackets", "[[server]]\naddress = \"a.net\"\nnames = [\"[2001:db8::1]\"]\n", ""},
		{"a socket of this host", "[mqtt]\nbroker = \"unix://localhost/run/m.sock\"\n", ""},
		{"two brokers behind one proxy", "[mqtt]\nbroker = \"wss://h/mqtt?site=a\"\nalso = [\"wss://h/mqtt?site=b\", \"wss://h/other\"]\n", ""},
		{"a broker's port left out", "[mqtt]\nbroker = \"mqtt://h:\"\n", ""},
		{"a slash behind a broker", "[mqtt]\nbroker = \"mqtt://h:1883/\"\n", ""},
		{"a prefix in a broker's URL", "[mqtt]\nbroker = \"mqtt://h/lab\"\n", `c.toml:2:1: broker: "mqtt://h/lab": what follows the host and port of mqtt:// does nothing; a topic prefix is given in prefix`},
		{"a prefix in another broker's URL", "[mqtt]\nalso = [\"mqtts://h?lab\"]\n", `c.toml:2:1: also: "mqtts://h?lab": what follows the host and port of mqtts:// does nothing; a topic prefix is given in prefix`},
		{"a password without a user", "[mqtt]\nbroker = \"mqtt://h\"\npassword_file = \"p\"\n", `c.toml:3:1: a password without a user is not sent: give user as well`},
		{"TLS without its listener", "[mqtt]\ntls_key = \"k\"\n", `c.toml:2:1: a certificate alone opens no listener: give tls_listen as well, such as "0.0.0.0:8883"`},
		{"time without key exchange", "[nts_server]\nntp_listen = \"0.0.0.0:123\"\n", `c.toml:2:1: ntp_listen alone serves nothing: give listen, the key exchange's address, as well, such as "0.0.0.0:4460"`},
		{"no drift file", "[clock]\ndrift_file = \"\"\n", `c.toml:2:1: drift_file: "" is not the name of a file in state_dir; "drift" is used`},
		{"a drift file elsewhere", "[clock]\ndrift_file = \"/var/lib/drift\"\n", `c.toml:2:1: drift_file: "/var/lib/drift" is not the name of a file in state_dir; "drift" is used`},
		{"every name", "[status]\nhosts = [\"*\"]\n", `c.toml:2:1: hosts: "*" is no host's name, and lets none in`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Parse("c.toml", tt.text)
			if err != nil || cfg.Notes.Error() != tt.note {
				t.Errorf("%v, notes %q, want %q", err, cfg.Notes.Error(), tt.note)
			}
		})
	}
}

func TestEveryNumberHasARange(t *testing.T) {
	cfg, server, ranged := Defaults(), newServer(), 0
	all := cfg.sections()
	all["[server]"] = server.fields()
	for section, fields := range all {
		for key, take := range fields {
			for right, absurd := range map[any][]any{
				int64(2): {int64(-1), int64(1) << 40},
				2.5:      {-1.0, 1e12, math.NaN(), math.Inf(1)},
				"1h":     {"-1s", "1ns", "200000h", "3000000h"},
			} {
				if _, text := right.(string); take(right, "") != nil || text && take("nts", "") == nil {
					continue // it takes another kind of value
				}
				ranged++
				for _, v := range absurd {
					if err := take(v, ""); err == nil || !strings.Contains(err.Error(), "out of range; it must be ") {
						t.Errorf("[%s] %s = %v: %v", section, key, v, err)
					}
				}
			}
		}
	}
	if ranged < 15 {
		t.Errorf("only %d keys were tried", ranged)
	}
}

func TestNoLimitOfTheBound(t *testing.T) {
	got, err := Parse("c.toml", "[clock]\nmax_error_limit = \"0s\"\n")
	if err != nil || got.Clock.MaxErrorLimit != 0 {
		t.Errorf("%v, %v", got.Clock.MaxErrorLimit, err)
	}
}

func TestAllMistakesAtOnceInOrder(t *testing.T) {
	_, err := Parse("c.toml", "[status]\nlisten = 3\n[clock]\nmode = \"x\"\nrtc = 1\n[mqtt]\nfoo = 1\n")
	var ps Problems
	if !errors.As(err, &ps) || len(ps) != 4 {
		t.Fatalf("got %v", err)
	}
	for i, line := range []int{2, 4, 5, 7} {
		if ps[i].Line != line {
			t.Errorf("problem %d is on line %d, want %d", i, ps[i].Line, line)
		}
	}
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "n.toml")
	os.WriteFile(file, []byte("[gateway]\nstate_dir = \"state\"\n[[server]]\naddress = \"[::1]:99\"\nca = \"ca.pem\"\nmin_poll = \"1s\"\nmax_poll=\"8s\"\n"), 0o600)
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Gateway.StateDir != filepath.Join(dir, "state") || c.Servers[0].CA != filepath.Join(dir, "ca.pem") {
		t.Errorf("paths: %q %q", c.Gateway.StateDir, c.Servers[0].CA)
	}
	if s := c.Servers[0]; s.Address != "[::1]:99" || s.Roots != "ca" || c.BuiltinServers {
		t.Errorf("server: %+v", s)
	}
}

func TestLoadWithoutAFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "absent.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a named file that is absent: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Example)
	f.Add("[[server]]\naddress = \"a\"\n[clock]\nmode = '''\nx'''")
	f.Add("[server.x]\n[a]\nb.c = {d=[1,\n2]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Parse("f.toml", text)
		var ps Problems
		if err != nil && (!errors.As(err, &ps) || len(ps) == 0) {
			t.Fatalf("untyped error %v", err)
		}
		for _, p := range ps {
			if p.Line < 1 || p.Col < 1 {
				t.Fatalf("no position: %v", p)
			}
		}
	})
}

func TestAddressesThatExcludeEachOther(t *testing.T) {
	for _, c := range []struct {
		a, b string
		one  bool
	}{
		{"127.0.0.1:1883", "127.0.0.1:1883", true}, {"127.0.0.1:1883", "127.0.0.1:1884", false}, {"127.0.0.1:1883", "127.0.0.2:1883", false},
		{"0.0.0.0:1883", "127.0.0.1:1883", true}, {"0.0.0.0:1883", "[::1]:1883", false}, {"[::]:1883", "127.0.0.1:1883", true},
		{":1883", "[::1]:1883", true}, {"Localhost:1883", "localhost:1883", true}, {"127.0.0.1:0", "127.0.0.1:0", false}, {"", "", false},
	} {
		if oneAddress(c.a, c.b) != c.one || oneAddress(c.b, c.a) != c.one {
			t.Errorf("%q and %q", c.a, c.b)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"config", "dry-run", "max-error", "max-poll"}
	for word, want := range map[string]string{"confg": "config", "dry": "dry-run", "dr": "dry-run", "d": "", "max": "", "max-e": "max-error", "elsewhere": ""} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
