package upstream

import (
	"errors"
	"fmt"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream/nts"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// refusedBySystem notes an ICMP error about what was sent. It is a hint: anybody can make one.
func (p *poller) refusedBySystem(err error) {
	if p.open == nil || p.open.icmp == "" {
		p.count(ReasonSocket)
	}
	if p.open != nil {
		p.open.icmp = words(err)
	}
}

// receive judges a datagram. It returns a Measurement if there is one. Nothing but counters
// changes for one that is not authenticated.
func (p *poller) receive(now discipline.Raw, b []byte, a arrival) (m discipline.Measurement, ok bool) {
	p.received++
	if p.client == nil {
		p.count(ReasonUnasked)
		return m, false
	}
	e := p.open
	if e == nil {
		p.count(p.stale(b, ReasonUnasked))
		return m, false
	}
	r, err := e.client.Open(b, &e.req)
	if err != nil {
		p.unusable(now, e, b, r.Cookies, err)
		return m, false
	}
	// Authenticated: this is the answer, whatever it is worth.
	p.takeCookies(r.Cookies)
	p.settle(e)
	m, reason, text := p.measure(e, &r.Header, a)
	if reason != "" {
		p.count(reason)
		if text != "" {
			p.lastError = text
		}
		p.shut()
		p.missed()
		p.rest(now)
		return m, false
	}
	if p.reach == 0 && p.good > 0 {
		p.burst = 0 // it is back: have the time again soon
	}
	p.good++
	if p.good >= settled {
		p.fails = 0
	}
	p.short = max(p.short-1, 0)
	if p.rated = max(p.rated-1, 0); p.rated == 0 {
		p.slow = 0
	}
	p.reach = p.reach<<1 | 1
	p.misses = 0
	p.denied, p.lastError = "", ""
	if !p.keys.deferred {
		p.verdict, p.revoked = "", false
	}
	p.stratum, p.delay = m.Stratum, m.Delay
	p.offset = time.Duration(m.Offset - (a.pair.Real - int64(a.pair.Raw)))
	m.Poll = p.interval()
	p.shut()
	p.rest(now)
	return m, true
}

// shut closes the open exchange and keeps it for a while, to know its later replies by.
func (p *poller) shut() {
	if p.open != nil {
		p.closed[1], p.closed[0] = p.closed[0], p.open
		p.open = nil
	}
}

// settle notes that the server answered e.
func (p *poller) settle(e *exchange) {
	e.answered = true
	p.spare, p.heard = nil, true
	if p.misses >= 2 {
		// What it answered to after it had not answered twice is what to send from now on.
		p.fewest, p.short = 0, 0
		switch {
		case e.wanted == 0:
			p.short = shortRequests
		case e.wanted >= 3:
			p.fewest = 3
		}
	}
}

func (p *poller) takeCookies(list [][]byte) {
	p.cookies = append(p.cookies, list...)
	if over := len(p.cookies) - ntske.MaxCookies; over > 0 {
		p.cookies = append([][]byte(nil), p.cookies[over:]...) // the oldest expire first
	}
}

// unusable deals with a datagram that is no usable answer to e. cookies are those of an
// authenticated one.
func (p *poller) unusable(now discipline.Raw, e *exchange, b []byte, cookies [][]byte, err error) {
	var n *nts.Error
	if !errors.As(err, &n) {
		p.count(ReasonInternal)
		return
	}
	switch n.Reason {
	case nts.ReasonUniqueID:
		p.count(p.stale(b, nts.ReasonUniqueID))
	case nts.ReasonNAK:
		p.count(ReasonNAKPlain)
		e.nak = true
	case nts.ReasonUnauthenticKiss:
		p.count(n.Reason)
		e.kiss = n.Kiss
	case nts.ReasonPlain, nts.ReasonUnprotected, nts.ReasonNotAuthentic:
		p.count(n.Reason)
		e.plain = true
	case nts.ReasonKiss:
		p.takeCookies(cookies)
		p.settle(e)
		p.kissed(now, n.Kiss)
	case nts.ReasonStratum, nts.ReasonLeap, nts.ReasonRootDistance, nts.ReasonTimestamps:
		p.takeCookies(cookies)
		p.settle(e)
		p.count(n.Reason)
		p.lastError = fmt.Sprintf("the server can't be used at present (%s)", n.Reason)
		p.shut()
		p.missed()
		p.rest(now)
	default:
		p.count(n.Reason)
	}
}

// stale returns the word for a datagram that does not answer the open request: otherwise, or
// that it answers an earlier one.
func (p *poller) stale(b []byte, otherwise string) string {
	for _, e := range p.closed {
		if e == nil {
			continue
		}
		_, err := e.client.Open(b, &e.req)
		var n *nts.Error
		if errors.As(err, &n) {
			switch n.Reason {
			case nts.ReasonUniqueID, nts.ReasonSize, nts.ReasonPlain:
				continue
			}
		}
		if e.answered {
			return ReasonDuplicate
		}
		return ReasonLate
	}
	return otherwise
}

// kissed obeys an authenticated kiss code (RFC 5905 §7.4).
func (p *poller) kissed(now discipline.Raw, code string) {
	p.shut()
	p.missed()
	switch code {
	case "RATE":
		p.count(ReasonKissRate)
		p.lastError = "the server asks for fewer requests (RATE)"
		p.slowDown(max(2*p.pace.maxPoll, ratedPoll)) // the server's word goes before max_poll
		p.rest(now)
	case "DENY", "RSTR":
		p.count(map[string]string{"DENY": ReasonKissDeny, "RSTR": ReasonKissRstr}[code])
		text := fmt.Sprintf("the server refuses to serve this gateway (%s)", code)
		p.end(now, text)
		p.denied, p.reach = text, 0
		p.wake = now.Add(p.pace.denied + p.upTo(p.pace.denied/4))
	default:
		p.count(ReasonKissElse)
		p.lastError = "the server sends a kiss code instead of time"
		p.rest(now)
	}
}

// slowDown doubles the poll interval, up to most, and ends a burst.
func (p *poller) slowDown(most time.Duration) {
	p.burst = len(p.pace.burst)
	p.slow = max(p.slow, min(2*max(p.interval(), 4*time.Second), most))
	p.rated = ratedReplies
}

// expire ends the wait for a reply and acts on the hints that nothing better followed.
func (p *poller) expire(now discipline.Raw) {
	e := p.open
	p.shut()
	p.missed()
	if e == nil {
		p.rest(now)
		return
	}
	undecided := p.spare != nil
	if undecided {
		// Servers derive the keys of AEAD 30 in two ways, and some drop what does not authenticate: a lost packet
		// looks the same, so the two take turns.
		p.client, p.spare, p.swapped = p.spare, p.client, !p.swapped
	}
	switch {
	case e.nak && undecided:
		p.count(ReasonNAK)
		p.spare = nil // the keys that it refused
		p.rest(now)
		p.wake = now
		return
	case e.nak:
		p.count(ReasonNAK)
		p.doubt()
		text := "the server no longer knows the cookies (NAK), as after a restart: new keys are made"
		if p.good == 0 {
			text = "the server refuses the very cookies that its key exchange gave (NAK): its NTS-KE and NTP parts disagree"
		}
		p.end(now, text)
		return
	case e.kiss != "":
		p.count(ReasonNoReply)
		p.lastError = "the server sends a kiss code without authentication instead of time"
		p.slowDown(p.pace.maxPoll)
	case e.plain:
		p.count(ReasonNoReply)
		p.lastError = fmt.Sprintf("%s answers without valid NTS authentication; plain NTP is never used: a router may answer port 123 itself, or the server's NTP part lacks NTS", p.keys.peer)
	case e.icmp != "": // and counted
		p.lastError = fmt.Sprintf("the key exchange works, but nobody takes NTP at %s: %s", p.keys.peer, e.icmp)
	default:
		p.count(ReasonNoReply)
		p.lastError = fmt.Sprintf("no reply from %s", p.keys.peer)
		if p.good == 0 {
			p.lastError = fmt.Sprintf("the key exchange works, but NTP at %s stays silent: a firewall may block UDP to that port, or a middlebox drop NTS-sized packets on UDP/123", p.keys.peer)
		}
	}
	p.rest(now)
}
