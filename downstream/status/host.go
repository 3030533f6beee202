package status

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// misdirected reports whether a request that came by loopback asks for a name that anybody can register. A page from
// there could otherwise have its name lead to this machine (DNS rebinding) and read in a browser here what it may not:
// the browser takes the gateway's answers for that page's own.
// hosts are the names that the operator gave the machine.
func misdirected(req *http.Request, hosts []string) bool {
	local, ok := req.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return false
	}
	if own, err := os.Hostname(); err == nil {
		hosts = append([]string{own}, hosts...)
	}
	return !isOurs(req.Host, hosts)
}

// isOurs reports whether nobody else can have the name in a Host header: an address, one of the machine's own, a
// single word, or a name outside the public DNS.
func isOurs(host string, own []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	for _, name := range own {
		if strings.EqualFold(strings.TrimSuffix(name, "."), host) {
			return true
		}
	}
	if !strings.Contains(host, ".") || strings.HasSuffix(host, ".home.arpa") { // RFC 8375
		return true
	}
	// A suffix with a dot that no registry of ICANN's keeps is that of somebody who lets others register below it.
	suffix, icann := publicsuffix.PublicSuffix(host)
	return !icann && !strings.Contains(suffix, ".")
}
