package discipline_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// sane checks what must hold of every snapshot and decision, whatever came in.
func sane(t *testing.T, s *discipline.Snapshot, d discipline.Decision, limit float64) {
	t.Helper()
	for name, x := range map[string]float64{"FrequencyPPM": s.FrequencyPPM, "RateBoundPPM": s.RateBoundPPM,
		"MaxErrorPPM": s.MaxErrorPPM, "EstErrorPPM": s.EstErrorPPM, "decision": d.FrequencyPPM} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			t.Fatalf("%s is %v", name, x)
		}
	}
	if d.Action == discipline.Slew || d.Action == discipline.Step {
		if math.Abs(d.FrequencyPPM) > limit {
			t.Fatalf("frequency %v beyond the limit of %v ppm", d.FrequencyPPM, limit)
		}
	}
	if s.MaxErrorAt < 0 || s.EstErrorAt < 0 || s.MaxErrorPPM < 0 || s.RateBoundPPM < 0 || s.EstErrorPPM < 0 || s.Jitter < 0 {
		t.Fatalf("negative: %+v", s)
	}
	if s.Serving() && (s.MaxErrorAt == 0 || s.Stratum < 1 || s.Stratum > 15) {
		t.Fatalf("serves with bound %v, stratum %d", s.MaxErrorAt, s.Stratum)
	}
	if !s.Serving() && s.Stratum != 16 {
		t.Fatalf("stratum %d while %v", s.Stratum, s.State)
	}
}

// liars returns a way to lie that is made up anew for each seed.
func liars(rng *rand.Rand) func(t float64, m *discipline.Measurement) {
	at := rng.Float64() * 4000
	kind := rng.IntN(7)
	size := math.Exp(rng.Float64()*25 - 1) // ns … 20 s
	if rng.IntN(2) == 0 {
		size = -size
	}
	return func(t float64, m *discipline.Measurement) {
		if t < at {
			return
		}
		switch kind {
		case 0:
			m.Offset += int64(size)
		case 1: // a drag, ppm
			m.Offset += int64((t - at) * size / 1e3)
		case 2: // noise
			m.Offset += int64(size * rng.NormFloat64())
		case 3: // just inside its own delay
			m.Offset += int64(float64(m.Delay) * 0.49)
		case 4: // a tight interval beside the truth
			m.Delay, m.Offset = 1000, m.Offset+int64(size)
		case 5: // steps at each poll
			m.Offset += int64(size * math.Floor((t-at)/64))
		case 6: // anything
			m.Offset = int64(rng.Uint64()) >> rng.IntN(40)
			m.Delay = time.Duration(rng.Uint64() >> 30)
			m.RootDispersion = time.Duration(rng.Uint64() >> 31)
		}
	}
}

// Whatever a minority says, and whatever the paths do, truth stays inside the bound.
func TestTruthStaysInside(t *testing.T) {
	runs := 40
	if n, err := strconv.Atoi(os.Getenv("NTSGW_RUNS")); err == nil {
		runs = n // a longer search
	}
	served := 0.0
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(seed), 9))
			n := []int{1, 3, 3, 4, 5, 7}[rng.IntN(6)]
			f := (n - 1) / 2
			w := newWorld(rng.NormFloat64()*50, uint64(seed))
			d := discipline.New(discipline.Config{Sources: names(n), Observing: rng.IntN(2) == 0})
			lies := make([]func(float64, *discipline.Measurement), n)
			for i := range f {
				lies[n-1-i] = liars(rng)
			}
			poll := []float64{2, 16, 64, 256}[rng.IntN(4)]
			base := math.Exp(rng.Float64()*8 + 9) // 8 µs … 24 ms
			jitter := base * math.Exp(rng.Float64()*6-4)
			tilt := rng.Float64() // of the base delay on the way out
			loss := rng.Float64() * 0.3
			for k := 0; k < 150; k++ {
				for i := range n {
					if rng.Float64() < loss {
						continue
					}
					at := float64(k)*poll + poll*(float64(i)+rng.Float64())/float64(n)
					r := discipline.Raw(at*1e9) + 1e9
					out := base*2*tilt + jitter*rng.ExpFloat64()
					back := base*2*(1-tilt) + jitter*rng.ExpFloat64()
					m := discipline.Measurement{Source: string(rune('a' + i)), At: r,
						Offset: w.utc(r) - int64(r) + int64((out-back)/2), Delay: time.Duration(out + back),
						Precision: time.Microsecond, Stratum: 1, Poll: time.Duration(poll * 1e9)}
					if lies[i] != nil {
						lies[i](at, &m)
					}
					before := d.Snapshot()
					w.trueError(t, before, r)
					if d.Update(m) == nil {
						s := d.Snapshot()
						w.trueError(t, s, s.At)
						w.trueError(t, s, s.At.Add(time.Duration(poll*1e9)))
						sane(t, s, d.Steer(discipline.HostReading{Raw: s.At, Real: w.utc(s.At) + int64(rng.NormFloat64()*1e6)}), 500)
						if s.Serving() {
							served++
						}
					}
				}
			}
			if s := d.Snapshot(); s.State == discipline.Unsynchronized || s.State == discipline.Acquiring {
				t.Fatalf("%v with an honest majority of %d", s.State, n)
			}
		})
	}
	t.Logf("%.0f snapshots were served", served)
}

// FuzzUpdate feeds arbitrary measurements, readings and instants.
func FuzzUpdate(f *testing.F) {
	w := newWorld(20, 8)
	for _, n := range []int{1, 3, 4} {
		var b []byte
		b = append(b, byte(n))
		for k := range 12 {
			m := w.sample("a", discipline.Raw(k+1)*4e9, time.Millisecond, time.Millisecond, 0)
			b = append(b, byte(k%n))
			b = binary.LittleEndian.AppendUint64(b, uint64(m.At))
			b = binary.LittleEndian.AppendUint64(b, uint64(m.Offset))
			b = binary.LittleEndian.AppendUint64(b, uint64(m.Delay))
			b = append(b, 0, 1, 0)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		n := 1 + int(b[0])%5
		b = b[1:]
		d := discipline.New(discipline.Config{Sources: names(n), HoldoverMax: time.Hour, MaxErrorLimit: 10 * time.Second, Leap: discipline.BuiltinLeaps()})
		for len(b) >= 28 {
			op := b[0]
			at := int64(binary.LittleEndian.Uint64(b[1:]))
			off := int64(binary.LittleEndian.Uint64(b[9:]))
			delay := int64(binary.LittleEndian.Uint64(b[17:]))
			x := b[25:28]
			b = b[28:]
			switch op >> 5 {
			case 0, 1, 2, 3:
				before := d.Snapshot()
				err := d.Update(discipline.Measurement{Source: string(rune('a' + int(op)%n)), At: discipline.Raw(at), Offset: off,
					Delay: time.Duration(delay), RootDelay: time.Duration(x[0]) << (x[2] & 31), RootDispersion: time.Duration(x[0]) << (x[1] & 31),
					Precision: time.Duration(x[1]), Stratum: x[1] & 15, Leap: discipline.Leap(int8(x[2]>>6) - 1),
					DatesDeferred: op&16 != 0, Poll: time.Duration(x[2]) << 30})
				if after := d.Snapshot(); err != nil && (after.At != before.At || after.TAI != before.TAI || after.State != before.State || after.MaxErrorAt != before.MaxErrorAt) {
					t.Fatalf("refused (%v), but something changed", err)
				}
			case 4:
				d.Advance(discipline.Raw(at))
			case 5:
				d.SetSource(string(rune('a'+int(op)%n)), discipline.Standing{Reachable: x[0]&1 == 0, Denied: string(x[1 : 1+x[2]&1]), Revoked: x[0]&2 != 0})
			case 6:
				d.Suspended(discipline.Raw(at))
			case 7:
				d.Steer(discipline.HostReading{Raw: discipline.Raw(at), Real: off, FrequencyPPM: float64(delay >> 40)})
			}
			s := d.Snapshot()
			sane(t, s, d.Steer(discipline.HostReading{Raw: s.At, Real: off}), 500)
			s.MaxError(s.At.Add(time.Hour))
			if freq, std, ok := d.Learned(); ok && (math.IsNaN(freq) || math.IsNaN(std) || math.IsInf(freq, 0)) {
				t.Fatalf("learned %v ± %v", freq, std)
			}
		}
	})
}
