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

// Bound is Duration for a limit that an error stays below: rounded up, so that what is read is true too.
func Bound(s float64) string {
	if !(math.Abs(s) < 1e9) {
		return Duration(s)
	}
	n := int64(math.Ceil(s*1e9 - 1e-3)) // whole nanoseconds come as floats
	step := int64(1)
	for n/step >= 1000 && step < 1e9 {
		step *= 10
	}
	if n > 0 {
		n = (n + step - 1) / step * step
	}
	return Duration(float64(n) / 1e9)
}

// OrDash is *p in f's words, Duration or Bound; a dash where it is not known.
func OrDash(p *float64, f func(float64) string) string {
	if p == nil {
		return "–"
	}
	return f(*p)
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
		bound = Bound(*r.MaxError)
	}
	selected, answering, denied, heard := 0, 0, 0, false
	for _, s := range r.Sources {
		switch s.State {
		case "selected":
			selected++
			answering++
		case "candidate", "falseticker":
			answering++
		case "denied":
			denied++
		}
		heard = heard || s.Received > 0
	}
	servers, proof := fmt.Sprintf("%d servers agree", selected), ", every one authenticated by NTS"
	if selected == 1 {
		servers, proof = "One server is followed", ", authenticated by NTS"
	}
	if !r.NTS {
		proof = ""
	}
	why := ""
	switch {
	case r.Withheld != nil && selected > 0:
		why = fmt.Sprintf("%s, but the maximum error, %s, is larger than max_error_limit in [clock] allows. Nothing is served until it is smaller.", servers, Bound(*r.Withheld))
	case r.Withheld != nil:
		why = fmt.Sprintf("No majority of servers answers at present, and the maximum error, %s, has grown larger than max_error_limit in [clock] allows, so nothing is served. See: ntsgw sources.", Bound(*r.Withheld))
	case len(r.Sources) == 0:
		why = "No server is configured, so nothing is served."
	case denied == len(r.Sources):
		why = "Every server is refused, so nothing is served. To see why: ntsgw sources."
	case answering == 0 && heard:
		why = "No server answers at present, so nothing is served. To see why: ntsgw sources."
	case answering == 0:
		why = "No server has answered yet, so nothing is served. To see why: ntsgw sources."
	case r.Mode == "follow" && r.State == "unsynchronized":
		why = "No majority of servers agrees at present, and in follow mode nothing else tells how far off the host clock is, so nothing is served. To see how each is: ntsgw sources."
	case r.State == "acquiring":
		why = "Servers answer, but not yet enough of them agree. Nothing is served until they do. To see how each is: ntsgw sources."
	default:
		why = "Servers answer, but none can be believed at present, so nothing is served. To see how each is: ntsgw sources."
	}
	switch r.State {
	case "synchronized":
		return "Synchronized", fmt.Sprintf("%s%s. The time served is true to within %s.", servers, proof, bound)
	case "holdover":
		return "Holdover", fmt.Sprintf("No majority of servers answers at present. The clock runs on what it learned; the time served is true to within %s, and that grows.", bound)
	case "acquiring":
		return "Acquiring", why
	}
	return "Unsynchronized", why
}
