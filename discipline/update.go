package discipline

import "math"

const (
	invSqrt2   = 1 / math.Sqrt2
	logSqrt2Pi = 0.91893853320467274178
)

var leastWeight = math.Exp(leastLog)

// update enters one sample and returns the logarithm of its likelihood.
func (h *hypothesis) update(m *sampleAt, w *way, heat bool, col []float64) float64 {
	h.advance(m, heat)
	shape := h.shape
	if shape == apart {
		shape = w.shape
	}
	if shape == hard {
		return h.updatePair(m, w, col)
	}
	return h.updateOne(m, w, shape, col)
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
func (h *hypothesis) updateOne(m *sampleAt, w *way, shape shape, col []float64) float64 {
	d, p := len(h.x), h.p
	b := 2 + m.source
	// What is measured is s = offset + bias.
	mean := h.x[0] + h.x[b]
	for k := range d {
		col[k] = p[k*d] + p[k*d+b]
	}
	vs := col[0] + col[b]
	if !(vs > 0) {
		return leastLog // beyond what float64 can weigh: as if it had not been taken
	}
	floor := w.used.floor
	if shape.sided() {
		floor = max(w.used.least-sidedK*w.used.gap, 0)
	}
	e := max(m.delay-floor, 0)
	soft := w.used.soft
	// Each class gives its evidence and the moments that s has after the sample.
	var logs, ms, vars [nc]float64
	cw := h.w[m.source*nc : (m.source+1)*nc]
	top := math.Inf(-1)
	for _, c := range kinds[shape] {
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
			if shape.sided() {
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
	sum, evidence := weighClasses(kinds[shape], &wt, &logs, cw, top)
	mm, vv := 0.0, 0.0
	for _, c := range kinds[shape] {
		mm += wt[c] * ms[c]
	}
	mm /= sum
	for _, c := range kinds[shape] {
		dm := ms[c] - mm
		vv += wt[c] / sum * (vars[c] + dm*dm)
	}
	learnClasses(kinds[shape], &logs, cw, w)
	// Moment matching: s went from (mean, vs) to (mm, vv); the rest of the state follows.
	if !(vv > 0) || math.IsInf(vv, 0) || math.IsNaN(mm) {
		return leastLog // the same
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
	}
	h.settle()
	return evidence
}

// settle gives up what was known of elements of which nothing is left uncertain: that is cancellation, and what they
// had in common with others would move those by any amount.
func (h *hypothesis) settle() {
	d, p := len(h.x), h.p
	for i := range d {
		if p[i*d+i] > 0 {
			continue
		}
		for k := range d {
			p[i*d+k], p[k*d+i] = 0, 0
		}
	}
}

// weighClasses gives the weight that each class has after a sample, their sum, and the logarithm of the sample's
// likelihood. top is the greatest of the classes'.
func weighClasses(kinds []int, wt, logs *[nc]float64, cw []float64, top float64) (sum, evidence float64) {
	norm := 0.0
	for _, c := range kinds {
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
func learnClasses(kinds []int, logs *[nc]float64, cw []float64, w *way) {
	most := math.Inf(-1)
	for _, c := range kinds {
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
	for _, c := range kinds {
		cw[c] = max(cw[c]-most, leastLog)
	}
	cw[stray] = classes[stray].prior
}

// oddMost samples of a source in a row may be late by more than queues make.
const oddMost = 3

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
		return leastLog // as in updateOne
	}
	// The median of two exponentials' sum is 1.68 of their means; some that were held up don't move it.
	each := max(min(u.mean/2, (u.median-u.floor)/1.68), u.thin)
	var logs, delays [nc]float64
	var qs [nc]pair
	cw := h.w[m.source*nc : (m.source+1)*nc]
	top, given := math.Inf(-1), math.Inf(-1)
	e := m.delay - was.f
	noise := math.Sqrt(was.ff + 2*u.thin*u.thin)
	for _, c := range kinds[hard] {
		q, k := was, &classes[c]
		switch k.kind {
		case queues, unlike:
			out, back := max(k.par*each, u.thin), max(k.par*each, u.thin)
			if k.kind == unlike {
				out, back = max(2*k.par*each, u.thin), max(2*(1-k.par)*each, u.thin)
				delays[c] = unlikeDelay(e, noise, max(out, back), min(out, back))
			} else {
				delays[c] = queueDelay(e, noise, out)
			}
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
	sum, evidence := weighClasses(kinds[hard], &wt, &logs, cw, top)
	// The other shapes take a sample's delay as given, so what explains it as well is judged by what is left.
	var wd [nc]float64
	_, delay := weighClasses(kinds[hard], &wd, &delays, cw, given)
	var now pair
	for _, c := range kinds[hard] {
		now.s += wt[c] / sum * (qs[c].s - was.s)
		now.f += wt[c] / sum * (qs[c].f - was.f)
	}
	// A filter that goes astray would make room for itself.
	now.s, now.f = was.s+now.s, u.limit(was.f+now.f)
	for _, c := range kinds[hard] {
		x, y := qs[c].s-now.s, qs[c].f-now.f
		now.ss += wt[c] / sum * (qs[c].ss + x*x)
		now.sf += wt[c] / sum * (qs[c].sf + x*y)
		now.ff += wt[c] / sum * (qs[c].ff + y*y)
	}
	learnClasses(kinds[hard], &logs, cw, w)
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
	}
	h.settle()
	// Delays that go on being beyond what queues make are of another route. To explain the offset there is no evidence for
	// a filter that can't explain them.
	if anyhow := delays[stray]; delay >= anyhow {
		h.odd[m.source] = 0
	} else if h.odd[m.source]++; h.odd[m.source] > oddMost {
		delay = anyhow
	}
	return evidence - delay
}

// limit keeps a least delay where samples allow it: none is below it, and with some of them none lies far above it.
func (u *model) limit(f float64) float64 {
	return min(max(f, u.least-farBelow*(u.gap+u.thin)), u.least)
}
