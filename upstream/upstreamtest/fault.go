package upstreamtest

import (
	"encoding/binary"
	"time"

	"github.com/ntsgw/ntsgw/upstream/ntp"
	"github.com/ntsgw/ntsgw/upstream/nts"
	"github.com/ntsgw/ntsgw/upstream/ntske"
)

// Fault is one wrong way to answer an NTP request. All of them tell a time that is Lie off, so
// that one that is believed shows.
type Fault struct {
	Name string
	// Reason is the word that it is to be counted under.
	Reason string
	// Final: the answer is authenticated, so the server's honest word does not follow to the
	// same request.
	Final bool
	// answer returns the datagrams that go out for a request, before the honest reply unless Final.
	answer func(a *asked) [][]byte
}

// Lie is how wrong the time of a wrong answer is.
const Lie = 1000 * time.Second

// asked is a request, opened.
type asked struct {
	server    *Server
	packet    []byte
	header    ntp.Packet
	uid       []byte
	algorithm uint16
	keys      ntske.Keys
	at        time.Time // it came
	cookies   int
	cookieLen int
}

// reply is what an answer is made of, for faults to bend.
type reply struct {
	header  ntp.Packet
	uid     []byte // nil: left out
	plain   []byte // to be encrypted
	key     []byte
	late    []byte // fields behind the authenticator
	between []byte // fields before it, raw
	aead    uint16
}

// honest is the answer as it should be.
func (a *asked) honest() reply {
	now := a.server.now()
	r := reply{
		header: ntp.Packet{
			Version: 4, Mode: ntp.ModeServer, Stratum: 1, Precision: -24,
			RootDelay: 0, RootDispersion: ntp.ShortFromDuration(50 * time.Microsecond),
			ReferenceID: ntp.RefID("TEST"), ReferenceTime: ntp.Time64FromUnix(now.UnixNano()),
			OriginTime:  a.header.TransmitTime,
			ReceiveTime: ntp.Time64FromUnix(a.at.UnixNano()), TransmitTime: ntp.Time64FromUnix(now.UnixNano()),
		},
		uid: a.uid, key: a.keys.S2C, aead: a.algorithm,
	}
	for range a.cookies {
		cookie, err := a.server.cookie(a.algorithm, a.keys)
		if err == nil {
			r.plain = nts.AppendField(r.plain, nts.TypeCookie, cookie)
		}
	}
	return r
}

// lie is honest but for the time.
func (a *asked) lie() reply {
	r := a.honest()
	r.header.ReceiveTime = ntp.Time64FromUnix(a.at.Add(Lie).UnixNano())
	r.header.TransmitTime = ntp.Time64FromUnix(a.server.now().Add(Lie).UnixNano())
	return r
}

// clear is the answer without its authenticator.
func (r *reply) clear() []byte {
	b, _ := r.header.AppendBinary(nil)
	if r.uid != nil {
		b = nts.AppendField(b, nts.TypeUniqueIdentifier, r.uid)
	}
	return append(b, r.between...)
}

// seal is the whole answer.
func (r *reply) seal() []byte {
	b := r.clear()
	aead, err := nts.NewAEAD(r.aead, r.key)
	if err != nil {
		return nil
	}
	nonce := make([]byte, aead.NonceSize())
	random(nonce)
	sealed, err := aead.Seal(nil, nonce, r.plain, b)
	if err != nil {
		return nil
	}
	value := binary.BigEndian.AppendUint16(nil, uint16(len(nonce)))
	value = binary.BigEndian.AppendUint16(value, uint16(len(sealed)))
	value = append(value, nonce...)
	value = append(value, sealed...)
	return append(nts.AppendField(b, nts.TypeAuthenticator, value), r.late...)
}

func one(f func(a *asked, r *reply)) func(a *asked) [][]byte {
	return func(a *asked) [][]byte {
		r := a.lie()
		f(a, &r)
		return [][]byte{r.seal()}
	}
}

func plain(f func(a *asked, r *reply)) func(a *asked) [][]byte {
	return func(a *asked) [][]byte {
		r := a.lie()
		f(a, &r)
		return [][]byte{r.clear()}
	}
}

func bend(f func(b []byte) []byte) func(a *asked) [][]byte {
	return func(a *asked) [][]byte {
		r := a.lie()
		return [][]byte{f(r.seal())}
	}
}

func kiss(code string) func(a *asked, r *reply) {
	return func(_ *asked, r *reply) {
		r.header.Stratum, r.header.ReferenceID = 0, ntp.RefID(code)
		r.plain = nil
	}
}

// Deny is an authenticated DENY, which keeps a client away for an hour. It is none of Faults.
func Deny() Fault { return Fault{"DENY", "kiss-deny", true, one(kiss("DENY"))} }

// Faults is every wrong way that there is a name for.
func Faults() []Fault {
	return []Fault{
		{"empty", nts.ReasonSize, false, func(*asked) [][]byte { return [][]byte{{}} }},
		{"one byte short of a header", nts.ReasonSize, false, bend(func(b []byte) []byte { return b[:ntp.PacketSize-1] })},
		{"3000 bytes", nts.ReasonSize, false, bend(func(b []byte) []byte { return append(b, make([]byte, 3000-len(b))...) })},
		{"noise", nts.ReasonUniqueID, false, func(*asked) [][]byte {
			b := make([]byte, 200)
			random(b)
			b[48], b[49], b[50], b[51] = 0xff, 0xff, 0, 152 // one unknown field
			return [][]byte{b}
		}},
		{"plain NTP", nts.ReasonPlain, false, func(a *asked) [][]byte {
			r := a.lie()
			r.uid = nil
			return [][]byte{r.clear()}
		}},
		{"no authenticator", nts.ReasonUnprotected, false, plain(func(*asked, *reply) {})},
		{"cookies in the clear without authenticator", nts.ReasonUnprotected, false, plain(func(_ *asked, r *reply) { r.between = r.plain })},
		{"authenticator with one bit changed", nts.ReasonNotAuthentic, false, bend(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
		{"header changed after sealing", nts.ReasonNotAuthentic, false, bend(func(b []byte) []byte { b[40] ^= 1; return b })},
		{"sealed with the client's key", nts.ReasonNotAuthentic, false, one(func(a *asked, r *reply) { r.key = a.keys.C2S })},
		{"sealed with another key", nts.ReasonNotAuthentic, false, one(func(a *asked, r *reply) { r.key = make([]byte, len(r.key)) })},
		{"the request sent back", nts.ReasonNotAuthentic, false, func(a *asked) [][]byte { return [][]byte{a.packet} }},
		{"authenticator cut off", nts.ReasonField, false, bend(func(b []byte) []byte { return b[:len(b)-20] })},
		{"authenticator with absurd lengths", nts.ReasonAuthenticator, false, func(a *asked) [][]byte {
			r := a.lie()
			value := make([]byte, 40)
			value[0], value[1], value[2], value[3] = 0xff, 0xff, 0xff, 0xff
			return [][]byte{nts.AppendField(r.clear(), nts.TypeAuthenticator, value)}
		}},
		{"extension field of length 0", nts.ReasonField, false, func(a *asked) [][]byte {
			r := a.lie()
			return [][]byte{append(r.clear(), make([]byte, 32)...)}
		}},
		{"no unique identifier", nts.ReasonUniqueID, false, one(func(_ *asked, r *reply) { r.uid = nil })},
		{"another unique identifier", nts.ReasonUniqueID, false, one(func(_ *asked, r *reply) { r.uid = make([]byte, 32) })},
		{"unique identifier behind the authenticator", nts.ReasonUniqueID, false, one(func(a *asked, r *reply) {
			r.uid = nil
			r.late = nts.AppendField(nil, nts.TypeUniqueIdentifier, a.uid)
		})},
		{"unique identifier encrypted only", nts.ReasonUniqueID, false, one(func(a *asked, r *reply) {
			r.uid = nil
			r.plain = nts.AppendField(nil, nts.TypeUniqueIdentifier, a.uid)
		})},
		{"unique identifier twice", nts.ReasonUniqueID, false, one(func(a *asked, r *reply) {
			r.between = nts.AppendField(nil, nts.TypeUniqueIdentifier, a.uid)
		})},
		{"the reply to an earlier request", "duplicate", false, func(a *asked) [][]byte { return [][]byte{a.server.lastReply()} }},
		{"encrypted fields that make no sense", nts.ReasonEncrypted, false, one(func(_ *asked, r *reply) { r.plain = []byte{2, 4, 0xff, 0xff} })},
		{"another origin timestamp", nts.ReasonOrigin, false, one(func(_ *asked, r *reply) { r.header.OriginTime++ })},
		{"origin timestamp zero", nts.ReasonOrigin, false, one(func(_ *asked, r *reply) { r.header.OriginTime = 0 })},
		{"mode client", nts.ReasonMode, false, one(func(_ *asked, r *reply) { r.header.Mode = ntp.ModeClient })},
		{"mode broadcast", nts.ReasonMode, false, one(func(_ *asked, r *reply) { r.header.Mode = 5 })},
		{"version 3", nts.ReasonVersion, false, one(func(_ *asked, r *reply) { r.header.Version = 3 })},
		{"stratum 16", nts.ReasonStratum, true, one(func(_ *asked, r *reply) { r.header.Stratum = 16 })},
		{"stratum 0 without a kiss code", nts.ReasonStratum, true, one(func(_ *asked, r *reply) { r.header.Stratum, r.header.ReferenceID = 0, 0 })},
		{"stratum 2 where 1 is the limit", "stratum-above-limit", true, one(func(_ *asked, r *reply) { r.header.Stratum = 2 })},
		{"leap 3", nts.ReasonLeap, true, one(func(_ *asked, r *reply) { r.header.Leap = ntp.LeapUnsynchronized })},
		{"root distance of 20 s", nts.ReasonRootDistance, true, one(func(_ *asked, r *reply) { r.header.RootDispersion = 20 << 16 })},
		{"no receive time", nts.ReasonTimestamps, true, one(func(_ *asked, r *reply) { r.header.ReceiveTime = 0 })},
		{"no transmit time", nts.ReasonTimestamps, true, one(func(_ *asked, r *reply) { r.header.TransmitTime = 0 })},
		{"sent before it was received", nts.ReasonTimestamps, true, one(func(_ *asked, r *reply) {
			r.header.TransmitTime = r.header.ReceiveTime - 1<<32
		})},
		{"held for longer than the round trip", "delay", true, one(func(_ *asked, r *reply) {
			r.header.TransmitTime = r.header.ReceiveTime + 5<<32
		})},
		{"precision of 32 s", "precision", true, one(func(_ *asked, r *reply) { r.header.Precision = 5 })},
		{"RATE", "kiss-rate", true, one(kiss("RATE"))},
		{"a kiss code of the server's own", "kiss-other", true, one(kiss("XTRA"))},
		{"RATE without authentication", nts.ReasonUnauthenticKiss, false, plain(kiss("RATE"))},
		{"DENY without authentication", nts.ReasonUnauthenticKiss, false, plain(kiss("DENY"))},
		{"NAK before the reply", "nak-unauthenticated", false, plain(kiss("NTSN"))},
		{"NAK to another request", nts.ReasonUniqueID, false, plain(func(a *asked, r *reply) {
			kiss("NTSN")(a, r)
			r.uid = make([]byte, 32)
		})},
	}
}
