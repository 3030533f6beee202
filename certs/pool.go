package certs

import (
	"crypto/x509"
	"fmt"
	"os"
)

// LoadPool reads the authorities in a file of PEM. What in it is no certificate is passed over; none
// at all is an error.
func LoadPool(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", path)
	}
	return pool, nil
}
