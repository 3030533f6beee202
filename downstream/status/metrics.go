package status

import (
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/VictoriaMetrics/metrics"
)

// writeMetrics writes r in the Prometheus text format (version 0.0.4): the samples of a metric in one group, its type
// before them. Values that are not known are left out rather than written as zero.
func writeMetrics(to io.Writer, r *Report, counters map[string]Counters) {
	w := families{}
	defer w.writeTo(to)
	gauge := metrics.WriteGaugeFloat64
	optional := func(name string, v *float64) {
		if v != nil {
			gauge(w, name, *v)
		}
	}
	flag := func(name string, b bool) {
		v := 0.0
		if b {
			v = 1
		}
		gauge(w, name, v)
	}
	gauge(w, "ntsgw_build_info"+labels("version", r.Version, "gateway", r.Gateway, "mode", r.Mode), 1)
	for _, s := range []string{"unsynchronized", "acquiring", "synchronized", "holdover"} {
		flag("ntsgw_state"+labels("state", s), s == r.State)
	}
	flag("ntsgw_synchronized", r.Synchronized)
	flag("ntsgw_nts", r.NTS)
	gauge(w, "ntsgw_stratum", float64(r.Stratum))
	optional("ntsgw_offset_seconds", r.Offset)
	optional("ntsgw_max_error_seconds", r.MaxError)
	optional("ntsgw_est_error_seconds", r.EstError)
	optional("ntsgw_last_update_seconds", r.LastUpdate)
	if r.known() {
		gauge(w, "ntsgw_source_stratum", float64(r.SourceStratum))
		gauge(w, "ntsgw_jitter_seconds", r.Jitter)
		gauge(w, "ntsgw_root_delay_seconds", r.RootDelay)
		gauge(w, "ntsgw_root_dispersion_seconds", r.RootDispersion)
		gauge(w, "ntsgw_frequency_ppm", r.FrequencyPPM)
	}
	gauge(w, "ntsgw_leap", float64(r.Leap))
	gauge(w, "ntsgw_tai_offset_seconds", float64(r.TAIOffset))
	gauge(w, "ntsgw_uptime_seconds", r.Uptime)
	warnings := map[string]float64{}
	for _, warning := range r.Warnings {
		warnings[warning.ID]++
	}
	for _, id := range slices.Sorted(maps.Keys(warnings)) {
		gauge(w, "ntsgw_warning"+labels("id", id), warnings[id])
	}
	for _, e := range r.Expiries {
		optional("ntsgw_expiry_seconds"+labels("kind", e.Kind, "name", e.Name, "from", e.From), e.Left)
	}
	for _, s := range r.Sources {
		label := labels("source", s.Name)
		gauge(w, "ntsgw_source_state"+labels("source", s.Name, "state", s.State), 1)
		gauge(w, "ntsgw_source_reach"+label, float64(s.Reach))
		gauge(w, "ntsgw_source_poll_seconds"+label, s.Poll)
		gauge(w, "ntsgw_source_cookies"+label, float64(s.Cookies))
		optional("ntsgw_source_offset_seconds"+label, s.Offset)
		optional("ntsgw_source_delay_seconds"+label, s.Delay)
		optional("ntsgw_source_jitter_seconds"+label, s.Jitter)
		metrics.WriteCounterUint64(w, "ntsgw_source_sent_total"+label, s.Sent)
		metrics.WriteCounterUint64(w, "ntsgw_source_received_total"+label, s.Received)
		for _, reason := range slices.Sorted(maps.Keys(s.Rejected)) {
			metrics.WriteCounterUint64(w, "ntsgw_source_rejected_total"+labels("source", s.Name, "reason", reason), s.Rejected[reason])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		writeCounters(w, "ntsgw_"+name, counters[name])
	}
}

// families gathers samples by the name of their metric. Each Write is one sample.
type families map[string][]byte

func (f families) Write(sample []byte) (int, error) {
	name, _, _ := strings.Cut(string(sample), " ")
	name, _, _ = strings.Cut(name, "{")
	f[name] = append(f[name], sample...)
	return len(sample), nil
}

// writeTo writes the groups in the order of their names. What counts ends in _total; all else may go down.
func (f families) writeTo(w io.Writer) {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		kind := "gauge"
		if strings.HasSuffix(name, "_total") {
			kind = "counter"
		}
		io.WriteString(w, "# TYPE "+name+" "+kind+"\n")
		w.Write(f[name])
	}
}

// inLabel escapes what the text format wants escaped in a label's value, and nothing else: any other
// escape is a mistake there, and other characters stand for themselves.
var inLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// labels writes pairs of a name and a value.
func labels(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(pairs[i] + `="` + inLabel.Replace(strings.ToValidUTF8(pairs[i+1], "\uFFFD")) + `"`)
	}
	return b.String() + "}"
}

// Counters is what a downstream did: a uint64 becomes the metric ntsgw_<downstream>_<name>_total, a
// map of them one with a reason label, and a float64 a gauge without _total.
type Counters map[string]any

func writeCounters(w io.Writer, prefix string, c Counters) {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		switch n := c[name].(type) {
		case uint64:
			metrics.WriteCounterUint64(w, prefix+"_"+name+"_total", n)
		case float64:
			metrics.WriteGaugeFloat64(w, prefix+"_"+name, n)
		case map[string]uint64:
			for _, reason := range slices.Sorted(maps.Keys(n)) {
				metrics.WriteCounterUint64(w, prefix+"_"+name+"_total"+labels("reason", reason), n[reason])
			}
		}
	}
}
