package status

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"math/bits"
	"net/http"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"duration": Duration,
	"optional": func(p *float64) string { return OrDash(p, Duration) },
	"bound":    func(p *float64) string { return OrDash(p, Bound) },
	"days": func(seconds *float64) string {
		return fmt.Sprintf("%.1f days", *seconds/86400)
	},
	"reach": func(r int) string {
		return fmt.Sprintf("%d of 8", bits.OnesCount8(uint8(r)))
	},
	"rejected": func(m map[string]uint64) string {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
		}
		if len(parts) == 0 {
			return "none"
		}
		return strings.Join(parts, ", ")
	},
}).Parse(pageText))

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	r := s.Report()
	title, sentence := r.Verdict()
	var kinds []string // of warnings, each once
	for _, w := range r.Warnings {
		if !slices.Contains(kinds, w.ID) {
			kinds = append(kinds, w.ID)
		}
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Report
		Title, Sentence string
		Known           bool
		Kinds           []string
	}{r, title, sentence, r.known(), kinds})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes())
}
