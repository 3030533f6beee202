// Command clockguard tells whether this machine's clock was stepped. Without an argument it
// prints a mark; with the mark of an earlier call it fails when CLOCK_REALTIME jumped since.
//
//	mark=$(clockguard); …tests…; clockguard "$mark"
package main

import (
	"fmt"
	"math"
	"os"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// The change of REALTIME − RAW that needs no step: another daemon may change the frequency by
// as much, and readings on a busy machine are off by a little.
const (
	slack    = 50 * time.Millisecond
	slackPPM = 600
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "clockguard:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	k, err := sysclock.NewObserver().Kernel()
	if err != nil {
		return err
	}
	now, apart := sysclock.Now(), sysclock.RealMinusRaw()
	if len(args) == 0 {
		fmt.Printf("%d,%d,%.6f\n", now, apart, k.FrequencyPPM)
		return nil
	}
	var raw discipline.Raw
	var was time.Duration
	var ppm float64
	if _, err := fmt.Sscanf(args[0], "%d,%d,%f", &raw, &was, &ppm); err != nil || len(args) > 1 {
		return fmt.Errorf("want no argument, or the line that an earlier call printed")
	}
	took := float64(now - raw)
	moved := float64(apart-was) - took*ppm*1e-6
	if took < 0 || math.Abs(moved) > float64(slack)+took*slackPPM*1e-6 {
		return fmt.Errorf("this machine's clock was stepped by %v since: no test may do that", time.Duration(moved))
	}
	fmt.Printf("this machine's clock was not stepped: REALTIME − RAW changed by %v in %v\n",
		(apart - was), time.Duration(took).Round(time.Second))
	return nil
}
