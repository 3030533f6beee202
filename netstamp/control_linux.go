package netstamp

import (
	"encoding/binary"
	"syscall"
	"unsafe"
)

// What the syscall package does not name (include/uapi/linux/net_tstamp.h, errqueue.h).
const (
	stampTxSoftware = 1 << 1
	stampRxSoftware = 1 << 3
	stampSoftware   = 1 << 4
	stampOptID      = 1 << 7
	stampOptTSOnly  = 1 << 11

	errOriginTimestamping = 4 // SO_EE_ORIGIN_TIMESTAMPING
	ipv6RecvErr           = 25
)

// Enable asks for software stamps on receiving, and on sending too if want, and says
// what was granted. Those of sent datagrams come from the error queue, numbered from 0 (ID).
func Enable(fd int, want bool) (rx, tx bool) {
	const receive = stampRxSoftware | stampSoftware
	if want {
		const send = stampTxSoftware | stampOptID | stampOptTSOnly
		if setStamping(fd, receive|send) == nil {
			return true, true
		}
	}
	return setStamping(fd, receive) == nil, false
}

// Disable ends it; Enable after it counts from 0 anew.
func Disable(fd int) { _ = setStamping(fd, 0) }

// align rounds up to the machine word, as CMSG_ALIGN does.
func align(n int) int {
	const word = int(unsafe.Sizeof(uintptr(0)))
	return (n + word - 1) &^ (word - 1)
}

// ForEachControl calls f for each control message in oob; a malformed rest is left out.
func ForEachControl(oob []byte, f func(level, kind int32, data []byte)) {
	for len(oob) >= syscall.SizeofCmsghdr {
		h := (*syscall.Cmsghdr)(unsafe.Pointer(&oob[0]))
		size := int(h.Len)
		if size < syscall.SizeofCmsghdr || size > len(oob) {
			return
		}
		f(h.Level, h.Type, oob[align(syscall.SizeofCmsghdr):size])
		if align(size) >= len(oob) {
			return
		}
		oob = oob[align(size):]
	}
}

// ID reads the datagram's number out of a sock_extended_err.
func ID(level, kind int32, data []byte) (uint32, bool) {
	v4 := level == syscall.IPPROTO_IP && kind == syscall.IP_RECVERR
	v6 := level == syscall.IPPROTO_IPV6 && kind == ipv6RecvErr
	// struct sock_extended_err: errno u32, origin u8, type u8, code u8, pad u8, info u32, data u32
	if !v4 && !v6 || len(data) < 16 || data[4] != errOriginTimestamping {
		return 0, false
	}
	return binary.NativeEndian.Uint32(data[12:]), true
}

// AppendControl appends a control message to b.
func AppendControl(b []byte, level, kind int32, data []byte) []byte {
	start := len(b)
	head := align(syscall.SizeofCmsghdr)
	b = append(b, make([]byte, head+align(len(data)))...)
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&b[start]))
	h.Level, h.Type = level, kind
	h.SetLen(head + len(data))
	copy(b[start+head:], data)
	return b
}
