package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/certs/signing"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/loop"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/mqtt"
	"github.com/ntsgw/ntsgw/downstream/ptp"
	"github.com/ntsgw/ntsgw/downstream/status"
)

// finding is one line of the doctor's.
type finding struct {
	grade string // ok, note, bad
	text  string
}

func doctorVerb(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "doctor")
	config := f.config()
	offline := f.Bool("offline", false, "contact no server and no broker")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	cfg, err := configs.Load(*config)
	if err != nil {
		return asConfigError(err)
	}
	bad := 0
	say := func(list ...finding) {
		for _, f := range list {
			fmt.Fprintf(t.out, "%-5s %s\n", f.grade, f.text)
			if f.grade == "bad" {
				bad++
			}
		}
	}
	state := stateFinding(cfg.Gateway.StateDir)
	say(configFinding(cfg), clockFinding(cfg), tickFinding(discipline.TickOf(sysclock.Now)), state, rtcFinding())
	for _, n := range cfg.Notes {
		say(finding{"note", n.Error()})
	}
	if state.grade == "ok" {
		say(secretFindings(cfg)...)
	}
	say(thermometerFindings(cfg.Clock.Thermometer)...)
	if o, err := sysclock.DetectOther(ctx, time.Second); err == nil && o != nil {
		say(finding{"note", o.String() + `; with mode = "auto" it is left to do so, with mode = "follow" its clock is bounded too`})
	} else if err == nil {
		say(finding{"ok", "nobody else steers the host clock at present"})
	}
	for _, err := range fileProblems(cfg) {
		say(finding{"bad", err.Error()})
	}
	say(endFindings(cfg, time.Now())...)
	unfit, waited := interfaceFindings(cfg.PTP)
	say(runningFindings(ctx, cfg, unfit)...)
	say(waited...)
	say(leapFindings(cfg)...)
	if !*offline {
		say(brokerFindings(ctx, cfg.MQTT)...)
		say(reachFindings(ctx, cfg)...)
	}
	if bad > 0 {
		return exit(exitFailed, "%d of these must be mended", bad)
	}
	return nil
}

func configFinding(cfg configs.Config) finding {
	if cfg.Path == "" {
		return finding{"ok", "no configuration file: the defaults and the built-in servers are used"}
	}
	n := len(cfg.Servers)
	if n < 3 && !cfg.BuiltinServers {
		return finding{"note", fmt.Sprintf("%s is right, but with %s a lying one can't be outvoted: it takes three or more", cfg.Path, configs.Counted(n, "server", "servers"))}
	}
	return finding{"ok", fmt.Sprintf("%s is right, %s", cfg.Path, configs.Counted(n, "server", "servers"))}
}

func clockFinding(cfg configs.Config) finding {
	switch {
	case sysclock.MaySetTime():
		return finding{"ok", "this process may set the host clock"}
	case cfg.Clock.Mode == "system":
		return finding{"bad", `mode is "system", but this process may not set the host clock: give it CAP_SYS_TIME, or run doctor as the user that runs ntsgw`}
	}
	return finding{"note", "this process may not set the host clock: the gateway would observe"}
}

// tickFinding judges the step of the raw clock.
func tickFinding(tick time.Duration) finding {
	switch text := fmt.Sprintf("the raw clock (CLOCK_MONOTONIC_RAW) moves in steps of %v", tick.Round(100*time.Nanosecond)); {
	case tick > discipline.MostRawTick:
		return finding{"bad", (&loop.CoarseClockError{Step: tick}).Error()}
	case discipline.Coarse(tick) > 0:
		return finding{"note", text + ", which every bound that is handed on contains"}
	}
	return finding{"ok", "the raw clock is fine enough"}
}

func stateFinding(dir string) finding {
	probe := dir
	for {
		info, err := os.Stat(probe)
		if err == nil && !info.IsDir() {
			return finding{"bad", fmt.Sprintf("%s is not a folder; set state_dir in [gateway]", probe)}
		}
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrNotExist) || probe == filepath.Dir(probe) {
			return finding{"bad", withFix(fmt.Errorf("the state folder can't be read: %w", err)).Error()}
		}
		probe = filepath.Dir(probe)
	}
	f, err := os.CreateTemp(probe, ".ntsgw-doctor-*")
	if err != nil {
		return finding{"bad", withFix(fmt.Errorf("nothing can be written to %s: %w", probe, err)).Error()}
	}
	defer os.Remove(f.Name())
	// A full disk lets a file be made, but nothing be put into it.
	_, err = f.Write(bytes.Repeat([]byte("ntsgw\n"), 1000))
	if err = cmp.Or(err, f.Close()); err != nil {
		return finding{"bad", withFix(fmt.Errorf("nothing can be written to %s: %w", probe, err)).Error()}
	}
	return finding{"ok", fmt.Sprintf("state is kept in %s", dir)}
}

// secretFindings is why run would refuse the signing keys or the list of devices. Those that are not there yet are
// made at the first start, and not by looking.
func secretFindings(cfg configs.Config) []finding {
	store, err := openSigning(cfg, func(o *signing.Options) { o.Look = true })
	if e := (*signing.Error)(nil); errors.As(err, &e) && e.Why == signing.WhyMissing && e.Path == "" {
		return nil
	}
	if err == nil {
		if _, err := os.Stat(nodesFolder(cfg)); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		_, err = openNodes(cfg, store.Gateway())
	}
	if err != nil {
		return []finding{{"bad", err.Error()}}
	}
	return nil
}

func rtcFinding() finding {
	if _, err := os.Stat("/dev/rtc0"); err == nil {
		return finding{"ok", "there is a battery clock"}
	}
	return finding{"note", "there is no battery clock: after a power cut the time is not known until the servers answer, and suspends can't be measured"}
}

// runningFindings is whether a gateway runs and how it is, or whether one could: unfit is what PTP would say, nil
// when nothing.
func runningFindings(ctx context.Context, cfg configs.Config, unfit error) []finding {
	r, err := status.Ask(ctx, cfg.Status.Socket)
	if err == nil {
		list := []finding{gatewayFinding(r)}
		for _, w := range r.Warnings {
			list = append(list, finding{"note", fmt.Sprintf("the gateway that runs warns of %s: %s", w.ID, w.Text)})
		}
		return list
	}
	if !errors.Is(err, status.ErrNotRunning) {
		return []finding{{"note", err.Error()}}
	}
	return []finding{startFinding(cfg, unfit)}
}

// startFinding is whether a gateway could start.
func startFinding(cfg configs.Config, unfit error) finding {
	taken := func(listen string, err error) finding {
		fix := listenFix(err, "change listen")
		if errors.Is(err, os.ErrPermission) {
			fix = "run doctor as the user that runs ntsgw, or " + fix
		}
		return finding{"bad", fmt.Sprintf("no gateway is running, but %s can't be listened on: %v; %s", listen, err, fix)}
	}
	for _, listen := range append(brokerListens(cfg), cfg.Status.Listen, cfg.NTSServer.Listen) {
		if listen == "" {
			continue
		}
		l, err := net.Listen("tcp", listen)
		if err != nil {
			return taken(listen, err)
		}
		l.Close()
	}
	if n := cfg.NTSServer; n.Listen != "" {
		c, err := net.ListenPacket("udp", n.NTPListen)
		if err != nil {
			return taken(n.NTPListen, err)
		}
		c.Close()
	}
	if unfit != nil {
		return finding{"bad", fmt.Sprintf("no gateway is running, but PTP can't serve: %v", unfit)}
	}
	return finding{"ok", "no gateway is running, and its ports are free"}
}

// gatewayFinding is how the gateway is that runs: what serves no time is in the way, unless it has just begun.
func gatewayFinding(r *status.Report) finding {
	_, sentence := r.Verdict()
	f := finding{"bad", fmt.Sprintf("a gateway is running, but %s: %s", r.State, sentence)}
	switch {
	case r.Synchronized:
		return finding{"ok", "a gateway is running: " + r.State}
	case r.Time != "", r.Uptime < time.Minute.Seconds():
		f.grade = "note"
	}
	return f
}

// interfaceFindings tries the interfaces of PTP: the first error that a person must mend, and those that would be
// waited for.
func interfaceFindings(cfg configs.PTP) (unfit error, waited []finding) {
	for _, name := range cfg.Interfaces {
		switch err := ptp.Check(name, slices.Contains(cfg.UDP6, name)); {
		case errors.Is(err, ptp.ErrNotThere):
			waited = append(waited, finding{"note", fmt.Sprintf("PTP: %v; it is waited for", err)})
		case unfit == nil:
			unfit = err
		}
	}
	return unfit, waited
}

func brokerListens(cfg configs.Config) []string {
	if !cfg.MQTT.Enabled || cfg.MQTT.Broker != "" {
		return nil
	}
	return []string{cfg.MQTT.Listen, cfg.MQTT.TLSListen}
}

// leapFindings says nothing of a list that can't be read: fileProblems does.
func leapFindings(cfg configs.Config) []finding {
	table, err := leapTable(cfg.Clock.LeapList)
	if err != nil {
		return nil
	}
	if _, _, _, valid := table.At(time.Now().Unix()); !valid {
		return []finding{{"note", "the list of leap seconds has expired: update the package tzdata"}}
	}
	return []finding{{"ok", "the list of leap seconds is valid"}}
}

// endFindings is what ended or ends soon of the files of the configuration, by the host clock: what can't be read
// fileProblems says.
func endFindings(cfg configs.Config, now time.Time) []finding {
	var items []certs.Item
	if policy, err := certs.New(certs.Options{Servers: cfg.Servers, Trust: cfg.Trust, Clock: hostClock}); err == nil {
		items = policy.Expiries(now)
	}
	for _, pair := range shownPairs(cfg) {
		if shown, err := certs.NewServing("", pair.cert, pair.key); err == nil {
			items = append(items, shown.Expiries(now)...)
		}
	}
	if cfg.MQTT.Enabled {
		items = append(items, mqtt.BrokerExpiries(cfg.MQTT, now)...)
	}
	var list []finding
	for _, i := range withoutTwins(items, nil) {
		for _, w := range certs.ExpiryWarnings([]certs.Item{i}) {
			f := finding{"note", "by the host clock: " + w.Text}
			if i.Left <= 0 {
				f.grade = "bad"
			}
			list = append(list, f)
		}
	}
	return list
}

// reachFindings asks each server as the gateway would.
func reachFindings(ctx context.Context, cfg configs.Config) []finding {
	probes, err := probeServers(ctx, cfg)
	if err != nil {
		return []finding{{"bad", err.Error()}}
	}
	list := make([]finding, len(probes))
	for i := range probes {
		list[i] = probes[i].finding()
	}
	return list
}
