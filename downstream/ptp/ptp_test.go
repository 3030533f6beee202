package ptp

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/downstream/stamp"
	"github.com/ntsgw/ntsgw/downstream/suspend"
)

type clock struct {
	now   discipline.Raw
	slept time.Duration
}

func (c *clock) Now() discipline.Raw { return c.now }
func (c *clock) ReadPair() discipline.HostReading {
	return discipline.HostReading{Raw: c.now, Real: int64(c.now), Width: 1}
}
func (c *clock) Suspended() time.Duration { return c.slept }

type timeline struct{ s *discipline.Snapshot }

func (t *timeline) Snapshot() *discipline.Snapshot { return t.s }

// at is a timeline whose UTC is a time at raw reading 0, with TAI 37 s ahead.
func at(utc string, change func(*discipline.Snapshot)) *discipline.Snapshot {
	t, err := time.Parse(time.RFC3339, utc)
	if err != nil {
		panic(err)
	}
	s := &discipline.Snapshot{State: discipline.Synchronized, TAI: t.UnixNano() + 37e9, TAIOffset: 37, MaxErrorAt: 80 * time.Microsecond, EstErrorAt: 3 * time.Microsecond}
	if change != nil {
		change(s)
	}
	return s
}

func server(s *discipline.Snapshot) (*Server, *clock) {
	c := &clock{}
	return &Server{opt: Options{Timeline: &timeline{s}, Clock: c, Priority1: 100, Priority2: 200}, epochs: suspend.New(c)}, c
}

// TestAnnounceBytes holds every octet against what IEEE 1588-2019 clauses 13.3, 13.5 and 16.12 say of it.
func TestAnnounceBytes(t *testing.T) {
	s, _ := server(at("2026-11-30T12:00:00Z", nil))
	a := s.announcement(s.timeline())
	h := header{domain: 7, source: portIdentity{ClockIdentity{1, 2, 3, 4, 5, 6, 7, 8}, 2}, sequence: 0xabcd}
	want := "0b02" + "0098" + "07" + "00" + "003c" + "0000000000000000" + "00000000" + "0102030405060708" + "0002" + "abcd" + "05" + "01" +
		"0000" + "6b0d6565" + "00000000" + // 2026-11-30T12:00:37 TAI
		"0025" + "00" + "64" + "06" + "28" + "ffff" + "c8" + "0102030405060708" + "0000" + "50" +
		"4001" + "0054" + "00" + "00" + "0000" + "000000" + "01fbd1" + "0000"
	b := appendAnnounce(nil, h, a)
	if got := hex.EncodeToString(b)[:len(want)]; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if len(b) != announceSize+metricsSize || int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		t.Errorf("%d octets, the header says %d", len(b), binary.BigEndian.Uint16(b[2:]))
	}
	if v := math.Float64frombits(binary.BigEndian.Uint64(b[announceSize+16:])); math.Abs(v-9e-12) > 1e-18 {
		t.Errorf("variance %v", v)
	}
	for i, v := range b[announceSize+24:] {
		if v != 0 {
			t.Fatalf("octet %d is %#x", announceSize+24+i, v)
		}
	}
}

// TestPeerAnswerBytes holds every octet of both answers to a Pdelay_Req against IEEE 1588-2019 clauses 11.4.2, 13.10 and 13.11.
func TestPeerAnswerBytes(t *testing.T) {
	req := header{kind: typePdelayReq, length: pdelayReqSize, domain: 7, correction: 0x1234, source: portIdentity{ClockIdentity{9, 9, 9, 9, 9, 9, 9, 9}, 3}, sequence: 0xabcd, interval: 1}
	source := portIdentity{ClockIdentity{1, 2, 3, 4, 5, 6, 7, 8}, 2}
	tai := time.Date(2026, 11, 30, 12, 0, 37, 5, time.UTC).UnixNano()
	for kind, want := range map[messageType]string{
		typePdelayResp:        "0302" + "0036" + "07" + "00" + "0200" + "0000000000000000" + "00000000" + "0102030405060708" + "0002" + "abcd" + "05" + "7f",
		typePdelayRespFollows: "0a02" + "0036" + "07" + "00" + "0000" + "0000000000001234" + "00000000" + "0102030405060708" + "0002" + "abcd" + "05" + "7f",
	} {
		want += "0000" + "6b0d6565" + "00000005" + "0909090909090909" + "0003"
		b := appendPdelayResp(nil, kind, &req, source, tai)
		if got := hex.EncodeToString(b); got != want {
			t.Errorf("type %x\n got %s\nwant %s", kind, got, want)
		}
		if requesting(b) != req.source {
			t.Errorf("type %x is to %v", kind, requesting(b))
		}
	}
}

// The bound that is announced must hold until a receiver lets go of a grandmaster that fell silent.
func TestBoundOutlastsTheAnnounce(t *testing.T) {
	s, c := server(at("2026-11-30T12:00:00Z", func(s *discipline.Snapshot) { s.MaxErrorPPM = 10 }))
	c.now = 5e9
	a := s.announcement(s.timeline())
	if last := s.opt.Timeline.Snapshot().MaxError(c.now.Add(8 * time.Second)); a.bound < last+50*time.Microsecond || a.bound > last+51*time.Microsecond {
		t.Errorf("announced %v, the bound will be %v and stamps cost up to 50 µs", a.bound, last)
	}
}

// TestStampsWithinWhatIsAnnounced: what carrying a stamp costs and a tick of the raw clock are no more than the bound
// allows for stamps.
func TestStampsWithinWhatIsAnnounced(t *testing.T) {
	s, c := server(at("2026-11-30T12:00:00Z", nil))
	var err error
	if s.stamps, err = stamp.New(c); err != nil {
		t.Skipf("the kernel tells nobody here when the clock is set: %v", err)
	}
	defer s.stamps.Close()
	c.now = 10e9
	a := s.announcement(s.timeline())
	room := a.bound - s.opt.Timeline.Snapshot().MaxError(c.now.Add(fresh))
	carried := 0
	for age := time.Duration(0); age < time.Millisecond; age += 500 {
		stamped := int64(c.now) - int64(age)
		_, off, ok := s.stamps.Carry(stamped)
		if !ok {
			t.Skip("the host clock was set")
		}
		if _, reason := s.carried(stamped); reason != "" {
			continue
		}
		carried++
		if off+discipline.RawTick > room {
			t.Errorf("%v old: %v off and a tick, %v are announced", age, off, room)
		}
	}
	if carried < 100 {
		t.Errorf("only %d are used", carried)
	}
}

func TestAnnouncement(t *testing.T) {
	leap := func(kind discipline.Leap) func(*discipline.Snapshot) {
		return func(s *discipline.Snapshot) {
			s.Leap, s.LeapAt = kind, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
		}
	}
	for _, tt := range []struct {
		name, utc string
		change    func(*discipline.Snapshot)
		after     time.Duration
		class     uint8
		offset    int
		known     bool
		leap      uint16
	}{
		{"synchronized", "2026-11-30T12:00:00Z", nil, 0, 6, 37, true, 0},
		{"holdover", "2026-11-30T12:00:00Z", func(s *discipline.Snapshot) { s.State = discipline.Holdover }, 0, 7, 37, true, 0},
		{"leap not known", "2026-11-30T12:00:00Z", func(s *discipline.Snapshot) { s.Leap = discipline.LeapUnknown }, 0, 6, 37, false, 0},
		{"a leap second a day ahead", "2026-12-30T12:00:00Z", leap(discipline.LeapInsert), 0, 6, 37, true, 0},
		{"13 hours ahead", "2026-12-31T11:00:00Z", leap(discipline.LeapInsert), 0, 6, 37, true, 0},
		{"12 hours ahead", "2026-12-31T12:00:00Z", leap(discipline.LeapInsert), 0, 6, 37, true, flagLeap61},
		{"in the inserted second", "2026-12-31T23:59:59Z", leap(discipline.LeapInsert), 1500 * time.Millisecond, 6, 37, true, flagLeap61},
		{"behind it", "2026-12-31T23:59:59Z", leap(discipline.LeapInsert), 2500 * time.Millisecond, 6, 38, true, 0},
		{"a second left out", "2026-12-31T23:59:00Z", leap(discipline.LeapDelete), 0, 6, 37, true, flagLeap59},
		{"behind that", "2026-12-31T23:59:58Z", leap(discipline.LeapDelete), 1500 * time.Millisecond, 6, 36, true, 0},
	} {
		s, c := server(at(tt.utc, tt.change))
		c.now = discipline.Raw(tt.after)
		a := s.announcement(s.timeline())
		if a.class != tt.class || a.utcOffset != tt.offset || a.offsetKnown != tt.known || a.leap != tt.leap || a.priority1 != 100 || a.priority2 != 200 {
			t.Errorf("%s: %+v", tt.name, a)
		}
	}
}

// What the timeline does not promise is not stated.
func TestNothingIsStated(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*discipline.Snapshot, *clock)
		want   string
	}{
		{"acquiring", func(s *discipline.Snapshot, _ *clock) { s.State = discipline.Acquiring }, reasonUnsynchronized},
		{"a bound beyond 16 s before the next Announce is overdue", func(s *discipline.Snapshot, _ *clock) { s.MaxErrorAt, s.MaxErrorPPM = 15*time.Second, 2e5 }, reasonUnsynchronized},
		{"a snapshot whose bound may not hold until the next Announce is overdue", func(_ *discipline.Snapshot, c *clock) { c.now = 52e9 + 1 }, reasonUnsynchronized},
		{"before 1970", func(s *discipline.Snapshot, _ *clock) { s.TAI = -1 }, reasonUnsynchronized},
		{"suspended", func(_ *discipline.Snapshot, c *clock) { c.slept = time.Second }, reasonSuspended},
	} {
		s, c := server(at("2026-11-30T12:00:00Z", nil))
		if got := s.timeline().reason; got != "" {
			t.Fatalf("%s: %q before", tt.name, got)
		}
		tt.change(s.opt.Timeline.Snapshot(), c)
		if got := s.timeline().reason; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What is refused while there is no time: peer delays, too.
func TestNobodyIsAnswered(t *testing.T) {
	delayReq := appendTime((&header{kind: typeDelayReq, length: delayReqSize, source: portIdentity{ClockIdentity{9}, 1}}).append(nil), 0)
	for _, tt := range []struct {
		name   string
		p2p    bool
		ask    []byte
		change func(*discipline.Snapshot, *clock)
		want   string
	}{
		{"a Delay_Req without time", false, delayReq, func(s *discipline.Snapshot, _ *clock) { s.State = discipline.Unsynchronized }, reasonUnsynchronized},
		{"a Delay_Req after the machine slept", false, delayReq, func(_ *discipline.Snapshot, c *clock) { c.slept = time.Second }, reasonSuspended},
		{"a Pdelay_Req without time", true, pdelayReq(1), func(s *discipline.Snapshot, _ *clock) { s.State = discipline.Unsynchronized }, reasonUnsynchronized},
		{"a Pdelay_Req after the machine slept", true, pdelayReq(1), func(_ *discipline.Snapshot, c *clock) { c.slept = time.Second }, reasonSuspended},
	} {
		s, c := server(at("2026-11-30T12:00:00Z", nil))
		s.counters.s.Ports = []Port{{Refused: map[string]uint64{}}}
		s.timeline()
		tt.change(s.opt.Timeline.Snapshot(), c)
		p := &port{s: s, told: &told{}, by: &udp4, p2p: tt.p2p, stamped: true, id: portIdentity{ClockIdentity{1}, 1}}
		if got := p.take(tt.ask, netip.MustParseAddr("192.0.2.1"), 1); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAccuracy(t *testing.T) {
	for _, tt := range []struct {
		bound time.Duration
		want  uint8
	}{
		{0, 0x20}, {25, 0x20}, {26, 0x21}, {time.Microsecond, 0x23}, {time.Microsecond + 1, 0x24}, {100 * time.Microsecond, 0x27}, {time.Millisecond, 0x29},
		{time.Millisecond + 1, 0x2a}, {time.Second, 0x2f}, {10 * time.Second, 0x30}, {10*time.Second + 1, 0x31}, {math.MaxInt64, 0x31},
	} {
		if got := accuracy(tt.bound); got != tt.want {
			t.Errorf("%v: %#x, want %#x", tt.bound, got, tt.want)
		}
	}
	if got := interval(math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("the largest interval is %d", got)
	}
}

func TestSteadyAccuracy(t *testing.T) {
	var s steady
	begin := time.Unix(0, 0)
	for _, step := range []struct {
		second         int
		accuracy, want uint8
	}{{0, 0x28, 0x28}, {2, 0x27, 0x28}, {30, 0x28, 0x28}, {80, 0x27, 0x28}, {82, 0x29, 0x29}, {141, 0x27, 0x29}, {142, 0x27, 0x27}, {144, 0x26, 0x27}} {
		if got := s.hold(step.accuracy, begin.Add(time.Duration(step.second)*time.Second)); got != step.want {
			t.Errorf("at %d s %#x is told for %#x, want %#x", step.second, got, step.accuracy, step.want)
		}
	}
}

func TestLimiter(t *testing.T) {
	var l limiter
	now := time.Unix(100, 0)
	count := func(from string, n int) (allowed int) {
		for range n {
			if l.allow(netip.MustParseAddr(from), now) {
				allowed++
			}
		}
		return allowed
	}
	if n := count("192.0.2.1", 100); n != maxRequestsEach {
		t.Errorf("%d of one address", n)
	}
	all := maxRequestsEach
	for i := range 100 {
		all += count(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String(), 40)
	}
	if all != maxRequests || len(l.from) > 2*maxRequests/maxRequestsEach+100 {
		t.Errorf("%d together, %d addresses are kept", all, len(l.from))
	}
	now = now.Add(time.Second)
	if n := count("192.0.2.1", 1); n != 1 {
		t.Error("the next second is refused, too")
	}
}

func TestIdentity(t *testing.T) {
	for _, tt := range []struct{ hardware, want string }{
		{"00:1b:19:12:34:56", "001b19fffe123456"}, {"02:00:5e:10:00:00:00:01", "02005e1000000001"}, {"", ""}, {"00:00:00:00:00:00", "000000fffe000000"},
	} {
		a, _ := net.ParseMAC(tt.hardware)
		id, err := identityOf(a)
		if got := hex.EncodeToString(id[:]); (err != nil) != (tt.want == "") || err == nil && got != tt.want {
			t.Errorf("%q: %s, %v", tt.hardware, got, err)
		}
	}
}

// FuzzTake gives a port any bytes while there is no time: nothing panics, and no request is answered.
func FuzzTake(f *testing.F) {
	h := header{kind: typeDelayReq, length: delayReqSize, source: portIdentity{ClockIdentity{9}, 1}, sequence: 5}
	f.Add(appendTime(h.append(nil), 1))
	for _, kind := range []messageType{typeDelayResp, typePdelayReq, typePdelayResp, typePdelayRespFollows, typeAnnounce} {
		h.kind, h.length = kind, kind.leastSize()
		f.Add(append(h.append(nil), make([]byte, h.length-headerSize)...))
		h.length = headerSize
		f.Add(h.append(nil))
	}
	s, _ := server(at("2026-11-30T12:00:00Z", func(s *discipline.Snapshot) { s.State = discipline.Acquiring }))
	s.counters.s.Ports = []Port{{Refused: map[string]uint64{}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p2p := range []bool{false, true} {
			p := &port{s: s, told: &told{}, by: &udp4, p2p: p2p, stamped: true, id: portIdentity{ClockIdentity{1}, 1}}
			if reason := p.take(b, netip.MustParseAddr("192.0.2.1"), 1); reason == "" && messageType(b[0]) != typeDelayResp && messageType(b[0]) != typePdelayResp && messageType(b[0]) != typePdelayRespFollows {
				t.Errorf("%x is taken", b)
			}
		}
	})
}

// FuzzHeader reads any bytes: nothing panics, and what is read is written the same again.
func FuzzHeader(f *testing.F) {
	h := header{kind: typeDelayReq, length: delayReqSize, source: portIdentity{ClockIdentity{9}, 1}, sequence: 5}
	f.Add(appendTime(h.append(nil), 1))
	s, _ := server(at("2026-11-30T12:00:00Z", nil))
	f.Add(appendAnnounce(nil, h, s.announcement(s.timeline())))
	f.Add(make([]byte, headerSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h header
		if h.parse(b) != "" {
			return
		}
		again := h.append(nil)
		// The reserved fields and the old control octet are ours to choose, and the minor version is 0.
		for _, i := range []int{1, 16, 17, 18, 19, 32} {
			again[i] = b[i]
		}
		if hex.EncodeToString(again) != hex.EncodeToString(b[:headerSize]) {
			t.Fatalf("%x reads back as %x", b[:headerSize], again)
		}
	})
}
