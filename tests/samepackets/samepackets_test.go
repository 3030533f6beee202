package main

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ntsgw/ntsgw/discipline/sim"
)

func TestReadPackets(t *testing.T) {
	// Server 2 is slow: its answer to the first request comes after server 1's to the second. One of each way is lost.
	const log = `2.000000e-01	3	1	1.000000e-03	32768	123	1	48	1
2.000000e-01	3	2	2.000000e-01	32769	123	1	48	1
2.010000e-01	1	3	-1.000000e+00	123	32768	1	48	1
4.000000e-01	2	3	9.000000e-01	123	32769	1	48	1
1.000000e+00	3	1	-1.000000e+00	32770	123	1	48	1
1.100000e+00	3	1	1.000000e-03	32770	123	1	48	1
1.101000e+00	1	3	3.000000e-03	123	32770	1	48	1
`
	got, err := readPackets(strings.NewReader(log), 3)
	if want := []exchange{{0, 1.1, 1e6, 3e6}, {1, 0.2, 2e8, 9e8}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
	for _, bad := range []string{"1 3 1\n", "x 3 1 1e-3 1 123\n", "1 1 3 1e-3 123 1\n"} {
		if list, err := readPackets(strings.NewReader(bad), 3); err == nil {
			t.Errorf("%q was read as %v", bad, list)
		}
	}
}

func TestReadOffsets(t *testing.T) {
	got, err := readOffsets(strings.NewReader("0.000000000\t0.000001500\n0.000000000\t-0.002000000\n"), 2)
	if err != nil || len(got) != 2 || math.Abs(got[0]-1500) > 1e-6 || math.Abs(got[1]+2e6) > 1e-6 {
		t.Errorf("got %v (%v)", got, err)
	}
	for _, bad := range []string{"0.0\n", "0.0 x\n", "0.0 nan\n"} {
		if list, err := readOffsets(strings.NewReader(bad), 2); err == nil {
			t.Errorf("%q was read as %v", bad, list)
		}
	}
}

// What is unequal on the two ways shows in the replay with the right sign, and nothing else does.
func TestReplay(t *testing.T) {
	p := &played{}
	for i := range 600 {
		p.Rates = append(p.Rates, 5000)
		if i%4 == 0 {
			p.Exchanges = append(p.Exchanges, exchange{0, float64(i) + 0.3, 3e6, 1e6})
		}
	}
	errs, _, violations := replay(world{paths: make([]sim.Path, 1), poll: 2}, p)
	if last := errs[len(errs)-1]; len(errs) != 600 || math.Abs(last-1e6) > 2000 || violations > 0 {
		t.Errorf("%d seconds, %d violations; at last the clock is off by %.0f ns, want 1,000,000", len(errs), violations, last)
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		if _, err := newSimulator(dir, ""); !errors.As(err, new(unusable)) {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

func TestUnsteady(t *testing.T) {
	rates := make([]float64, 4000)
	for i := range rates {
		rates[i] = 4.9 * float64(min(i, 2700))
	}
	if unsteady(rates) {
		t.Error("5 ppb a second are allowed")
	}
	rates[3000] -= 1100
	if !unsteady(rates) {
		t.Error("more than 1 ppm at once isn't")
	}
}

// A world's tables are the same each time and others with another seed, and worlds have names of their own.
func TestDraw(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range worlds() {
		if seen[w.name] {
			t.Errorf("two worlds are named %q", w.name)
		}
		seen[w.name] = true
	}
	for n := range uint64(200) {
		w, again := random(n), random(n)
		if seen[w.name] || w.name != again.name || !slices.Equal(draw(w, 1).out[0][:40], draw(again, 1).out[0][:40]) {
			t.Errorf("%q is not a world of its own that is the same each time", w.name)
		}
		seen[w.name] = true
		if w.judge >= w.seconds || w.seconds < 40<<w.poll || len(w.paths) == 0 {
			t.Errorf("%q lasts %d s, of which %d aren't judged", w.name, w.seconds, w.judge)
		}
	}
	w := worlds()[0]
	a, b, c := draw(w, 1), draw(w, 1), draw(w, 2)
	if !slices.Equal(a.out[0], b.out[0]) || slices.Equal(a.out[0], c.out[0]) || slices.Equal(a.out[0], a.back[0]) || slices.Equal(a.rates, c.rates) {
		t.Error("tables don't follow the seed")
	}
}

func TestReadTracking(t *testing.T) {
	const log = `===================================================================================================================================
   Date (UTC) Time     IP Address   St   Freq ppm   Skew ppm     Offset L Co  Offset sd Rem. corr. Root delay Root disp. Max. error
===================================================================================================================================
2026-01-01 00:00:02 192.168.123.1    2      0.000      0.500  1.000e-04 N  1  1.000e-05  0.000e+00  2.000e-03  5.000e-05  1.000e-03
2026-01-01 00:00:04 192.168.123.1    2      0.000      1.000  1.000e-04 N  1  1.000e-05  0.000e+00  1.000e-03  1.000e-05  1.000e-03
`
	got, err := readTracking(strings.NewReader(log), 6)
	want := []float64{math.Inf(1), math.Inf(1), 1_050_000, 1_051_500, 510_000, 512_000}
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %v (%v)", got, err)
	}
	for i := range want {
		if got[i] != want[i] && math.Abs(got[i]-want[i]) > 1e-3 {
			t.Errorf("second %d: %v, want %v", i, got[i], want[i])
		}
	}
	if list, err := readTracking(strings.NewReader(strings.Replace(log, "0.500", "x", 1)), 6); err == nil {
		t.Errorf("a broken line was read as %v", list)
	}
}
