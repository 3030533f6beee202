package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/ntsgw/ntsgw/configs"
)

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func misuse(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

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
	return f.String("config", "", "the configuration `FILE` (default "+configs.DefaultPath+")")
}

// socket adds the flag that names the running gateway's control socket.
func (f flags) socket() *string {
	return f.String("socket", "", "the gateway's control `SOCKET` (default: the configuration's)")
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
		return nil, misuse("an operand is missing")
	case len(rest) > most:
		return nil, misuse("unexpected operand %q", rest[most])
	}
	return rest, nil
}

func (f flags) explain(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(f.out, "flags of ntsgw %s:\n", f.Name())
		f.SetOutput(f.out)
		f.PrintDefaults()
		return errHelp
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: "); ok {
		var known []string
		f.VisitAll(func(fl *flag.Flag) { known = append(known, "-"+fl.Name) })
		if n := configs.Nearest("-"+strings.TrimLeft(name, "-"), known); n != "" {
			return misuse("unknown flag %s; did you mean %s?", name, n)
		}
		return misuse("unknown flag %s", name)
	}
	return misuse("%v", err)
}

// wantsHelp prints the words of a verb that has subcommands, when that is what was asked for.
func wantsHelp(t terminal, verb string, args []string, words ...string) bool {
	if len(args) == 0 || args[0] != "-h" && args[0] != "-help" && args[0] != "--help" {
		return false
	}
	for _, w := range words {
		fmt.Fprintf(t.out, "ntsgw %s %s -h\n", verb, w)
	}
	return true
}
