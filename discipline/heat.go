package discipline

import "math"

// A crystal's rate follows its temperature, and many boards have a thermometer near it. The filter
// learns what a kelvin does to the rate (the state's last element) and carries the timeline along
// with it, which counts most in holdover. The bound uses nothing of it: the thermometer may be
// wrong, or far from the crystal.

const (
	heatLag    = 100.0 // seconds by which the crystal follows the thermometer: a processor's is quicker
	heatStd    = 60.0  // ns/s per K: what crystals do
	heatWander = 1e-5  // (ns/s/K)²/s: the dependence is itself one on temperature
	heatSoften = 2.0   // by how much what was learned of it counts as less when the window is filtered again
	coldest    = -80.0 // °C; what lies outside is a broken sensor
	hottest    = 150.0
)

// thermometer is what was read, smoothed as the crystal smooths it, about the first reading.
type thermometer struct {
	any  bool
	ref  float64 // °C
	at   Raw     // of the newest reading
	warm float64 // K above ref then
	sum  float64 // its integral until then, K·s
}

// read takes a reading.
func (h *thermometer) read(at Raw, celsius float64) {
	if !(celsius > coldest && celsius < hottest) {
		return
	}
	if !h.any {
		*h = thermometer{any: true, ref: celsius, at: at}
		return
	}
	dt := float64(at-h.at) * 1e-9
	if dt <= 0 {
		return
	}
	// The mean of a first-order lag's answer over the time since.
	to := celsius - h.ref
	left := math.Exp(-dt / heatLag)
	h.sum += to*dt + (h.warm-to)*heatLag*(1-left)
	h.warm = to + (h.warm-to)*left
	h.at = at
}

// look returns how many kelvins above the first reading the crystal is at an instant near the
// newest reading, and the integral of that, K·s.
func (h *thermometer) look(at Raw) (warm, sum float64) {
	if !h.any {
		return 0, 0
	}
	return h.warm, h.sum + h.warm*float64(at-h.at)*1e-9
}

// Temperature tells what a thermometer near the raw clock's oscillator reads, °C, at now. Call it
// some times a minute. A reading that no board survives, that is not newer than the last, or that comes
// without Config.Thermometer, is ignored.
func (d *Discipline) Temperature(now Raw, celsius float64) {
	if d.filter.heat != nil {
		d.filter.heat.read(now, celsius)
	}
}
