package discipline

import (
	"math"
	"time"
)

// leastHorizon is for how long a snapshot's linear growth covers the oscillator's wander at
// least, seconds; a poll and a quarter when that is longer. Snapshots that are served must be younger.
const leastHorizon = 64.0

// Snapshot returns the timeline as of the newest instant the Discipline was told.
func (d *Discipline) Snapshot() *Snapshot {
	s := &Snapshot{State: d.state, Epoch: d.epoch, At: d.now, Stratum: 16,
		Leap: LeapUnknown, LastUpdate: d.lastUsed, Poll: d.wish.interval()}
	s.Sources = make([]SourceState, len(d.sources))
	s.RateBoundPPM = rateUnknown / nsPerPPM
	now := d.seconds(d.now)
	e, half := estimate{}, 0.0
	if d.begun && d.known {
		e, half = d.bound()
		horizon := math.Max(leastHorizon, 1.25*d.polls.Seconds())
		// The bound grows with the square of the time: its chord over the horizon covers it.
		v := d.rate.between(now, now+horizon)
		end := d.rate.between(now+horizon, now+horizon)
		s.TAI = d.base + int64(d.now) + int64(math.Round(e.y))
		s.FrequencyPPM = e.rate / nsPerPPM
		s.MaxErrorPPM = math.Max(v.hi-e.rate, e.rate-v.lo) / nsPerPPM
		s.RateBoundPPM = math.Max(end.hi-e.rate, e.rate-end.lo) / nsPerPPM
		s.MaxErrorAt = time.Duration(math.Ceil(half)) + 2
		s.EstErrorAt = time.Duration(math.Ceil(math.Min(math.Sqrt(math.Max(e.pyy, 0)), half)))
		s.EstErrorPPM = math.Min(math.Sqrt(math.Max(e.prr, 0))/nsPerPPM, s.RateBoundPPM)
	}
	d.leap.describe(d, s)
	if d.begun && !s.Serving() {
		if iv, ok := d.candidate(now); ok {
			s.CandidateTAI = d.base + int64(d.now) + int64(math.Round(iv.mid()))
			s.CandidateError = time.Duration(math.Ceil(iv.width()/2)) + 2
		}
	}
	d.describeSources(s, e)
	if s.Serving() {
		d.chosen.describe(s)
	}
	s.Warnings = d.warn(s)
	return s
}

// chosen is what the selected sources were like when there last were any; in holdover it stands.
type chosen struct {
	any       bool
	nts       bool
	stratum   uint8
	refID     uint32
	jitter    time.Duration
	rootDelay time.Duration
}

// describe fills in what is served: root delay/2 + root dispersion is never less than the bound.
func (c *chosen) describe(s *Snapshot) {
	s.Stratum = 15
	if c.any {
		s.NTS, s.SourceStratum, s.RefID, s.Jitter, s.RootDelay = c.nts, c.stratum, c.refID, c.jitter, c.rootDelay
		s.Stratum = min(15, c.stratum+1)
	}
	s.RootDispersion = max(s.RootDispersion, s.MaxErrorAt-s.RootDelay/2)
}

func (d *Discipline) describeSources(s *Snapshot, e estimate) {
	best := math.Inf(1)
	s.NTS = false
	all := true
	jitter, n := 0.0, 0
	for i := range d.sources {
		src := &d.sources[i]
		st := SourceState{Name: src.cfg.Name, State: src.state, Stratum: src.last.Stratum, LastAt: src.lastAt}
		if st.State == "" {
			st.State = stateUnreachable
		}
		if src.any && d.known {
			st.Offset = time.Duration(src.lastY - (e.y - e.rate*(d.seconds(d.now)-d.seconds(src.lastAt))))
		}
		st.Jitter = src.jitter()
		s.Sources[i] = st
		if src.state != stateSelected {
			continue
		}
		n++
		jitter += float64(st.Jitter) * float64(st.Jitter)
		all = all && src.last.Authenticated
		s.SourceStratum = max(s.SourceStratum, src.last.Stratum)
		if dist := float64(src.last.Delay+src.last.RootDelay)/2 + float64(src.last.RootDispersion); dist < best {
			best = dist
			s.RefID = src.last.RefID
			s.RootDelay = src.last.Delay + src.last.RootDelay
			s.RootDispersion = src.last.RootDispersion + src.last.Precision
		}
	}
	if n > 0 {
		s.NTS = all
		s.Jitter = time.Duration(math.Sqrt(jitter / float64(n)))
		d.chosen = chosen{true, s.NTS, s.SourceStratum, s.RefID, s.Jitter, s.RootDelay}
	}
}

// warn lists the conditions a person can act on.
func (d *Discipline) warn(s *Snapshot) []Warning {
	var w []Warning
	switch len(d.sources) {
	case 1:
		w = append(w, Warning{"single-source", "only one server is configured, so a lie of it can't be noticed: add at least two more"})
	case 2:
		w = append(w, Warning{"two-sources", "only two servers are configured, so when one lies neither is believed and nothing is served: add at least one more"})
	}
	if d.clash.samples > 0 {
		w = append(w, Warning{"majority-jumped", "a majority of the servers contradicts the time they gave before: check the servers and this host's oscillator"})
	}
	if d.leap.expired {
		w = append(w, Warning{"leap-list-expired", "the list of leap seconds is out of date: update tzdata or leap-seconds.list, then restart ntsgw"})
	}
	if d.known && d.leap.doubtful(d.cfg.Leap, floorDiv(s.TAI, 1e9)-int64(s.TAIOffset)) > 0 {
		w = append(w, Warning{"leap-unknown", "whether there was a leap second is not known, so a second is added to the bound: update leap-seconds.list"})
	}
	if d.rate.scale > 4 {
		w = append(w, Warning{"oscillator-unsteady", "this host's raw clock wanders more than was thought: keep it from heat, load or virtual machine pauses"})
	}
	answering, agreed := 0, 0
	for i := range s.Sources {
		switch s.Sources[i].State {
		case stateSelected:
			agreed++
			answering++
		case stateCandidate, stateFalseticker:
			answering++
		}
		if s.Sources[i].State == stateFalseticker && d.smeared(s, s.Sources[i].Offset) {
			w = append(w, Warning{"smeared", "server " + s.Sources[i].Name + " spreads the leap second over hours and is not used: replace it"})
		} else if s.Sources[i].State == stateFalseticker {
			w = append(w, Warning{"falseticker", "server " + s.Sources[i].Name + " disagrees with the majority and is not used"})
		}
	}
	if agreed == 0 && answering >= 2 && d.state != Acquiring && d.state != Synchronized {
		w = append(w, Warning{"no-majority", "the servers that answer don't agree, or are too few or run by too few operators to outvote a liar, so none is believed: add servers or check them"})
	}
	return w
}

// smeared reports whether an offset looks like a leap second that is spread over a day.
func (d *Discipline) smeared(s *Snapshot, offset time.Duration) bool {
	if s.LeapAt == 0 && len(d.leap.extra) == 0 && d.cfg.Leap == nil {
		return false
	}
	o := offset.Abs()
	if o < time.Millisecond || o > 1100*time.Millisecond {
		return false
	}
	utc := floorDiv(s.TAI, 1e9) - int64(s.TAIOffset)
	before, _, _, _ := d.leap.at(d.cfg.Leap, utc-86400)
	after, _, _, _ := d.leap.at(d.cfg.Leap, utc+86400)
	return before != after
}
