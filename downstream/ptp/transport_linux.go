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
	primary        netip.Addr // the group of all messages but those of peer delays
	peer           netip.Addr // the group of those, which no router and no bridge that knows it passes on
	trailer        []byte     // what follows each message
	addresses      uint32     // the netlink group that tells of its addresses
	hasAddress     func(*net.Interface) bool
	listen         func(link *net.Interface, udpPort int, groups []netip.Addr) (int, error)
	sockaddr       func(to netip.Addr, udpPort, index int) unix.Sockaddr
}

var (
	udp4 = transport{
		name: "udp4", protocol: "IPv4", primary: netip.MustParseAddr("224.0.1.129"), peer: netip.MustParseAddr("224.0.0.107"),
		addresses: unix.RTMGRP_IPV4_IFADDR, hasAddress: hasIPv4, listen: listen4,
		sockaddr: func(to netip.Addr, udpPort, _ int) unix.Sockaddr {
			return &unix.SockaddrInet4{Port: udpPort, Addr: to.As4()}
		},
	}
	// The scope of the primary group is a choice (FF0x::181); the global one is what linuxptp's udp6_scope has unless told
	// otherwise. The two octets let hardware on the way mend the checksum.
	udp6 = transport{
		name: "udp6", protocol: "IPv6", primary: netip.MustParseAddr("ff0e::181"), peer: netip.MustParseAddr("ff02::6b"),
		trailer: []byte{0, 0}, addresses: unix.RTMGRP_IPV6_IFADDR, hasAddress: hasIPv6, listen: listen6,
		sockaddr: func(to netip.Addr, udpPort, index int) unix.Sockaddr {
			return &unix.SockaddrInet6{Port: udpPort, Addr: to.As16(), ZoneId: uint32(index)}
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

// listen4 opens a socket that hears and sends on one interface only. Nothing that it sends passes a router, not even the
// answer to who pretends to be elsewhere.
func listen4(link *net.Interface, udpPort int, groups []netip.Addr) (int, error) {
	return open(link, udpPort, unix.AF_INET, func(fd int) error {
		on := &unix.IPMreqn{Ifindex: int32(link.Index)}
		err := errors.Join(
			unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, on),
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0))
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Port: udpPort})
		}
		for _, group := range groups {
			if err == nil {
				on.Multiaddr = group.As4()
				err = unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, on)
			}
		}
		return err
	})
}

// listen6 is listen4 over IPv6.
func listen6(link *net.Interface, udpPort int, groups []netip.Addr) (int, error) {
	return open(link, udpPort, unix.AF_INET6, func(fd int) error {
		err := errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, link.Index),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0))
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet6{Port: udpPort})
		}
		for _, group := range groups {
			if err == nil {
				err = unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(link.Index)})
			}
		}
		return err
	})
}

// open makes a socket on an interface and prepares it; an error says what to do.
func open(link *net.Interface, udpPort, family int, prepare func(fd int) error) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if err = unix.BindToDevice(fd, link.Name); err == nil {
		err = prepare(fd)
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
