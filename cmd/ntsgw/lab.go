package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/beacon/watch"
	"github.com/ntsgw/ntsgw/downstream/nts"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/durable"
	"github.com/ntsgw/ntsgw/upstream"
)

// labClock is the clock of the lab's NTS server: it began at an offset to this host's and gains
// on it ever since. It is what "true" means in the lab.
type labClock struct {
	read  sysclock.Reader
	start discipline.Snapshot
}

// labServerError is the bound that the lab's server states of its own clock.
const labServerError = time.Microsecond

func newLabClock(offset time.Duration, driftPPM float64) *labClock {
	pair := sysclock.ReadPair()
	c := &labClock{}
	const taiOffset = 37
	c.start = discipline.Snapshot{
		State: discipline.Synchronized, Epoch: newEpoch(),
		At: pair.Raw, TAI: pair.Real + int64(offset) + taiOffset*1e9, TAIOffset: taiOffset, FrequencyPPM: driftPPM,
		MaxErrorAt: labServerError, EstErrorAt: labServerError, Stratum: 1, RefID: 0x4c414200, NTS: true,
	}
	return c
}

// Snapshot is the server's clock at this moment.
func (c *labClock) Snapshot() *discipline.Snapshot {
	s := c.start
	s.At = c.read.Now()
	s.TAI, s.LastUpdate = c.start.TAIAt(s.At), s.At
	return &s
}

// labPrinter prints one line an event, with the seconds since the start before it.
type labPrinter struct {
	mu    sync.Mutex
	w     io.Writer
	start time.Time
}

func (p *labPrinter) line(who, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "%7.2f s  %-8s %s\n", time.Since(p.start).Seconds(), who, fmt.Sprintf(format, args...))
}

func labVerb(ctx context.Context, t terminal, args []string) error {
	if len(args) > 0 && args[0] == "server" {
		return labServerVerb(ctx, t, args[1:])
	}
	f := newFlags(t, "lab")
	forTime := f.Duration("for", 0, "end after `D`, with exit code 0 only if beacons were verified and every bound held")
	drift := f.ppm("server-drift", 50, "how much the server's clock gains on this host's, `PPM`")
	offset := f.Duration("server-offset", 250*time.Millisecond, "how far it is ahead at the start")
	verbose := f.Bool("v", false, "print the gateway's log as well")
	if rest, err := f.operands(args, 0, 1); err != nil {
		return err
	} else if len(rest) > 0 {
		return unknownWord("subcommand", rest[0], "server")
	}
	if *forTime < 0 {
		return misuse("-for must not be less than 0")
	}
	if *drift < -400 || *drift > 400 {
		return misuse("-server-drift must be -400 to 400 ppm")
	}
	dir, err := os.MkdirTemp("", "ntsgw-lab-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	log := slog.New(slog.DiscardHandler)
	if *verbose {
		log = newLog(t.err, configs.Log{Level: "info", Format: "text"})
	}
	if *forTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *forTime)
		defer cancel()
	}
	p := &labPrinter{w: t.out, start: time.Now()}
	fmt.Fprintln(t.out, "The whole chain in this one process. Nothing on this machine is changed: the host clock is only observed.")

	truth := newLabClock(*offset, *drift)
	server, err := labServer(truth, dir, labAddresses{"127.0.0.1:0", "127.0.0.1:0", []string{"127.0.0.1", "localhost"}}, log)
	if err != nil {
		return err
	}
	p.line("server", "NTS on %s, time on %s; its clock is %s ahead of this host's and gains %g ppm", server.KEAddr(), server.NTPAddr(), *offset, *drift)
	g, err := newGateway(labConfig(dir, server.KEAddr().String()), false, log)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(ctx) })
	group.Go(func() error { return g.run(ctx) })
	group.Go(func() error { labNarrate(ctx, p, g); return nil })
	node := &labNode{p: p, truth: truth, g: g}
	group.Go(func() error { return node.run(ctx) })
	err = group.Wait()
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return node.summary(t.out)
}

// labAddresses says where the lab's server is found.
type labAddresses struct {
	ke, ntp string   // to listen on
	hosts   []string // in its certificate
}

// labServer is an NTS server with a throw-away authority, whose certificate is left in dir.
func labServer(truth *labClock, dir string, at labAddresses, log *slog.Logger) (*nts.Server, error) {
	ca, err := certs.NewThrowaway(at.hosts...)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "ca.pem")
	if err := mayReplace(path, ca.CAPEM); err != nil {
		return nil, err
	}
	s, err := nts.New(nts.Options{
		Timeline: truth, Clock: sysclock.Reader{}, KEListen: at.ke, NTPListen: at.ntp,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &ca.Certificate, nil },
		Log:         log,
	})
	if err != nil {
		return nil, err
	}
	// What doesn't listen leaves nothing behind: the authority of a server that runs may be there.
	return s, durable.Replace(path, ca.CAPEM, 0o644)
}

// mayReplace refuses to put ours over a file at path that no lab made.
func mayReplace(path string, ours []byte) error {
	there, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || subjectOf(there) == "" || subjectOf(there) != subjectOf(ours) {
		return exit(exitFailed, "%s is there and not a lab's, so it is left as it is; name another folder: -dir FOLDER", path)
	}
	return nil
}

// subjectOf is whom a file with one certificate in PEM names; empty for any other.
func subjectOf(text []byte) string {
	block, rest := pem.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return ""
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ""
	}
	return c.Subject.String()
}

// labServerVerb is the lab's server alone, for labs of several machines or containers.
func labServerVerb(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "lab server")
	dir := f.String("dir", ".", "the `FOLDER` that ca.pem is left in")
	ke := f.String("listen", "127.0.0.1:4460", "key exchange `ADDRESS`")
	ntp := f.String("ntp-listen", "127.0.0.1:4123", "time `ADDRESS`")
	host := f.String("host", "localhost", "the `NAME` that it is called by, for the certificate")
	drift := f.ppm("server-drift", 50, "how much its clock gains on this host's, `PPM`")
	offset := f.Duration("server-offset", 250*time.Millisecond, "how far it is ahead at the start")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	if *drift < -400 || *drift > 400 {
		return misuse("-server-drift must be -400 to 400 ppm")
	}
	if info, err := os.Stat(*dir); err != nil || !info.IsDir() {
		return exit(exitFailed, "there is no folder %q to leave ca.pem in; make it, or name another: -dir FOLDER", *dir)
	}
	log := newLog(t.err, configs.Log{Level: "info", Format: "auto"})
	s, err := labServer(newLabClock(*offset, *drift), *dir, labAddresses{*ke, *ntp, []string{*host, "127.0.0.1"}}, log)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "lab NTS server on %s, time on %s, authority in %s; its clock is %s ahead of this host's and gains %g ppm\n",
		s.KEAddr(), s.NTPAddr(), filepath.Join(*dir, "ca.pem"), *offset, *drift)
	return s.Run(ctx)
}

func labConfig(dir, server string) configs.Config {
	cfg := configs.Defaults()
	cfg.Gateway = configs.Gateway{ID: "lab", StateDir: filepath.Join(dir, "state")}
	cfg.Clock.Mode = "observe"
	cfg.Servers = []configs.Server{{
		Name: "lab-server", Address: server, CA: filepath.Join(dir, "ca.pem"), Roots: "ca", PinMode: "add",
		Operator: "lab", MinPoll: time.Second, MaxPoll: 4 * time.Second, Revocation: "off",
	}}
	cfg.BuiltinServers = false
	cfg.MQTT.Listen, cfg.MQTT.Interval = "127.0.0.1:0", time.Second
	cfg.Status.Listen, cfg.Status.Socket = "127.0.0.1:0", filepath.Join(dir, "ntsgw.sock")
	return cfg
}

// labNarrate prints the pipeline as it comes up.
func labNarrate(ctx context.Context, p *labPrinter, g *gateway) {
	if s := g.page.Load(); s != nil {
		p.line("gateway", "page on http://%s/, broker on %s", s.Addr(ctx), g.mqtt.Load().Addresses()[0])
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var keys time.Time
	var state discipline.State
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if st := g.sources[0].Status(); !st.KEAt.Equal(keys) {
			if line := keysLine(&st, keys.IsZero()); line != "" {
				keys = st.KEAt
				p.line("gateway", "%s", line)
			}
		}
		s := g.loop.Snapshot()
		if s.State == state {
			continue
		}
		state = s.State
		if now := g.read.Now(); s.Serving() {
			host := sysclock.ReadPair()
			offset := time.Duration(s.UTCAt(host.Raw).UnixNano() - host.Real)
			p.line("gateway", "%s: host clock offset %s, maximum error %s", state, status.Duration(offset.Seconds()), status.Bound(s.MaxError(now).Seconds()))
		} else {
			p.line("gateway", "%s", state)
		}
	}
}

// keysLine tells of a session's keys; it is empty when there is no session, or none any more.
func keysLine(st *upstream.Status, first bool) string {
	dates := "again, now with the certificate's dates judged"
	switch {
	case st.AEAD == 0:
		return ""
	case st.DatesDeferred:
		dates = "certificate dates are judged later: the time is not known yet"
	case first:
		dates = "the certificate's dates are judged"
	}
	return fmt.Sprintf("key exchange done: AEAD %d (%s), %s; %s", st.AEAD, aeadName(st.AEAD), configs.Counted(st.Cookies, "cookie", "cookies"), dates)
}

// labNode is a device that was enrolled with the gateway: it verifies beacons, makes exchanges, and
// keeps the interval that they prove. Everything it learns is held against the server's clock.
type labNode struct {
	p     *labPrinter
	truth *labClock
	g     *gateway

	beacons int
	refused int
	outside int
	most    time.Duration // largest |true difference| of a beacon
	bound   time.Duration // largest stated maximum error
}

// labExchange is between the lab node's exchanges.
const labExchange = 5 * time.Second

func (n *labNode) run(ctx context.Context) error {
	e, err := n.g.nodes.Add("lab-node")
	if err != nil {
		return err
	}
	key, err := hex.DecodeString(e.Key)
	if err != nil {
		return err
	}
	return watch.Follow(ctx, watch.FollowOptions{
		Session: watch.Options{Broker: "mqtt://" + n.g.mqtt.Load().Addresses()[0], Prefix: e.TopicPrefix,
			User: e.MQTTUser, Password: e.MQTTPassword, Now: n.g.read.Now},
		Enrolment: beacon.Enrolment{Gateway: e.Gateway, Node: e.Node, NodeKey: (*[32]byte)(key), Generation: e.Generation, Root: n.g.keys.Roots()[0]},
		RatePPM:   500, Every: labExchange, Suspended: sysclock.Suspended, Random: rand.Reader, On: n.event,
	})
}

func (n *labNode) event(ev watch.Event) {
	if ev.Err != nil {
		n.refused++
		n.p.line("node", "%s refused: %v", ev.Kind, ev.Err)
		return
	}
	now := n.truth.start.UTCAt(ev.At).UnixNano()
	if ev.UTC.Lo > now || ev.UTC.Hi < now {
		n.outside++
		n.p.line("node", "TRUE TIME IS OUTSIDE THE NODE'S INTERVAL")
	}
	switch {
	case ev.Delegation != nil:
		kid := ev.Delegation.Key.KID()
		n.p.line("node", "delegation verified: the root lets online key %x sign, serial %d", kid, ev.Delegation.Serial)
	case ev.Kind == beacon.KindBeacon && ev.Statement != nil:
		n.beacon(ev)
	case ev.Kind == beacon.KindResponse:
		n.p.line("node", "exchange    %s ± %-8s node's own interval  true difference %-9s inside", ev.Estimate.Format("15:04:05.000000Z"),
			status.Bound(ev.HalfWidth.Seconds()), status.Duration(time.Duration(ev.Estimate.UnixNano()-now).Seconds()))
	}
}

// beacon holds a beacon against the server's clock. A beacon says what time it was when it was
// stamped, so the server's clock is read at that instant of the raw clock, which the gateway's
// own map gives back.
func (n *labNode) beacon(ev watch.Event) {
	b := ev.Statement
	at := n.g.loop.Snapshot().RawAt(b.TAI())
	diff := time.Duration(b.TAI() - n.truth.start.TAIAt(at))
	n.beacons++
	n.most, n.bound = max(n.most, diff.Abs()), max(n.bound, b.MaxError)
	verdict := "inside"
	if diff.Abs() > b.MaxError {
		n.outside++
		verdict = "OUTSIDE THE BOUND"
	}
	n.p.line("node", "beacon %-4d %s ± %-8s signature ok         true difference %-9s %s", ev.Sequence, b.UTC().Format("15:04:05.000000Z"),
		status.Bound(b.MaxError.Seconds()), status.Duration(diff.Seconds()), verdict)
}

func (n *labNode) summary(w io.Writer) error {
	fmt.Fprintf(w, "%d beacons verified; largest |true difference| %s, largest bound %s\n", n.beacons,
		status.Duration(n.most.Seconds()), status.Bound(n.bound.Seconds()))
	switch {
	case n.beacons == 0:
		return exit(exitFailed, "no beacon was verified")
	case n.outside > 0:
		return exit(exitFailed, "%d times true time was outside what was stated", n.outside)
	case n.refused > 0:
		return exit(exitFailed, "%d messages were refused", n.refused)
	}
	return nil
}
