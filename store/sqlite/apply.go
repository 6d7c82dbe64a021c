package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// entry is what a transaction knows of an id.
type entry struct {
	id       honeyhive.UUID
	pk       int64 // 0 before it has one
	stored   bool  // it has a row
	kind     record.Kind
	session  int64 // where the row of an event is, as the database has it
	seq      int64
	layers   []record.Layer
	received int64

	was     record.Kind // as the database has it
	payload string      // the same
	changed bool
	first   *record.Incoming // the only write of a new entry

	// Of a session.
	loaded  bool
	own     record.Own
	totals  record.Totals
	inList  bool // it has a row in the table of sessions
	touched bool // that row must be made anew
	anew    bool // and the extremes of its events
}

// state is what the writes of a transaction come to before they are written.
type state struct {
	w       *writer
	entries map[honeyhive.UUID]*entry
	changed []*entry
	touched []*entry // sessions
}

// apply writes what requests ask for. It returns the errors of those that were
// refused; these leave no trace.
func (w *writer) apply(group []*request) (map[*request]error, error) {
	st := &state{w: w, entries: make(map[honeyhive.UUID]*entry)}
	refused := make(map[*request]error)
	for _, r := range group {
		problems, err := st.check(r.writes)
		if err != nil {
			return nil, err
		}
		if len(problems) > 0 {
			refused[r] = &store.BatchError{Writes: problems}
			continue
		}
		for i := range r.writes {
			st.take(&r.writes[i])
		}
	}
	return refused, st.flush()
}

// entry finds what is known of an id.
func (st *state) entry(id honeyhive.UUID) (*entry, error) {
	if e := st.entries[id]; e != nil {
		return e, nil
	}
	e := &entry{id: id}
	var rank record.Rank
	var at int64
	var layers, payload []byte
	var known bool
	err := st.w.scan(`SELECT pk, kind, session, seq, rank >= 0, max(rank, 0), at, received, layers, payload FROM record WHERE id = ?`, []any{id[:]},
		&e.pk, &e.was, &e.session, &e.seq, &known, &rank, &at, &e.received, &layers, &payload)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, err
	case layers != nil:
		var whole bool
		if e.layers, whole = record.DecodeLayers(layers); !whole {
			return nil, fmt.Errorf("layers of %s: %w", id, store.ErrCorrupt)
		}
	case known:
		e.layers = []record.Layer{record.NewLayer(rank, at, string(payload))}
	}
	e.stored = e.pk != 0
	e.kind, e.payload = e.was, string(payload)
	st.entries[id] = e
	return e, nil
}

// check finds the writes of a batch that cannot be done, and changes nothing.
func (st *state) check(writes []record.Incoming) ([]store.WriteError, error) {
	var problems []store.WriteError
	kinds := make(map[honeyhive.UUID]record.Kind) // after the writes before
	kind := func(id honeyhive.UUID) (record.Kind, error) {
		if k, ok := kinds[id]; ok {
			return k, nil
		}
		e, err := st.entry(id)
		if err != nil {
			return 0, err
		}
		return e.kind, nil
	}
	for i := range writes {
		in := &writes[i]
		known, err := kind(in.ID)
		if err != nil {
			return nil, err
		}
		var problem error
		switch in.Kind {
		case record.Unknown:
			if in.MustExist && known == record.Unknown {
				problem = fmt.Errorf("%s: %w", in.ID, store.ErrNotFound)
			}
		case record.Session:
			if known == record.Event {
				problem = &store.ConflictError{ID: in.ID}
			}
			kinds[in.ID] = record.Session
		case record.Event:
			above, err := kind(in.SessionID)
			if err != nil {
				return nil, err
			}
			if known == record.Session {
				problem = &store.ConflictError{ID: in.ID}
			} else if above == record.Event {
				problem = &store.ConflictError{ID: in.SessionID}
			}
			kinds[in.ID], kinds[in.SessionID] = record.Event, record.Session
		}
		if problem != nil {
			problems = append(problems, store.WriteError{Index: i, Err: problem})
		}
	}
	return problems, nil
}

// take merges a write that was checked into what is known.
func (st *state) take(in *record.Incoming) {
	e := st.entries[in.ID]
	if in.Kind != record.Unknown {
		e.kind = in.Kind
	}
	if in.Kind == record.Event {
		// It becomes a session even if the event turns out to be of another one;
		// flush takes that back.
		above := st.entries[in.SessionID]
		above.kind = record.Session
		st.touch(above)
	}
	at := in.Layer.At
	if e.received == 0 || at < e.received {
		e.received = at
	}
	e.first = nil
	if e.pk == 0 && len(e.layers) == 0 {
		e.first = in
	}
	e.layers = record.Merge(e.layers, in.Layer)
	if !e.changed {
		e.changed = true
		st.changed = append(st.changed, e)
	}
}

func (st *state) touch(e *entry) {
	if !e.touched {
		e.touched = true
		st.touched = append(st.touched, e)
	}
}
