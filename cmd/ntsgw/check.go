package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/ntsgw/ntsgw/configs"
)

// version is set by the linker in released builds.
var version = ""

func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func versionVerb(_ context.Context, t terminal, args []string) error {
	f := newFlags(t, "version")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.out, "ntsgw %s %s/%s %s\n", programVersion(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return err
}

func checkVerb(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "check")
	config := f.config()
	example := f.Bool("example", false, "print a complete commented configuration")
	connect := f.Bool("connect", false, "ask each server, and say what it answered and how its certificate was judged")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	if *example && *connect {
		return f.misuse("-example and -connect can't go together: -example prints a file and asks nobody")
	}
	if *example {
		_, err := fmt.Fprint(t.out, configs.Example)
		return err
	}
	cfg, err := configs.Load(*config)
	if err != nil {
		return asConfigError(err)
	}
	what := cfg.Path + ": "
	if cfg.Path == "" {
		what = "no configuration file; the defaults hold: "
	}
	if problems := fileProblems(cfg); len(problems) > 0 {
		end := exit(exitPermission, "")
		for _, err := range problems {
			fmt.Fprintf(t.err, "%s%v\n", what, err)
			if !errors.Is(err, fs.ErrPermission) {
				end = exit(exitConfig, "")
			}
		}
		return end
	}
	for _, n := range cfg.Notes {
		fmt.Fprintln(t.err, n)
	}
	// The gateway starts with what ended, and the host clock may be wrong: it is said, but is no mistake.
	for _, f := range endFindings(cfg, time.Now()) {
		fmt.Fprintf(t.err, "%s%s\n", what, f.text)
	}
	servers := configs.Counted(len(cfg.Servers), "server", "servers")
	if _, err = fmt.Fprintf(t.out, "%sok, %s\n", what, servers); err != nil || !*connect {
		return err
	}
	return checkServers(ctx, t, cfg)
}

// checkServers tells an operator, server by server, what it answered and how its certificate was judged.
func checkServers(ctx context.Context, t terminal, cfg configs.Config) error {
	probes, err := probeServers(ctx, cfg)
	if err != nil {
		return err
	}
	bad := 0
	for i := range probes {
		fmt.Fprintf(t.out, "\n%s", probes[i].report())
		if probes[i].err != nil {
			bad++
		}
	}
	if bad > 0 {
		return exit(exitFailed, "%d of %s can't be used", bad, configs.Counted(len(probes), "server", "servers"))
	}
	return nil
}
