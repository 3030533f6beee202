package upstream

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// host is a host clock that is 1e18 ahead of the raw clock, and stepped or slewed as told.
type host struct {
	ppm  float64
	step time.Duration
	at   discipline.Raw // of the step
}

func (h host) real(raw discipline.Raw) int64 {
	r := int64(raw) + 1e18 + int64(float64(raw)*h.ppm*1e-6)
	if h.step != 0 && raw >= h.at {
		r += int64(h.step)
	}
	return r
}

func (h host) pair(raw discipline.Raw) discipline.HostReading {
	return discipline.HostReading{Raw: raw, Real: h.real(raw), Width: 200}
}

func TestCarry(t *testing.T) {
	const (
		us = discipline.Raw(1000)
		ms = 1000 * us
	)
	// The request is read at 0, handed over at 2 µs, leaves at 10 µs; the reply comes at 20 ms
	// and is read at 20.1 ms.
	const left, came = 10 * us, 20 * ms
	for _, c := range []struct {
		name      string
		host      host
		noTX      bool
		noRX      bool
		tx, rx    int64 // added to the stamps
		suspended time.Duration
		want      string
		// The outcome, when there is one: within width of these.
		t1, t4 discipline.Raw
		width  time.Duration // at most
	}{
		{name: "still", t1: left, t4: came, width: 2 * time.Microsecond},
		{name: "no stamp of sending", noTX: true, t1: 2 * us, t4: came, width: 2 * time.Microsecond},
		{name: "no stamp of receiving", noRX: true, t1: left, t4: came + 100*us, width: 2 * time.Microsecond},
		{name: "no stamps", noTX: true, noRX: true, t1: 2 * us, t4: came + 100*us},
		{name: "disciplined at 400 ppm", host: host{ppm: 400}, t1: left, t4: came, width: 12 * time.Microsecond},
		{name: "slewed at 8 %", host: host{ppm: 80000}, t1: 2 * us, t4: came + 100*us},
		{name: "slewed at −8 %", host: host{ppm: -80000}, t1: 2 * us, t4: came + 100*us},
		{name: "stepped by 1 s on the way", host: host{step: time.Second, at: 5 * ms}, want: ReasonStepped},
		{name: "stepped back by 3 s on the way", host: host{step: -3 * time.Second, at: 5 * ms}, want: ReasonStepped},
		{name: "stepped by 10 ms on the way", host: host{step: 10 * time.Millisecond, at: 5 * ms}, want: ReasonStepped},
		{name: "stepped by 40 years on the way", host: host{step: 40 * 365 * 24 * time.Hour, at: 5 * ms}, want: ReasonStepped},
		{name: "stepped before the request left", host: host{step: time.Second, at: 5 * us}, want: ReasonStepped},
		{name: "stepped after the reply came", host: host{step: time.Second, at: came + 50*us}, want: ReasonStepped},
		{name: "stepped, but nothing was read from it", host: host{step: time.Second, at: 5 * ms}, noTX: true, noRX: true, t1: 2 * us, t4: came + 100*us},
		// A step that the pairs can't tell from noise shows in the width.
		{name: "stepped by 30 µs on the way", host: host{step: 30 * time.Microsecond, at: 5 * ms}, t1: left, t4: came, width: 35 * time.Microsecond},
		{name: "stepped by 30 µs before the request left", host: host{step: 30 * time.Microsecond, at: 5 * us}, t1: left, t4: came, width: 35 * time.Microsecond},
		{name: "stepped back by 30 µs after the reply came", host: host{step: -30 * time.Microsecond, at: came + 50*us}, t1: left, t4: came, width: 35 * time.Microsecond},
		{name: "stamp of sending before the request", tx: -1e6, want: ReasonStamp},
		{name: "stamp of receiving in the future", rx: 1e6, want: ReasonStamp},
		{name: "stamp of sending in 1970", tx: -1e18, want: ReasonStamp},
		{name: "stamps crossed", tx: 19e6, rx: -19e6, want: ReasonStamp},
		{name: "slept", suspended: 2 * time.Millisecond, want: ReasonSuspended},
		{name: "slept backwards", suspended: -time.Hour, want: ReasonSuspended},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := departure{pair: c.host.pair(0), before: 2 * us}
			a := arrival{after: came + 100*us, pair: c.host.pair(came + 101*us), suspended: c.suspended}
			if !c.noTX {
				d.stamp = c.host.real(left) + c.tx
			}
			if !c.noRX {
				a.stamp = c.host.real(came) + c.rx
			}
			t1, t4, width, reason := carry(d, a)
			if reason != c.want {
				t.Fatalf("%q instead of %q", reason, c.want)
			}
			if reason != "" {
				return
			}
			off := func(a, b discipline.Raw) time.Duration { return max(a.Sub(b), b.Sub(a)) }
			if off(t1, c.t1) > width || off(t4, c.t4) > width || width > c.width {
				t.Errorf("left at %d, came at %d, ± %v", t1, t4, width)
			}
			// Whatever happened, the truth is covered.
			if t1.Add(-width) > left || t4.Add(width) < came {
				t.Errorf("left at %d, came at %d, ± %v does not cover %d and %d", t1, t4, width, left, came)
			}
		})
	}
}
