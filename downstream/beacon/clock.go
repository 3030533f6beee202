package beacon

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// MaxGateways is how many gateways one Clock can follow.
const MaxGateways = 8

// ClockConfig says what a Clock works with.
type ClockConfig struct {
	Gateways int // n: 1 … MaxGateways
	Faults   int // f: so many of them may lie; n ≥ 2f + 1
	Rate     Rate
}

// Knowledge is how much a Clock knows.
type Knowledge uint8

// The values of Knowledge.
const (
	NothingKnown Knowledge = iota // no number can be had
	LowerBound                    // not before …
	Bounded                       // inside an interval
)

// String returns the word for people and programs.
func (k Knowledge) String() string {
	return [...]string{"nothing-known", "lower-bound", "bounded"}[k]
}

// Alarm is a set of conditions that somebody must look at, one bit each.
type Alarm uint8

// The alarms.
const (
	AlarmContradiction Alarm = 1 << iota // a gateway or the clock lied
	AlarmFloor                           // an authentic answer lies before the floor
	AlarmWithheld                        // an answer names a newer delegation than was delivered
)

// Clock is what a node may be sure of: an interval a gateway that contains true time as long as
// that gateway and the node's own clock keep their word, and from them one interval in which true
// time lies as long as at most f of the n gateways lie (docs/beacon-protocol.md, rules 3 to 12).
// It is a pure value, without clock or I/O: readings and evidence come in. Copies are independent;
// one Clock is not safe for concurrent use.
type Clock struct {
	n, f int
	rate Rate

	gateways   [MaxGateways]gatewayClock
	last       Ticks // the latest reading that came with evidence
	unanchored bool  // since a discontinuity no reading came
	generation uint32
	alarms     Alarm

	broken faults
}

type gatewayClock struct {
	interval interval
	leaps    leapRecord
	guess    estimator
}

// faults leaves out one check: tests show with it that each is needed.
type faults struct {
	nonce, signature, kind, rho, tai, timeline bool
}

// NewClock makes a Clock that knows nothing yet.
func NewClock(c ClockConfig) (Clock, error) {
	switch {
	case c.Gateways < 1 || c.Gateways > MaxGateways:
		return Clock{}, fmt.Errorf("%d gateways: 1 to %d are possible", c.Gateways, MaxGateways)
	case c.Faults < 0 || c.Gateways < 2*c.Faults+1:
		return Clock{}, fmt.Errorf("%d gateways of which %d lie: at least %d are needed", c.Gateways, c.Faults, 2*c.Faults+1)
	case !c.Rate.valid():
		return Clock{}, fmt.Errorf("clock rate %+v is out of range", c.Rate)
	}
	k := Clock{n: c.Gateways, f: c.Faults, rate: c.Rate}
	for i := range k.gateways {
		k.gateways[i].interval = unknown()
	}
	return k, nil
}

// arrive takes the reading that comes with evidence.
func (c *Clock) arrive(m Ticks) *Error {
	if c.unanchored {
		for i := range c.gateways {
			c.gateways[i].interval.loAt = m
		}
		c.unanchored = false
	} else if m < c.last {
		return refuse(ReasonClock, "a reading lies before an earlier one: say when the clock is interrupted")
	}
	c.last = m
	return nil
}

func (c *Clock) tai(s *Statement) int64 {
	if c.broken.tai {
		return (int64(s.Seconds)+37)*second + int64(s.Nanos) // right until the next leap second
	}
	return s.TAI()
}

func (c *Clock) effectiveRate() Rate {
	if c.broken.rho {
		r := c.rate
		r.RhoPPB = 0
		return r
	}
	return c.rate
}

// Beacon applies gateway g's verified statement that arrived at reading m, taken after its last
// byte arrived: true time is at least t − E. It reports whether the interval is better for it.
// Errors: ReasonClock, and ReasonContradiction with the alarm raised and the interval begun anew.
func (c *Clock) Beacon(g int, m Ticks, s *Statement) (better bool, err error) {
	if e := c.arrive(m); e != nil {
		return false, e
	}
	_, better, e := c.beacon(g, m, s)
	if e != nil {
		return false, e
	}
	return better, nil
}

func (c *Clock) beacon(g int, m Ticks, s *Statement) (ends, bool, *Error) {
	v := c.gateways[g].interval
	what, ok := v.raise(m, c.tai(s)-int64(s.MaxError), c.effectiveRate())
	if ok {
		e := &c.gateways[g].guess
		e.newEpoch(s.Epoch, c.rate)
		e.beacon(m, c.tai(s), c.rate)
	}
	return c.settle(g, m, v, what, ok, s)
}

// Exchange applies gateway g's verified answer to the request that was sent at reading m1, taken
// before its first byte was handed over, and that arrived at m4: true time was at most t2 + E at
// m1 and is at least t3 − E at m4, where t2 is t3 − turnaround. Results as for Beacon.
func (c *Clock) Exchange(g int, m1, m4 Ticks, s *Statement, turnaround time.Duration) (better bool, err error) {
	if e := c.arrive(m4); e != nil {
		return false, e
	}
	_, better, e := c.exchange(g, m1, m4, s, turnaround)
	if e != nil {
		return false, e
	}
	return better, nil
}

func (c *Clock) exchange(g int, m1, m4 Ticks, s *Statement, turnaround time.Duration) (ends, bool, *Error) {
	v := c.gateways[g].interval
	t3 := c.tai(s)
	upper, lower := t3+int64(s.MaxError)-int64(turnaround), t3-int64(s.MaxError)
	what, ok := v.exchange(m1, upper, m4, lower, c.effectiveRate())
	if ok {
		e := &c.gateways[g].guess
		path := float64(m4-m1)*float64(c.rate.CountNanos) - float64(turnaround)
		e.newEpoch(s.Epoch, c.rate)
		e.exchange(m4, t3+int64(path/2), path, c.rate)
	}
	return c.settle(g, m4, v, what, ok, s)
}

// settle makes v gateway g's interval unless the evidence contradicts it, or all others together.
func (c *Clock) settle(g int, m Ticks, v interval, what ends, ok bool, s *Statement) (ends, bool, *Error) {
	gw := &c.gateways[g]
	if !ok {
		c.forget(g)
		c.contradicted()
		return what, false, refuse(ReasonContradiction, "the gateway contradicts itself, or the clock its rate")
	}
	gw.interval = v
	gw.guess.keepInside(v.at(m, c.rate))
	if gw.leaps.month == 0 || s.TAI() > gw.leaps.tai {
		gw.leaps = recordOf(s)
	}
	if !what.any() {
		return what, false, nil
	}
	if _, ok := c.combine(m, false); !ok {
		for i := range c.n {
			c.forget(i)
		}
		c.contradicted()
		return what, false, refuse(ReasonContradiction, "too few gateways agree")
	}
	return what, true, nil
}

// forget makes a gateway's interval (−∞, ∞). What it said about UTC goes as well: the message that
// lied may have said it.
func (c *Clock) forget(g int) {
	c.gateways[g] = gatewayClock{interval: unknown()}
}

func (c *Clock) contradicted() {
	c.generation++
	c.alarms |= AlarmContradiction
}

// Discontinuity tells that the clock did not count through: a reset, a sleep, a missed wrap. It is
// called before anything else after it. Upper ends are forgotten; lower ends keep their value of
// the last reading that came with evidence, and are anchored at the next.
func (c *Clock) Discontinuity() {
	for i := range c.n {
		gw := &c.gateways[i]
		if !c.unanchored {
			gw.interval.lo = gw.interval.loAtReading(c.last, c.effectiveRate())
		}
		gw.interval.loAt = 0
		gw.interval.hi, gw.interval.hiAt = HiUnknown, 0
		gw.guess = estimator{}
	}
	c.unanchored = true
}

// combine makes one interval of all.
func (c *Clock) combine(m Ticks, utc bool) (Bounds, bool) {
	var all [MaxGateways]Bounds
	for i := range c.n {
		gw := &c.gateways[i]
		v := gw.interval
		if c.unanchored {
			v.loAt = m
		}
		b := v.at(m, c.effectiveRate())
		if utc {
			b = Bounds{gw.leaps.utc(b.Lo, false), gw.leaps.utc(b.Hi, true)}
		}
		all[i] = b
	}
	return hull(all[:c.n], c.n-c.f)
}

// TAI returns the interval at reading m on the TAI scale, and its generation, which changes when
// an interval was begun anew after a contradiction.
func (c *Clock) TAI(m Ticks) (b Bounds, generation uint32) {
	b, ok := c.combine(m, false)
	if !ok {
		b = Bounds{LoUnknown, HiUnknown}
	}
	return b, c.generation
}

// UTC returns the interval at reading m on UTC in POSIX numbering. Leap seconds are taken from the
// gateways' messages; where those say nothing the interval is wider by what may have happened.
func (c *Clock) UTC(m Ticks) Bounds {
	b, ok := c.combine(m, true)
	if !ok {
		b = Bounds{LoUnknown, HiUnknown}
	}
	return b
}

// Know returns how much is known at m.
func (c *Clock) Know(m Ticks) Knowledge {
	switch b := c.UTC(m); {
	case b.Lo == LoUnknown:
		return NothingKnown
	case b.Hi == HiUnknown:
		return LowerBound
	}
	return Bounded
}

// Now returns the best estimate of UTC at m and how far it may be off, always rounded up. ok is
// false while there is no upper bound: then there is no number to give.
func (c *Clock) Now(m Ticks) (utc time.Time, bound time.Duration, ok bool) {
	b := c.UTC(m)
	if !b.Bounded() {
		return time.Time{}, 0, false
	}
	t := c.estimate(m, b)
	return time.Unix(0, t).UTC(), time.Duration(max(t-b.Lo, b.Hi-t)), true
}

// estimate is the median of the gateways' guesses, moved into the interval; the middle where there
// is none.
func (c *Clock) estimate(m Ticks, b Bounds) int64 {
	var guesses []int64
	for i := range c.n {
		gw := &c.gateways[i]
		tai, ok := gw.guess.read(m, c.rate)
		if !ok {
			continue
		}
		// Both conversions are right inside the record's month; elsewhere the middle is as good as any.
		lo, hi := gw.leaps.utc(tai, false), gw.leaps.utc(tai, true)
		if lo != LoUnknown && hi != HiUnknown {
			guesses = append(guesses, lo+(hi-lo)/2)
		}
	}
	if len(guesses) == 0 {
		return b.Lo + int64(b.Width()/2)
	}
	sort.Slice(guesses, func(i, j int) bool { return guesses[i] < guesses[j] })
	k := len(guesses)
	median := guesses[(k-1)/2]
	median += (guesses[k/2] - median) / 2
	return max(b.Lo, min(b.Hi, median))
}

// Alarms returns the alarms that stand.
func (c *Clock) Alarms() Alarm { return c.alarms }

// ClearAlarms ends all alarms: somebody has looked at them.
func (c *Clock) ClearAlarms() { c.alarms = 0 }

// ExchangeIn says after how long an exchange is needed to keep the interval's width at or below
// limit: 0 when it is due, the longest Duration when never.
func (c *Clock) ExchangeIn(m Ticks, limit time.Duration) time.Duration {
	b, _ := c.TAI(m)
	w := b.Width()
	if !b.Bounded() || limit <= 0 || w >= uint64(limit) {
		return 0
	}
	if c.rate.RhoPPB == 0 {
		return math.MaxInt64
	}
	// Each end loses up to one tick beside its rate.
	room := float64(uint64(limit)-w) - 2*float64(c.rate.Tick)*float64(c.rate.CountNanos) - 4
	left := math.Max(0, room) * 1e9 / (2 * float64(c.rate.RhoPPB))
	if left >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(left)
}

// Monotonic is a clock that never goes back, made of a Clock's estimate: it follows at once where
// the estimate lies ahead, and runs at half rate where it lies behind until they meet. The zero
// value is new; one a reader.
type Monotonic struct {
	started bool
	at      Ticks
	out     int64
}

// Now returns UTC that never goes back, and whether it lies inside the interval at m. ok is false
// while c has no number.
func (s *Monotonic) Now(c *Clock, m Ticks) (utc time.Time, inside, ok bool) {
	b := c.UTC(m)
	if !b.Bounded() {
		return time.Time{}, false, false
	}
	estimate := c.estimate(m, b)
	if s.started && m > s.at {
		s.out += c.rate.least(s.at, m) / 2
	}
	if !s.started || s.out < estimate {
		s.out = estimate
	}
	s.started, s.at = true, m
	return time.Unix(0, s.out).UTC(), b.Contains(s.out), true
}
