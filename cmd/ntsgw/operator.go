package main

import (
	"net"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/ntsgw/ntsgw/configs"
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

// operatorOf is who runs a server: what the configuration says, or the registrable domain.
func operatorOf(s configs.Server) string {
	if s.Operator != "" {
		return s.Operator
	}
	host := s.Address
	if i := strings.LastIndexByte(host, ':'); i > 0 {
		host = host[:i]
	}
	return registrableDomain(strings.Trim(host, "[]"))
}
