package sysclock

import (
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"
)

func TestBatteryClockIsWrittenOnlyWhenItIsOff(t *testing.T) {
	host := time.Date(2026, 7, 1, 12, 0, 0, 300e6, time.UTC)
	for _, c := range []struct {
		name    string
		rtc     time.Time
		err     error
		stepped bool
		local   bool
		want    bool
	}{
		{name: "right", rtc: host.Truncate(time.Second)},
		{name: "a second behind", rtc: host.Truncate(time.Second).Add(-time.Second)},
		{name: "five seconds behind", rtc: host.Add(-5 * time.Second).Truncate(time.Second), want: true},
		{name: "three seconds ahead, after a step", rtc: host.Add(3 * time.Second), stepped: true, want: true},
		{name: "right, after a step", rtc: host.Truncate(time.Second), stepped: true},
		{name: "lost its time", err: unix.EINVAL, want: true},
		{name: "keeps local time", rtc: host.Add(2 * time.Hour), local: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var wrote []time.Time
			r := &RTC{device: "rtc", utc: !c.local, now: func() time.Time { return host },
				get: func() (time.Time, error) { return c.rtc, c.err },
				set: func(x time.Time) error { wrote = append(wrote, x); return nil }}
			if err := r.Keep(c.stepped); err != nil {
				t.Fatal(err)
			}
			if (len(wrote) == 1) != c.want || len(wrote) > 1 {
				t.Fatalf("wrote %v", wrote)
			}
			if c.want && wrote[0].Sub(host).Abs() > time.Second/2 {
				t.Errorf("wrote %v at %v", wrote[0], host)
			}
		})
	}
	if err := (*RTC)(nil).Keep(true); err != nil {
		t.Errorf("no battery clock: %v", err)
	}
	for text, want := range map[string]bool{"": true, "0.0 0 0\n0\nUTC\n": true, "0.0 0 0\n0\nLOCAL\n": false} {
		if got := keepsUTC(fstest.MapFS{"adjtime": {Data: []byte(text)}}); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
