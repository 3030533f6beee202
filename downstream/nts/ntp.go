package nts

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
)

// precision is log2 of the resolution that is claimed, 1 µs.
const precision = -20

// rounding covers what the NTP formats and integer nanoseconds lose, and what a tick of the raw clock
// is longer by its rate.
const rounding = 4 * time.Nanosecond

// serveNTP answers datagrams until ctx ends. One goroutine is enough: an answer costs a few
// microseconds.
func (s *Server) serveNTP(ctx context.Context) error {
	in := make([]byte, nts.MaxPacketSize+1)
	var out []byte
	var q nts.Accepted
	for {
		got, err := s.ntp.Receive(in)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			// On an unconnected socket errors concern single datagrams; a broken socket would
			// make this spin, so let the clock tick.
			s.counters.refuse(reasonOther)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		if got.N > nts.MaxPacketSize { // the buffer is a byte longer: more than that was cut off
			s.counters.refuse(reasonTruncated)
			continue
		}
		var answered bool
		if out, answered = s.answer(out[:0], in[:got.N], got.Stamp, &q); len(out) == 0 {
			continue
		}
		if _, err := s.ntp.Send(out, got.Peer, got.Local); err != nil {
			s.counters.refuse(reasonSend)
			continue
		}
		s.counters.with(func(c *Status) {
			if answered {
				c.Answered++
			} else {
				c.NAKs++
			}
		})
	}
}

// answer appends the answer to a request to b: nothing when it deserves none, a NAK (and false)
// when its keys are gone, or the time (and true).
func (s *Server) answer(b, packet []byte, stamp int64, q *nts.Accepted) ([]byte, bool) {
	if err := s.protect.Open(packet, q); err != nil {
		reason := reasonOther
		var e *nts.Error
		if errors.As(err, &e) {
			reason = e.Reason
		}
		s.counters.refuse(reason)
		if reason != nts.ReasonBadCookie && reason != nts.ReasonNotAuthentic {
			return b[:0], false
		}
		// RFC 8915 §5.7: the client comes back over NTS-KE.
		nak, err := s.protect.NAK(b, q)
		if err != nil {
			return b[:0], false
		}
		return nak, false
	}
	if !s.replays.fresh(q.Tag()) {
		s.counters.refuse(reasonReplay)
		return b[:0], false
	}
	// Without a stamp the way through our own queue counts as network delay, which keeps the bound true.
	t2, early, _ := s.stamps.Carry(stamp)
	reason := reasonOther
	reply, err := s.protect.Reply(b, q, func(h *ntp.Packet) bool {
		reason = s.fill(h, t2, early)
		return reason == ""
	})
	if err != nil {
		s.counters.refuse(reason)
		return b[:0], false
	}
	return reply, true
}

// fill puts the time into the header of an answer, and returns "" or why there is none to give.
// t2 is when the request came, on the raw clock, at most early too early. Both times are read
// from one snapshot.
func (s *Server) fill(h *ntp.Packet, t2 discipline.Raw, early time.Duration) (reason string) {
	snapshot := s.opt.Timeline.Snapshot()
	if snapshot == nil || !snapshot.Serving() || snapshot.Stratum == 0 || snapshot.Stratum > ntp.MaxStratum {
		return reasonUnsynchronized
	}
	// Everything that does not need t3 comes first: what passes between reading t3 and sending
	// makes the way back look longer.
	rootDelay := ntp.ShortFromDuration(snapshot.RootDelay)
	reference := snapshot.LastUpdate
	if reference == 0 || reference > t2 {
		reference = min(snapshot.At, t2)
	}
	h.ReferenceTime = ntp.Time64FromUnix(snapshot.UTCAt(reference).UnixNano())
	received := snapshot.UTCAt(t2)
	t3 := s.opt.Clock.Now()
	if !s.epochs.Intact(snapshot.Epoch) {
		return reasonSuspended
	}
	if t3 < t2 {
		return reasonOther // two readings of a clock that never goes back
	}
	sent := snapshot.UTCAt(t3)
	if received.Inserted || sent.Inserted || received.TAIOffset != sent.TAIOffset {
		return reasonLeapSecond
	}
	bound := max(snapshot.MaxError(t2), snapshot.MaxError(t3)) // the snapshot may be newer than the request
	if bound >= maxBound {
		return reasonUnsynchronized
	}
	rootDispersion := ntp.ShortFromDuration(bound + early + discipline.RawTick + rounding - rootDelay.Duration()/2)
	h.Leap = leapIndicator(sent.Leap)
	h.Stratum = snapshot.Stratum
	h.Precision = precision
	h.RootDelay, h.RootDispersion = rootDelay, rootDispersion
	h.ReferenceID = snapshot.RefID
	h.ReceiveTime = ntp.Time64FromUnix(received.UnixNano())
	h.TransmitTime = ntp.Time64FromUnix(sent.UnixNano())
	return ""
}

// maxBound is RFC 5905's MAXDISP: clients refuse a root distance beyond it.
const maxBound = 16 * time.Second

// leapIndicator translates to RFC 5905 figure 9. An unknown leap is not announced: 3 would say
// that the clock is not synchronized.
func leapIndicator(l discipline.Leap) uint8 {
	switch l {
	case discipline.LeapInsert:
		return ntp.LeapInsert
	case discipline.LeapDelete:
		return ntp.LeapDelete
	}
	return ntp.LeapNone
}
