package upstream

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
)

// deferredCheck is how often Trust is asked whether dates can be judged, while they can't.
const deferredCheck = 500 * time.Millisecond

// sleepCheck is how often it is looked whether the machine slept.
const sleepCheck = 5 * time.Second

// mostRechecks are under way at once: one that waits for a responder of revocation does not hold up another that
// judges by new files.
const mostRechecks = 4

// maxDatagram is longer than any reply, so that a longer one is seen to be.
const maxDatagram = 2 * nts.MaxPacketSize

// errEnded says that the session ended, to a runner that makes no keys.
var errEnded = errors.New("the session ended")

// runner is the I/O around a Source's poller: it owns the socket and every goroutine.
type runner struct {
	*Source
	once bool // end instead of making keys

	wg       sync.WaitGroup
	outcomes chan outcome  // of the one key exchange under way
	verdicts chan verdict  // of the rechecks under way
	packets  chan datagram // of the present and past sockets

	session   *keys // the poller's, as of the last turn
	socket    Socket
	done      chan struct{} // closed with the socket
	requestID uint32        // of the open request, for its stamp
	stood     []stood       // the sessions that brought what still counts, the newest last; none: Trust took it back
	checking  int           // rechecks under way
	checked   int           // rechecks begun
	passed    map[*keys]int // the newest that found nothing, of each session that is judged
	again     bool          // another is due: files were read again while what it would judge was being judged or made
	recheckAt discipline.Raw
	suspended time.Duration // BOOTTIME − MONOTONIC when it was last looked at
	told      told
}

// told is what Changed and the log were told.
type told struct {
	discipline.Standing
	any       bool
	answers   bool // as the log has it: a session that is made again is no loss
	lastError string
}

// stood is a session by which the time goes.
type stood struct {
	keys *keys
	left int // measurements of newer sessions until it is forgotten
}

const (
	// stoodFor is how many newer measurements it takes until nothing rests on a session's any more: the intervals of
	// package discipline rest on so many.
	stoodFor = 128
	// mostStood sessions with different certificates are remembered.
	mostStood = mostRechecks - 1
)

type outcome struct {
	keys *keys
	fail *failure
}

type verdict struct {
	session *keys
	n       int // of the recheck
	err     error
}

type datagram struct {
	of    <-chan struct{} // the done of its socket
	bytes []byte
	peer  netip.AddrPort
	cut   bool
	at    arrival
	err   error
}

func newRunner(s *Source) *runner {
	return &runner{
		Source:   s,
		outcomes: make(chan outcome, 1),
		verdicts: make(chan verdict, mostRechecks),
		packets:  make(chan datagram, 8),
		passed:   map[*keys]int{},
	}
}

// run turns until ctx ends.
func (r *runner) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.wg.Wait()
	defer r.hangUp()
	defer cancel()
	r.suspended = r.opt.Clock.Suspended()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := r.opt.Clock.Now()
		r.mu.Lock()
		act, wake := r.poller.due(now)
		r.mu.Unlock()
		r.follow(now)
		r.tell(ctx)
		switch act {
		case keyExchange:
			if r.once {
				return errEnded
			}
			r.startKeys(ctx)
			continue
		case request:
			if !r.dates() {
				r.ask(now)
			}
			continue
		}
		if r.again {
			r.startRecheck()
		}
		pause := sleepCheck
		if r.present() != keying {
			pause = min(pause, wake.Sub(now))
		}
		if r.session != nil {
			if r.session.deferred {
				pause = min(pause, deferredCheck)
			}
			if r.checking == 0 {
				pause = min(pause, r.recheckAt.Sub(now))
			}
		}
		timer.Reset(max(pause, 0))
		select {
		case <-ctx.Done():
		case <-timer.C:
			r.housekeep()
		case <-r.kick:
		case <-r.recheck:
			if !r.dates() {
				r.startRecheck()
				r.with(func(p *poller, now discipline.Raw) { p.hurry(now) })
			}
		case o := <-r.outcomes:
			r.keysDone(o)
		case v := <-r.verdicts:
			r.judged(v)
		case d := <-r.packets:
			r.take(ctx, d)
		}
	}
	return nil
}

// with runs f under the lock.
func (r *runner) with(f func(p *poller, now discipline.Raw)) {
	now := r.opt.Clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.poller, now)
}

func (r *runner) present() phase {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.poller.phase
}

// follow notes that the poller's session is another one, or gone.
func (r *runner) follow(now discipline.Raw) {
	r.mu.Lock()
	k := r.poller.keys
	r.mu.Unlock()
	if k == r.session {
		return
	}
	r.hangUp()
	r.session = k
	r.recheckAt = now.Add(r.opt.RecheckEvery)
}

// tell reports what others must know, once a change.
func (r *runner) tell(ctx context.Context) {
	r.mu.Lock()
	t := told{Standing: r.poller.standing(), any: true, lastError: r.poller.lastError}
	r.mu.Unlock()
	old := r.told
	t.answers = t.Reachable || old.answers && t.lastError == ""
	r.told = t
	if (!old.any || t.Standing != old.Standing) && r.opt.Changed != nil {
		r.opt.Changed(ctx, r.opt.Name, t.Standing)
	}
	log := r.opt.Log.With("source", r.opt.Name)
	switch {
	case t.answers && !old.answers:
		log.Info("server answers")
	case !t.answers && old.answers:
		log.Warn("server does not answer", "cause", t.lastError)
	case !t.answers && t.lastError != "" && withoutNumbers(t.lastError) != withoutNumbers(old.lastError):
		log.Warn("server can't be used", "cause", t.lastError)
	}
}

// withoutNumbers is what a cause has in common with itself at another time: the present time, a port or an address in it
// make no new one.
func withoutNumbers(cause string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, cause)
}

func (r *runner) startKeys(ctx context.Context) {
	opt := r.opt
	r.mu.Lock()
	turn := r.poller.turns
	opt.AEADs = r.poller.offer(opt.AEADs)
	r.mu.Unlock()
	r.wg.Go(func() {
		k, f := makeKeys(ctx, &opt, turn)
		r.outcomes <- outcome{k, f}
	})
}

func (r *runner) keysDone(o outcome) {
	r.with(func(p *poller, now discipline.Raw) {
		if o.fail != nil {
			p.keysFailed(now, o.fail)
			return
		}
		p.keysMade(now, o.keys)
		r.keAt = r.opt.Now()
	})
	if o.fail == nil {
		r.opt.Log.Info("keys made", "source", r.opt.Name, "ntp", o.keys.peer, "aead", o.keys.AEAD,
			"cookies", len(o.keys.Cookies), "dates_deferred", o.keys.deferred)
	}
}

// housekeep does what time alone calls for, beside the poller's own.
func (r *runner) housekeep() {
	if discipline.Slept(r.opt.Clock.Suspended, r.suspended) {
		r.suspended = r.opt.Clock.Suspended()
		r.with(func(p *poller, now discipline.Raw) { p.resumed(now) })
	}
	// The kernel changes to a coarser counter when it finds the finer one unsteady.
	tick := discipline.TickOf(r.opt.Clock.Now)
	r.with(func(p *poller, _ discipline.Raw) { p.tick = tick })
	if r.session == nil {
		return
	}
	if r.dates() {
		return
	}
	if r.checking == 0 && r.opt.Clock.Now() >= r.recheckAt {
		r.startRecheck()
	}
}

// dates ends a session whose dates were deferred as soon as they can be judged.
func (r *runner) dates() (ended bool) {
	if r.session == nil || !r.session.deferred {
		return false
	}
	_, deferred, err := r.opt.Trust.KEConfig(r.opt.Name)
	switch {
	case err != nil:
		r.with(func(p *poller, now discipline.Raw) {
			p.refuse(now, distrust(err, r.opt.Name, " is not trusted"))
		})
	case !deferred:
		r.opt.Log.Info("time is known: keys are made again with certificate dates judged", "source", r.opt.Name)
		r.with(func(p *poller, now discipline.Raw) { p.redo(now) })
	default:
		return false
	}
	return true
}

// startRecheck judges the standing session, and the others that brought what still counts. A session in the making may
// have been judged by files that are replaced by now: it is judged when it is there.
func (r *runner) startRecheck() {
	due := r.judgeable()
	if r.again = r.present() == keying || r.checking+len(due) > mostRechecks; r.again {
		return
	}
	for _, k := range due {
		r.checking++
		r.checked++
		n := r.checked
		// Trust may ask a responder of revocation, so it does not hold up polls.
		r.wg.Go(func() { r.verdicts <- verdict{k, n, r.recheckSession(k)} })
	}
}

// judgeable are the sessions that Trust is asked about.
func (r *runner) judgeable() (due []*keys) {
	if r.session != nil {
		due = append(due, r.session)
	}
	for _, s := range r.stood {
		if s.keys != r.session {
			due = append(due, s.keys)
		}
	}
	return due
}

// stands notes that a session brought a measurement. One with the same certificate and NTP server stands for it: whatever
// takes back one takes back both.
func (r *runner) stands(k *keys) {
	r.stood = slices.DeleteFunc(r.stood, func(s stood) bool { return s.keys == k || s.keys.sameAs(k) })
	for i := range r.stood {
		r.stood[i].left--
	}
	r.stood = append(slices.DeleteFunc(r.stood, func(s stood) bool { return s.left <= 0 }), stood{k, stoodFor})
	r.stood = r.stood[max(0, len(r.stood)-mostStood):]
}

func (r *runner) recheckSession(k *keys) error {
	if k.NTPServer != "" {
		if err := r.opt.Trust.AllowHost(k.NTPServer); err != nil {
			return err
		}
	}
	state := k.state
	return r.opt.Trust.Recheck(r.opt.Name, &state)
}

func (r *runner) judged(v verdict) {
	r.checking--
	r.recheckAt = r.opt.Clock.Now().Add(r.opt.RecheckEvery)
	if v.err == nil {
		due := r.judgeable()
		maps.DeleteFunc(r.passed, func(k *keys, _ int) bool { return !slices.Contains(due, k) })
		if slices.Contains(due, v.session) {
			r.passed[v.session] = max(r.passed[v.session], v.n)
		}
		return
	}
	f := distrust(v.err, r.opt.Name, " is no longer trusted")
	at := slices.IndexFunc(r.stood, func(s stood) bool { return s.keys == v.session })
	newest := at >= 0 && at == len(r.stood)-1
	switch {
	case v.n < r.passed[v.session]:
		return // by files that were replaced since: by the new ones it passed
	case v.session == r.session:
	case newest && tellsOfThePast(f.reason):
	case at >= 0 && f.reason == ReasonRevoked: // an authority that is tidied away once all have new certificates takes nothing back
	default:
		return
	}
	if tellsOfThePast(f.reason) {
		r.stood = nil
	} else { // the others' certificates may be revoked later
		r.stood = slices.DeleteFunc(r.stood, func(s stood) bool { return s.keys == v.session })
	}
	r.with(func(p *poller, now discipline.Raw) { p.refuse(now, f) })
}

// ask sends a request.
func (r *runner) ask(now discipline.Raw) {
	var packet []byte
	var peer netip.AddrPort
	var misses int
	r.with(func(p *poller, _ discipline.Raw) {
		peer, misses = p.keys.peer, p.misses
		packet, _ = p.ask(now)
	})
	if packet == nil {
		return
	}
	if misses >= 2 {
		// A connected socket keeps the source address it began with: after two misses this
		// machine may have another.
		r.hangUp()
	}
	if r.socket == nil {
		socket, err := r.opt.Open(peer)
		if err != nil {
			r.with(func(p *poller, now discipline.Raw) { p.notSent(now, err) })
			return
		}
		r.socket, r.done = socket, make(chan struct{})
		done := r.done
		r.wg.Go(func() { r.receive(socket, done) })
	}
	d := departure{suspended: r.opt.Clock.Suspended(), pair: r.opt.Clock.ReadPair()}
	d.before = r.opt.Clock.Now()
	sent, err := r.socket.Send(packet, peer, netip.Addr{})
	if unreachable(err) {
		// It is about an earlier request; this one was not sent.
		r.with(func(p *poller, _ discipline.Raw) { p.refusedBySystem(err) })
		d.suspended, d.pair = r.opt.Clock.Suspended(), r.opt.Clock.ReadPair()
		d.before = r.opt.Clock.Now()
		sent, err = r.socket.Send(packet, peer, netip.Addr{})
	}
	if err != nil {
		r.hangUp()
		r.with(func(p *poller, now discipline.Raw) { p.notSent(now, err) })
		return
	}
	r.requestID, d.stamp = sent.ID, sent.Stamp
	r.with(func(p *poller, _ discipline.Raw) { p.sent(d) })
}

// unreachable reports whether err is what ICMP said of an earlier datagram.
func unreachable(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

// take judges a datagram.
func (r *runner) take(ctx context.Context, d datagram) {
	if r.socket == nil || d.of != r.done {
		return // of a session that is over
	}
	if d.err != nil {
		r.with(func(p *poller, _ discipline.Raw) { p.refusedBySystem(d.err) })
		if !unreachable(d.err) {
			r.hangUp()
		}
		return
	}
	var m discipline.Measurement
	var ok bool
	stamp := r.socket.SendStamp(r.requestID)
	r.with(func(p *poller, now discipline.Raw) {
		switch {
		case d.cut:
			p.count(nts.ReasonSize)
		case p.keys == nil || d.peer != p.keys.peer:
			p.count(ReasonSource)
		default:
			p.sentStamp(stamp)
			m, ok = p.receive(now, d.bytes, d.at)
		}
	})
	if !ok {
		return
	}
	if !r.session.deferred {
		r.stands(r.session)
	}
	r.tell(ctx) // that it answers, before what it says
	select {
	case r.opt.Out <- m:
	case <-ctx.Done():
	}
}

// receive hands on what comes in until the socket is closed.
func (r *runner) receive(socket Socket, done <-chan struct{}) {
	buffer := make([]byte, maxDatagram)
	for {
		in, err := socket.Receive(buffer)
		d := datagram{of: done, err: err}
		if err == nil {
			d.at = arrival{stamp: in.Stamp, after: r.opt.Clock.Now()}
			d.at.pair, d.at.suspended = r.opt.Clock.ReadPair(), r.opt.Clock.Suspended()
			d.bytes, d.peer, d.cut = append([]byte(nil), buffer[:in.N]...), in.Peer, in.Truncated
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case r.packets <- d:
		case <-done:
			return
		}
		if err != nil && !unreachable(err) {
			return
		}
	}
}

// hangUp closes the socket; its reader ends by that.
func (r *runner) hangUp() {
	if r.socket == nil {
		return
	}
	close(r.done)
	r.socket.Close()
	r.socket = nil
}

var _ Socket = (*ntp.Socket)(nil)
