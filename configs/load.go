package configs

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// DefaultPath is the file that is read when none is named.
const DefaultPath = "/etc/ntsgw/ntsgw.toml"

// Example is the commented example configuration. Every value in it is the default or an
// example of one, and it loads without a mistake.
//
//go:embed ntsgw.toml
var Example string

// Problem is one mistake in a configuration file.
type Problem struct {
	File      string
	Line, Col int // from 1
	Text      string
}

// Error returns file:line:column: text.
func (p Problem) Error() string { return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Text) }

// Problems is every mistake of a file, in the file's order. It is the error of Load and Parse.
type Problems []Problem

// Error returns a line a mistake.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Load reads the configuration file at path. With an empty path it reads DefaultPath, and
// where that does not exist returns the defaults. Its error is Problems for mistakes in the
// text, and wraps the system's error when the file can't be read.
func Load(path string) (Config, error) {
	named := path != ""
	if !named {
		path = DefaultPath
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return Defaults(), nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return Parse(path, string(text))
}

// Parse checks text, the content of the file at path, and returns what it says on top of
// the defaults. Paths in it are taken relative to the file's folder.
func Parse(path, text string) (Config, error) {
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			return Config{}, Problems{{path, max(pe.Position.Line, 1), max(pe.Position.Col, 1), syntaxText(pe)}}
		}
		return Config{}, Problems{{path, 1, 1, err.Error()}}
	}
	p := &parser{path: path, dir: filepath.Dir(path), pos: positions(text)}
	cfg := Defaults()
	cfg.Path = path
	p.file(tree, &cfg)
	for _, list := range []Problems{p.problems, p.notes} {
		slices.SortStableFunc(list, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
	}
	if len(p.problems) > 0 {
		return Config{}, p.problems
	}
	cfg.Notes = p.notes
	if n := &cfg.NTSServer; n.Listen != "" && n.NTPListen == "" {
		host, _, _ := net.SplitHostPort(n.Listen) // it was checked
		n.NTPListen = net.JoinHostPort(host, "123")
	}
	return cfg, nil
}

// Socket is the control socket that the file at path names, whatever else is wrong in it; the default where it can't be
// read.
func Socket(path string) string {
	cfg := Defaults()
	var tree map[string]any
	text, err := os.ReadFile(path)
	if err == nil {
		_, err = toml.Decode(string(text), &tree)
	}
	if err != nil {
		return cfg.Status.Socket
	}
	if section, ok := tree["status"].(map[string]any); ok {
		if socket, ok := section["socket"]; ok {
			_ = cfg.sections()["status"]["socket"](socket, filepath.Dir(path)) // what is no path changes nothing
		}
	}
	return cfg.Status.Socket
}

func syntaxText(pe toml.ParseError) string {
	msg := pe.Message
	if msg == "" {
		msg = strings.TrimPrefix(pe.Error(), fmt.Sprintf("toml: line %d: ", pe.Position.Line))
	}
	switch {
	case strings.Contains(msg, "expected value but found"), strings.Contains(msg, "expected a top-level item to end"):
		msg += `; words and durations stand in straight double quotes, such as "auto" and "16s", true and false in none`
	case strings.Contains(msg, "has already been defined"):
		msg = strings.TrimSuffix(msg, ".") + "; write each section and key once"
	case strings.Contains(msg, "'0x0d'"):
		msg += "; its lines end as on old Macs: save it with line ends of Unix or Windows"
	}
	if pe.LastKey != "" {
		msg += fmt.Sprintf(" (near %q)", pe.LastKey)
	}
	return "not valid TOML: " + msg
}

// parser collects the mistakes of one file.
type parser struct {
	path, dir string
	pos       map[string]position
	problems  Problems
	notes     Problems
}

// fail notes a mistake at key.
func (p *parser) fail(key, format string, args ...any) {
	p.problems = append(p.problems, p.at(key, format, args...))
}

// note notes what does nothing at key.
func (p *parser) note(key, format string, args ...any) {
	p.notes = append(p.notes, p.at(key, format, args...))
}

// at says something of key, or of the closest enclosing table whose place is known.
func (p *parser) at(key, format string, args ...any) Problem {
	at, ok := p.pos[key]
	for k := key; !ok; {
		i := strings.LastIndexAny(k, ".[")
		if i < 0 {
			at = position{1, 1}
			break
		}
		k = k[:i]
		at, ok = p.pos[k]
	}
	return Problem{p.path, at.line, at.col, fmt.Sprintf(format, args...)}
}

func (p *parser) file(tree map[string]any, cfg *Config) {
	sections := cfg.sections()
	names := []string{"server"}
	for name := range sections {
		names = append(names, name)
	}
	slices.Sort(names)
	for name, value := range tree {
		fields, known := sections[name]
		switch {
		case name == "server":
			p.servers(value, cfg)
		case !known && !isTable(value) && p.homeless(name, name, sections):
		case !known:
			p.unknownSection(name, names)
		default:
			table, ok := value.(map[string]any)
			if !ok {
				p.fail(name, "%s is a section: write [%s] on a line of its own, its keys below", name, name)
				continue
			}
			p.table(name, table, fields)
		}
	}
	p.cross(cfg)
}

func (p *parser) table(name string, table map[string]any, fields map[string]field) {
	for key, value := range table {
		path := name + "." + key
		f, ok := fields[key]
		if !ok {
			if p.homeless(path, key, (&Config{}).sections()) {
				continue
			}
			known := make([]string, 0, len(fields))
			for k := range fields {
				known = append(known, k)
			}
			slices.Sort(known)
			section, _, _ := strings.Cut(name, "[")
			p.unknownKey(path, key, section, known)
			continue
		}
		if err := f(value, p.dir); err != nil {
			p.fail(path, "%s: %v", key, err)
		}
	}
}

// homeless notes a key of another section, which stands where it means nothing.
func (p *parser) homeless(path, key string, sections map[string]map[string]field) bool {
	var homes []string
	for name, fields := range sections {
		if _, ok := fields[key]; ok {
			homes = append(homes, "["+name+"]")
		}
	}
	if _, ok := (&Server{}).fields()[key]; ok {
		homes = append(homes, "[[server]]")
	}
	if len(homes) == 0 {
		return false
	}
	slices.Sort(homes)
	p.fail(path, "%s belongs in %s: write it below that line", key, strings.Join(homes, " or "))
	return true
}

func (p *parser) unknownKey(path, word, section string, known []string) {
	hint := "known are " + strings.Join(known, ", ")
	if word == "port" {
		hint = "the port stands behind the host, such as \"host:4460\""
	} else if n := Nearest(word, known); n != "" {
		hint = fmt.Sprintf("did you mean %q?", n)
	}
	p.fail(path, "unknown key in %s %q; %s", heading(section), word, hint)
}

func (p *parser) unknownSection(name string, known []string) {
	heads := make([]string, len(known))
	for i, k := range known {
		heads[i] = heading(k)
	}
	hint := "known are " + strings.Join(heads, ", ")
	if n := Nearest(name, known); n != "" {
		hint = fmt.Sprintf("did you mean %s?", heading(n))
	}
	p.fail(name, "unknown section %q; %s", name, hint)
}

// heading is how a section begins in the file.
func heading(section string) string {
	if section == "server" {
		return "[[server]]"
	}
	return "[" + section + "]"
}

// isTable reports whether value was written as a section, and not as a key.
func isTable(value any) bool {
	switch value.(type) {
	case map[string]any, []map[string]any:
		return true
	}
	return false
}

func (p *parser) servers(value any, cfg *Config) {
	list, ok := value.([]map[string]any)
	if !ok {
		p.fail("server", "servers are written as [[server]], with two brackets, once for each")
		return
	}
	cfg.Servers, cfg.BuiltinServers = nil, false
	seen := map[string]int{}
	names := map[string]int{}
	for i, table := range list {
		path := fmt.Sprintf("server[%d]", i)
		s := newServer()
		s.Line = p.pos[path].line
		before := len(p.problems)
		p.table(path, table, s.fields())
		if len(p.problems) == before {
			p.checkServer(path, &s, table)
		}
		if s.Address != "" {
			if line, dup := seen[endpoint(s.Address)]; dup {
				p.fail(path+".address", "server %s is listed twice; the first is on line %d", s.Address, line)
			} else if line, dup := names[s.Name]; dup {
				p.fail(path+".name", "two servers are named %q; the first is on line %d", s.Name, line)
			}
			seen[endpoint(s.Address)], names[s.Name] = s.Line, s.Line
		}
		cfg.Servers = append(cfg.Servers, s)
	}
}

// endpoint is HOST:PORT in one of the ways in which it can be written: one server under two of them would have two votes.
func endpoint(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); ip != nil {
		host = ip.String()
	}
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(host), "."), port)
}

func (p *parser) checkServer(path string, s *Server, table map[string]any) {
	if s.Address == "" {
		p.fail(path, `a [[server]] needs an address: add address = "nts.example.net"`)
	}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(s.Address, ":"+DefaultKEPort)
	}
	if _, given := table["max_poll"]; !given && s.MaxPoll < s.MinPoll {
		s.MaxPoll = s.MinPoll
	}
	if _, given := table["min_poll"]; !given && s.MinPoll > s.MaxPoll {
		s.MinPoll = s.MaxPoll
	}
	if s.MinPoll > s.MaxPoll {
		p.fail(path+".min_poll", "min_poll (%v) is larger than max_poll (%v)", s.MinPoll, s.MaxPoll)
	}
	if (s.Cert == "") != (s.Key == "") {
		p.fail(path, "cert and key belong together: give both or neither")
	}
	if s.Roots == "" {
		s.Roots = "system"
		if s.CA != "" {
			s.Roots = "ca"
		}
	} else if s.Roots != "system" && s.CA == "" {
		p.fail(path+".roots", "roots = %q needs a ca file", s.Roots)
	}
	if s.PinMode == "replace" && len(s.Pins) == 0 {
		p.fail(path+".pin_mode", `pin_mode = "replace" needs at least one pin in pins`)
	}
}

// cross checks what more than one key decides.
func (p *parser) cross(cfg *Config) {
	if cfg.Clock.StepThreshold > cfg.Clock.PanicThreshold {
		p.fail("clock.step_threshold", "step_threshold (%v) is larger than panic_threshold (%v)", cfg.Clock.StepThreshold, cfg.Clock.PanicThreshold)
	}
	if n := len(cfg.Servers); cfg.Clock.MinSources > n && n > 0 {
		p.fail("clock.min_sources", "min_sources is %d, but only %s configured: it could never be reached", cfg.Clock.MinSources, Counted(n, "server is", "servers are"))
	}
	if n := len(cfg.Servers); cfg.Clock.BootstrapQuorum > n && n > 0 {
		p.fail("clock.bootstrap_quorum", "bootstrap_quorum is %d, but only %s configured: it could never be reached", cfg.Clock.BootstrapQuorum, Counted(n, "server is", "servers are"))
	}
	if cfg.NTSServer.Listen != "" && (cfg.NTSServer.Cert == "" || cfg.NTSServer.Key == "") {
		p.fail("nts_server.listen", "the NTS server needs a certificate: give cert and key")
	}
	if (cfg.MQTT.Cert == "") != (cfg.MQTT.Key == "") {
		p.fail("mqtt", "cert and key belong together: give both or neither")
	}
	if cfg.MQTT.TLSListen != "" && (cfg.MQTT.TLSCert == "" || cfg.MQTT.TLSKey == "") {
		p.fail("mqtt.tls_listen", "the TLS listener needs a certificate: give tls_cert and tls_key")
	}
	brokers := map[string]bool{brokerEndpoint(cfg.MQTT.Broker): cfg.MQTT.Broker != ""}
	for _, b := range cfg.MQTT.Also {
		e := brokerEndpoint(b)
		switch {
		case e == brokerEndpoint(cfg.MQTT.Broker):
			p.fail("mqtt.also", "also: %q is the broker already", b)
		case brokers[e]:
			p.fail("mqtt.also", "also: %q is listed twice", b)
		}
		brokers[e] = true
	}
	for key, list := range map[string][]string{"p2p": cfg.PTP.P2P, "udp6": cfg.PTP.UDP6} {
		for _, name := range list {
			if !slices.Contains(cfg.PTP.Interfaces, name) {
				p.fail("ptp."+key, "%s: %q is not in interfaces", key, name)
			}
		}
	}
	p.listeners(cfg)
	p.outside(cfg)
	p.useless(cfg)
}

// outside refuses servers that [trust] leaves out.
func (p *parser) outside(cfg *Config) {
	if len(cfg.Trust.Servers) == 0 {
		return
	}
	left := 0
	for i, s := range cfg.Servers {
		if s.Address == "" || trusted(cfg.Trust.Servers, s.Address) {
			continue
		}
		left++
		if !cfg.BuiltinServers {
			p.fail(fmt.Sprintf("server[%d].address", i), "server %s is not in [trust] servers, so it would never be contacted", s.Address)
		}
	}
	if cfg.BuiltinServers && left > 0 {
		p.fail("trust.servers", "servers: no [[server]] is configured, and %d of the %d built-in ones are not in this list, so they would never be contacted; add a [[server]] for each that you trust",
			left, len(cfg.Servers))
	}
}

// useless notes what does nothing without something else, or at all; a drift file that can't be is the usual one.
func (p *parser) useless(cfg *Config) {
	if cfg.NTSServer.Listen == "" && cfg.NTSServer.NTPListen != "" {
		p.note("nts_server.ntp_listen", `ntp_listen alone serves nothing: give listen, the key exchange's address, as well, such as "0.0.0.0:%s"`, DefaultKEPort)
	}
	if cfg.MQTT.TLSListen == "" && (cfg.MQTT.TLSCert != "" || cfg.MQTT.TLSKey != "") {
		key := "mqtt.tls_cert"
		if cfg.MQTT.TLSCert == "" {
			key = "mqtt.tls_key"
		}
		p.note(key, `a certificate alone opens no listener: give tls_listen as well, such as "0.0.0.0:8883"`)
	}
	if cfg.MQTT.PasswordFile != "" && cfg.MQTT.User == "" {
		p.note("mqtt.password_file", "a password without a user is not sent: give user as well")
	}
	for key, list := range map[string][]string{"broker": {cfg.MQTT.Broker}, "also": cfg.MQTT.Also} {
		for _, b := range list {
			if u, err := url.Parse(b); err == nil && strings.HasPrefix(u.Scheme, "mqtt") && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
				p.note("mqtt."+key, "%s: %q: what follows the host and port of %s:// does nothing; a topic prefix is given in prefix", key, b, u.Scheme)
			}
		}
	}
	if d := &cfg.Clock.DriftFile; !isFileName(*d) {
		def := Defaults().Clock.DriftFile
		p.note("clock.drift_file", "drift_file: %q is not the name of a file in state_dir; %q is used", *d, def)
		*d = def
	}
	if slices.Contains(cfg.Status.Hosts, "*") {
		p.note("status.hosts", `hosts: "*" is no host's name, and lets none in`)
	}
}

// BrokerPort is the port of a broker whose URL of that scheme names none; "" for one that has no ports.
func BrokerPort(scheme string) string {
	return map[string]string{"mqtt": "1883", "tcp": "1883", "mqtts": "8883", "tls": "8883", "ws": "80", "wss": "443"}[scheme]
}

// brokerEndpoint is a broker's URL in one of the ways in which it can be written.
func brokerEndpoint(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return s
	}
	port := u.Port()
	if port == "" {
		port = BrokerPort(u.Scheme)
	}
	at := u.Scheme + "://" + endpoint(net.JoinHostPort(u.Hostname(), port))
	if strings.HasPrefix(u.Scheme, "mqtt") {
		return at
	}
	return at + strings.TrimSuffix(u.Path, "/") + "?" + u.RawQuery
}

// listeners are TCP addresses, of which no two can be one.
func (p *parser) listeners(cfg *Config) {
	type listener struct{ key, at string }
	list := []listener{{"status.listen", cfg.Status.Listen}, {"nts_server.listen", cfg.NTSServer.Listen}}
	if cfg.MQTT.Enabled && cfg.MQTT.Broker == "" {
		list = append(list, listener{"mqtt.listen", cfg.MQTT.Listen}, listener{"mqtt.tls_listen", cfg.MQTT.TLSListen})
	}
	for i, a := range list {
		for _, b := range list[:i] {
			if !oneAddress(a.at, b.at) {
				continue
			}
			change, other := a, b
			if _, given := p.pos[a.key]; !given { // a default: what is in the file is to be changed
				change, other = b, a
			}
			section, _, _ := strings.Cut(other.key, ".")
			p.fail(change.key, "%s can't be listened on twice: %s in [%s] has it; give another port", change.at, other.at, section)
		}
	}
}

// oneAddress reports whether two HOST:PORT to listen on exclude each other.
func oneAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return strings.EqualFold(hostA, hostB) || takesAll(hostA, hostB) || takesAll(hostB, hostA)
}

// takesAll reports whether listening on host takes in other.
func takesAll(host, other string) bool {
	ip := net.ParseIP(other)
	return host == "" || host == "::" || host == "0.0.0.0" && (ip == nil || ip.To4() != nil)
}

func trusted(list []string, address string) bool {
	host, _, _ := splitHostPort(address, DefaultKEPort)
	for _, t := range list {
		h, _, _ := splitHostPort(t, DefaultKEPort)
		if strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}
