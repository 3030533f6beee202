package loop

import (
	"fmt"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// others judges what somebody else did to the host clock. A clock that was set once is an
// operator: it is warned of and steered back. A frequency that keeps changing is another
// daemon: two that steer one clock spoil it for both, so this one only observes.
func (l *Loop) others(read discipline.HostReading) {
	s := &l.s
	for _, i := range l.o.Clock.Interference() {
		s.last = &i
		switch i.Kind {
		case sysclock.KindSet:
			s.sets++
			s.setAt = i.At
			l.log.Warn("the host clock was set by somebody else", "by", i.By)
			continue
		case sysclock.KindFrequency, sysclock.KindPhase:
			s.quietAt = i.At
			if !s.yielded {
				l.log.Warn(i.String())
			}
		}
		if s.mode != System {
			continue
		}
		s.fights = append(s.fights, i.At)
		for len(s.fights) > 0 && i.At.Sub(s.fights[0]) > fightSpan {
			s.fights = s.fights[1:]
		}
		if len(s.fights) >= fightCount && !s.yielded {
			s.yielded = true
			l.o.Engine.SetObserving(true) // what it would step now is not done
			l.disown()                    // what the kernel was told is no longer known to hold
			l.log.Warn("another program keeps steering the host clock: only observing from now on")
		}
	}
	if s.yielded && read.Raw.Sub(s.quietAt) > fightQuiet {
		s.yielded, s.fights = false, nil
		l.o.Engine.SetObserving(false)
		l.log.Warn("nobody else has steered the host clock for a while: steering it again")
	}
}

// warn adds what only the loop knows to a snapshot that nobody else has yet.
func (l *Loop) warn(snap *discipline.Snapshot, h *Host) {
	s := &l.s
	add := func(id, text string) {
		snap.Warnings = append(snap.Warnings[:len(snap.Warnings):len(snap.Warnings)], discipline.Warning{ID: id, Text: text})
	}
	if s.sets > 0 && h.At.Sub(s.setAt) < setRemember && s.mode != Follow {
		add("host-clock-set", s.last.String()+": what is served didn't move; find out who runs date or another time daemon")
	}
	if s.mode == Follow && h.PhaseKnown {
		if text := astray(snap, h); text != "" {
			add("host-clock-off", text)
		}
	}
	if s.limited {
		add("frequency-limit", fmt.Sprintf("this host's oscillator is off by %.0f ppm, more than max_frequency_ppm: raise it in [clock], or the host clock can't be held", snap.FrequencyPPM))
	}
	if discipline.Coarse(s.tick) > 0 {
		add("clock-coarse", fmt.Sprintf("this host's raw clock (CLOCK_MONOTONIC_RAW) moves in steps of %v, which is part of every bound that is handed on: %s", shown(s.tick), finerClock))
	}
	if s.yielded {
		add("another-daemon", "another program keeps steering the host clock, so it is only observed: stop chrony, ntpd or systemd-timesyncd, or set clock.mode = \"follow\"")
	}
}

// astray says that a host clock which another daemon steers is off by more than that daemon's own noise, and what is
// known to do that; "" when it isn't. What is served then is right, but its bound is as large.
func astray(snap *discipline.Snapshot, h *Host) string {
	const noise = 100 * time.Millisecond
	doubt := snap.MaxError(h.At) + h.Width + noise
	if h.Phase.Abs() <= doubt {
		return ""
	}
	ahead := -h.Phase
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	text := fmt.Sprintf("the host clock is %v %s the servers' time, which every bound contains that is served: ", ahead.Abs().Round(10*time.Millisecond), way)
	whole := ahead.Round(time.Second)
	const fix = "in what steers it, set the offset to UTC (phc2sys: -w or -O; a refclock of chrony's: tai)"
	switch tai := time.Duration(snap.UTCAt(h.At).TAIOffset) * time.Second; {
	case doubt < time.Second/2 && tai > 0 && whole == tai && (ahead-whole).Abs() <= doubt:
		return text + "it shows TAI rather than UTC; " + fix
	case doubt < time.Second/2 && whole.Abs() < time.Minute && (ahead-whole).Abs() <= doubt:
		return text + "whole seconds are leap seconds that were counted wrongly, or GPS time or TAI taken for UTC; " + fix
	}
	return text + "see whom its daemon follows (chronyc sources, timedatectl timesync-status), or let this gateway steer it (mode = \"system\" in [clock])"
}

// report logs one line a change of state.
func (l *Loop) report(snap *discipline.Snapshot, h *Host, d discipline.Decision) {
	s := &l.s
	if snap.State == s.state && (snap.Epoch == s.epoch || !snap.Serving()) {
		return
	}
	attrs := []any{"state", snap.State.String(), "was", s.state.String()}
	if snap.Serving() {
		attrs = append(attrs, "host_offset", h.Phase, "max_error", snap.MaxError(h.At), "stratum", snap.Stratum)
	} else if d.Reason != "" {
		attrs = append(attrs, "why", d.Reason)
	}
	l.log.Info("time", attrs...)
	s.state = snap.State
	s.epoch = snap.Epoch
}
