package thermal

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

func sys(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func TestFind(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"Raspberry Pi": {map[string]string{"class/thermal/thermal_zone0/type": "cpu-thermal\n", "class/thermal/thermal_zone0/temp": "47712\n",
			"class/hwmon/hwmon0/name": "cpu_thermal\n", "class/hwmon/hwmon0/temp1_input": "47712\n"}, "/sys/class/thermal/thermal_zone0/temp"},
		"a PC": {map[string]string{"class/thermal/thermal_zone0/type": "acpitz\n", "class/thermal/thermal_zone0/temp": "27800\n",
			"class/thermal/thermal_zone2/type": "x86_pkg_temp\n", "class/thermal/thermal_zone2/temp": "51000\n"}, "/sys/class/thermal/thermal_zone2/temp"},
		"hwmon only":               {map[string]string{"class/hwmon/hwmon3/name": "k10temp\n", "class/hwmon/hwmon3/temp1_input": "-1500\n"}, "/sys/class/hwmon/hwmon3/temp1_input"},
		"a disk's":                 {map[string]string{"class/hwmon/hwmon0/name": "drivetemp\n", "class/hwmon/hwmon0/temp1_input": "30000\n"}, ""},
		"the best can't be read":   {map[string]string{"class/thermal/thermal_zone0/type": "cpu-thermal\n", "class/hwmon/hwmon0/name": "coretemp\n", "class/hwmon/hwmon0/temp1_input": "30000\n"}, "/sys/class/hwmon/hwmon0/temp1_input"},
		"the best holds no number": {map[string]string{"class/thermal/thermal_zone0/type": "cpu-thermal\n", "class/thermal/thermal_zone0/temp": "hot\n"}, ""},
		"a virtual machine":        {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, ok := Find(sys(c.files))
			if s.Path != c.want || ok != (c.want != "") {
				t.Errorf("%+v, %v", s, ok)
			}
		})
	}
}

// A sensor that fails for a while is said once, and its readings go on afterwards.
func TestWatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "temp")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	write("47500\n")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		out, done := make(chan Reading), make(chan bool)
		var said []bool
		begun := time.Now()
		now := func() discipline.Raw { return discipline.Raw(time.Since(begun)) }
		go func() {
			Sensor{Path: file}.Watch(ctx, now, out, func(err error) { said = append(said, err != nil) })
			close(done)
		}()
		if r := <-out; r.At != 0 || r.Celsius != 47.5 {
			t.Errorf("%+v", r)
		}
		if r := <-out; r.At != discipline.Raw(every) {
			t.Errorf("%+v", r)
		}
		write("?")
		time.Sleep(3 * every)
		write("-2000")
		if r := <-out; r.Celsius != -2 {
			t.Errorf("%+v", r)
		}
		cancel()
		<-done
		if len(said) != 2 || !said[0] || said[1] {
			t.Error(said)
		}
	})
}
