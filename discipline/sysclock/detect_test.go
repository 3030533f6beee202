package sysclock

import (
	"context"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

const (
	fullCaps = "Name:\tx\nCapEff:\t000001ffffffffff\n"
	noTime   = "Name:\tx\nCapEff:\t000001fffdffffff\n"
)

func TestKnownDaemons(t *testing.T) {
	for _, c := range []struct {
		cmdline, status, want string
	}{
		{"/usr/sbin/chronyd\x00-F\x001\x00", fullCaps, "chronyd"},
		{"/usr/sbin/chronyd\x00-x\x00", fullCaps, ""},
		{"/usr/sbin/chronyd\x00-F\x001\x00", noTime, ""}, // its helper process
		{"/usr/sbin/ntpd\x00-g\x00", fullCaps, "ntpd"},
		{"ntpd: ntp engine\x00", fullCaps, "ntpd"},
		{"/usr/bin/ntp-daemon\x00--config\x00x\x00", fullCaps, "ntp-daemon"},
		{"/lib/systemd/systemd-timesyncd\x00", fullCaps, "systemd-timesyncd"},
		{"phc2sys\x00-a\x00", fullCaps, "phc2sys"},
		{"ptp4l\x00-i\x00eth0\x00", fullCaps, ""},
		{"ptp4l\x00-S\x00-i\x00eth0\x00", fullCaps, "ptp4l"},
		{"/bin/sh\x00-c\x00chronyd\x00", fullCaps, ""},
		{"", fullCaps, ""}, // a kernel thread
	} {
		proc := fstest.MapFS{
			"77/cmdline": {Data: []byte(c.cmdline)}, "77/status": {Data: []byte(c.status)},
			"self/x": {}, "99/cmdline": {Data: []byte("/usr/sbin/chronyd\x00")}, "99/status": {Data: []byte(fullCaps)},
		}
		got := ""
		if o := daemon(proc, 99); o != nil {
			got = o.Name
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.cmdline, got, c.want)
		}
	}
}

func TestChangesOfOthersAreSeen(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*simKernel)
		want bool
	}{
		{"nobody", func(*simKernel) {}, false},
		{"frequency", func(k *simKernel) { k.t.freq += 9 }, true},
		{"offset", func(k *simKernel) { k.t.offset = 100 }, true},
		{"maxerror", func(k *simKernel) { k.t.maxerror = 0 }, true},
		{"one date -s", func(k *simKernel) { k.set(time.Hour) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, start := newSimKernel(), time.Now()
				begun := false
				k.tick = func() discipline.Raw {
					now := time.Since(start)
					if now >= 4*time.Second && !begun {
						begun = true
						c.do(k)
					}
					return discipline.Raw(1e9 + now)
				}
				k.t.maxerror = 5000
				o, err := detectChange(context.Background(), k, 10*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				if (o != nil) != c.want {
					t.Errorf("found %v", o)
				}
				if took := time.Since(start); !c.want && took < 10*time.Second || took > 11*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
