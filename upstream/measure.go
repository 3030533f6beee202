package upstream

import (
	"fmt"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream/ntp"
)

const (
	// rateUnknown: a raw clock that nothing is known of is within 1/100, as in the discipline, which
	// allows for its rate in rateAllowed beside half of the delay.
	rateUnknown = 100
	rateAllowed = 500 * time.Microsecond
)

// measure makes a Measurement of an authenticated answer, or says why not.
func (p *poller) measure(e *exchange, h *ntp.Packet, a arrival) (m discipline.Measurement, reason, text string) {
	if int(h.Stratum) > p.maxStratum {
		return m, ReasonStratumLimit, fmt.Sprintf("the server is at stratum %d, above max_source_stratum %d", h.Stratum, p.maxStratum)
	}
	if h.Precision > 0 {
		return m, ReasonPrecision, "the server's clock reads in steps of more than a second"
	}
	t1, t4, width, reason := carry(e.leave, a)
	if reason != "" {
		return m, reason, fmt.Sprintf("a reply came that can't be timed (%s)", reason)
	}
	t2, t3 := h.ReceiveTime.UnixNano(p.pivot), h.TransmitTime.UnixNano(p.pivot)
	held := time.Duration(t3 - t2)
	around := t4.Sub(t1)
	delay := around - held
	// How far one end of the exchange can be out, and so how wrong Offset is beyond half of Delay:
	//
	//	precision  the server's reading of its clock
	//	width      how much t1 is too late, or t4 too early, by their stamps
	//	tick       how much t4 is too early because our clock reads down to its step; t1, read
	//	           down, is too early, which only makes Delay longer. RAW and REALTIME read the
	//	           same counter, so carrying a stamp from one to the other adds no step
	//	beside     what the raw clock's rate did in held/2, as half of the round trip was measured
	//	           by it, and in width and tick. The discipline, which knows that rate, allows for
	//	           it in half of Delay and of 1 ms more; here are 1 % of what is longer
	//	3          ns: halves and NTP's fractions of a second rounded, the division by rateUnknown
	//
	// Each of the two ways loses at most that, and 1 % of what the discipline allows for, so with a
	// delay below it the server contradicts itself. One that is merely below 0 adds nothing: what
	// it says is that truth has less room than far on both sides.
	beside := max(0, held/2+width+p.tick-rateAllowed) / rateUnknown
	far := ntp.PrecisionDuration(h.Precision) + width + p.tick + beside + 3
	if held < 0 || delay < -2*(far+rateAllowed/rateUnknown) || delay > 16*time.Second {
		return m, ReasonDelay, "the server claims to have held the request for longer than the round trip lasted"
	}
	m = discipline.Measurement{
		Source:         p.name,
		At:             t1.Add(around / 2),
		Delay:          max(delay, 0),
		RootDelay:      h.RootDelay.Duration(),
		RootDispersion: h.RootDispersion.Duration(),
		Precision:      far,
		Stratum:        h.Stratum,
		Leap:           leap(h.Leap),
		RefID:          ntp.AddressID(p.keys.peer.Addr()),
		Authenticated:  true,
		DatesDeferred:  p.keys.deferred,
	}
	m.Offset = t2 + int64(held)/2 - int64(m.At)
	return m, "", ""
}

func leap(l uint8) discipline.Leap {
	switch l {
	case ntp.LeapNone:
		return discipline.LeapNone
	case ntp.LeapInsert:
		return discipline.LeapInsert
	case ntp.LeapDelete:
		return discipline.LeapDelete
	}
	return discipline.LeapUnknown
}
