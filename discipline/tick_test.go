package discipline

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestTickIsSeenThroughHowLongAReadingTakes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		name        string
		tick, takes float64
		least, most time.Duration
	}{
		{"a microsecond, read slowly", 1000, 1700, 1000, 1010},
		{"a microsecond, read often", 1000, 60, 1000, 1010},
		{"19.2 MHz, read slowly", 1e9 / 19.2e6, 700, 52, 62},
		{"3 GHz", 1. / 3, 200, 1, 20},
		{"ten milliseconds", 10e6, 300, 10e6, 10e6 + 10},
		{"ten milliseconds, read often", 10e6, 15, 10e6, 10e6 + 10},
	} {
		now := 0.0
		got := TickOf(func() Raw {
			now += c.takes * (1 + rng.Float64())
			return Raw(math.Floor(now/c.tick) * c.tick)
		})
		if got < c.least || got > c.most {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if got := TickOf(func() Raw { return 7 }); got <= MostRawTick {
		t.Errorf("a clock that stands still has steps of %v", got)
	}
}

func TestCoarse(t *testing.T) {
	for tick, want := range map[time.Duration]time.Duration{
		13: 0, RawTick: 0, RawTick + tickRounding: 0, 10*time.Microsecond + tickRounding: 9*time.Microsecond + tickRounding,
	} {
		if got := Coarse(tick); got != want {
			t.Errorf("%v: %v, want %v", tick, got, want)
		}
	}
}
