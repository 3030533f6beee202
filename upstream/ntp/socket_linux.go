package ntp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/ntsgw/ntsgw/netstamp"
)

// Socket is a UDP socket whose datagrams carry the kernel's software time stamps
// (SO_TIMESTAMPING, Documentation/networking/timestamping.rst). Where the kernel refuses them
// it works without, and says so with zero stamps.
//
// One goroutine may receive while others send. All stamps are CLOCK_REALTIME in nanoseconds
// since 1970: carry them to another clock with a reading of both that was taken beside them.
type Socket struct {
	conn      *net.UDPConn
	raw       syscall.RawConn
	connected bool
	rx, tx    bool
	pktinfo   bool

	send   sync.Mutex // orders datagrams, so that ids count as the kernel counts; guards rx and tx
	nextID uint32
	late   [8]sentStamp // stamps that were read while another was wanted
	lateAt int
	oobOut [64]byte
	oobIn  [256]byte // of the one receiving goroutine
	oobErr [256]byte
}

type sentStamp struct {
	id uint32
	at int64
}

// Received describes a datagram that came in.
type Received struct {
	N     int            // bytes of it
	Peer  netip.AddrPort // who sent it
	Local netip.Addr     // to which of our addresses; zero when not known or on a connected socket
	Stamp int64          // when it arrived, CLOCK_REALTIME; 0: no stamp
	// Truncated is true when the buffer was too small: the rest is lost.
	Truncated bool
}

// Sent describes a datagram that went out.
type Sent struct {
	ID    uint32 // for SendStamp
	Stamp int64  // when it left, CLOCK_REALTIME; 0: not known (yet), ask SendStamp
}

// Dial returns a socket that is connected to peer: it receives from nobody else.
func Dial(peer netip.AddrPort) (*Socket, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(peer))
	if err != nil {
		return nil, fmt.Errorf("NTP socket to %s: %w", peer, err)
	}
	return newSocket(conn, true)
}

// Listen returns a socket bound to local; port 0 lets the kernel choose. Replies go out from
// the address that the request came to, also when local is a wildcard.
func Listen(local netip.AddrPort) (*Socket, error) {
	network := "udp"
	if local.Addr().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(local))
	if err != nil {
		return nil, fmt.Errorf("NTP socket on %s: %w", local, err)
	}
	return newSocket(conn, false)
}

func newSocket(conn *net.UDPConn, connected bool) (*Socket, error) {
	s := &Socket{conn: conn, connected: connected}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("NTP socket: %w", err)
	}
	s.raw = raw
	if err := raw.Control(func(fd uintptr) {
		s.rx, s.tx = netstamp.Enable(int(fd), connected)
		if !connected {
			s.pktinfo = enablePacketInfo(int(fd))
		}
	}); err != nil {
		conn.Close()
		return nil, fmt.Errorf("NTP socket: %w", err)
	}
	return s, nil
}

// Stamps reports whether the kernel agreed to stamp received and sent datagrams.
func (s *Socket) Stamps() (received, sent bool) {
	s.send.Lock()
	defer s.send.Unlock()
	return s.rx, s.tx
}

// LocalAddr returns the address the socket is bound to.
func (s *Socket) LocalAddr() netip.AddrPort {
	a := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// SetReadDeadline makes Receive return os.ErrDeadlineExceeded from t on; zero: never.
func (s *Socket) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// Close ends the socket, and with it a waiting Receive (net.ErrClosed).
func (s *Socket) Close() error { return s.conn.Close() }

// Receive waits for a datagram and copies it to b. An ICMP error about what was sent before
// comes back as an error of the system (syscall.ECONNREFUSED and the like); the socket stays
// usable.
func (s *Socket) Receive(b []byte) (Received, error) {
	n, oobn, flags, peer, err := s.conn.ReadMsgUDPAddrPort(b, s.oobIn[:])
	if err != nil {
		return Received{}, err
	}
	r := Received{
		N:         n,
		Peer:      netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()),
		Truncated: flags&syscall.MSG_TRUNC != 0,
	}
	netstamp.ForEachControl(s.oobIn[:oobn], func(level, kind int32, data []byte) {
		if at, ok := netstamp.Software(level, kind, data); ok {
			r.Stamp = at
		} else if local, ok := packetInfo(level, kind, data); ok {
			r.Local = local
		}
	})
	return r, nil
}

// Send sends b to peer (ignored on a connected socket), from the local address if that is
// valid. It does not wait for the stamp: on loopback and most Ethernet drivers it is there at
// once, and otherwise SendStamp has it when the answer has come.
func (s *Socket) Send(b []byte, peer netip.AddrPort, local netip.Addr) (Sent, error) {
	s.send.Lock()
	defer s.send.Unlock()
	var err error
	if s.connected {
		_, err = s.conn.Write(b)
	} else {
		var oob []byte
		if s.pktinfo && local.IsValid() {
			oob = appendPacketInfo(s.oobOut[:0], local)
		}
		_, _, err = s.conn.WriteMsgUDPAddrPort(b, oob, peer)
	}
	if err != nil {
		// The kernel may or may not have counted this datagram: start counting anew.
		s.recount()
		return Sent{}, err
	}
	if !s.tx {
		return Sent{}, nil
	}
	id := s.nextID
	s.nextID++
	return Sent{ID: id, Stamp: s.stampOf(id)}, nil
}

// SendStamp returns when the datagram with this id left, CLOCK_REALTIME in nanoseconds since
// 1970, or 0 if that is not known. Ask when its answer has come: then it left before.
func (s *Socket) SendStamp(id uint32) int64 {
	s.send.Lock()
	defer s.send.Unlock()
	if !s.tx {
		return 0
	}
	return s.stampOf(id)
}

// stampOf empties the error queue and looks for one stamp. The lock is held.
func (s *Socket) stampOf(id uint32) int64 {
	var at int64
	for i := range s.late {
		if s.late[i].at != 0 && s.late[i].id == id {
			return s.late[i].at
		}
	}
	for range 64 { // bounded: others may send meanwhile
		got, ok := s.readErrorQueue()
		if !ok {
			break
		}
		if got.at == 0 {
			continue
		}
		if got.id == id {
			at = got.at
		}
		s.late[s.lateAt] = got
		s.lateAt = (s.lateAt + 1) % len(s.late)
	}
	return at
}

// readErrorQueue reads one message; false: the queue is empty.
func (s *Socket) readErrorQueue() (got sentStamp, ok bool) {
	err := s.raw.Control(func(fd uintptr) {
		_, oobn, _, _, err := syscall.Recvmsg(int(fd), nil, s.oobErr[:], syscall.MSG_ERRQUEUE|syscall.MSG_DONTWAIT)
		if err != nil {
			ok = errors.Is(err, syscall.EINTR)
			return
		}
		ok = true
		netstamp.ForEachControl(s.oobErr[:oobn], func(level, kind int32, data []byte) {
			if at, is := netstamp.Software(level, kind, data); is {
				got.at = at
			} else if id, is := netstamp.ID(level, kind, data); is {
				got.id = id
			}
		})
	})
	return got, ok && err == nil
}

func (s *Socket) recount() {
	if !s.tx {
		return
	}
	_ = s.raw.Control(func(fd uintptr) {
		netstamp.Disable(int(fd))
		s.rx, s.tx = netstamp.Enable(int(fd), s.connected)
	})
	for range 64 {
		if _, ok := s.readErrorQueue(); !ok {
			break
		}
	}
	s.nextID, s.late = 0, [len(s.late)]sentStamp{}
}
