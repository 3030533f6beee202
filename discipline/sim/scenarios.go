package sim

import (
	"math"

	"github.com/ntsgw/ntsgw/discipline"
)

const (
	us = 1e3
	ms = 1e6
	s  = 1e9
)

func symmetric(base float64, j Jitter) Path {
	return Path{Out: base, Back: base, JitterOut: j, JitterBack: j}
}

func several(n int, p Path) (out []Server) {
	for range n {
		out = append(out, Server{Path: p})
	}
	return out
}

// beside puts one more server beside n alike.
func beside(n int, p, more Path) []Server { return append(several(n, p), Server{Path: more}) }

// liar replaces the last of n good servers.
func liar(n int, p Path, lie func(t float64) float64) []Server {
	out := several(n, p)
	out[n-1].Lie, out[n-1].Liar = lie, true
	return out
}

// toggled moves held delay from the way out to the way back and again back, while the round trip
// stays the same: nothing in one exchange shows it.
func toggled(held, period float64) func(t float64) (float64, float64) {
	return func(t float64) (float64, float64) {
		x := 0.5 + 0.5*math.Sin(2*math.Pi*t/period)
		return held * x, held * (1 - x)
	}
}

// moves lets held delay lie on the way back, moves it to the way there within dur seconds, and
// puts it back after half a period, while the round trip stays the same.
func moves(held, dur, period float64) func(t float64) (float64, float64) {
	return func(t float64) (float64, float64) {
		p := math.Mod(t, period)
		x := math.Min(1, p/dur)
		if p > period/2 {
			x = math.Max(0, 1-(p-period/2)/dur)
		}
		return held * x, held * (1 - x)
	}
}

// Scenarios returns the worlds of the table.
func Scenarios() []Scenario {
	internet := symmetric(10*ms, Exponential(1*ms))
	oneway := Path{Out: 1 * us, Back: 300 * us, JitterBack: Exponential(30 * us)}
	short := Path{Out: 1 * us, Back: 6 * us, JitterBack: Exponential(0.2 * us)}
	heldUp := Path{Out: 2 * ms, Back: 2 * ms, JitterOut: Loaded(Gaussian(300*us), 0.1, 20*ms), JitterBack: Loaded(Gaussian(300*us), 0.015, -1*ms)}
	near := symmetric(100*us, Exponential(30*us))
	shifted := func(f func(t float64) (float64, float64)) Path { p := near; p.Shift = f; return p }
	skewed := Path{Out: 60 * us, Back: 300 * us, JitterBack: Exponential(30 * us)}
	fast := func(ppm float64, limit float64) Scenario {
		o := crystalPi
		o.Offset = ppm * 1000
		return Scenario{Osc: o, Servers: several(1, symmetric(2*ms, Exponential(200*us))), Poll: 32,
			Config: func(c *discipline.Config) { c.MaxFrequencyPPM = limit }}
	}
	with := func(name string, sensor Sensor, sc Scenario) Scenario { sc.Name, sc.Sensor = name, sensor; return sc }
	hot := Scenario{Osc: crystalPi, Servers: several(1, symmetric(1*ms, Exponential(300*us))), Poll: 64}
	hot.Osc.Swing, hot.Osc.Period = 3000, 7200
	loaded := Scenario{Osc: crystalPi, Servers: several(1, symmetric(2*ms, Exponential(300*us))), Poll: 32}
	loaded.Osc.Load, loaded.Osc.LoadTau, loaded.Osc.LoadMean = 2000, 120, 3600
	held := Scenario{Osc: crystalPi, Servers: several(1, internet), Poll: 64, Outage: 12 * 3600}
	list := []Scenario{
		{Name: "lan", Osc: crystalPi, Servers: several(1, symmetric(50*us, Exponential(20*us))), Poll: 16},
		{Name: "ethernet", Osc: walker, Servers: several(1, symmetric(100*us, Exponential(100*us))), Poll: 64},
		{Name: "stored frequency", Osc: crystalPi, Servers: several(1, symmetric(50*us, Exponential(20*us))), Poll: 64, Drift: true},
		{Name: "internet", Osc: crystalPi, Servers: several(1, symmetric(1*ms, Exponential(1*ms))), Poll: 64},
		{Name: "gaussian", Osc: tcxo, Servers: several(1, symmetric(10*ms, Gaussian(1*ms))), Poll: 64},
		{Name: "downlink only", Osc: walker, Servers: several(1, Path{Out: 10 * ms, Back: 10 * ms, JitterBack: Exponential(2 * ms)}), Poll: 64},
		{Name: "wifi", Osc: crystalPi, Servers: several(1, symmetric(1*ms, HeavyTail(1*ms))), Poll: 16},
		{Name: "lte", Osc: crystalPi, Servers: several(4, Path{Out: 20 * ms, Back: 12 * ms, JitterOut: HeavyTail(8 * ms), JitterBack: Exponential(5 * ms), Loss: 0.1}), Poll: 64},
		{Name: "satellite", Osc: crystalPi, Servers: several(1, Path{Out: 290 * ms, Back: 280 * ms, JitterOut: Exponential(20 * ms), JitterBack: Exponential(8 * ms), Loss: 0.05}), Poll: 64},
		{Name: "bufferbloat", Osc: crystalPi, Servers: several(1, Path{Out: 8 * ms, Back: 8 * ms, JitterOut: Bloat(500*us, 150*ms, 7200), JitterBack: Exponential(500 * us)}), Poll: 64},
		{Name: "route change", Osc: crystalPi, Servers: several(1, Path{Out: 6 * ms, Back: 6 * ms, JitterOut: Exponential(300 * us), JitterBack: Exponential(300 * us),
			Shift: func(t float64) (float64, float64) {
				if math.Mod(t, 5*3600) > 3*3600 {
					return 8 * ms, 0
				}
				return 0, 0
			}}), Poll: 64},
		{Name: "one-sided congestion", Osc: crystalPi, Servers: several(1, Path{Out: 5 * ms, Back: 5 * ms, JitterOut: Exponential(300 * us), JitterBack: Exponential(300 * us),
			Shift: func(t float64) (float64, float64) { return 0, 5 * ms * (1 + math.Sin(2*math.Pi*t/3600)) }}), Poll: 64},
		{Name: "congestion both ways", Osc: crystalPi, Servers: several(1, Path{Out: 5 * ms, Back: 5 * ms, JitterOut: Exponential(300 * us), JitterBack: Exponential(300 * us),
			Shift: func(t float64) (float64, float64) { x := 5 * ms * (1 + math.Sin(2*math.Pi*t/3600)); return x, x }}), Poll: 64},
		{Name: "moved delay", Osc: crystalPi, Servers: several(1, Path{Out: 3 * ms, Back: 3 * ms, JitterOut: Exponential(200 * us), JitterBack: Exponential(200 * us), Shift: toggled(20*ms, 9000)}), Poll: 64},
		{Name: "delay moves and stays", Osc: crystalPi, Servers: several(3, shifted(moves(20*ms, 10, 4800))), Poll: 4, Hours: 4},
		{Name: "delay moves, one server", Osc: crystalPi, Servers: several(1, shifted(moves(50*ms, 20, 2400))), Poll: 2, Hours: 6},
		{Name: "delay moves slowly", Osc: crystalPi, Servers: several(4, shifted(moves(10*ms, 1000, 9000))), Poll: 16},
		{Name: "delay sways", Osc: crystalPi, Servers: several(3, shifted(toggled(20*ms, 8*math.Pi))), Poll: 2, Hours: 4},
		{Name: "four", Osc: crystalPi, Servers: several(4, internet), Poll: 64},
		{Name: "four over wifi", Osc: walker, Servers: several(4, symmetric(1*ms, HeavyTail(1*ms))), Poll: 64},
		{Name: "one of four unequal", Osc: crystalPi, Servers: beside(3, internet, Path{Out: 11 * ms, Back: 8 * ms, JitterOut: Exponential(1 * ms), JitterBack: Exponential(1 * ms)}), Poll: 64},
		{Name: "two", Osc: crystalPi, Servers: several(2, internet), Poll: 64},
		{Name: "falseticker 250 ms", Osc: crystalPi, Servers: liar(4, internet, func(t float64) float64 { return 250 * ms }), Poll: 64},
		{Name: "dragger 10 ppm", Osc: crystalPi, Servers: liar(4, internet, func(t float64) float64 { return math.Max(0, t-7200) * 10000 }), Poll: 64},
		{Name: "gains 900 s a poll", Osc: crystalPi, Servers: liar(4, internet, func(t float64) float64 { return math.Floor(t/64) * 900 * s }), Poll: 64},
		{Name: "server restarts", Osc: crystalPi, Servers: func() []Server {
			x := liar(3, internet, func(t float64) float64 {
				if m := math.Mod(t, 9000); t > 9000 && m < 900 {
					return -2 * s * math.Exp(-m/200)
				}
				return 0
			})
			x[2].Up = func(t float64) bool { return math.Mod(t, 9000) < 8700 }
			return x
		}(), Poll: 64},
		{Name: "leap second", Osc: crystalPi, Servers: several(3, internet), Poll: 64, LeapAt: 6 * 3600},
		with("temperature", NoSensor, hot),
		with("load", NoSensor, loaded),
		with("temperature, measured", NearSensor, hot),
		with("load, measured", NearSensor, loaded),
		{Name: "misleading sensor", Osc: crystalPi, Servers: several(1, symmetric(1*ms, Exponential(1*ms))), Poll: 64, Sensor: DecoySensor},
		{Name: "rate jumps", Osc: Oscillator{Offset: 3000, Walk: 0.1, Jump: 900, JumpMean: 7200}, Servers: several(1, symmetric(50*us, Exponential(20*us))), Poll: 16},
		{Name: "rarely the fast route", Osc: walker, Servers: several(1, Path{Out: 2 * ms, Back: 2 * ms, JitterOut: Exponential(20 * us), JitterBack: Often(Exponential(20*us), 0.85, ms)}), Poll: 64},
		{Name: "virtual machine", Osc: virtual, Servers: several(1, symmetric(500*us, Exponential(200*us))), Poll: 64},
		with("crystal +405 ppm", NoSensor, fast(405, 500)),
		with("crystal +600 ppm", NoSensor, fast(600, 1000)),
		with("crystal -8960 ppm", NoSensor, fast(-8960, 10000)),
		{Name: "gaussian, held up", Osc: Oscillator{}, Servers: several(1, heldUp), Poll: 4, Hours: 4},
		{Name: "late timers", Osc: Oscillator{Offset: 3000, White: 1}, Servers: several(1, Path{Out: 2.3 * ms, Back: 2.3 * ms, JitterOut: LateTimers(50*us, ms), JitterBack: LateTimers(50*us, ms)}), Poll: 4, Hours: 4},
		{Name: "all on one way", Osc: Oscillator{Offset: 3000, Walk: 0.1, Jump: 900, JumpMean: 5000}, Servers: several(1, oneway), Poll: 64},
		{Name: "all on one short way", Osc: Oscillator{Offset: 3000, Walk: 0.1, Jump: 950, JumpMean: 5000}, Servers: several(1, short), Poll: 64},
		{Name: "most on one way", Osc: Oscillator{Offset: 3000, Walk: 0.1, Jump: 900, JumpMean: 5000}, Servers: several(1, skewed), Poll: 64},
		with("holdover, crystal", NoSensor, held),
		with("holdover, measured", NearSensor, held),
		{Name: "holdover, tcxo", Osc: tcxo, Servers: several(4, internet), Poll: 64, Outage: 12 * 3600},
	}
	for i := range list {
		list[i].Settle, list[i].Start = 4000, 30*ms
		if list[i].Hours == 0 {
			list[i].Hours = 16
		}
		if list[i].Outage > 0 {
			list[i].Hours = 36.1
		}
	}
	return list
}
