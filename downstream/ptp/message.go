package ptp

import (
	"encoding/binary"
	"math"
	"time"
)

// messageType of IEEE 1588-2019 table 36.
type messageType uint8

const (
	typeSync              messageType = 0x0
	typeDelayReq          messageType = 0x1
	typePdelayReq         messageType = 0x2
	typePdelayResp        messageType = 0x3
	typeFollowUp          messageType = 0x8
	typeDelayResp         messageType = 0x9
	typePdelayRespFollows messageType = 0xa
	typeAnnounce          messageType = 0xb
)

// Sizes of messages, bytes (clauses 13.3 and 13.5 to 13.11).
const (
	headerSize     = 34
	syncSize       = headerSize + 10
	delayReqSize   = headerSize + 10
	followUpSize   = headerSize + 10
	delayRespSize  = headerSize + 20
	pdelayReqSize  = headerSize + 20
	pdelayRespSize = headerSize + 20 // and of its Follow_Up
	announceSize   = headerSize + 30
	metricsSize    = 4 + 84 // the TLV that follows it
)

// leastSize is what a message of a kind is at least.
func (t messageType) leastSize() uint16 {
	switch t {
	case typeSync, typeFollowUp:
		return syncSize
	case typeDelayReq:
		return delayReqSize
	case typeDelayResp:
		return delayRespSize
	case typePdelayReq:
		return pdelayReqSize
	case typePdelayResp, typePdelayRespFollows:
		return pdelayRespSize
	case typeAnnounce:
		return announceSize
	}
	return headerSize
}

// Bits of flagField, most significant octet first (table 37).
const (
	flagUnicast            = 0x0400
	flagTwoStep            = 0x0200
	flagLeap61             = 0x0001
	flagLeap59             = 0x0002
	flagUTCOffsetValid     = 0x0004
	flagPTPTimescale       = 0x0008
	flagTimeTraceable      = 0x0010
	flagFrequencyTraceable = 0x0020
)

// The mean intervals of the default profile (annex I.3.2), log2 of seconds.
const (
	logAnnounceInterval = 1
	logSyncInterval     = 0
	logDelayReqInterval = 0
	logNotStated        = 0x7f // in a unicast Delay_Resp, and in answers to a Pdelay_Req (table 42)
)

// Values of Announce (tables 4 and 6, clause 7.6.3.3).
const (
	classSynchronized  = 6 // to a primary reference
	classHoldover      = 7 // it was
	timeSourceNTP      = 0x50
	varianceNotKnown   = 0xffff
	tlvAccuracyMetrics = 0x4001 // ENHANCED_ACCURACY_METRICS (table 52)
)

const version = 2 // minor version 0: some receivers compare the whole octet

// ClockIdentity names a clock (clause 7.5.2.2).
type ClockIdentity [8]byte

// portIdentity names a port of a clock (clause 7.5.2.1).
type portIdentity struct {
	clock ClockIdentity
	port  uint16
}

func (p portIdentity) append(b []byte) []byte {
	return binary.BigEndian.AppendUint16(append(b, p.clock[:]...), p.port)
}

// header is what all messages begin with (clause 13.3).
type header struct {
	kind       messageType
	length     uint16
	domain     uint8
	flags      uint16
	correction int64 // 2^-16 ns
	source     portIdentity
	sequence   uint16
	interval   int8 // logMessageInterval
}

// control is the octet that version 1 had for the type; some receivers still want it (table 41).
func (t messageType) control() uint8 {
	switch t {
	case typeSync:
		return 0
	case typeDelayReq:
		return 1
	case typeFollowUp:
		return 2
	case typeDelayResp:
		return 3
	}
	return 5
}

func (h *header) append(b []byte) []byte {
	b = append(b, byte(h.kind), version)
	b = binary.BigEndian.AppendUint16(b, h.length)
	b = append(b, h.domain, 0)
	b = binary.BigEndian.AppendUint16(b, h.flags)
	b = binary.BigEndian.AppendUint64(b, uint64(h.correction))
	b = append(b, 0, 0, 0, 0)
	b = h.source.append(b)
	b = binary.BigEndian.AppendUint16(b, h.sequence)
	return append(b, h.kind.control(), byte(h.interval))
}

// parse reads the header of b and returns "" or why it is refused. The message is b[:length].
func (h *header) parse(b []byte) (reason string) {
	if len(b) < headerSize {
		return reasonMalformed
	}
	if b[1]&0xf != version {
		return reasonVersion
	}
	if b[0]>>4 != 0 || b[5] != 0 { // majorSdoId, minorSdoId: gPTP and others
		return reasonProfile
	}
	*h = header{
		kind:       messageType(b[0] & 0xf),
		length:     binary.BigEndian.Uint16(b[2:]),
		domain:     b[4],
		flags:      binary.BigEndian.Uint16(b[6:]),
		correction: int64(binary.BigEndian.Uint64(b[8:])),
		source:     portIdentity{ClockIdentity(b[20:28]), binary.BigEndian.Uint16(b[28:])},
		sequence:   binary.BigEndian.Uint16(b[30:]),
		interval:   int8(b[33]),
	}
	if h.length < headerSize || int(h.length) > len(b) {
		return reasonMalformed
	}
	return ""
}

// appendTime appends a Timestamp (clause 5.3.3): TAI, nanoseconds since 1970, before which there is none.
func appendTime(b []byte, tai int64) []byte {
	tai = max(0, tai)
	s := uint64(tai / 1e9)
	b = binary.BigEndian.AppendUint16(b, uint16(s>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(s))
	return binary.BigEndian.AppendUint32(b, uint32(tai%1e9))
}

// appendTimed appends a Sync or a Follow_Up: a header and a time (clauses 13.6 and 13.7).
func appendTimed(b []byte, h header, tai int64) []byte {
	h.length = syncSize
	return appendTime(h.append(b), tai)
}

// appendDelayResp appends the answer to a Delay_Req that came at tai (clauses 9.5.11 and 13.8).
func appendDelayResp(b []byte, req *header, source portIdentity, tai int64) []byte {
	h := header{kind: typeDelayResp, length: delayRespSize, domain: req.domain, flags: req.flags & flagUnicast,
		correction: req.correction, source: source, sequence: req.sequence, interval: logDelayReqInterval}
	if h.flags != 0 {
		h.interval = logNotStated
	}
	return req.source.append(appendTime(h.append(b), tai))
}

// appendPdelayResp appends the Pdelay_Resp to a Pdelay_Req that came at tai, or the Pdelay_Resp_Follow_Up to a Pdelay_Resp
// that left at tai: together they say how long the request was here (clauses 11.4.2, 13.10 and 13.11).
func appendPdelayResp(b []byte, kind messageType, req *header, source portIdentity, tai int64) []byte {
	h := header{kind: kind, length: pdelayRespSize, domain: req.domain, source: source, sequence: req.sequence, interval: logNotStated}
	if kind == typePdelayResp {
		h.flags = flagTwoStep
	} else {
		h.correction = req.correction
	}
	return req.source.append(appendTime(h.append(b), tai))
}

// requesting is to whom a Delay_Resp, a Pdelay_Resp or its Follow_Up answers.
func requesting(b []byte) portIdentity {
	b = b[headerSize+10:]
	return portIdentity{ClockIdentity(b[:8]), binary.BigEndian.Uint16(b[8:])}
}

// announcement is what an Announce says of the grandmaster.
type announcement struct {
	utcOffset    int
	class        uint8
	accuracy     uint8 // not less than what contains bound
	bound        time.Duration
	deviation    time.Duration // one standard deviation
	priority1    uint8
	priority2    uint8
	leap         uint16 // flagLeap61, flagLeap59 or 0
	offsetKnown  bool
	originateTAI int64
}

// appendAnnounce appends an Announce (clause 13.5) with the enhanced accuracy metrics (clause 16.12).
func appendAnnounce(b []byte, h header, a *announcement) []byte {
	h.kind, h.length, h.interval = typeAnnounce, announceSize+metricsSize, logAnnounceInterval
	h.flags |= a.leap | flagPTPTimescale | flagTimeTraceable | flagFrequencyTraceable
	if a.offsetKnown {
		h.flags |= flagUTCOffsetValid
	}
	b = appendTime(h.append(b), a.originateTAI)
	b = binary.BigEndian.AppendUint16(b, uint16(a.utcOffset))
	b = append(b, 0, a.priority1, a.class, a.accuracy)
	b = binary.BigEndian.AppendUint16(b, varianceNotKnown)
	b = append(b, a.priority2)
	b = append(b, h.source.clock[:]...)
	b = append(b, 0, 0, timeSourceNTP) // stepsRemoved

	b = binary.BigEndian.AppendUint16(b, tlvAccuracyMetrics)
	b = binary.BigEndian.AppendUint16(b, metricsSize-4)
	b = append(b, 0, 0, 0, 0) // no boundary or transparent clock is between
	b = binary.BigEndian.AppendUint64(b, uint64(interval(a.bound)))
	s := a.deviation.Seconds()
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(s*s))
	return append(b, make([]byte, 4*16)...) // the other parts are in the first already
}

// interval is a TimeInterval (clause 5.3.2): 2^-16 ns, the largest where d is larger.
func interval(d time.Duration) int64 {
	if d > math.MaxInt64>>16 {
		return math.MaxInt64
	}
	return int64(d) << 16
}

// accuracies are the upper limits of clockAccuracy from 0x20 to 0x30 (table 5).
var accuracies = [...]time.Duration{
	25, 100, 250, time.Microsecond, 2500, 10 * time.Microsecond, 25 * time.Microsecond, 100 * time.Microsecond,
	250 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 10 * time.Millisecond, 25 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, time.Second, 10 * time.Second,
}

// accuracy is the clockAccuracy (table 5) that contains a bound.
func accuracy(bound time.Duration) uint8 {
	for i, limit := range accuracies {
		if bound <= limit {
			return 0x20 + uint8(i)
		}
	}
	return 0x31
}
