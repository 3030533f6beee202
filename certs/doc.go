// Package certs decides which server may speak, and keeps deciding it over years.
//
// The configuration's servers and trust rules come in; a tls.Config for one server, a word on a
// host, and a verdict on a standing session come out. It follows RFC 5280 (chains), RFC 6960
// (OCSP), RFC 7633 (must-staple), RFC 7469 §2.4 (the form of pins) and RFC 8915 §4 (NTS-KE over
// TLS 1.3). The time that validity windows are judged against is an interval that the caller
// knows to hold true time; while it knows none, dates are deferred and everything else is not.
package certs
