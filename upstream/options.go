package upstream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream/ntp"
)

// Courtesy to public servers that nobody asked before: they are polled this slowly at least.
const (
	builtinMinPoll = 64 * time.Second
	builtinSpacing = 2 * time.Second
)

// The limits of a poll interval (RFC 5905 §7.2: 2^17 s).
const (
	leastPoll = time.Second
	mostPoll  = 131072 * time.Second
)

// Options are what a Source is made from. Name, Address, Trust, Clock and Out are needed.
type Options struct {
	Name     string // unique; names the server to Trust and in Measurements
	Address  string // of the KE server, host:port; the port is 4460 when it is missing
	Operator string // for Status only

	MinPoll time.Duration // 1 s … 131072 s; 0: 16 s
	MaxPoll time.Duration // MinPoll … 131072 s; 0: 1024 s
	// Builtin is true for a server that the operator did not choose: polled at 64 s or slower,
	// first samples 2 s apart, patient after failures.
	Builtin          bool
	MaxSourceStratum int           // 0: 15
	RecheckEvery     time.Duration // how often Trust judges a standing session again; 0: 1 h
	// Floor is a time that has passed, nanoseconds since 1970: it decides which era of NTP's
	// 136 years a timestamp is in. 0: the beginning of 2025.
	Floor int64
	// AEADs are offered in this order; nil: 30, 15.
	AEADs []uint16

	Trust Trust
	Clock Clock
	// Out takes the measurements. Run waits for its reader.
	Out chan<- discipline.Measurement
	// Changed is told at the start and at each change whether the server answers, and is denied or revoked.
	// It is called from Run, which waits for it: nothing that the server says later may be heard first. It ends with ctx. nil: none.
	Changed func(ctx context.Context, name string, now discipline.Standing)
	Log     *slog.Logger // nil: silent

	// The rest is for tests; the zero values are the real ones.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	Open    func(peer netip.AddrPort) (Socket, error)
	Rand    io.Reader
	Now     func() time.Time // for Status.KEAt
	tick    time.Duration    // the step of the raw clock, at most
}

// Socket is a UDP socket that receives from one peer only, and whose datagrams carry the
// kernel's stamps: what *ntp.Socket is.
type Socket interface {
	Send(b []byte, peer netip.AddrPort, local netip.Addr) (ntp.Sent, error)
	SendStamp(id uint32) int64
	Receive(b []byte) (ntp.Received, error)
	Close() error
}

// complete checks opt and fills in what is left out.
func (opt *Options) complete() error {
	if opt.Name == "" {
		opt.Name = opt.Address
	}
	if _, _, err := net.SplitHostPort(opt.Address); err != nil {
		opt.Address = net.JoinHostPort(trimBrackets(opt.Address), "4460")
	}
	if host, port, err := net.SplitHostPort(opt.Address); err != nil || host == "" || port == "" {
		return fmt.Errorf("source %s: %q is not a host with an optional port", opt.Name, opt.Address)
	}
	if opt.Trust == nil || opt.Clock == nil {
		return errors.New("source " + opt.Name + ": Trust and Clock are needed")
	}
	if opt.MinPoll == 0 {
		opt.MinPoll = 16 * time.Second
	}
	if opt.MaxPoll == 0 {
		opt.MaxPoll = max(1024*time.Second, opt.MinPoll)
	}
	if opt.Builtin {
		opt.MinPoll = max(opt.MinPoll, builtinMinPoll)
		opt.MaxPoll = max(opt.MaxPoll, opt.MinPoll)
	}
	if opt.MinPoll < leastPoll || opt.MaxPoll > mostPoll || opt.MinPoll > opt.MaxPoll {
		return fmt.Errorf("source %s: polls from %v to %v are not within %v … %v", opt.Name, opt.MinPoll, opt.MaxPoll, leastPoll, mostPoll)
	}
	if opt.MaxSourceStratum == 0 {
		opt.MaxSourceStratum = ntp.MaxStratum
	}
	if opt.RecheckEvery <= 0 {
		opt.RecheckEvery = time.Hour
	}
	if opt.Floor == 0 {
		opt.Floor = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Dial == nil {
		opt.Dial = (&net.Dialer{}).DialContext
	}
	if opt.Resolve == nil {
		opt.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if opt.Open == nil {
		opt.Open = func(peer netip.AddrPort) (Socket, error) { return ntp.Dial(peer) }
	}
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return nil
}

func trimBrackets(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}
