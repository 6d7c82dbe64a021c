package page

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// sessionView is what is shown of a session.
type sessionView struct {
	base
	ID       string
	View     string // thread, tree or timeline
	Row      store.SessionRow
	Fields   []atAGlance
	Curl     string
	CurlFile bool // the command reads a file, since the session is large

	page   *page
	ctx    context.Context //nolint:containedctx // of the request that the view answers
	whole  *store.Session
	from   int // the parameter, or -1
	chosen honeyhive.UUID
	zoom   zoom     // of the time line
	opened []string // the events whose earlier messages are unfolded
	event  string   // the parameter
	back   string   // the query of the list that led here
	// Queue says that the reader goes through the sessions of the list that nobody has
	// rated, End that there is none in the direction that was asked for.
	Queue  bool
	End    string
	record *store.Event // of the chosen event
	body   *bodyView    // once it is read
	// turns is how many turns of a conversation there are, and lastTurn the last of
	// them; those of a large session are not looked at.
	turns    int
	lastTurn *store.Event
	write    *responseWriter // where the page goes while it is made, or nil

	Matches *matches // the events that the list was asked for, or nil
}

// bodyView is what needs the events of the session.
type bodyView struct {
	Whole  *tree
	Tree   *rowsView
	Thread *thread
	Detail *detail
	Failed string // why there is nothing
}

// atAGlance is one of the sixteen fields of the session.
type atAGlance struct {
	Name, Value string
	More        bool // there is more of it in the record
	Time        string
}

var views = []choice{{"thread", "Thread"}, {"tree", "Tree"}, {"timeline", "Timeline"}}

// Views are the tabs.
func (v *sessionView) Views() []choice { return views }

// URL is the address of this page with other values of some parameters.
func (v *sessionView) URL(pairs ...string) string {
	view, event, from, opened, zoom := v.View, v.event, "", v.opened, v.zoom.String()
	for i := 0; i+1 < len(pairs); i += 2 {
		switch pairs[i] {
		case "view":
			view, opened = pairs[i+1], nil
		case "event":
			event = pairs[i+1]
		case "from":
			from, opened = pairs[i+1], nil
		case "zoom":
			zoom = pairs[i+1]
		}
	}
	return v.address(view, event, from, zoom, opened)
}

// unfoldURL is the address of this page with the earlier messages of an event, or
// without them where they are shown.
func (v *sessionView) unfoldURL(from int, id string) string {
	opened := slices.DeleteFunc(slices.Clone(v.opened), func(other string) bool { return other == id })
	if len(opened) == len(v.opened) {
		opened = append(opened, id)
	}
	return v.address(v.View, v.event, strconv.Itoa(from), "", opened) + "#e-" + id
}

func (v *sessionView) address(view, event, from, zoom string, opened []string) string {
	if view != "timeline" {
		zoom = ""
	}
	if view == "thread" {
		view = ""
	}
	pairs := append([]string{"view", view, "event", event, "from", from, "zoom", zoom}, v.setPairs()...)
	for _, id := range opened {
		pairs = append(pairs, "open", id)
	}
	return sessionURL(v.ID, pairs...)
}

// BackURL is the address of the list that led here, at the row of the session.
func (v *sessionView) BackURL() string {
	return listURL(v.back) + "#s-" + v.ID
}

// RunURL is the address of the run that the session is an attempt of, with its case
// chosen, or "".
func (v *sessionView) RunURL() string {
	run, key := caseKey(&v.whole.Payload)
	if run == "" {
		return ""
	}
	return runURL(run, "case", key)
}

// EventURL is the address of this page with an event chosen.
func (v *sessionView) EventURL(id string) string { return v.URL("event", id) + "#detail" }

// RecordURL is the address with the record of the session chosen.
func (v *sessionView) RecordURL() string { return v.EventURL(v.ID) }

func (p *page) session(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	seq, err := p.Store.Seq(ctx)
	if err != nil {
		return err
	}
	s, err := p.Store.Session(ctx, id)
	if err != nil {
		return err
	}
	given := r.URL.Query()
	v := &sessionView{
		base: p.base(r, nameOf(s.SessionRow)), ID: id.String(), View: "thread", Row: s.SessionRow, Fields: glance(&s),
		page: p, ctx: ctx, whole: &s,
	}
	v.Nav, v.Seq = "session", seq
	for _, choice := range views {
		if choice.is(given.Get("view")) {
			v.View = choice.Value
		}
	}
	v.back, v.Queue = p.listQuery(given.Get("back")), given.Get("queue") == "1"
	if end := given.Get("end"); end == "next" || end == "previous" {
		v.End = end
	}
	v.zoom = parseZoom(given.Get("zoom"))
	if given.Get("event") == firstError {
		return p.toError(w, r, v)
	}
	if v.chosen, err = honeyhive.ParseUUID(given.Get("event")); err == nil {
		v.event = v.chosen.String()
	}
	for _, id := range given["open"] {
		if _, err := honeyhive.ParseUUID(id); err == nil && !slices.Contains(v.opened, id) && len(v.opened) < threadPage {
			v.opened = append(v.opened, id)
		}
	}
	if v.Curl, v.CurlFile, err = p.curl(ctx, &s); err != nil {
		return err
	}
	if v.event != "" && v.event != v.ID {
		e, err := p.event(ctx, id, v.event)
		if err != nil {
			return err
		}
		v.record = &e
	}
	if v.Matches, err = p.matchesOf(ctx, v); err != nil {
		return err
	}
	if v.from, err = strconv.Atoi(given.Get("from")); err != nil {
		v.from = -1
	}
	if v.isLarge() && !p.trees.has(id, s.Seq) {
		return p.stream(w, v)
	}
	if v.body, err = v.read(); err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "session.html", v)
}

// firstError stands for the first event that has an error.
const firstError = "error"

// toError leads to the first event that has an error, in the view that was asked
// for.
func (p *page) toError(w http.ResponseWriter, r *http.Request, v *sessionView) error {
	t, err := p.trees.get(v.ctx, p.Store, v.whole.ID, v.whole.Seq)
	if err != nil {
		return err
	}
	list := speakers(t)
	if v.View != "thread" {
		list = list[:0]
		for i := range t.nodes {
			list = append(list, &t.nodes[i])
		}
	}
	for _, n := range list {
		if n.Error != "" {
			http.Redirect(w, r, v.URL("event", n.ID.String())+"#e-"+n.ID.String(), http.StatusSeeOther)
			return nil
		}
	}
	return notFound("No event of this session has an error.")
}

// streamedEvents is how many events a session may have before its page is sent
// in two parts: what it is, at once, and its events when they are read.
const streamedEvents = 2000

// isLarge reports whether what stands above the events is shown without them, also
// where they are known already.
func (v *sessionView) isLarge() bool { return v.whole.Events > streamedEvents }

// stream sends the page while it is made.
func (p *page) stream(w http.ResponseWriter, v *sessionView) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.write = &responseWriter{Writer: bufio.NewWriter(w), flush: http.NewResponseController(w).Flush}
	if err := p.templates["session.html"].ExecuteTemplate(v.write, "layout.html", v); err != nil && v.ctx.Err() == nil {
		panic(http.ErrAbortHandler) // a part must not be taken for the whole
	}
	return v.write.Flush()
}

// responseWriter collects what a template writes piece by piece.
type responseWriter struct {
	*bufio.Writer
	flush func() error
}

// Body reads the events, after what stands above them has been sent.
func (v *sessionView) Body() *bodyView {
	if v.body != nil {
		return v.body
	}
	_ = v.write.Flush() // a client that has left is noticed at the end
	_ = v.write.flush()
	body, err := v.read()
	if err != nil {
		body = &bodyView{Failed: err.Error()}
	}
	return body
}

// read reads the events, and fills the panel of the chosen one.
func (v *sessionView) read() (*bodyView, error) {
	t, err := v.page.trees.get(v.ctx, v.page.Store, v.whole.ID, v.whole.Seq)
	if err != nil {
		return nil, err
	}
	b := &bodyView{Whole: t}
	if turns := turnsOf(t); len(turns) > 0 && !v.isLarge() {
		last, err := v.page.Store.Event(v.ctx, turns[len(turns)-1].ID)
		if err != nil {
			return nil, err
		}
		v.turns, v.lastTurn = len(turns), &last
	}
	switch {
	case v.event == v.ID:
		b.Detail = v.page.money.sessionDetail(v.whole)
	case v.record != nil:
		b.Detail = v.page.money.eventDetail(v.record)
		b.Detail.place(v, t)
	}
	if v.View == "thread" {
		b.Thread, err = v.page.thread(v, t)
	} else {
		b.Tree = v.rowsOf(t, v.from)
	}
	return b, err
}

// sums are the tokens and the cost of a session: those of its row, or more, where
// its events come to more than it says itself; and what these come to, where that
// is less.
type sums struct {
	Tokens, EventTokens string
	Cost                costs
	EventCost           string
}

// Sums are the sums, as far as the events are read.
func (v *sessionView) Sums() sums {
	row := &v.Row
	s := sums{Tokens: tokens(row.TokensIn, row.TokensOut), Cost: v.page.money.session(*row)}
	if v.body == nil || v.body.Whole == nil {
		return s
	}
	events := &v.body.Whole.whole
	s.Tokens = tokens(larger(row.TokensIn, events.SumIn), larger(row.TokensOut, events.SumOut))
	s.Cost = v.page.money.show(largerCosts(rowCosts(row), events.SumCosts), addNames(slices.Clone(row.Unpriced), events.SumUnpriced...))
	if below := tokens(events.SumIn, events.SumOut); below != s.Tokens && below != none {
		s.EventTokens = below
	}
	if below := v.page.money.show(events.SumCosts, nil).Text; len(events.SumCosts) > 0 && below != v.page.money.show(largerCosts(rowCosts(row), events.SumCosts), nil).Text {
		s.EventCost = below
	}
	return s
}

// Kinds says how many events there are of each kind, or of each type where the page
// begins before they are read.
func (v *sessionView) Kinds() string {
	if row := &v.Row; v.isLarge() || v.body.Whole == nil {
		return fmt.Sprintf("%s model, %s tool, %s chain", grouped(row.ModelEvents), grouped(row.ToolEvents), grouped(row.ChainEvents))
	}
	counts := make(map[string]int64)
	for i := range v.body.Whole.nodes {
		counts[kindOf(v.body.Whole.nodes[i].EventRow)]++
	}
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(kindOrder(a), kindOrder(b)), cmp.Compare(a, b))
	})
	parts := make([]string, 0, len(kinds))
	for _, kind := range kinds {
		parts = append(parts, grouped(counts[kind])+" "+line(kind, 40))
	}
	return strings.Join(parts, ", ")
}

// kindOrder puts calls of models first and steps of the program last.
func kindOrder(kind string) int {
	switch kind {
	case honeyhive.TypeModel:
		return 0
	case honeyhive.TypeChain:
		return 2
	}
	return 1
}

// event returns an event of a session.
func (p *page) event(ctx context.Context, session honeyhive.UUID, name string) (store.Event, error) {
	id, err := honeyhive.ParseUUID(name)
	if err != nil {
		return store.Event{}, notFound("The address holds no id of an event.")
	}
	e, err := p.Store.Event(ctx, id)
	if err != nil {
		return store.Event{}, err
	}
	if e.Session != session {
		return store.Event{}, notFound("The event belongs to another session.")
	}
	return e, nil
}

// permalink leads to an event in its session.
func (p *page) permalink(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	event, err := pathID(r, "event")
	if err != nil {
		return err
	}
	http.Redirect(w, r, sessionURL(id.String(), "view", "tree", "event", event.String())+"#detail", http.StatusSeeOther)
	return nil
}

// nameOf names a session.
func nameOf(row store.SessionRow) string {
	if row.Name != "" {
		return line(row.Name, 200)
	}
	return "session " + row.ID.String()[:8]
}

// glance returns the sixteen fields of a session, in the order of the contract.
func glance(s *store.Session) []atAGlance {
	p := &s.Payload
	text := func(name string, v honeyhive.Optional[string]) atAGlance {
		got, ok := v.Get()
		if !ok {
			return atAGlance{Name: name, Value: none}
		}
		return atAGlance{Name: name, Value: line(got, 160), More: len(got) > 160}
	}
	object := func(name string, o honeyhive.Object) atAGlance {
		if o.IsEmpty() {
			return atAGlance{Name: name, Value: none}
		}
		return atAGlance{Name: name, Value: line(o.JSONText(), 160), More: true}
	}
	at := func(name string, v honeyhive.Optional[float64]) atAGlance {
		ms, ok := v.Get()
		if !ok {
			return atAGlance{Name: name, Value: none}
		}
		return atAGlance{Name: name, Value: stamp(ms), Time: machine(ms)}
	}
	children := atAGlance{Name: "children_ids", Value: none}
	if ids, ok := p.ChildrenIDs.Get(); ok {
		children.Value, children.More = grouped(int64(len(ids))), len(ids) > 0
	}
	return []atAGlance{
		text("project", p.Project), text("session_name", p.SessionName), text("source", p.Source),
		{Name: "session_id", Value: s.ID.String()},
		children, object("config", p.Config), object("inputs", p.Inputs), object("outputs", p.Outputs), text("error", p.Error),
		{Name: "duration", Value: known(p.Duration, duration)},
		object("user_properties", p.UserProperties), object("metrics", p.Metrics), object("feedback", p.Feedback),
		object("metadata", p.Metadata), at("start_time", p.StartTime), at("end_time", p.EndTime),
	}
}

// HasCase reports whether a case for evaluations can be made of the session.
func (v *sessionView) HasCase() bool { return !v.whole.Payload.Inputs.IsEmpty() }
