package page

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// The critical path of a session is what its duration is made of: at each moment from
// its start to its end one event, which had it been faster would have let the session
// end earlier. It is found from the end: an event waits for its child that ended last,
// before the start of that for the one that had ended last by then, and so on; what is
// left between is its own time. Events that ran beside the one that was waited for are
// not on it. Children count as far as they ran within their parent. The path is as the
// end of each child says, which need not be what the program waited for.

// segment is a part of the time of a session, in milliseconds from its start.
type segment struct{ From, To float64 }

// period returns when an event ran, in milliseconds from the start of the session.
func (t *tree) period(n *node) (segment, bool) {
	if math.IsInf(n.SelfStart, 0) || math.IsNaN(t.start) {
		return segment{}, false
	}
	from := n.SelfStart - t.start
	if n.Open {
		return segment{from, max(t.end-t.start, from)}, true
	}
	return segment{from, from + max(n.Duration.Or(0), 0)}, true
}

// children yields the places of the events directly below one; -1 is the session.
func (t *tree) children(i int) []int {
	at, end := i+1, len(t.nodes)
	if i >= 0 {
		end = i + 1 + t.nodes[i].Below
	}
	var list []int
	for at < end {
		list = append(list, at)
		at += t.nodes[at].Below + 1
	}
	return list
}

// own fills in the time of each event in which none of its children ran.
func (t *tree) own() {
	for i := range t.nodes {
		n := &t.nodes[i]
		p, ok := t.period(n)
		if !ok || n.Backwards || !n.Open && !isKnown(n.Duration) {
			continue
		}
		self, covered := p.To-p.From, p.From
		for _, c := range t.children(i) { // in the order of their starts
			if below, ok := t.period(&t.nodes[c]); ok {
				from, to := max(below.From, covered), min(below.To, p.To)
				if to > from {
					self -= to - from
					covered = to
				}
			}
		}
		n.Self = honeyhive.Some(max(self, 0))
	}
}

// trace finds the critical path.
func (t *tree) trace() {
	if math.IsNaN(t.start) {
		return
	}
	type window struct {
		node int
		segment
	}
	periods := make([]segment, len(t.nodes))
	for i := range t.nodes {
		periods[i], _ = t.period(&t.nodes[i])
	}
	stack := []window{{-1, segment{0, t.end - t.start}}}
	for len(stack) > 0 {
		w := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		children := t.children(w.node)
		slices.SortStableFunc(children, func(a, b int) int { return cmp.Compare(periods[b].To, periods[a].To) })
		path := &t.gaps
		if w.node >= 0 {
			path = &t.nodes[w.node].Path
		}
		now := w.To
		for _, c := range children {
			from, to := max(periods[c].From, w.From), min(periods[c].To, w.To)
			if to > now || from >= to {
				continue
			}
			if to < now {
				*path = append(*path, segment{to, now})
			}
			stack = append(stack, window{c, segment{from, to}})
			now = from
		}
		if w.From < now {
			*path = append(*path, segment{w.From, now})
		}
		slices.Reverse(*path)
	}
}

// length is the sum of what segments cover.
func length(list []segment) float64 {
	sum := 0.0
	for _, s := range list {
		sum += s.To - s.From
	}
	return sum
}

// segmentsMost bounds the segments of an event that are drawn.
const segmentsMost = 40

// merged returns no more segments than can be drawn, those with the smallest gaps
// between them as one.
func merged(list []segment, most int) []segment {
	if len(list) <= most {
		return list
	}
	gaps := make([]float64, 0, len(list)-1)
	for i := 1; i < len(list); i++ {
		gaps = append(gaps, list[i].From-list[i-1].To)
	}
	slices.Sort(gaps)
	small := gaps[len(gaps)-most]
	out := []segment{list[0]}
	for _, s := range list[1:] {
		if last := &out[len(out)-1]; s.From-last.To <= small {
			last.To = s.To
		} else {
			out = append(out, s)
		}
	}
	return out
}

// pathPart is what events of one name take of the critical path.
type pathPart struct {
	Name, Kind string // Name is empty for the time in which no event ran
	URL        string // of the one that takes most
	Time       float64
	Events     int
	X, W       float64 // of the bar, of 1000
	Class      string
	longest    float64
}

// pathParts is how many names are listed.
const pathParts = 6

// PathParts are the names of events that take most of the critical path, and what the
// others take together.
func (v *sessionView) pathParts(t *tree) []pathPart {
	var list []pathPart
	at := make(map[string]int)
	add := func(name, kind, class, url string, path []segment) {
		key := kind + "\x00" + name
		i, ok := at[key]
		if !ok {
			i = len(list)
			at[key] = i
			list = append(list, pathPart{Name: name, Kind: kind, Class: class, longest: -1})
		}
		took := length(path)
		list[i].Time, list[i].Events = list[i].Time+took, list[i].Events+1
		if took > list[i].longest {
			list[i].longest, list[i].URL = took, url
		}
	}
	for i := range t.nodes {
		if n := &t.nodes[i]; len(n.Path) > 0 {
			add(cmp.Or(line(n.Name, 80), "(no name)"), kindOf(n.EventRow), typeOf(n.EventRow), v.EventURL(n.ID.String()), n.Path)
		}
	}
	if len(t.gaps) > 0 {
		add("", "", "other", "", t.gaps)
	}
	slices.SortStableFunc(list, func(a, b pathPart) int { return cmp.Compare(b.Time, a.Time) })
	if len(list) > pathParts {
		rest := pathPart{Name: "others", Class: "other"}
		for _, p := range list[pathParts-1:] {
			rest.Time, rest.Events = rest.Time+p.Time, rest.Events+p.Events
		}
		list = append(list[:pathParts-1], rest)
	}
	x := 0.0
	for i := range list {
		list[i].X, list[i].W = x, list[i].Time/t.span()*barScale
		x += list[i].W
	}
	return list
}

// Part is how much of the session it is.
func (p pathPart) Part(span float64) string {
	return trimmed(p.Time/span*100, 1) + " %"
}

// zoom is a part of the time line that fills its width.
type zoom struct {
	segment
	on bool
}

// parseZoom reads the parameter: two numbers of milliseconds with a dash between them.
func parseZoom(text string) zoom {
	a, b, ok := strings.Cut(text, "-")
	from, err := strconv.ParseFloat(a, 64)
	to, err2 := strconv.ParseFloat(b, 64)
	if !ok || err != nil || err2 != nil || !(from >= 0 && to > from && to <= farthest) {
		return zoom{}
	}
	return zoom{segment{from, to}, true}
}

// String is the parameter again.
func (z zoom) String() string {
	if !z.on {
		return ""
	}
	part := func(ms float64) string { return strconv.FormatFloat(thousandth(ms), 'f', -1, 64) }
	return part(z.From) + "-" + part(z.To)
}

// within is the zoom on a session of some length, or all of it.
func (z zoom) within(span float64) segment {
	if !z.on || z.From >= span {
		return segment{0, span}
	}
	return segment{z.From, min(z.To, span)}
}

// zoomLink is a way to another part of the time line.
type zoomLink struct{ ID, Label, Title, URL string }

// zoomLinks lead in and out of a part of the time line, and along it.
func (v *sessionView) zoomLinks(t *tree, z segment) []zoomLink {
	span, wide := t.span(), z.To-z.From
	var list []zoomLink
	add := func(id, label, title string, from, to float64) {
		from, to = max(from, 0), min(to, span)
		part := zoom{segment{from, to}, from > 0 || to < span}
		if thousandth(from) < thousandth(to) && (from != z.From || to != z.To) {
			list = append(list, zoomLink{id, label, title, v.URL("zoom", part.String())})
		}
	}
	if n, ok := t.index[v.chosen]; ok {
		if p, ok := t.period(&t.nodes[n]); ok && p.To > p.From {
			add("zoom-event", "Zoom to the event", "", p.From, p.To)
		}
	}
	add("zoom-in", "+", "Zoom in", z.From+wide/4, z.To-wide/4)
	add("zoom-out", "−", "Zoom out", z.From-wide/2, z.To+wide/2)
	if z.From > 0 || z.To < span {
		back, on := min(wide/2, z.From), min(wide/2, span-z.To)
		add("zoom-earlier", "‹", "Earlier", z.From-back, z.To-back)
		add("zoom-later", "›", "Later", z.From+on, z.To+on)
		add("zoom-all", "Whole session", "", 0, span)
	}
	return list
}
