package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

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
	servers := fmt.Sprintf("%d servers", len(cfg.Servers))
	if len(cfg.Servers) == 1 {
		servers = "1 server"
	}
	_, err = fmt.Fprintf(t.out, "%sok, %s\n", what, servers)
	return err
}
