package upstream

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
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

// mostUnsent requests in a row can't be sent, as many as go unanswered, and for leastUnsent, before the session ends: a
// gap in a mobile network must not cost all of a region's gateways their sessions.
const (
	mostUnsent  = ntske.MaxCookies
	leastUnsent = time.Minute
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
	fails     int            // of them since one led to a session that lasted
	local     int            // of them in a row that did not reach the server
	lastKE    discipline.Raw // when the newest began
	anyKE     bool
	turns     int  // of them in all
	without30 bool // the next ones do without AEAD 30
	swapped   bool // the alternative keys are the ones to begin with, as this server's last replies had it

	// The session.
	keys    *keys
	client  *nts.Client
	spare   *nts.Client // with the other keys that may be meant, until the first reply decides
	cookies [][]byte
	heard   bool // an authenticated reply
	good    int  // usable replies

	// Polls.
	wish, slow time.Duration
	burst      int // index of the next distance in pace.burst
	reach      uint8
	misses     int
	unsent     int            // requests in a row that did not leave this machine
	unsentFrom discipline.Raw // when the first of them was to leave
	open       *exchange      // the request that is out
	closed     [2]*exchange
	askedAt    discipline.Raw
	fewest     int // placeholders that this server wants to see at least, as learned
	short      int // so many requests more go without placeholders, as longer ones were lost
	rated      int // so many replies until RATE is forgotten

	denied, lastError string
	verdict           string         // why Trust refused the server last, until it has accepted it in full
	revoked           bool           // its certificate was, or Trust took back that it stood by it
	before            discipline.Raw // what it said up to then may have been a lie; 0: it is believed
	stratum           uint8
	offset, delay     time.Duration
	sentCount         uint64
	received          uint64
	rejected          map[string]uint64
}

const (
	settled       = 8           // usable replies that make a session one that lasts
	ratedReplies  = 32          // for how long RATE is obeyed
	ratedPoll     = time.Minute // that much RATE may slow down to at least, however small max_poll is
	shortRequests = 16          // for how long requests go without placeholders, before longer ones are tried again
)

// exchange is one request and what was heard of it.
type exchange struct {
	client   *nts.Client
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
		p.doubt()
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
	if spare != nil && p.swapped {
		client, spare = spare, client
	}
	p.keys, p.client, p.spare = k, client, spare
	p.cookies = append([][]byte(nil), k.Cookies...)
	p.heard, p.good, p.local, p.unsent = false, 0, 0, 0
	p.phase, p.wake = polling, now
	if p.reach == 0 || k.deferred {
		p.burst = 0
	}
}

// keysFailed takes the failure of a key exchange. It counts as a missed poll.
func (p *poller) keysFailed(now discipline.Raw, f *failure) {
	p.count(f.reason)
	p.lastError, p.denied = f.text, ""
	p.without30 = false
	if f.denied {
		p.deny(now, f)
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

// offer is what of the AEADs to offer at the next key exchange.
func (p *poller) offer(aeads []uint16) []uint16 {
	if p.without30 && (aeads == nil || slices.Contains(aeads, ntske.AEADAESSIVCMAC256)) {
		return []uint16{ntske.AEADAESSIVCMAC256}
	}
	return aeads
}

// doubt blames AEAD 30 for a session that ended without a reply: servers disagree about its keys, and AEAD 15
// is what every one of them knows (RFC 8915 §4.1.5). One that is as silent with that is offered both again.
func (p *poller) doubt() {
	if !p.heard {
		p.without30 = p.keys.AEAD == ntske.AEADAES128GCMSIV
	}
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

// refuse ends the session because Trust no longer stands by it, or by the last one. A key exchange that is under way
// goes on: what it leads to is judged for itself.
func (p *poller) refuse(now discipline.Raw, f *failure) {
	p.count(f.reason)
	p.deny(now, f)
	if distrusts(f.reason) {
		p.revoked, p.before = true, now
	}
	p.reach = 0
	p.lastError = f.text
	if p.phase == keying {
		return
	}
	p.end(now, f.text)
	p.fails = max(p.fails, 1)
	p.wake = max(p.wake, now.Add(p.pace.backoff(p.fails, false, p.rng)))
}

// deny notes what Trust says of the server. At a key exchange only a revocation tells of what the server said before: any
// other certificate may be that of somebody in between.
func (p *poller) deny(now discipline.Raw, f *failure) {
	p.denied, p.verdict = f.text, f.text
	if f.reason == ReasonRevoked {
		p.revoked, p.before = true, now
	}
}

func (p *poller) standing() discipline.Standing {
	return discipline.Standing{Reachable: p.reach != 0, Denied: p.denied, Revoked: p.revoked, Before: p.before}
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
	e := &exchange{client: p.client, cookie: p.cookies[0], wanted: p.placeholders()}
	if err := e.client.Request(&e.req, e.cookie, e.wanted, p.random); err != nil {
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
	p.unsent = 0
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

// notSent tells that it did not: the cookie was not seen by anybody and stays good. After mostUnsent in a row and leastUnsent the session
// ends all the same: this machine may have lost the address family that the key exchange came by, or the server its
// address, and only another key exchange finds another way.
func (p *poller) notSent(now discipline.Raw, err error) {
	p.count(ReasonSend)
	p.lastError = fmt.Sprintf("sending to %s: %s", p.keys.peer, words(err))
	if p.open != nil {
		p.cookies = append([][]byte{p.open.cookie}, p.cookies...)
		p.open = nil
	}
	p.missed()
	if p.unsent++; p.unsent == 1 {
		p.unsentFrom = now
	}
	if p.unsent >= mostUnsent && now.Sub(p.unsentFrom) >= leastUnsent {
		p.end(now, p.lastError)
		return
	}
	p.rest(now)
	// Nothing was sent, so it would be no burst: try again in a while.
	p.wake = max(p.wake, now.Add(min(p.pace.minPoll, 2*time.Second)))
}

func (p *poller) missed() {
	p.reach <<= 1
	p.misses++
}
