package page

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/store"
)

// histogram is how many sessions started when. It is drawn on a field of
// histogramWidth by histogramHeight.
type histogram struct {
	Bars     []bar
	From, To time.Time
	Most     int64
	Path     string // address of the list without a range of time
}

type bar struct {
	X, Y, W, H   float64
	ErrorY       float64
	ErrorH       float64
	URL          string
	From, To     time.Time
	Count, Error int64
	Tab          int // tabindex: one bar is reached by the tab key, the others from there
}

const histogramWidth, histogramHeight = 1440, 72

// newHistogram draws points; nil where there is none.
func newHistogram(q *query, points []store.Point) *histogram {
	if len(points) == 0 {
		return nil
	}
	h := &histogram{From: points[0].From, To: points[len(points)-1].To, Path: q.URL("since", "", "from", "", "to", "")}
	for i := range points {
		h.Most = max(h.Most, points[i].Count)
	}
	scale := histogramHeight / float64(max(h.Most, 1))
	width := histogramWidth / float64(len(points))
	first := 0
	for i := range points {
		p := &points[i]
		b := bar{
			X: float64(i) * width, W: max(width-2, 1), From: p.From, To: p.To, Count: p.Count, Error: p.Errors,
			H: float64(p.Count) * scale, ErrorH: float64(p.Errors) * scale, URL: q.Between(p.From, p.To),
		}
		if p.Count > 0 {
			b.H = max(b.H, 2)
			b.Tab, first = first, -1
		}
		b.Y, b.ErrorY = histogramHeight-b.H, histogramHeight-b.ErrorH
		h.Bars = append(h.Bars, b)
	}
	return h
}

// plot is a figure of lines over time, with the same numbers as a table.
type plot struct {
	ID, Title, Unit string
	Lines           []curve
	XTicks, YTicks  []tick
	Names           []string // of the points, for the table
	URLs            []string // of the sessions of each point, or ""
	Empty           bool
	Log             bool // the y axis is logarithmic
	Bends           bool // it could be
}

// link makes each point lead somewhere.
func (p *plot) link(urls []string) {
	if p.Empty {
		return
	}
	p.URLs = urls
	for i := range p.Lines {
		for k := range p.Lines[i].Dots {
			d := &p.Lines[i].Dots[k]
			d.URL = urls[d.point]
		}
	}
}

type curve struct {
	Name   string
	Class  string
	Path   string // of an SVG path
	Dots   []dot
	Values []string // for the table
}

type dot struct {
	X, Y  float64
	Label string
	URL   string
	point int
}

type tick struct {
	At    float64
	Label string
	End   bool // its label ends there
}

// The field of a plot.
const plotWidth, plotHeight, plotLeft, plotTop, plotRight, plotBottom = 640, 220, 104, 12, 12, 28

// values is a row of numbers of a plot. What is not finite is no value.
type values struct {
	name   string
	points []float64
}

// axis is how numbers are shown, and the least step between two ticks.
type axis struct {
	show  func(float64) string
	step  float64
	scale string // axisLog or axisLinear, or "" for what shows more
	even  bool   // it is linear whatever was chosen
}

// The scales of an axis.
const axisLog, axisLinear = "log", "linear"

// flattened is how many times the upper quartile the largest number is where it flattens
// the others on a linear axis.
const flattened = 20

// isFlat reports whether few large numbers leave the others no room on a linear axis.
func isFlat(rows []values) bool {
	var all []float64
	for _, row := range rows {
		for _, v := range row.points {
			if isFinite(v) && v > 0 {
				all = append(all, min(v, plotMost))
			}
		}
	}
	slices.Sort(all)
	n := len(all)
	return n >= 4 && all[n-1] > flattened*all[n*3/4]
}

// logScale returns the powers of ten that hold all numbers, with what stands on the
// axis: each of them, or every second or so. Numbers that are not above zero are at the
// bottom.
func logScale(rows []values, top float64) (low, high float64, steps []float64) {
	least := top
	for _, row := range rows {
		for _, v := range row.points {
			if isFinite(v) && v > 0 {
				least = min(least, v)
			}
		}
	}
	from, to := math.Floor(math.Log10(max(least, 1/plotMost))), math.Ceil(math.Log10(top))
	if to <= from {
		to = from + 1
	}
	by := math.Ceil((to - from) / (ySteps + 1))
	for n := from; n < to; n += by {
		steps = append(steps, math.Pow(10, n))
	}
	return from, to, append(steps, math.Pow(10, to))
}

// plotMost bounds what an axis reaches to: steps and sums of it stay finite. A
// number past it, such as a record of a broken clock may hold, is drawn at the
// end of the axis, and told as it is.
const plotMost = 1e300

// ticks of a plot: the steps of its y axis, about so many, and the labels of its
// x axis.
const ySteps, xTicks = 4, 4

// labelWidth is about how wide a character of a label is, at most.
const labelWidth = 7

// newPlot draws rows of numbers that belong to points of time. What is no finite
// number is no value.
func newPlot(id, title string, points []store.Point, unit axis, rows ...values) *plot {
	p := &plot{ID: id, Title: title, Empty: true}
	top := 0.0
	for _, row := range rows {
		for _, v := range row.points {
			if isFinite(v) {
				top = min(max(top, v), plotMost)
				p.Empty = false
			}
		}
	}
	if p.Empty {
		return p
	}
	show := unit.show
	const w, h = plotWidth - plotLeft - plotRight, plotHeight - plotTop - plotBottom
	var y func(v float64) float64
	p.Bends = !unit.even && top > 0
	p.Log = p.Bends && (unit.scale == axisLog || unit.scale == "" && isFlat(rows))
	if p.Log {
		low, high, steps := logScale(rows, top)
		y = func(v float64) float64 {
			if v <= 0 {
				return plotTop + h
			}
			return plotTop + h*(1-min(max(math.Log10(v)-low, 0)/(high-low), 1))
		}
		for _, v := range steps {
			p.YTicks = append(p.YTicks, tick{At: y(v), Label: show(v)})
		}
	} else {
		step := max(niceStep(top/ySteps), unit.step)
		steps := int(max(math.Ceil(top/step), 1)) // at most ySteps, since the step is no less than a part
		top = step * float64(steps)
		y = func(v float64) float64 { return plotTop + h*(1-min(max(v, 0), top)/top) }
		for n := range steps + 1 {
			v := step * float64(n)
			p.YTicks = append(p.YTicks, tick{At: y(v), Label: show(v)})
		}
	}
	x := func(i int) float64 { return plotLeft + w*(float64(i)+0.5)/float64(len(points)) }
	form := timeForm(points[len(points)-1].To.Sub(points[0].From))
	for i := range points {
		p.Names = append(p.Names, points[i].From.UTC().Format("2006-01-02 15:04:05"))
	}
	last := tick{At: x(len(points) - 1), Label: points[len(points)-1].From.UTC().Format(form), End: true}
	room := last.At - float64(len(form))*labelWidth
	if len(points) == 1 {
		last.End, room = false, 0
	}
	for n := range xTicks - 1 {
		i := n * (len(points) - 1) / (xTicks - 1)
		half := float64(len(form)) * labelWidth / 2
		if k := len(p.XTicks); x(i)+half < room && (k == 0 || p.XTicks[k-1].At+half < x(i)-half) {
			p.XTicks = append(p.XTicks, tick{At: x(i), Label: points[i].From.UTC().Format(form)})
		}
	}
	p.XTicks = append(p.XTicks, last)
	for n, row := range rows {
		c := curve{Name: row.name, Class: "line-" + strconv.Itoa(n)}
		var path strings.Builder
		pen := "M"
		for i, v := range row.points {
			if !isFinite(v) {
				pen = "M"
				c.Values = append(c.Values, none)
				continue
			}
			path.WriteString(pen + coordinate(x(i)) + " " + coordinate(y(v)))
			pen = "L"
			c.Dots = append(c.Dots, dot{X: x(i), Y: y(v), Label: p.Names[i] + ", " + row.name + ": " + show(v), point: i})
			c.Values = append(c.Values, show(v))
		}
		c.Path = path.String()
		p.Lines = append(p.Lines, c)
	}
	return p
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// niceStep rounds up to 1, 2 or 5 times a power of ten. It returns 1 for what is
// too small to be divided.
func niceStep(v float64) float64 {
	if v < 1/plotMost {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if v <= f*power*1.0001 {
			return f * power
		}
	}
	return 10 * power
}

// timeForm is how finely the labels of a range of time tell it.
func timeForm(d time.Duration) string {
	switch {
	case d <= 5*time.Minute:
		return "15:04:05"
	case d <= 36*time.Hour:
		return "15:04"
	case d <= 14*24*time.Hour:
		return "Jan 2 15:04"
	default:
		return "2006-01-02"
	}
}
