package upstream

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// phase is what a poller is about.
type phase uint8

const (
	resting phase = iota // no keys: at wake a key exchange is due
	keying               // a key exchange is under way
	polling              // there are keys: at wake a request is due
	waiting              // a request is out: at wake its time is over
)

// action is what the poller wants done.
type action uint8

const (
	nothing     action = iota
	keyExchange        // then call keysMade or keysFailed
	request            // call ask, send what it returns, then call sent or notSent
)

// poller decides when to ask a server and what to believe of its answers. It does no I/O and
// reads no clock: packets and raw times come in, actions and Measurements go out.
type poller struct {
	name       string
	pace       pace
	maxStratum int
	tick       time.Duration // the step of the raw clock, at most
	pivot      int64         // nanoseconds since 1970: the middle of the 136 years that timestamps are in
	random     io.Reader
	rng        *rand.Rand

	phase phase
	wake  discipline.Raw

	// Key exchanges.
	fails  int            // of them since one led to a session that lasted
	local  int            // of them in a row that did not reach the server
	lastKE discipline.Raw // when the newest began
	anyKE  bool
	turns  int // of them in all

	// The session.
	keys    *keys
	client  *nts.Client
	spare   *nts.Client // with the alternative keys, until the first reply decides
	cookies [][]byte
	good    int // usable replies

	// Polls.
	wish, slow time.Duration
	burst      int // index of the next distance in pace.burst
	reach      uint8
	misses     int
	open       *exchange // the request that is out
	closed     [2]*exchange
	askedAt    discipline.Raw
	fewest     int // placeholders that this server wants to see at least, as learned
	short      int // so many requests more go without placeholders, as longer ones were lost
	rated      int // so many replies until RATE is forgotten

	denied, lastError string
	verdict           string // why Trust refused the server last, until it has accepted it in full
	stratum           uint8
	offset, delay     time.Duration
	sentCount         uint64
	received          uint64
	rejected          map[string]uint64
}

const (
	// rateUnknown: a raw clock that nothing is known of is within 1/100, as in the discipline, which
	// allows for its rate in rateAllowed beside half of the delay.
	rateUnknown   = 100
	rateAllowed   = 500 * time.Microsecond
	settled       = 8  // usable replies that make a session one that lasts
	ratedReplies  = 32 // for how long RATE is obeyed
	shortRequests = 16 // for how long requests go without placeholders, before longer ones are tried again
)

// exchange is one request and what was heard of it.
type exchange struct {
	req      nts.Request
	cookie   []byte
	wanted   int // placeholders
	leave    departure
	answered bool
	nak      bool
	plain    bool   // an answer without authentication came
	kiss     string // an unauthenticated kiss code
	icmp     string // what the system said
}

func newPoller(opt *Options, now discipline.Raw) *poller {
	var seed [16]byte
	if _, err := io.ReadFull(opt.Rand, seed[:]); err != nil {
		// Jitter is all that hangs on it; a request without randomness is never sent.
		seed[0] = byte(now)
	}
	p := &poller{
		name:       opt.Name,
		pace:       newPace(opt),
		maxStratum: opt.MaxSourceStratum,
		tick:       opt.tick,
		// A server may be a little behind the floor without landing an era later.
		pivot:    opt.Floor + int64(50*365.25*24*float64(time.Hour)),
		random:   opt.Rand,
		rng:      rand.New(rand.NewPCG(word(seed[:8]), word(seed[8:]))),
		rejected: map[string]uint64{},
	}
	p.wake = now.Add(p.upTo(p.pace.start))
	return p
}

func word(b []byte) (v uint64) {
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

func (p *poller) upTo(d time.Duration) time.Duration {
	return time.Duration(p.rng.Float64() * float64(d))
}

func (p *poller) count(reason string) { p.rejected[reason]++ }

// due says what to do at now. With nothing, ask again at the returned time, or after the next event.
func (p *poller) due(now discipline.Raw) (action, discipline.Raw) {
	if p.phase == waiting && now >= p.wake {
		p.expire(now)
	}
	if p.phase == polling && now >= p.wake && len(p.cookies) == 0 {
		p.end(now, "")
	}
	switch {
	case p.phase == keying || now < p.wake:
		return nothing, p.wake
	case p.phase == resting:
		p.phase, p.lastKE, p.anyKE = keying, now, true
		p.fails++
		p.turns++
		return keyExchange, now
	}
	return request, now
}

// keysMade takes the outcome of a key exchange.
func (p *poller) keysMade(now discipline.Raw, k *keys) {
	client, err := nts.NewClient(k.AEAD, k.Keys)
	var spare *nts.Client
	if err == nil && k.Alternative != nil {
		spare, err = nts.NewClient(k.AEAD, *k.Alternative)
	}
	if err != nil {
		p.keysFailed(now, &failure{reason: ReasonInternal, text: err.Error(), err: err})
		return
	}
	p.keys, p.client, p.spare = k, client, spare
	p.cookies = append([][]byte(nil), k.Cookies...)
	p.good, p.local = 0, 0
	p.phase, p.wake = polling, now
	if p.reach == 0 || k.deferred {
		p.burst = 0
	}
}

// keysFailed takes the failure of a key exchange. It counts as a missed poll.
func (p *poller) keysFailed(now discipline.Raw, f *failure) {
	p.count(f.reason)
	p.lastError, p.denied = f.text, ""
	if f.denied {
		p.denied, p.verdict = f.text, f.text
	}
	p.missed()
	n := p.fails
	if f.local {
		p.fails--
		p.local++
		n = p.local
	} else {
		p.local = 0
	}
	p.phase, p.wake = resting, now.Add(p.pace.backoff(n, f.local, p.rng))
}

// end drops the session, its keys and cookies, and makes new ones as soon as is decent.
func (p *poller) end(now discipline.Raw, why string) {
	p.shut()
	p.keys, p.client, p.spare, p.cookies = nil, nil, nil, nil
	p.closed = [2]*exchange{}
	if why != "" {
		p.lastError = why
	}
	p.phase = resting
	next := p.lastKE.Add(p.pace.gap + p.upTo(p.pace.gap/4))
	if p.fails > 0 {
		next = p.lastKE.Add(p.pace.backoff(p.fails, false, p.rng))
	}
	p.wake = max(now, next)
}

// refuse ends the session because Trust no longer stands by it.
func (p *poller) refuse(now discipline.Raw, f *failure) {
	p.count(f.reason)
	p.end(now, f.text)
	p.denied, p.verdict = f.text, f.text
	p.reach = 0
	p.fails = max(p.fails, 1)
	p.wake = max(p.wake, now.Add(p.pace.backoff(p.fails, false, p.rng)))
}

// redo ends a session whose certificate dates were not judged, now that they can be. What it
// brought must not be believed any further, and the next one should be there at once.
// Both key exchanges count as tries until a session lasts: where the full checks fail and the time is
// lost by that, the next turn comes later than this one did.
func (p *poller) redo(now discipline.Raw) {
	p.end(now, "")
	p.wake = max(now, p.lastKE.Add(p.pace.redo)).Add(p.upTo(p.pace.soon))
	p.reach, p.good = 0, 0
}

// hurry brings a waiting key exchange forward: files were loaded again, or the time is known. It is
// one more try: what failed before is not forgotten, for the time may be found and lost in turns.
func (p *poller) hurry(now discipline.Raw) {
	if p.phase == resting {
		p.wake = min(p.wake, now.Add(p.upTo(p.pace.soon)))
	}
}

// resumed tells that the machine slept: the raw clock stood still, so what was planned is long
// due, and what is out can't be used. Keys and cookies are as good as before.
func (p *poller) resumed(now discipline.Raw) {
	switch p.phase {
	case resting:
		p.hurry(now)
	case polling, waiting:
		p.shut()
		p.burst = 0
		p.phase, p.wake = polling, now.Add(p.upTo(p.pace.soon))
	}
}

// setWish takes a wish for a poll interval; 0: none.
func (p *poller) setWish(now discipline.Raw, d time.Duration) {
	p.wish = d
	if p.phase == polling && p.burst >= len(p.pace.burst) {
		p.wake = max(now, min(p.wake, p.askedAt.Add(p.interval())))
	}
}

func (p *poller) interval() time.Duration { return p.pace.interval(p.wish, p.slow, p.misses) }

// rest sets when the next request is due after the one of askedAt.
func (p *poller) rest(now discipline.Raw) {
	p.phase = polling
	if p.burst < len(p.pace.burst) {
		p.wake = max(now, p.askedAt.Add(max(p.pace.burst[p.burst], p.slow)))
		p.burst++
		return
	}
	d := p.interval()
	p.wake = max(now, p.askedAt.Add(d+p.upTo(d/32)))
}

// ask spends a cookie on a request. Errors are our own.
func (p *poller) ask(now discipline.Raw) ([]byte, error) {
	e := &exchange{cookie: p.cookies[0], wanted: p.placeholders()}
	if err := p.client.Request(&e.req, e.cookie, e.wanted, p.random); err != nil {
		p.count(ReasonInternal)
		p.lastError = err.Error()
		p.askedAt = now
		p.cookies = p.cookies[1:]
		p.missed()
		p.rest(now)
		return nil, err
	}
	p.cookies = p.cookies[1:]
	p.open = e
	p.phase, p.askedAt, p.wake = waiting, now, now.Add(p.pace.timeout)
	return e.req.Packet, nil
}

// placeholders is for how many cookies to ask beyond the one that replaces the spent one. A
// request that is lost may have been too long for a middlebox, or too short for the server:
// repeated misses try both.
func (p *poller) placeholders() int {
	lacking := min(ntske.MaxCookies-len(p.cookies), ntske.MaxCookies-1)
	switch {
	case p.misses < 2 && p.short > 0:
		return 0
	case p.misses < 2:
		return max(lacking, p.fewest)
	case p.misses%3 == 2:
		return 0
	case p.misses%3 == 0:
		return max(lacking, 3)
	}
	return ntske.MaxCookies - 1
}

// sent tells how the request left.
func (p *poller) sent(d departure) {
	p.sentCount++
	if p.open != nil {
		p.open.leave = d
	}
}

// sentStamp tells the kernel's stamp of the open request, when it was not known at once.
func (p *poller) sentStamp(at int64) {
	if p.open != nil && p.open.leave.stamp == 0 {
		p.open.leave.stamp = at
	}
}

// notSent tells that it did not: the cookie was not seen by anybody and stays good.
func (p *poller) notSent(now discipline.Raw, err error) {
	p.count(ReasonSend)
	p.lastError = fmt.Sprintf("sending to %s: %s", p.keys.peer, words(err))
	if p.open != nil {
		p.cookies = append([][]byte{p.open.cookie}, p.cookies...)
		p.open = nil
	}
	p.missed()
	p.rest(now)
	// Nothing was sent, so it would be no burst: try again in a while.
	p.wake = max(p.wake, now.Add(min(p.pace.minPoll, 2*time.Second)))
}

func (p *poller) missed() {
	p.reach <<= 1
	p.misses++
}

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
	r, err := p.client.Open(b, &e.req)
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
		p.verdict = ""
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
	p.spare = nil
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
		_, err := p.client.Open(b, &e.req)
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
		p.slowDown()
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

// slowDown doubles the poll interval and ends a burst.
func (p *poller) slowDown() {
	p.burst = len(p.pace.burst)
	p.slow = min(2*max(p.interval(), 4*time.Second), p.pace.maxPoll)
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
	switch {
	case e.nak && p.spare != nil:
		// Some servers derive the keys of AEAD 30 otherwise: try that before new keys.
		p.count(ReasonNAK)
		p.client, p.spare = p.spare, nil
		p.closed = [2]*exchange{}
		p.rest(now)
		p.wake = now
		return
	case e.nak:
		p.count(ReasonNAK)
		text := "the server no longer knows the cookies (NAK), as after a restart: new keys are made"
		if p.good == 0 {
			text = "the server refuses the very cookies that its key exchange gave (NAK): its NTS-KE and NTP parts disagree"
		}
		p.end(now, text)
		return
	case e.kiss != "":
		p.count(ReasonNoReply)
		p.lastError = "the server sends a kiss code without authentication instead of time"
		p.slowDown()
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
		RefID:          h.ReferenceID,
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
