package sim

import (
	"math"
	"math/rand/v2"
)

// Oscillator describes how a raw clock's rate strays from true time. Rates are in ns/s (1 ppm is
// 1000 ns/s), positive when the raw clock runs fast; it is evaluated once a second.
type Oscillator struct {
	Offset    float64 // constant
	White     float64 // white frequency noise, standard deviation at one second
	Flicker   float64 // amplitude of each of four first-order processes, 10 s to 10,000 s
	Walk      float64 // random walk, standard deviation of a second's step
	Aging     float64 // ns/s per day
	Swing     float64 // amplitude of the temperature's daily or other period
	Period    float64 // of the swing, seconds
	Jump      float64 // size of a sudden change …
	JumpMean  float64 // … which alternates its sign, at random times this far apart, seconds
	Load      float64 // rate change under load, approached with LoadTau, load toggles every LoadEvery
	LoadTau   float64
	LoadMean  float64
	PerKelvin float64 // how Swing and Load show on a thermometer, ns/s per K; 100 when 0
}

// The oscillators of real boards, roughly.
var (
	crystalPi = Oscillator{Offset: 7000, White: 3, Flicker: 3, Walk: 0.3, Aging: 5, Swing: 600, Period: 86400}
	tcxo      = Oscillator{Offset: 800, White: 1, Flicker: 0.5, Walk: 0.03, Aging: 1, Swing: 40, Period: 86400}
	virtual   = Oscillator{Offset: -21000, White: 30, Flicker: 8, Walk: 1, Swing: 300, Period: 43200}
	walker    = Oscillator{Walk: 1}
)

type oscillator struct {
	Oscillator
	rng     *rand.Rand
	t       float64
	walk    float64
	slow    [4]float64
	jump    float64
	next    float64
	load    float64
	goal    float64
	nextL   float64
	phase   float64
	swing   float64
	chip    float64 // what the load adds to the processor's temperature, in rate
	decoy   float64
	heatRNG *rand.Rand
}

func newOscillator(o Oscillator, rng *rand.Rand) *oscillator {
	return &oscillator{Oscillator: o, rng: rng, phase: rng.Float64() * 2 * math.Pi, jump: o.Jump / 2,
		next: rng.ExpFloat64() * o.JumpMean, nextL: rng.ExpFloat64() * o.LoadMean, heatRNG: rand.New(rand.NewPCG(rng.Uint64(), 79))}
}

// Rates returns what draws the mean rate error of one second after the other.
func (o Oscillator) Rates(rng *rand.Rand) func() float64 { return newOscillator(o, rng).step }

// step returns the mean rate error over the next second.
func (o *oscillator) step() float64 {
	o.t++
	r := o.Offset + o.Aging*o.t/86400
	if o.Walk > 0 {
		o.walk += o.Walk * o.rng.NormFloat64()
		r += o.walk
	}
	if o.White > 0 {
		r += o.White * o.rng.NormFloat64()
	}
	if o.Flicker > 0 {
		tau := 10.0
		for i := range o.slow {
			o.slow[i] += -o.slow[i]/tau + o.Flicker*math.Sqrt(2/tau)*o.rng.NormFloat64()
			r += o.slow[i]
			tau *= 10
		}
	}
	if o.Swing > 0 {
		o.swing = o.Swing * math.Sin(2*math.Pi*o.t/o.Period+o.phase)
		r += o.swing
	}
	if o.Jump > 0 {
		if o.t >= o.next {
			o.jump, o.next = -o.jump, o.t+o.rng.ExpFloat64()*o.JumpMean
		}
		r += o.jump
	}
	if o.Load != 0 {
		if o.t >= o.nextL {
			o.goal, o.nextL = o.Load-o.goal, o.t+o.rng.ExpFloat64()*o.LoadMean
		}
		o.load += (o.goal - o.load) / o.LoadTau
		o.chip += (o.goal - o.chip) / math.Max(1, o.LoadTau/8)
		r += o.load
	}
	return r
}

// A Sensor is what a thermometer on the board has to do with the oscillator.
type Sensor int

const (
	NoSensor    Sensor = iota
	NearSensor         // the processor's: load shows on it sooner than on the crystal
	DecoySensor        // one whose temperature comes and goes without the crystal's
)

// celsius is what the sensor reads, in steps of half a kelvin and with some noise.
func (o *oscillator) celsius(s Sensor) float64 {
	per := o.PerKelvin
	if per == 0 {
		per = 100
	}
	t := 40 + (o.swing+o.chip)/per
	if s == DecoySensor {
		if o.heatRNG.IntN(120) == 0 {
			o.decoy = 20 * o.heatRNG.Float64()
		}
		t = 40 + o.decoy
	}
	return math.Round(2*(t+0.2*o.heatRNG.NormFloat64())) / 2
}
