package status

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	typeLine   = regexp.MustCompile(`^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*")*\})? (\S+)$`)
)

// The Prometheus text format, version 0.0.4: "All lines for a given metric must be provided as one single group, with
// the optional HELP and TYPE lines first", only one TYPE line, before the first sample, and each combination of a name
// and labels once. The names follow its naming practice: what counts ends in _total, and nothing else does.
func TestMetricsAreOneGroupEach(t *testing.T) {
	base, _ := start(t, synced())
	get(t, "GET", base+"/nope")
	_, body := get(t, "GET", base+"/metrics")
	if !strings.HasSuffix(body, "\n") {
		t.Error("the last line has no end")
	}
	group, kind, samples := "", "", 0
	groups, series := map[string]bool{}, map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
		if m := typeLine.FindStringSubmatch(line); m != nil {
			if groups[m[1]] {
				t.Errorf("a second group of %s", m[1])
			}
			group, kind = m[1], m[2]
			groups[group] = true
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("not a sample: %q", line)
			continue
		}
		samples++
		v, err := strconv.ParseFloat(m[3], 64)
		switch {
		case err != nil || math.IsNaN(v):
			t.Errorf("no value: %q", line)
		case m[1] != group:
			t.Errorf("in the group of %s stands %q", group, line)
		case series[m[1]+m[2]]:
			t.Errorf("a second time: %q", line)
		case (kind == "counter") != strings.HasSuffix(m[1], "_total"):
			t.Errorf("%s is a %s", m[1], kind)
		case kind == "counter" && v < 0:
			t.Errorf("below zero: %q", line)
		}
		series[m[1]+m[2]] = true
	}
	if samples < 40 || len(groups) < 20 {
		t.Errorf("only %d samples in %d groups", samples, len(groups))
	}
}
