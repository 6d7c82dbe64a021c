// Package redacted keeps personal data and credentials out of a store: what is written
// is redacted by a policy before, by whichever way it came.
package redacted

import (
	"context"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/redact"
	"github.com/sessionspan/sessionspan/store"
)

// Store is a store to which nothing is written but what a policy leaves. It reads what
// the store below has: what was written without it stays as it is.
type Store struct {
	store.Store
	policy *redact.Policy
}

// New returns a store that redacts what is written to another. A nil policy redacts
// nothing.
func New(s store.Store, policy *redact.Policy) store.Store {
	if policy == nil {
		return s
	}
	return &Store{s, policy}
}

// Write implements [store.Store].
func (s *Store) Write(ctx context.Context, batch []store.Write) error {
	list := make([]store.Write, len(batch))
	for i, w := range batch {
		w.Session, w.Event, w.Update = s.policy.Session(w.Session), s.policy.Event(w.Event), s.policy.Update(w.Update)
		w.Join, w.Edge = s.join(w.Join), s.edge(w.Edge)
		list[i] = w
	}
	return s.Store.Write(ctx, list)
}

// join redacts what a session is called. A text that is redacted is replaced by an id
// that is made of it, since texts are compared: of one trace, those of two users stay
// two, and those of one user one.
func (s *Store) join(j *store.Join) *store.Join {
	if j == nil {
		return nil
	}
	v := *j
	if s.policy.Text("session_id", v.Text) != v.Text {
		v.Text = honeyhive.SessionID("", v.Text).String()
	}
	v.Name, v.Project, v.Source = s.policy.Text("session_name", v.Name), s.policy.Text("project", v.Project), s.policy.Text("source", v.Source)
	return &v
}

func (s *Store) edge(e *store.Edge) *store.Edge {
	if e == nil || e.Step == nil {
		return e
	}
	v := *e
	v.Step = s.policy.Event(v.Step)
	return &v
}
