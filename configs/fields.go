package configs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// field takes a decoded TOML value into its place; dir is the folder that relative paths
// start from.
type field func(value any, dir string) error

// sections names every section and key of the file, and where each goes.
func (c *Config) sections() map[string]map[string]field {
	return map[string]map[string]field{
		"gateway": {
			"id":        text(&c.Gateway.ID, nameOrEmpty),
			"state_dir": needed(path(&c.Gateway.StateDir), Defaults().Gateway.StateDir),
		},
		"clock": {
			"mode":              choice(&c.Clock.Mode, "auto", "system", "observe", "follow"),
			"step_threshold":    duration(&c.Clock.StepThreshold, time.Millisecond, 24*time.Hour),
			"panic_threshold":   duration(&c.Clock.PanicThreshold, time.Second, 87600*time.Hour),
			"min_sources":       autoNumber(&c.Clock.MinSources, 1, 64),
			"bootstrap_quorum":  autoNumber(&c.Clock.BootstrapQuorum, 1, 64),
			"holdover_max":      duration(&c.Clock.HoldoverMax, time.Minute, 8760*time.Hour),
			"max_error_limit":   limit(&c.Clock.MaxErrorLimit, time.Microsecond, 18*time.Hour),
			"max_frequency_ppm": decimal(&c.Clock.MaxFrequencyPPM, 1, 10000),
			"rtc":               boolean(&c.Clock.RTC),
			"thermometer":       text(&c.Clock.Thermometer, thermometer),
			"drift_file":        text(&c.Clock.DriftFile, nil),
			"leap_list":         path(&c.Clock.LeapList),
		},
		"trust": {
			"servers":            texts(&c.Trust.Servers, address),
			"max_source_stratum": number(&c.Trust.MaxSourceStratum, 1, 15),
			"revocation":         choice(&c.Trust.Revocation, "off", "prefer", "require"),
			"crl":                paths(&c.Trust.CRL),
			"revocation_check":   duration(&c.Trust.RevocationCheck, time.Minute, time.Hour),
			"roots":              path(&c.Trust.Roots),
		},
		"mqtt": {
			"enabled":       boolean(&c.MQTT.Enabled),
			"broker":        text(&c.MQTT.Broker, brokerOrEmpty),
			"listen":        text(&c.MQTT.Listen, hostPort),
			"interval":      duration(&c.MQTT.Interval, time.Second, 65535*time.Second),
			"also":          texts(&c.MQTT.Also, broker),
			"prefix":        text(&c.MQTT.Prefix, sitePrefix),
			"algorithms":    choices(&c.MQTT.Algorithms, "ed25519", "es256"),
			"user":          text(&c.MQTT.User, nil),
			"password_file": path(&c.MQTT.PasswordFile),
			"ca":            path(&c.MQTT.CA),
			"cert":          path(&c.MQTT.Cert),
			"key":           path(&c.MQTT.Key),
			"tls_listen":    text(&c.MQTT.TLSListen, hostPortOrEmpty),
			"tls_cert":      path(&c.MQTT.TLSCert),
			"tls_key":       path(&c.MQTT.TLSKey),
			"max_clients":   number(&c.MQTT.MaxClients, 1, 1000000),
			"discovery":     boolean(&c.MQTT.Discovery),
			"request_rate":  decimal(&c.MQTT.RequestRate, 0.001, 1000),
			"request_burst": number(&c.MQTT.RequestBurst, 1, 1000),
		},
		"nts_server": {
			"listen":     text(&c.NTSServer.Listen, hostPortOrEmpty),
			"ntp_listen": text(&c.NTSServer.NTPListen, hostPortOrEmpty),
			"cert":       path(&c.NTSServer.Cert),
			"key":        path(&c.NTSServer.Key),
		},
		"ptp": {
			"interfaces": texts(&c.PTP.Interfaces, interfaceName),
			"p2p":        texts(&c.PTP.P2P, interfaceName),
			"udp6":       texts(&c.PTP.UDP6, interfaceName),
			"domain":     number(&c.PTP.Domain, 0, 127),
			"priority1":  number(&c.PTP.Priority1, 0, 255),
			"priority2":  number(&c.PTP.Priority2, 0, 255),
		},
		"status": {
			"listen": text(&c.Status.Listen, hostPortOrEmpty),
			"hosts":  texts(&c.Status.Hosts, hostName),
			"socket": needed(socketPath(&c.Status.Socket), Defaults().Status.Socket),
		},
		"log": {
			"level":    choice(&c.Log.Level, "debug", "info", "warn", "error"),
			"format":   choice(&c.Log.Format, "auto", "text", "json"),
			"tracking": path(&c.Log.Tracking),
		},
	}
}

func (s *Server) fields() map[string]field {
	return map[string]field{
		"name": text(&s.Name, shown),
		"address": func(v any, dir string) error {
			var raw string
			if err := text(&raw, address)(v, dir); err != nil {
				return err
			}
			s.Address, _ = KEAddress(raw)
			return nil
		},
		"ca":         path(&s.CA),
		"roots":      choice(&s.Roots, "system", "ca", "both"),
		"pins":       texts(&s.Pins, pin),
		"pin_mode":   choice(&s.PinMode, "add", "replace"),
		"names":      texts(&s.Names, certName),
		"cert":       path(&s.Cert),
		"key":        path(&s.Key),
		"operator":   text(&s.Operator, shown),
		"min_poll":   duration(&s.MinPoll, time.Second, 131072*time.Second),
		"max_poll":   duration(&s.MaxPoll, time.Second, 131072*time.Second),
		"revocation": choice(&s.Revocation, "off", "prefer", "require"),
	}
}

func text(to *string, check func(string) error) field {
	return func(v any, _ string) error {
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("want a string in quotes, have %s", kind(v))
		}
		if check != nil {
			if err := check(s); err != nil {
				return err
			}
		}
		*to = s
		return nil
	}
}

func path(to *string) field {
	return func(v any, dir string) error {
		if err := text(to, nil)(v, dir); err != nil {
			return err
		}
		*to = rel(dir, *to)
		return nil
	}
}

// needed refuses an empty string: without this one the gateway can't work.
func needed(take field, def string) field {
	return func(v any, dir string) error {
		if v == "" {
			return fmt.Errorf("it can't be empty; leave it out for %q", def)
		}
		return take(v, dir)
	}
}

// socketPath is a path of at most 107 bytes, which is what a sockaddr_un holds (unix(7)).
func socketPath(to *string) field {
	return func(v any, dir string) error {
		full := ""
		if err := path(&full)(v, dir); err != nil {
			return err
		}
		if len(full) > 107 {
			return fmt.Errorf("the path has %d bytes; a socket's has 107 at most", len(full))
		}
		*to = full
		return nil
	}
}

// isFileName reports whether s names what lies in a folder, and in no other.
func isFileName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\x00")
}

func rel(dir, p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(dir, p)
}

func texts(to *[]string, check func(string) error) field {
	return func(v any, dir string) error {
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf(`want a list such as ["a", "b"], have %s`, kind(v))
		}
		out := make([]string, len(list))
		for i, e := range list {
			if err := text(&out[i], check)(e, dir); err != nil {
				return fmt.Errorf("entry %d: %w", i+1, err)
			}
			if slices.Contains(out[:i], out[i]) {
				return fmt.Errorf("entry %d: %q is listed twice", i+1, out[i])
			}
		}
		*to = out
		return nil
	}
}

func paths(to *[]string) field {
	return func(v any, dir string) error {
		if err := texts(to, notEmpty)(v, dir); err != nil {
			return err
		}
		for i := range *to {
			(*to)[i] = rel(dir, (*to)[i])
		}
		return nil
	}
}

func notEmpty(s string) error {
	if s == "" {
		return errors.New("it is empty; name a file, or leave the entry out")
	}
	return nil
}

func choice(to *string, words ...string) field {
	return text(to, oneOf(words))
}

func choices(to *[]string, words ...string) field {
	return func(v any, dir string) error {
		var out []string
		if err := texts(&out, oneOf(words))(v, dir); err != nil {
			return err
		}
		if len(out) == 0 {
			return fmt.Errorf("want at least one of %s", strings.Join(words, ", "))
		}
		*to = out
		return nil
	}
}

func oneOf(words []string) func(string) error {
	return func(s string) error {
		if slices.Contains(words, s) {
			return nil
		}
		if n := Nearest(s, words); n != "" {
			return fmt.Errorf("%q is not one of %s; did you mean %q?", s, strings.Join(words, ", "), n)
		}
		return fmt.Errorf("%q is not one of %s", s, strings.Join(words, ", "))
	}
}

// thermometer allows words and absolute paths: what is relative is a word mistyped.
func thermometer(s string) error {
	words := []string{"auto", "none"}
	if filepath.IsAbs(s) || slices.Contains(words, s) {
		return nil
	}
	err := fmt.Errorf("%q is not auto, none or the full path of a file that holds millidegrees", s)
	if n := Nearest(s, words); n != "" {
		return fmt.Errorf("%w; did you mean %q?", err, n)
	}
	return err
}

func boolean(to *bool) field {
	return func(v any, _ string) error {
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("want true or false, have %s", kind(v))
		}
		*to = b
		return nil
	}
}

func number(to *int, low, high int64) field {
	return func(v any, _ string) error {
		n, ok := v.(int64)
		if !ok {
			if f, fraction := v.(float64); fraction && f == math.Trunc(f) && math.Abs(f) < 1e15 {
				return fmt.Errorf("want a whole number, without point or exponent: %.0f", f)
			}
			return fmt.Errorf("want a whole number, have %s", kind(v))
		}
		if n < low || n > high {
			return fmt.Errorf("%d is out of range; it must be %d to %d", n, low, high)
		}
		*to = int(n)
		return nil
	}
}

func autoNumber(to *int, low, high int64) field {
	return func(v any, dir string) error {
		if s, ok := v.(string); ok {
			if s != "auto" {
				return fmt.Errorf(`want "auto" or a whole number without quotes, have %q`, s)
			}
			*to = 0
			return nil
		}
		return number(to, low, high)(v, dir)
	}
}

func decimal(to *float64, low, high float64) field {
	return func(v any, _ string) error {
		var f float64
		switch n := v.(type) {
		case int64:
			f = float64(n)
		case float64:
			f = n
		default:
			return fmt.Errorf("want a number, have %s", kind(v))
		}
		if !(f >= low && f <= high) {
			return fmt.Errorf("%v is out of range; it must be %v to %v", f, low, high)
		}
		*to = f
		return nil
	}
}

func duration(to *time.Duration, low, high time.Duration) field {
	return func(v any, _ string) error {
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf(`want a duration in quotes with a unit, such as "%v", have %s`, max(low, time.Second), kind(v))
		}
		d, err := time.ParseDuration(s)
		if err != nil && !tooLong(s) {
			such := meantDuration(s)
			if such == "" {
				such = max(low, time.Second).String()
			}
			return fmt.Errorf(`%q is not a duration; write a number with a unit (ms, s, m, h), such as %q`, s, such)
		}
		if err != nil || d < low || d > high {
			return fmt.Errorf("%s is out of range; it must be %v to %v", s, low, high)
		}
		*to = d
		return nil
	}
}

// written finds a number with an optional unit as people write it.
var written = regexp.MustCompile(`^\s*([0-9]+(?:[.,][0-9]+)?)\s*([a-zA-Zµ]*)\.?\s*$`)

// meantDuration returns what s says in a form that is read, "" where that can't be told.
func meantDuration(s string) string {
	m := written.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	number := strings.Replace(m[1], ",", ".", 1)
	switch strings.TrimSuffix(strings.ToLower(m[2]), "s") {
	case "", "sec", "second":
		return number + "s"
	case "m", "msec":
		if strings.EqualFold(m[2], "m") {
			return number + "m"
		}
		return number + "ms"
	case "min", "minute":
		return number + "m"
	case "h", "hr", "hour":
		return number + "h"
	case "d", "day":
		if days, err := strconv.ParseFloat(number, 64); err == nil {
			return strconv.FormatFloat(days*24, 'f', -1, 64) + "h"
		}
	}
	return ""
}

var digits = regexp.MustCompile("[0-9]+")

// tooLong reports whether s would be a duration if its numbers were smaller.
func tooLong(s string) bool {
	_, err := time.ParseDuration(digits.ReplaceAllString(s, "1"))
	return err == nil
}

// limit is a duration, or "0s" for none.
func limit(to *time.Duration, low, high time.Duration) field {
	return func(v any, dir string) error {
		if s, ok := v.(string); ok {
			if d, err := time.ParseDuration(s); err == nil && d == 0 {
				*to = 0
				return nil
			}
		}
		if err := duration(to, low, high)(v, dir); err != nil {
			return fmt.Errorf(`%w, or "0s" for none`, err)
		}
		return nil
	}
}

func kind(v any) string {
	switch x := v.(type) {
	case string:
		return fmt.Sprintf("the string %q", x)
	case int64:
		return fmt.Sprintf("the number %d", x)
	case float64:
		return fmt.Sprintf("the number %v", x)
	case bool:
		return fmt.Sprintf("%v", x)
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date"
}

// ValidName reports whether s may name a gateway or node: 1–16 characters of [a-z0-9-].
func ValidName(s string) bool {
	if len(s) < 1 || len(s) > 16 {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func nameOrEmpty(s string) error {
	if s != "" && !ValidName(s) {
		return fmt.Errorf("%q is not a name; use 1 to 16 characters of a–z, 0–9 and -", s)
	}
	return nil
}

// shown is what tables, logs and metrics show to people as it is.
func shown(s string) error {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%q holds a control character, such as a tab or a line's end; leave it out", s)
	}
	return nil
}

func sitePrefix(s string) error {
	if len(s) > 4 || strings.ContainsAny(s, "+#") || strings.ContainsFunc(s, unicode.IsControl) || strings.HasPrefix(s, "/") || (s != "" && !strings.HasSuffix(s, "/")) {
		return fmt.Errorf(`%q is not a topic prefix; use at most 3 characters and a slash, such as "lab/"`, s)
	}
	return nil
}

func address(s string) error {
	if _, ok := KEAddress(s); !ok {
		return fmt.Errorf(`%q is not an address; write a host name or IP address, with :port where it is not %s`, s, DefaultKEPort)
	}
	return nil
}

func hostName(s string) error {
	if s == "" || strings.ContainsAny(s, " /:") {
		return fmt.Errorf(`%q is not a host name; write one such as "gw1.example.org", without a port`, s)
	}
	return nil
}

// certName allows what a certificate can name: a host, all hosts of a domain as it is written there ("*.example.net"), or an IP address.
func certName(s string) error {
	host := strings.TrimPrefix(s, "*.")
	if host == "" || net.ParseIP(strings.Trim(s, "[]")) == nil && strings.ContainsAny(host, " /:*") {
		return fmt.Errorf(`%q is not a name in a certificate; write a host name or IP address, without a port`, s)
	}
	return nil
}

func hostPort(s string) error {
	if h, p, err := net.SplitHostPort(s); err != nil || strings.ContainsAny(h, " /") || !validPortOrZero(p) {
		return fmt.Errorf(`%q is not an address to listen on; write HOST:PORT, such as "127.0.0.1:1883"`, s)
	}
	return nil
}

func hostPortOrEmpty(s string) error {
	if s == "" {
		return nil
	}
	return hostPort(s)
}

func validPort(p string) bool {
	n, err := strconv.ParseUint(p, 10, 16)
	return err == nil && n > 0
}

func validPortOrZero(p string) bool {
	_, err := strconv.ParseUint(p, 10, 16)
	return err == nil
}

func brokerOrEmpty(s string) error {
	if s == "" {
		return nil
	}
	return broker(s)
}

func broker(s string) error {
	const forms = "write mqtt://HOST:1883, mqtts://HOST:8883, ws://HOST/PATH, wss://HOST/PATH or unix:///PATH"
	u, err := url.Parse(s)
	if err == nil && u.User != nil || strings.Contains(s, "@") { // what can't be parsed may hold a password as well, and is not shown
		return errors.New("a broker's URL carries no user or password; use user and password_file")
	}
	if err != nil {
		return fmt.Errorf("%q is not a broker's URL; %s", s, forms)
	}
	switch u.Scheme {
	case "mqtt", "mqtts", "ws", "wss":
		host := u.Hostname()
		switch {
		case host == "":
			return fmt.Errorf("%q names no host; %s", s, forms)
		case strings.Contains(host, ":") && !strings.HasPrefix(u.Host, "["):
			return fmt.Errorf("%q: an IPv6 address stands in brackets: %s://[::1]:1883", s, u.Scheme)
		case u.Port() != "" && !validPort(u.Port()):
			return fmt.Errorf("%q names no port; it is a number from 1 to 65535, or left out", s)
		}
	case "unix":
		if u.Host != "" && u.Host != "localhost" { // RFC 8089 section 2
			return fmt.Errorf("%q: a socket's path begins with a third slash: unix:///%s", s, u.Host+u.Path)
		}
		if u.Path == "" {
			return fmt.Errorf("%q names no socket; %s", s, forms)
		}
	default:
		return fmt.Errorf("%q is not a broker's URL; %s", s, forms)
	}
	return nil
}

func pin(s string) error {
	b64, ok := strings.CutPrefix(s, "sha256/")
	raw, err := base64.StdEncoding.DecodeString(b64)
	if !ok || err != nil || len(raw) != 32 {
		return fmt.Errorf(`%q is not a pin; write "sha256/" and 44 characters of base64, as ntsgw query -json prints in spki_pin`, s)
	}
	return nil
}

func interfaceName(s string) error {
	if s == "" || len(s) > 15 || s == "." || s == ".." || strings.ContainsAny(s, " /:") || strings.ContainsFunc(s, unicode.IsControl) || net.ParseIP(s) != nil {
		return fmt.Errorf("%q is not a network interface's name; ip -br link lists them", s)
	}
	return nil
}
