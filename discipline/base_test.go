package discipline_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// TestLiarAnswersFirst lets the one liar among n answer before the others, with a time at the far end of what is
// taken, and twice more while not enough of the others have: what it says must not cost theirs a nanosecond more than a
// lie of ten minutes does. All of their delay lies on one way, so truth is at the very edge of their intervals.
func TestLiarAnswersFirst(t *testing.T) {
	const base, delay, far, near = int64(1_790_000_000e9), 100_000, int64(7_258_000_000e9), int64(1_790_000_600e9)
	for _, tt := range []struct {
		ppm, poll float64
		n         int
		out       bool
	}{{0.4, 1, 4, true}, {-0.9, 1, 9, false}, {0.9, 1, 16, true}, {0, 16, 4, true}, {0, 16, 4, false}} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			t.Parallel()
			run := func(told int64) (worst float64, served int, bound time.Duration) {
				d := discipline.New(discipline.Config{Sources: names(tt.n), Observing: true})
				utc := func(r discipline.Raw) int64 { return base + int64(r) + int64(math.Round(float64(r)*tt.ppm*1e-6)) }
				answer := func(i int, at discipline.Raw, utc int64) {
					t.Helper()
					if err := d.Update(discipline.Measurement{Source: string(rune('a' + i)), At: at, Offset: utc - int64(at), Delay: delay, Precision: 1,
						Stratum: 1, Poll: time.Duration(tt.poll * 1e9), Authenticated: true}); err != nil {
						t.Fatal(err)
					}
				}
				lies := 0
				lie := func(at discipline.Raw) { lies++; answer(tt.n-1, at, told) }
				lie(1e8)
				worst, served = math.Inf(-1), 0
				for at := 1.0; at < 60*tt.poll; at += tt.poll {
					for i := range tt.n - 1 {
						r := discipline.Raw((at + tt.poll*float64(i)/float64(tt.n)) * 1e9)
						off := int64(delay / 2)
						if !tt.out {
							off = -off
						}
						answer(i, r, utc(r)+off)
						if lies < 3 {
							lie(r + 1000)
						}
						s := d.Snapshot()
						bound = s.MaxErrorAt
						if !s.Serving() {
							continue
						}
						for _, later := range []float64{0, 0.05, 0.2} {
							r := s.At.Add(time.Duration(later * tt.poll * 1e9))
							served++
							worst = math.Max(worst, math.Abs(float64(s.TAIAt(r)-(utc(r)+tai)))-float64(s.MaxError(r)))
						}
					}
				}
				return worst, served, bound
			}
			worst, served, bound := run(far)
			if served < 100 || worst > 0 {
				t.Errorf("truth up to %.0f ns beyond the bound, of %d looks", worst, served)
			}
			if _, _, want := run(near); bound > want+3 {
				t.Errorf("the bound is %v, beside a nearer lie %v", bound, want)
			}
		})
	}
}
