package certstest

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Behaviour is how the responder answers for certificates of the intermediate; for those of the
// root it is always Honest.
type Behaviour string

// The behaviours. The first group is for OCSP answers and revocation lists alike.
const (
	Honest       Behaviour = "honest" // as is the zero value
	WrongKey     Behaviour = "signed by a stranger"
	Stale        Behaviour = "ended an hour ago"
	Future       Behaviour = "begins in an hour"
	NextYear     Behaviour = "begins in a year"
	Huge         Behaviour = "10 MB"
	SlowLoris    Behaviour = "a byte now and then"
	RedirectLoop Behaviour = "redirects to itself"
	ToHTTPS      Behaviour = "redirects to https"
	HTTPError    Behaviour = "500"
	Garbage      Behaviour = "not DER"
	Hang         Behaviour = "never answers"

	Unknown        Behaviour = "unknown"
	TryLater       Behaviour = "tryLater"
	OtherSerial    Behaviour = "another serial"
	OtherIssuer    Behaviour = "another issuer's certificate of the same serial"
	Delegated      Behaviour = "signed by a delegate"
	BadDelegate    Behaviour = "signed by a leaf without id-kp-OCSPSigning"
	OldDelegate    Behaviour = "signed by an expired delegate"
	PostOnly       Behaviour = "405 to GET"
	NoNextUpdate   Behaviour = "without nextUpdate"
	DeltaOnly      Behaviour = "a delta list"
	Partition      Behaviour = "a list of its distribution point's user certificates only"
	OtherPartition Behaviour = "a list of another distribution point"
)

// Responder answers OCSP requests at URL/ocsp and serves URL/crl/intermediate and URL/crl/root.
type Responder struct {
	URL string

	pki *PKI
	tb  testing.TB

	mu          sync.Mutex
	ocsp, crl   Behaviour
	revoked     map[string]time.Time
	hold        bool
	down        bool
	now         time.Time // zero: the PKI's
	gets, posts int
	lists       int
	crlNumber   int64
	stop        chan struct{}
}

func newResponder(tb testing.TB, p *PKI) *Responder {
	r := &Responder{pki: p, tb: tb, revoked: map[string]time.Time{}, stop: make(chan struct{})}
	s := httptest.NewServer(http.HandlerFunc(r.serve))
	r.URL = s.URL
	tb.Cleanup(func() {
		close(r.stop)
		s.CloseClientConnections()
		s.Close()
	})
	return r
}

// OCSP sets how OCSP requests are answered from now on.
func (r *Responder) OCSP(b Behaviour) { r.mu.Lock(); r.ocsp = b; r.mu.Unlock() }

// CRL sets how revocation lists are served from now on.
func (r *Responder) CRL(b Behaviour) { r.mu.Lock(); r.crl = b; r.mu.Unlock() }

// Down closes every connection unanswered while down is true.
func (r *Responder) Down(down bool) { r.mu.Lock(); r.down = down; r.mu.Unlock() }

// SetNow sets the time that answers are made at; the zero time means PKI.Now.
func (r *Responder) SetNow(t time.Time) { r.mu.Lock(); r.now = t; r.mu.Unlock() }

// Revoke revokes the certificate with that serial number, of either authority.
func (r *Responder) Revoke(serial *big.Int) {
	r.mu.Lock()
	r.revoked[serial.String()] = r.at()
	r.mu.Unlock()
}

// Hold makes every revocation one that may be taken back (RFC 5280 §5.3.1, certificateHold).
func (r *Responder) Hold() { r.mu.Lock(); r.hold = true; r.mu.Unlock() }

// Pardon takes the revocation of that serial number back.
func (r *Responder) Pardon(serial *big.Int) {
	r.mu.Lock()
	delete(r.revoked, serial.String())
	r.mu.Unlock()
}

// Requests returns how many OCSP requests came by GET and by POST, and how many lists were fetched.
func (r *Responder) Requests() (gets, posts, lists int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gets, r.posts, r.lists
}

func (r *Responder) at() time.Time {
	if r.now.IsZero() {
		return r.pki.Now
	}
	return r.now
}

// Staple returns an OCSP answer for cert, a certificate of the intermediate.
func (r *Responder) Staple(cert *x509.Certificate, b Behaviour) []byte {
	return r.answer(cert.SerialNumber, r.pki.Intermediate, b)
}

// serve has no http.ServeMux before it, which would tidy up a path with "//": one in forty OCSP
// requests has that in its base64.
func (r *Responder) serve(w http.ResponseWriter, req *http.Request) {
	switch path := req.URL.Path; {
	case path == "/ocsp", strings.HasPrefix(path, "/ocsp/"):
		r.serveOCSP(w, req)
	case strings.HasPrefix(path, "/crl/"):
		r.serveCRL(w, req)
	default:
		http.NotFound(w, req)
	}
}

func (r *Responder) serveOCSP(w http.ResponseWriter, req *http.Request) {
	var der []byte
	var err error
	switch req.Method {
	case http.MethodGet:
		r.mu.Lock()
		r.gets++
		r.mu.Unlock()
		der, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(req.URL.Path, "/ocsp/"))
	case http.MethodPost:
		r.mu.Lock()
		r.posts++
		r.mu.Unlock()
		der, err = io.ReadAll(io.LimitReader(req.Body, 64<<10))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q, err := ocsp.ParseRequest(der)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	b, down := r.ocsp, r.down
	r.mu.Unlock()
	issuer := r.pki.Intermediate
	h := q.HashAlgorithm.New()
	h.Write(issuer.Cert.RawSubject)
	if !bytes.Equal(h.Sum(nil), q.IssuerNameHash) {
		issuer, b = r.pki.Root, Honest
	}
	if b == PostOnly && req.Method == http.MethodGet {
		http.Error(w, "POST, please", http.StatusMethodNotAllowed)
		return
	}
	if r.misbehave(w, req, b, down) {
		return
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	_, _ = w.Write(r.answer(q.SerialNumber, issuer, b))
}

// misbehave does what has nothing to do with the content.
func (r *Responder) misbehave(w http.ResponseWriter, req *http.Request, b Behaviour, down bool) bool {
	if down {
		panic(http.ErrAbortHandler)
	}
	switch b {
	case HTTPError:
		http.Error(w, "no", http.StatusInternalServerError)
	case Garbage:
		_, _ = w.Write([]byte("these are not the bytes you are looking for"))
	case RedirectLoop:
		http.Redirect(w, req, req.URL.EscapedPath(), http.StatusFound)
	case ToHTTPS:
		http.Redirect(w, req, "https://"+req.Host+req.URL.EscapedPath(), http.StatusFound)
	case Huge:
		block := make([]byte, 64<<10)
		for range 160 {
			if _, err := w.Write(block); err != nil {
				return true
			}
		}
	case Hang:
		select {
		case <-r.stop:
		case <-req.Context().Done():
		}
	case SlowLoris:
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := w.Write([]byte{0x30}); err != nil {
				return true
			}
			w.(http.Flusher).Flush()
			select {
			case <-tick.C:
			case <-r.stop:
				return true
			case <-req.Context().Done():
				return true
			}
		}
	default:
		return false
	}
	return true
}

func (r *Responder) answer(serial *big.Int, issuer *Authority, b Behaviour) []byte {
	r.mu.Lock()
	now := r.at()
	at, isRevoked := r.revoked[serial.String()]
	hold := r.hold
	r.mu.Unlock()
	t := ocsp.Response{Status: ocsp.Good, SerialNumber: serial, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(4 * 24 * time.Hour)}
	if isRevoked {
		t.Status, t.RevokedAt, t.RevocationReason = ocsp.Revoked, at, ocsp.KeyCompromise
		if hold {
			t.RevocationReason = ocsp.CertificateHold
		}
	}
	responder, named := issuer, issuer.Cert
	switch b {
	case Unknown:
		t.Status = ocsp.Unknown
	case TryLater:
		return ocsp.TryLaterErrorResponse
	case Stale:
		t.ThisUpdate, t.NextUpdate = now.Add(-48*time.Hour), now.Add(-time.Hour)
	case Future:
		t.ThisUpdate, t.NextUpdate = now.Add(time.Hour), now.Add(48*time.Hour)
	case NextYear:
		t.ThisUpdate, t.NextUpdate = now.AddDate(1, 0, 0), now.AddDate(1, 0, 4)
	case NoNextUpdate:
		t.NextUpdate = time.Time{}
	case OtherSerial:
		t.SerialNumber = new(big.Int).Add(serial, big.NewInt(1))
	case OtherIssuer:
		named = r.pki.Root.Cert
	case WrongKey:
		responder = &Authority{Cert: issuer.Cert, Key: Key(r.tb)}
	case Delegated:
		responder = r.delegate(issuer, now.Add(time.Hour), x509.ExtKeyUsageOCSPSigning)
		t.Certificate = responder.Cert
	case BadDelegate:
		responder = r.delegate(issuer, now.Add(time.Hour), x509.ExtKeyUsageServerAuth)
		t.Certificate = responder.Cert
	case OldDelegate:
		responder = r.delegate(issuer, now.Add(-time.Hour), x509.ExtKeyUsageOCSPSigning)
		t.Certificate = responder.Cert
	}
	der, err := ocsp.CreateResponse(named, responder.Cert, t, responder.Key)
	if err != nil {
		panic(err)
	}
	return der
}

// Delegate makes a certificate of issuer that may sign OCSP answers until then.
func (r *Responder) Delegate(issuer *Authority, until time.Time) *Authority {
	return r.delegate(issuer, until, x509.ExtKeyUsageOCSPSigning)
}

func (r *Responder) delegate(issuer *Authority, until time.Time, usage x509.ExtKeyUsage) *Authority {
	key := Key(r.tb)
	c := issuer.Sign(r.tb, &x509.Certificate{
		SerialNumber: Serial(r.tb), Subject: pkix.Name{CommonName: "Test Responder"},
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage}, BasicConstraintsValid: true,
	}, key.Public())
	return &Authority{Cert: c, Key: key}
}

func (r *Responder) serveCRL(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.lists++
	b, down := r.crl, r.down
	r.mu.Unlock()
	issuer := r.pki.Intermediate
	if req.URL.Path == "/crl/root" {
		issuer, b = r.pki.Root, Honest
	}
	if r.misbehave(w, req, b, down) {
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	_, _ = w.Write(r.List(issuer, b))
}

// List returns issuer's revocation list in DER.
func (r *Responder) List(issuer *Authority, b Behaviour) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.at()
	r.crlNumber++
	t := &x509.RevocationList{Number: big.NewInt(now.Unix() + r.crlNumber), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(4 * 24 * time.Hour)}
	for serial, at := range r.revoked {
		n, _ := new(big.Int).SetString(serial, 10)
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: at, ReasonCode: 1})
	}
	key := issuer.Key
	switch b {
	case Stale:
		t.ThisUpdate, t.NextUpdate = now.Add(-48*time.Hour), now.Add(-time.Hour)
	case Future:
		t.ThisUpdate, t.NextUpdate = now.Add(time.Hour), now.Add(48*time.Hour)
	case NextYear:
		t.ThisUpdate, t.NextUpdate = now.AddDate(1, 0, 0), now.AddDate(1, 0, 4)
	case WrongKey:
		key = Key(r.tb)
	case DeltaOnly:
		t.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
	case Partition:
		t.ExtraExtensions = []pkix.Extension{distributionPoint(r.URL+"/crl/intermediate", 0x81, 1, 0xff)}
	case OtherPartition:
		t.ExtraExtensions = []pkix.Extension{distributionPoint("http://other.example/")}
	}
	der, err := x509.CreateRevocationList(rand.Reader, t, issuer.Cert, key)
	if err != nil {
		panic(err)
	}
	return der
}

// distributionPoint is { distributionPoint { fullName { URI uri } }, rest } (RFC 5280 §5.2.5), short.
func distributionPoint(uri string, rest ...byte) pkix.Extension {
	n := byte(len(uri))
	value := append([]byte{0x30, n + 6 + byte(len(rest)), 0xa0, n + 4, 0xa0, n + 2, 0x86, n}, uri...)
	return pkix.Extension{Id: []int{2, 5, 29, 28}, Critical: true, Value: append(value, rest...)}
}
