package mqtt

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// pair is a certificate with its key that follows the files. While new files don't fit together
// the old pair stays.
type pair struct {
	certFile, keyFile string

	mu      sync.Mutex
	cert    *tls.Certificate
	changed [2]time.Time
}

func newPair(certFile, keyFile string) (*pair, error) {
	p := &pair{certFile: certFile, keyFile: keyFile}
	c, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate of the TLS listener: %w", err)
	}
	p.cert, p.changed = &c, p.stamps()
	return p, nil
}

func (p *pair) stamps() (s [2]time.Time) {
	for i, f := range []string{p.certFile, p.keyFile} {
		if st, err := os.Stat(f); err == nil {
			s[i] = st.ModTime()
		}
	}
	return s
}

// get returns the pair as the files are now, for one handshake.
func (p *pair) get() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.stamps(); now != p.changed {
		if c, err := tls.LoadX509KeyPair(p.certFile, p.keyFile); err == nil {
			p.cert, p.changed = &c, now
		}
	}
	return p.cert, nil
}
