package mqtt

import (
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/configs"
)

// BrokerExpiries returns the certificates of the files that ClientTLS reads, where a broker is reached over TLS.
func BrokerExpiries(cfg configs.MQTT, now time.Time) []certs.Item {
	overTLS := func(broker string) bool {
		u, err := brokerURL(broker)
		return err == nil && slices.Contains([]string{"mqtts", "tls", "wss"}, u.Scheme)
	}
	if !overTLS(cfg.Broker) && !slices.ContainsFunc(cfg.Also, overTLS) {
		return nil
	}
	var list []certs.Item
	if cfg.CA != "" {
		list = certs.FileExpiries(certs.KindCA, cfg.CA, now)
	}
	if cfg.Cert != "" {
		list = append(list, certs.FileExpiries(certs.KindClient, cfg.Cert, now)...)
	}
	return list
}

// ClientTLS is what the certificate of a broker on host must satisfy, with our own certificate where
// one is configured. The files are read now.
func ClientTLS(host string, cfg configs.MQTT) (*tls.Config, error) {
	t := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if cfg.CA != "" {
		var err error
		if t.RootCAs, err = certs.LoadPool(cfg.CA); err != nil {
			return nil, fmt.Errorf("the broker's certificate authority: %w", err)
		}
	}
	if cfg.Cert != "" {
		pair, err := certs.LoadKeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, fmt.Errorf("client certificate for the broker: %w", err)
		}
		t.Certificates = []tls.Certificate{*pair}
	}
	return t, nil
}
