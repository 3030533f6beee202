// Package track reads the tracking log (package loop documents its columns) and draws a run of
// it as SVG: offset and bound, host clock, frequency. It opens no file: text comes in, text goes
// out.
package track

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Point is one line of the log. What the log gives as "-" is NaN.
type Point struct {
	UTC      time.Time
	State    string
	Source   string
	Offset   float64 // server minus timeline, seconds
	Host     float64 // timeline minus host clock, seconds
	MaxError float64 // bound, seconds
	EstError float64 // one standard deviation, seconds
	FreqPPM  float64 // the raw clock's learned rate error
	Epoch    string
}

const columns = 12

// Parse reads a log. Lines that begin with # are comments; lines of a time that isn't known are
// left out; any other that doesn't fit is an error that names it.
func Parse(r io.Reader) ([]Point, error) {
	var out []Point
	s := bufio.NewScanner(r)
	for n := 1; s.Scan(); n++ {
		line := s.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Fields(line)
		if len(f) != columns {
			return nil, fmt.Errorf("tracking log: line %d: %d columns, want %d", n, len(f), columns)
		}
		if f[0] == "-" {
			continue
		}
		p := Point{State: f[1], Source: f[2], Epoch: f[11]}
		var err error
		if p.UTC, err = time.Parse(time.RFC3339Nano, f[0]); err != nil {
			return nil, fmt.Errorf("tracking log: line %d: %w", n, err)
		}
		for i, v := range []*float64{3: &p.Offset, 5: &p.Host, 6: &p.MaxError, 7: &p.EstError, 8: &p.FreqPPM} {
			if v == nil {
				continue
			}
			if *v = math.NaN(); f[i] == "-" {
				continue
			}
			if *v, err = strconv.ParseFloat(f[i], 64); err != nil || math.IsInf(*v, 0) {
				return nil, fmt.Errorf("tracking log: line %d: column %d: %q is not a number", n, i+1, f[i])
			}
		}
		out = append(out, p)
	}
	return out, s.Err()
}

const (
	width, height = 960.0, 220.0
	left, right   = 84.0, 12.0
	top, bottom   = 26.0, 20.0
)

// panel is one of the diagrams, above each other on one time axis.
type panel struct {
	title  string
	unit   float64 // the axis shows values times unit
	series []series
}

type series struct {
	name, color string
	dots        bool
	value       func(Point) float64
}

// SVG draws the points. It needs two at different times at least.
func SVG(w io.Writer, points []Point) error {
	if len(points) < 2 || !points[len(points)-1].UTC.After(points[0].UTC) {
		return fmt.Errorf("tracking log: too short to draw: it needs two lines of different times")
	}
	panels := []panel{
		{"server − timeline, within the bound (µs)", 1e6, []series{
			{"bound", "#c33", false, func(p Point) float64 { return p.MaxError }},
			{"", "#c33", false, func(p Point) float64 { return -p.MaxError }},
			{"offset", "#246", true, func(p Point) float64 { return p.Offset }},
		}},
		{"timeline − host clock (µs)", 1e6, []series{
			{"host clock", "#173", false, func(p Point) float64 { return p.Host }},
			{"one standard deviation", "#999", false, func(p Point) float64 { return p.EstError }},
			{"", "#999", false, func(p Point) float64 { return -p.EstError }},
		}},
		{"rate of the raw clock (ppm)", 1, []series{
			{"frequency", "#528", false, func(p Point) float64 { return p.FreqPPM }},
		}},
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="11">`+"\n",
		width, height*float64(len(panels)))
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	for i, p := range panels {
		p.draw(b, points, float64(i)*height)
	}
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

func (p panel) draw(w io.Writer, points []Point, y0 float64) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, s := range p.series {
		for _, pt := range points {
			if v := s.value(pt) * p.unit; !math.IsNaN(v) {
				lo, hi = math.Min(lo, v), math.Max(hi, v)
			}
		}
	}
	if lo > hi {
		lo, hi = 0, 1
	}
	if pad := (hi - lo) * 0.05; pad > 0 {
		lo, hi = lo-pad, hi+pad
	} else {
		lo, hi = lo-1, hi+1
	}
	first, last := points[0].UTC, points[len(points)-1].UTC
	x := func(t time.Time) float64 {
		return left + (width-left-right)*float64(t.Sub(first))/float64(last.Sub(first))
	}
	y := func(v float64) float64 { return y0 + top + (height-top-bottom)*(hi-v)/(hi-lo) }

	fmt.Fprintf(w, `<text x="%.0f" y="%.0f" font-weight="bold">%s</text>`+"\n", left, y0+16, p.title)
	for i := range 5 {
		v := lo + (hi-lo)*float64(i)/4
		fmt.Fprintf(w, `<path d="M%.1f %.1fH%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y(v), width-right, left-6, y(v)+4, strconv.FormatFloat(v, 'g', 4, 64))
		t := first.Add(last.Sub(first) * time.Duration(i) / 4)
		anchor := [...]string{"start", "middle", "middle", "middle", "end"}[i]
		fmt.Fprintf(w, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="#666">%s</text>`+"\n",
			x(t), y0+height-6, anchor, t.UTC().Format("01-02 15:04:05"))
	}
	legend := width - right
	for i := len(p.series) - 1; i >= 0; i-- {
		s := p.series[i]
		if s.name != "" {
			fmt.Fprintf(w, `<text x="%.1f" y="%.1f" text-anchor="end" fill="%s">%s</text>`+"\n", legend, y0+16, s.color, s.name)
			legend -= 7*float64(len(s.name)) + 12
		}
		if s.dots {
			for _, pt := range points {
				if v := s.value(pt) * p.unit; !math.IsNaN(v) {
					fmt.Fprintf(w, `<circle cx="%.1f" cy="%.1f" r="1.5" fill="%s"/>`+"\n", x(pt.UTC), y(v), s.color)
				}
			}
			continue
		}
		fmt.Fprintf(w, `<path fill="none" stroke="%s" d="`, s.color)
		pen := "M"
		epoch := points[0].Epoch
		for _, pt := range points {
			if pt.Epoch != epoch {
				pen, epoch = "M", pt.Epoch // a new timeline: no line across
			}
			v := s.value(pt) * p.unit
			if math.IsNaN(v) {
				pen = "M"
				continue
			}
			fmt.Fprintf(w, "%s%.1f %.1f", pen, x(pt.UTC), y(v))
			pen = "L"
		}
		fmt.Fprintln(w, `"/>`)
	}
}
