package upstream

import (
	"crypto/tls"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// Trust decides who may speak. Its errors may have a method Reason() string: that word is then
// counted. It is used from several goroutines at once.
type Trust interface {
	// KEConfig returns how to make a TLS connection to the named server. deferred: the dates of
	// certificates can't be judged, because the time is not known yet.
	KEConfig(server string) (cfg *tls.Config, deferred bool, err error)
	// AllowHost says whether host (a name or an address) may be contacted.
	AllowHost(host string) error
	// Recheck judges a standing session's connection again, as if it were made now.
	Recheck(server string, cs *tls.ConnectionState) error
}

// Clock is what a source reads time from.
type Clock interface {
	Now() discipline.Raw              // CLOCK_MONOTONIC_RAW
	ReadPair() discipline.HostReading // REALTIME beside it
	Suspended() time.Duration         // BOOTTIME − MONOTONIC
}
