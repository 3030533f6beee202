package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/certs"
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
	connect := f.Bool("connect", false, "connect to each server and say how its certificate was judged")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
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
	servers := configs.Counted(len(cfg.Servers), "server", "servers")
	if _, err = fmt.Fprintf(t.out, "%sok, %s\n", what, servers); err != nil || !*connect {
		return err
	}
	return checkServers(ctx, t, cfg)
}

// checkServers tells an operator, server by server, how each certificate was judged. A person looks
// at the answer, so the host clock judges the dates.
func checkServers(ctx context.Context, t terminal, cfg configs.Config) error {
	policy, err := certs.New(certs.Options{Servers: cfg.Servers, Trust: cfg.Trust, Clock: hostClock})
	if err != nil {
		return err
	}
	type result struct {
		report certs.Report
		err    error
	}
	results := make([]result, len(cfg.Servers))
	var wait sync.WaitGroup
	for i, s := range cfg.Servers {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			results[i].report, results[i].err = policy.Connect(ctx, s.Name)
		})
	}
	wait.Wait()
	bad := 0
	for i, r := range results {
		fmt.Fprintf(t.out, "\n%s", r.report.String())
		if r.err != nil {
			bad++
			if r.report.Text == "" {
				fmt.Fprintf(t.out, "%s: %v\n", cfg.Servers[i].Name, r.err)
			}
		}
	}
	if bad > 0 {
		return exit(exitFailed, "%d of %s refused or can't be reached", bad, configs.Counted(len(results), "server is", "servers are"))
	}
	return nil
}
