package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/downstream/beacon/watch"
	"github.com/ntsgw/ntsgw/downstream/mqtt"
	"github.com/ntsgw/ntsgw/downstream/status"
)

func beaconWatch(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "beacon watch")
	config := f.config()
	nodeFile := f.String("node", "", "the `FILE` that node add -form json made: verify and ask as that node (default: this machine's gateway, beacons only)")
	broker := f.String("broker", "", "the broker's `URL` (default: the configuration's)")
	ca := f.String("ca", "", "a PEM `FILE` with the broker's certificate authority")
	every := f.Duration("exchange", 10*time.Second, "between exchanges, as a node; 0s: none")
	rate := f.ppm("rate", 500, "stated rate error of this machine's oscillator, `PPM`")
	wait := f.Duration("wait", 0, "wait so long for the node's file to appear")
	forTime := f.Duration("for", 0, "end after `D`, with exit code 0 only if a beacon or an answer was verified, the broker lets the node in and no alarm stands")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	if *rate < 0 || *rate > 50000 {
		return f.misuse("-rate must be 0 to 50000 ppm")
	}
	if *forTime < 0 || *wait < 0 || *every < 0 {
		return f.misuse("-for, -wait and -exchange must not be less than 0")
	}
	if *forTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *forTime+*wait)
		defer cancel()
	}
	opt := watch.FollowOptions{RatePPM: *rate, Every: *every, Suspended: sysclock.Suspended, Random: rand.Reader}
	opt.Session.Now = sysclock.Now
	var err error
	if *nodeFile != "" {
		err = asNode(ctx, &opt, *nodeFile, *wait)
	} else {
		err = asGateway(&opt, *config)
	}
	if err != nil {
		return err
	}
	if *broker != "" {
		opt.Session.Broker = *broker
	}
	if opt.Session.Broker == "" {
		if cfg, err := configs.Load(*config); err == nil {
			opt.Session.Broker = brokerURL(cfg.MQTT)
		}
	}
	if opt.Session.Broker == "" {
		return misuse("give the broker's address: -broker mqtt://HOST:1883")
	}
	if *ca != "" {
		pool, err := certs.LoadPool(*ca)
		if err != nil {
			return err
		}
		opt.Session.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	w := &watcher{t: t, json: *asJSON}
	opt.On = w.event
	opt.Session.State = w.connection
	if err := watch.Follow(ctx, opt); err != nil {
		return err
	}
	return w.verdict(&opt)
}

// asNode takes who the node is from its enrolment.
func asNode(ctx context.Context, opt *watch.FollowOptions, file string, wait time.Duration) error {
	var text []byte
	deadline := time.Now().Add(wait)
	for {
		var err error
		text, err = os.ReadFile(file)
		if err == nil && len(text) > 0 {
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			if err == nil {
				err = fmt.Errorf("%s is empty", file)
			}
			if errors.Is(err, os.ErrPermission) {
				return fmt.Errorf("the node's enrolment: %w; run it with sudo", err)
			}
			return fmt.Errorf("the node's enrolment: %w; make it with: ntsgw node add NAME -form json -out FILE", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	var e mqtt.Enrolment
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("%s is not an enrolment as node add -form json prints it: %w", file, err)
	}
	key, err := hex.DecodeString(e.Key)
	if err != nil || len(key) != 32 {
		return fmt.Errorf("%s: key must be 64 hex digits", file)
	}
	if len(e.Roots) == 0 {
		return fmt.Errorf("%s names no root key", file)
	}
	root, err := parsePublic(e.Roots[0].Public)
	if err != nil {
		return fmt.Errorf("%s: its root: %w", file, err)
	}
	if !configs.ValidName(e.Gateway) || !configs.ValidName(e.Node) {
		return fmt.Errorf("%s names gateway %q and node %q: each has 1 to 16 characters of a–z, 0–9 and -", file, e.Gateway, e.Node)
	}
	opt.Enrolment = beacon.Enrolment{Gateway: e.Gateway, Node: e.Node, NodeKey: (*[32]byte)(key), Generation: e.Generation, Root: root}
	opt.Session.Prefix, opt.Session.User, opt.Session.Password = e.TopicPrefix, e.MQTTUser, e.MQTTPassword
	return nil
}

// asGateway listens to this machine's own gateway.
func asGateway(opt *watch.FollowOptions, config string) error {
	cfg, store, err := readStore(config)
	if err != nil {
		return err
	}
	opt.Enrolment = beacon.Enrolment{Gateway: store.Gateway(), Root: store.Roots()[0]}
	opt.Session.Prefix = mqtt.TopicPrefix(cfg.MQTT.Prefix, store.Gateway())
	opt.Session.Broker = brokerURL(cfg.MQTT)
	if cfg.MQTT.Broker == "" {
		return nil
	}
	s, err := brokerSession(cfg.MQTT, cfg.MQTT.Broker)
	opt.Session.User, opt.Session.Password, opt.Session.TLS = s.User, s.Password, s.TLS
	return err
}

func brokerURL(cfg configs.MQTT) string {
	if cfg.Broker != "" {
		return cfg.Broker
	}
	return mqtt.OwnBroker(cfg.Listen)
}

// watcher prints what a node sees.
type watcher struct {
	t        terminal
	json     bool
	verified int // beacons and answers
	keys     int // delegations: a broker keeps them, and they don't tell the time
	refused  int
	alarms   beacon.Alarm

	mu      sync.Mutex // the connection is told of by others
	lastErr string
	shut    bool // the broker refuses the name and password
}

// line is an event as -json prints it.
type line struct {
	At        string   `json:"at"` // this host's clock when the message had arrived, which the interval is for
	Kind      string   `json:"kind"`
	Verdict   string   `json:"verdict"`
	Reason    string   `json:"reason,omitempty"`
	Text      string   `json:"text,omitempty"`
	Time      string   `json:"time,omitempty"`
	MaxError  *float64 `json:"max_error_seconds,omitempty"`
	State     string   `json:"state,omitempty"`
	Sequence  *uint32  `json:"sequence,omitempty"`
	Serial    *uint32  `json:"serial,omitempty"`
	RoundTrip *float64 `json:"round_trip_seconds,omitempty"`
	Knowledge string   `json:"knowledge"`
	Lo        *int64   `json:"lo_utc_ns,omitempty"`
	Hi        *int64   `json:"hi_utc_ns,omitempty"`
	Estimate  string   `json:"estimate,omitempty"`
	HalfWidth *float64 `json:"half_width_seconds,omitempty"`
	Alarms    string   `json:"alarms,omitempty"`
}

func (w *watcher) event(ev watch.Event) {
	arrived := time.Now().Add(-sysclock.Now().Sub(ev.At))
	l := line{At: arrived.UTC().Format("2006-01-02T15:04:05.000000Z"), Kind: ev.Kind.String(), Verdict: "accepted",
		Knowledge: ev.Knowledge.String(), Alarms: watch.AlarmWords(ev.Alarms)}
	w.alarms |= ev.Alarms
	if ev.Err != nil {
		if ev.Kind != beacon.KindRequest { // it was not sent: none came
			w.refused++
		}
		l.Verdict, l.Reason, l.Text = "refused", string(beacon.ReasonOf(ev.Err)), ev.Err.Error()
	} else if ev.Kind == beacon.KindDelegation {
		w.keys++
	} else {
		w.verified++
	}
	if s := ev.Statement; s != nil {
		e := s.MaxError.Seconds()
		l.Time, l.MaxError, l.State = s.UTC().Format("2006-01-02T15:04:05.000000000Z"), &e, s.State.String()
	}
	if ev.Kind == beacon.KindBeacon && ev.Statement != nil {
		l.Sequence = &ev.Sequence
	}
	if ev.Delegation != nil {
		l.Serial = &ev.Delegation.Serial
	}
	if ev.RoundTrip > 0 {
		l.RoundTrip = number(ev.RoundTrip)
	}
	if ev.UTC.Lo != beacon.LoUnknown {
		l.Lo = &ev.UTC.Lo
	}
	if ev.UTC.Hi != beacon.HiUnknown {
		l.Hi = &ev.UTC.Hi
	}
	if ev.Knowledge == beacon.Bounded {
		l.Estimate, l.HalfWidth = ev.Estimate.Format("2006-01-02T15:04:05.000000000Z"), number(ev.HalfWidth)
	}
	if w.json {
		text, _ := json.Marshal(l)
		fmt.Fprintf(w.t.out, "%s\n", text)
		return
	}
	fmt.Fprintln(w.t.out, l.text())
}

func (l *line) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-6s %s", l.Kind, l.Verdict)
	switch {
	case l.Reason != "" || l.Text != "":
		fmt.Fprintf(&b, ": %s", l.Text)
	case l.Serial != nil:
		fmt.Fprintf(&b, "  the root delegates the online key, serial %d", *l.Serial)
	case l.Time != "":
		fmt.Fprintf(&b, "  %s ± %s  %s", l.Time, status.Bound(*l.MaxError), l.State)
		if l.RoundTrip != nil {
			fmt.Fprintf(&b, "  round trip %s", status.Duration(*l.RoundTrip))
		}
	}
	switch {
	case l.HalfWidth != nil:
		fmt.Fprintf(&b, "  | node: %s ± %s", l.Estimate, status.Bound(*l.HalfWidth))
	case l.Lo != nil:
		fmt.Fprintf(&b, "  | node: not before %s", time.Unix(0, *l.Lo).UTC().Format("2006-01-02T15:04:05.000000000Z"))
	}
	if l.Alarms != "" {
		fmt.Fprintf(&b, "  ALARM %s", l.Alarms)
	}
	return b.String()
}

func (w *watcher) connection(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = errors.Is(err, watch.ErrRefused)
	text := "connected"
	if err != nil {
		text = "not connected: " + err.Error()
	}
	if text != w.lastErr {
		w.lastErr = text
		fmt.Fprintln(w.t.err, text)
	}
}

func (w *watcher) verdict(opt *watch.FollowOptions) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	const enrol = "ntsgw node add NAME -form json -out FILE, then beacon watch -node FILE"
	switch {
	case w.alarms != 0:
		return exit(exitFailed, "alarm: %s", watch.AlarmWords(w.alarms))
	case w.shut && opt.Enrolment.Node != "":
		return exit(exitFailed, "%s refuses the name and password of %s; if they were replaced or revoked, use the newest file, or make one with: ntsgw node rotate %s -form json -out FILE",
			opt.Session.Broker, opt.Enrolment.Node, opt.Enrolment.Node)
	case w.shut && opt.Session.User != "":
		return exit(exitFailed, "%s refuses the name %s and its password: mend user and password_file in [mqtt]", opt.Session.Broker, opt.Session.User)
	case w.shut:
		return exit(exitFailed, "%s lets nobody in without a name and password: %s", opt.Session.Broker, enrol)
	case w.verified == 0 && w.refused > 0:
		return exit(exitFailed, "%s, none was verified", configs.Counted(w.refused, "message came", "messages came"))
	case w.verified == 0 && w.keys > 0:
		return exit(exitNotSynced, "no beacon and no answer was verified, only the delegation of the key: see with ntsgw status whether the gateway knows the time, or give a longer -for")
	case w.verified == 0:
		if w.lastErr != "connected" && w.lastErr != "" {
			return exit(exitNotSynced, "nothing was verified: %s: %s; see that the broker runs, and give its address with -broker URL", opt.Session.Broker, w.lastErr)
		}
		return exit(exitNotSynced, "nothing was verified: no message came from %s; a broker off loopback wants a node's name: %s", opt.Session.Broker, enrol)
	}
	return nil
}
