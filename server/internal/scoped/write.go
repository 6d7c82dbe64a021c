package scoped

import (
	"context"
	"net/http"
	"sync"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// Write implements [store.Store]. What those write who are bound is of their project,
// whatever it says, and is refused where it would change something of another one.
func (s *Store) Write(ctx context.Context, batch []store.Write) error {
	bound, err := project(ctx)
	if err != nil || bound == "" {
		if err == nil {
			err = s.below.Write(ctx, batch)
		}
		return err
	}
	list := make([]store.Write, len(batch))
	names := make([][]honeyhive.UUID, len(batch))
	var all []honeyhive.UUID
	for i, w := range batch {
		list[i] = of(w, bound)
		names[i] = ids(&list[i])
		all = append(all, names[i]...)
	}
	// Two who write the same id of a session at once, which is in no project yet: the
	// first one has it.
	taken := s.claims.take(bound, all)
	defer s.claims.release(all, taken)
	known, err := s.below.ProjectsOf(ctx, all...)
	if err != nil {
		return err
	}
	var refused []store.WriteError
	for i := range list {
		for _, id := range names[i] {
			of, isKnown := known[id]
			if isKnown && of != bound || !taken[id] {
				refused = append(refused, store.WriteError{Index: i, Err: errOther(&list[i])})
				break
			}
		}
	}
	if len(refused) > 0 {
		return &store.BatchError{Writes: refused}
	}
	return s.below.Write(ctx, list)
}

// errOther says that a write is about something of another project. Of an update that
// is told as if its target were not known.
func errOther(w *store.Write) error {
	if w.Update != nil {
		return store.ErrNotFound
	}
	return reject.Errorf(http.StatusForbidden, "the session or event is of a project that the token is not for")
}

// of returns a write whose records are of a project.
func of(w store.Write, project string) store.Write {
	name := honeyhive.Some(project)
	if w.Session != nil {
		v := *w.Session
		v.Project = name
		w.Session = &v
	}
	w.Event = eventOf(w.Event, name)
	if w.Join != nil {
		v := *w.Join
		v.Project = project
		w.Join = &v
	}
	if w.Edge != nil && w.Edge.Step != nil {
		v := *w.Edge
		v.Step = eventOf(v.Step, name)
		w.Edge = &v
	}
	return w
}

func eventOf(e *honeyhive.Event, name honeyhive.Optional[string]) *honeyhive.Event {
	if e == nil {
		return nil
	}
	v := *e
	v.Project = name
	return &v
}

// ids returns what a write is about: whatever it changes, or ties to something.
func ids(w *store.Write) (list []honeyhive.UUID) {
	add := func(text honeyhive.Optional[string]) {
		if id, err := honeyhive.ParseUUID(text.Or("")); err == nil {
			list = append(list, id)
		}
	}
	if w.Session != nil {
		add(w.Session.SessionID)
	}
	if w.Event != nil {
		add(w.Event.EventID)
		add(w.Event.SessionID)
	}
	if w.Update != nil {
		add(w.Update.EventID)
	}
	if j := w.Join; j != nil {
		list = append(list, j.From, j.To, j.Trace)
	}
	if e := w.Edge; e != nil {
		list = append(list, e.Span, e.Trace)
	}
	if !w.Trace.IsZero() {
		list = append(list, w.Trace)
	}
	return list
}

// claims are the ids that are being written, with the project that they are written for
// and how many writes there are.
type claims struct {
	mu  sync.Mutex
	ids map[honeyhive.UUID]claim
}

type claim struct {
	project string
	count   int
}

// take claims ids for a project, and returns which ones it got.
func (c *claims) take(project string, ids []honeyhive.UUID) map[honeyhive.UUID]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil {
		c.ids = make(map[honeyhive.UUID]claim)
	}
	taken := make(map[honeyhive.UUID]bool, len(ids))
	for _, id := range ids {
		now := c.ids[id]
		if taken[id] || now.count > 0 && now.project != project {
			continue
		}
		c.ids[id] = claim{project, now.count + 1}
		taken[id] = true
	}
	return taken
}

func (c *claims) release(ids []honeyhive.UUID, taken map[honeyhive.UUID]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if !taken[id] {
			continue
		}
		delete(taken, id) // the list may have it twice
		if now := c.ids[id]; now.count > 1 {
			c.ids[id] = claim{now.project, now.count - 1}
		} else {
			delete(c.ids, id)
		}
	}
}
