package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ntsgw/ntsgw/certs/watch"
)

// Serving is the certificate that a listener of ours shows, with its key. It follows its files; while
// new ones are refused the old pair stays. Safe for concurrent use.
type Serving struct {
	who               string
	certPath, keyPath string
	now               atomic.Pointer[tls.Certificate]
}

// NewServing reads the pair as LoadKeyPair does. who has it, for the log: "the NTS server".
func NewServing(who, certPath, keyPath string) (*Serving, error) {
	s := &Serving{who: who, certPath: certPath, keyPath: keyPath}
	c, err := LoadKeyPair(certPath, keyPath)
	if err != nil {
		return nil, err
	}
	s.now.Store(c)
	return s, nil
}

// Certificate returns the pair as it is now, for one handshake (tls.Config.GetCertificate).
func (s *Serving) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.now.Load(), nil
}

// Expiries returns the pair's certificates as they are now, the listener's own first.
func (s *Serving) Expiries(now time.Time) []Item {
	var list []*x509.Certificate
	for _, raw := range s.now.Load().Certificate {
		if c, err := x509.ParseCertificate(raw); err == nil { // it was read before
			list = append(list, c)
		}
	}
	return itemsOf(KindShown, s.certPath, list, now)
}

// Run reads the files again whenever they were replaced, until ctx ends.
func (s *Serving) Run(ctx context.Context, log *slog.Logger) {
	watch.Follow(ctx, log, settle, func() {
		c, err := LoadKeyPair(s.certPath, s.keyPath)
		if err != nil {
			log.Error(s.who+"'s new certificate is refused, the old one stays", "err", err)
			return
		}
		if old := s.now.Swap(c); !slices.Equal(old.Leaf.Raw, c.Leaf.Raw) {
			log.Info(s.who+"'s certificate was replaced", "sha256", Fingerprint(c.Leaf), "expires", c.Leaf.NotAfter)
		}
	}, s.certPath, s.keyPath)
}
