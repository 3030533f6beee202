package revocation

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of what a responder may send.
const (
	maxOCSP      = 64 << 10 // bytes; real answers have 0.5 to 4 KB
	maxCRL       = 16 << 20 // bytes
	maxRedirects = 2
	maxGET       = 255 // characters of a request that is asked by GET (RFC 5019 §5)
)

var (
	errManyRedirects = errors.New("too many redirects")
	errAwayFromHTTP  = errors.New("redirected away from http")
)

// newClient makes the client for responders. It speaks plain HTTP only, because an answer is signed
// and TLS would ask for revocation again, and unpacks nothing.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Scheme != "http" {
				return errAwayFromHTTP
			}
			if len(via) > maxRedirects {
				return errManyRedirects
			}
			return nil
		},
	}
}

// fetched is a body with what HTTP says of its version.
type fetched struct {
	body           []byte
	etag, modified string
	unchanged      bool // 304: the version that was named is still the one
}

// fetch makes one request. A nil body makes it a GET.
func (c *Checker) fetch(ctx context.Context, at string, body []byte, limit int64, etag, modified string) (*fetched, *Error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, problem(WhyUnreachable, err, "%s is not an http address", at)
	}
	method, reader := http.MethodGet, io.Reader(nil)
	if body != nil {
		method, reader = http.MethodPost, bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, at, reader)
	if err != nil {
		return nil, problem(WhyUnreachable, err, "cannot ask %s", at)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/ocsp-request")
	}
	req.Header.Set("User-Agent", "ntsgw")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	if modified != "" {
		req.Header.Set("If-Modified-Since", modified)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, transport(ctx, err, at)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && (etag != "" || modified != "") {
		return &fetched{unchanged: true}, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, problem(WhyHTTP, nil, "%s answered %s", at, resp.Status)
	}
	if resp.ContentLength > limit {
		return nil, problem(WhyTooLarge, nil, "%s would send %d bytes; %d are read", at, resp.ContentLength, limit)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, transport(ctx, err, at)
	}
	if int64(len(text)) > limit {
		return nil, problem(WhyTooLarge, nil, "%s sent more than %d bytes", at, limit)
	}
	return &fetched{body: text, etag: resp.Header.Get("ETag"), modified: resp.Header.Get("Last-Modified")}, nil
}

func transport(ctx context.Context, err error, at string) *Error {
	switch {
	case errors.Is(err, errManyRedirects), errors.Is(err, errAwayFromHTTP):
		return problem(WhyRedirect, err, "cannot ask %s", at)
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return problem(WhyTimeout, nil, "%s did not answer in time", at)
	}
	return problem(WhyUnreachable, err, "cannot ask %s", at)
}

// ask asks one OCSP responder: by GET where the request is short enough, so that caches on the way
// can help (RFC 5019 §5), and by POST when that was refused or it is not.
func (c *Checker) ask(ctx context.Context, at string, der []byte) ([]byte, *Error) {
	if text := base64.StdEncoding.EncodeToString(der); len(url.QueryEscape(text)) <= maxGET {
		got, e := c.fetch(ctx, strings.TrimSuffix(at, "/")+"/"+url.QueryEscape(text), nil, maxOCSP, "", "")
		if e == nil {
			return got.body, nil
		}
		if e.Why != WhyHTTP {
			return nil, e
		}
	}
	got, e := c.fetch(ctx, at, der, maxOCSP, "", "")
	if e != nil {
		return nil, e
	}
	return got.body, nil
}

// deadline bounds all requests of one check together.
func (c *Checker) deadline(ctx context.Context, again bool) (context.Context, context.CancelFunc) {
	d := c.timeout
	if again {
		// Nobody waits for a standing session's check, and a list may be long.
		d *= 8
	}
	return context.WithTimeout(ctx, d)
}

// defaultTimeout leaves room within the deadline of a key exchange.
const defaultTimeout = 3 * time.Second
