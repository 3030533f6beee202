package ntp

import (
	"encoding/binary"
	"net/netip"
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
	ipv6RecvPacketInfo    = 49
	ipv6PacketInfo        = 50
	ipv6RecvErr           = 25
)

// enableStamps asks for software stamps on receiving, and on sending too if want, and says
// what was granted.
func enableStamps(fd int, want bool) (rx, tx bool) {
	const receive = stampRxSoftware | stampSoftware
	if want {
		const send = stampTxSoftware | stampOptID | stampOptTSOnly
		if setStamping(fd, receive|send) == nil {
			return true, true
		}
	}
	return setStamping(fd, receive) == nil, false
}

func disableStamps(fd int) { _ = setStamping(fd, 0) }

// enablePacketInfo asks for each datagram's destination address.
func enablePacketInfo(fd int) bool {
	v4 := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1) == nil
	v6 := syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, ipv6RecvPacketInfo, 1) == nil
	return v4 || v6
}

// align rounds up to the machine word, as CMSG_ALIGN does.
func align(n int) int {
	const word = int(unsafe.Sizeof(uintptr(0)))
	return (n + word - 1) &^ (word - 1)
}

// forEachControl calls f for each control message in oob; a malformed rest is left out.
func forEachControl(oob []byte, f func(level, kind int32, data []byte)) {
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

// stampID reads the datagram's number out of a sock_extended_err.
func stampID(level, kind int32, data []byte) (uint32, bool) {
	v4 := level == syscall.IPPROTO_IP && kind == syscall.IP_RECVERR
	v6 := level == syscall.IPPROTO_IPV6 && kind == ipv6RecvErr
	// struct sock_extended_err: errno u32, origin u8, type u8, code u8, pad u8, info u32, data u32
	if !v4 && !v6 || len(data) < 16 || data[4] != errOriginTimestamping {
		return 0, false
	}
	return binary.NativeEndian.Uint32(data[12:]), true
}

// packetInfo reads the destination address out of in_pktinfo or in6_pktinfo.
func packetInfo(level, kind int32, data []byte) (netip.Addr, bool) {
	switch {
	case level == syscall.IPPROTO_IP && kind == syscall.IP_PKTINFO && len(data) >= 12:
		// ifindex, spec_dst, addr: spec_dst is the local address to answer from.
		return netip.AddrFrom4([4]byte(data[4:8])), true
	case level == syscall.IPPROTO_IPV6 && kind == ipv6PacketInfo && len(data) >= 20:
		return netip.AddrFrom16([16]byte(data[:16])).Unmap(), true
	}
	return netip.Addr{}, false
}

// appendPacketInfo appends the control message that sends from local. The interface is left
// to the kernel's routing.
func appendPacketInfo(b []byte, local netip.Addr) []byte {
	if local.Is4() {
		info := make([]byte, 12)
		a := local.As4()
		copy(info[4:], a[:])
		return appendControl(b, syscall.IPPROTO_IP, syscall.IP_PKTINFO, info)
	}
	if local.IsLinkLocalUnicast() {
		return b // it would need the interface, which the peer's zone names already
	}
	info := make([]byte, 20)
	a := local.As16()
	copy(info, a[:])
	return appendControl(b, syscall.IPPROTO_IPV6, ipv6PacketInfo, info)
}

func appendControl(b []byte, level, kind int32, data []byte) []byte {
	start := len(b)
	head := align(syscall.SizeofCmsghdr)
	b = append(b, make([]byte, head+align(len(data)))...)
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&b[start]))
	h.Level, h.Type = level, kind
	h.SetLen(head + len(data))
	copy(b[start+head:], data)
	return b
}
