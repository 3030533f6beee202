package discipline

import (
	"fmt"
	"math"
	"time"
)

// steering is what is remembered of the host clock.
type steering struct {
	set       bool // the host clock was set once
	panicking bool // the majority jumped beyond the panic threshold
	day       day
	asked     float64 // when Steer was called last, seconds
	gap       float64 // the longest recent time between two calls, seconds
	calls     int
}

// day sums the steps of the last 24 to 25 hours, ns.
type day struct {
	hours [25]float64
	last  int
}

func (w *day) sum(now float64) (ns float64) {
	for h := int(now / 3600); w.last < h; {
		w.last = max(w.last+1, h-len(w.hours))
		w.hours[w.last%len(w.hours)] = 0
	}
	for _, x := range w.hours {
		ns += x
	}
	return ns
}

func (w *day) add(now, ns float64) {
	w.sum(now)
	w.hours[w.last%len(w.hours)] += ns
}

const (
	firstStep = 5e5 // ns: the least phase that the first setting steps
	leastSpan = 1.0 // seconds: no phase is removed faster
)

// Steer says what to do with the host clock, read just now. While nothing is served the clock
// is left alone.
func (d *Discipline) Steer(h HostReading) Decision {
	if d.steer.panicking && !d.cfg.Observing {
		return Decision{Action: Panic, Phase: time.Duration(d.clash.gap),
			Reason: fmt.Sprintf("the servers' majority moved by %v, more than panic_threshold", time.Duration(d.clash.gap))}
	}
	if !d.begun {
		return Decision{Action: Hold, FrequencyPPM: h.FrequencyPPM, Reason: "not synchronized"}
	}
	now := d.seconds(h.Raw)
	span := d.span(now)
	if d.state != Synchronized && d.state != Holdover {
		return Decision{Action: Hold, FrequencyPPM: h.FrequencyPPM, Reason: "not synchronized"}
	}
	s := d.Snapshot()
	u := s.UTCAt(h.Raw)
	phase := time.Duration(u.UnixNano() - h.Real)
	if d.cfg.Observing {
		return Decision{Action: Hold, FrequencyPPM: h.FrequencyPPM, Phase: phase, Reason: "observing"}
	}
	if d.leap.near(d.cfg.Leap, u.Seconds) {
		// The kernel and the timeline pass the leap some µs apart: a second's difference means nothing.
		return Decision{Action: Hold, FrequencyPPM: h.FrequencyPPM, Phase: phase, Reason: "leap second"}
	}
	limit := d.cfg.MaxFrequencyPPM
	feed := math.Max(-limit, math.Min(limit, s.FrequencyPPM))
	size := math.Abs(float64(phase))
	first := !d.steer.set && size > firstStep
	if size > float64(d.cfg.StepThreshold) || first {
		panics := float64(d.cfg.PanicThreshold)
		if d.steer.set && (size > panics || d.steer.day.sum(now)+size > panics) {
			return Decision{Action: Panic, FrequencyPPM: feed, Phase: phase,
				Reason: fmt.Sprintf("a step by %v would pass panic_threshold", phase)}
		}
		if d.steer.set {
			d.steer.day.add(now, size)
		}
		d.steer.set = true
		return Decision{Action: Step, FrequencyPPM: feed, Phase: phase,
			Reason: fmt.Sprintf("the host clock is off by %v, more than is slewed", phase)}
	}
	d.steer.set = true
	ppm := feed + float64(phase)/span/nsPerPPM
	return Decision{Action: Slew, FrequencyPPM: math.Max(-limit, math.Min(limit, ppm)), Phase: phase,
		Reason: "follow the timeline"}
}

// span is over how many seconds the phase is to be removed: no less than the caller leaves until
// it asks again, or the host clock would swing about the timeline. At first that is taken for a poll,
// until the first calls show it.
func (d *Discipline) span(now float64) float64 {
	s := &d.steer
	keep := 0.97
	if s.calls < 4 {
		keep = 0.5
	}
	if s.calls > 0 {
		s.gap = math.Max(now-s.asked, s.gap*keep)
	} else {
		s.gap = d.polls.Seconds()
	}
	s.asked = now
	s.calls++
	return math.Max(leastSpan, math.Max(s.gap, d.polls.Seconds()/4))
}

// SetObserving tells whether the host clock is only observed from now on.
func (d *Discipline) SetObserving(on bool) {
	d.cfg.Observing = on
	if on {
		d.steer.panicking = false
	}
}
