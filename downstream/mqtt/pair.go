package mqtt

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/ntsgw/ntsgw/certs"
)

// pair is the certificate of the TLS listener with its key. It follows the files; while new ones are
// refused the old pair stays.
type pair struct {
	certFile, keyFile string
	now               atomic.Pointer[tls.Certificate]
}

func newPair(certFile, keyFile string) (*pair, error) {
	p := &pair{certFile: certFile, keyFile: keyFile}
	c, err := certs.LoadKeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate of the TLS listener: %w", err)
	}
	p.now.Store(c)
	return p, nil
}

// watch reads the files again whenever they were replaced, until ctx ends.
func (p *pair) watch(ctx context.Context, log *slog.Logger) error {
	return follow(ctx, log, func() {
		c, err := certs.LoadKeyPair(p.certFile, p.keyFile)
		if err != nil {
			log.Error("the TLS listener's new certificate is refused, the old one stays", "error", err)
			return
		}
		if old := p.now.Swap(c); !slices.Equal(old.Leaf.Raw, c.Leaf.Raw) {
			log.Info("the TLS listener's certificate was replaced", "sha256", certs.Fingerprint(c.Leaf), "expires", c.Leaf.NotAfter)
		}
	}, p.certFile, p.keyFile)
}

// config is what the listener answers with: the pair as it is at each handshake.
func (p *pair) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12, // BearSSL, on the ESP8266, has no TLS 1.3
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.now.Load(), nil },
	}
}
