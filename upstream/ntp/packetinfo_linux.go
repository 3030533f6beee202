package ntp

import (
	"net/netip"
	"syscall"

	"github.com/ntsgw/ntsgw/netstamp"
)

// What the syscall package does not name (include/uapi/linux/in6.h).
const (
	ipv6RecvPacketInfo = 49
	ipv6PacketInfo     = 50
)

// enablePacketInfo asks for each datagram's destination address.
func enablePacketInfo(fd int) bool {
	v4 := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1) == nil
	v6 := syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, ipv6RecvPacketInfo, 1) == nil
	return v4 || v6
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
		return netstamp.AppendControl(b, syscall.IPPROTO_IP, syscall.IP_PKTINFO, info)
	}
	if local.IsLinkLocalUnicast() {
		return b // it would need the interface, which the peer's zone names already
	}
	info := make([]byte, 20)
	a := local.As16()
	copy(info, a[:])
	return netstamp.AppendControl(b, syscall.IPPROTO_IPV6, ipv6PacketInfo, info)
}
