package ptp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	eventPort   = 319
	generalPort = 320
)

// transport is UDP over one version of IP (IEEE 1588-2019 annexes C and D).
type transport struct {
	name, protocol string
	family         int
	primary        netip.Addr // the group of all messages but those of peer delays
	peer           netip.Addr // the group of those, which no router and no bridge that knows it passes on
	trailer        []byte     // what follows each message
	addresses      uint32     // the netlink group that tells of its addresses
	sockaddr       func(to netip.Addr, udpPort, index int) unix.Sockaddr
	prepare        func(fd, index int) error // a socket, to send on one interface, and to nobody beyond
	join           func(fd, index int, group netip.Addr) error
}

var (
	udp4 = transport{
		name: "udp4", protocol: "IPv4", family: unix.AF_INET, primary: netip.MustParseAddr("224.0.1.129"), peer: netip.MustParseAddr("224.0.0.107"),
		addresses: unix.RTMGRP_IPV4_IFADDR,
		sockaddr: func(to netip.Addr, udpPort, _ int) unix.Sockaddr {
			return &unix.SockaddrInet4{Port: udpPort, Addr: to.As4()}
		},
		prepare: func(fd, index int) error {
			return errors.Join(
				unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(index)}),
				unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 1),
				unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, 1),
				unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0))
		},
		join: func(fd, index int, group netip.Addr) error {
			return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(index)})
		},
	}
	// The scope of the primary group is a choice (FF0x::181); the global one is what linuxptp's udp6_scope has unless told
	// otherwise. The two octets let hardware on the way mend the checksum.
	udp6 = transport{
		name: "udp6", protocol: "IPv6", family: unix.AF_INET6, primary: netip.MustParseAddr("ff0e::181"), peer: netip.MustParseAddr("ff02::6b"),
		trailer: []byte{0, 0}, addresses: unix.RTMGRP_IPV6_IFADDR,
		sockaddr: func(to netip.Addr, udpPort, index int) unix.Sockaddr {
			return &unix.SockaddrInet6{Port: udpPort, Addr: to.As16(), ZoneId: uint32(index)}
		},
		prepare: func(fd, index int) error {
			return errors.Join(
				unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1),
				unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index),
				unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 1),
				unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 1),
				unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0))
		},
		join: func(fd, index int, group netip.Addr) error {
			return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(index)})
		},
	}
)

// addressOf is where a datagram came from.
func addressOf(a unix.Sockaddr) netip.Addr {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr)
	}
	return netip.Addr{}
}

// listen opens a socket that hears and sends on one interface only. Nothing that it sends passes a router, not even the
// answer to who pretends to be elsewhere. An error says what to do.
func (by *transport) listen(link *net.Interface, udpPort int, groups []netip.Addr) (int, error) {
	fd, err := unix.Socket(by.family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	here := netip.IPv6Unspecified()
	if by.family == unix.AF_INET {
		here = netip.IPv4Unspecified()
	}
	if err = unix.BindToDevice(fd, link.Name); err == nil {
		err = by.prepare(fd, link.Index)
	}
	if err == nil {
		err = unix.Bind(fd, by.sockaddr(here, udpPort, 0))
	}
	for _, group := range groups {
		if err == nil {
			err = by.join(fd, link.Index, group)
		}
	}
	if err == nil {
		return fd, nil
	}
	unix.Close(fd)
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return -1, fmt.Errorf("UDP port %d on %s: %w; another PTP program has it: stop it, or leave %s out of interfaces", udpPort, link.Name, err, link.Name)
	case errors.Is(err, unix.EACCES):
		return -1, fmt.Errorf("UDP port %d on %s: %w; it needs CAP_NET_BIND_SERVICE", udpPort, link.Name, err)
	case errors.Is(err, unix.EPERM): // SO_BINDTODEVICE
		return -1, fmt.Errorf("UDP port %d on %s: %w; it needs Linux 5.7, or CAP_NET_RAW", udpPort, link.Name, err)
	}
	return -1, fmt.Errorf("UDP port %d on %s: %w", udpPort, link.Name, err)
}
