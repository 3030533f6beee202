package discipline

import (
	"math"
	"time"
)

// The wish for a poll interval.
const (
	leastPoll    = 4.0    // seconds, while learning
	mostPoll     = 1024.0 // seconds
	learnSamples = 8      // of each selected source until the interval may grow
	quietSamples = 4      // of each selected source in a row that ask for a longer one, until it is taken
	wildSamples  = 2      // in a row that ask for a shorter one
)

// pollWish is how often the discipline would like to be told the time.
type pollWish struct {
	want  float64 // seconds; 0 before the first sample
	quiet int
	wild  int
}

// tune weighs, after a sample of the selected source i, how much the estimate's error grows until the
// next one against the noise of the samples: while noise is the greater by far, fewer samples lose
// little; when it isn't, or when samples lie far from where they were expected, more are needed.
// It doesn't grow either where the bound would double until the next sample.
// r is the sample's distance from the timeline, usual the source's mean square of it before.
func (d *Discipline) tune(i int, r, usual float64) {
	s, p := &d.sources[i], &d.wish
	n := max(1, d.selectedCount())
	if p.want == 0 || d.filter.taken < learnSamples*n {
		*p = pollWish{want: leastPoll}
		return
	}
	precision := float64(s.last.Precision)
	// What the oscillator adds to the residuals is no reason to wait longer: the noise is no more
	// than the source's extra delay can make.
	extra := d.filter.ways[i].mean / 2
	noise := math.Max(math.Min(s.noise, extra*extra), precision*precision)
	now := d.seconds(s.last.At)
	base := d.filter.present(now).pyy
	grows := func(span float64) float64 { return d.filter.present(now+span).pyy - base }
	longest := 0.0
	for j := range d.sources {
		if x := &d.sources[j]; x.state == stateSelected {
			longest = math.Max(longest, x.last.Poll.Seconds())
		}
	}
	doubles := d.ahead(now+2*p.want).width()*2*p.want > d.truth.width()
	wild := r*r > 16*math.Max(usual, precision*precision)
	switch {
	case wild || grows(p.want) > noise:
		p.quiet = 0
		p.wild++
	case grows(2*p.want) < noise/4 && !doubles:
		p.wild = 0
		p.quiet++
	default:
		p.quiet, p.wild = 0, 0
	}
	if p.wild >= wildSamples {
		p.want, p.wild = math.Max(leastPoll, p.want/2), 0
	}
	// Beyond twice what the sources do at present the wish says nothing more.
	if p.quiet >= quietSamples*n && p.want <= longest {
		p.want, p.quiet = math.Min(mostPoll, p.want*2), 0
	}
}

func (p *pollWish) interval() time.Duration { return time.Duration(p.want * 1e9) }
