package discipline

import (
	"math"
	"testing"
)

// What look returns is the lag's answer and its integral, as small steps give them.
func TestThermometer(t *testing.T) {
	var h thermometer
	if w, s := h.look(5); w != 0 || s != 0 {
		t.Fatal("something was read from nothing")
	}
	celsius := func(at float64) float64 { return 40 + 10*math.Floor(at/200) }
	warm, sum, next := 0.0, 0.0, 0.0
	for at := 0.0; at < 1000; at += 0.01 {
		if at >= next {
			h.read(Raw(at*1e9), celsius(at))
			next += 10
		}
		// A reading holds for the time before it.
		warm += (celsius(next) - 40 - warm) * 0.01 / heatLag
		sum += warm * 0.01
	}
	h.read(1000e9, celsius(1000))
	w, s := h.look(1000e9)
	if math.Abs(w-warm) > 0.05 || math.Abs(s-sum) > 0.005*sum {
		t.Errorf("warm %.3f, want %.3f; sum %.1f, want %.1f", w, warm, s, sum)
	}
	was := h
	h.read(1010e9, math.NaN())
	h.read(1010e9, 1e9)
	h.read(990e9, 20)
	if h != was {
		t.Error("a broken or an old reading was taken")
	}
}

// The covariance that present works out is the one that the next sample starts from.
func TestHeatCovariance(t *testing.T) {
	h := thermometer{}
	f := newFilter(1, &h)
	f.start(0, 1000)
	for i := range 40 {
		at := float64(i) * 16
		h.read(Raw(at*1e9), 40+10*math.Sin(at/100))
		f.add(0, at, 3*at+20*math.Sin(at/50), 1e5+2e4*math.Abs(math.Sin(at)), 500)
	}
	h.read(650e9, 55)
	e := f.bank[7].estimate(650, true, h.warm, h.sum)
	x := f.bank[7]
	x.x, x.p, x.w = append([]float64{}, x.x...), append([]float64{}, x.p...), append([]float64{}, x.w...)
	w := f.ways[0]
	// A sample that says nothing moves the state to its instant.
	x.update(&sampleAt{0, 650, e.y, 1e5, 1e15, h.sum}, &way{used: model{delays: delays{soft: 1e15, mean: 1e15, least: 1e5, thin: 1e15, floor: w.used.floor}, median: 1e9, spread: 1e15, tail: math.Inf(1)}}, true, f.col)
	d := len(x.x)
	k := d - 1
	rate := x.x[1] + x.x[k]*h.warm
	prr := x.p[d+1] + 2*h.warm*x.p[d+k] + h.warm*h.warm*x.p[d*d-1]
	pyr := x.p[1] + h.warm*x.p[k]
	for name, c := range map[string][2]float64{"offset": {e.y, x.x[0]}, "rate": {e.rate, rate}, "pyy": {e.pyy, x.p[0]}, "pyr": {e.pyr, pyr}, "prr": {e.prr, prr}} {
		if math.Abs(c[0]-c[1]) > 1e-3*math.Abs(c[1])+1e-6 {
			t.Errorf("%s %v, want %v", name, c[0], c[1])
		}
	}
}
