package beacon

import (
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// Keys of the payload map (docs/beacon-protocol.md, "Payload").
const (
	keyTime       = 1
	keyEpoch      = 2
	keySequence   = 3
	keyState      = 4
	keyStratum    = 5
	keyLeap       = 6
	keyTAIOffset  = 7
	keyNextIn     = 8
	keyNonce      = 9
	keyTurnaround = 10
	keySerial     = 11
	keyHalfWidth  = 13
)

// fieldSet is a set of payload keys, one bit each.
type fieldSet uint32

func field(keys ...uint) (s fieldSet) {
	for _, k := range keys {
		s |= 1 << k
	}
	return s
}

// listed are the keys with a meaning; any other is skipped.
func listed() fieldSet {
	return field(keyTime, keyEpoch, keySequence, keyState, keyStratum, keyLeap, keyTAIOffset,
		keyNextIn, keyNonce, keyTurnaround, keySerial, keyHalfWidth)
}

// required are the keys that a kind must have; may is the one that it may have.
func required(k Kind) (must, may fieldSet) {
	statement := field(keyTime, keyEpoch, keyState, keyStratum, keyLeap, keyTAIOffset)
	switch k {
	case KindBeacon:
		return statement | field(keySequence, keyNextIn), 0
	case KindResponse:
		return statement | field(keyNonce, keyTurnaround, keySerial), 0
	case KindRequest:
		return field(keyNonce), field(keyHalfWidth)
	}
	return 0, 0
}

const (
	tagExtendedTime = 1001 // RFC 9581

	keyWholeSeconds = 1
	negGuarantee    = 7 // key −8, as −1 − key
	negNanos        = 8 // key −9

	secondsLimit = 1 << 32
	nanosLimit   = 1_000_000_000
	errorLimit   = 1 << 16 // seconds
)

// check reports whether everything lies in its range.
func (s *Statement) check() *Error {
	switch {
	case s.Nanos >= nanosLimit:
		return refuse(ReasonRange, "nanoseconds of the time")
	case s.MaxError < 0 || s.MaxError >= errorLimit*time.Second:
		return refuse(ReasonRange, "the bound must be below 65,536 s")
	case s.State != discipline.Synchronized && s.State != discipline.Holdover:
		return refuse(ReasonRange, "only synchronized and holdover are stated")
	case s.Stratum < 1 || s.Stratum > 15:
		return refuse(ReasonRange, "stratum must be 1 to 15")
	case s.Leap < discipline.LeapDelete || s.Leap > discipline.LeapUnknown:
		return refuse(ReasonRange, "leap must be −1, 0, 1 or 2")
	}
	return nil
}

// appendTime appends key 1 and the extended time with its guarantee.
func (s *Statement) appendTime(b []byte) []byte {
	b = append(b, keyTime)
	b = appendHead(b, majorTag, tagExtendedTime)
	b = append(b, majorMap<<5|3, keyWholeSeconds)
	b = appendHead(b, majorUint, uint64(s.Seconds))
	b = append(b, majorNeg<<5|negGuarantee, majorMap<<5|2, keyWholeSeconds)
	b = appendHead(b, majorUint, uint64(s.MaxError/time.Second))
	b = append(b, majorNeg<<5|negNanos)
	b = appendHead(b, majorUint, uint64(s.MaxError%time.Second))
	b = append(b, majorNeg<<5|negNanos)
	return appendHead(b, majorUint, uint64(s.Nanos))
}

func (s *Statement) appendEpoch(b []byte) []byte {
	return appendBytes(append(b, keyEpoch), s.Epoch[:])
}

// appendState appends keys 4 to 7.
func (s *Statement) appendState(b []byte) []byte {
	state := byte(1)
	if s.State == discipline.Holdover {
		state = 2
	}
	b = append(b, keyState, state, keyStratum, s.Stratum, keyLeap)
	b = appendInt(b, int64(s.Leap))
	return appendHead(append(b, keyTAIOffset), majorUint, uint64(s.TAIOffset))
}

func (m *Beacon) appendPayload(b []byte) []byte {
	b = m.appendTime(append(b, majorMap<<5|8))
	b = m.appendEpoch(b)
	b = appendHead(append(b, keySequence), majorUint, uint64(m.Sequence))
	b = m.appendState(b)
	return appendHead(append(b, keyNextIn), majorUint, uint64(m.NextIn))
}

func (m *Response) appendPayload(b []byte) []byte {
	b = m.appendTime(append(b, majorMap<<5|9))
	b = m.appendEpoch(b)
	b = m.appendState(b)
	b = appendBytes(append(b, keyNonce), m.Nonce[:])
	b = appendHead(append(b, keyTurnaround), majorUint, uint64(m.Turnaround))
	return appendHead(append(b, keySerial), majorUint, uint64(m.Serial))
}

func (m *Request) appendPayload(b []byte) []byte {
	if !m.HasHalfWidth {
		return appendBytes(append(b, majorMap<<5|1, keyNonce), m.Nonce[:])
	}
	b = appendBytes(append(b, majorMap<<5|2, keyNonce), m.Nonce[:])
	return appendHead(append(b, keyHalfWidth), majorUint, uint64(m.HalfWidth))
}

func (m *Delegation) appendPayload(b []byte) []byte {
	b = m.Key.appendCOSEKey(append(b, majorMap<<5|4, 1))
	b = appendHead(append(b, 2), majorUint, uint64(m.Serial))
	b = appendHead(append(b, 3), majorUint, uint64(m.NotBefore))
	return appendHead(append(b, 4), majorUint, uint64(m.NotAfter))
}

// fields is everything that a payload of any kind can say.
type fields struct {
	Statement
	sequence   uint32
	nextIn     uint16
	nonce      [NonceSize]byte
	turnaround uint32
	serial     uint32
	halfWidth  uint32
	seen       fieldSet
}

// parsePayload reads the payload of a beacon, request or response.
func parsePayload(kind Kind, b []byte) (fields, *Error) {
	var f fields
	r := reader{b: b}
	must, may := required(kind)
	m := r.openMap("the payload must be a map")
	for {
		neg, key, ok := m.next()
		if !ok {
			break
		}
		if neg || key >= 32 || listed()&(1<<key) == 0 {
			r.skip()
			continue
		}
		if (must|may)&(1<<key) == 0 {
			r.fail("a key that belongs to another kind of message")
			break
		}
		f.seen |= 1 << key
		f.read(&r, uint(key))
	}
	r.end()
	if r.ok() && f.seen&must != must {
		r.fail("a key is missing")
	}
	if !r.ok() {
		return fields{}, refuse(ReasonMalformed, r.err)
	}
	return f, nil
}

// read takes the value of one listed key.
func (f *fields) read(r *reader, key uint) {
	switch key {
	case keyTime:
		f.readTime(r)
	case keyEpoch:
		r.fixed(f.Epoch[:], "the epoch must be 8 bytes")
	case keySequence:
		f.sequence = uint32(r.uint(1<<32, "sequence out of range"))
	case keyState:
		switch r.uint(3, "state must be 1 or 2") {
		case 0:
			r.fail("state must be 1 or 2")
		case 1:
			f.State = discipline.Synchronized
		case 2:
			f.State = discipline.Holdover
		}
	case keyStratum:
		f.Stratum = uint8(r.uint(16, "stratum must be 1 to 15"))
		if f.Stratum == 0 {
			r.fail("stratum must be 1 to 15")
		}
	case keyLeap:
		const text = "leap must be −1, 0, 1 or 2"
		major, v := r.head()
		switch {
		case !r.ok():
		case major == majorUint && v <= 2:
			f.Leap = discipline.Leap(v)
		case major == majorNeg && v == 0:
			f.Leap = discipline.LeapDelete
		default:
			r.fail(text)
		}
	case keyTAIOffset:
		f.TAIOffset = uint8(r.uint(1<<8, "TAI − UTC must be 0 to 255"))
	case keyNextIn:
		f.nextIn = uint16(r.uint(1<<16, "seconds to the next beacon out of range"))
	case keyNonce:
		r.fixed(f.nonce[:], "the nonce must be 16 bytes")
	case keyTurnaround:
		f.turnaround = uint32(r.uint(1<<32, "elapsed nanoseconds out of range"))
	case keySerial:
		f.serial = uint32(r.uint(1<<32, "serial out of range"))
	case keyHalfWidth:
		f.halfWidth = uint32(r.uint(1<<32, "half width out of range"))
	}
}

// readTime reads the extended time (RFC 9581 §3): unknown unsigned keys are critical and refused,
// unknown negative ones are skipped.
func (f *fields) readTime(r *reader) {
	if r.expect(majorTag, "the time must be tag 1001") != tagExtendedTime {
		r.fail("the time must be tag 1001")
		return
	}
	m := r.openMap("the time must be a map")
	var seconds, guarantee, nanos bool
	for {
		neg, key, ok := m.next()
		if !ok {
			break
		}
		switch {
		case !neg && key == keyWholeSeconds:
			f.Seconds, seconds = uint32(r.uint(secondsLimit, "seconds of the time out of range")), true
		case !neg:
			r.fail("a critical key of the time that is not known")
		case key == negGuarantee:
			f.readGuarantee(r)
			guarantee = true
		case key == negNanos:
			f.Nanos, nanos = uint32(r.uint(nanosLimit, "nanoseconds of the time out of range")), true
		default:
			r.skip()
		}
	}
	if r.ok() && !(seconds && guarantee && nanos) {
		r.fail("the time lacks seconds, nanoseconds or guarantee")
	}
}

// readGuarantee reads E: exactly {1: s, −9: ns}.
func (f *fields) readGuarantee(r *reader) {
	const text = "the guarantee must be seconds and nanoseconds"
	m := r.openMap(text)
	if r.ok() && m.left != 2 {
		r.fail(text)
	}
	neg, key, ok := m.next()
	if ok && (neg || key != keyWholeSeconds) {
		r.fail(text)
	}
	s := r.uint(errorLimit, "the guarantee must be below 65,536 s")
	neg, key, ok = m.next()
	if ok && (!neg || key != negNanos) {
		r.fail(text)
	}
	ns := r.uint(nanosLimit, "nanoseconds of the guarantee out of range")
	if r.ok() {
		f.MaxError = time.Duration(s)*time.Second + time.Duration(ns)
	}
}

// parseDelegation reads the payload of a delegation under a root of algorithm alg. Keys that are
// not listed are skipped here, too.
func parseDelegation(alg Alg, b []byte) (Delegation, *Error) {
	var d Delegation
	var key []byte
	r := reader{b: b}
	m := r.openMap("the payload must be a map")
	var seen fieldSet
	for {
		neg, k, ok := m.next()
		if !ok {
			break
		}
		if neg || k < 1 || k > 4 {
			r.skip()
			continue
		}
		seen |= 1 << k
		switch k {
		case 1:
			key = readCOSEKey(&r, alg)
		case 2:
			d.Serial = uint32(r.uint(1<<32, "serial out of range"))
		case 3:
			d.NotBefore = uint32(r.uint(1<<32, "start of validity out of range"))
		case 4:
			d.NotAfter = uint32(r.uint(1<<32, "end of validity out of range"))
		}
	}
	r.end()
	if r.ok() && seen != field(1, 2, 3, 4) {
		r.fail("a key is missing")
	}
	if !r.ok() {
		return Delegation{}, refuse(ReasonMalformed, r.err)
	}
	pub, err := NewPublicKey(alg, key)
	if err != nil {
		return Delegation{}, refuse(ReasonMalformed, "the delegated key is not a valid point")
	}
	d.Key = pub
	return d, nil
}
