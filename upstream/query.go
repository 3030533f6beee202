package upstream

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream/ntske"
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
	// Revocation says, in a word or a clause, what Trust found out about the named server's
	// certificate; it is called after the key exchange. nil: "unknown".
	Revocation func(name string) string
}

// QueryResult is what one server answered. Its JSON names are fixed.
type QueryResult struct {
	Address        string      `json:"address"`
	NTPAddress     string      `json:"ntp_address"`
	AEAD           uint16      `json:"aead"`
	Cookies        int         `json:"cookies"`      // of the key exchange
	CookieBytes    int         `json:"cookie_bytes"` // of each
	Stratum        uint8       `json:"stratum"`
	Offset         float64     `json:"offset_seconds"` // server minus the host clock
	Delay          float64     `json:"delay_seconds"`
	RootDelay      float64     `json:"root_delay_seconds"`
	RootDispersion float64     `json:"root_dispersion_seconds"`
	Certificate    Certificate `json:"certificate"`
	Revocation     string      `json:"revocation"`     // what QueryOptions.Revocation says
	DatesDeferred  bool        `json:"dates_deferred"` // the certificate's dates could not be judged
}

// Certificate describes the server's leaf certificate.
type Certificate struct {
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
	SHA256   string    `json:"sha256"`   // of the certificate, hex
	SPKIPin  string    `json:"spki_pin"` // sha256/BASE64, as in pins
}

// Query makes keys with one server and asks it a few times. Nothing is kept. The error is a
// sentence that names the cause.
func Query(ctx context.Context, q QueryOptions) (*QueryResult, error) {
	samples := min(max(q.Samples, 0), 8)
	if samples == 0 {
		samples = 3
	}
	if q.Timeout <= 0 {
		q.Timeout = 10 * time.Second
	}
	out := make(chan discipline.Measurement)
	opt := Options{
		Name: q.Name, Address: q.Address, MinPoll: time.Second, AEADs: q.AEADs,
		Trust: q.Trust, Clock: q.Clock, Out: out,
	}
	if err := opt.complete(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	k, fail := makeKeys(ctx, &opt, 0)
	if fail != nil {
		return nil, fail
	}
	res := &QueryResult{
		Address: opt.Address, NTPAddress: k.peer.String(), AEAD: k.AEAD,
		Cookies: len(k.Cookies), CookieBytes: len(k.Cookies[0]),
		DatesDeferred: k.deferred, Revocation: "unknown",
	}
	if certs := k.state.PeerCertificates; len(certs) > 0 {
		res.Certificate = describe(certs[0])
	}
	if q.Revocation != nil {
		res.Revocation = q.Revocation(opt.Name)
	}

	s := newSource(opt)
	s.poller.pace.timeout = replyTimeout(q.Timeout)
	s.poller.keysMade(opt.Clock.Now(), k)
	k.deferred = false // for this one question the session is not made again
	r := newRunner(s)
	r.once = true
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx) }()
	stop := func() { cancel(); <-ended }

	// Once one has worked some may fail.
	got := 0
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for got < samples {
		select {
		case m := <-out:
			pair := opt.Clock.ReadPair()
			if got++; got == 1 || m.Delay.Seconds() < res.Delay {
				res.Stratum = m.Stratum
				res.Offset = time.Duration(m.Offset - (pair.Real - int64(pair.Raw))).Seconds()
				res.Delay = m.Delay.Seconds()
				res.RootDelay = m.RootDelay.Seconds()
				res.RootDispersion = m.RootDispersion.Seconds()
			}
			continue
		case <-tick.C:
			if st := s.Status(); got == 0 || st.Sent <= uint64(samples)+2 || s.phase() == waiting {
				continue
			}
		case <-ctx.Done():
		case err := <-ended:
			ended <- err
		}
		break
	}
	stop()
	if got == 0 {
		return nil, s.silence(ctx)
	}
	return res, nil
}

// replyTimeout is how long to wait for each reply, so that all the cookies of one key exchange can be tried in the
// time that there is: a server may drop some requests, or have other keys (see poller.placeholders and
// poller.expire). Within a second every server answers that can be used.
func replyTimeout(all time.Duration) time.Duration {
	return max(time.Second, min(2*time.Second, all/(ntske.MaxCookies+1)))
}

func (s *Source) phase() phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.poller.phase
}

// silence says why there was no sample.
func (s *Source) silence(ctx context.Context) error {
	st := s.Status()
	switch {
	case st.LastError != "":
		return errors.New(st.LastError)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: no usable reply in time", st.Address)
	}
	return fmt.Errorf("%s: no usable reply", st.Address)
}

func describe(c *x509.Certificate) Certificate {
	whole, key := sha256.Sum256(c.Raw), sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return Certificate{
		Subject:  c.Subject.String(),
		Issuer:   c.Issuer.String(),
		NotAfter: c.NotAfter,
		SHA256:   hex.EncodeToString(whole[:]),
		SPKIPin:  "sha256/" + base64.StdEncoding.EncodeToString(key[:]),
	}
}
