package sim

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
)

// Row is one scenario's figures over all seeds. Errors are in ns.
type Row struct {
	Name                      string
	RMS, Reference            float64
	Median, P99, Max          float64
	RatePPM                   float64
	Bound, Root               float64
	RootMissed                float64 // share of the instants at which Root did not hold truth
	Violations                int
	ToMilli, ToHundred        float64 // median seconds
	Hours, Reachable, Serving float64
	Held                      [3]float64 // RMS after 1, 8, 24 h
	Epochs                    int
	Worst                     float64
}

// Measure runs one scenario with seeds 1 … seeds, and the reference loop with the first few.
func Measure(sc Scenario, seeds int, reference bool) Row {
	r := Row{Name: sc.Name}
	var errors, bounds, roots, milli, hundred []float64
	sum, n, rate, rates, held := 0.0, 0, 0.0, 0, 0
	for seed := range seeds {
		x := Run(sc, uint64(seed+1), false)
		errors, bounds, roots = append(errors, x.Errors...), append(bounds, x.Bounds...), append(roots, x.Roots...)
		milli, hundred = append(milli, nanInf(x.ToMilli)), append(hundred, nanInf(x.ToHundred))
		sum += x.SumSquares
		n += x.Samples
		rate += x.RateSq
		rates += x.RateN
		r.Violations += x.Violations
		r.Worst = max(r.Worst, x.Worst)
		r.RootMissed += float64(x.RootMissed)
		r.Hours += x.Seconds / 3600
		r.Reachable += x.Reachable
		r.Serving += x.Serving
		r.Epochs += x.Epochs
		if len(x.Held) == 3 {
			held++
			for i, h := range x.Held {
				r.Held[i] += h * h
			}
		}
	}
	for i := range r.Held {
		r.Held[i] = math.Sqrt(r.Held[i] / float64(max(1, held)))
	}
	r.RMS, r.Median, r.P99, r.Max = math.Sqrt(sum/float64(max(1, n))), quantile(errors, 0.5), quantile(errors, 0.99), quantile(errors, 1)
	r.RatePPM = math.Sqrt(rate/float64(max(1, rates))) / 1000
	r.RootMissed /= float64(max(1, len(roots)))
	r.Bound, r.Root = quantile(bounds, 0.5), quantile(roots, 0.5)
	r.ToMilli, r.ToHundred = quantile(milli, 0.5), quantile(hundred, 0.5)
	if reference {
		sum, n := 0.0, 0
		for seed := range min(4, seeds) {
			x := Run(sc, uint64(seed+1), true)
			sum += x.SumSquares
			n += x.Samples
		}
		r.Reference = math.Sqrt(sum / float64(max(1, n)))
	}
	return r
}

func nanInf(x float64) float64 {
	if math.IsNaN(x) {
		return math.Inf(1)
	}
	return x
}

// Table measures the scenarios of that list on all processors and writes the table; it returns the number of
// violations.
func Table(w io.Writer, list []Scenario, seeds int) int {
	rows := make([]Row, len(list))
	var wg sync.WaitGroup
	turn := make(chan int, len(list))
	for i := range list {
		turn <- i
	}
	close(turn)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range turn {
				rows[i] = Measure(list[i], seeds, true)
			}
		})
	}
	wg.Wait()
	fmt.Fprintf(w, "%d seeds a scenario; errors of the host clock in µs; plain: a RFC 5905 loop; root: chrony's root distance; out: truth outside it\n", seeds)
	fmt.Fprintf(w, "%-22s %10s %10s %10s %10s %10s %9s %11s %11s %6s %7s %7s %7s %5s\n",
		"scenario", "RMS", "plain", "median", "p99", "max", "rate ppm", "bound", "root", "ratio", "out %", "1 ms s", "100µs s", "viol.")
	violations, hours, reach, serve := 0, 0.0, 0.0, 0.0
	var ratios []float64
	for _, r := range rows {
		fmt.Fprintf(w, "%-22s %10.1f %10.1f %10.1f %10.1f %10.1f %9.4f %11.1f %11.1f %6.2f %7.2f %7.0f %7.0f %5d\n", r.Name,
			r.RMS/us, r.Reference/us, r.Median/us, r.P99/us, r.Max/us, r.RatePPM, r.Bound/us, r.Root/us, r.Bound/r.Root, 100*r.RootMissed,
			r.ToMilli, r.ToHundred, r.Violations)
		violations += r.Violations
		hours += r.Hours
		reach += r.Reachable
		serve += r.Serving
		ratios = append(ratios, r.Bound/r.Root)
	}
	for _, r := range rows {
		if r.Held[2] > 0 {
			fmt.Fprintf(w, "%s: RMS after 1 h %.1f µs, 8 h %.1f µs, 24 h %.1f µs\n", r.Name, r.Held[0]/us, r.Held[1]/us, r.Held[2]/us)
		}
	}
	fmt.Fprintf(w, "synchronized while an honest majority was reachable: %.3f %%\n", 100*serve/reach)
	fmt.Fprintf(w, "median bound relative to chrony's root distance: %.2f\n", quantile(ratios, 0.5))
	fmt.Fprintf(w, "bound violations: %d in %.0f simulated hours\n", violations, hours)
	return violations
}
