package api

import (
	"context"
	"errors"
	"math"
	"net/http"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/read"
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
		Duration: finite(s.Duration), StartTime: finite(s.Start), EndTime: finite(s.End),
		Metadata: p.Metadata, Metrics: p.Metrics, Feedback: p.Feedback, UserProperties: p.UserProperties,
		Evaluations: p.Evaluations, Unknown: p.Unknown,
	}
	return e
}

// finite leaves out what is no number.
func finite(v honeyhive.Optional[float64]) honeyhive.Optional[float64] {
	if n, ok := v.Get(); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
		return honeyhive.Optional[float64]{}
	}
	return v
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
		if *f = finite(*f); f.IsNull() {
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

// getTree answers with the session as a tree of events. They are read one by one
// while they are sent, since a session may be larger than the memory.
func (a *API) getTree(w http.ResponseWriter, r *http.Request) error {
	s, err := a.session(r)
	if err != nil {
		return err
	}
	done, err := a.begin()
	if err != nil {
		return err
	}
	defer done()
	root, err := summed(&s)
	if err != nil {
		return err
	}
	children, err := read.Children(r.Context(), a.Store, s.ID)
	if err != nil {
		return unavailable(r.Context(), err)
	}
	out := stream{w: w}
	if err := a.sendTree(r.Context(), &out, root, s.ID, children); err != nil {
		return out.failed(err)
	}
	return out.end()
}

// summed returns the event that a session is, with what its events come to.
func summed(s *store.Session) (*honeyhive.Event, error) {
	root := sessionEvent(s)
	summary := map[string]any{
		"num_events": s.Events, "num_model_events": s.ModelEvents, "has_feedback": s.Feedback,
	}
	in, hasIn := s.TokensIn.Get()
	out, hasOut := s.TokensOut.Get()
	if hasIn {
		summary["prompt_tokens"] = in
	}
	if hasOut {
		summary["completion_tokens"] = out
	}
	if total := in + out; (hasIn || hasOut) && (in < 0 || out < 0 || total >= 0) { // it may be past what fits
		summary["total_tokens"] = total
	}
	if s.Stale {
		summary["counting"] = true
	}
	if s.Rootless {
		summary["root_received"] = false
	}
	added, err := honeyhive.ObjectOf(summary)
	paid, err2 := honeyhive.ObjectOf(read.CostsIn(s.Costs(), s.Currency, s.Unpriced))
	root.Metadata = root.Metadata.Merge(added).Merge(paid)
	return &root, errors.Join(err, err2)
}

// sendTree writes a node with its children.
func (a *API) sendTree(ctx context.Context, out *stream, root *honeyhive.Event, id honeyhive.UUID, children map[honeyhive.UUID][]honeyhive.UUID) error {
	type open struct {
		children []honeyhive.UUID
		next     int
	}
	// A stack of its own, since a session may be as deep as its author likes.
	openNode(out, root)
	stack := []open{{children: children[id]}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next == len(top.children) {
			out.write("]}")
			stack = stack[:len(stack)-1]
			continue
		}
		if top.next > 0 {
			out.write(",")
		}
		child := top.children[top.next]
		top.next++
		e, err := a.Store.Event(ctx, child)
		if err != nil {
			return unavailable(ctx, err)
		}
		openNode(out, priced(&e))
		if out.err != nil {
			return out.err
		}
		stack = append(stack, open{children: children[child]})
	}
	return nil
}

// openNode writes a node up to the beginning of its children.
func openNode(out *stream, e *honeyhive.Event) {
	text := honeyhive.Value(node(e)).Object().Without("children").JSONText() // of the user's own: the tree has the name
	out.write(text[:len(text)-1])
	out.write(`,"children":[`)
}
