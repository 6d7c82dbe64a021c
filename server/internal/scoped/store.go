// Package scoped shows a caller who is bound to a project nothing but that project, and
// lets them write nothing else, whichever route their request came by.
package scoped

import (
	"context"
	"errors"
	"iter"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/store"
)

// Store is a store as the caller in the context may see it. Without a caller it refuses
// everything, so that no route can forget to say whom it works for.
//
// The store below is not embedded: a method that [store.Store] gets must say here what it
// shows to whom.
type Store struct {
	below  store.Store
	claims claims
}

var _ store.Store = (*Store)(nil)

// New returns a store that serves callers.
func New(s store.Store) *Store { return &Store{below: s} }

// errNobody says that a context has no caller.
var errNobody = errors.New("the request has no caller")

// errWhole says that a caller is bound to a project, and asked for more.
var errWhole = errors.New("the token is bound to a project")

// project returns the project that the caller is bound to, "" for none.
func project(ctx context.Context) (string, error) {
	c := caller.From(ctx)
	if c.Roles == 0 {
		return "", errNobody
	}
	return c.Project, nil
}

// sees reports whether the caller may see what an id names. What is not known to the
// store is not seen either by those who are bound.
func (s *Store) sees(ctx context.Context, id honeyhive.UUID) error {
	bound, err := project(ctx)
	if err != nil || bound == "" {
		return err
	}
	all, err := s.below.ProjectsOf(ctx, id)
	if err != nil {
		return err
	}
	if of, known := all[id]; !known || of != bound {
		return store.ErrNotFound
	}
	return nil
}

// filter narrows a filter to the project of the caller. none is set where that and the
// filter exclude each other.
func filter(ctx context.Context, f store.Filter) (_ store.Filter, none bool, err error) {
	bound, err := project(ctx)
	if err != nil || bound == "" {
		return f, false, err
	}
	if f.Project != "" && f.Project != bound {
		return f, true, nil
	}
	f.Project = bound
	return f, false, nil
}

// Sessions implements [store.Store].
func (s *Store) Sessions(ctx context.Context, q store.SessionQuery) (store.SessionPage, error) {
	f, none, err := filter(ctx, q.Filter)
	if err != nil || none {
		return store.SessionPage{}, err
	}
	q.Filter = f
	return s.below.Sessions(ctx, q)
}

// noStatus is what no session has.
const noStatus store.Status = "none"

// Aggregate implements [store.Store].
func (s *Store) Aggregate(ctx context.Context, f store.Filter, g store.Grouping) ([]store.Series, error) {
	f, none, err := filter(ctx, f)
	if err != nil {
		return nil, err
	}
	if none {
		f.Status = noStatus // what the store makes of no session
	}
	return s.below.Aggregate(ctx, f, g)
}

// AggregateAll implements [store.Store].
func (s *Store) AggregateAll(ctx context.Context, f store.Filter, g []store.Grouping) ([][]store.Series, error) {
	f, none, err := filter(ctx, f)
	if err != nil || none {
		return make([][]store.Series, len(g)), err
	}
	return s.below.AggregateAll(ctx, f, g)
}

// Hits implements [store.Store].
func (s *Store) Hits(ctx context.Context, q store.HitQuery) (map[honeyhive.UUID]store.Hit, error) {
	bound, err := project(ctx)
	if err != nil {
		return nil, err
	}
	if bound != "" {
		if q.Sessions, err = s.own(ctx, bound, q.Sessions); err != nil {
			return nil, err
		}
	}
	return s.below.Hits(ctx, q)
}

// own returns those of some sessions that are of a project.
func (s *Store) own(ctx context.Context, bound string, sessions []honeyhive.UUID) ([]honeyhive.UUID, error) {
	of, err := s.ProjectsOf(ctx, sessions...)
	if err != nil {
		return nil, err
	}
	var own []honeyhive.UUID
	for _, id := range sessions {
		if p, known := of[id]; known && p == bound {
			own = append(own, id)
		}
	}
	return own, nil
}

// Values implements [store.Store].
func (s *Store) Values(ctx context.Context, q store.ValueQuery) ([]store.Value, error) {
	f, none, err := filter(ctx, q.Filter)
	if err != nil || none {
		return nil, err
	}
	q.Filter = f
	return s.below.Values(ctx, q)
}

// Complete implements [store.Store]. A store completes from all that it has: those who are
// bound get no completion.
func (s *Store) Complete(ctx context.Context, field, prefix string, limit int) ([]string, error) {
	if bound, err := project(ctx); err != nil || bound != "" {
		return nil, err
	}
	return s.below.Complete(ctx, field, prefix, limit)
}

// Session implements [store.Store].
func (s *Store) Session(ctx context.Context, id honeyhive.UUID) (store.Session, error) {
	bound, err := project(ctx)
	if err != nil {
		return store.Session{}, err
	}
	found, err := s.below.Session(ctx, id)
	if err == nil && bound != "" && found.Project != bound {
		return store.Session{}, store.ErrNotFound
	}
	return found, err
}

// Events implements [store.Store].
func (s *Store) Events(ctx context.Context, session honeyhive.UUID, q store.EventQuery) iter.Seq2[store.EventRow, error] {
	return walk(ctx, s, session, func() iter.Seq2[store.EventRow, error] { return s.below.Events(ctx, session, q) })
}

// EventBodies implements [store.Store].
func (s *Store) EventBodies(ctx context.Context, session honeyhive.UUID, q store.EventQuery) iter.Seq2[store.Event, error] {
	return walk(ctx, s, session, func() iter.Seq2[store.Event, error] { return s.below.EventBodies(ctx, session, q) })
}

// walk walks the events of a session that the caller sees. To others it has none.
func walk[E any](ctx context.Context, s *Store, session honeyhive.UUID, events func() iter.Seq2[E, error]) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		err := s.sees(ctx, session)
		if errors.Is(err, store.ErrNotFound) {
			return
		}
		if err != nil {
			var none E
			yield(none, err)
			return
		}
		events()(yield)
	}
}

// Event implements [store.Store].
func (s *Store) Event(ctx context.Context, id honeyhive.UUID) (store.Event, error) {
	if err := s.sees(ctx, id); err != nil {
		return store.Event{}, err
	}
	return s.below.Event(ctx, id)
}

// Waiting implements [store.Store]. What an update waits for has no project yet.
func (s *Store) Waiting(ctx context.Context) iter.Seq2[honeyhive.Update, error] {
	return func(yield func(honeyhive.Update, error) bool) {
		bound, err := project(ctx)
		switch {
		case err != nil:
			yield(honeyhive.Update{}, err)
		case bound == "":
			s.below.Waiting(ctx)(yield)
		}
	}
}

// Runs implements [store.Store].
func (s *Store) Runs(ctx context.Context, q store.RunQuery) (store.RunPage, error) {
	bound, err := project(ctx)
	if err != nil || bound != "" && q.Project != "" && q.Project != bound {
		return store.RunPage{}, err
	}
	if bound != "" {
		q.Project = bound
	}
	return s.below.Runs(ctx, q)
}

// Attempts implements [store.Store].
func (s *Store) Attempts(ctx context.Context, run string) iter.Seq2[store.Attempt, error] {
	return func(yield func(store.Attempt, error) bool) {
		bound, err := project(ctx)
		if err != nil {
			yield(store.Attempt{}, err)
			return
		}
		for a, err := range s.below.Attempts(ctx, run) {
			if err == nil && bound != "" && a.Project != bound {
				continue
			}
			if !yield(a, err) {
				return
			}
		}
	}
}

// Speaks implements [store.Store]. A trace of another project does not.
func (s *Store) Speaks(ctx context.Context, trace honeyhive.UUID) (bool, error) {
	err := s.sees(ctx, trace)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.below.Speaks(ctx, trace)
}

// Steps implements [store.Store].
func (s *Store) Steps(ctx context.Context) iter.Seq2[store.Edge, error] {
	return func(yield func(store.Edge, error) bool) {
		bound, err := project(ctx)
		if err != nil {
			yield(store.Edge{}, err)
			return
		}
		for e, err := range s.below.Steps(ctx) {
			if err == nil && bound != "" && e.Step.Project.Or("") != bound {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Changes implements [store.Store]. Those of other projects, and of what is gone, have no
// session to those who are bound: the numbers go on.
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	bound, err := project(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.below.Changes(ctx, after, limit)
	if err != nil || bound == "" {
		return list, err
	}
	ids := make([]honeyhive.UUID, len(list))
	for i := range list {
		ids[i] = list[i].Session
	}
	of, err := s.below.ProjectsOf(ctx, ids...)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if p, known := of[list[i].Session]; !known || p != bound {
			list[i].Session, list[i].Deleted = honeyhive.UUID{}, false
		}
	}
	return list, nil
}

// WaitChange implements [store.Store].
func (s *Store) WaitChange(ctx context.Context, after int64) error {
	if _, err := project(ctx); err != nil {
		return err
	}
	return s.below.WaitChange(ctx, after)
}

// Delete implements [store.Store]. Sessions of other projects are passed over, as those
// that are not known.
func (s *Store) Delete(ctx context.Context, sessions ...honeyhive.UUID) error {
	bound, err := project(ctx)
	if err != nil {
		return err
	}
	if bound != "" {
		if sessions, err = s.own(ctx, bound, sessions); err != nil {
			return err
		}
	}
	return s.below.Delete(ctx, sessions...)
}

// Prune implements [store.Store].
func (s *Store) Prune(ctx context.Context, r store.Retention) (store.Pruned, error) {
	if err := whole(ctx); err != nil {
		return store.Pruned{}, err
	}
	return s.below.Prune(ctx, r)
}

// Scrub implements [store.Store]. It shows nothing.
func (s *Store) Scrub(ctx context.Context) error {
	if _, err := project(ctx); err != nil {
		return err
	}
	return s.below.Scrub(ctx)
}

// Erase implements [store.Eraser]. Those who are bound erase what is of their project.
func (s *Store) Erase(ctx context.Context, subject store.Subject) (store.Erased, error) {
	bound, err := project(ctx)
	if err != nil || bound != "" && subject.Project != "" && subject.Project != bound {
		return store.Erased{}, err
	}
	if bound != "" {
		subject.Project = bound
	}
	return s.below.Erase(ctx, subject)
}

// Sync implements [store.Store]. It shows nothing.
func (s *Store) Sync(ctx context.Context) error {
	if _, err := project(ctx); err != nil {
		return err
	}
	return s.below.Sync(ctx)
}

// Size implements [store.Store]. It is that of all projects.
func (s *Store) Size(ctx context.Context) (int64, error) {
	if err := whole(ctx); err != nil {
		return 0, err
	}
	return s.below.Size(ctx)
}

// Close implements [store.Store]. Who opened the store below closes it.
func (s *Store) Close() error { return nil }

// whole returns an error for those who are bound.
func whole(ctx context.Context) error {
	bound, err := project(ctx)
	if err == nil && bound != "" {
		err = errWhole
	}
	return err
}

// Seq implements [store.Store].
func (s *Store) Seq(ctx context.Context) (int64, error) {
	if _, err := project(ctx); err != nil {
		return 0, err
	}
	return s.below.Seq(ctx)
}

// ProjectsOf implements [store.Projects]. Other projects are not known to those who are
// bound.
func (s *Store) ProjectsOf(ctx context.Context, ids ...honeyhive.UUID) (map[honeyhive.UUID]string, error) {
	bound, err := project(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.below.ProjectsOf(ctx, ids...)
	for id, of := range all {
		if bound != "" && of != bound {
			delete(all, id)
		}
	}
	return all, err
}

// Info implements [store.Store]. To those who are bound it counts their sessions and
// events, and nothing else.
func (s *Store) Info(ctx context.Context) (store.Info, error) {
	bound, err := project(ctx)
	if err != nil {
		return store.Info{}, err
	}
	if bound == "" {
		return s.below.Info(ctx)
	}
	var info store.Info
	if info.Seq, err = s.below.Seq(ctx); err != nil {
		return info, err
	}
	list, err := s.below.Aggregate(ctx, store.Filter{Project: bound}, store.Grouping{})
	for _, series := range list {
		info.Sessions, info.Orphans, info.Events = series.Total.Count, series.Total.Orphans, series.Total.Events
	}
	return info, err
}
