package status

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Duration writes seconds for a person: three digits and a fitting unit.
func Duration(s float64) string {
	a := math.Abs(s)
	switch {
	case a == 0:
		return "0 s"
	case a < 0.9995e-6:
		return fmt.Sprintf("%.3g ns", s*1e9)
	case a < 0.9995e-3:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case a < 0.9995:
		return fmt.Sprintf("%.3g ms", s*1e3)
	case a < 119.5:
		return fmt.Sprintf("%.3g s", s)
	}
	return (time.Duration(s) * time.Second).Truncate(time.Second).String()
}

// sentence begins with a capital and ends with a full stop, whoever wrote it.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	s = string(unicode.ToUpper(first)) + s[size:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// Verdict is the report in a short title and a sentence.
func (r *Report) Verdict() (title, sentence string) {
	bound := ""
	if r.MaxError != nil {
		bound = Duration(*r.MaxError)
	}
	selected := 0
	for _, s := range r.Sources {
		if s.State == "selected" {
			selected++
		}
	}
	servers, proof := fmt.Sprintf("%d servers agree", selected), ", every one authenticated by NTS"
	if selected == 1 {
		servers, proof = "One server is followed", ", authenticated by NTS"
	}
	if !r.NTS {
		proof = ""
	}
	switch r.State {
	case "synchronized":
		return "Synchronized", fmt.Sprintf("%s%s. The time served is true to within %s.", servers, proof, bound)
	case "holdover":
		return "Holdover", fmt.Sprintf("No majority of servers answers at present. The clock runs on what it learned; the time served is true to within %s, and that grows.", bound)
	case "acquiring":
		return "Acquiring", "Servers answer, but not yet enough of them agree. Nothing is served until they do."
	}
	return "Unsynchronized", "No server can be believed at present, so nothing is served."
}
