package mqtt

import (
	"slices"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	const never, brief = time.Duration(0), time.Second
	for _, c := range []struct {
		name     string
		stood    []time.Duration
		pauses   []float64 // seconds
		restless bool      // after the last
	}{
		{"nobody there", []time.Duration{never, never, never, never, never, never}, []float64{.25, .5, 1, 2, 3, 3}, false},
		{"lost after a good while", []time.Duration{never, never, never, goodAfter, never}, []float64{.25, .5, 1, .25, .5}, false},
		{"lost after a moment", []time.Duration{never, never, goodAfter - 1, never}, []float64{.25, .5, 1, 2}, false},
		{"lost again and again", []time.Duration{brief, brief, brief, brief, brief, brief, brief, brief, brief}, []float64{.25, .5, 1, 2, 4, 8, 16, 30, 30}, true},
		{"gone meanwhile", []time.Duration{brief, brief, brief, brief, brief, never}, []float64{.25, .5, 1, 2, 4, 3}, false},
		{"and good again", []time.Duration{brief, brief, brief, brief, brief, goodAfter, brief}, []float64{.25, .5, 1, 2, 4, .25, .5}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b backoff
			var got []float64
			restless := false
			for _, stood := range c.stood {
				var pause time.Duration
				pause, restless = b.next(stood)
				got = append(got, pause.Seconds())
			}
			if !slices.Equal(got, c.pauses) || restless != c.restless {
				t.Errorf("pauses %v, restless %v; want %v, %v", got, restless, c.pauses, c.restless)
			}
		})
	}
}
