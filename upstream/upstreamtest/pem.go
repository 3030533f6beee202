package upstreamtest

import "encoding/pem"

// PEM returns the authority's certificate, for a program that is told to trust it.
func (c *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}
