package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/downstream/status"
)

// socketFlags are those of every verb that asks the running gateway.
func socketFlags(f flags) (config, socket *string) {
	return f.config(), f.socket()
}

// socketPath is where the gateway is asked. A mistake in the configuration, which a gateway that runs has refused and
// warns of, must not hide what it says.
func socketPath(t terminal, config, socket string) (string, error) {
	if socket != "" {
		return socket, nil
	}
	cfg, err := configs.Load(config)
	if problems := (configs.Problems)(nil); errors.As(err, &problems) {
		path := configs.Socket(problems[0].File)
		fmt.Fprintf(t.err, "note: %s has %s (ntsgw check says which); asking on %s, or on another with -socket SOCKET\n",
			problems[0].File, configs.Counted(len(problems), "mistake", "mistakes"), path)
		return path, nil
	}
	if err != nil {
		return "", asConfigError(err)
	}
	return cfg.Status.Socket, nil
}

// asConfigError gives a configuration that can't be read its exit code.
func asConfigError(err error) error {
	var problems configs.Problems
	if errors.As(err, &problems) {
		return err
	}
	if errors.Is(err, os.ErrPermission) {
		return &exitError{exitPermission, err}
	}
	return &exitError{exitConfig, err}
}

func ask(ctx context.Context, path string) (*status.Report, error) {
	r, err := status.Ask(ctx, path)
	if errors.Is(err, status.ErrPermission) {
		return nil, &exitError{exitPermission, err}
	}
	return r, err
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func statusVerb(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "status")
	config, socket := socketFlags(f)
	asJSON := f.Bool("json", false, "print JSON")
	watch := f.Bool("watch", false, "print again every second until interrupted")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	path, err := socketPath(t, *config, *socket)
	if err != nil {
		return err
	}
	if *watch {
		return watchStatus(ctx, t, path, *asJSON)
	}
	r, err := ask(ctx, path)
	if err != nil {
		return err
	}
	if *asJSON {
		err = printJSON(t.out, r)
	} else {
		_, err = fmt.Fprint(t.out, statusText(r))
	}
	if err == nil && r.Time == "" {
		err = &exitError{exitNotSynced, errors.New("")}
	}
	return err
}

// watchStatus prints again every second until ctx ends, also over a restart of the gateway; only where none answered
// from the beginning it fails.
func watchStatus(ctx context.Context, t terminal, path string, asJSON bool) error {
	screen := isTerminal(t.out) && !asJSON
	for answered := false; ; {
		r, err := ask(ctx, path)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !answered {
			return err
		}
		answered = true
		switch {
		case err != nil && screen:
			err = show(t.out, fmt.Sprintf("No answer: %v\n", err))
		case err != nil:
			_, err = fmt.Fprintf(t.err, "ntsgw: %v\n", err)
		case asJSON:
			err = printJSON(t.out, r)
		case screen:
			err = show(t.out, statusText(r))
		default:
			_, err = fmt.Fprintln(t.out, statusText(r))
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// show puts text over what a terminal shows, from the top and no longer than the screen: what comes first in it
// matters most.
func show(w io.Writer, text string) error {
	columns, rows := windowSize(w)
	_, err := fmt.Fprint(w, "\x1b[H"+strings.ReplaceAll(fit(text, columns, rows-1), "\n", "\x1b[K\n")+"\x1b[J")
	return err
}

// fit is the beginning of text that a screen of so many columns and rows holds, and how much is left out.
func fit(text string, columns, rows int) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	height := func(line string) int { return max(1, (utf8.RuneCountInString(line)+columns-1)/columns) }
	all, n, used := 0, 0, 0
	for _, line := range lines {
		all += height(line)
	}
	if all <= rows {
		return text
	}
	for used+height(lines[n]) < rows { // one row is for what is left out
		used += height(lines[n])
		n++
	}
	left := fmt.Sprintf("… %s more", configs.Counted(len(lines)-n, "line", "lines"))
	return strings.Join(append(lines[:n:n], left), "\n") + "\n"
}

func statusText(r *status.Report) string {
	var b strings.Builder
	title, sentence := r.Verdict()
	fmt.Fprintf(&b, "%s. %s\n\n", title, sentence)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(w, "  %s\t%s\n", name, value) }
	row("gateway", fmt.Sprintf("%s (host clock: %s)", r.Gateway, r.Mode))
	if r.Time != "" {
		row("time", fmt.Sprintf("%s ± %s", r.Time, status.OrDash(r.MaxError, status.Bound)))
		row("estimated error", optional(r.EstError))
		row("host clock offset", optional(r.Offset))
		row("jitter", status.Duration(r.Jitter))
		row("stratum", fmt.Sprintf("%d (servers %d)", r.Stratum, r.SourceStratum))
		row("root delay", status.Duration(r.RootDelay))
		row("root dispersion", status.Duration(r.RootDispersion))
		row("frequency", fmt.Sprintf("%+.3f ppm", r.FrequencyPPM))
		row("leap, TAI − UTC", fmt.Sprintf("%s, %d s", leapWord(r.Leap), r.TAIOffset))
		row("last update", optional(r.LastUpdate)+" ago")
	}
	for _, o := range r.Outlets {
		row("handed on", fmt.Sprintf("%s, %s: %s, %d sent, %d answered", o.Way, o.Where, o.State, o.Sent, o.Answered))
	}
	w.Flush()
	if len(r.Warnings) > 0 {
		fmt.Fprintln(&b)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(&b, "  warning %s: %s\n", warning.ID, warning.Text)
	}
	return b.String()
}

func leapWord(leap int) string {
	switch leap {
	case 0:
		return "none"
	case 1:
		return "a second is inserted at the end of this month"
	case -1:
		return "a second is deleted at the end of this month"
	}
	return "unknown"
}

func optional(p *float64) string { return status.OrDash(p, status.Duration) }

func sourcesVerb(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "sources")
	config, socket := socketFlags(f)
	asJSON := f.Bool("json", false, "print JSON")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	path, err := socketPath(t, *config, *socket)
	if err != nil {
		return err
	}
	r, err := ask(ctx, path)
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(t.out, r.Sources)
	}
	columns := math.MaxInt
	if isTerminal(t.out) {
		columns, _ = windowSize(t.out)
	}
	if _, err := io.WriteString(t.out, sourcesText(r.Sources, columns)); err != nil {
		return err
	}
	_, err = io.WriteString(t.out, causesText(r.Sources))
	return err
}

// causesText says of each server why it is not used, where something is wrong, after its name.
func causesText(sources []status.Source) string {
	var b strings.Builder
	for _, s := range sources {
		switch {
		case s.LastError == "":
			continue
		case !strings.HasPrefix(s.LastError, s.Name+" "):
			fmt.Fprintf(&b, "%s: ", s.Name)
		}
		fmt.Fprintln(&b, s.LastError)
	}
	return b.String()
}

// sourcesText is a table, or where it is wider than so many columns a paragraph a server.
func sourcesText(sources []status.Source, columns int) string {
	heads := []string{"SERVER", "STATE", "STRATUM", "OFFSET", "DELAY", "JITTER", "REACH", "POLL", "COOKIES", "REJECTED"}
	rows := make([][]string, len(sources))
	for i, s := range sources {
		var rejected uint64
		for _, n := range s.Rejected {
			rejected += n
		}
		stratum := "–" // it was never heard
		if s.Stratum > 0 {
			stratum = fmt.Sprint(s.Stratum)
		}
		rows[i] = []string{s.Name, s.State, stratum, optional(s.Offset), optional(s.Delay), optional(s.Jitter),
			fmt.Sprintf("%08b", s.Reach), status.Duration(s.Poll), fmt.Sprint(s.Cookies), fmt.Sprint(rejected)}
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{heads}, rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	for line := range strings.Lines(b.String()) {
		if utf8.RuneCountInString(line)-1 <= columns {
			continue
		}
		b.Reset()
		for _, row := range rows {
			fmt.Fprintln(w, row[0])
			for i := 1; i < len(row); i++ {
				fmt.Fprintf(w, "  %s\t%s\n", strings.ToLower(heads[i]), row[i])
			}
			w.Flush()
		}
		break
	}
	return b.String()
}

func waitVerb(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "wait")
	config, socket := socketFlags(f)
	maxError := f.Duration("max-error", time.Second, "the largest maximum error of the host clock that is good enough")
	timeout := f.Duration("timeout", 60*time.Second, "give up after `D`")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	if *maxError <= 0 || *timeout <= 0 {
		return misuse("-max-error and -timeout must be larger than 0")
	}
	path, err := socketPath(t, *config, *socket)
	if err != nil {
		return err
	}
	asked := time.Now()
	limited, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	noted := false
	r, err := status.Wait(limited, path, *maxError, func(r *status.Report) {
		if !noted && r.Mode != "system" && r.MaxError != nil && *r.MaxError <= maxError.Seconds() {
			noted = true
			fmt.Fprintf(t.err, "note: the time is known to %s, but the host clock is off by %s and mode %s leaves it alone: waiting until it is set\n",
				status.Bound(*r.MaxError), status.Duration(math.Abs(*r.Offset)), r.Mode)
		}
	})
	if err == nil {
		return nil
	}
	if errors.Is(err, status.ErrPermission) {
		return &exitError{exitPermission, err}
	}
	after := fmt.Sprintf("after %v", *timeout)
	if ctx.Err() != nil {
		after = fmt.Sprintf("when it was interrupted after %s", status.Duration(time.Since(asked).Seconds()))
	}
	switch {
	case r == nil:
		return exit(exitNotSynced, "no gateway answered on %s %s", path, after)
	case r.MaxError == nil:
		return exit(exitNotSynced, "still %s %s", r.State, after)
	case *r.MaxError <= maxError.Seconds() && r.Mode == "system":
		return exit(exitNotSynced, "the host clock may still be off by %s %s, more than %v", status.Bound(*r.HostError()), after, *maxError)
	case *r.MaxError <= maxError.Seconds():
		return exit(exitNotSynced, "the host clock may still be off by %s %s, more than %v; mode %s leaves it alone: set mode = \"system\" in [clock], or let another program set it",
			status.Bound(*r.HostError()), after, *maxError, r.Mode)
	}
	return exit(exitNotSynced, "the maximum error is still %s %s, more than %v", status.Bound(*r.MaxError), after, *maxError)
}
