// Package sim runs the discipline against simulated oscillators, paths and servers in virtual
// time, and reports how close the host clock stays to truth and whether the stated bound held.
package sim

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// Server is one simulated server behind its path.
type Server struct {
	Path       Path
	RootDelay  float64                 // stated, ns
	Dispersion float64                 // stated, ns
	Lie        func(t float64) float64 // its clock's error, ns; nil: none
	Up         func(t float64) bool    // nil: always
	Leap       func(t float64) discipline.Leap
	Liar       bool // Lie exceeds what it states: not an honest server
}

// Scenario is one world to run in.
type Scenario struct {
	Name    string
	Osc     Oscillator
	Servers []Server
	Poll    float64 // seconds
	Hours   float64
	Settle  float64 // seconds before figures are collected; the bound is judged from the start
	Start   float64 // the host clock's first error, ns
	Drift   bool    // a drift file is there
	LeapAt  float64 // seconds until a leap second is inserted; 0: none
	Sensor  Sensor  // a thermometer, read every 10 s
	Outage  float64 // from when on no server answers, seconds; 0: never
	Config  func(*discipline.Config)
}

// Result is what one run gave. Errors are in ns.
type Result struct {
	Errors     []float64 // |host − truth| once a second after Settle
	SumSquares float64
	Timeline   float64 // the same of the timeline
	Samples    int
	RateSq     float64 // (rate estimate − truth)², ns/s, at each update
	RateN      int
	Bounds     []float64 // stated bound, once a second
	Roots      []float64 // chrony-like root distance at the same instants
	RootMissed int       // of those instants, the ones at which the timeline was further off than Roots
	Violations int
	Worst      float64 // largest true error − bound of the timeline
	Seconds    float64
	Reachable  float64 // seconds while an honest majority answered, after the first minute
	Serving    float64 // of those, synchronized
	Dark       float64 // of those, unsynchronized
	ToMilli    float64 // seconds until the host clock stays … within 1 ms for a minute
	ToHundred  float64 // … 100 µs
	Epochs     int
	Held       []float64 // |host − truth| 1, 8 and 24 h after the outage began
}

// utcStart is six hours before the end of September 2026; a leap second is put where needed.
const utcStart = int64(1_790_812_800-6*3600) * 1e9

// table knows of one leap second.
type table struct{ at int64 }

func (l table) At(utc int64) (int, discipline.Leap, int64, bool) {
	if utc >= l.at {
		return 38, discipline.LeapNone, 0, true
	}
	if l.at-utc < 28*86400 {
		return 37, discipline.LeapInsert, l.at, true
	}
	return 37, discipline.LeapNone, 0, true
}

// steerer is a loop that disciplines the host clock: ours, or the reference.
type steerer interface {
	update(m discipline.Measurement)
	steer(h discipline.HostReading) (ppm float64, step float64)
}

type ours struct{ d *discipline.Discipline }

func (o ours) update(m discipline.Measurement) { _ = o.d.Update(m) }

func (o ours) steer(h discipline.HostReading) (float64, float64) { return Steer(o.d, h) }

// Steer does what the discipline decides on a reading of the host clock: that clock's frequency from then on, ppm,
// and by how much it is stepped, ns.
func Steer(d *discipline.Discipline, h discipline.HostReading) (ppm, step float64) {
	x := d.Steer(h)
	switch x.Action {
	case discipline.Slew:
		return x.FrequencyPPM, 0
	case discipline.Step:
		return x.FrequencyPPM, float64(x.Phase)
	}
	return h.FrequencyPPM, 0
}

// Run simulates one scenario with one seed. With reference a plain RFC 5905 loop steers.
func Run(sc Scenario, seed uint64, reference bool) Result {
	rng := rand.New(rand.NewPCG(seed, 77))
	osc := newOscillator(sc.Osc, rand.New(rand.NewPCG(seed, 78)))
	cfg := discipline.Config{}
	for i := range sc.Servers {
		cfg.Sources = append(cfg.Sources, discipline.SourceConfig{Name: name(i)})
	}
	if sc.Drift {
		cfg.FrequencyPPM, cfg.FrequencyStdPPM = -sc.Osc.Offset/1000, 0.1
	}
	cfg.Thermometer = sc.Sensor != NoSensor
	if sc.Config != nil {
		sc.Config(&cfg)
	}
	if sc.LeapAt > 0 {
		cfg.Leap = table{utcStart/1e9 + int64(sc.LeapAt)}
	}
	d := discipline.New(cfg)
	var loop steerer = ours{d}
	if reference {
		loop = newPlainLoop(sc.Poll)
	}
	roots := newRootDistance(len(sc.Servers))

	res := Result{ToMilli: math.NaN(), ToHundred: math.NaN()}
	var (
		truth, raw     = 0.0, 0.0 // seconds since start are i; raw − truth in ns
		host           = sc.Start // host − truth, ns
		ppm            = 0.0
		next           = make([]float64, len(sc.Servers))
		since1, since2 = math.NaN(), math.NaN()
		epoch          discipline.Epoch
		snap           = d.Snapshot()
	)
	_ = truth
	for i := range next {
		next[i] = 1 + float64(i)*0.21
	}
	polls := make([]int, len(sc.Servers))
	end := sc.Hours * 3600
	for t := 0.0; t < end; t++ {
		rate := osc.step() // ns/s over [t, t+1)
		// Exchanges of this second.
		used := false
		for i := range sc.Servers {
			for next[i] >= t && next[i] < t+1 {
				at := next[i]
				polls[i]++
				step := sc.Poll
				if polls[i] < 4 {
					step = math.Min(2, sc.Poll)
				}
				next[i] += step * (0.98 + 0.04*rng.Float64())
				s := &sc.Servers[i]
				if s.Up != nil && !s.Up(at) || sc.Outage > 0 && at > sc.Outage {
					continue
				}
				out, back, ok := s.Path.Draw(rng, at)
				if !ok {
					continue
				}
				lie := 0.0
				if s.Lie != nil {
					lie = s.Lie(at)
				}
				rawMid := int64(at*1e9) + int64(raw+rate*(at-t)) + 1e12
				utcMid := utcStart + int64(at*1e9)
				if sc.LeapAt > 0 && at >= sc.LeapAt {
					utcMid -= 1e9
				}
				m := discipline.Measurement{
					Source: name(i), At: discipline.Raw(rawMid),
					Offset: utcMid - rawMid + int64(math.Round((out-back)/2+lie)),
					Delay:  time.Duration(out + back), RootDelay: time.Duration(s.RootDelay),
					RootDispersion: time.Duration(s.Dispersion), Precision: 500,
					Stratum: 1, Authenticated: true, Poll: time.Duration(step * 1e9),
				}
				if s.Leap != nil {
					m.Leap = s.Leap(at)
				}
				loop.update(m)
				used = true
				roots.add(i, at, (out+back+s.RootDelay)/2+s.Dispersion+500, (out-back)/2, sc.Servers)
			}
		}
		raw += rate
		now := t + 1
		// What was stated a second ago must hold now, and a fresh snapshot too.
		rawNow := discipline.Raw(int64(now*1e9) + int64(raw) + 1e12)
		host += rate + ppm*1000*(1+rate*1e-9)
		if sc.Sensor != NoSensor && int64(now)%10 == 0 {
			d.Temperature(rawNow, osc.celsius(sc.Sensor))
		}
		if used || int64(now)%16 == 0 {
			if !reference {
				check(&res, snap, rawNow, utcStart+int64(now*1e9))
				d.Advance(rawNow)
				snap = d.Snapshot()
				if snap.Epoch != epoch {
					epoch = snap.Epoch
					res.Epochs++
				}
				if used && snap.Serving() && now > sc.Settle {
					e := snap.FrequencyPPM*1000 + rate/(1+rate*1e-9)
					res.RateSq += e * e
					res.RateN++
				}
			}
		}
		if used || int64(now)%8 == 0 {
			h := discipline.HostReading{Raw: rawNow, Real: utcStart + int64(now*1e9) + int64(math.Round(host)), FrequencyPPM: ppm}
			if sc.LeapAt > 0 && now >= sc.LeapAt {
				h.Real -= 1e9 // the kernel inserted it
			}
			f, step := loop.steer(h)
			ppm = f
			host += step
		}
		e := math.Abs(host)
		since1 = within(since1, now, e < 1e6)
		since2 = within(since2, now, e < 1e5)
		if math.IsNaN(res.ToMilli) && now-since1 >= 60 {
			res.ToMilli = since1
		}
		if math.IsNaN(res.ToHundred) && now-since2 >= 60 {
			res.ToHundred = since2
		}
		honest, up := 0, 0
		for i := range sc.Servers {
			s := &sc.Servers[i]
			if s.Up == nil || s.Up(now) {
				up++
				if !s.Liar {
					honest++
				}
			}
		}
		if !reference {
			check(&res, snap, rawNow, utcStart+int64(now*1e9))
			if now > 60 && (sc.Outage == 0 || now < sc.Outage) && 2*honest > up && honest >= min(2, len(sc.Servers)) {
				res.Reachable++
				if snap.State == discipline.Synchronized {
					res.Serving++
				}
				if snap.State == discipline.Unsynchronized {
					res.Dark++
				}
			}
		}
		if sc.Outage > 0 && now >= sc.Outage {
			if gone := now - sc.Outage; gone == 3600 || gone == 8*3600 || gone == 24*3600 {
				res.Held = append(res.Held, e)
			}
			continue
		}
		if now <= sc.Settle {
			continue
		}
		res.Samples++
		res.SumSquares += host * host
		if int64(now)%4 == 0 {
			res.Errors = append(res.Errors, e)
			if !reference && snap.Serving() {
				x := float64(snap.TAIAt(rawNow) - utcStart - int64(now*1e9) - 37e9)
				res.Timeline += x * x
				if int64(now)%16 == 0 {
					res.Bounds = append(res.Bounds, float64(snap.MaxError(rawNow)))
					root := roots.at(now)
					res.Roots = append(res.Roots, root)
					if math.Abs(x) > root {
						res.RootMissed++
					}
				}
			}
		}
	}
	res.Seconds = end
	return res
}

func within(since, now float64, in bool) float64 {
	if !in {
		return math.NaN()
	}
	if math.IsNaN(since) {
		return now
	}
	return since
}

func check(res *Result, s *discipline.Snapshot, raw discipline.Raw, utc int64) {
	if !s.Serving() {
		return
	}
	e := float64((s.TAIAt(raw) - utc - 37e9))
	b := float64(s.MaxError(raw))
	if over := math.Abs(e) - b; over > 0 {
		res.Violations++
		res.Worst = max(res.Worst, over)
	}
}

func name(i int) string { return string(rune('a' + i)) }

// quantile of a copy of xs.
func quantile(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	s := slices.Clone(xs)
	slices.Sort(s)
	return s[min(len(s)-1, int(q*float64(len(s))))]
}
