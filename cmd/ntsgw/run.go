package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/ntsgw/ntsgw/configs"
)

func runVerb(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "run")
	config := f.config()
	dry := f.Bool("dry-run", false, "never set the host clock, whatever the configuration says")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	cfg, err := configs.Load(*config)
	if err != nil {
		return asConfigError(err)
	}
	log := newLog(t.err, cfg.Log)
	logNotes(log, cfg.Notes)
	// Before anything else: a SIGHUP that comes early must not end the program.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	g, err := newGateway(cfg, *dry, log)
	if err != nil {
		return err
	}
	log.Info("ntsgw starts", "version", programVersion(), "gateway", g.id, "servers", len(cfg.Servers), "config", cfg.Path)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				g.reload()
			}
		}
	}()
	if err := g.run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("ntsgw ends")
	return nil
}

// logNotes says what does nothing in the configuration.
func logNotes(log *slog.Logger, notes configs.Problems) {
	for _, n := range notes {
		log.Warn("something in the configuration does nothing", "note", n)
	}
}
