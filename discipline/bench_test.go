package discipline_test

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

func benchmarkUpdate(b *testing.B, n int) {
	w := newWorld(12, 5)
	d := discipline.New(discipline.Config{Sources: names(n)})
	r, k := discipline.Raw(1e9), 0
	next := func() discipline.Measurement {
		r += discipline.Raw(int64(16e9) / int64(n))
		k++
		return w.sample(string(rune('a'+k%n)), r, 10*time.Millisecond, time.Millisecond, 0)
	}
	for range 1500 {
		_ = d.Update(next())
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = d.Update(next())
	}
}

func BenchmarkUpdate1(b *testing.B) { benchmarkUpdate(b, 1) }
func BenchmarkUpdate4(b *testing.B) { benchmarkUpdate(b, 4) }

func BenchmarkSnapshot(b *testing.B) {
	w := newWorld(12, 5)
	d := discipline.New(discipline.Config{Sources: names(4)})
	_ = d.Update(w.sample("a", 1e9, time.Millisecond, 0, 0))
	b.ReportAllocs()
	for b.Loop() {
		d.Snapshot()
	}
}
