package ptp

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/ptp"
	"github.com/ntsgw/ntsgw/tests/program"
)

// hostTime is a timeline that shows the host clock, ahead of it by a step of the test's.
type hostTime struct {
	mu    sync.Mutex
	epoch discipline.Epoch
	step  time.Duration
	bound time.Duration
	then  [2]discipline.HostReading // the rate is taken from the older one, half a second to 20 s ago
	kept  *discipline.Snapshot
}

// newHostTime takes half a second: the rate would else rest on two readings made close together.
func newHostTime() *hostTime {
	r := sysclock.ReadPair()
	time.Sleep(500 * time.Millisecond)
	return &hostTime{then: [2]discipline.HostReading{r, r}}
}

// Snapshot is made anew every 100 ms, as a steered host clock bends.
func (h *hostTime) Snapshot() *discipline.Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept == nil || sysclock.Now().Sub(h.kept.At) > 100*time.Millisecond {
		r := sysclock.ReadPair()
		past := r.Raw.Sub(h.then[0].Raw)
		h.kept = &discipline.Snapshot{State: discipline.Synchronized, Epoch: h.epoch, At: r.Raw, TAI: r.Real + 37e9 + int64(h.step), TAIOffset: 37,
			MaxErrorAt: max(h.bound, time.Microsecond), FrequencyPPM: float64(r.Real-h.then[0].Real-int64(past)) / float64(past) * 1e6}
		if r.Raw.Sub(h.then[1].Raw) > 10*time.Second {
			h.then = [2]discipline.HostReading{h.then[1], r}
		}
	}
	return h.kept
}

// jump begins another timeline.
func (h *hostTime) jump(by time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch[0]++
	h.step += by
	h.kept = nil
}

// move moves the same timeline, which is worth less from now on.
func (h *hostTime) move(by, bound time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.step += by
	h.bound, h.kept = bound, nil
}

// grandmaster runs ours in the gateway's namespace until stop is called or the test ends.
func (l *lan) grandmaster(t *hostTime) (s *ptp.Server, stop func()) {
	l.t.Helper()
	return l.grandmasterBy(t, "")
}

// grandmasterBy is grandmaster with more in [ptp].
func (l *lan) grandmasterBy(t *hostTime, more string) (s *ptp.Server, stop func()) {
	l.t.Helper()
	opt := ptp.Options{Timeline: t, Clock: sysclock.Reader{}, Interfaces: []string{"gw0"}, Priority1: 1, Priority2: 1}
	if strings.Contains(more, peers) {
		opt.P2P = opt.Interfaces
	}
	if strings.Contains(more, ipv6) {
		opt.UDP6 = opt.Interfaces
		// Only New is called in the namespace: nothing may change later, or the port looks for its interface elsewhere.
		program.Eventually(l.t, 10*time.Second, "the kernel knows that no other has its address", func() bool {
			out, err := l.gateway.Command("ip", "-6", "addr", "show", "dev", "gw0", "tentative").CombinedOutput()
			return err == nil && len(out) == 0
		})
	}
	if err := l.gateway.Enter(func() (err error) {
		s, err = ptp.New(opt)
		return err
	}); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	l.t.Cleanup(stop)
	return s, stop
}

// TestJumpIsSilent moves the timeline: until every receiver has let go, nothing is sent and nothing answered, so that
// none computes with times of two timelines.
func TestJumpIsSilent(t *testing.T) {
	t.Parallel()
	l, timeline := newLAN(t), newHostTime()
	s, _ := l.grandmaster(timeline)
	n := l.node(t)
	program.Eventually(t, 5*time.Second, "it serves", func() bool { return s.Status().Ports[0].Synced >= 2 })
	timeline.jump(time.Second)
	jumped := time.Now()
	program.Eventually(t, 5*time.Second, "it falls silent", func() bool { return s.Status().Ports[0].State == ptp.StateSilent })
	before := s.Status().Ports[0]
	n.send(n.delayReq())
	program.Eventually(t, 5*time.Second, "a request is refused", func() bool { return s.Status().Ports[0].Refused["epoch"] > before.Refused["epoch"] })
	if time.Since(jumped) < 6*time.Second {
		if now := s.Status().Ports[0]; now.Announced != before.Announced || now.Synced != before.Synced || now.Answered != before.Answered {
			t.Errorf("before %+v, and soon after the jump %+v", before, now)
		}
	}
	program.Eventually(t, 15*time.Second, "it serves the other timeline", func() bool { return s.Status().Ports[0].Synced > before.Synced })
	if quiet := time.Since(jumped); quiet < 6500*time.Millisecond {
		t.Errorf("it was silent for %v: a receiver waits for up to 8 s since the last Announce", quiet)
	}
	var answer []byte
	var asked time.Time
	program.Eventually(t, 5*time.Second, "requests are answered", func() bool {
		asked = time.Now()
		n.send(n.delayReq())
		answer = n.answer(300 * time.Millisecond)
		return answer != nil
	})
	const slack = 100 * time.Millisecond
	if at := stamp(answer[34:]).Add(-time.Second); at.Before(asked.Add(-slack)) || at.After(time.Now().Add(slack)) {
		t.Errorf("asked at %v, and the answer says %v of the other timeline", asked, at)
	}
}

// TestBoundGrowsBetweenAnnounces makes the time worse just after an Announce: whatever a receiver hears next is within
// the bound that was announced to it before.
func TestBoundGrowsBetweenAnnounces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		more string
		ask  func(n *node)
	}{
		{"", func(*node) {}},
		{"", func(n *node) { n.send(n.delayReq()) }},
		{peers, func(n *node) { n.sendTo(n.peer, n.pdelayReq()) }},
	} {
		l, timeline := newLAN(t), newHostTime()
		l.grandmasterBy(timeline, tt.more)
		n := l.nodeOver(t, tt.more)
		b := make([]byte, 1500)
		var bound time.Duration
		moved, times := false, 0
		n.general.SetReadDeadline(time.Now().Add(program.Busy * 20 * time.Second))
		for times < 2 {
			size, _, err := n.general.ReadFromUDP(b)
			if err != nil {
				t.Fatal(err)
			}
			switch kind := b[0]; {
			case kind == 0xb && size == 152:
				bound = time.Duration(binary.BigEndian.Uint64(b[72:]) >> 16)
				if !moved {
					moved = true
					timeline.move(900*time.Millisecond, time.Second)
					tt.ask(n)
				}
			case moved && (kind == 8 || kind == 9 || kind == 0xa):
				times++
				// The timeline was moved ahead. Who reads this late, on a machine that does something else, finds less.
				if off := time.Until(stamp(b[34:])); off > bound+200*time.Millisecond {
					t.Errorf("a message of type %d is %v ahead, %v was announced", kind, off, bound)
				}
			}
		}
	}
}

// BenchmarkBesidePtp4l is `make bench-ptp`: a free-running ptp4l measures the host clock's own time through ours and
// through ptp4l, in turns, on the same wire. What it finds other than 0 is the error.
func BenchmarkBesidePtp4l(b *testing.B) {
	var ours, theirs []float64
	for range 3 {
		beside(b, ways[0], &ours, &theirs)
	}
	if len(ours) < 3 || len(theirs) < 3 {
		return // -bench named one of them
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	b.Logf("median RMS through ntsgw %.0f ns, through ptp4l %.0f ns: ratio %.2f", ours[1], theirs[1], ours[1]/theirs[1])
}

// BenchmarkEachWay is one turn of it in each way.
func BenchmarkEachWay(b *testing.B) {
	for _, w := range ways {
		var ours, theirs []float64
		b.Run(w.name, func(b *testing.B) { beside(b, w, &ours, &theirs) })
	}
}

// beside measures through ptp4l, then through ours, and adds what was found, ns RMS.
func beside(b *testing.B, w way, ours, theirs *[]float64) {
	const measurements = 30 // two seconds each
	turn := func(name string, found *[]float64, start func(l *lan)) {
		b.Run(name, func(b *testing.B) {
			l := newLAN(b)
			start(l)
			r := l.ptp4l(l.rx, "rx0", "slaveOnly 1\nlogAnnounceInterval 1\n"+w.receiver)
			program.Eventually(b, 15*time.Second, "ptp4l measures", func() bool { return len(r.measurements()) > 3 })
			skip := len(r.measurements())
			program.Eventually(b, 2*measurements*time.Second, "ptp4l measured enough", func() bool { return len(r.measurements()) >= skip+measurements })
			list := r.measurements()[skip:]
			sum := 0.0
			for _, m := range list {
				sum += float64(m.offset) * float64(m.offset)
			}
			slices.SortFunc(list, func(a, b measurement) int { return cmp.Compare(a.offset.Abs(), b.offset.Abs()) })
			rms := math.Sqrt(sum / float64(len(list)))
			*found = append(*found, rms)
			b.ReportMetric(rms, "ns-RMS")
			b.ReportMetric(float64(list[len(list)/2].offset.Abs()), "ns-median")
			b.ReportMetric(float64(list[len(list)-1].offset.Abs()), "ns-largest")
			b.ReportMetric(0, "ns/op")
		})
	}
	turn("ptp4l", theirs, func(l *lan) { l.ptp4l(l.gateway, "gw0", "priority1 1\n"+w.receiver) })
	turn("ntsgw", ours, func(l *lan) { l.grandmasterBy(newHostTime(), w.gateway) })
}
