package hostile

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/tests/program"
	"github.com/ntsgw/ntsgw/upstream/ntp"
)

// lieFor is how long a liar lies before it becomes honest.
const lieFor = 12 * time.Second

// lieAfter leaves time for an honest start.
const lieAfter = 5 * time.Second

// Three honest servers and one that lies: the timeline stays within what it states of the truth and
// in its epoch, the liar is named where its lie shows, and is used again once it has become honest.
func TestOneLiarOfFour(t *testing.T) {
	t.Parallel()
	year := 365 * 24 * time.Hour
	constant := func(d time.Duration) func(time.Duration) time.Duration {
		return func(time.Duration) time.Duration { return d }
	}
	drag := func(ppm float64) func(time.Duration) time.Duration {
		return func(x time.Duration) time.Duration { return time.Duration(float64(x) * ppm * 1e-6) }
	}
	for _, tt := range []struct {
		name  string
		lie   func(since time.Duration) time.Duration
		tune  func(p *peer)
		early bool // it lies from the start
		seen  bool // the lie is so large that it must be named
		// refused is the word that each of its answers is counted under, where they are.
		refused string
	}{
		{name: "1 ms ahead", lie: constant(time.Millisecond)},
		{name: "1 ms behind, from the start", lie: constant(-time.Millisecond), early: true},
		{name: "100 ms ahead", lie: constant(100 * time.Millisecond), seen: true},
		{name: "1 s behind, from the start", lie: constant(-time.Second), early: true, seen: true},
		{name: "a year ahead", lie: constant(year), seen: true},
		{name: "a year ahead, from the start", lie: constant(year), early: true, seen: true},
		{name: "three years behind", lie: constant(-3 * year), refused: "before-floor"},
		{name: "drags 10 ppm", lie: drag(10)},
		{name: "drags 100 ppm, from the start", lie: drag(100), early: true},
		{name: "drags 500 ppm", lie: drag(500)},
		{name: "drags 20,000 ppm", lie: drag(20000), seen: true},
		{name: "900 s more at each poll", lie: func(x time.Duration) time.Duration { return x.Truncate(time.Second) * 900 }, seen: true},
		{name: "restarts with a jump of 3 s", lie: func(x time.Duration) time.Duration {
			if x < 4*time.Second {
				return 0
			}
			return 3 * time.Second
		}, seen: true},
		{name: "another time at each poll", lie: func(time.Duration) time.Duration { return time.Duration((rand.Float64() - 0.5) * 2e9) }, seen: true},
		{name: "just inside a wide interval of its own", lie: constant(400 * time.Millisecond),
			tune: func(p *peer) { p.dispersion = 450 * time.Millisecond }},
		{name: "says that it is sure beyond measure", lie: constant(300 * time.Microsecond),
			tune: func(p *peer) {
				p.edit = func(_ time.Duration, h *ntp.Packet) { h.RootDispersion, h.Precision = 0, -30 }
			}},
		{name: "announces a leap second", tune: func(p *peer) {
			p.edit = func(_ time.Duration, h *ntp.Packet) { h.Leap = ntp.LeapInsert }
		}},
		{name: "stratum 2", refused: "stratum-above-limit", tune: func(p *peer) {
			p.edit = func(_ time.Duration, h *ntp.Packet) { h.Stratum = 2 }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			peers := make([]*peer, 4)
			for i := range peers {
				peers[i] = newPeer(t, fmt.Sprintf("s%d", i))
			}
			liar := peers[3]
			from := time.Now()
			lie := func(p *peer) {
				if tt.lie != nil {
					start := time.Since(p.began)
					p.lie = func(x time.Duration) time.Duration { return tt.lie(x - start) }
				}
				if tt.tune != nil {
					tt.tune(p)
				}
			}
			if tt.early {
				liar.set(lie)
			}
			g := newGateway(t, peers, options{}).start()
			var o observation
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			wg.Go(func() { g.watch(ctx, &o, from) })
			defer wg.Wait()
			defer cancel()
			before := g.synced(15 * time.Second)
			source := func() (state string, rejected map[string]uint64, received uint64) {
				for _, s := range g.mustReport().Sources {
					if s.Name == liar.name {
						return s.State, s.Rejected, s.Received
					}
				}
				return "", nil, 0
			}
			if !tt.early {
				time.Sleep(lieAfter)
				liar.set(lie)
			}
			_, had, _ := source()
			end := time.Now().Add(lieFor)
			named := false
			for time.Now().Before(end) {
				state, _, _ := source()
				named = named || state == "falseticker"
				time.Sleep(100 * time.Millisecond)
			}
			_, have, _ := source()
			if tt.refused != "" && have[tt.refused] <= had[tt.refused] {
				t.Errorf("nothing is counted as %s: %v", tt.refused, have)
			}
			for reason, n := range have {
				// A machine that stands still for a second loses a reply of its own, or finds it late.
				if reason != tt.refused && reason != "no-reply" && reason != "late" && n > had[reason] {
					t.Errorf("%d counted as %s", n-had[reason], reason)
				}
			}
			if tt.seen && !named {
				t.Error("the liar was never named a falseticker")
			}
			liar.set(func(p *peer) { p.lie, p.edit, p.dispersion = nil, nil, 50*time.Microsecond })
			_, _, then := source()
			program.Eventually(t, 10*time.Second, "three honest answers of it are accepted", func() bool {
				_, rejected, received := source()
				return received >= then+4 && (tt.refused == "" || rejected[tt.refused] < have[tt.refused]+3)
			})
			cancel()
			wg.Wait()
			o.holds(t)
			if r := g.mustReport(); r.State != "synchronized" || r.Epoch != before.Epoch || len(o.epochs) != 1 {
				t.Errorf("%s, epoch %s, was %s; %d epochs", r.State, r.Epoch, before.Epoch, len(o.epochs))
			}
			if o.lost > 0 || o.states["holdover"] > 0 {
				t.Errorf("three honest servers answered, but: %v", &o)
			}
		})
	}
}

// holds fails when the promise was broken, or when nothing was ever served.
func (o *observation) holds(t *testing.T) {
	t.Helper()
	if o.violations > 0 {
		t.Errorf("THE PROMISE IS BROKEN: %v", o)
	}
	if o.served < 20 {
		t.Errorf("hardly anything was served: %v", o)
	}
	t.Log(o)
}

// What a network may do with honest servers' packets, and one server of two.
func TestPromise(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		peers  int
		set    func(i int, p *peer)
		during time.Duration
	}{
		{name: "two servers, one lies within the other's width", peers: 2,
			during: 8 * time.Second, set: func(i int, p *peer) {
				if i == 0 {
					p.dispersion = 20 * time.Millisecond
				} else {
					p.lie = func(time.Duration) time.Duration { return 15 * time.Millisecond }
				}
			}},
		{name: "delay moves from the ways back to the ways there, and stays", peers: 3,
			during: 45 * time.Second,
			set: func(_ int, p *peer) {
				moved := func(x time.Duration) time.Duration {
					return max(0, min(20*time.Millisecond, (x-2*time.Second)/500)) // 2 ms a second
				}
				p.out = moved
				p.back = func(x time.Duration) time.Duration { return 20*time.Millisecond - moved(x) }
			}},
		{name: "all ways there take 30 ms longer", peers: 3, during: 10 * time.Second, set: func(_ int, p *peer) {
			p.out = func(time.Duration) time.Duration { return 30 * time.Millisecond }
		}},
		{name: "all ways back take 30 ms longer after 8 s", peers: 3, during: 16 * time.Second, set: func(_ int, p *peer) {
			p.back = func(x time.Duration) time.Duration {
				if x < 8*time.Second {
					return 0
				}
				return 30 * time.Millisecond
			}
		}},
		{name: "each packet is held for another time", peers: 3, during: 16 * time.Second, set: func(_ int, p *peer) {
			p.out = func(time.Duration) time.Duration { return time.Duration(rand.ExpFloat64() * 2e7) }
			p.back = func(time.Duration) time.Duration { return time.Duration(rand.ExpFloat64() * 2e7) }
		}},
		{name: "delay sways from one way to the other", peers: 3,
			during: 30 * time.Second, set: func(_ int, p *peer) {
				share := func(x time.Duration) float64 { return 0.5 + 0.5*math.Sin(x.Seconds()/4) }
				p.out = func(x time.Duration) time.Duration { return time.Duration(share(x) * 2e7) }
				p.back = func(x time.Duration) time.Duration { return time.Duration((1 - share(x)) * 2e7) }
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var peers []*peer
			for i := range tt.peers {
				p := newPeer(t, fmt.Sprintf("s%d", i))
				tt.set(i, p)
				peers = append(peers, p)
			}
			g := newGateway(t, peers, options{}).start()
			var o observation
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			began := time.Now()
			wg.Go(func() { g.watch(ctx, &o, began) })
			defer wg.Wait()
			defer cancel()
			program.Eventually(t, tt.during, "fifty reports were seen", func() bool {
				o.mu.Lock()
				defer o.mu.Unlock()
				return o.seen >= 50 && time.Since(began) >= tt.during
			})
			cancel()
			wg.Wait()
			if o.violations > 0 {
				t.Errorf("THE PROMISE IS BROKEN: %v", &o)
			}
			t.Log(&o)
		})
	}
}

// A server that was caught within the others' uncertainty, and is honest again, is used again.
func TestALiarThatRepents(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 4} {
		t.Run(fmt.Sprintf("%d servers", n), func(t *testing.T) {
			t.Parallel()
			var peers []*peer
			for i := range n {
				p := newPeer(t, fmt.Sprintf("s%d", i))
				p.set(func(p *peer) {
					p.out = func(time.Duration) time.Duration { return 10 * time.Millisecond }
					p.back = p.out
				})
				peers = append(peers, p)
			}
			g := newGateway(t, peers, options{}).start()
			g.synced(15 * time.Second)
			is := func(state string) func() bool {
				return func() bool { return g.mustReport().Sources[0].State == state }
			}
			time.Sleep(10 * time.Second)
			// Within what the round trips leave open it is named by three samples in a row: on a busy machine it gets
			// another chance to be caught.
			begun := time.Now()
			program.Eventually(t, 15*time.Second, "the liar is named", func() bool {
				lies := int(time.Since(begun)/(10*time.Second))%2 == 0
				peers[0].set(func(p *peer) {
					if p.lie = nil; lies {
						p.lie = func(time.Duration) time.Duration { return 5 * time.Millisecond }
					}
				})
				return is("falseticker")()
			})
			peers[0].set(func(p *peer) { p.lie = nil })
			program.Eventually(t, 40*time.Second, "it is used again", is("selected"))
		})
	}
}
