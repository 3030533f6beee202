package beacon

import (
	"math/big"
	"testing"
)

var exact = Rate{CountNanos: 1, Tick: 1, RhoPPB: 0}

// Each way in which the two ends of an answer can contradict an interval or each other is told apart, and changes nothing.
func TestExchangeContradicts(t *testing.T) {
	for name, c := range map[string]struct {
		lo, hi       int64 // of the interval at reading 0
		upper, lower int64 // of the answer, at readings 100 and 200
		what         ends
		ok           bool
	}{
		"it fits":                               {0, 2000, 500, 300, ends{lo: true, hi: true}, true},
		"it says nothing new":                   {500, 600, 1500, 300, ends{}, true},
		"its lower end is above its upper":      {0, 2000, 500, 602, ends{lo: true, hi: true}, false}, // 101 of true time at most
		"… by nothing":                          {0, 2000, 500, 601, ends{lo: true, hi: true}, true},
		"its lower end is above the interval":   {0, 300, 2000, 502, ends{lo: true}, false},     // 300 at 0 is 501 at 200 at most
		"its upper end is below the interval":   {1000, 2000, 1000, 300, ends{hi: true}, false}, // 1000 at 0 is 1199 at 200 at least
		"its upper end is below it by nothing":  {1000, 2000, 1098, 300, ends{hi: true}, true},
		"an upper end that can't be carried on": {1000, 2000, timeMax, 300, ends{}, true},
	} {
		v := interval{lo: c.lo, hi: c.hi}
		was := v
		what, ok := v.exchange(100, c.upper, 200, c.lower, exact)
		if what != c.what || ok != c.ok {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, what, ok, c.what, c.ok)
		}
		if (!ok || !what.any()) && v != was {
			t.Errorf("%s: the interval became %+v", name, v)
		}
	}
}

// What a rate may be off is never rounded down, not even by a nanosecond.
func TestDriftRoundsUp(t *testing.T) {
	for _, rho := range []uint32{1, 7, 20_001, 99_999_999, rhoMax} {
		for _, d := range []int64{0, 1, 3, 999_999_999, 1_000_000_000, 86_400_000_000_001, elapsedMax - 1} {
			p := new(big.Int).Mul(big.NewInt(d), big.NewInt(int64(rho)))
			want := p.Add(p, big.NewInt(second-1)).Div(p, big.NewInt(second)).Int64()
			if got := (Rate{RhoPPB: rho}).drift(d); got != want {
				t.Errorf("%d ppb of %d ns: %d, want %d", rho, d, got, want)
			}
		}
	}
}
