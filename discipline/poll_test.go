package discipline_test

import (
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// The wish is short while learning, grows with a calm oscillator behind a noisy path as far as the
// source follows, and is short again when the oscillator becomes restless.
func TestPollWish(t *testing.T) {
	run := func() (start, calm, restless time.Duration, most time.Duration) {
		const longest = 256 * time.Second // of the source
		w := newWorld(17, 6)
		d := discipline.New(discipline.Config{Sources: names(1)})
		if p := d.Snapshot().Poll; p != 0 {
			t.Fatalf("a wish of %v before anything is known", p)
		}
		at, poll := 1e9, 4*time.Second
		phase, rate := 0.0, 0.0
		step := func() time.Duration {
			m := w.sample("a", discipline.Raw(at), 4*time.Millisecond, 10*time.Microsecond, int64(phase))
			m.Poll = poll
			if err := d.Update(m); err != nil {
				t.Fatal(err)
			}
			s := d.Snapshot()
			most = max(most, s.Poll)
			poll = min(max(s.Poll, 4*time.Second), longest)
			at += float64(poll)
			phase += rate * poll.Seconds()
			return s.Poll
		}
		for range 6 {
			start = max(start, step())
		}
		for range 400 {
			calm = step()
		}
		restless = calm
		for k := range 200 {
			rate = 450 * float64(1-2*(k/3%2)) // ns/s
			restless = min(restless, step())
		}
		return
	}
	start, calm, restless, most := run()
	if start != 4*time.Second || calm < 128*time.Second || restless > calm/4 || most > 512*time.Second {
		t.Errorf("at the start %v, calm %v, restless %v, at most %v", start, calm, restless, most)
	}
	t.Log(start, calm, restless, most)
	if a, b, c, e := run(); a != start || b != calm || c != restless || e != most {
		t.Error("another run wishes otherwise")
	}
}
