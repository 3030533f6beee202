package discipline

import (
	"math"
	"time"
)

// The words for a source's state.
const (
	stateSelected    = "selected"
	stateCandidate   = "candidate"
	stateFalseticker = "falseticker"
	stateUnreachable = "unreachable"
	stateDenied      = "denied"
)

// source is what is kept of one server.
type source struct {
	cfg SourceConfig
	Standing
	state   string
	tainted bool // it was revoked since the timeline began

	any    bool // lastAt is set
	lastAt Raw
	last   Measurement
	lastY  float64

	has     bool     // seen is set
	seen    interval // all that its samples since the last contradiction allow, at Discipline.heard
	recent  interval // the same of the newest block of samples only
	inBlock int
	at      interval // seen carried to the instant that is being judged

	strikes int // samples in a row that lay beyond what its delay explains, signed
	out     int // samples in a row it must yet agree in to be believed again

	inCore bool    // its interval meets the point that most share
	offset float64 // its last sample less the timeline, while it is out
	noise  float64 // mean square of its residuals about the timeline, ns²

	deferred   bool // its last sample was taken with certificate dates deferred
	deferredIv interval
	deferredAt float64
}

// memory is how many samples of a source its interval rests on at most twice over: what one
// bad reading did to it is forgotten after that many.
const memory = 64

// carry moves what is known of the source over dt seconds at rates within v.
func (s *source) carry(v interval, dt float64) {
	s.seen, s.recent = s.seen.carry(v, dt), s.recent.carry(v, dt)
}

// enter intersects a new sample's interval with what is known of the source.
func (s *source) enter(iv interval) {
	if !s.has {
		s.has, s.seen, s.recent, s.inBlock = true, iv, iv, 1
		return
	}
	s.seen, s.recent = s.seen.and(iv), s.recent.and(iv)
	s.inBlock++
	switch {
	case s.recent.empty() || s.seen.empty() && s.inBlock < memory/2:
		// The server, its path or the raw clock contradicts itself: only the new sample counts.
		s.seen, s.recent, s.inBlock = iv, iv, 1
	case s.seen.empty() || s.inBlock >= memory:
		s.seen, s.recent, s.inBlock = s.recent, iv, 1
	}
}

// fresh reports whether the source answers at present.
func (s *source) fresh(now Raw) bool {
	if !s.Reachable || s.Denied != "" || !s.any {
		return false
	}
	poll := s.last.Poll
	if poll < 4e9 {
		poll = 4e9
	}
	return now.Sub(s.lastAt) <= freshPolls*poll
}

// verdict is the outcome of a vote.
type verdict struct {
	agreed bool
	hull   interval // contains truth, if at most the tolerated number of sources lie
}

// tolerated is how many of n configured sources may lie: the largest minority, and one of two, who
// then must agree with each other and both count.
func tolerated(n int) int {
	if n == 2 {
		return 1
	}
	return max(0, (n-1)/2)
}

func (d *Discipline) minSources() int {
	if d.cfg.MinSources > 0 {
		return d.cfg.MinSources
	}
	return min(2, len(d.sources))
}

// quorum is how many sources must answer for a vote: more than may lie, or a network that lets
// only the liars' packets through would decide. An operator who sets min_sources trusts so many.
func (d *Discipline) quorum() int {
	if d.cfg.MinSources > 0 {
		return d.cfg.MinSources
	}
	return max(d.minSources(), tolerated(len(d.sources))+1)
}

func (d *Discipline) bootstrapQuorum() int {
	if d.cfg.BootstrapQuorum > 0 {
		return d.cfg.BootstrapQuorum
	}
	switch n := len(d.sources); {
	case n <= 1:
		return 1
	case n <= 3:
		return 2
	}
	return 3
}

// vote finds whether a majority of the answering sources agrees at now, names each source's
// state, and returns the hull that truth lies in.
func (d *Discipline) vote(now float64) verdict {
	d.ivs, d.owners = d.ivs[:0], d.owners[:0]
	for i := range d.sources {
		s := &d.sources[i]
		switch {
		case s.Denied != "":
			s.state = stateDenied
		case !s.fresh(d.now):
			s.state = stateUnreachable
		default:
			s.state = stateCandidate
			if s.has && !s.deferred {
				d.ivs = append(d.ivs, s.at)
				d.owners = append(d.owners, i)
			}
		}
	}
	m := len(d.ivs)
	if m == 0 {
		return verdict{}
	}
	_, most := covered(d.ivs, 1, d.edges)
	if m < d.quorum() || most < max(m/2+1, d.minSources()) {
		return verdict{}
	}
	core, _ := covered(d.ivs, most, d.edges)
	if d.operators(core) < min(d.minSources(), d.configuredOperators()) {
		return verdict{} // those who agree are run by too few
	}
	for j, i := range d.owners {
		d.sources[i].inCore = d.ivs[j].overlaps(core)
		if d.sources[i].inCore && d.sources[i].out == 0 {
			d.sources[i].state = stateSelected
		} else {
			d.sources[i].state = stateFalseticker
		}
	}
	if d.selectedCount() < d.minSources() {
		// Too few are left to judge the others by: whoever agrees now is believed.
		for j, i := range d.owners {
			if d.ivs[j].overlaps(core) {
				d.sources[i].state, d.sources[i].out = stateSelected, 0
			}
		}
	}
	k := min(most, max(1, m-tolerated(len(d.sources))))
	hull, _ := covered(d.ivs, k, d.edges)
	return verdict{agreed: true, hull: hull}
}

func (d *Discipline) selectedCount() int {
	n := 0
	for i := range d.sources {
		if d.sources[i].state == stateSelected {
			n++
		}
	}
	return n
}

// candidate returns the time that a quorum agrees on where certificate dates of some of its sources are deferred: at a start, and when
// nothing has been served for so long that servers made their keys anew.
func (d *Discipline) candidate(now float64) (iv interval, ok bool) {
	d.ivs, d.owners = d.ivs[:0], d.owners[:0]
	deferred := false
	for i := range d.sources {
		s := &d.sources[i]
		switch {
		case !s.fresh(d.now):
			continue
		case s.deferred:
			d.ivs = append(d.ivs, s.deferredIv.carry(d.ahead(now), now-s.deferredAt))
			deferred = true
		case s.has: // its dates were judged, and count no less
			d.ivs = append(d.ivs, s.at)
		default:
			continue
		}
		d.owners = append(d.owners, i)
	}
	m := len(d.ivs)
	quorum := d.bootstrapQuorum()
	if !deferred || m < quorum {
		return interval{}, false
	}
	_, most := covered(d.ivs, 1, d.edges)
	if most < max(quorum, m/2+1) {
		return interval{}, false
	}
	core, _ := covered(d.ivs, most, d.edges)
	if d.operators(core) < min(quorum, d.configuredOperators()) {
		return interval{}, false
	}
	hull, _ := covered(d.ivs, min(most, max(1, m-tolerated(len(d.sources)))), d.edges)
	return hull, !hull.empty() && hull.finite() && !math.IsNaN(hull.lo)
}

// operators counts the different operators of the voting sources whose interval meets core.
func (d *Discipline) operators(core interval) int {
	n := 0
	for j, i := range d.owners {
		if !d.ivs[j].overlaps(core) {
			continue
		}
		seen := false
		for k := 0; k < j && !seen; k++ {
			seen = d.ivs[k].overlaps(core) && d.oneOperator(d.owners[k], i)
		}
		if !seen {
			n++
		}
	}
	return n
}

func (d *Discipline) configuredOperators() int {
	n := 0
	for i := range d.sources {
		seen := false
		for k := 0; k < i && !seen; k++ {
			seen = d.oneOperator(k, i)
		}
		if !seen {
			n++
		}
	}
	return n
}

// oneOperator reports whether the same operator runs both; who isn't named is somebody else.
func (d *Discipline) oneOperator(i, j int) bool {
	o := d.sources[i].cfg.Operator
	return i == j || o != "" && o == d.sources[j].cfg.Operator
}

// jitter is the RMS of the source's recent samples about the timeline.
func (s *source) jitter() time.Duration { return time.Duration(math.Sqrt(s.noise)) }

// The agreement test: intervals alone let a server drag its time for as long as its delay hides
// it, so each sample is also held against what all sources together expected of its source.
const (
	strikesOut  = 3   // samples in a row on the same side
	backAfter   = 8   // samples in agreement
	strikeFloor = 1e5 // ns beyond what the delay explains
)

// agrees judges a new sample of source i by what the others say. Two sources can't.
func (d *Discipline) agrees(i int, t, y, delay float64) {
	s := &d.sources[i]
	w := &d.filter.ways[i]
	if s.out > 0 {
		d.returns(s, t, y, delay)
		return
	}
	if s.state == stateFalseticker {
		s.out, s.strikes = backAfter, 0
		return
	}
	if d.selectedCount() < 3 || d.filter.taken < 4*len(d.sources) || w.n < 4 {
		s.strikes = 0
		return
	}
	mean, variance := d.filter.expect(i, t)
	r := y - mean
	allowed := math.Max(0, delay-w.floor)/2 + 4*math.Sqrt(variance+w.soft*w.soft) + strikeFloor
	switch {
	case math.Abs(r) <= allowed:
		s.strikes = 0
	case r > 0:
		s.strikes = max(1, s.strikes+1)
	default:
		s.strikes = min(-1, s.strikes-1)
	}
	if s.strikes >= strikesOut || s.strikes <= -strikesOut {
		s.out, s.strikes = backAfter, 0
		d.filter.drop(i)
	}
}

// returns lets a source back in once it kept near the timeline, and still, for some samples.
func (d *Discipline) returns(s *source, t, y, delay float64) {
	if d.selectedCount() < d.minSources() || !d.filter.started {
		return
	}
	e := d.filter.present(t)
	r := y - e.y
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return
	}
	// A path may well be unequal, but then steadily so.
	noise := 4*math.Sqrt(math.Max(0, e.pyy)) + strikeFloor
	moved := math.Abs(r-s.offset) > noise+delay/40+2*math.Sqrt(s.noise)
	s.noise += (math.Min((r-s.offset)*(r-s.offset), delay*delay) - s.noise) / 8
	s.offset = r
	if !s.inCore || math.Abs(r) > noise+delay/4 || moved {
		s.out = backAfter
		return
	}
	s.out--
}
