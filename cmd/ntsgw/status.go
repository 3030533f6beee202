package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/downstream/status"
)

// socketFlags are those of every verb that asks the running gateway.
func socketFlags(f flags) (config, socket *string) {
	return f.config(), f.socket()
}

func socketPath(config, socket string) (string, error) {
	if socket != "" {
		return socket, nil
	}
	cfg, err := configs.Load(config)
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
	path, err := socketPath(*config, *socket)
	if err != nil {
		return err
	}
	for {
		r, err := ask(ctx, path)
		if err != nil {
			return err
		}
		switch {
		case *asJSON:
			err = printJSON(t.out, r)
		case *watch:
			_, err = fmt.Fprint(t.out, "\x1b[H"+strings.ReplaceAll(statusText(r), "\n", "\x1b[K\n")+"\x1b[J")
		default:
			_, err = fmt.Fprint(t.out, statusText(r))
		}
		if err != nil {
			return err
		}
		if !*watch {
			if r.Time == "" {
				return &exitError{exitNotSynced, errors.New("")}
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func statusText(r *status.Report) string {
	var b strings.Builder
	title, sentence := r.Verdict()
	fmt.Fprintf(&b, "%s. %s\n\n", title, sentence)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(w, "  %s\t%s\n", name, value) }
	row("gateway", fmt.Sprintf("%s (host clock: %s)", r.Gateway, r.Mode))
	if r.Time != "" {
		row("time", fmt.Sprintf("%s ± %s", r.Time, optional(r.MaxError)))
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

func optional(p *float64) string {
	if p == nil {
		return "–"
	}
	return status.Duration(*p)
}

func sourcesVerb(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "sources")
	config, socket := socketFlags(f)
	asJSON := f.Bool("json", false, "print JSON")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	path, err := socketPath(*config, *socket)
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
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVER\tSTATE\tSTRATUM\tOFFSET\tDELAY\tJITTER\tREACH\tPOLL\tCOOKIES\tREJECTED")
	for _, s := range r.Sources {
		var rejected uint64
		for _, n := range s.Rejected {
			rejected += n
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%08b\t%s\t%d\t%d\n", s.Name, s.State, s.Stratum,
			optional(s.Offset), optional(s.Delay), optional(s.Jitter), s.Reach, status.Duration(s.Poll), s.Cookies, rejected)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range r.Sources {
		if s.LastError != "" {
			fmt.Fprintf(t.out, "%s: %s\n", s.Name, s.LastError)
		}
	}
	return nil
}

func waitVerb(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "wait")
	config, socket := socketFlags(f)
	maxError := f.Duration("max-error", time.Second, "the largest maximum error that is good enough")
	timeout := f.Duration("timeout", 60*time.Second, "give up after `D`")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	if *maxError <= 0 || *timeout <= 0 {
		return misuse("-max-error and -timeout must be larger than 0")
	}
	path, err := socketPath(*config, *socket)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	r, err := status.Wait(ctx, path, *maxError)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, status.ErrPermission):
		return &exitError{exitPermission, err}
	case r == nil:
		return exit(exitNotSynced, "no gateway answered on %s within %v", path, *timeout)
	case r.MaxError == nil:
		return exit(exitNotSynced, "still %s after %v", r.State, *timeout)
	}
	return exit(exitNotSynced, "the maximum error is still %s after %v, more than %v", status.Duration(*r.MaxError), *timeout, *maxError)
}
