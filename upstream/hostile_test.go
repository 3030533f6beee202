package upstream_test

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/upstream"
	"github.com/ntsgw/ntsgw/upstream/upstreamtest"
)

// patience bounds every wait: what has not come by then does not come.
const patience = time.Minute

// TestMain lets many tests wait at once: they do little else.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// rig is a source that runs against a server.
type rig struct {
	*upstream.Source
	tb      testing.TB
	trust   *upstreamtest.Trust
	out     chan discipline.Measurement
	changed chan change
	offset  time.Duration          // true offset of the server to the host
	earlier discipline.HostReading // read before the next measurement is made
}

type change struct {
	reachable bool
	denied    string
}

// start runs a source until the test ends.
func start(tb testing.TB, ca *upstreamtest.CA, address string, bend func(*upstream.Options)) *rig {
	tb.Helper()
	r := &rig{tb: tb, earlier: sysclock.ReadPair(), trust: &upstreamtest.Trust{Roots: ca.Pool()},
		out: make(chan discipline.Measurement), changed: make(chan change, 100)}
	opt := upstream.Options{
		// A reply is waited for as long as a poll, 3 s at most: a machine that stands still for a second is no silent server.
		Name: "s", Address: address, MinPoll: 3 * time.Second, MaxPoll: 4 * time.Second, MaxSourceStratum: 1,
		Trust: r.trust, Clock: sysclock.Reader{}, Out: r.out,
		Changed: func(_ context.Context, _ string, now discipline.Standing) {
			r.changed <- change{now.Reachable, now.Denied}
		},
	}
	if bend != nil {
		bend(&opt)
	}
	s, err := upstream.New(opt)
	if err != nil {
		tb.Fatal(err)
	}
	r.Source = s
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				tb.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			tb.Error("Run did not end with its context")
		}
	})
	return r
}

// next waits for a measurement and holds it to the truth.
func (r *rig) next() discipline.Measurement {
	r.tb.Helper()
	select {
	case m := <-r.out:
		r.hold(m)
		if m.Delay < 0 || m.Delay > patience || m.Stratum != 1 || !m.Authenticated || m.Precision <= 0 {
			r.tb.Fatalf("measurement %+v", m)
		}
		return m
	case <-time.After(patience):
		r.tb.Fatalf("no measurement: %+v", r.Status())
		panic("unreachable")
	}
}

// hold compares a measurement with the host clock, which is the server's but for a known offset.
// The host clock may be slewed, so the truth lies between readings before and after.
func (r *rig) hold(m discipline.Measurement) {
	r.tb.Helper()
	a, b := r.earlier, sysclock.ReadPair()
	r.earlier = b
	lo, hi := a.Real-int64(a.Raw), b.Real-int64(b.Raw)
	width := int64(max(a.Width, b.Width))
	if lo > hi {
		lo, hi = hi, lo
	}
	bound := int64(m.Delay/2 + m.RootDelay/2 + m.RootDispersion + m.Precision)
	if o := m.Offset - int64(r.offset); o < lo-width-bound || o > hi+width+bound {
		r.tb.Fatalf("offset %d is outside %d … %d by more than its bound %d: %+v", o, lo, hi, bound, m)
	}
}

// await waits until the status is as wanted; measurements are taken meanwhile.
func (r *rig) await(what string, ok func(upstream.Status) bool) {
	r.tb.Helper()
	end := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok(r.Status()) {
			return
		}
		select {
		case <-r.out:
		case <-tick.C:
		case <-end:
			r.tb.Fatalf("%s did not come: %+v", what, r.Status())
		}
	}
}

func TestHostileReplies(t *testing.T) {
	ca := upstreamtest.NewCA(t)
	for _, f := range upstreamtest.Faults() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			server := upstreamtest.NewServer(t, ca, upstreamtest.Config{})
			r := start(t, ca, server.Address, nil)
			first := r.next()
			before := r.Status()
			server.Inject(f)
			second := r.next()
			after := r.Status()
			if second.At <= first.At {
				t.Errorf("measurements at %d and then %d", first.At, second.At)
			}
			for reason, n := range after.Rejected {
				want := before.Rejected[reason]
				if reason == f.Reason {
					want++
				}
				if n != want {
					t.Errorf("%s was counted %d times, not %d", reason, n, want)
				}
			}
			if after.Rejected[f.Reason] != before.Rejected[f.Reason]+1 {
				t.Errorf("%s was not counted: %v", f.Reason, after.Rejected)
			}
			if after.Denied != "" || after.Reach&1 == 0 || after.KEAt != before.KEAt {
				t.Errorf("afterwards: %+v", after)
			}
		})
	}
}
