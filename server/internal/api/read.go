package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// getSession answers with the session as an event, which is what it is in the
// API.
func (a *API) getSession(w http.ResponseWriter, r *http.Request) error {
	s, err := a.session(r)
	if err != nil {
		return err
	}
	e := sessionEvent(&s)
	write(w, http.StatusOK, jsonType, node(&e))
	return nil
}

func (a *API) session(r *http.Request) (store.Session, error) {
	id, err := sessionID(r)
	if err != nil {
		return store.Session{}, err
	}
	s, err := a.Store.Session(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return s, reject.Errorf(http.StatusNotFound, "no session has the id %s", id)
	}
	if err != nil {
		return s, unavailable(r.Context(), err)
	}
	return s, nil
}

// sessionEvent returns the event that a session is.
func sessionEvent(s *store.Session) honeyhive.Event {
	p, id := &s.Payload, honeyhive.Some(s.ID.String())
	e := honeyhive.Event{
		EventID: id, SessionID: id, EventName: honeyhive.Some(s.Name), EventType: honeyhive.Some(honeyhive.TypeSession),
		ChildrenIDs: p.ChildrenIDs, Project: p.Project, Source: p.Source,
		Config: p.Config, Inputs: p.Inputs, Outputs: p.Outputs, Error: p.Error,
		Duration: s.Duration, StartTime: s.Start, EndTime: s.End,
		Metadata: p.Metadata, Metrics: p.Metrics, Feedback: p.Feedback, UserProperties: p.UserProperties,
		Evaluations: p.Evaluations, Unknown: p.Unknown,
	}
	return e
}

// node writes an event as the API does: without nulls, which its clients do not
// take, and with the project under the name that they know.
func node(e *honeyhive.Event) []byte {
	c := *e
	for _, o := range []*honeyhive.Object{&c.Config, &c.Inputs, &c.Outputs, &c.Metadata, &c.Metrics, &c.Feedback, &c.UserProperties, &c.Evaluations} {
		if o.IsNull() {
			*o = honeyhive.Object{}
		}
	}
	for _, f := range []*honeyhive.Optional[string]{&c.EventID, &c.SessionID, &c.ParentID, &c.EventName, &c.Project, &c.Source, &c.Error} {
		if f.IsNull() {
			*f = honeyhive.Optional[string]{}
		}
	}
	for _, f := range []*honeyhive.Optional[float64]{&c.Duration, &c.StartTime, &c.EndTime} {
		if f.IsNull() {
			*f = honeyhive.Optional[float64]{}
		}
	}
	if c.ChildrenIDs.IsNull() {
		c.ChildrenIDs = honeyhive.Optional[[]string]{}
	}
	if project, ok := c.Project.Get(); ok && !c.Unknown.Has("project_id") {
		c.Unknown, _ = c.Unknown.With("project_id", project)
	}
	return c.AppendJSON(nil)
}

// getTree answers with the session as a tree of events.
func (a *API) getTree(w http.ResponseWriter, r *http.Request) error {
	s, err := a.session(r)
	if err != nil {
		return err
	}
	t, err := a.tree(r.Context(), &s)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, jsonType, t.append(nil, s.ID))
	return nil
}

// tree is a session with its events, as they are to be written.
type tree struct {
	nodes    map[honeyhive.UUID][]byte
	children map[honeyhive.UUID][]honeyhive.UUID
}

// tree reads the events of a session. One whose parent is not known hangs on
// the session, as do those that hang on each other in a circle.
func (a *API) tree(ctx context.Context, s *store.Session) (*tree, error) {
	root := sessionEvent(s)
	summary := map[string]any{
		"num_events": s.Events, "num_model_events": s.ModelEvents, "has_feedback": s.Feedback,
	}
	if in, ok := s.TokensIn.Get(); ok {
		summary["prompt_tokens"], summary["total_tokens"] = in, in+s.TokensOut.Or(0)
	}
	if out, ok := s.TokensOut.Get(); ok {
		summary["completion_tokens"], summary["total_tokens"] = out, out+s.TokensIn.Or(0)
	}
	if cost, ok := s.Cost.Get(); ok {
		summary["cost"] = cost
	}
	added, err := honeyhive.ObjectOf(summary)
	if err != nil {
		return nil, err
	}
	root.Metadata = root.Metadata.Merge(added)
	t := &tree{nodes: map[honeyhive.UUID][]byte{s.ID: node(&root)}, children: make(map[honeyhive.UUID][]honeyhive.UUID)}
	parents := make(map[honeyhive.UUID]honeyhive.UUID)
	var order []honeyhive.UUID
	for e, err := range a.Store.EventBodies(ctx, s.ID, store.EventQuery{}) {
		if err != nil {
			return nil, unavailable(ctx, err)
		}
		t.nodes[e.ID] = node(&e.Payload)
		parents[e.ID] = e.Parent
		order = append(order, e.ID)
	}
	above := func(id honeyhive.UUID) honeyhive.UUID {
		if parent := parents[id]; t.nodes[parent] != nil {
			return parent
		}
		return s.ID
	}
	reaches := map[honeyhive.UUID]bool{s.ID: true} // events that hang on the session
	for _, id := range order {
		var path []honeyhive.UUID
		seen := make(map[honeyhive.UUID]bool)
		at := id
		for ; !reaches[at] && !seen[at]; at = above(at) {
			seen[at] = true
			path = append(path, at)
		}
		if !reaches[at] {
			parents[at] = s.ID
		}
		for _, p := range path {
			reaches[p] = true
		}
	}
	for _, id := range order {
		t.children[above(id)] = append(t.children[above(id)], id)
	}
	return t, nil
}

// append writes a node with its children.
func (t *tree) append(dst []byte, id honeyhive.UUID) []byte {
	type open struct {
		id   honeyhive.UUID
		next int
	}
	// A stack of its own, since a session may be as deep as its author likes.
	dst = t.open(dst, id)
	stack := []open{{id: id}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		children := t.children[top.id]
		if top.next == len(children) {
			dst = append(dst, "]}"...)
			stack = stack[:len(stack)-1]
			continue
		}
		if top.next > 0 {
			dst = append(dst, ',')
		}
		child := children[top.next]
		top.next++
		dst = t.open(dst, child)
		stack = append(stack, open{id: child})
	}
	return dst
}

// open writes a node up to the beginning of its children.
func (t *tree) open(dst []byte, id honeyhive.UUID) []byte {
	text := string(t.nodes[id])
	for key := range rawjson.Members(text) {
		if key == "children" { // of the user's own: the tree has the name
			o := honeyhive.TrustedObject(text).Without(key)
			text = o.JSONText()
			break
		}
	}
	dst = append(dst, text[:len(text)-1]...)
	return append(dst, `,"children":[`...)
}
