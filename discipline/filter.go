package discipline

import "math"

// The estimator: a bank of Kalman filters over one common state (offset, rate, one bias a source, and for some
// shapes of delay one least delay a source), one filter a hypothesis on how much the oscillator wanders, how unequal
// paths are, and what shape their delays have (shapes.go). Each source's noise is itself a small mixture of
// hypotheses: how an exchange's extra delay divides between the way out and the way back, or that only what exceeds the
// usual delay says anything, or nothing does. What samples say of a path is worked out in delays.go, how one changes a
// filter in update.go. All are weighted by likelihood; nothing is tuned to a kind of network. The bound does not depend
// on any of it.

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
	// A filter that is further from the likeliest of its kind than so many variances of both has no say by one sample that
	// is late by as much as to lie where it expects one: it falls further behind, and comes forward by that much a sample.
	astrayMost = 25.0
	astrayRise = 3.0
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

type sampleAt struct {
	source    int
	t, y      float64
	delay     float64
	precision float64
	heat      float64 // the thermometer's integral, K·s
}

// hypothesis is one filter of the bank.
type hypothesis struct {
	wander float64
	bias   float64
	shape  shape
	common int // elements of the state that every shape has
	at     float64
	log    float64
	was    float64   // log before the last sample
	heat   float64   // the thermometer's integral at at
	x      []float64 // offset, rate, biases, with a thermometer the rate's change per K, and where the shape is hard the sources' least delays
	p      []float64 // row-major, square
	w      []float64 // sources × classes: log weights
	odd    []int     // a source's samples in a row with a delay that queues don't explain
}

type filter struct {
	started   bool
	n         int          // sources
	ns        int          // shapes
	d         int          // elements of the state that every shape has
	heat      *thermometer // nil: none
	t0        Raw          // origin of seconds
	ring      []sampleAt
	head, in  int // next slot, samples held
	ways      []way
	bank      []hypothesis
	rate0     float64
	var0      float64
	alone     []hypothesis // scratch: one source's own filters, one a shape
	unlike    bool         // paths are of different shapes: filters that take each for what it is have a say
	grouped   bool         // all sources' delays fall into two groups, the fast one the smaller
	cold      bool         // nothing was known of the rate: var0 is one of coldStds
	evidence  float64      // logarithm of the likelihood of the samples since the last refiltering
	kept      []float64    // scratch: the class weights before a refiltering
	heat0     float64      // what was learned of the rate's change per K
	heatVar0  float64
	stale     int       // samples since the last refiltering
	taken     int       // samples since the last reset
	told      int       // the same when shapes were last told apart; 0: they never were
	col       []float64 // scratch
	delays    []float64 // scratch
	unequal   []float64 // one deviation of what unequal paths move a source's offset by, ns, where filters allow for it
	guesses   []guess   // scratch
	leaning   leaning
	reference reference
}

// newFilter returns a filter for so many sources, with a thermometer or without (nil).
func newFilter(sources int, heat *thermometer) filter {
	ns := len(shapes)
	if sources < 2 {
		ns-- // one path isn't unlike others
	}
	f := filter{n: sources, ns: ns, d: sources + 2, heat: heat, ring: make([]sampleAt, min(window*max(1, sources), windowMost)), ways: make([]way, sources),
		bank: make([]hypothesis, len(wanders)*ns*min(sources, len(biases)))}
	if heat != nil {
		f.d++
	}
	d := f.d
	f.heatVar0 = heatStd * heatStd
	f.unequal, f.guesses = make([]float64, sources), make([]guess, 0, (len(inequalities)+1)*guessesMost)
	f.col, f.delays, f.kept = make([]float64, 2*(d+sources)), make([]float64, 0, len(f.ring)), make([]float64, 0, len(f.bank)*sources*nc)
	for i := range f.bank {
		f.bank[i] = newHypothesis(shapes[i/len(wanders)%ns], sources, d)
		f.bank[i].wander, f.bank[i].bias = wanders[i%len(wanders)], biases[i/len(wanders)/ns]
	}
	if sources > 1 {
		for _, s := range shapes[:ns-1] {
			f.alone = append(f.alone, newHypothesis(s, 1, d-sources+1))
		}
	}
	f.reset()
	return f
}

// newHypothesis returns a filter of so many sources and elements of the state that every shape has.
func newHypothesis(s shape, sources, common int) hypothesis {
	n := common
	if s == hard || s == apart {
		n += sources
	}
	return hypothesis{shape: s, common: common, x: make([]float64, n), p: make([]float64, n*n), w: make([]float64, sources*nc), odd: make([]int, sources)}
}

// reset forgets all samples.
func (f *filter) reset() {
	f.keepHeat()
	f.started, f.in, f.head, f.stale, f.taken, f.told = false, 0, 0, 0, 0, 0
	f.leaning, f.reference = leaning{}, reference{}
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
	} else if !f.started || u.soft == 0 || changed && f.stale >= f.in/8 || f.stale >= len(f.ring)/2 || w.least < u.least-shorterK*u.soft {
		f.again()
	} else {
		f.one(&m)
		f.lean()
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
	f.tellApart()
	first := f.at(0)
	for i := range f.bank {
		h := &f.bank[i]
		d := len(h.x)
		h.log = h.shape.prior(f.grouped)
		if f.idle(h) {
			h.log = math.Inf(-1)
		}
		f.begin(h, first)
		for s := range f.n {
			b := 1.0
			if w := &f.ways[s]; w.n > 0 {
				b += h.bias * w.least * min(max(1, math.Sqrt(w.least/max(near, 1)/farFrom)), farMost)
			}
			if h.bias == biases[0] {
				f.unequal[s] = b
			}
			h.x[2+s], h.p[(2+s)*d+2+s] = f.ways[s].detour, b*b
		}
		if len(h.x) > f.d {
			for s := range f.n {
				h.beginLeast(s, &f.ways[s].used)
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
	f.lean()
}

// begin lets a filter know what is known before its first sample, of all but paths.
func (f *filter) begin(h *hypothesis, first *sampleAt) {
	d := len(h.x)
	clear(h.x)
	clear(h.p)
	clear(h.odd)
	h.at, h.heat = first.t, first.heat
	h.x[0], h.x[1] = first.y, f.rate0
	h.p[0], h.p[d+1] = 1e4*first.delay*first.delay+1e12, f.var0
	if k := h.common - 1; f.heat != nil {
		h.x[k], h.p[k*d+k] = f.heat0, f.heatVar0
	}
}

// beginLeast lets it know what the samples of source s tell of the least delay.
func (h *hypothesis) beginLeast(s int, u *model) {
	k := h.common + s
	h.x[k], h.p[k*len(h.x)+k] = u.floor, (u.gap+u.thin)*(u.gap+u.thin)
}

// one gives a sample to every hypothesis.
func (f *filter) one(m *sampleAt) {
	w := &f.ways[m.source]
	w.hold(m.delay)
	var calm [len(shapes)]float64
	for s := range f.ns {
		calm[s] = math.Inf(-1)
		for i := s * len(wanders); i < len(f.bank); i += f.ns * len(wanders) {
			calm[s] = math.Max(calm[s], steep[leader(f.bank[i:i+len(wanders)])])
		}
	}
	for i := range f.bank {
		h := &f.bank[i]
		if f.idle(h) {
			continue
		}
		h.was = h.log
		pull := h.shape.prior(f.grouped) + math.Min(calm[i/len(wanders)%f.ns], steepest[i%len(wanders)])
		h.log += (pull-h.log)*memoryLog/float64(f.n) + trust*h.update(m, w, f.heat != nil, f.col)
		for k := f.d; k < len(h.x); k++ { // the others' least delays, too, move with what is learned of one
			if w := &f.ways[k-f.d]; w.n > 0 {
				h.x[k] = w.used.limit(h.x[k])
			}
		}
	}
	top := likeliest(f.bank)
	f.evidence += top
	for i := 0; i < len(f.bank); i += len(wanders) {
		group := f.bank[i : i+len(wanders)]
		if f.idle(&group[0]) {
			continue
		}
		lead := &group[leader(group)]
		own := lead.log
		lift := math.Max(own-top, math.Min(leastLog, group[0].shape.prior(f.grouped))) - own
		for k := range group {
			h, least := &group[k], leastWander
			if h.contradicts(lead, m.source) {
				least = leastLog
				h.log = math.Min(h.log, own+h.was-lead.was+astrayRise)
			}
			h.log = math.Max(h.log, own+least) + lift
		}
	}
}

// contradicts tells whether a filter does that to another one of the same shape on what source s would measure now.
func (h *hypothesis) contradicts(other *hypothesis, s int) bool {
	m, v := h.expect(s, 0)
	m1, v1 := other.expect(s, 0)
	return (m-m1)*(m-m1) > astrayMost*(v+v1)
}

// idle tells whether a filter has no say: paths are alike, and it would be one more of those that take them for that.
func (f *filter) idle(h *hypothesis) bool { return h.shape == apart && !f.unlike }

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
		if f.idle(&group[0]) {
			continue
		}
		mute := math.Exp(likeliest(group) + leastWander - top)
		for k := range group {
			ws[i+k] = math.Max(math.Exp(group[k].log-top)-mute, 0)
			sum += ws[i+k]
		}
	}
	return sum
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
		if h.bias == biases[0] {
			es[i].y += f.leaning.by
			es[i].pyy = max(es[i].pyy+f.leaning.more, f.leaning.least)
		}
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
	mean, variance = h.expect(s, t-h.at)
	if f.heat != nil {
		_, heat := f.look(t)
		mean += h.x[f.d-1] * (heat - h.heat)
	}
	return mean, variance
}

// expect returns what source s would measure dt seconds after the last sample at an even temperature, and its variance.
func (h *hypothesis) expect(s int, dt float64) (mean, variance float64) {
	d, b := len(h.x), 2+s
	variance = h.p[0] + h.p[b*d+b] + 2*h.p[b] + dt*dt*h.p[d+1] + 2*dt*(h.p[1]+h.p[d+b])
	return h.x[0] + h.x[1]*dt + h.x[b], math.Max(variance, 0) + h.wander*math.Abs(dt*dt*dt)/3
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
	f.in, f.told = kept, 0
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
