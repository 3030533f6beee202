package ptp

import (
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/stamp"
	"github.com/ntsgw/ntsgw/downstream/suspend"
)

// onWire gives a server on an interface ptp0 in a network of its own, and a way to change that network. The test's thread
// stands in it, so nothing is started: the test calls what a port's thread would.
func onWire(t *testing.T) (s *Server, line *timeline, ip func(args string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: a network namespace is needed")
	}
	runtime.LockOSThread() // and not unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace can be made here: %v", err)
	}
	ip = func(args string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	ip("link add ptp0 type veth peer name far0")
	ip("addr add 10.79.1.1/24 dev ptp0")
	ip("link set far0 up")
	ip("link set ptp0 up")
	now := sysclock.ReadPair()
	line = &timeline{&discipline.Snapshot{State: discipline.Synchronized, Epoch: discipline.Epoch{1}, At: now.Raw, TAI: now.Real + 37e9, TAIOffset: 37, MaxErrorAt: 1000}}
	c := sysclock.Reader{}
	s = &Server{opt: Options{Timeline: line, Clock: c, Interfaces: []string{"ptp0"}}, epochs: suspend.New(c), ports: make([]*port, 1), told: make([]told, 1)}
	s.counters.s.Ports = []Port{{Refused: map[string]uint64{}}}
	var err error
	if s.stamps, err = stamp.New(c); err != nil {
		t.Skip(err)
	}
	t.Cleanup(s.close)
	return s, line, ip
}

// openAgain opens the port of ptp0, once more if it was open.
func openAgain(t *testing.T, s *Server) *port {
	t.Helper()
	if p := s.ports[0]; p != nil {
		p.close()
	}
	if err := s.open(0); err != nil {
		t.Fatal(err)
	}
	return s.ports[0]
}

// TestJumpWhileAway moves the timeline while the interface is away: receivers behind a switch have not let go of the one
// before when it comes back, and see the messages' numbers go on.
func TestJumpWhileAway(t *testing.T) {
	s, line, _ := onWire(t)
	p := openAgain(t, s)
	if err := p.sendSync(p.timeline()); err != nil {
		t.Fatal(err)
	}
	next := *line.s
	next.Epoch = discipline.Epoch{2}
	p = openAgain(t, s)
	if got := p.timeline().reason; got != "" {
		t.Errorf("without a jump the port is silent: %s", got)
	}
	line.s = &next
	p = openAgain(t, s)
	if got := p.timeline().reason; got != reasonEpoch {
		t.Errorf("a receiver hears of two timelines: %q", got)
	}
	if p.sync != 1 {
		t.Errorf("the next Sync has number %d", p.sync+1)
	}
}

// TestAnswersNobodyTakes asks by unicast in the name of addresses that are not there: the answers wait for ARP, and must not
// take the room of what goes to all.
func TestAnswersNobodyTakes(t *testing.T) {
	s, _, _ := onWire(t)
	p := openAgain(t, s)
	h := header{kind: typeDelayReq, length: delayReqSize, flags: flagUnicast, source: portIdentity{ClockIdentity{9}, 1}}
	q := appendTime(h.append(nil), 0)
	for i := range maxRequests {
		p.take(q, netip.AddrFrom4([4]byte{10, 79, 1, byte(10 + i%200)}), time.Now().UnixNano())
	}
	if err := p.sendAnnounce(p.timeline()); err != nil {
		t.Errorf("%v, after %d answers", err, s.Status().Ports[0].Answered)
	}
	if st := s.Status().Ports[0]; st.Answered == 0 {
		t.Error("nothing was answered")
	}
}
