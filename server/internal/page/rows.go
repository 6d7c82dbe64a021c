package page

import (
	"cmp"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Rows of the tree and the time line. A page without JavaScript has rowsPage of
// them; a script asks for up to rowsMost at once.
const (
	rowsPage = 200
	rowsMost = 2000
)

// barScale is the width of the field that bars are drawn on.
const barScale = 1000

// rowView is a row of the tree or the time line.
type rowView struct {
	*node
	Index       int
	URL         string
	Chosen      bool
	From        float64 // milliseconds after the start of the session
	X, W, First float64 // of the bar; First is the time to first token, or negative
	Marks       []barMark
}

// barMark is a part of a bar that is on the critical path.
type barMark struct{ X, W float64 }

// Indent is where the name starts: it stops to grow, so that the name stays in sight.
func (r rowView) Indent() int { return min(r.Depth, 24)*16 + 8 }

// rowsView is a part of the tree.
type rowsView struct {
	Rows     []rowView
	Total    int
	From, To int
	Previous string
	Next     string
	Focus    int // place of the chosen event, or -1
	Ticks    []tick
	Data     string // where a script gets more
	// Of the time line: the part that fills its width, the ways to others, and what the
	// critical path is made of.
	Zoom  segment
	Zooms []zoomLink
	Path  []pathPart
	Span  float64
}

// rowsOf returns the part of the tree that starts at a row, or that holds the
// chosen event.
func (v *sessionView) rowsOf(t *tree, from int) *rowsView {
	out := &rowsView{Total: len(t.nodes), Focus: -1, Data: "/s/" + v.ID + "/rows"}
	if i, ok := t.index[v.chosen]; ok {
		out.Focus = i
		if from < 0 {
			from = i / rowsPage * rowsPage
		}
	}
	from = min(max(from, 0), max(len(t.nodes)-1, 0))
	out.From, out.To = from, min(from+rowsPage, len(t.nodes))
	out.Span = t.span()
	out.Zoom = v.zoom.within(out.Span)
	if v.View == "timeline" {
		out.Zooms, out.Path = v.zoomLinks(t, out.Zoom), v.pathParts(t)
	}
	for i := from; i < out.To; i++ {
		n := &t.nodes[i]
		row := rowView{node: n, Index: i, URL: v.EventURL(n.ID.String()), Chosen: i == out.Focus, First: -1}
		if v.View == "timeline" {
			row.draw(t, out.Zoom)
		}
		out.Rows = append(out.Rows, row)
	}
	if from > 0 {
		out.Previous = v.URL("from", strconv.Itoa(max(from-rowsPage, 0)), "event", "")
	}
	if out.To < len(t.nodes) {
		out.Next = v.URL("from", strconv.Itoa(out.To), "event", "")
	}
	const ticks = 4
	for i := range ticks + 1 {
		part := float64(i) / ticks
		out.Ticks = append(out.Ticks, tick{At: part * 100, Label: duration(thousandth(out.Zoom.From + (out.Zoom.To-out.Zoom.From)*part)), End: i == ticks})
	}
	return out
}

// draw places the bar of an event on a part of the time line, which may hold none of it.
func (r *rowView) draw(t *tree, z segment) {
	start, took := t.offset(r.node)
	r.From = start
	place := func(ms float64) float64 {
		return min(max(math.Round((ms-z.From)/(z.To-z.From)*barScale), 0), barScale)
	}
	if start > z.To || start+took < z.From {
		return
	}
	r.X = min(place(start), barScale-2)
	r.W = max(place(start+took)-r.X, 2)
	if first, ok := r.FirstToken.Get(); ok && start+first >= z.From && start+first <= z.To {
		r.First = max(place(start+first), r.X)
	}
	for _, s := range merged(r.Path, segmentsMost) {
		if x, end := place(s.From), place(s.To); end > x {
			r.Marks = append(r.Marks, barMark{x, end - x})
		}
	}
}

// rowsJSON is a part of the tree for a script: texts that repeat stand in lists,
// a row is a list itself.
type rowsJSON struct {
	Seq   int64    `json:"seq"`
	Total int      `json:"total"`
	From  int      `json:"from"`
	Span  float64  `json:"span"` // milliseconds
	Names []string `json:"names"`
	// Rows hold: id, depth, events below, place of the name, type, start and
	// duration in milliseconds (to a thousandth), flags, tokens in, tokens out,
	// cost as it is shown, time to first token, errors, place of the model's name, kind,
	// place of what is to be said of the cost or -1, own time, the ends of the segments of
	// the critical path, one after the other. What is not known is null.
	Rows [][]any `json:"rows"`
	// Places are where the events of the parameters place stand and how many are
	// below them, or null.
	Places []*[2]int `json:"places"`
}

// placesMost is how many events a script may ask the places of.
const placesMost = 200

// The flags of a row.
const (
	flagError = 1 << iota
	flagOrphan
	flagOpen
	flagBackwards
)

// rows answers a part of the tree as JSON.
func (p *page) rows(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("from"))
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	if n <= 0 || n > rowsMost {
		n = rowsMost
	}
	t, err := p.tree(r, id)
	if err != nil {
		return err
	}
	from = min(max(from, 0), len(t.nodes))
	out := rowsJSON{Seq: t.seq, Total: len(t.nodes), From: from, Span: t.span(), Names: []string{}, Rows: [][]any{}, Places: []*[2]int{}}
	places := make(map[string]int)
	place := func(name string) int {
		at, ok := places[name]
		if !ok {
			at = len(out.Names)
			places[name] = at
			out.Names = append(out.Names, name)
		}
		return at
	}
	for i := from; i < min(from+n, len(t.nodes)); i++ {
		e := &t.nodes[i]
		start, length := t.offset(e)
		flags := 0
		for flag, set := range map[int]bool{flagError: e.Error != "", flagOrphan: e.Orphan, flagOpen: e.Open, flagBackwards: e.Backwards} {
			if set {
				flags |= flag
			}
		}
		cost, why := p.money.show(e.SumCosts, e.SumUnpriced), -1
		if cost.Title != "" {
			why = place(cost.Title)
		}
		out.Rows = append(out.Rows, []any{
			e.ID.String(), e.Depth, e.Below, place(line(e.Name, 200)), e.Type, thousandth(start), thousandth(length), flags,
			orNull(e.SumIn), orNull(e.SumOut), cost.Text, orNull(e.FirstToken), e.Errors, place(line(e.Model, 100)), e.Kind, why,
			orNull(e.Self), ends(merged(e.Path, segmentsMost)),
		})
	}
	asked := r.URL.Query()["place"]
	for _, text := range asked[:min(len(asked), placesMost)] {
		var at *[2]int
		if id, err := honeyhive.ParseUUID(text); err == nil {
			if i, ok := t.index[id]; ok {
				at = &[2]int{i, t.nodes[i].Below}
			}
		}
		out.Places = append(out.Places, at)
	}
	return writeJSON(w, out)
}

// ends lists segments for a script.
func ends(list []segment) []float64 {
	var out []float64
	for _, s := range list {
		out = append(out, thousandth(s.From), thousandth(s.To))
	}
	return out
}

func thousandth(v float64) float64 { return math.Round(v*1000) / 1000 }

func orNull[T any](v honeyhive.Optional[T]) any {
	if got, ok := v.Get(); ok {
		return got
	}
	return nil
}

// tree returns the events of a session in their order.
func (p *page) tree(r *http.Request, id honeyhive.UUID) (*tree, error) {
	s, err := p.Store.Session(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return p.trees.get(r.Context(), p.Store, id, s.Seq)
}

// sessionURL is the address of a session, with parameters in pairs; those that
// are empty are left out.
func sessionURL(id string, pairs ...string) string {
	var b strings.Builder
	b.WriteString("/s/" + id)
	sep := "?"
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			b.WriteString(sep + pairs[i] + "=" + url.QueryEscape(pairs[i+1]))
			sep = "&"
		}
	}
	return b.String()
}

// kindOf returns what an event is called beside its name: its kind, or else its type.
func kindOf(row store.EventRow) string { return cmp.Or(row.Kind, typeOf(row)) }

// typeOf returns the type of an event, for a class and a word.
func typeOf(row store.EventRow) string {
	switch row.Type {
	case honeyhive.TypeModel, honeyhive.TypeTool, honeyhive.TypeChain:
		return row.Type
	}
	return "other"
}
