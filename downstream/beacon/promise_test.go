package beacon

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"testing"
)

var (
	schedules = flag.Uint64("schedules", 6000, "how many random schedules TestPromise plays")
	seed      = flag.Uint64("schedule-seed", 1, "their seed")
	emit      = flag.String("schedule-file", "", "write the schedules as a stream of events to this file (- is not known)")
)

// TestPromise plays random adversarial schedules: true time is never outside the node's interval.
func TestPromise(t *testing.T) {
	if testing.Short() {
		*schedules = min(*schedules, 1000)
	}
	var mu sync.Mutex
	used := map[string]uint64{}
	var deliveries uint64
	var out *os.File
	if *emit != "" {
		f, err := os.Create(*emit)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		out = f
	}
	workers := runtime.GOMAXPROCS(0)
	if out != nil {
		workers = 1 // the file is in order
	}
	var wg sync.WaitGroup
	failed := 0
	for worker := range workers {
		wg.Go(func() {
			own := map[string]uint64{}
			var delivered uint64
			for n := uint64(worker); n < *schedules; n += uint64(workers) {
				real := n%200 == 199
				alg := Ed25519
				if n%400 == 399 {
					alg = ES256
				}
				s := newSchedule(*seed, n, !real, alg, faults{}, out != nil)
				s.play()
				delivered += uint64(s.deliveries)
				for c := range s.used {
					own[c]++
				}
				if out != nil {
					if _, err := out.Write(s.rec.stream); err != nil {
						t.Error(err)
						return
					}
				}
				if s.problem != "" {
					mu.Lock()
					failed++
					if failed <= 20 {
						t.Errorf("seed %d, schedule %d: %s", *seed, n, s.problem)
					}
					mu.Unlock()
				}
			}
			mu.Lock()
			defer mu.Unlock()
			deliveries += delivered
			for c, k := range own {
				used[c] += k
			}
		})
	}
	wg.Wait()
	mean := float64(deliveries) / float64(*schedules)
	if mean < 20 {
		t.Errorf("%.1f deliveries a schedule: too few to mean much", mean)
	}
	names := make([]string, 0, len(used))
	for _, a := range attacks() {
		if used[a.name] == 0 {
			t.Errorf("%s never happened", a.name)
		}
	}
	least := 1.0
	for c, k := range used {
		share := float64(k) / float64(*schedules)
		least = min(least, share)
		names = append(names, fmt.Sprintf("%s %.1f %%", c, 100*share))
		if share < 0.05 && *schedules >= 1000 {
			t.Errorf("%s in %.1f %% of the schedules: want 5 %% at least", c, 100*share)
		}
	}
	sort.Strings(names)
	t.Logf("%d schedules, %.1f deliveries each, true time outside in %d; the rarest of %d classes in %.1f %%", *schedules, mean, failed, len(used), 100*least)
	if testing.Verbose() {
		for _, n := range names {
			t.Log(n)
		}
	}
}

// TestEachCheckIsNeeded leaves out one check after the other: the promise must break.
func TestEachCheckIsNeeded(t *testing.T) {
	for _, c := range []struct {
		name   string
		broken faults
	}{
		{"nonce", faults{nonce: true}},
		{"signature", faults{signature: true}},
		{"kind", faults{kind: true}},
		{"rho", faults{rho: true}},
		{"TAI", faults{tai: true}},
		{"one timeline", faults{timeline: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := 3000
			if testing.Short() {
				n = 500
			}
			broke := 0
			for i := range uint64(n) {
				s := newSchedule(*seed, i, true, Ed25519, c.broken, false)
				s.play()
				if s.problem != "" {
					broke++
				}
			}
			t.Logf("broken in %d of %d schedules", broke, n)
			if broke == 0 {
				t.Error("nothing noticed that the check is missing")
			}
		})
	}
}
