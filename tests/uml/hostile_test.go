package uml

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/nts"
	"github.com/ntsgw/ntsgw/tests/uml/probe"
)

// lie is what a server adds to the truth, after it has been telling lies for some time.
type lie func(since time.Duration) time.Duration

// liar is a real NTS server, with all its signatures right, whose time is not.
type liar struct {
	begun discipline.Raw
	lie   lie
	tells atomic.Int64 // how often it was asked
}

// Snapshot is the liar's timeline: this machine's clock and the lie, with a bound as small as a
// good server's.
func (l *liar) Snapshot() *discipline.Snapshot {
	h := sysclock.ReadPair()
	l.tells.Add(1)
	const taiOffset = 37
	return &discipline.Snapshot{State: discipline.Synchronized, At: h.Raw, Epoch: discipline.Epoch{1},
		TAI:        h.Real + int64(l.lie(h.Raw.Sub(l.begun))) + taiOffset*1e9,
		MaxErrorAt: 20 * time.Microsecond, MaxErrorPPM: 1, RateBoundPPM: 1, TAIOffset: taiOffset,
		Stratum: 1, RefID: 0x47505300, NTS: true}
}

// lie starts one that ends with the test. Its guest's network must be there.
func (l *lab) liar(s *server, tell lie) *liar {
	l.t.Helper()
	it := &liar{begun: sysclock.Now(), lie: tell}
	l.timeline(hostAddress(1), s, it)
	return it
}

// timeline starts an NTS server for it at an address of this machine, which ends with the test.
func (l *lab) timeline(address string, s *server, it nts.Timeline) {
	l.t.Helper()
	var srv *nts.Server
	if err := l.Enter(func() (err error) {
		srv, err = nts.New(nts.Options{Timeline: it, Clock: sysclock.Reader{},
			KEListen: fmt.Sprintf("%s:%d", address, s.ke), NTPListen: fmt.Sprintf("%s:%d", address, s.ntp),
			Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &l.ca.Certificate, nil }})
		return err
	}); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	l.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
}

// Three honest servers and one that lies: the guest's clock stays within what its kernel is told.
func TestOneLiarAmongFour(t *testing.T) {
	l := newLab(t)
	servers := []*server{l.chrony(1, "0.0.0.0"), l.chrony(2, "0.0.0.0"), l.chrony(3, "0.0.0.0"),
		{name: "liar", ke: 4470, ntp: 11010}}
	const poll = time.Second
	g := l.guest(probe.Spec{Wrong: -400 * time.Millisecond, Program: l.config(1, poll, "", servers...)})
	for _, c := range []struct {
		name string
		lie  lie
		out  bool // it must have been found out by the end
		most time.Duration
	}{
		{"lies by 250 ms", func(time.Duration) time.Duration { return 250 * time.Millisecond }, true, 5 * time.Millisecond},
		{"drags at 10 ppm", func(d time.Duration) time.Duration { return d / 100_000 }, false, 5 * time.Millisecond},
		{"gains 900 s at each poll", func(d time.Duration) time.Duration { return d / poll * 900 * time.Second }, true, 5 * time.Millisecond},
	} {
		l.sub(c.name, func(t *testing.T) {
			tells := l.liar(servers[3], c.lie)
			g.do("start")
			g.settled(20 * time.Second)
			time.Sleep(2 * time.Second)
			_, worst, bound := spread(g.hold(12 * time.Second))
			is, text := g.status()
			t.Logf("at most %v off, stated %v, the liar was asked %d times", worst, bound, tells.tells.Load())
			if tells.tells.Load() < 10 {
				t.Error("the liar was hardly asked: the test shows nothing")
			}
			if worst > c.most {
				t.Errorf("the clock was off by %v", worst)
			}
			for _, s := range is.Sources {
				switch {
				case s.Name == "liar" && c.out && s.State == "selected":
					t.Errorf("the liar was not found out: %s", text)
				case s.Name != "liar" && s.State != "selected":
					t.Errorf("the honest %s is %s: %s", s.Name, s.State, text)
				}
			}
			g.do("kill")
		})
	}
}
