package upstream

import (
	"context"
	"errors"
	"time"
)

// QueryOptions are what Query is made from. Address, Trust and Clock are needed.
type QueryOptions struct {
	Address string // host, port optional (4460)
	Name    string // what Trust knows the server as; empty: the address
	Trust   Trust
	Clock   Clock
	AEADs   []uint16      // offered in this order; nil: 30, 15
	Samples int           // exchanges, 1 … 8; 0: 3; the one with the least delay is reported
	Timeout time.Duration // of all; 0: 10 s
}

// QueryResult is what one server answered. Its JSON names are fixed.
type QueryResult struct {
	Address        string      `json:"address"`
	NTPAddress     string      `json:"ntp_address"`
	AEAD           uint16      `json:"aead"`
	Cookies        int         `json:"cookies"`
	CookieBytes    int         `json:"cookie_bytes"`
	Stratum        uint8       `json:"stratum"`
	Offset         float64     `json:"offset_seconds"` // server minus the host clock
	Delay          float64     `json:"delay_seconds"`
	RootDelay      float64     `json:"root_delay_seconds"`
	RootDispersion float64     `json:"root_dispersion_seconds"`
	Certificate    Certificate `json:"certificate"`
	Revocation     string      `json:"revocation"`
}

// Certificate describes the server's leaf certificate.
type Certificate struct {
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
	SHA256   string    `json:"sha256"`   // of the certificate, hex
	SPKIPin  string    `json:"spki_pin"` // sha256/BASE64, as in pins
}

// Query makes keys with one server and asks it a few times. Nothing is kept.
func Query(ctx context.Context, opt QueryOptions) (*QueryResult, error) {
	return nil, errors.New("not there yet")
}
