// Command ntsgw takes authenticated time from NTS servers, disciplines the host clock, and
// hands time on with an honest bound on its error. This package only wires the rooms
// together: verbs, flags and exit codes.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/ntsgw/ntsgw/configs"
)

// The exit codes. Scripts and units rely on them.
const (
	exitOK         = 0
	exitFailed     = 1
	exitUsage      = 2
	exitPanic      = 3  // a clock change beyond the panic threshold was refused
	exitNotSynced  = 4  // not synchronized
	exitDiscipline = 70 // the discipline failed
	exitPermission = 77
	exitConfig     = 78
)

// exitError ends the program with a code; its text is for a person.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exit(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// terminal is what a verb talks to.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

// verb is one command of the program.
type verb struct {
	name  string
	usage string // after the name
	short string
	run   func(ctx context.Context, t terminal, args []string) error
}

func verbs() []verb {
	return []verb{
		{"run", "[-config FILE] [-dry-run]", "take, discipline and serve time", runVerb},
		{"check", "[-config FILE] [-example|-connect]", "say every mistake in the configuration", checkVerb},
		{"status", "[-json] [-watch]", "how the running gateway is", statusVerb},
		{"sources", "[-json]", "what became of each server", sourcesVerb},
		{"wait", "[-max-error D] [-timeout D]", "return when the host clock is good enough", waitVerb},
		{"query", "HOST[:PORT] [-ca FILE] [-json]", "ask one NTS server", queryVerb},
		{"keys", "[-json] | rotate | delegate", "the keys that sign beacons", keysVerb},
		{"node", "add|list|revoke|rotate", "the devices that may ask for time", nodeVerb},
		{"beacon", "watch | verify", "receive and verify beacons as a node does", beaconVerb},
		{"lab", "[-for D] | server", "the whole chain in one process, to look at", labVerb},
		{"doctor", "[-config FILE]", "what stands in the way on this machine", doctorVerb},
		{"version", "", "the program's version", versionVerb},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends what does not hear the first.
	context.AfterFunc(ctx, stop)
	t := terminal{os.Stdin, os.Stdout, os.Stderr}
	code := dispatch(ctx, t, os.Args[1:])
	stop()
	os.Exit(code)
}

// dispatch runs one command line and returns the exit code.
func dispatch(ctx context.Context, t terminal, args []string) int {
	if len(args) == 0 {
		usage(t.err)
		return exitUsage
	}
	name := args[0]
	switch name {
	case "help", "-h", "-help", "--help":
		if len(args) > 1 && name == "help" {
			return dispatch(ctx, t, append(slices.Clone(args[1:]), "-h"))
		}
		usage(t.out)
		return exitOK
	case "-version", "--version":
		name = "version"
	}
	all := verbs()
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == name })
	if i < 0 {
		names := make([]string, len(all))
		for j, v := range all {
			names[j] = v.name
		}
		hint := "ntsgw help lists the commands"
		if n := configs.Nearest(name, names); n != "" {
			hint = fmt.Sprintf("did you mean %q?", n)
		}
		fmt.Fprintf(t.err, "ntsgw: unknown command %q; %s\n", name, hint)
		return exitUsage
	}
	return code(t, all[i], all[i].run(ctx, t, args[1:]))
}

// code tells a person what went wrong and returns the exit code for it.
func code(t terminal, v verb, err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errHelp) {
		return exitOK
	}
	var usageErr *usageError
	if errors.As(err, &usageErr) {
		use := cmp.Or(usageErr.usage, strings.TrimSpace(v.name+" "+v.usage))
		fmt.Fprintf(t.err, "ntsgw %s: %v\nusage: ntsgw %s\n", v.name, err, use)
		return exitUsage
	}
	var problems configs.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(t.err, p)
		}
		return exitConfig
	}
	if text := err.Error(); text != "" {
		fmt.Fprintf(t.err, "ntsgw: %s\n", strings.TrimPrefix(text, "ntsgw: "))
	}
	var e *exitError
	switch {
	case errors.As(err, &e):
		return e.code
	case isPermission(err):
		return exitPermission
	}
	return exitFailed
}

func usage(w io.Writer) {
	fmt.Fprint(w, "ntsgw takes authenticated time (NTS), disciplines the host clock, and hands time on\nwith an honest bound on its error.\n\nusage: ntsgw COMMAND [arguments]\n\n")
	for _, v := range verbs() {
		fmt.Fprintf(w, "  %-8s %-34s %s\n", v.name, v.usage, v.short)
	}
	fmt.Fprint(w, "\nexit codes: 0 ok; 1 failed; 2 usage; 3 refused a clock change beyond the panic threshold;\n4 not synchronized; 70 the discipline failed; 77 permission; 78 configuration\n")
}
