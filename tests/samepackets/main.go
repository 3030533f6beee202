// Command samepackets tells how near to truth our discipline and chrony keep a clock that get the very same
// packets. clknetsim (https://github.com/mlichvar/clknetsim) plays a table of delays and one of the oscillator's
// rate to chronyd; every exchange that chronyd made is then given to our discipline at the same instant, and
// both clocks' true errors are compared, second by second. `make beside-chrony` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
)

// unusable is a mistake of the caller, with its fix.
type unusable string

func (u unusable) Error() string { return string(u) }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "samepackets:", err)
		if errors.As(err, new(unusable)) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func run() error {
	dir := flag.String("clknetsim", "", "`folder` of a built clknetsim")
	only := flag.String("worlds", "", "run the worlds whose name matches `regexp`")
	first := flag.Uint64("first", 1, "the first seed")
	seeds := flag.Uint64("seeds", 3, "how many seeds")
	drawn := flag.Uint64("random", 0, "instead of the worlds with names, `n` that are drawn by chance, from number -first on, one seed each")
	keep := flag.String("keep", "", "keep what chrony did in `folder`, and take from there what it did before")
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		return unusable(fmt.Sprintf("-worlds: %v", err))
	}
	list := worlds()
	if *drawn > 0 {
		list, *seeds = nil, 1
		for n := range *drawn {
			list = append(list, random(*first+n))
		}
	}
	list = slices.DeleteFunc(list, func(w world) bool { return !match.MatchString(w.name) })
	if len(list) == 0 {
		return unusable(fmt.Sprintf("no world's name matches %q: leave WORLDS out for all of them", *only))
	}
	chrony, err := newSimulator(*dir, *keep)
	if err != nil {
		return err
	}
	defer chrony.close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("%d seeds from %d; RMS of the host clock's true error in µs, the root of the seeds' mean; bound: the median of what ntsgw states relative to that of chrony's root distance; one by one: the ratio of each seed; *: its oscillator breaks the assumption that the bound rests on\n", *seeds, *first)
	fmt.Printf("%-44s %10s %10s %6s %6s  %6s %s\n", "world", "chrony", "ntsgw", "ratio", "bound", "viol.", "one by one")
	var ratios, widths []float64
	for _, w := range list {
		theirs, ours, violations, each, beyond := 0.0, 0.0, 0, "", ""
		var roots, bounds []float64
		for seed := *first; seed < *first+*seeds; seed++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			p, err := chrony.play(ctx, w, seed)
			if err != nil {
				return fmt.Errorf("world %q, seed %d: %w", w.name, seed, err)
			}
			errs, stated, v := replay(w, p)
			roots, bounds = append(roots, p.Root[w.judge:]...), append(bounds, stated[w.judge:]...)
			a, b := meanSquare(p.Chrony[w.judge:]), meanSquare(errs[w.judge:])
			theirs, ours, violations = theirs+a, ours+b, violations+v
			if v > 0 && unsteady(p.Rates) {
				beyond = "*"
			}
			each += fmt.Sprintf(" %.2f", math.Sqrt(b/a))
		}
		n := float64(*seeds)
		ratio := math.Sqrt(ours / theirs)
		width := median(bounds) / median(roots)
		ratios, widths = append(ratios, ratio), append(widths, width)
		fmt.Printf("%-44s %10.2f %10.2f %6.2f %6.2f  %6s %s\n", w.name, math.Sqrt(theirs/n)/us, math.Sqrt(ours/n)/us, ratio, width, fmt.Sprint(violations, beyond), each)
	}
	nearer := 0
	for _, r := range ratios {
		if r > 1 {
			nearer++
		}
	}
	fmt.Printf("%d worlds; median ratio %.2f; chrony is nearer to truth in %d; bound relative to chrony's root distance: median %.2f\n", len(ratios), median(ratios), nearer, median(widths))
	return nil
}

// unsteady reports whether an oscillator of these rates, ns/s, breaks the assumption of discipline/README.md.
func unsteady(rates []float64) bool {
	for apart := 1; apart < len(rates); apart += 1 + apart/8 {
		for i, r := range rates[apart:] {
			if math.Abs(r-rates[i]) > min(1000+5*float64(apart), 15000) {
				return true
			}
		}
	}
	return false
}

func meanSquare(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x * x
	}
	return sum / float64(len(xs))
}

func median(xs []float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[len(sorted)/2]
}
