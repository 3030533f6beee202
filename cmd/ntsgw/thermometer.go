package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/thermal"
)

// thermometer is the sensor near the oscillator and where its readings go.
type thermometer struct {
	sensor thermal.Sensor
	out    chan thermal.Reading
}

// findSensor does what [clock] thermometer says: auto, none or a file. ok is false without a sensor.
func findSensor(want string) (s thermal.Sensor, ok bool, err error) {
	switch want {
	case "auto":
		s, ok = thermal.Find(os.DirFS("/sys"))
		return s, ok, nil
	case "none":
		return s, false, nil
	}
	s = thermal.Sensor{Path: want, Kind: want}
	if _, err := s.Read(); err != nil {
		return s, false, fmt.Errorf("thermometer: %w; set thermometer = \"auto\" in [clock], or \"none\"", err)
	}
	return s, true, nil
}

// newThermometer returns nil without a sensor.
func newThermometer(want string) (*thermometer, error) {
	s, ok, err := findSensor(want)
	if err != nil || !ok {
		return nil, err
	}
	return &thermometer{sensor: s, out: make(chan thermal.Reading)}, nil
}

func (t *thermometer) run(ctx context.Context, now func() discipline.Raw, log *slog.Logger) error {
	log.Info("a thermometer helps to foresee the oscillator", "sensor", t.sensor.Kind, "file", t.sensor.Path)
	t.sensor.Watch(ctx, now, t.out, func(err error) {
		if err != nil {
			log.Warn("the thermometer fails", "err", err)
			return
		}
		log.Info("the thermometer works again", "file", t.sensor.Path)
	})
	return nil
}

// thermometerFindings says nothing of a file that can't be read: fileProblems does.
func thermometerFindings(want string) []finding {
	s, ok, err := findSensor(want)
	switch {
	case err != nil:
		return nil
	case ok:
		if c, err := s.Read(); err == nil {
			return []finding{{"ok", fmt.Sprintf("the thermometer %s reads %.1f °C", s.Kind, c)}}
		}
		return []finding{{"note", "the thermometer " + s.Path + " can't be read at present"}}
	case want == "none":
		return []finding{{"ok", "no thermometer is used"}}
	}
	return []finding{{"note", "there is no thermometer near the oscillator: holdover is less good"}}
}
