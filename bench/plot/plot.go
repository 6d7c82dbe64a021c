// Package plot draws lines over two logarithmic axes as SVG.
package plot

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
)

// Chart is what is drawn.
type Chart struct {
	Title, XAxis, YAxis string
	Lines               []Line
}

// Line is one series.
type Line struct {
	Name   string
	Points []Point // in the order of X
}

// Point is one figure with the middle half of what it was made of.
type Point struct {
	X, Y, Low, High float64
	Hollow          bool // there is something about it
}

// The page, in pixels.
const (
	width, height           = 640, 360
	left, right, top, floor = 64, 150, 40, 52
)

// colours can be told apart by those who see no red or green.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7"}

// SVG returns the drawing. Both axes are logarithmic, so that what grows in
// proportion is a straight slope, and what does not grow is level.
func (c *Chart) SVG() []byte {
	x, y := c.axes()
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12" fill="#333">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="24" font-size="15" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(c.Title))
	c.grid(&b, x, y)
	for i, l := range c.Lines {
		l.draw(&b, x, y, colours[i%len(colours)])
	}
	c.legend(&b, y)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// axis maps values to pixels.
type axis struct {
	low, high float64 // powers of ten
	from, to  float64 // pixels
}

func (a axis) at(v float64) float64 {
	return a.from + (a.to-a.from)*(math.Log10(v)-a.low)/(a.high-a.low)
}

// axes spans all that is drawn: in x as it is, in y to whole decades, or to the
// next 2 or 5.
func (c *Chart) axes() (x, y axis) {
	minX, maxX, minY, maxY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, l := range c.Lines {
		for _, p := range l.Points {
			minX, maxX = min(minX, p.X), max(maxX, p.X)
			minY, maxY = min(minY, p.Low), max(maxY, p.High)
		}
	}
	if minX > maxX { // nothing is drawn
		minX, maxX, minY, maxY = 1, 10, 1, 10
	}
	x = axis{math.Log10(minX) - 0.1, math.Log10(maxX) + 0.1, left, width - right}
	y = axis{math.Log10(round(minY*0.9, false)), math.Log10(round(maxY*1.1, true)), height - floor, top}
	return x, y
}

// round returns the next of 1, 2, 5 times a power of ten, upwards or downwards.
func round(v float64, up bool) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	steps := []float64{1, 2, 5, 10}
	best := steps[0]
	for _, s := range steps {
		if up && s*decade >= v {
			return s * decade
		}
		if s*decade <= v {
			best = s
		}
	}
	return best * decade
}

// grid draws the axes: in y at 1, 2 and 5 of each decade, in x where points are.
func (c *Chart) grid(b *bytes.Buffer, x, y axis) {
	for decade := math.Floor(y.low); decade <= y.high; decade++ {
		for _, step := range []float64{1, 2, 5} {
			v := step * math.Pow(10, decade)
			if l := math.Log10(v); l < y.low-1e-9 || l > y.high+1e-9 || step > 1 && y.high-y.low > 3 {
				continue
			}
			fmt.Fprintf(b, `<path d="M%.1f %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
				float64(left), y.at(v), width-right, left-8, y.at(v)+4, number(v))
		}
	}
	seen := map[float64]bool{}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if seen[p.X] {
				continue
			}
			seen[p.X] = true
			fmt.Fprintf(b, `<path d="M%.1f %dV%d" stroke="#eee"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
				x.at(p.X), top, height-floor, x.at(p.X), height-floor+18, number(p.X))
		}
	}
	fmt.Fprintf(b, `<path d="M%d %dV%dH%d" fill="none" stroke="#333"/>`+"\n", left, top, height-floor, width-right)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-12, html.EscapeString(c.XAxis))
	fmt.Fprintf(b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+height-floor)/2, html.EscapeString(c.YAxis))
}

func (l *Line) draw(b *bytes.Buffer, x, y axis, colour string) {
	for i, p := range l.Points {
		px, py := x.at(p.X), y.at(p.Y)
		if i > 0 {
			before := l.Points[i-1]
			fmt.Fprintf(b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="%s" stroke-width="2"/>`, x.at(before.X), y.at(before.Y), px, py, colour)
		}
		fmt.Fprintf(b, `<path d="M%.1f %.1fV%.1f" stroke="%s"/>`, px, y.at(p.Low), y.at(p.High), colour)
		fill := colour
		if p.Hollow {
			fill = "#fff"
		}
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s" stroke="%s" stroke-width="2"/>`+"\n", px, py, fill, colour)
	}
}

// legend writes the names next to the ends of the lines, moved apart where they
// would meet.
func (c *Chart) legend(b *bytes.Buffer, y axis) {
	var taken []float64
	for i, l := range c.Lines {
		if len(l.Points) == 0 {
			continue
		}
		at := y.at(l.Points[len(l.Points)-1].Y) + 4
		for _, t := range taken {
			if math.Abs(at-t) < 15 {
				if at < t {
					at = t - 15
				} else {
					at = t + 15
				}
			}
		}
		taken = append(taken, at)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" fill="%s">%s</text>`+"\n", width-right+10, at, colours[i%len(colours)], html.EscapeString(l.Name))
	}
}

// number writes a number of an axis: 1,000 and 10 M rather than 1e+07.
func number(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + " M"
	case v >= 1e3:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + " k"
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
