package discipline

import (
	"math"
	"slices"
)

// The estimator: a bank of Kalman filters over one common state (offset, rate, and one bias a
// source, for some shapes of delay one least delay a source, too), one filter a hypothesis on how much the oscillator wanders, how unequal paths are, and
// what shape their delays have. Each source's noise is itself a small mixture of
// hypotheses: how an exchange's extra delay divides between the way out and the way back, or that
// only what exceeds the usual delay says anything, or nothing does.
// All are weighted by likelihood; nothing is tuned to a kind of network. The bound does not
// depend on any of it.

// estimate is the filter's opinion: y = TAI − raw and its rate at an instant.
type estimate struct {
	at            float64 // seconds
	y             float64 // ns about the base
	rate          float64 // ns/s
	pyy, pyr, prr float64
}

// to carries the estimate to the instant t. wander is the rate's random walk, (ns/s)²/s.
func (e estimate) to(t, wander float64) estimate {
	dt := t - e.at
	if dt <= 0 {
		e.y += e.rate * dt
		return e
	}
	e.y += e.rate * dt
	e.pyy += 2*dt*e.pyr + dt*dt*e.prr + wander*dt*dt*dt/3 + phaseNoise*dt
	e.pyr += dt*e.prr + wander*dt*dt/2
	e.prr += wander * dt
	e.at = t
	return e
}

const (
	window     = 256  // samples of a source that are filtered again when the noise model changed
	windowMost = 1024 // samples of all sources together
	phaseNoise = 4.0  // ns²/s: the oscillator's white frequency noise
	memoryLog  = 1.0 / 192
	// The models are simpler than networks are: between filters a sample's evidence counts by half.
	trust = 0.5
	// No hypothesis falls so far behind that it couldn't come back within a few samples when the
	// oscillator or the network changes its ways.
	leastLog = -10.0
	// Sooner where they differ in the wander alone: a rate that jumps wants one that follows for some samples. One
	// that is down here has no say, or all of them together would.
	leastWander = -4.0
)

// wanders are the hypotheses on the rate's random walk, (ns/s)²/s. The last one is for jumps.
var wanders = [...]float64{0.003, 0.1, 1, 10, 100, 1500, 30000}

// steep is the pull on the filters of a shape whose likeliest has that wander, as a prior's logarithm: 0.05 a sample
// for each tenfold beyond 10. A shape of delays that needs an oscillator like that to explain the samples is rather
// wrong itself. Among the filters of a shape nothing changes by it, and of two groups that
// differ in how unequal paths are the calmer counts, or a server that drags were taken for an unequal path.
var steep = [...]float64{0, 0, 0, 0, -10, -22, -35}

// steepest is the pull on the filters of that wander themselves. A rate that jumps needs one for a few samples and is
// followed as soon; one that would have to wander like that for hours rather is delay that comes and goes.
var steepest = [...]float64{0, 0, 0, 0, 0, -10, -35}

// biases are the hypotheses on how far a path's constant asymmetry moves a source's offset, one
// standard deviation as a share of its least delay. With one source they can't be told apart.
var biases = [...]float64{0.05, 0.0005}

// A far server's path is the likelier to be unequal: beyond farFrom times the nearest one's delay that share grows
// with its root, up to farMost times.
const (
	farFrom = 2.0
	farMost = 10.0
)

// class is a hypothesis on a source's noise. With extra delay e, z = y + noise lies in
// [−e/2, e/2] when both ways have a least delay; tilt is the slope of the density's logarithm
// across that box in units of 1/e's mean: the steep ones leave the other way little beside that. A level that is
// narrow beside e is that of delays which grow and shrink on both ways alike. Around the usual delay a sample says less
// the sooner or later it comes, as a box that sends some packets early has it. Of two routes the slow one is longer on
// one way. A scaled sample has a box's spread beside par of the box's softness: little of it, as what a server states
// as its precision may be far worse than its stamps. With queues each way's extra delay is an exponential of its own: the
// ways' means are alike, or unlike. A stray is explained by nothing else.
type class struct {
	kind  byte
	par   float64 // kind box: tilt; edge, routes: ±1; scaled: share of the softness; level: standard deviation over e's mean; usual, around: over the spread or core; queues: mean over the usual one; unlike: the way out's share
	prior float64 // logarithm
	shape shape   // the filters that weigh it, and others: shape.weighs
}

const (
	box byte = iota
	edgy
	level
	scaled
	usual
	around
	routes
	queues
	unlike
	strays
)

var classes = [...]class{
	{box, 0, 0, mixed},
	{box, 4, 0, back}, {box, -4, 0, out},
	{box, 16, -2, back}, {box, -16, -2, out}, {box, 64, -2, back}, {box, -64, -2, out},
	{edgy, 1, -1, back}, {edgy, -1, -1, out},
	{level, 0.025, -5, mixed}, {level, 0.1, -2, mixed}, {level, 0.2, -1, mixed}, {level, 0.4, -2, mixed},
	{scaled, 1, -1, mixed},
	{usual, 0.5, -6, mixed}, {usual, 1, -6, mixed}, {around, 1, -4, mixed},
	{queues, 1, 0, hard}, {queues, 0.3, -1, hard}, {unlike, 0.9, -2, hard}, {unlike, 0.1, -2, hard}, {unlike, 0.998, -3, hard}, {unlike, 0.002, -3, hard},
	{routes, 1, -1, backOnly}, {routes, -1, -1, outOnly},
	{scaled, 0.1, -2, mixed},
	{strays, 0, -4, mixed},
}

// shape is a hypothesis on how delays are made. Models of different shapes want different states: one
// filter that weighed them all would confirm whichever it began with.
type shape int8

const (
	mixed    shape = iota // anything
	back                  // extra delay rather lies on the way back …
	out                   // … or on the way out
	hard                  // both ways have a least delay that nothing is below, as queues have; their sum is learned
	backOnly              // a side that no mixture with what isn't one-sided could move to a wrong state:
	outOnly               // the usual delay has all samples but the fast ones for it where most take a slow route
)

var shapes = [...]shape{mixed, back, out, hard, backOnly, outOnly}

// Logarithms of the priors of a side, against the others. A side alone is seldom what networks are like, and
// explains a few odd samples well: it has to be far likelier.
const (
	oneSided  = -4.0
	onlySided = -20.0
)

// sided tells whether all extra delay lies on one way, or most.
func (s shape) sided() bool { return s != mixed && s != hard }

// prior is a shape's. Where most packets are slow together, they are likely to be slow on one way.
func (f *filter) prior(s shape) float64 {
	switch s {
	case back, out:
		return oneSided
	case backOnly, outOnly:
		if f.grouped {
			return oneSided
		}
		return onlySided
	}
	return 0
}

// weighs tells whether a filter of the shape weighs the class c.
func (s shape) weighs(c int) bool {
	k := &classes[c]
	if c == stray || k.shape == s {
		return true
	}
	switch s {
	case back, out:
		return k.shape == mixed
	case backOnly:
		return k.shape == back || k.kind == scaled && k.par == 1
	case outOnly:
		return k.shape == out || k.kind == scaled && k.par == 1
	}
	return false
}

// classes lists the classes that a filter of the shape weighs.
func (s shape) classes() (list []int) {
	for c := range classes {
		if s.weighs(c) {
			list = append(list, c)
		}
	}
	return list
}

// stray is the class of single samples that nothing explains. Its weight stays at its prior: a
// source that seems to send only such ones rather shows that the oscillator changed its rate.
const stray = nc - 1

const nc = len(classes)

type sampleAt struct {
	source    int
	t, y      float64
	delay     float64
	precision float64
	heat      float64 // the thermometer's integral, K·s
}

// delays is what a source's samples in the window say of its path, ns.
type delays struct {
	least float64 // the least sample
	floor float64 // the least delay that is taken for real
	soft  float64 // how soft a box's edges are
	gap   float64 // from the least sample to the fourth
	thin  float64 // how soft the edges of queues are
	mean  float64 // mean extra delay
}

// way is what is known of one source's path.
type way struct {
	n int
	delays
	used model // what the filters were last run with
	held int   // samples in a row that lay in the tail
}

// groups are those that a path's delays fall into where it has a fast and a slow route. All are 0 where it has not.
type groups struct {
	fast, slow float64 // the groups' medians
	bulk       float64 // the larger one's deviation of offsets
	rare       bool    // the fast one is the smaller
}

// model is what a source's noise is judged by.
type model struct {
	delays
	median float64 // of the delays
	spread float64 // the offsets' deviation, were both ways' delays to vary evenly about their usual
	core   float64 // the same by the quartile that is nearer to the median
	groups
	tail float64 // what is delayed by more was held up: no model of the others is judged by it
}

// hypothesis is one filter of the bank.
type hypothesis struct {
	wander float64
	bias   float64
	shape  shape
	common int   // elements of the state that every shape has
	kinds  []int // the classes that it weighs
	at     float64
	log    float64
	heat   float64   // the thermometer's integral at at
	x      []float64 // offset, rate, biases, with a thermometer the rate's change per K, and where the shape is hard the sources' least delays
	p      []float64 // row-major, square
	w      []float64 // sources × classes: log weights
}

type filter struct {
	started  bool
	n        int          // sources
	d        int          // elements of the state that every shape has
	heat     *thermometer // nil: none
	t0       Raw          // origin of seconds
	ring     []sampleAt
	head, in int // next slot, samples held
	ways     []way
	bank     []hypothesis
	rate0    float64
	var0     float64
	grouped  bool      // all sources' delays fall into two groups, the fast one the smaller
	cold     bool      // nothing was known of the rate: var0 is one of coldStds
	evidence float64   // logarithm of the likelihood of the samples since the last refiltering
	kept     []float64 // scratch: the class weights before a refiltering
	heat0    float64   // what was learned of the rate's change per K
	heatVar0 float64
	stale    int       // samples since the last refiltering
	taken    int       // samples since the last reset
	col      []float64 // scratch
	delays   []float64 // scratch
}

// newFilter returns a filter for so many sources, with a thermometer or without (nil).
func newFilter(sources int, heat *thermometer) filter {
	f := filter{n: sources, d: sources + 2, heat: heat, ring: make([]sampleAt, min(window*max(1, sources), windowMost)), ways: make([]way, sources),
		bank: make([]hypothesis, len(wanders)*len(shapes)*min(sources, len(biases)))}
	if heat != nil {
		f.d++
	}
	d := f.d
	f.heatVar0 = heatStd * heatStd
	f.col, f.delays, f.kept = make([]float64, 2*(d+sources)), make([]float64, 0, len(f.ring)), make([]float64, 0, len(f.bank)*sources*nc)
	for i := range f.bank {
		shape := shapes[i/len(wanders)%len(shapes)]
		n := d
		if shape == hard {
			n += sources
		}
		f.bank[i] = hypothesis{wander: wanders[i%len(wanders)], bias: biases[i/len(wanders)/len(shapes)], shape: shape, common: d, kinds: shape.classes(),
			x: make([]float64, n), p: make([]float64, n*n), w: make([]float64, sources*nc)}
	}
	f.reset()
	return f
}

// reset forgets all samples.
func (f *filter) reset() {
	f.keepHeat()
	f.started, f.in, f.head, f.stale, f.taken = false, 0, 0, 0, 0
	for i := range f.ways {
		f.ways[i] = way{}
	}
	for i := range f.bank {
		f.forgetClasses(i)
	}
}

func (f *filter) forgetClasses(i int) {
	for s := range f.n {
		for c := range classes {
			f.bank[i].w[s*nc+c] = classes[c].prior
		}
	}
}

// coldStds are the hypotheses on the rate of an unknown raw clock, standard deviations in ns/s: a crystal as it
// is sold, and one that is far off, which is rarer. The samples decide while there are no more than coldMost.
var coldStds = [...]float64{30e3, rateUnknown / 30}

const (
	coldMost = 32
	coldRare = -1.5 // logarithm of the prior of each against the one before
)

// start gives the rate that was learned before and its standard deviation, ns/s; 0: nothing was.
func (f *filter) start(rate, std float64) {
	if f.cold = std == 0; f.cold {
		std = coldStds[0]
	}
	f.rate0, f.var0 = rate, std*std
	if f.heat != nil {
		f.rate0 -= f.heat0 * f.heat.warm // the state's rate is that at the first reading
	}
}

// keepHeat makes what was learned of the rate's dependence on temperature, softened, the prior.
func (f *filter) keepHeat() {
	if f.heat == nil || !f.started {
		return
	}
	h, k := f.best(), f.d-1
	f.heat0, f.heatVar0 = h.x[k], math.Min(heatSoften*h.p[k*len(h.x)+k], heatStd*heatStd)
}

// add takes a sample of source s: y measured at t with this delay and precision, ns.
func (f *filter) add(s int, t, y, delay, precision float64) {
	_, heat := f.look(t)
	m := sampleAt{s, t, y, delay, precision, heat}
	f.ring[f.head] = m
	f.head = (f.head + 1) % len(f.ring)
	f.in = min(f.in+1, len(f.ring))
	f.survey(s)
	f.stale++
	f.taken++
	w, u := &f.ways[s], &f.ways[s].used
	changed := math.Abs(w.floor-u.floor) > 0.1*w.soft || w.soft < 0.7*u.soft || w.soft > 1.5*u.soft ||
		w.mean < 0.8*u.mean || w.mean > 1.25*u.mean
	if f.cold && f.in <= coldMost && (f.in <= 8 || f.in%4 == 0) {
		f.decide()
	} else if !f.started || u.soft == 0 || changed && f.stale >= f.in/8 || f.stale >= len(f.ring)/2 {
		f.again()
	} else {
		f.one(&m)
	}
}

// look returns what the thermometer said at the instant t: kelvins above its first reading and their
// integral.
func (f *filter) look(t float64) (warm, sum float64) {
	if f.heat == nil {
		return 0, 0
	}
	return f.heat.look(f.t0 + Raw(t*1e9))
}

// at returns the i-th oldest sample.
func (f *filter) at(i int) *sampleAt {
	return &f.ring[(f.head-f.in+i+len(f.ring))%len(f.ring)]
}

// survey works out the delays of source s over the window.
func (f *filter) survey(s int) {
	w := &f.ways[s]
	w.n = 0
	sum, precision := 0.0, 0.0
	least := [4]float64{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)}
	for i := range f.in {
		m := f.at(i)
		if m.source != s {
			continue
		}
		w.n++
		sum += m.delay
		precision = m.precision
		d := m.delay
		for k := range least {
			if d < least[k] {
				least[k], d = d, least[k]
			}
		}
	}
	last := least[0]
	for _, l := range least {
		if !math.IsInf(l, 1) {
			last = l
		}
	}
	gap := last - least[0]
	w.least, w.floor = least[0], math.Max(least[0]-deltaK*gap, 0)
	// Of few samples nothing is known of the noise yet; a share of the delay stands in for it.
	n := float64(w.n)
	w.gap = gap
	few := fewShare * w.least / (n * n)
	w.soft, w.thin = precision+softK*gap+few, precision+thinK*gap+few
	w.mean = math.Max(sum/n-w.floor, precision+fewShare*w.least/n)
}

// fewShare is the share of the least delay that a path's noise is taken for until samples tell.
const fewShare = 0.05

const (
	sidedK = 0.4  // the same where one way makes all of it: least samples then come nearer
	deltaK = 0.8  // how far below its least sample the least delay lies, in gaps to the fourth
	softK  = 0.15 // how soft that makes the edges of a box
	thinK  = 0.02 // the same of queues, whose least delay is learned …
	// … and lies no further below the least sample, in gaps: that of two exponentials does so in one of 10^6 paths.
	farBelow = 4.0
	pairMost = 40.0 // the square of so many deviations in one sample
)

const (
	spreadLeast = 12  // samples until quantiles of the delay are believed
	heldMost    = 1   // samples in a row that lie in the tail by chance
	tailK       = 2.0 // where the tail begins: distance from the upper quartile in interquartile ranges
)

// quantiles works out what is usual for source s. One lone sample moves the least delay, and a few
// that were held up move the mean; neither moves these.
func (f *filter) quantiles(s int) {
	x, precision := f.delays[:0], 0.0
	for i := range f.in {
		if m := f.at(i); m.source == s {
			x, precision = append(x, m.delay), m.precision
		}
	}
	u, n := &f.ways[s].used, len(x)
	if n == 0 {
		return
	}
	slices.Sort(x)
	u.median, u.spread, u.core, u.tail = x[n/2], u.mean, u.mean, math.Inf(1)
	if n < spreadLeast {
		return
	}
	// A sixth of a normal distribution lies a deviation below its median, a twentieth 1.64 of them.
	u.spread = max((x[n/2]-x[n/6])/2, (x[n/2]-x[n/20])/3.29, u.soft)
	u.core = max(min(x[n/2]-x[n/4], x[n*3/4]-x[n/2])/1.35, u.soft)
	u.groups = grouped(x, precision)
	u.tail = x[n*3/4] + tailK*(x[n*3/4]-x[n/4]) + u.soft
}

// grouped splits sorted delays at their widest gap, if that is wide beside the groups. A lone sample is no route.
func grouped(x []float64, precision float64) groups {
	split := 1
	for i := 2; i < len(x); i++ {
		if x[i]-x[i-1] > x[split]-x[split-1] {
			split = i
		}
	}
	lower, upper := x[:split], x[split:]
	few, many := lower, upper
	rare := len(lower) < len(upper)
	if !rare {
		few, many = upper, lower
	}
	bulk := (many[len(many)*3/4]-many[len(many)/4])/2.7 + precision
	if len(few) < 2 || upper[0]-lower[len(lower)-1] < max(8*bulk, few[len(few)-1]-few[0]) {
		return groups{}
	}
	return groups{lower[len(lower)/2], upper[len(upper)/2], bulk, rare}
}

// decide filters the window under each hypothesis on the rate, and keeps what the likelier one gives.
func (f *filter) decide() {
	f.keepHeat()
	f.kept = f.kept[:0]
	for i := range f.bank {
		f.kept = append(f.kept, f.bank[i].w...)
	}
	best, top := 0, math.Inf(-1)
	try := func(i int) {
		f.var0 = coldStds[i] * coldStds[i]
		kept := f.kept
		for j := range f.bank {
			kept = kept[copy(f.bank[j].w, kept):]
		}
		f.run()
	}
	for i := range coldStds {
		try(i)
		if e := f.evidence + float64(i)*coldRare; e > top {
			best, top = i, e
		}
	}
	if best != len(coldStds)-1 {
		try(best)
	}
}

// again filters the window anew.
func (f *filter) again() {
	f.keepHeat()
	f.run()
}

// run runs all samples of the window through the bank.
func (f *filter) run() {
	f.stale = 0
	for i := range f.ways {
		w := &f.ways[i]
		w.used = model{delays: w.delays}
		w.held = 0
		f.quantiles(i)
		f.grouped = (i == 0 || f.grouped) && (w.n == 0 || w.used.rare)
	}
	near := math.Inf(1)
	for i := range f.ways {
		if f.ways[i].n > 0 {
			near = min(near, max(f.ways[i].least, 1)) // a round trip of 0 ns is below the clock's grain
		}
	}
	first := f.at(0)
	for i := range f.bank {
		h := &f.bank[i]
		d := len(h.x)
		h.log = f.prior(h.shape)
		h.at, h.heat = first.t, first.heat
		for k := range h.p {
			h.p[k] = 0
		}
		for k := range h.x {
			h.x[k] = 0
		}
		h.x[0], h.x[1] = first.y, f.rate0
		h.p[0] = 1e4*first.delay*first.delay + 1e12
		h.p[d+1] = f.var0
		for s := range f.n {
			b := 1.0
			if w := &f.ways[s]; w.n > 0 {
				b += h.bias * w.least * min(max(1, math.Sqrt(w.least/max(near, 1)/farFrom)), farMost)
			}
			h.p[(2+s)*d+2+s] = b * b
		}
		if k := f.d - 1; f.heat != nil {
			h.x[k], h.p[k*d+k] = f.heat0, f.heatVar0
		}
		if h.shape == hard {
			for s := range f.n {
				k, u := f.d+s, &f.ways[s].used
				h.x[k], h.p[k*d+k] = u.floor, (u.gap+u.thin)*(u.gap+u.thin)
			}
		}
		// What was learned of the noise is kept, softened, as the prior.
		for k := range h.w {
			h.w[k] = 0.5 * h.w[k]
		}
	}
	f.started, f.evidence = true, 0
	for i := range f.in {
		f.one(f.at(i))
	}
}

// one gives a sample to every hypothesis.
func (f *filter) one(m *sampleAt) {
	w := &f.ways[m.source]
	if w.held++; m.delay <= w.used.tail {
		w.held = 0
	}
	var calm [len(shapes)]float64
	for s := range calm {
		calm[s] = math.Inf(-1)
		for i := s * len(wanders); i < len(f.bank); i += len(shapes) * len(wanders) {
			calm[s] = math.Max(calm[s], steep[leader(f.bank[i:i+len(wanders)])])
		}
	}
	for i := range f.bank {
		h := &f.bank[i]
		pull := f.prior(h.shape) + math.Min(calm[i/len(wanders)%len(shapes)], steepest[i%len(wanders)])
		h.log += (pull-h.log)*memoryLog/float64(f.n) + trust*h.update(m, w, f.heat != nil, f.col)
	}
	top := likeliest(f.bank)
	f.evidence += top
	for i := 0; i < len(f.bank); i += len(wanders) {
		group := f.bank[i : i+len(wanders)]
		own := likeliest(group)
		lift := math.Max(own-top, math.Min(leastLog, f.prior(group[0].shape))) - own
		for k := range group {
			group[k].log = math.Max(group[k].log, own+leastWander) + lift
		}
	}
}

// leader is the index of the likeliest filter, the first where there are several.
func leader(bank []hypothesis) int {
	best := 0
	for i := range bank {
		if bank[i].log > bank[best].log {
			best = i
		}
	}
	return best
}

// likeliest is the greatest logarithm among filters.
func likeliest(bank []hypothesis) float64 { return bank[leader(bank)].log }

// weigh gives each filter's say, and their sum.
func (f *filter) weigh(ws []float64) (sum float64) {
	top := likeliest(f.bank)
	for i := 0; i < len(f.bank); i += len(wanders) {
		group := f.bank[i : i+len(wanders)]
		mute := math.Exp(likeliest(group) + leastWander - top)
		for k := range group {
			ws[i+k] = math.Max(math.Exp(group[k].log-top)-mute, 0)
			sum += ws[i+k]
		}
	}
	return sum
}

const (
	invSqrt2   = 1 / math.Sqrt2
	logSqrt2Pi = 0.91893853320467274178
)

var leastWeight = math.Exp(leastLog)

// update enters one sample and returns the logarithm of its likelihood.
func (h *hypothesis) update(m *sampleAt, w *way, heat bool, col []float64) float64 {
	h.advance(m, heat)
	if h.shape == hard {
		return h.updatePair(m, w, col)
	}
	return h.updateOne(m, w, col)
}

// advance carries the state to the instant of a sample.
func (h *hypothesis) advance(m *sampleAt, heat bool) {
	d, p := len(h.x), h.p
	dt := m.t - h.at
	if dt <= 0 {
		return
	}
	h.x[0] += h.x[1] * dt
	for k := range d { // row 0 += dt·row 1
		p[k] += dt * p[d+k]
	}
	for k := range d { // column likewise
		p[k*d] += dt * p[k*d+1]
	}
	if heat {
		warm, k := m.heat-h.heat, h.common-1
		h.x[0] += h.x[k] * warm
		for j := range d {
			p[j] += warm * p[k*d+j]
		}
		for j := range d {
			p[j*d] += warm * p[j*d+k]
		}
		p[k*d+k] += heatWander * dt
		h.heat = m.heat
	}
	p[0] += h.wander*dt*dt*dt/3 + phaseNoise*dt
	p[1] += h.wander * dt * dt / 2
	p[d] = p[1]
	p[d+1] += h.wander * dt
	h.at = m.t
}

// updateOne enters a sample whose delay says how much it tells of the offset.
func (h *hypothesis) updateOne(m *sampleAt, w *way, col []float64) float64 {
	d, p := len(h.x), h.p
	b := 2 + m.source
	// What is measured is s = offset + bias.
	mean := h.x[0] + h.x[b]
	for k := range d {
		col[k] = p[k*d] + p[k*d+b]
	}
	vs := col[0] + col[b]
	if !(vs > 0) {
		vs = 1
	}
	floor := w.used.floor
	if h.shape.sided() {
		floor = max(w.used.least-sidedK*w.used.gap, 0)
	}
	e := max(m.delay-floor, 0)
	soft := w.used.soft
	// Each class gives its evidence and the moments that s has after the sample.
	var logs, ms, vars [nc]float64
	cw := h.w[m.source*nc : (m.source+1)*nc]
	top := math.Inf(-1)
	for _, c := range h.kinds {
		switch k := &classes[c]; k.kind {
		case box:
			logs[c], ms[c], vars[c] = boxUpdate(mean, vs, m.y, e, soft, k.par/w.used.mean)
		case edgy:
			r := soft*soft + e*e/400
			logs[c], ms[c], vars[c] = gaussUpdate(mean, vs, m.y+k.par*e/2, r)
		case level:
			r := k.par * w.used.mean
			logs[c], ms[c], vars[c] = gaussUpdate(mean, vs, m.y, r*r+m.precision*m.precision)
		case scaled:
			r := k.par * soft
			logs[c], ms[c], vars[c] = gaussUpdate(mean, vs, m.y, r*r+e*e/12)
		case strays:
			// If all extra delay lies on one way, a sample that has none can't stray.
			floor := w.used.mean
			if h.shape.sided() {
				floor = soft
			}
			logs[c], ms[c], vars[c] = gaussUpdate(mean, vs, m.y, e*e+floor*floor)
		case usual:
			over := max(m.delay-w.used.median, 0)
			r := k.par * w.used.spread
			logs[c], ms[c], vars[c] = gaussUpdate(mean, vs, m.y, r*r+over*over/12+m.precision*m.precision)
		case around:
			off := m.delay - w.used.median
			if w.used.rare {
				off = max(off, 0) // a fast route isn't early
			}
			r := k.par * w.used.core
			logs[c], ms[c], vars[c] = gaussUpdate(mean, vs, m.y, r*r+off*off/12+m.precision*m.precision)
		case routes:
			z, r, over := m.y, soft, e
			if g := &w.used.groups; g.fast > 0 {
				r, over = g.bulk, m.delay-g.fast
				if more := g.slow - g.fast; over > more/2 {
					z += k.par * more / 2
					over -= more
				}
				over = max(over, 0)
			}
			logs[c], ms[c], vars[c] = gaussUpdate(mean, vs, z, r*r+over*over/12)
		}
		top = max(top, logs[c]+cw[c])
	}
	var wt [nc]float64
	sum, evidence := h.weighClasses(&wt, &logs, cw, top)
	mm, vv := 0.0, 0.0
	for _, c := range h.kinds {
		mm += wt[c] * ms[c]
	}
	mm /= sum
	for _, c := range h.kinds {
		dm := ms[c] - mm
		vv += wt[c] / sum * (vars[c] + dm*dm)
	}
	h.learnClasses(&logs, cw, w)
	// Moment matching: s went from (mean, vs) to (mm, vv); the rest of the state follows.
	if !(vv > 0) || math.IsInf(vv, 0) || math.IsNaN(mm) {
		return leastLog // beyond what float64 can weigh: as if it had not been taken
	}
	g := (mm - mean) / vs
	q := (vs - vv) / (vs * vs)
	for k := range d {
		h.x[k] += col[k] * g
	}
	for i := range d {
		for k := i; k < d; k++ {
			v := p[i*d+k] - col[i]*col[k]*q
			p[i*d+k], p[k*d+i] = v, v
		}
		p[i*d+i] = max(p[i*d+i], 0) // cancellation, where a start knew next to nothing
	}
	return evidence
}

// weighClasses gives the weight that each class has after a sample, their sum, and the logarithm of the sample's
// likelihood. top is the greatest of the classes'.
func (h *hypothesis) weighClasses(wt, logs *[nc]float64, cw []float64, top float64) (sum, evidence float64) {
	norm := 0.0
	for _, c := range h.kinds {
		if cw[c] > leastLog {
			norm += math.Exp(cw[c])
		} else {
			norm += leastWeight
		}
		if x := logs[c] + cw[c] - top; x > -40 {
			wt[c] = math.Exp(x)
		}
		sum += wt[c]
	}
	return sum, top + math.Log(sum/norm)
}

// learnClasses enters what a sample says of the classes.
func (h *hypothesis) learnClasses(logs *[nc]float64, cw []float64, w *way) {
	most := math.Inf(-1)
	for _, c := range h.kinds {
		// A single stray does not tell the models apart, nor do samples that were held up: load that
		// holds up one way only would make the bulk's extra delay look one-sided too.
		// When they go on, the path has changed.
		l := max(logs[c], logs[stray]+classes[stray].prior)
		if w.held > 0 && w.held <= heldMost {
			l = 0
		}
		cw[c] = (cw[c]+l)*(1-memoryLog) + memoryLog*classes[c].prior
		if c != stray {
			most = max(most, cw[c])
		}
	}
	for _, c := range h.kinds {
		cw[c] = max(cw[c]-most, leastLog)
	}
	cw[stray] = classes[stray].prior
}

// pair is what is known of a source's offset and bias together, s, and of its least delay, f.
type pair struct{ s, f, ss, sf, ff float64 }

// learn enters that s + k·f went from mean m and variance v to m1 and v1.
func (q *pair) learn(k, m, v, m1, v1 float64) {
	cs, cf := q.ss+k*q.sf, q.sf+k*q.ff
	g, r := (m1-m)/v, (v-v1)/(v*v)
	q.s += cs * g
	q.f += cf * g
	q.ss -= cs * cs * r
	q.sf -= cs * cf * r
	q.ff -= cf * cf * r
}

// updatePair enters a sample that tells of the offset and of the least delay: what the way out takes too long is
// z + delay/2 − (s + f/2), what the way back does (s − f/2) − (z − delay/2), each an exponential that is never below 0.
// So the least delay is known the better the nearer the earliest packets of each way come to each other.
func (h *hypothesis) updatePair(m *sampleAt, w *way, col []float64) float64 {
	d, p, u := len(h.x), h.p, &w.used
	b, l := 2+m.source, h.common+m.source
	// The least delay is never known so well that it couldn't be learned anew.
	p[l*d+l] = max(p[l*d+l], u.thin*u.thin/64)
	cs, cf := col[:d], col[d:2*d]
	for k := range d {
		cs[k], cf[k] = p[k*d]+p[k*d+b], p[k*d+l]
	}
	was := pair{h.x[0] + h.x[b], h.x[l], cs[0] + cs[b], cs[l], cf[l]}
	if !(was.ss > 0) {
		was.ss = 1
	}
	// The median of two exponentials' sum is 1.68 of their means; some that were held up don't move it.
	each := max(min(u.mean/2, (u.median-u.floor)/1.68), u.thin)
	var logs, delays [nc]float64
	var qs [nc]pair
	cw := h.w[m.source*nc : (m.source+1)*nc]
	top, given := math.Inf(-1), math.Inf(-1)
	e := m.delay - was.f
	noise := math.Sqrt(was.ff + 2*u.thin*u.thin)
	for _, c := range h.kinds {
		q, k := was, &classes[c]
		out, back := max(k.par*each, u.thin), max(k.par*each, u.thin)
		delays[c] = queueDelay(e, noise, out)
		switch k.kind {
		case unlike:
			out, back = max(2*k.par*each, u.thin), max(2*(1-k.par)*each, u.thin)
			delays[c] = unlikeDelay(e, noise, max(out, back), min(out, back))
			fallthrough
		case queues:
			mean, v := q.s+q.f/2, q.ss+q.sf+q.ff/4
			first, m1, v1 := queueUpdate(mean, v, m.y+m.delay/2, u.thin, out)
			q.learn(0.5, mean, v, m1, v1)
			mean, v = q.s-q.f/2, q.ss-q.sf+q.ff/4
			second, m1, v1 := queueUpdate(-mean, v, m.delay/2-m.y, u.thin, back)
			q.learn(-0.5, mean, v, -m1, v1)
			logs[c] = first + second
		case strays:
			log, m1, v1 := gaussUpdate(q.s, q.ss, m.y, max(e, 0)*max(e, 0)+u.mean*u.mean)
			q.learn(0, q.s, q.ss, m1, v1)
			delays[c] = -math.Log(u.mean) - max(e, 0)/u.mean
			logs[c] = log + delays[c]
		}
		qs[c] = q
		given = max(given, delays[c]+cw[c])
		top = max(top, logs[c]+cw[c])
	}
	var wt [nc]float64
	sum, evidence := h.weighClasses(&wt, &logs, cw, top)
	// The other shapes take a sample's delay as given, so what explains it as well is judged by what is left.
	var wd [nc]float64
	_, delay := h.weighClasses(&wd, &delays, cw, given)
	var now pair
	for _, c := range h.kinds {
		now.s += wt[c] / sum * (qs[c].s - was.s)
		now.f += wt[c] / sum * (qs[c].f - was.f)
	}
	// No sample is below the least delay, and with some of them none lies far above it: a filter that goes astray would
	// make room for itself.
	now.s, now.f = was.s+now.s, min(max(was.f+now.f, u.least-farBelow*(u.gap+u.thin)), u.least)
	for _, c := range h.kinds {
		x, y := qs[c].s-now.s, qs[c].f-now.f
		now.ss += wt[c] / sum * (qs[c].ss + x*x)
		now.sf += wt[c] / sum * (qs[c].sf + x*y)
		now.ff += wt[c] / sum * (qs[c].ff + y*y)
	}
	h.learnClasses(&logs, cw, w)
	if !(now.ss > 0) || !(now.ff > 0) || math.IsInf(now.ss+now.ff, 0) || math.IsNaN(now.s+now.f+now.sf) {
		return leastLog // as in updateOne
	}
	// The rest of the state follows: with S the covariance of s and f before, by S⁻¹ and S⁻¹(S − now)S⁻¹.
	det := was.ss*was.ff - was.sf*was.sf
	iss, isf, iff := was.ff/det, -was.sf/det, was.ss/det
	gs, gf := iss*(now.s-was.s)+isf*(now.f-was.f), isf*(now.s-was.s)+iff*(now.f-was.f)
	if far := gs*(now.s-was.s) + gf*(now.f-was.f); !(det > 1e-9*was.ss*was.ff) || far > pairMost || now.ss > 16*was.ss || now.ff > 16*was.ff {
		// A filter that is this far off learns nothing of the path, and it is beyond float64: the offset alone moves.
		clear(cf)
		was.sf, now.sf, now.f, now.ff = 0, 0, was.f, was.ff
		iss, isf, iff = 1/was.ss, 0, 0
		gs, gf = iss*(now.s-was.s), 0
	}
	dss, dsf, dff := was.ss-now.ss, was.sf-now.sf, was.ff-now.ff
	ass, asf, afs, aff := iss*dss+isf*dsf, iss*dsf+isf*dff, isf*dss+iff*dsf, isf*dsf+iff*dff
	qss, qsf, qff := ass*iss+asf*isf, ass*isf+asf*iff, afs*isf+aff*iff
	for k := range d {
		h.x[k] += cs[k]*gs + cf[k]*gf
	}
	for i := range d {
		s, f := cs[i]*qss+cf[i]*qsf, cs[i]*qsf+cf[i]*qff
		for k := i; k < d; k++ {
			v := p[i*d+k] - s*cs[k] - f*cf[k]
			p[i*d+k], p[k*d+i] = v, v
		}
		p[i*d+i] = max(p[i*d+i], 0)
	}
	return evidence - delay
}

// queueUpdate: s ~ N(m, v); s with Gaussian noise of deviation soft lies below edge by an exponential of that mean.
func queueUpdate(m, v, edge, soft, mean float64) (log, m1, v1 float64) {
	all := v + soft*soft
	shifted, sd := m+all/mean, math.Sqrt(all)
	l, d1, d2 := under((edge - shifted) / sd)
	log = l - math.Log(mean) - (edge-m)/mean + all/(2*mean*mean)
	g := v / all
	return log, m + g*(shifted+sd*d1-m), v - g*v + g*g*all*max(1+d2, 1e-9)
}

// under returns log Φ(b) and its first and second derivatives by a shift of the mean: truncated without a lower end.
func under(b float64) (log, d1, d2 float64) {
	if b < -25 {
		return -0.5*b*b - math.Log(-b) - logSqrt2Pi, b, -1 + 1/(b*b)
	}
	z := 0.5 * math.Erfc(-b*invSqrt2)
	d1 = -math.Exp(-0.5*b*b-logSqrt2Pi) / z
	return math.Log(z), d1, b*d1 - d1*d1
}

// queueDelay is the logarithm of the density of an extra delay e: two exponentials of that mean, and noise of deviation sd.
func queueDelay(e, sd, mean float64) float64 {
	// The exponential's slope moves the noise by sd²/mean.
	k := sd / mean
	x := e/sd - k
	log := 0.5*k*k - e/mean + math.Log(sd/mean/mean)
	if x < -5 {
		return log - 0.5*x*x - 2*math.Log(-x) - logSqrt2Pi
	}
	return log + math.Log(x*0.5*math.Erfc(-x*invSqrt2)+math.Exp(-0.5*x*x-logSqrt2Pi))
}

// unlikeDelay is the same for two exponentials of unlike means.
func unlikeDelay(e, sd, long, short float64) float64 {
	if long < 1.5*short {
		return queueDelay(e, sd, (long+short)/2)
	}
	x := e / sd
	soft := sd * math.Exp(-0.5*x*x-logSqrt2Pi) / (x * x) // the noise's mean beyond −e, far below
	if x > -5 {
		soft = e*0.5*math.Erfc(-x*invSqrt2) + sd*math.Exp(-0.5*x*x-logSqrt2Pi)
	}
	return math.Log(max(-math.Expm1(-soft*(1/short-1/long)), 1e-300)) - math.Log(long-short) - max(e, 0)/long
}

// gaussUpdate is Kalman's: s ~ N(m, v), measured z with variance r.
func gaussUpdate(m, v, z, r float64) (log, mean, variance float64) {
	k := 1 / (v + r)
	d := z - m
	return -logSqrt2Pi + 0.5*math.Log(k) - 0.5*d*d*k, m + v*k*d, v * r * k
}

// boxUpdate: s ~ N(m, v); s with Gaussian noise of deviation soft lies within e/2 of z, where the
// density's logarithm is tilted by tilt per ns.
func boxUpdate(m, v, z, e, soft, tilt float64) (log, mean, variance float64) {
	all := v + soft*soft // of s with the noise
	half := e / 2
	if half < 0.5*soft {
		// Nearly a point.
		return gaussUpdate(m, v, z, soft*soft+e*e/12)
	}
	shifted := m
	if tilt != 0 {
		if te := math.Abs(tilt * e); te > 1e-6 {
			// The density over the box has the integral 1; beyond 600 sinh is half an exponential.
			if te < 600 {
				log = -math.Log(math.Sinh(te/2) * 2 / te)
			} else {
				log = math.Log(te) - te/2
			}
		}
		log += tilt*(m-z) + tilt*tilt*all/2
		shifted += all * tilt
	}
	sd := math.Sqrt(all)
	l, d1, d2 := truncated((z-half-shifted)/sd, (z+half-shifted)/sd)
	log += l - math.Log(e)
	// From s with the noise back to s.
	g := v / all
	mean = m + g*(shifted+sd*d1-m)
	variance = v - g*v + g*g*all*max(1+d2, 1e-9)
	return log, mean, max(variance, 1e-6*v)
}

// truncated returns log(Φ(b) − Φ(a)) and its first and second derivatives by a shift of the
// mean, in units of the deviation.
func truncated(a, b float64) (log, d1, d2 float64) {
	if a > 0 { // by symmetry stay where erfc is accurate
		log, d1, d2 = truncated(-b, -a)
		return log, -d1, d2
	}
	if b-a < 1e-6 {
		x := (a + b) / 2
		return -0.5*x*x - logSqrt2Pi + math.Log(max(b-a, 1e-300)), x, -1
	}
	if b < -25 {
		// Far in the tail the mass sits at b's edge.
		return -0.5*b*b - math.Log(-b) - logSqrt2Pi, b, -1 + 1/(b*b)
	}
	za := math.Exp(-0.5*a*a - logSqrt2Pi)
	zb := math.Exp(-0.5*b*b - logSqrt2Pi)
	z := 0.5 * (math.Erfc(-b*invSqrt2) - math.Erfc(-a*invSqrt2))
	if !(z > 1e-300) {
		z = 1e-300
	}
	d1 = (za - zb) / z
	d2 = (a*za-b*zb)/z - d1*d1
	return math.Log(z), d1, d2
}

// present returns the bank's opinion at now.
func (f *filter) present(now float64) estimate {
	if !f.started {
		warm, _ := f.look(now)
		return estimate{at: now, rate: f.rate0 + f.heat0*warm, prr: f.var0}
	}
	var es [len(wanders) * len(shapes) * len(biases)]estimate
	var ws [len(wanders) * len(shapes) * len(biases)]float64
	var out estimate
	warm, heat := f.look(now)
	sum := f.weigh(ws[:])
	for i := range f.bank {
		h := &f.bank[i]
		es[i] = h.estimate(now, f.heat != nil, warm, heat)
		out.y += ws[i] * (es[i].y - es[0].y)
		out.rate += ws[i] * es[i].rate
	}
	out.y = es[0].y + out.y/sum
	out.rate /= sum
	out.at = now
	for i := range f.bank {
		w, dy, dr := ws[i]/sum, es[i].y-out.y, es[i].rate-out.rate
		out.pyy += w * (es[i].pyy + dy*dy)
		out.pyr += w * (es[i].pyr + dy*dr)
		out.prr += w * (es[i].prr + dr*dr)
	}
	return out
}

// estimate is the hypothesis's opinion at the instant t, with the thermometer warm K above its first
// reading and its integral heat K·s.
func (h *hypothesis) estimate(t float64, thermometer bool, warm, heat float64) estimate {
	d, p := len(h.x), h.p
	e := estimate{h.at, h.x[0], h.x[1], p[0], p[1], p[d+1]}.to(t, h.wander)
	if !thermometer {
		return e
	}
	// The offset moves by what was warmer since the last sample, the rate by what is warmer now.
	k, since := h.common-1, heat-h.heat
	e.y += h.x[k] * since
	e.rate += h.x[k] * warm
	pyk, prk, pkk := p[k]+math.Max(t-h.at, 0)*p[d+k], p[d+k], p[k*d+k]
	e.pyy += since * (2*pyk + since*pkk)
	e.pyr += warm*pyk + since*(prk+warm*pkk)
	e.prr += warm * (2*prk + warm*pkk)
	return e
}

// best is the hypothesis that is the likeliest.
func (f *filter) best() *hypothesis { return &f.bank[leader(f.bank)] }

// expect returns what source s would measure at t, and its variance, by the best hypothesis.
func (f *filter) expect(s int, t float64) (mean, variance float64) {
	h := f.best()
	d, b, dt := len(h.x), 2+s, t-h.at
	mean = h.x[0] + h.x[1]*dt + h.x[b]
	if f.heat != nil {
		_, heat := f.look(t)
		mean += h.x[f.d-1] * (heat - h.heat)
	}
	variance = h.p[0] + h.p[b*d+b] + 2*h.p[b] + dt*dt*h.p[d+1] + 2*dt*(h.p[1]+h.p[d+b])
	return mean, math.Max(variance, 0) + h.wander*math.Abs(dt*dt*dt)/3
}

// drop forgets what source s measured: it turned out to lie.
func (f *filter) drop(s int) {
	kept := 0
	for i := range f.in {
		if m := *f.at(i); m.source != s {
			*f.at(kept) = m
			kept++
		}
	}
	f.head = (f.head - (f.in - kept) + len(f.ring)) % len(f.ring)
	f.in = kept
	f.ways[s] = way{}
	for i := range f.bank {
		for c := range classes {
			f.bank[i].w[s*nc+c] = classes[c].prior
		}
	}
	if f.in == 0 {
		f.started = false
		return
	}
	f.again()
}
