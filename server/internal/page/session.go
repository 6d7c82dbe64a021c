package page

import (
	"context"
	"net/http"
	"strconv"

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
	Whole    *tree
	Tree     *rowsView
	Thread   *thread
	Detail   *detail
	Curl     string
	CurlFile bool // the command reads a file, since the session is large

	chosen honeyhive.UUID
	event  string // the parameter
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
	view, event, from := v.View, v.event, ""
	for i := 0; i+1 < len(pairs); i += 2 {
		switch pairs[i] {
		case "view":
			view = pairs[i+1]
		case "event":
			event = pairs[i+1]
		case "from":
			from = pairs[i+1]
		}
	}
	if view == "thread" {
		view = ""
	}
	return sessionURL(v.ID, "view", view, "event", event, "from", from)
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
	seq, err := p.seq(ctx)
	if err != nil {
		return err
	}
	s, err := p.Store.Session(ctx, id)
	if err != nil {
		return err
	}
	t, err := p.trees.get(ctx, p.Store, id, s.Seq)
	if err != nil {
		return err
	}
	given := r.URL.Query()
	v := &sessionView{base: p.base(r, nameOf(s.SessionRow)), ID: id.String(), View: "thread", Row: s.SessionRow, Whole: t}
	v.Nav, v.Seq = "session", seq
	for _, choice := range views {
		if choice.is(given.Get("view")) {
			v.View = choice.Value
		}
	}
	if v.chosen, err = honeyhive.ParseUUID(given.Get("event")); err == nil {
		v.event = v.chosen.String()
	}
	v.Fields = glance(&s)
	v.Curl, v.CurlFile = curl(&s.Payload)
	if err := p.choose(ctx, v, &s); err != nil {
		return err
	}
	from, err := strconv.Atoi(given.Get("from"))
	if err != nil {
		from = -1
	}
	if v.View == "thread" {
		v.Thread, err = p.thread(ctx, v, &s, from)
	} else {
		v.Tree, err = v.rowsOf(t, from), nil
	}
	if err != nil {
		return err
	}
	return p.render(w, http.StatusOK, "session.html", v)
}

// choose fills the panel of the chosen event, or with the record of the session.
func (p *page) choose(ctx context.Context, v *sessionView, s *store.Session) error {
	switch v.event {
	case "":
		return nil
	case v.ID:
		v.Detail = sessionDetail(s)
		return nil
	}
	e, err := p.event(ctx, s.ID, v.event)
	if err != nil {
		return err
	}
	v.Detail = eventDetail(&e)
	if i, ok := v.Whole.index[e.ID]; ok {
		v.Detail.place(v, i)
	}
	return nil
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
