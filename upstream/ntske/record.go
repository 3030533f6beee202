package ntske

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Record types (RFC 8915 §4.1 and the IANA registry of NTS-KE record types).
const (
	TypeEndOfMessage  = 0
	TypeNextProtocol  = 1
	TypeError         = 2
	TypeWarning       = 3
	TypeAEADAlgorithm = 4
	TypeNewCookie     = 5
	TypeNTPv4Server   = 6
	TypeNTPv4Port     = 7
	// TypeCompliant128GCM says that keys for AES-128-GCM-SIV are exported as RFC 8915 §5.1
	// wants it (chrony 4.4 to 4.6 did not; see Session.Alternative).
	TypeCompliant128GCM = 1024
)

// Error codes of a TypeError record (RFC 8915 §4.1.3).
const (
	CodeUnrecognizedCritical = 0
	CodeBadRequest           = 1
	CodeInternalServerError  = 2
)

// ProtocolNTPv4 is the only next protocol there is (RFC 8915 §7.7).
const ProtocolNTPv4 = 0

// AEAD algorithms (RFC 5116's IANA registry).
const (
	AEADAESSIVCMAC256 = 15
	AEADAES128GCMSIV  = 30
)

const (
	headerSize  = 4
	criticalBit = 1 << 15
)

// Record is one record (RFC 8915 §4):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|C|         Record Type         |          Body Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	.                                                               .
//	.                           Record Body                         .
//	.                                                               .
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Record struct {
	Critical bool
	Type     uint16 // 15 bits
	Body     []byte // at most 65535 bytes
}

// AppendBinary appends the record's bytes to b.
func (r Record) AppendBinary(b []byte) ([]byte, error) {
	if r.Type >= criticalBit || len(r.Body) > 1<<16-1 {
		return b, fmt.Errorf("NTS-KE record: type %d or body of %d bytes out of range", r.Type, len(r.Body))
	}
	head := r.Type
	if r.Critical {
		head |= criticalBit
	}
	b = binary.BigEndian.AppendUint16(b, head)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Body)))
	return append(b, r.Body...), nil
}

// MarshalMessage returns the bytes of records and of the End of Message record after them.
func MarshalMessage(records []Record) ([]byte, error) {
	var b []byte
	var err error
	for _, r := range records {
		if b, err = r.AppendBinary(b); err != nil {
			return nil, err
		}
	}
	return Record{Critical: true, Type: TypeEndOfMessage}.AppendBinary(b)
}

// Limits bounds what a peer may send in one message.
type Limits struct {
	Bytes   int // all records with their headers; 0: DefaultLimits.Bytes
	Records int // 0: DefaultLimits.Records
}

// The limits when none are given. A real response has about ten records and 1 kB.
const (
	DefaultBytes   = 16384
	DefaultRecords = 64
)

// ReadMessage reads records from r up to and without the End of Message record, however the
// transport split them. It never asks r for a byte beyond that record. Whatever is not a whole
// message within the limits is an *Error.
func ReadMessage(r io.Reader, limits Limits) ([]Record, error) {
	if limits.Bytes == 0 {
		limits.Bytes = DefaultBytes
	}
	if limits.Records == 0 {
		limits.Records = DefaultRecords
	}
	var records []Record
	var head [headerSize]byte
	for left := limits.Bytes; ; {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, readError(err)
		}
		kind := binary.BigEndian.Uint16(head[:])
		size := int(binary.BigEndian.Uint16(head[2:]))
		rec := Record{Critical: kind&criticalBit != 0, Type: kind &^ criticalBit}
		if left -= headerSize + size; left < 0 {
			return nil, failf(ReasonTooBig, "more than %d bytes before the end of the message", limits.Bytes)
		}
		if rec.Type == TypeEndOfMessage {
			if !rec.Critical || size != 0 {
				return nil, failf(ReasonMalformed, "end of message record not critical or with a body of %d bytes", size)
			}
			return records, nil
		}
		if len(records) == limits.Records {
			return nil, failf(ReasonTooMany, "more than %d records", limits.Records)
		}
		rec.Body = make([]byte, size)
		if _, err := io.ReadFull(r, rec.Body); err != nil {
			return nil, readError(err)
		}
		records = append(records, rec)
	}
}

// readError tells a message that was cut off from a transport that failed.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Reason: ReasonNoEnd, Detail: "connection closed before the end of the message", Err: err}
	}
	return &Error{Reason: ReasonTransport, Detail: "reading", Err: err}
}

// numbers reads a body that is a list of 16-bit numbers.
func numbers(body []byte) ([]uint16, bool) {
	if len(body)%2 != 0 {
		return nil, false
	}
	list := make([]uint16, len(body)/2)
	for i := range list {
		list[i] = binary.BigEndian.Uint16(body[2*i:])
	}
	return list, true
}

func appendNumbers(b []byte, list ...uint16) []byte {
	for _, n := range list {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return b
}
