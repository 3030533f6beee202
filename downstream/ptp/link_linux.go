package ptp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// findLink returns an interface that time can be sent on at present by a transport; with an index other than 0, that
// one only.
func findLink(name string, index int, by *transport) (*net.Interface, error) {
	link, err := net.InterfaceByName(name)
	if op := new(net.OpError); errors.As(err, &op) {
		err = op.Err
	}
	switch {
	case err != nil:
	case index != 0 && link.Index != index:
		err = errors.New("it is another one now")
	case link.Flags&net.FlagUp == 0:
		err = errors.New("it is down")
	case link.Flags&net.FlagRunning == 0:
		err = errors.New("it has no carrier, as without its cable")
	case !by.hasAddress(link):
		err = fmt.Errorf("it has no %s address", by.protocol)
	}
	if err != nil {
		return nil, fmt.Errorf("interface %s %w: %w", name, ErrNotThere, err)
	}
	return link, nil
}

// hasAddress reports whether an interface has an address that messages can come from. An IPv6 one that may be another's,
// which the kernel asks about for a second or two, is none yet (RFC 4862 section 5.4).
func (by *transport) hasAddress(link *net.Interface) bool {
	table, err := syscall.NetlinkRIB(unix.RTM_GETADDR, by.family)
	if err != nil {
		return false
	}
	list, err := syscall.ParseNetlinkMessage(table)
	if err != nil {
		return false
	}
	for _, m := range list {
		// struct ifaddrmsg: family, length of the prefix, flags, scope, and the index (rtnetlink(7)).
		if m.Header.Type == unix.RTM_NEWADDR && len(m.Data) >= 8 && int(m.Data[0]) == by.family &&
			int(binary.NativeEndian.Uint32(m.Data[4:])) == link.Index && m.Data[2]&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0 {
			return true
		}
	}
	return false
}

// watchLinks returns a netlink socket on which the kernel tells of interfaces and addresses that change
// (rtnetlink(7)).
func watchLinks(by *transport) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, fmt.Errorf("netlink: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK | by.addresses}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("netlink: %w", err)
	}
	return fd, nil
}

// linkChanged reads what the kernel told of interfaces; an error says why the port can't go on. An interface that went
// and came back has forgotten the groups that were joined on it, even if it looks the same.
func (p *port) linkChanged() error {
	name, ours := p.s.opt.Interfaces[p.i], false
	b := make([]byte, 32<<10)
	for {
		n, from, err := unix.Recvfrom(p.links, b, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.ENOBUFS) {
			return fmt.Errorf("interface %s: too many changes of interfaces to tell whether it stayed", name)
		}
		if err != nil {
			break
		}
		if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != 0 {
			continue // not the kernel
		}
		list, err := syscall.ParseNetlinkMessage(b[:n])
		if err != nil {
			continue
		}
		for _, m := range list {
			// Both struct ifinfomsg and struct ifaddrmsg begin with the family and have the index here. What a bridge
			// says of its members has a family of its own.
			if len(m.Data) < 8 || int(binary.NativeEndian.Uint32(m.Data[4:])) != p.index || m.Data[0] == unix.AF_BRIDGE {
				continue
			}
			if ours = true; m.Header.Type == unix.RTM_DELLINK {
				return fmt.Errorf("interface %s %w: it was removed", name, ErrNotThere)
			}
		}
	}
	if !ours {
		return nil
	}
	_, err := findLink(name, p.index, p.by)
	return err
}
