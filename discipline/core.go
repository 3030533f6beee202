package discipline

import (
	"encoding/binary"
	"math"
	"time"
)

// Discipline is the state machine. It is not safe for concurrent use: one goroutine owns it
// and hands out Snapshots.
type Discipline struct {
	cfg     Config
	sources []source
	byName  map[string]int

	begun bool  // the base is set
	t0    Raw   // origin of the seconds below
	base  int64 // TAI − raw that y = 0 stands for
	now   Raw
	since Raw // measurements from before it are refused

	rate   rateClock
	filter filter

	truth   interval // contains y at heard, if at most a minority lied
	stated  interval // the same at now, with what a contradicting majority says
	heard   float64  // the instant that truth and the sources' intervals stand for
	floor   float64  // Assumptions.WanderPPM, ns/s
	known   bool     // truth is set
	state   State
	epoch   Epoch
	voted   float64 // when a majority last agreed, seconds
	clash   clash
	outside int // samples in a row after which the filter's opinion lay outside truth

	leap leapState

	lastUsed Raw
	chosen   chosen
	polls    time.Duration
	wish     pollWish
	steer    steering

	edges  []edge
	ivs    []interval
	owners []int
}

// clash is a majority that agrees with itself and contradicts the timeline.
type clash struct {
	since   float64
	samples int
	gap     float64  // ns, signed: how far the majority lies from the timeline
	hull    interval // what it said last, carried to heard
}

// Constants of the state machine.
const (
	freshPolls    = 8     // polls without an answer until a source doesn't count as answering
	clashSamples  = 4     // samples of agreeing sources until a jump of the majority is followed
	clashSeconds  = 8.0   // and the least time
	deferredLasts = 600.0 // s that a start waits for a source that answered while dates could not be judged
	astray        = 6e10  // ns from truth: twice what an exchange of samples that are taken allows, and none that a filter can mean
	outsideMost   = 8     // samples until a filter that lies outside the known interval begins anew
	defaultMaxPPM = 500
	earliestUTC   = 0                    // 1970
	latestUTC     = int64(7_258_118_400) // 2200
	nsPerPPM      = 1000.0
)

// New returns a Discipline that knows nothing yet. Its configuration must have been checked.
func New(cfg Config) *Discipline {
	if cfg.MaxFrequencyPPM <= 0 {
		cfg.MaxFrequencyPPM = defaultMaxPPM
	}
	if cfg.StepThreshold <= 0 {
		cfg.StepThreshold = 100 * time.Millisecond
	}
	if cfg.PanicThreshold <= 0 {
		cfg.PanicThreshold = 1000 * time.Second
	}
	d := &Discipline{cfg: cfg, byName: make(map[string]int, len(cfg.Sources))}
	d.sources = make([]source, len(cfg.Sources))
	for i, c := range cfg.Sources {
		d.sources[i] = source{cfg: c, Standing: Standing{Reachable: true}, seen: everything()}
		d.byName[c.Name] = i
	}
	if cfg.Assume.Asymmetry <= 0 {
		d.cfg.Assume.Asymmetry = 1
	}
	d.floor = wanderFloor
	if cfg.Assume.WanderPPM > 0 {
		d.floor = cfg.Assume.WanderPPM * nsPerPPM
	}
	var heat *thermometer
	if cfg.Thermometer {
		heat = new(thermometer)
	}
	d.filter = newFilter(len(cfg.Sources), heat)
	d.edges = make([]edge, 0, 2*len(cfg.Sources))
	d.ivs = make([]interval, 0, len(cfg.Sources))
	d.owners = make([]int, 0, len(cfg.Sources))
	d.rate = newRateClock(interval{-rateUnknown, rateUnknown}, d.floor)
	if usable(cfg.FrequencyPPM, cfg.FrequencyStdPPM) {
		// For the estimate only: the card may have come from another board, and liars may have taught what was stored.
		d.filter.start(cfg.FrequencyPPM*nsPerPPM, cfg.FrequencyStdPPM*nsPerPPM+100)
	} else {
		d.filter.start(0, 0)
	}
	d.steer.set = cfg.WasSet
	d.newEpoch()
	return d
}

// usable reports whether a stored frequency can be taken.
func usable(ppm, std float64) bool {
	return std > 0 && std < 1000 && math.Abs(ppm) < rateUnknown/nsPerPPM
}

func (d *Discipline) newEpoch() {
	if d.cfg.NewEpoch != nil {
		d.epoch = d.cfg.NewEpoch()
		return
	}
	// Without a source of randomness epochs still differ from each other.
	binary.BigEndian.PutUint64(d.epoch[:], binary.BigEndian.Uint64(d.epoch[:])+1)
}

// seconds is r on the discipline's own scale.
func (d *Discipline) seconds(r Raw) float64 { return float64(r-d.t0) * 1e-9 }

// SetSource tells what is known of a source beside its measurements. Names that are not configured are ignored.
// Once more sources were revoked since the timeline began than may lie, nothing stands any more of what they decided.
func (d *Discipline) SetSource(name string, s Standing) {
	i, ok := d.byName[name]
	if !ok {
		return
	}
	src := &d.sources[i]
	src.tainted = src.tainted || s.Revoked && !src.Revoked
	s.Before = max(s.Before, src.Before)
	src.Standing = s
	if s.Denied != "" {
		src.has, src.deferred = false, false
	}
	if !d.begun {
		return
	}
	if d.known && d.tainted() > tolerated(len(d.sources)) {
		// Nor of what they said of the rate, by which the others' intervals were carried on, and of leap seconds.
		d.rate.forget(d.seconds(d.now), rateUnknown)
		d.leap = leapState{}
		for j := range d.sources {
			d.sources[j].has = false
		}
		d.restart()
		d.state = Unsynchronized
	}
	d.judge(false)
}

// tainted counts the sources that were revoked since the timeline began: they may have new keys by now.
func (d *Discipline) tainted() (n int) {
	for i := range d.sources {
		if d.sources[i].tainted {
			n++
		}
	}
	return n
}

// Advance tells the present raw time, so that intervals grow, sources fall silent and holdover
// ends. Call it at least once a minute; a now before an earlier one is ignored.
func (d *Discipline) Advance(now Raw) {
	if !d.begun || now <= d.now {
		return
	}
	d.now = now
	d.judge(false)
}

// Suspended tells that the machine slept before now: the raw clock stood still, nothing that
// was known of the offset holds. The timeline begins anew; the rate is kept.
func (d *Discipline) Suspended(now Raw) {
	if now > d.now {
		d.now = now
	}
	d.since = d.now
	if !d.begun {
		return
	}
	d.restart()
	d.state = Unsynchronized
	for i := range d.sources {
		d.sources[i].has, d.sources[i].deferred = false, false
	}
}

// restart ends the timeline: a new epoch, nothing known of the offset.
func (d *Discipline) restart() {
	t := d.seconds(d.now)
	e := d.filter.present(t)
	d.rate.forget(t, math.Min(rateUnknown, d.rate.between(t, t).width()/2+wanderMost))
	d.filter.reset()
	d.filter.start(e.rate, math.Sqrt(math.Max(e.prr, 0))+100)
	for i := range d.sources {
		s := &d.sources[i]
		s.out, s.strikes, s.noise, s.tainted = 0, 0, 0, false
	}
	d.known = false
	d.clash, d.wish = clash{}, pollWish{want: leastPoll}
	d.newEpoch()
}

// Update takes one measurement. It returns a *Refusal, and has changed nothing, when the
// measurement can't be used.
func (d *Discipline) Update(m Measurement) error {
	i, ok := d.byName[m.Source]
	if !ok {
		return ErrUnknownSource
	}
	if s := &d.sources[i]; s.Denied != "" || s.Before != 0 && m.At <= s.Before {
		// It was on its way when the source was denied, and is none that the source's next standing speaks for.
		return ErrDenied
	}
	utc, err := d.check(&d.sources[i], m)
	if err != nil {
		return err
	}
	tai, ok := d.leap.toTAI(d.cfg.Leap, utc)
	if !ok {
		return ErrLeapEdge
	}
	if !d.begun {
		d.begun, d.t0, d.base, d.now = true, m.At, tai-int64(m.At), m.At
		d.rate.at, d.filter.t0 = 0, d.t0
	}
	if m.At > d.now {
		d.now = m.At
	}
	if !d.known {
		d.rebase(float64(tai - int64(m.At) - d.base))
	}
	d.take(i, m, float64(tai-int64(m.At)-d.base))
	return nil
}

// check returns the server's time of a measurement that can be used.
func (d *Discipline) check(s *source, m Measurement) (utc int64, err error) {
	const most = 16 * time.Second // RFC 5905 §7.3's short format ends at 2^16 s; MAXDIST is 1.5 s
	switch {
	case m.Stratum < 1 || m.Stratum > 15:
		return 0, ErrBadStratum
	case m.Leap == LeapUnknown:
		return 0, ErrNotSynced
	case m.Leap < LeapDelete || m.Leap > LeapUnknown,
		m.Delay < 0 || m.Delay > most,
		m.RootDelay < 0 || m.RootDelay > most,
		m.RootDispersion < 0 || m.RootDispersion > most,
		m.Precision <= 0 || m.Precision > most,
		m.Poll < 0 || m.Poll > 1<<18*time.Second,
		m.At < 0 || m.At > 1<<61:
		return 0, ErrOutOfRange
	}
	utc = int64(m.At) + m.Offset
	if m.Offset > 0 && utc < 0 || m.Offset < 0 && utc > int64(m.At) ||
		utc < earliestUTC || utc > latestUTC*1e9 {
		return 0, ErrOutOfRange
	}
	if utc < d.cfg.Floor {
		return 0, ErrBeforeFloor
	}
	if d.since != 0 && m.At <= d.since {
		return 0, ErrTooOld
	}
	if s.any && m.At <= s.lastAt {
		return 0, ErrNotNewer
	}
	return utc, nil
}

// take enters a measurement into its source and judges anew.
func (d *Discipline) take(i int, m Measurement, y float64) {
	s := &d.sources[i]
	t, now := d.seconds(m.At), d.seconds(d.now)
	prior := d.ahead(now)
	// At most all of the delay lies on one way: nothing is assumed of the path's symmetry.
	// While the round trip lasted the raw clock ran at its own rate.
	fast := math.Max(math.Abs(prior.lo), math.Abs(prior.hi)) * 1e-9
	half := d.cfg.Assume.Asymmetry*(float64(m.Delay)+float64(m.RootDelay))/2 + float64(m.RootDispersion) +
		float64(m.Precision) + fast*(float64(m.Delay)+1e6)/2 + 2
	// A sample from before the last evidence: the windows overlap, by no more than now − t.
	iv := interval{y, y}.grow(half).carry(prior.grow(2*d.rate.scale*wanderSlope*(now-t)), now-t)
	s.any, s.lastAt, s.last, s.lastY = true, m.At, m, y
	s.deferred, s.deferredIv, s.deferredAt = m.DatesDeferred, iv, now
	if m.DatesDeferred {
		d.judge(false)
		return
	}
	dt := now - d.heard
	d.project(prior, dt)
	if s.at = s.at.and(iv); !s.has || s.at.empty() {
		s.at = iv
	}
	had := s.has
	s.has = true
	d.vote(now)
	s.has = had
	d.agrees(i, t, y, float64(m.Delay))
	if s.out > 0 && s.state == stateSelected {
		s.state = stateFalseticker
	}
	if s.state == stateSelected && !(d.known && !d.truth.carry(prior, dt).overlaps(iv)) {
		usual := s.noise
		r := d.residual(s)
		d.filter.add(i, t, y, float64(m.Delay), float64(m.Precision))
		d.tune(i, r, usual)
	}
	d.heard = now
	for j := range d.sources {
		d.sources[j].carry(prior, dt)
	}
	d.truth = d.truth.carry(prior, dt)
	d.clash.hull = d.clash.hull.carry(prior, dt)
	s.enter(iv)
	d.judge(true)
}

// surprise notes that the oscillator wandered more than was assumed.
func (d *Discipline) surprise() { d.rate.scale = math.Min(d.rate.scale*2, 32) }

// project works out where the sources' intervals lie dt seconds after d.heard.
func (d *Discipline) project(v interval, dt float64) {
	for i := range d.sources {
		d.sources[i].at = d.sources[i].seen.carry(v, dt)
	}
}

// judge runs selection at d.now and sets the state. fresh: a measurement was just entered.
func (d *Discipline) judge(fresh bool) {
	now := d.seconds(d.now)
	dt := now - d.heard
	v := d.ahead(now)
	d.project(v, dt)
	d.stated = d.truth.carry(v, dt)
	switch vote := d.vote(now); {
	case vote.agreed && !d.known:
		if !fresh {
			d.await(now)
			break
		}
		d.begin(now, vote.hull)
	case vote.agreed && d.stated.overlaps(vote.hull) && !d.persists(vote.hull, v, dt):
		d.stated = d.stated.and(vote.hull)
		if fresh {
			d.truth = d.stated
			d.clash = clash{}
			d.rebase(d.truth.mid()) // a first majority that a liar is one of may have set it halfway to his time
		}
		d.agree(now, fresh)
	case vote.agreed:
		d.contradict(now, vote.hull, fresh)
	case d.known:
		d.hold(now)
	default:
		d.await(now)
	}
	d.leap.pass(d)
	d.limit()
}

// begin: a majority was measured just now, and what it says is all that is known.
func (d *Discipline) begin(now float64, hull interval) {
	d.known, d.truth, d.stated = true, hull, hull
	d.rebase(hull.mid())
	d.agree(now, true)
}

// agree: a majority was measured and fits the timeline.
func (d *Discipline) agree(now float64, fresh bool) {
	d.state = Synchronized
	d.voted = now
	if !fresh {
		return
	}
	d.lastUsed = d.now
	d.clean(now)
	d.rate.scale = math.Max(1, d.rate.scale*0.995)
	if !d.rate.learn(now, d.truth) {
		d.surprise()
		d.rate.forget(now, wanderMost*2)
	}
}

// clean keeps liars' samples out of the filter, and begins it anew when its opinion stays outside
// what is known for sure.
func (d *Discipline) clean(now float64) {
	for i := range d.sources {
		if d.sources[i].state == stateFalseticker && d.filter.ways[i].n > 0 {
			d.filter.drop(i)
		}
	}
	if !d.filter.started {
		return
	}
	e := d.filter.present(now)
	if d.truth.lo <= e.y && e.y <= d.truth.hi && !math.IsNaN(e.pyy+e.prr) {
		d.outside = 0
		return
	}
	// Numbers that have outgrown all sense are no opinion that may turn out right.
	if d.outside++; d.outside >= outsideMost || !(math.Abs(e.y-d.truth.mid()) < astray) || math.IsNaN(e.pyy+e.prr) {
		d.outside = 0
		v := d.ahead(now)
		d.filter.reset()
		d.filter.start(v.mid(), v.width()/2)
	}
}

// residual notes, and returns, how far a source's new sample lies from the timeline.
func (d *Discipline) residual(s *source) float64 {
	d.polls = s.last.Poll
	if !d.filter.started {
		return 0
	}
	r := s.lastY - d.filter.present(d.seconds(s.last.At)).y
	if !(math.Abs(r) < astray) {
		return 0 // what would last in the noise
	}
	s.noise += (r*r - s.noise) / 8
	return r
}

// persists reports whether a majority goes on saying what contradicted the timeline. That the timeline's bound has
// grown since until the two meet is no agreement: what both allow need not hold truth.
func (d *Discipline) persists(hull, rate interval, dt float64) bool {
	return d.clash.samples > 0 && d.clash.hull.carry(rate, dt).overlaps(hull)
}

// contradict: a majority agrees with itself, but not with what was promised. Either they lie
// together or a promise of ours was wrong; until that is known the bound covers both, or, where
// they lie far apart, nothing is served.
func (d *Discipline) contradict(now float64, hull interval, fresh bool) {
	if d.clash.samples == 0 {
		d.clash.since = now
		// Whether the clock jumped or its rate is not what was proved, nobody knows, and the bound goes on growing by it.
		d.rate.forget(now, rateUnknown)
	}
	d.clash.gap = hull.mid() - d.stated.mid()
	if fresh {
		d.clash.samples++
		d.clash.hull = hull
	}
	if fresh && d.clash.samples >= clashSamples*max(1, d.selectedCount()) && now-d.clash.since >= clashSeconds {
		if math.Abs(d.clash.gap) > float64(d.cfg.PanicThreshold) && !d.cfg.Observing {
			d.state = Unsynchronized
			d.steer.panicking = true
			return
		}
		d.surprise()
		d.restart()
		d.begin(now, hull)
		return
	}
	if math.Abs(d.clash.gap) > float64(d.cfg.StepThreshold) {
		d.state = Unsynchronized
		return
	}
	d.stated = d.stated.hull(hull)
	d.state = Synchronized
	d.voted = now
}

// hold: no majority at present, but a timeline. What a majority contradicted before it fell silent stays
// contradicted.
func (d *Discipline) hold(now float64) {
	d.state = Holdover
	if d.clash.samples > 0 {
		if math.Abs(d.clash.gap) > float64(d.cfg.StepThreshold) {
			d.state = Unsynchronized
		} else {
			d.stated = d.stated.hull(d.clash.hull.carry(d.ahead(now), now-d.heard))
		}
	}
	if h := d.cfg.HoldoverMax; h > 0 && now-d.voted > h.Seconds() {
		d.restart()
		d.state = Unsynchronized
	}
}

// await: no timeline yet.
func (d *Discipline) await(now float64) {
	d.state = Unsynchronized
	answers := 0
	for i := range d.sources {
		switch s := &d.sources[i]; {
		case s.deferred: // also while it makes its keys anew, now that dates can be judged
			if now-s.deferredAt < deferredLasts {
				d.state = Acquiring
			}
		case s.has && s.state == stateCandidate:
			answers++
		}
	}
	// Enough answer, but they disagree: that is no start that goes on.
	if answers > 0 && answers < max(2, d.quorum()) {
		d.state = Acquiring
	}
}

// limit withholds a bound beyond what the operator allows.
func (d *Discipline) limit() {
	if d.cfg.MaxErrorLimit <= 0 || d.state != Synchronized && d.state != Holdover {
		return
	}
	_, e := d.bound()
	if e+1e9*float64(d.leap.doubtful(d.cfg.Leap, d.leap.utc(d))) > float64(d.cfg.MaxErrorLimit) {
		if d.state == Synchronized {
			d.state = Acquiring
		} else {
			d.state = Unsynchronized
		}
	}
}

// bound returns the estimate and the half-width, about it, of the interval that is stated.
func (d *Discipline) bound() (e estimate, half float64) {
	now := d.seconds(d.now)
	e = d.filter.present(now)
	if !d.filter.started {
		e.y = d.stated.mid()
	}
	e.y = d.stated.clamp(e.y)
	v := d.ahead(now)
	e.rate = v.clamp(e.rate)
	if math.IsNaN(e.y + e.rate) { // the bound must not depend on filters that went astray
		e.y, e.rate = d.stated.mid(), v.mid()
	}
	half = math.Max(d.stated.hi-e.y, e.y-d.stated.lo)
	if math.IsNaN(e.pyy + e.prr) {
		e.pyy, e.prr = half*half, v.width()*v.width()/4
	}
	return e, half
}

const (
	learnedFree   = 50000.0 // ns/s: what isn't proved of the rate counts beyond that …
	learnedSigmas = 10.0    // … and as so many standard deviations
)

// Learned returns the raw clock's rate error, for the drift file; ok is false until it is known
// to 5 ppm. The less of it is proved the less the next start's estimate leans on it; its bound doesn't at all.
func (d *Discipline) Learned() (freqPPM, stdPPM float64, ok bool) {
	if !d.begun || !d.filter.started {
		return 0, 0, false
	}
	now := d.seconds(d.now)
	e, v := d.filter.present(now), d.rate.between(now, now)
	f := v.clamp(e.rate)
	off := math.Max(v.hi-f, f-v.lo) + wanderMost
	std := math.Max(math.Sqrt(math.Max(e.prr, 0)), (off-learnedFree)/learnedSigmas) / nsPerPPM
	return f / nsPerPPM, std, std < 5
}
