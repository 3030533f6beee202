package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ntsgw/ntsgw/configs"
)

// usageError is a mistake in the command line.
type usageError struct {
	text  string
	usage string // of the subcommand, after the program's name; empty: the verb's
}

func (e *usageError) Error() string { return e.text }

func misuse(format string, args ...any) error { return &usageError{text: fmt.Sprintf(format, args...)} }

// subcommands are how those are used, after their names.
var subcommands = map[string]string{
	"node add":      "NAME [-form FORM] [-out FILE]",
	"node list":     "[-json]",
	"node revoke":   "NAME",
	"node rotate":   "NAME [-form FORM] [-out FILE]",
	"beacon watch":  "[-node FILE] [-broker URL] [-for D]",
	"beacon verify": "-key HEX -gateway ID [-json] < MESSAGE",
	"keys rotate":   "[-lost]",
	"keys delegate": "-away FILE | -want N | -import FILE | -root FILE want.json",
	"lab server":    "[-dir FOLDER] [-listen ADDRESS] [-ntp-listen ADDRESS]",
}

// usage is how the verb or subcommand is used, after the program's name.
func (f flags) usage() string {
	name := f.Name()
	use, ok := subcommands[name]
	for _, v := range verbs() {
		if !ok && v.name == name {
			use = v.usage
		}
	}
	return strings.TrimSpace(name + " " + use)
}

func (f flags) misuse(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...), f.usage()}
}

// errHelp ends a verb after its help was printed.
var errHelp = errors.New("help was printed")

// flags is a flag set whose flags may stand before and after operands.
type flags struct {
	*flag.FlagSet
	out io.Writer
}

func newFlags(t terminal, name string) flags {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return flags{f, t.out}
}

// config adds the flag that names the configuration file.
func (f flags) config() *string {
	return f.named("config", "the configuration `FILE` (default "+configs.DefaultPath+")")
}

// socket adds the flag that names the running gateway's control socket.
func (f flags) socket() *string {
	return f.named("socket", "the gateway's control `SOCKET` (default: the configuration's)")
}

// named adds a flag for a path. An empty one, as a script's unset variable gives it, is no way to say the default.
func (f flags) named(name, usage string) *string {
	v := ""
	f.Func(name, usage, func(s string) error {
		if s == "" {
			return errors.New("a path is missing; leave the flag out for the default")
		}
		v = s
		return nil
	})
	return &v
}

// ppm adds a flag for a number of parts in a million, with or without the unit.
func (f flags) ppm(name string, def float64, usage string) *float64 {
	v := def
	f.Func(name, fmt.Sprintf("%s (default %g)", usage, def), func(s string) error {
		n, err := strconv.ParseFloat(strings.TrimSuffix(s, "ppm"), 64)
		if err != nil || math.IsNaN(n) {
			return fmt.Errorf("%q is not a number of ppm, such as 50 or 50ppm", s)
		}
		v = n
		return nil
	})
	return &v
}

// operands parses args and returns what is not a flag; there must be from least to most of
// them.
func (f flags) operands(args []string, least, most int) ([]string, error) {
	var rest []string
	for {
		if err := f.Parse(args); err != nil {
			return nil, f.explain(err)
		}
		left := f.Args()
		if len(left) == 0 {
			break
		}
		if ended := len(args) > len(left) && args[len(args)-len(left)-1] == "--"; ended {
			rest = append(rest, left...)
			break
		}
		rest, args = append(rest, left[0]), left[1:]
	}
	switch {
	case len(rest) < least:
		return nil, f.misuse("an operand is missing")
	case len(rest) > most && most == 0 && f.Lookup("config") != nil && strings.HasSuffix(rest[0], ".toml"):
		return nil, f.misuse("unexpected operand %q; did you mean -config %s?", rest[0], rest[0])
	case len(rest) > most:
		return nil, f.misuse("unexpected operand %q", rest[most])
	}
	return rest, nil
}

func (f flags) explain(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(f.out, "usage: ntsgw %s\n", f.usage())
		f.SetOutput(f.out)
		f.PrintDefaults()
		return errHelp
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: "); ok {
		var known []string
		f.VisitAll(func(fl *flag.Flag) { known = append(known, "-"+fl.Name) })
		if n := configs.Nearest("-"+strings.TrimLeft(name, "-"), known); n != "" {
			return f.misuse("unknown flag %s; did you mean %s?", name, n)
		}
		return f.misuse("unknown flag %s", name)
	}
	// The flag package says of a duration without a unit that it doesn't parse, and no more.
	if value, name, ok := strings.Cut(strings.TrimPrefix(err.Error(), "invalid value "), " for flag -"); ok {
		name, _, _ = strings.Cut(name, ":")
		if fl := f.Lookup(name); fl != nil && isDuration(fl) {
			such := "10s"
			if n, err := strconv.Unquote(value); err == nil && n != "" && strings.Trim(n, "0123456789.") == "" {
				such = n + "s"
			}
			return f.misuse("-%s: %s is not a duration; write a number with a unit (ms, s, m, h), such as %s", name, value, such)
		}
	}
	return f.misuse("%v", err)
}

func isDuration(fl *flag.Flag) bool {
	g, ok := fl.Value.(flag.Getter)
	if !ok {
		return false
	}
	_, ok = g.Get().(time.Duration)
	return ok
}

// wantsHelp prints the words of a verb that has subcommands, when that is what was asked for.
func wantsHelp(t terminal, verb string, args []string, words ...string) bool {
	if len(args) == 0 || args[0] != "-h" && args[0] != "-help" && args[0] != "--help" {
		return false
	}
	fmt.Fprintln(t.out, "usage:")
	for _, w := range words {
		fmt.Fprintf(t.out, "  ntsgw %s %s %s\n", verb, w, subcommands[verb+" "+w])
	}
	fmt.Fprintln(t.out, "each of them with -h names its flags")
	return true
}
