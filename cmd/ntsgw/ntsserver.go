package main

import (
	"context"
	"fmt"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/downstream/nts"
)

// ntsServer is the NTS server with its certificate, which is read again when its files change.
type ntsServer struct {
	*nts.Server
	g     *gateway
	shown *certs.Serving
}

func (g *gateway) newNTSServer() (*ntsServer, error) {
	cfg := g.cfg.NTSServer
	shown, err := certs.NewServing("the NTS server", cfg.Cert, cfg.Key)
	if err != nil {
		return nil, &exitError{exitConfig, fmt.Errorf("the NTS server's certificate: %w", err)}
	}
	s := &ntsServer{g: g, shown: shown}
	s.Server, err = nts.New(nts.Options{
		Timeline: g.loop, Clock: g.read, KEListen: cfg.Listen, NTPListen: cfg.NTPListen,
		Certificate: shown.Certificate, Log: g.log,
	})
	return s, err
}

// run watches the files and serves. Its listeners are open from the start, and closed when it ends.
func (s *ntsServer) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); s.shown.Run(ctx, s.g.log) }()
	err := s.Server.Run(ctx)
	cancel()
	<-watched
	return err
}
