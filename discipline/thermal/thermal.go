// Package thermal finds and reads the thermometer nearest to the host's oscillator. On small boards
// that is the processor's: the crystal stands beside it and follows it within minutes.
package thermal

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// kinds are the names of sensors that are near a board's oscillator, the best first. They are the type of
// a thermal zone (kernel, Documentation/ABI/testing/sysfs-class-thermal) or the name of a hwmon device.
var kinds = []string{"cpu-thermal", "cpu_thermal", "soc-thermal", "soc_thermal", "cpu0-thermal", "cpu", "soc", "x86_pkg_temp", "coretemp", "k10temp", "acpitz"}

// Sensor is one thermometer.
type Sensor struct {
	Path string // of the file that holds millidegrees Celsius
	Kind string // what the kernel calls it
}

// Find returns the best sensor below sys, which is the machine's /sys (os.DirFS("/sys") reads it);
// ok is false when there is none, as in most virtual machines.
func Find(sys fs.FS) (s Sensor, ok bool) {
	best := len(kinds)
	for _, where := range []struct{ pattern, name, value string }{
		{"class/thermal/thermal_zone*", "type", "temp"},
		{"class/hwmon/hwmon*", "name", "temp1_input"},
	} {
		list, _ := fs.Glob(sys, where.pattern) // in order of their names; the patterns are right
		for _, dir := range list {
			name, err := fs.ReadFile(sys, path.Join(dir, where.name))
			kind := strings.TrimSpace(string(name))
			rank := slices.Index(kinds, kind)
			if err != nil || rank < 0 || rank >= best {
				continue
			}
			if b, err := fs.ReadFile(sys, path.Join(dir, where.value)); err == nil {
				if _, err := parse(b); err == nil {
					best, s = rank, Sensor{"/sys/" + path.Join(dir, where.value), kind}
				}
			}
		}
	}
	return s, best < len(kinds)
}

// Read returns the temperature, °C.
func (s Sensor) Read() (float64, error) {
	b, err := os.ReadFile(s.Path)
	if err != nil {
		return 0, fmt.Errorf("reading the thermometer: %w", err)
	}
	c, err := parse(b)
	if err != nil {
		return 0, fmt.Errorf("reading the thermometer %s: %w", s.Path, err)
	}
	return c, nil
}

func parse(b []byte) (float64, error) {
	text := strings.TrimSpace(string(b))
	milli, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%.20q is no number of millidegrees", text)
	}
	return float64(milli) / 1000, nil
}

// Reading is a temperature at an instant.
type Reading struct {
	At      discipline.Raw
	Celsius float64
}

// every is the time between two readings. Crystals take minutes.
const every = 10 * time.Second

// Watch sends readings until ctx ends. A reading that fails is left out: failed, when not nil, is told
// the first of a row, and nil when it works again.
func (s Sensor) Watch(ctx context.Context, now func() discipline.Raw, out chan<- Reading, failed func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	bad := false
	for {
		c, err := s.Read()
		if failed != nil && (err != nil) != bad {
			failed(err)
		}
		bad = err != nil
		if !bad {
			select {
			case out <- Reading{now(), c}:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
