package loop

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// BenchmarkTurn is what the loop costs once a second, with four servers, on the real clock's
// readings but without setting it.
func BenchmarkTurn(b *testing.B) {
	clock := sysclock.NewObserver()
	var c discipline.Config
	for _, n := range []string{"a", "b", "c", "d"} {
		c.Sources = append(c.Sources, discipline.SourceConfig{Name: n, Operator: n})
	}
	c.Observing = true
	l, err := New(Options{Engine: discipline.New(c), Clock: clock, Mode: Observe, Measurements: make(chan discipline.Measurement)})
	if err != nil {
		b.Fatal(err)
	}
	l.s.keep = newKeeper(l.o, l.log)
	for i := range 400 {
		h := sysclock.ReadPair()
		m := discipline.Measurement{Source: c.Sources[i%4].Name, At: h.Raw, Offset: h.Real - int64(h.Raw), Delay: time.Millisecond,
			Precision: time.Microsecond, Stratum: 1, Authenticated: true, Poll: time.Second}
		if err := l.turn(&m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := l.turn(nil); err != nil {
			b.Fatal(err)
		}
	}
}
