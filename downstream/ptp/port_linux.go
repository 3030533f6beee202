package ptp

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/netstamp"
)

// mostMissed is for how many Sync in a row the kernel may give no time until nothing is announced any more.
const mostMissed = 5

// maxWaiting is how many octets the system may still have to send before unicast answers are left out: the default
// room is 208 KiB.
const maxWaiting = 16 << 10

// ErrNotThere says that an interface may come later, ErrUnfit that it can never serve.
var (
	ErrNotThere = errors.New("is not there")
	ErrUnfit    = errors.New("is not fit for PTP")
)

// Check opens the sockets on an interface as a Server would, over IPv4 or IPv6, and closes them again. An ErrNotThere is waited
// for by a Server; everything else a person must mend.
func Check(name string, ipv6 bool) error {
	s := &Server{opt: Options{Interfaces: []string{name}}, told: make([]told, 1)}
	if ipv6 {
		s.opt.UDP6 = s.opt.Interfaces
	}
	p, err := openPort(s, 0)
	if err == nil {
		p.close()
	}
	return err
}

// told is what has been said on an interface. It outlives the port: receivers beyond a switch don't notice that an
// interface went and came back.
type told struct {
	sync     uint16 // sequence numbers
	announce uint16
	steady   steady
	epoch    discipline.Epoch // that was stated last
	stated   time.Time        // when; zero: never
	bound    time.Duration    // that the last Announce of this epoch states; 0: there was none
	limit    limiter
}

// port is one interface. One thread sends and receives on it, and nobody else waits on its sockets: a
// second waiter would be woken between a message's stamp and its way out, which costs tens of microseconds.
type port struct {
	s       *Server
	i       int
	id      portIdentity
	by      *transport
	p2p     bool // the peer delay mechanism is spoken
	event   int  // its messages are stamped
	general int
	links   int // tells of interfaces and addresses that change
	wake    int // an eventfd, written when Run shall end
	index   int // of the interface

	sent    uint32 // on the event socket: the kernel counts so
	stamped bool   // the kernel tells when they leave
	missed  int    // how many times in a row it did not
	served  bool   // receivers were given time, all of it
	broken  error  // what is wrong with the interface, found while answering

	*told
	in  [1500]byte
	oob [256]byte
	out []byte
}

// openPort opens the sockets on interface i.
func openPort(s *Server, i int) (*port, error) {
	name := s.opt.Interfaces[i]
	by := s.opt.transport(name)
	links, err := watchLinks(by) // before the look, which may then grow old
	if err != nil {
		return nil, err
	}
	p := &port{s: s, i: i, by: by, p2p: s.opt.p2p(name), told: &s.told[i], event: -1, general: -1, links: links, wake: -1}
	if err := p.open(name); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *port) open(name string) error {
	link, err := findLink(name, 0, p.by)
	if err != nil {
		return err
	}
	own, err := identityOf(link.HardwareAddr)
	if err != nil {
		return fmt.Errorf("interface %s %w: %w", name, ErrUnfit, err)
	}
	p.index, p.id = link.Index, portIdentity{p.s.counters.identify(own), uint16(p.i + 1)}
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	if p.event, err = p.by.listen(link, eventPort, p.groups()); err != nil {
		return err
	}
	if p.general, err = p.by.listen(link, generalPort, p.groups()); err != nil {
		return err
	}
	if rx, tx := netstamp.Enable(p.event, true); !rx || !tx {
		return fmt.Errorf("interface %s %w: the kernel gives no time stamps", name, ErrUnfit)
	}
	return nil
}

// groups are what is heard.
func (p *port) groups() []netip.Addr {
	if p.p2p {
		return []netip.Addr{p.by.primary, p.by.peer}
	}
	return []netip.Addr{p.by.primary}
}

// identityOf is an EUI-64 made of a hardware address (clause 7.5.2.2.2).
func identityOf(a net.HardwareAddr) (id ClockIdentity, err error) {
	switch len(a) {
	case 6:
		copy(id[:], a[:3])
		id[3], id[4] = 0xff, 0xfe
		copy(id[5:], a[3:])
	case 8:
		copy(id[:], a)
	}
	if id == (ClockIdentity{}) {
		return id, errors.New("it has no hardware address to name the clock by; name an Ethernet or Wi-Fi interface")
	}
	return id, nil
}

func (p *port) close() {
	for _, fd := range []int{p.event, p.general, p.links, p.wake} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// run sends and answers until ctx ends, or something is wrong with the interface.
func (p *port) run(ctx context.Context) error {
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_, _ = unix.Write(p.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	})
	runtime.LockOSThread()
	err := p.loop(ctx)
	runtime.UnlockOSThread()
	if !stop() {
		<-woken // the number of a closed descriptor may be another's by then
	}
	return err
}

func (p *port) loop(ctx context.Context) error {
	began := time.Now()
	// Half an interval apart: right after an Announce the way through the kernel would be warm, and a Sync sooner out
	// after its stamp than a receiver's request is, which comes by itself. That was half a microsecond on a virtual wire.
	const apart = (1 << logSyncInterval * time.Second) / 2
	tasks := [...]struct {
		next  time.Time
		every time.Duration
		send  func(served) error
	}{
		{began.Add(apart), 1 << logAnnounceInterval * time.Second, p.sendAnnounce},
		{began, 1 << logSyncInterval * time.Second, p.sendSync},
	}
	fds := []unix.PollFd{{Fd: int32(p.event), Events: unix.POLLIN}, {Fd: int32(p.general), Events: unix.POLLIN}, {Fd: int32(p.links), Events: unix.POLLIN}, {Fd: int32(p.wake), Events: unix.POLLIN}}
	for ctx.Err() == nil {
		now := time.Now()
		for i := range tasks {
			task := &tasks[i]
			if now.Before(task.next) {
				continue
			}
			if task.next = task.next.Add(task.every); task.next.Before(now) {
				task.next = now.Add(task.every) // the machine stood still: what was missed is not made up for
			}
			if t := p.timeline(); t.reason == "" {
				if err := task.send(t); err != nil {
					p.s.counters.refuse(p.i, reasonSend)
					return err
				}
			}
		}
		if err := poll(fds, min(time.Until(tasks[0].next), time.Until(tasks[1].next))); err != nil {
			return err
		}
		if fds[0].Revents&unix.POLLERR != 0 {
			p.late()
			if err := pending(p.event); err != nil {
				return err
			}
		}
		if fds[1].Revents&unix.POLLERR != 0 {
			if err := pending(p.general); err != nil {
				return err
			}
		}
		if fds[0].Revents&unix.POLLIN != 0 {
			p.receive(p.event)
		}
		if fds[1].Revents&unix.POLLIN != 0 {
			p.receive(p.general)
		}
		if p.broken != nil {
			return p.broken
		}
		if fds[2].Revents != 0 {
			if err := p.linkChanged(); err != nil {
				return err
			}
		}
	}
	return nil
}

// poll waits for something to read, but no longer than d.
func poll(fds []unix.PollFd, d time.Duration) error {
	wait := unix.NsecToTimespec(int64(max(0, d)))
	if _, err := unix.Ppoll(fds, &wait, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("poll: %w", err)
	} else if err != nil {
		for i := range fds {
			fds[i].Revents = 0
		}
	}
	return nil
}

// pending is an error that the system keeps for a socket.
func pending(fd int) error {
	if n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && n != 0 {
		return unix.Errno(n)
	}
	return nil
}

// timeline is the server's. After a jump the port is silent until every receiver has let go of it, so that
// none computes with times of two timelines.
func (p *port) timeline() served {
	t := p.s.timeline()
	if t.reason == "" && t.Epoch != p.epoch && !p.stated.IsZero() && time.Since(p.stated) <= fresh {
		t.reason = reasonEpoch
	}
	state := StateServing
	if t.reason != "" || !p.stamped {
		state = StateSilent
	}
	if t.reason == "" && t.Epoch != p.epoch {
		p.epoch, p.bound = t.Epoch, 0
	}
	p.s.counters.port(p.i, func(c *Port) { c.State = state })
	return t
}

func (p *port) header(kind messageType, sequence uint16, flags uint16) header {
	return header{kind: kind, domain: uint8(p.s.opt.Domain), flags: flags, source: p.id, sequence: sequence, interval: logSyncInterval}
}

// steady keeps a clock accuracy for a minute after it was last that bad: a change makes every receiver choose
// its grandmaster anew, and a bound near a limit of the table would make one at every Announce.
type steady struct {
	accuracy uint8
	since    time.Time
}

func (s *steady) hold(accuracy uint8, now time.Time) uint8 {
	if accuracy >= s.accuracy || now.Sub(s.since) >= time.Minute {
		s.accuracy, s.since = accuracy, now
	}
	return s.accuracy
}

// sendAnnounce tells what the time is worth, if there is any to send: a grandmaster without time would keep receivers
// from another. An error is the interface's.
func (p *port) sendAnnounce(t served) error {
	if !p.stamped {
		return nil
	}
	a := p.s.announcement(t)
	a.accuracy = p.steady.hold(a.accuracy, time.Now())
	p.announce++
	p.out = appendAnnounce(p.out[:0], p.header(typeAnnounce, p.announce, 0), a)
	if err := p.send(p.general, generalPort, p.by.primary); err != nil {
		return err
	}
	p.bound = a.bound
	p.s.counters.port(p.i, func(c *Port) {
		c.Announced++
		c.Class, c.Accuracy, c.MaxError = int(a.class), int(a.accuracy), a.bound.Seconds()
	})
	return nil
}

// cover announces anew where the bound has outgrown what was announced: a new measurement may say that the
// time is worth less, within the same epoch. It stands before everything that a receiver computes with.
func (p *port) cover(t served) error {
	if t.MaxError(p.s.opt.Clock.Now())+lateness < p.bound {
		return nil
	}
	return p.sendAnnounce(t)
}

// sendSync sends the time twice: about now, and when the kernel says that it left.
func (p *port) sendSync(t served) error {
	p.late()
	p.sync++
	p.out = appendTimed(p.out[:0], p.header(typeSync, p.sync, flagTwoStep), t.TAIAt(p.s.opt.Clock.Now()))
	at, reason, err := p.sendEvent(p.by.primary)
	if err != nil {
		return err
	}
	if reason != "" {
		p.s.counters.refuse(p.i, reason)
		p.miss(reason)
		return nil
	}
	p.stamped, p.missed = true, 0
	now := p.timeline()
	if now.reason != "" || now.Epoch != t.Epoch {
		p.s.counters.refuse(p.i, reasonEpoch)
		return nil
	}
	if err := p.cover(now); err != nil {
		return err
	}
	p.out = appendTimed(p.out[:0], p.header(typeFollowUp, p.sync, 0), now.TAIAt(at))
	if err := p.send(p.general, generalPort, p.by.primary); err != nil {
		return err
	}
	p.s.counters.port(p.i, func(c *Port) { c.Synced, c.Error = c.Synced+1, "" })
	if !p.served {
		p.served = true
		p.s.opt.Log.Info("PTP grandmaster", "interface", p.s.opt.Interfaces[p.i], "identity", hex.EncodeToString(p.id.clock[:]), "domain", p.s.opt.Domain)
	}
	return nil
}

// miss notes a Sync that no time can follow.
func (p *port) miss(reason string) {
	if p.missed++; p.missed != mostMissed {
		return
	}
	p.stamped, p.served = false, false
	name := p.s.opt.Interfaces[p.i]
	text := "the kernel does not tell when messages leave: see software-transmit in ethtool -T " + name + ", or name another interface"
	if reason == reasonLate {
		text = "this machine is too busy to tell when messages leave: give ntsgw more of it"
	}
	p.s.counters.port(p.i, func(c *Port) { c.State, c.Error = StateSilent, fmt.Sprintf("interface %s: %s", name, text) })
	p.s.opt.Log.Warn("PTP is silent", "interface", name, "err", text)
}

// sendEvent sends by multicast from the event socket and returns when it left, or why that is not known. An error is
// the interface's: the kernel may have counted what it did not send, and its numbers fit no more.
func (p *port) sendEvent(group netip.Addr) (at discipline.Raw, reason string, err error) {
	id := p.sent
	p.sent++
	if err := p.send(p.event, eventPort, group); err != nil {
		return 0, reasonSend, err
	}
	at, reason = p.s.carried(p.departure(id))
	return at, reason, nil
}

// send sends by multicast.
func (p *port) send(fd, udpPort int, group netip.Addr) error {
	if err := p.transmit(fd, udpPort, group); err != nil {
		err = fmt.Errorf("interface %s: send to UDP port %d: %w", p.s.opt.Interfaces[p.i], udpPort, err)
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w; let it out of this machine's firewall", err)
		}
		return err
	}
	p.stated = time.Now()
	return nil
}

// transmit sends what is in out.
func (p *port) transmit(fd, udpPort int, to netip.Addr) error {
	p.out = append(p.out, p.by.trailer...)
	return unix.Sendto(fd, p.out, 0, p.by.sockaddr(to, udpPort, p.index))
}

// departure waits a little for the stamp of the event message with an id; 0: there is none.
func (p *port) departure(id uint32) int64 {
	fds := []unix.PollFd{{Fd: int32(p.event)}}
	for deadline := time.Now().Add(10 * time.Millisecond); ; {
		for {
			got, at, ok := p.stamp()
			if !ok {
				break
			}
			if got == id && at != 0 {
				return at
			}
		}
		left := time.Until(deadline)
		if left <= 0 || poll(fds, left) != nil {
			return 0
		}
	}
}

// late drops stamps that nobody waits for any more.
func (p *port) late() {
	for range 64 {
		if _, _, ok := p.stamp(); !ok {
			return
		}
	}
}

// stamp reads one message of the error queue; false: it is empty.
func (p *port) stamp() (id uint32, at int64, ok bool) {
	_, n, _, _, err := unix.Recvmsg(p.event, nil, p.oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return 0, 0, errors.Is(err, unix.EINTR)
	}
	netstamp.ForEachControl(p.oob[:n], func(level, kind int32, data []byte) {
		if t, is := netstamp.Software(level, kind, data); is {
			at = t
		} else if n, is := netstamp.ID(level, kind, data); is {
			id = n
		}
	})
	return id, at, true
}

// receive takes what has come in, not so much that Sync would wait for it.
func (p *port) receive(fd int) {
	for i := 0; i < 32 && p.broken == nil; i++ {
		n, oobn, _, from, err := unix.Recvmsg(fd, p.in[:], p.oob[:], unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		stamp := int64(0)
		netstamp.ForEachControl(p.oob[:oobn], func(level, kind int32, data []byte) {
			if t, is := netstamp.Software(level, kind, data); is {
				stamp = t
			}
		})
		if reason := p.take(p.in[:n], addressOf(from), stamp); reason != "" {
			p.s.counters.refuse(p.i, reason)
		}
	}
}

// take answers a message, and returns "" or why there was no answer.
func (p *port) take(b []byte, from netip.Addr, stamp int64) (reason string) {
	var h header
	if reason := h.parse(b); reason != "" {
		return reason
	}
	if int(h.domain) != p.s.opt.Domain {
		return reasonDomain
	}
	if h.source.clock == p.id.clock {
		return reasonOwn
	}
	if h.length < h.kind.leastSize() {
		return reasonMalformed
	}
	switch h.kind {
	case typeDelayReq:
		if p.p2p {
			return reasonEndToEnd
		}
		return p.answer(&h, from, stamp)
	case typePdelayReq, typePdelayResp, typePdelayRespFollows, typeDelayResp:
		switch {
		case h.kind != typeDelayResp && !p.p2p:
			return reasonPeerDelay
		case h.kind == typePdelayReq:
			return p.answerPeer(&h, from, stamp)
		case requesting(b).clock == p.id.clock:
			return reasonNotAsked
		}
		return "" // to another receiver, from another
	case typeAnnounce, typeSync, typeFollowUp:
		p.s.counters.port(p.i, func(c *Port) { c.OtherMaster = hex.EncodeToString(h.source.clock[:]) })
		return reasonOtherMaster
	}
	return reasonUnsupported
}

// arrival is when a request came in, and the timeline to state that by; or why it is not answered.
func (p *port) arrival(from netip.Addr, stamp int64) (t served, at discipline.Raw, reason string) {
	if t = p.timeline(); t.reason != "" {
		return t, 0, t.reason
	}
	if !p.stamped {
		return t, 0, reasonNoStamp // and so no bound is announced
	}
	if !p.limit.allow(from, time.Now()) {
		return t, 0, reasonRate
	}
	if at, reason = p.s.carried(stamp); reason != "" {
		return t, 0, reason
	}
	if p.cover(t) != nil {
		return t, 0, reasonSend
	}
	return t, at, ""
}

// answer tells when a Delay_Req came in.
func (p *port) answer(h *header, from netip.Addr, stamp int64) (reason string) {
	t, at, reason := p.arrival(from, stamp)
	if reason != "" {
		return reason
	}
	to := p.by.primary
	if h.flags&flagUnicast != 0 {
		to = from
		// Answers to addresses that are not there wait for ARP, in the room that Announce and Follow_Up need too.
		if n, err := unix.IoctlGetInt(p.general, unix.SIOCOUTQ); err != nil || n > maxWaiting {
			return reasonSend
		}
	}
	p.out = appendDelayResp(p.out[:0], h, p.id, t.TAIAt(at))
	if p.transmit(p.general, generalPort, to) != nil {
		return reasonSend
	}
	p.s.counters.port(p.i, func(c *Port) { c.Answered++ })
	return ""
}

// answerPeer tells a neighbour when its Pdelay_Req came in, and when the answer to that left.
func (p *port) answerPeer(h *header, from netip.Addr, stamp int64) (reason string) {
	if h.flags&flagUnicast != 0 {
		return reasonUnicast
	}
	t, came, reason := p.arrival(from, stamp)
	if reason != "" {
		return reason
	}
	p.late()
	p.out = appendPdelayResp(p.out[:0], typePdelayResp, h, p.id, t.TAIAt(came))
	left, reason, err := p.sendEvent(p.by.peer)
	if err != nil {
		p.broken = err
		return reason
	}
	if reason == reasonNoStamp {
		p.limit.unstamped()
	}
	if reason != "" {
		return reason
	}
	now := p.timeline()
	if now.reason != "" || now.Epoch != t.Epoch {
		return reasonEpoch
	}
	if p.cover(now) != nil {
		return reasonSend
	}
	p.out = appendPdelayResp(p.out[:0], typePdelayRespFollows, h, p.id, now.TAIAt(left))
	if p.send(p.general, generalPort, p.by.peer) != nil {
		return reasonSend
	}
	p.s.counters.port(p.i, func(c *Port) { c.Answered++ })
	return ""
}
