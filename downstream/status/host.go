package status

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// misdirected reports whether a request that came by loopback asks for a name that anybody can register. A page from
// there could otherwise have its name lead to this machine (DNS rebinding) and read in a browser here what it may not:
// the browser takes the gateway's answers for that page's own.
func misdirected(req *http.Request) bool {
	local, ok := req.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.IP.IsLoopback() && !isOurs(req.Host)
}

// isOurs reports whether nobody else can have the name in a Host header: an address, or a name outside the public DNS.
func isOurs(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	// A suffix with a dot that no registry of ICANN's keeps is that of somebody who lets others register below it.
	suffix, icann := publicsuffix.PublicSuffix(host)
	return !icann && !strings.Contains(suffix, ".")
}
