package track

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func log(n int) string {
	var b strings.Builder
	fmt.Fprintln(&b, "# utc state source offset_s delay_s host_s max_err_s est_err_s freq_ppm host_ppm action epoch")
	fmt.Fprintln(&b, "- acquiring a - 0.001000000 - - - 0.0000 0.0000 hold 00")
	for i := range n {
		t := time.Date(2026, 9, 1, 0, 0, 16*i, 0, time.UTC)
		fmt.Fprintf(&b, "%s synchronized a %.9f 0.001000000 0.000000100 0.000600000 0.000010000 -12.3000 -12.2000 slew 01\n",
			t.Format("2006-01-02T15:04:05.000000Z"), 1e-6*float64(i%7))
	}
	return b.String()
}

func TestPlot(t *testing.T) {
	points, err := Parse(strings.NewReader(log(50)))
	if err != nil || len(points) != 50 || points[3].Offset != 3e-6 || points[3].FreqPPM != -12.3 {
		t.Fatal(len(points), err)
	}
	var b bytes.Buffer
	if err := SVG(&b, points); err != nil {
		t.Fatal(err)
	}
	circles := 0
	for d := xml.NewDecoder(&b); ; {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 50 {
		t.Fatalf("%d of 50 offsets were drawn", circles)
	}
}

func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"columns": "2026-09-01T00:00:00Z synchronized a\n",
		"time":    strings.Replace(log(1), "2026-09-01", "2026-99-01", 1),
		"number":  strings.Replace(log(1), "-12.3000", "fast", 1),
		"inf":     strings.Replace(log(1), "-12.3000", "inf", 1),
	} {
		if _, err := Parse(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "line") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := SVG(io.Discard, nil); err == nil {
		t.Error("nothing was drawn")
	}
}

func FuzzPlot(f *testing.F) {
	f.Add(log(5))
	f.Fuzz(func(t *testing.T, text string) {
		if points, err := Parse(strings.NewReader(text)); err == nil {
			_ = SVG(io.Discard, points)
		}
	})
}
