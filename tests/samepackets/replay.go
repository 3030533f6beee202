package main

import (
	"math"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sim"
)

// exchange is one that the client completed. Truth is seconds since the start, delays are ns.
type exchange struct {
	Server    int
	Sent      float64 // by the client
	Out, Back float64
}

// answered is when the reply came.
func (x exchange) answered() float64 { return x.Sent + (x.Out+x.Back)/1e9 }

// played is what one run under clknetsim gave.
type played struct {
	Rates     []float64  // the raw oscillator's over each second, ns/s
	Exchanges []exchange // in the order in which the replies came
	Chrony    []float64  // chrony's clock less truth at the end of each second, ns
	Root      []float64  // the root distance that chrony states then, ns
}

const (
	utcStart = int64(1_790_000_000) * 1e9
	rawStart = int64(1e12)
)

// replay gives the exchanges to our discipline, steers a host clock by it as discipline/sim does, and returns that
// clock's error at the end of each second, and at how many of them truth lay outside the bound; the bound, infinite while nothing is served.
func replay(w world, p *played) (errs, bounds []float64, violations int) {
	raw := []float64{0} // raw − truth at each second
	for _, r := range p.Rates {
		raw = append(raw, raw[len(raw)-1]+r)
	}
	rawAt := func(t float64) float64 { // ns since rawStart, beyond the last second at its rate
		i := min(int(t), len(p.Rates)-1)
		return t*1e9 + raw[i] + p.Rates[i]*(t-float64(i))
	}
	cfg := discipline.Config{}
	for i := range w.paths {
		cfg.Sources = append(cfg.Sources, discipline.SourceConfig{Name: name(i)})
	}
	if w.stored {
		cfg.FrequencyPPM, cfg.FrequencyStdPPM = -w.osc.Offset/(1+w.osc.Offset*1e-9)/1000, 0.1
	}
	d := discipline.New(cfg)
	host, ppm, next, bound := 0.0, 0.0, 0, math.Inf(1)
	for i, rate := range p.Rates {
		used, now := false, float64(i+1)
		for ; next < len(p.Exchanges); next++ {
			x := p.Exchanges[next]
			if x.answered() >= now {
				break
			}
			t1, t4 := rawAt(x.Sent), rawAt(x.answered())
			mid := int64((t1 + t4) / 2)
			server := utcStart + int64(x.Sent*1e9+x.Out)
			_ = d.Update(discipline.Measurement{
				Source: name(x.Server), At: discipline.Raw(rawStart + mid), Offset: server - rawStart - mid,
				Delay: time.Duration(t4 - t1), Precision: 500, Stratum: 1, Authenticated: true,
				Poll: time.Duration(1<<w.poll) * time.Second,
			})
			used = true
		}
		host += rate + ppm*1000*(1+rate*1e-9)
		if rawNow, utc := discipline.Raw(rawStart+int64(rawAt(now))), utcStart+int64(now*1e9); used || w.poll < 6 || (i+1)%4 == 0 {
			d.Advance(rawNow)
			bound = math.Inf(1)
			if s := d.Snapshot(); s.Serving() {
				bound = float64(s.MaxError(rawNow))
				if off := s.TAIAt(rawNow) - utc - 37e9; math.Abs(float64(off)) > bound {
					violations++
				}
			}
			f, step := sim.Steer(d, discipline.HostReading{Raw: rawNow, Real: utc + int64(math.Round(host)), FrequencyPPM: ppm})
			ppm = f
			host += step
		}
		errs, bounds = append(errs, host), append(bounds, bound)
	}
	return errs, bounds, violations
}

func name(i int) string { return string(rune('a' + i)) }
