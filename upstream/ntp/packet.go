package ntp

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// PacketSize is the size of the NTP header in bytes, without extension fields and MAC.
const PacketSize = 48

// Version is the protocol version that is spoken here.
const Version = 4

// The values of Packet.Mode that matter to a client and a server (RFC 5905 figure 10).
const (
	ModeClient = 3
	ModeServer = 4
)

// The values of Packet.Leap (RFC 5905 figure 9).
const (
	LeapNone           = 0
	LeapInsert         = 1 // the month's last minute has 61 seconds
	LeapDelete         = 2 // the month's last minute has 59 seconds
	LeapUnsynchronized = 3
)

// MaxStratum is the largest stratum of a synchronized server; 16 means unsynchronized and is
// sent as 0 (RFC 5905 §7.3).
const MaxStratum = 15

// Packet is the NTP header (RFC 5905 §7.3):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|LI | VN  |Mode |    Stratum     |     Poll      |  Precision   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Root Delay                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Root Dispersion                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Reference ID                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	+                     Reference Timestamp (64)                  +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	+                      Origin Timestamp (64)                    +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	+                      Receive Timestamp (64)                   +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	+                      Transmit Timestamp (64)                  +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Packet struct {
	Leap           uint8 // 0…3
	Version        uint8 // 0…7
	Mode           uint8 // 0…7
	Stratum        uint8
	Poll           int8 // log2 seconds
	Precision      int8 // log2 seconds
	RootDelay      Short
	RootDispersion Short
	ReferenceID    uint32 // at stratum 0 the four letters of a kiss code
	ReferenceTime  Time64
	OriginTime     Time64
	ReceiveTime    Time64
	TransmitTime   Time64
}

// ShortPacketError says that a datagram ends before the NTP header does.
type ShortPacketError struct{ Size int }

// Error implements error.
func (e ShortPacketError) Error() string {
	return fmt.Sprintf("NTP packet of %d bytes, the header alone has %d", e.Size, PacketSize)
}

// AppendBinary appends the 48 bytes of the header to b. Leap, Version and Mode beyond their
// two or three bits are an error, and b is then returned as it was.
func (p *Packet) AppendBinary(b []byte) ([]byte, error) {
	if p.Leap > 3 || p.Version > 7 || p.Mode > 7 {
		return b, fmt.Errorf("NTP packet: leap %d, version %d or mode %d out of range", p.Leap, p.Version, p.Mode)
	}
	b = append(b, p.Leap<<6|p.Version<<3|p.Mode, p.Stratum, byte(p.Poll), byte(p.Precision))
	b = binary.BigEndian.AppendUint32(b, uint32(p.RootDelay))
	b = binary.BigEndian.AppendUint32(b, uint32(p.RootDispersion))
	b = binary.BigEndian.AppendUint32(b, p.ReferenceID)
	b = binary.BigEndian.AppendUint64(b, uint64(p.ReferenceTime))
	b = binary.BigEndian.AppendUint64(b, uint64(p.OriginTime))
	b = binary.BigEndian.AppendUint64(b, uint64(p.ReceiveTime))
	b = binary.BigEndian.AppendUint64(b, uint64(p.TransmitTime))
	return b, nil
}

// UnmarshalBinary reads the header from the first 48 bytes of b; what follows (extension
// fields, a MAC) is not looked at. Fewer bytes are a ShortPacketError, and p is unchanged.
func (p *Packet) UnmarshalBinary(b []byte) error {
	if len(b) < PacketSize {
		return ShortPacketError{Size: len(b)}
	}
	b = b[:PacketSize]
	*p = Packet{
		Leap:           b[0] >> 6,
		Version:        b[0] >> 3 & 7,
		Mode:           b[0] & 7,
		Stratum:        b[1],
		Poll:           int8(b[2]),
		Precision:      int8(b[3]),
		RootDelay:      Short(binary.BigEndian.Uint32(b[4:])),
		RootDispersion: Short(binary.BigEndian.Uint32(b[8:])),
		ReferenceID:    binary.BigEndian.Uint32(b[12:]),
		ReferenceTime:  Time64(binary.BigEndian.Uint64(b[16:])),
		OriginTime:     Time64(binary.BigEndian.Uint64(b[24:])),
		ReceiveTime:    Time64(binary.BigEndian.Uint64(b[32:])),
		TransmitTime:   Time64(binary.BigEndian.Uint64(b[40:])),
	}
	return nil
}

// Kiss returns the kiss code of a packet with stratum 0 (RFC 5905 §7.4), for instance "RATE",
// or "" when there is none: another stratum, or bytes that are not printable ASCII.
func (p *Packet) Kiss() string {
	if p.Stratum != 0 || p.ReferenceID == 0 {
		return ""
	}
	code := binary.BigEndian.AppendUint32(nil, p.ReferenceID)
	for len(code) > 0 && code[len(code)-1] == 0 {
		code = code[:len(code)-1]
	}
	for _, c := range code {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return string(code)
}

// RefID returns the reference identifier of up to four ASCII letters, padded with zeros.
func RefID(letters string) uint32 {
	var b [4]byte
	copy(b[:], letters)
	return binary.BigEndian.Uint32(b[:])
}

// AddressID returns the reference identifier of a server by its address, by which loops are seen: the IPv4 address, or
// the first four octets of the MD5 of an IPv6 one (RFC 5905 §7.3).
func AddressID(a netip.Addr) uint32 {
	if a = a.Unmap(); a.Is4() {
		b := a.As4()
		return binary.BigEndian.Uint32(b[:])
	}
	b := a.As16()
	sum := md5.Sum(b[:])
	return binary.BigEndian.Uint32(sum[:])
}
