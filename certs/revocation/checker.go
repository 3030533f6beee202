package revocation

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Ask says when responders are asked.
type Ask uint8

// When responders are asked.
const (
	AskNobody Ask = iota // while time is not known: an answer's window could not be judged
	AskIfOld             // when nothing at hand was fetched within Options.MaxAge
	AskAgain             // in any case; what is at hand serves when nobody answers
)

// Options are what a Checker is made from.
type Options struct {
	Dir     string        // where answers are kept; empty: in memory only
	Timeout time.Duration // of all requests of one check together; 0: 3 s
	MaxAge  time.Duration // 0: an hour
	// Now is used for ages only, through its monotonic part; nil: time.Now.
	Now func() time.Time
}

// Checker finds out about revocation and remembers. It is safe for concurrent use.
type Checker struct {
	client  *http.Client
	timeout time.Duration
	maxAge  time.Duration
	now     func() time.Time
	disk    disk
	flights singleflight.Group

	mu       sync.Mutex
	answers  map[key]*kept     // of OCSP
	lists    map[string]*list  // of distribution points, by URL
	failures map[string]failed // by URL, and by URL and question

	reading sync.Mutex // one list at a time: a long one needs much memory while it is read
}

// key names a certificate: the hash of its issuer's key and its serial number.
type key [sha256.Size]byte

func keyOf(cert, issuer *x509.Certificate) key {
	h := sha256.New()
	h.Write(issuer.RawSubjectPublicKeyInfo)
	h.Write(cert.SerialNumber.Bytes())
	return key(h.Sum(nil))
}

type kept struct {
	Answer
	digest  [sha256.Size]byte // of the response's DER
	fetched time.Time         // zero: before this process, or a staple
}

type list struct {
	*List
	fetched        time.Time
	etag, modified string
}

type failed struct {
	at  time.Time
	err *Error
}

// patience is for how long a responder that failed is not asked again by AskIfOld.
const patience = time.Minute

// most bounds each map: entries come from verified chains only, a handful for each server.
const most = 512

// New makes a Checker.
func New(o Options) *Checker {
	c := &Checker{client: newClient(), timeout: o.Timeout, maxAge: o.MaxAge, now: o.Now, disk: disk{o.Dir},
		answers: map[key]*kept{}, lists: map[string]*list{}, failures: map[string]failed{}}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.maxAge == 0 {
		c.maxAge = time.Hour
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// Request asks about one certificate.
type Request struct {
	Cert, Issuer *x509.Certificate
	Staple       []byte  // the server's stapled answer; nil: none
	Lists        []*List // from local files
	Now          Window
	Ask          Ask
}

// Result is what could be found out.
type Result struct {
	Answer
	// Problems are the sources that gave no answer, in the order they were asked.
	Problems []*Error
	// StapleProblem is why the staple was not believed; nil also when there was none.
	StapleProblem *Error
}

// Sources reports whether anybody is named who could be asked about cert.
func Sources(cert *x509.Certificate) bool {
	return len(cert.OCSPServer) > 0 || len(cert.CRLDistributionPoints) > 0
}

// Check finds out about q.Cert. A clear "revoked" from any checked source decides; else the newest
// "good" whose window holds; else the status is Unknown and Problems say why.
func (c *Checker) Check(ctx context.Context, q Request) Result {
	r := &Result{}
	k := keyOf(q.Cert, q.Issuer)

	if c.fromFiles(&q, r) || c.fromStaple(&q, k, r) {
		return *r
	}
	old := c.remembered(&q, k)
	if old != nil && r.take(&old.Answer, q.Now) && old.Status == Revoked {
		if q.Ask == AskNobody || old.final() {
			return *r
		}
	}
	settled := r.Status == Good && (r.Source == SourceCRLFile ||
		q.Ask != AskAgain && (r.Source == SourceStaple || c.fresh(old)))
	if settled || q.Ask == AskNobody {
		return *r
	}
	ctx, cancel := c.deadline(ctx, q.Ask == AskAgain)
	defer cancel()
	if !c.fromResponders(ctx, &q, k, r) {
		c.fromPoints(ctx, &q, r)
	}
	return *r
}

// take accepts a when it is final, or its window holds and it is not older than what r has; it
// returns whether r now rests on a.
func (r *Result) take(a *Answer, w Window) bool {
	stale, future := WhyOCSPStale, WhyOCSPFuture
	if a.Source == SourceCRL || a.Source == SourceCRLFile {
		stale, future = WhyCRLStale, WhyCRLFuture
	}
	if e := a.window(w, stale, future); e != nil && !a.final() {
		r.Problems = append(r.Problems, e)
		return false
	}
	if r.Status == Unknown || a.Status == Revoked || a.ThisUpdate.After(r.ThisUpdate) {
		r.Answer = *a
		return true
	}
	return false
}

// fromFiles asks the local lists. It reports whether the matter is closed.
func (c *Checker) fromFiles(q *Request, r *Result) bool {
	for _, l := range q.Lists {
		if !l.covers(q.Cert, q.Issuer) {
			continue
		}
		a, e := l.about(q.Cert, q.Issuer)
		if e != nil {
			r.Problems = append(r.Problems, e)
			continue
		}
		a.Source = SourceCRLFile
		if r.take(a, q.Now) && a.Status == Revoked {
			return true
		}
	}
	return false
}

// fromStaple looks at the stapled answer. It reports whether the matter is closed.
func (c *Checker) fromStaple(q *Request, k key, r *Result) bool {
	if len(q.Staple) == 0 {
		return false
	}
	digest := sha256.Sum256(q.Staple)
	c.mu.Lock()
	old := c.answers[k]
	c.mu.Unlock()
	var a *Answer
	if old != nil && old.digest == digest { // its signature was checked before
		copied := old.Answer
		a = &copied
	} else {
		var e *Error
		if a, e = ParseOCSP(q.Staple, q.Cert, q.Issuer); e != nil {
			r.StapleProblem = e
			r.Problems = append(r.Problems, e)
			return false
		}
	}
	a.Source, a.From, a.Cached = SourceStaple, "", false
	if e := a.window(q.Now, WhyOCSPStale, WhyOCSPFuture); e != nil {
		r.StapleProblem = e
	}
	taken := r.take(a, q.Now)
	if r.StapleProblem == nil || a.final() {
		c.remember(k, &kept{Answer: *a, digest: digest}, q.Staple)
	}
	return taken && a.Status == Revoked
}

// remembered returns what is known of the certificate from earlier, from memory or the disk.
func (c *Checker) remembered(q *Request, k key) *kept {
	c.mu.Lock()
	old := c.answers[k]
	c.mu.Unlock()
	if old == nil {
		der := c.disk.read(k)
		if der == nil {
			return nil
		}
		a, e := ParseOCSP(der, q.Cert, q.Issuer)
		if e != nil {
			return nil // damaged, or of another time: as if it were not there
		}
		a.Source = SourceOCSP
		old = &kept{Answer: *a, digest: sha256.Sum256(der)}
		c.mu.Lock()
		c.answers[k] = old
		c.mu.Unlock()
	}
	seen := *old
	seen.Cached = true
	return &seen
}

func (c *Checker) fresh(k *kept) bool {
	return k != nil && !k.fetched.IsZero() && c.now().Sub(k.fetched) < c.maxAge
}

// remember keeps a statement unless an older certificate's worth of newer statements is known:
// the newest wins, and a final one is replaced by nothing.
func (c *Checker) remember(k key, n *kept, der []byte) {
	c.mu.Lock()
	old := c.answers[k]
	keep := old == nil || n.Status == Revoked || !old.final() && !n.ThisUpdate.Before(old.ThisUpdate)
	if keep {
		if old != nil && n.fetched.IsZero() && n.digest == old.digest {
			n.fetched = old.fetched
		}
		if len(c.answers) >= most {
			clear(c.answers)
		}
		c.answers[k] = n
	} else if !n.fetched.IsZero() {
		renewed := *old
		renewed.fetched = n.fetched
		c.answers[k] = &renewed
	}
	c.mu.Unlock()
	if keep && (old == nil || old.digest != n.digest) {
		c.disk.write(k, der)
	}
}

// fromResponders asks the OCSP responders that the certificate names. It reports whether one gave
// a usable answer.
func (c *Checker) fromResponders(ctx context.Context, q *Request, k key, r *Result) bool {
	urls := first(q.Cert.OCSPServer)
	if len(urls) == 0 {
		return false
	}
	ask, err := request(q.Cert, q.Issuer)
	if err != nil {
		r.Problems = append(r.Problems, problem(WhyOCSPMalformed, err, "no request can be made"))
		return false
	}
	for _, at := range urls {
		question := "ocsp " + at + string(k[:])
		if e := c.failedLately(q.Ask, at, question); e != nil {
			r.Problems = append(r.Problems, e)
			continue
		}
		got, _, _ := c.flights.Do(question, func() (any, error) {
			der, e := c.ask(ctx, at, ask)
			return flight{der, e}, nil
		})
		f := got.(flight)
		if c.noteFailure(at, f.err) {
			r.Problems = append(r.Problems, f.err)
			continue
		}
		a, e := ParseOCSP(f.der, q.Cert, q.Issuer)
		if c.noteFailure(question, e) {
			r.Problems = append(r.Problems, e)
			continue
		}
		a.Source, a.From = SourceOCSP, at
		if e := a.window(q.Now, WhyOCSPStale, WhyOCSPFuture); e != nil && !a.final() {
			r.Problems = append(r.Problems, e)
			continue
		}
		c.remember(k, &kept{Answer: *a, digest: sha256.Sum256(f.der), fetched: c.now()}, f.der)
		if r.Status == Revoked && a.ThisUpdate.After(r.ThisUpdate) {
			r.Answer = *a // a hold was lifted
		} else {
			r.take(a, q.Now)
		}
		return true
	}
	return false
}

type flight struct {
	der []byte
	err *Error
}

// fromPoints fetches the lists that the certificate names.
func (c *Checker) fromPoints(ctx context.Context, q *Request, r *Result) {
	for _, at := range first(q.Cert.CRLDistributionPoints) {
		l, cached, e := c.list(ctx, at, q)
		if e != nil {
			r.Problems = append(r.Problems, e)
		}
		if l == nil {
			continue
		}
		a, e := l.about(q.Cert, q.Issuer)
		if e != nil {
			r.Problems = append(r.Problems, e)
			continue
		}
		a.Cached = cached
		if r.take(a, q.Now) {
			return
		}
	}
}

// list returns the list at a distribution point, fetched or remembered. It may return both a
// remembered list and the reason why no newer one could be had.
func (c *Checker) list(ctx context.Context, at string, q *Request) (l *List, cached bool, e *Error) {
	old := c.rememberedList(at)
	if old != nil && q.Ask != AskAgain && !old.fetched.IsZero() && c.now().Sub(old.fetched) < c.maxAge {
		return old.List, true, nil
	}
	have := func(e *Error) (*List, bool, *Error) {
		if old == nil {
			return nil, false, e
		}
		return old.List, true, e
	}
	id := sha256.Sum256(q.Issuer.Raw)
	question := "crl " + at + string(id[:])
	if e := c.failedLately(q.Ask, at, question); e != nil {
		return have(e)
	}
	got, _, _ := c.flights.Do(question, func() (any, error) {
		var etag, modified string
		if old != nil {
			etag, modified = old.etag, old.modified
		}
		f, e := c.fetch(ctx, at, nil, maxCRL, etag, modified)
		if c.noteFailure(at, e) {
			return listFlight{nil, e}, nil
		}
		if f.unchanged {
			n := &list{List: old.List, fetched: c.now(), etag: etag, modified: modified}
			c.rememberList(at, n)
			return listFlight{n, nil}, nil
		}
		c.reading.Lock()
		parsed, e := ParseSignedList(derOf(f.body), q.Issuer)
		c.reading.Unlock()
		if e != nil {
			e.Text = at + ": " + e.Text
			return listFlight{nil, e}, nil
		}
		parsed.From = at
		return listFlight{&list{List: parsed, fetched: c.now(), etag: f.etag, modified: f.modified}, nil}, nil
	})
	f := got.(listFlight)
	// What is not signed by the issuer, or older than what is known, replaces nothing.
	if c.noteFailure(question, f.err) {
		return have(f.err)
	}
	n := f.list
	if old != nil && n.ThisUpdate.Before(old.ThisUpdate) {
		return old.List, true, nil
	}
	if n.List != oldList(old) {
		c.rememberList(at, n)
		c.disk.write(listKey(at), n.rl.Raw)
	}
	return n.List, false, nil
}

type listFlight struct {
	list *list
	err  *Error
}

func oldList(l *list) *List {
	if l == nil {
		return nil
	}
	return l.List
}

func listKey(at string) key { return sha256.Sum256([]byte("crl " + at)) }

func (c *Checker) rememberedList(at string) *list {
	c.mu.Lock()
	old := c.lists[at]
	c.mu.Unlock()
	if old != nil {
		return old
	}
	der := c.disk.read(listKey(at))
	if der == nil {
		return nil
	}
	c.reading.Lock()
	l, e := ParseList(der)
	c.reading.Unlock()
	if e != nil {
		return nil
	}
	l.From = at
	old = &list{List: l}
	c.rememberList(at, old)
	return old
}

func (c *Checker) rememberList(at string, l *list) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lists) >= most {
		clear(c.lists)
	}
	c.lists[at] = l
}

// failedLately returns why a responder is left alone: it gave nothing at all, or nothing good to this
// question. The same one may know other certificates.
func (c *Checker) failedLately(ask Ask, at, question string) *Error {
	if ask == AskAgain {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, what := range []string{at, question} {
		if f, ok := c.failures[what]; ok && c.now().Sub(f.at) < patience {
			return f.err
		}
	}
	return nil
}

// noteFailure remembers e, or forgets an earlier failure when e is nil; it reports e != nil.
func (c *Checker) noteFailure(what string, e *Error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e == nil {
		delete(c.failures, what)
		return false
	}
	if len(c.failures) >= most {
		clear(c.failures)
	}
	c.failures[what] = failed{c.now(), e}
	return true
}

// first returns the first two: enough for a spare, too few to be led around.
func first(urls []string) []string { return urls[:min(len(urls), 2)] }
