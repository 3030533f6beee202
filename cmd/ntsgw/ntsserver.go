package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/watch"
	"github.com/ntsgw/ntsgw/downstream/nts"
)

// ntsServer is the NTS server with its certificate, which is read again when its files change.
type ntsServer struct {
	*nts.Server
	pair  atomic.Pointer[tls.Certificate]
	watch *watch.Watcher
}

func (g *gateway) newNTSServer() (*ntsServer, error) {
	cfg := g.cfg.NTSServer
	s := &ntsServer{}
	pair, err := certs.LoadKeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return nil, &exitError{exitConfig, fmt.Errorf("the NTS server's certificate: %w", err)}
	}
	s.pair.Store(pair)
	s.watch = watch.New([]string{cfg.Cert, cfg.Key}, 200*time.Millisecond, func() {
		pair, err := certs.LoadKeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			g.log.Error("the NTS server's new certificate is refused, the old one stays", "err", err)
			return
		}
		if old := s.pair.Swap(pair); slices.Equal(old.Leaf.Raw, pair.Leaf.Raw) {
			return
		}
		g.log.Info("the NTS server's certificate was replaced", "sha256", certs.Fingerprint(pair.Leaf), "expires", pair.Leaf.NotAfter)
	})
	s.Server, err = nts.New(nts.Options{
		Timeline: g.loop, Clock: g.read, KEListen: cfg.Listen, NTPListen: cfg.NTPListen,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.pair.Load(), nil },
		Log:         g.log,
	})
	return s, err
}

// run watches the files and serves. Its listeners are open from the start, and closed when it ends.
func (s *ntsServer) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	watching := make(chan error, 1)
	s.watch.Reload() // they may have been replaced since they were read
	go func() { watching <- s.watch.Run(ctx) }()
	err := s.Server.Run(ctx)
	cancel()
	<-watching
	return err
}
