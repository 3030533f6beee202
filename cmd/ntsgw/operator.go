package main

import (
	"net"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// registrableDomain is the part of a host name that somebody registered; an address, or a name
// without a public suffix, stands for itself.
func registrableDomain(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if net.ParseIP(host) != nil {
		return host
	}
	if d, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return d
	}
	return host
}
