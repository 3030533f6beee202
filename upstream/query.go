package upstream

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
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
	AEADSilent     uint16      `json:"aead_silent,omitempty"` // what the server chose first, and then answered nothing; 0: it did answer
	Cookies        int         `json:"cookies"`               // of the key exchange
	CookieBytes    int         `json:"cookie_bytes"`          // of each
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

// Query makes keys with one server and asks it a few times. Nothing is kept. A server that is silent with AEAD 30 is
// asked once more with AEAD 15 alone, as a Source does (see poller.doubt). The error is a sentence that names the cause.
func Query(ctx context.Context, q QueryOptions) (*QueryResult, error) {
	q.Samples = min(max(q.Samples, 0), 8)
	if q.Samples == 0 {
		q.Samples = 3
	}
	if q.Timeout <= 0 {
		q.Timeout = 10 * time.Second
	}
	opt := Options{
		Name: q.Name, Address: q.Address, MinPoll: time.Second, AEADs: q.AEADs,
		Trust: q.Trust, Clock: q.Clock,
	}
	if err := opt.complete(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	res, silent, err := q.ask(ctx, opt)
	if !silent || ctx.Err() != nil {
		return res, err
	}
	opt.AEADs = []uint16{ntske.AEADAESSIVCMAC256}
	again, _, failed := q.ask(ctx, opt)
	if failed != nil {
		return nil, err // AEAD 30 was not to blame
	}
	again.AEADSilent = ntske.AEADAES128GCMSIV
	return again, nil
}

// ask makes keys once and asks with them. silent: AEAD 30 may be why there was no reply.
func (q *QueryOptions) ask(ctx context.Context, opt Options) (res *QueryResult, silent bool, err error) {
	out := make(chan discipline.Measurement)
	opt.Out = out
	k, fail := makeKeys(ctx, &opt, 0)
	if fail != nil {
		return nil, false, fail
	}
	res = &QueryResult{
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
	all := q.Timeout
	doubtful := k.AEAD == ntske.AEADAES128GCMSIV && (q.AEADs == nil || slices.Contains(q.AEADs, ntske.AEADAESSIVCMAC256))
	if doubtful {
		all -= all / 5 // the rest is for AEAD 15
	}
	ctx, cancel := context.WithTimeout(ctx, all)
	defer cancel()

	s := newSource(opt)
	s.poller.pace.timeout = replyTimeout(all)
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
	for got < q.Samples {
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
			if st := s.Status(); got == 0 || st.Sent <= uint64(q.Samples)+2 || s.phase() == waiting {
				continue
			}
		case <-ctx.Done():
		case err := <-ended:
			ended <- err
		}
		break
	}
	if err = s.silence(ctx); got > 0 {
		err = nil
	}
	stop()
	if err != nil {
		return nil, doubtful && !s.poller.heard, err
	}
	return res, false, nil
}

// replyTimeout is how long to wait for each reply, so that all the cookies of one key exchange can be tried in the
// time that there is: a server may drop some requests, or have other keys (see poller.placeholders and
// poller.expire). Within four fifths of a second every server answers that can be used.
func replyTimeout(all time.Duration) time.Duration {
	return max(800*time.Millisecond, min(2*time.Second, all/(ntske.MaxCookies+1)))
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
