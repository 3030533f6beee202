package upstream

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/upstream/ntp"
)

// edge is one exchange, in true nanoseconds since it began, with errors that are all allowed.
type edge struct {
	out, held, back float64 // the two ways and the server's time between
	tick            int64   // our clock reads down to multiples of this
	rate            float64 // true time passes (1 + rate) times as fast as the raw clock's
	precision       int8    // log2 of seconds: the server's
	sent, received  float64 // in parts of its precision, how far the server's readings are off
	width           int64   // of both stamps; 0: no stamps
	stamped         float64 // in parts of width, how late both stamps are
	begin           float64 // when it began, after a multiple of the tick
}

const edgeRaw, edgeUTC = 1e12, 1_800_000_000 * int64(1e9) // the raw and the true time at its begin

func (c *edge) raw(at float64) float64 { return (c.begin + at) / (1 + c.rate) }

func (c *edge) read(at float64) discipline.Raw {
	r := int64(math.Floor(c.raw(at)))
	return discipline.Raw(edgeRaw + r - r%max(1, c.tick))
}

// measure has the poller judge it. off is how far truth lies beyond half of the delay, for all of
// which the measurement's Precision must do.
func (c *edge) measure(p *poller) (m discipline.Measurement, off float64, reason string) {
	p.keys, p.tick = &keys{}, time.Duration(max(1, c.tick))
	granted := float64(ntp.PrecisionDuration(c.precision))
	server := func(at, share float64) ntp.Time64 {
		return ntp.Time64FromUnix(edgeUTC + int64(math.Round(at+share*granted)))
	}
	h := ntp.Packet{Stratum: 1, Precision: c.precision,
		ReceiveTime: server(c.out, c.received), TransmitTime: server(c.out+c.held, c.sent)}
	end := c.out + c.held + c.back
	e := &exchange{leave: departure{before: c.read(0)}}
	a := arrival{after: c.read(end)}
	if c.width > 0 {
		late := discipline.Raw(math.Round(c.stamped * float64(c.width)))
		pair := func(at float64) discipline.HostReading {
			r := c.read(at)
			return discipline.HostReading{Raw: r + late, Real: int64(r), Width: time.Duration(c.width)}
		}
		e.leave.stamp, a.stamp = int64(c.read(0)), int64(c.read(end))
		near := 2000 + 2*float64(c.width) // the readings beside the stamps
		e.leave.before, a.after = c.read(-near), c.read(end+near)
		e.leave.pair, a.pair = pair(-near), pair(end+near)
	}
	m, reason, _ = p.measure(e, &h, a)
	truth := (float64(m.At-edgeRaw))*(1+c.rate) - c.begin
	stated := float64(m.Offset + int64(m.At) - edgeUTC)
	// The discipline's own share is what the raw clock's rate does in half of the delay and of 1 ms.
	off = math.Abs(stated-truth) - float64(m.Delay)/2 - math.Abs(c.rate)*(float64(m.Delay)+1e6)/2
	return m, off, reason
}

// Each term of what is stated is needed: with all others at their least, truth lies where a bound
// without it would not reach.
func TestTruthAtTheEdgeOfEachTerm(t *testing.T) {
	const us = 1000
	for _, c := range []struct {
		name string
		edge
		term float64 // what this alone contributes
	}{
		{"our clock's step", edge{out: 100_990, tick: us, precision: -30}, us},
		{"our clock's step, carried stamps", edge{out: 100_990, tick: us, precision: -30, width: 50, stamped: -1}, us},
		{"the stamps' width, late", edge{back: 100 * us, width: 2 * us, stamped: 1, precision: -30}, 2 * us},
		{"the stamps' width, early", edge{out: 100 * us, width: 2 * us, stamped: -1, precision: -30}, 2 * us},
		{"the server's precision, behind", edge{back: 100 * us, precision: -17, sent: -1, received: -1}, 7630},
		{"the server's precision, ahead", edge{out: 100 * us, precision: -17, sent: 1, received: 1}, 7630},
		{"a slow raw clock while the server held it", edge{back: 1.1e6, held: 100e6, rate: 0.01, precision: -30}, 99e6 / 200},
		{"the same, on the way out", edge{out: 1.1e6, held: 100e6, rate: 0.01, precision: -30}, 99e6 / 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, off, reason := c.measure(newWorld(t, Options{}).p)
			if reason != "" {
				t.Fatal(reason)
			}
			if off > float64(m.Precision) {
				t.Errorf("truth is %.0f ns beyond half the delay of %v; the precision stated is %v", off, m.Delay, m.Precision)
			}
			if most := float64(m.Precision) - c.term; off < most {
				t.Errorf("truth is %.0f ns beyond half the delay: without the term, %.0f ns would do", off, most)
			}
			if spare := float64(m.Precision) - off; spare > c.term/20+60 {
				t.Errorf("%.0f ns more than needed is stated", spare)
			}
		})
	}
}

// Whatever comes together of it, truth is inside and an honest server is believed, also where its
// answer seems to have been held for longer than the round trip lasted.
func TestTruthIsInsideWhateverComesTogether(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := newWorld(t, Options{}).p
	// Half of the draws are at an end of the range.
	share := func() float64 { return max(-1, min(1, 4*rng.Float64()-2)) }
	positive := func(most float64) float64 { return most * max(0, share()) }
	before := 0
	for range 200_000 {
		c := edge{out: positive(1e6), back: positive(1e6), held: positive(50e6), tick: int64(positive(2000)),
			rate: share() / 100, precision: int8(-rng.IntN(20) - 11), sent: share(), received: share(), begin: positive(2000)}
		if rng.IntN(2) == 0 {
			c.rate /= 1e4
			c.width, c.stamped = int64(positive(20e3)), share()
		}
		m, off, reason := c.measure(p)
		if c.sent*float64(ntp.PrecisionDuration(c.precision))+c.held < c.received*float64(ntp.PrecisionDuration(c.precision)) {
			continue // it says that it answered before it was asked
		}
		if reason != "" {
			t.Fatalf("%+v: refused: %s", c, reason)
		}
		if off > float64(m.Precision) {
			t.Fatalf("%+v: truth is %.0f ns beyond half the delay of %v; the precision stated is %v", c, off, m.Delay, m.Precision)
		}
		if m.Delay == 0 {
			before++
		}
	}
	if before < 1000 {
		t.Errorf("only %d delays of nothing", before)
	}
}

// The discipline does allow for its share: truth is inside what a timeline states that rests on one exchange
// with a server that held the request, on a raw clock that nothing is known of.
func TestDisciplineAllowsForItsShare(t *testing.T) {
	for _, held := range []float64{0, 100e3, 1e6, 100e6} {
		for _, way := range []func(*edge, float64){func(c *edge, d float64) { c.out = d }, func(c *edge, d float64) { c.back = d }} {
			c := edge{held: held, rate: 0.01, precision: -30}
			way(&c, 100e3+held/100)
			m, off, reason := c.measure(newWorld(t, Options{}).p)
			if reason != "" {
				t.Fatal(reason)
			}
			d := discipline.New(discipline.Config{Sources: []discipline.SourceConfig{{Name: "s"}}})
			if err := d.Update(m); err != nil {
				t.Fatal(err)
			}
			s := d.Snapshot()
			truth := edgeUTC + int64(float64(m.At-edgeRaw)*(1+c.rate)) + int64(s.TAIOffset)*1e9
			if e := time.Duration(s.TAIAt(m.At) - truth); !s.Serving() || e.Abs() > s.MaxError(m.At) {
				t.Errorf("held for %.0f ns: true error %v, stated %v; %.0f ns of it beyond the shares", held, e, s.MaxError(m.At), off)
			}
		}
	}
}
