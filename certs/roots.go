package certs

import (
	"crypto/x509"
	"os"
	"slices"
)

// systemBundles are where distributions keep their authorities, the first that exists counts.
// They are read here and not through x509.SystemCertPool, which reads once in a process's life:
// an authority that the distribution withdraws must be gone without a restart.
func systemBundles() []string {
	if f := os.Getenv("SSL_CERT_FILE"); f != "" {
		return []string{f}
	}
	return []string{
		"/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine
		"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora
		"/etc/ssl/ca-bundle.pem",             // openSUSE
		"/etc/ssl/cert.pem",
	}
}

// rootSet reads each file of authorities once a load, and notes what is in use.
type rootSet struct {
	systemFile string // replaces the system's own
	files      map[string][]*x509.Certificate
	inUse      []fileInUse
}

func newRootSet(systemFile string) *rootSet {
	return &rootSet{systemFile: systemFile, files: map[string][]*x509.Certificate{}}
}

func (r *rootSet) use(f fileInUse) {
	if !slices.ContainsFunc(r.inUse, func(g fileInUse) bool { return g.path == f.path }) {
		r.inUse = append(r.inUse, f)
	}
}

// pool returns the authorities for mode (system, ca, both; empty: ca when a file is given).
func (r *rootSet) pool(mode, ca string) (*x509.CertPool, []*x509.Certificate, *Error) {
	if mode == "" {
		mode = "system"
		if ca != "" {
			mode = "ca"
		}
	}
	var files []string
	system := ""
	if mode != "ca" {
		f, err := r.system()
		if err != nil {
			return nil, nil, err
		}
		files, system = append(files, f), f
	}
	if mode != "system" {
		files = append(files, ca)
	}
	pool := x509.NewCertPool()
	var listed []*x509.Certificate
	for _, f := range files {
		distribution := f == system && r.systemFile == ""
		certs, err := r.read(f, distribution)
		if err != nil {
			return nil, nil, err
		}
		for _, c := range certs {
			pool.AddCert(c)
		}
		listed = append(listed, certs...)
		r.use(authoritiesInUse(f, certs, distribution))
	}
	return pool, listed, nil
}

func (r *rootSet) system() (string, *Error) {
	if r.systemFile != "" {
		return r.systemFile, nil
	}
	bundles := systemBundles()
	for _, f := range bundles {
		if _, err := os.Stat(f); err == nil {
			return f, nil
		}
	}
	return "", refuse(WhyUnreadableFile, "the system has no certificate authorities (looked for %s); install the package ca-certificates, or name a PEM file in [trust] roots", bundles[0])
}

func (r *rootSet) read(path string, lenient bool) ([]*x509.Certificate, *Error) {
	if certs, ok := r.files[path]; ok {
		return certs, nil
	}
	certs, err := readCertificates(path, lenient)
	if err != nil {
		return nil, err.(*Error)
	}
	r.files[path] = certs
	return certs, nil
}
