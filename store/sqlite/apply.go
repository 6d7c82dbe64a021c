package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"unsafe"

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
	more     []record.Layer // that are yet to be merged with them
	received int64

	was      record.Kind       // as the database has it
	columns  [2][]byte         // layers and payload, as the database has them: texts or bodies
	payload  string            // the same, as a text
	wasSum   [sha256.Size]byte // of the payload as the database has it, where it is not kept
	wasBytes int
	parts    knownParts // of these, where they were read to write the record anew
	document int64      // the key of what the index is to see of its payload, the same
	large    bool       // too large to be read here: layers and payload are not known
	known    bool       // there are layers
	size     int        // bytes of what was read and of what came
	length   int        // bytes of the columns
	ready    *ready     // what comes of it was made out elsewhere
	changed  bool
	first    *record.Incoming // the only write of a new entry

	// Of a session.
	loaded  bool
	own     record.Own
	totals  record.Totals
	inList  bool  // it has a row in the table of sessions
	touched bool  // that row must be made anew
	anew    bool  // and the extremes of its events
	home    *home // where it came of a trace
	counted *counted
	ofTrace bool // it is the session of a trace, by a write
	grouped bool // it is among the groups of the state
}

// state is what the writes of a transaction come to before they are written.
type state struct {
	w       *writer
	entries map[honeyhive.UUID]*entry
	changed []*entry
	touched []*entry // sessions
	groups  []*entry // sessions whose row must be made anew, with what is part of them
	joins   []*record.Incoming
	edges   []*record.Incoming
	traces  map[honeyhive.UUID]*touchedTrace
	read    int // bytes of what is there
}

func newState(w *writer) *state {
	return &state{w: w, entries: make(map[honeyhive.UUID]*entry), traces: make(map[honeyhive.UUID]*touchedTrace)}
}

// largeBytes is how much is read of one record in the writer, to merge a write
// with it. What a larger one comes to is made out by whoever writes (large.go).
const largeBytes = 256 << 10

// errStep says that a request is too much for one transaction.
var errStep = errors.New("it is too much for one step")

// apply writes what the first requests of a group ask for, as many as a
// transaction may, and returns how many these are. It returns the errors of those
// that were refused; these leave no trace.
func (w *writer) apply(group []*request) (n int, refused map[*request]error, err error) {
	st := newState(w)
	refused = make(map[*request]error)
	for n < len(group) && (n == 0 || st.read < stepBytes) {
		r := group[n]
		n++
		before := st.read
		problems, err := check(r.writes, func(id honeyhive.UUID) (record.Kind, error) {
			e, err := st.entry(id)
			if err != nil {
				return 0, err
			}
			return e.kind, nil
		}, w.isOrigin)
		if err != nil {
			return n, nil, err
		}
		switch {
		case len(problems) > 0:
			refused[r] = &store.BatchError{Writes: problems}
		case len(r.writes) > 1 && st.read-before > stepBytes || !st.prepared(r):
			refused[r] = errStep
		default:
			for i := range r.writes {
				gone, err := w.isErased(&r.writes[i])
				if err != nil {
					return n, nil, err
				}
				if !gone {
					st.take(&r.writes[i])
				}
			}
		}
	}
	return n, refused, st.flush()
}

// prepared reports whether what the records of a request come to is known, or can
// be made out here: of those that are written, and of updates that waited for the
// session of an event.
func (st *state) prepared(r *request) bool {
	bytes := make(map[*entry]int)
	for i := range r.writes {
		in := &r.writes[i]
		if in.Kind == record.Joined || in.Kind == record.Edged {
			continue
		}
		e, one := st.entries[in.ID], r.ready[in.ID]
		bytes[e] += len(in.Layer.Text)
		merged := e.size > 0 || bytes[e] > len(in.Layer.Text)
		if one == nil && (e.large || merged && e.size+bytes[e] > largeBytes) || one != nil && !one.fits(e) {
			return false
		}
		if in.Kind != record.Event {
			continue
		}
		above, one := st.entries[in.SessionID], r.ready[in.SessionID]
		if above.kind == record.Unknown && above.large && (one == nil || !one.fits(above)) {
			return false
		}
	}
	for id, one := range r.ready {
		if e := st.entries[id]; one.fits(e) {
			e.ready = one
		}
	}
	return true
}

// fits reports whether a record is as it was when it was prepared, and nothing else
// of this transaction is about it. The columns of a large one may not have been read:
// only one goroutine writes to those.
func (r *ready) fits(e *entry) bool {
	if r.pk != e.pk || r.was != e.was || e.kind != e.was || e.changed || e.touched {
		return false
	}
	if e.large && e.size == 0 {
		return len(r.from[0])+len(r.from[1]) == e.length
	}
	return bytes.Equal(r.from[0], e.columns[0]) && bytes.Equal(r.from[1], e.columns[1])
}

const entryQuery = `SELECT pk, kind, session, seq, rank >= 0, max(rank, 0), at, received,
	CASE WHEN ifnull(length(layers), 0) + ifnull(length(payload), 0) <= ?2 THEN layers END,
	CASE WHEN ifnull(length(layers), 0) + ifnull(length(payload), 0) <= ?2 THEN payload END,
	ifnull(length(layers), 0) + ifnull(length(payload), 0), kind = 2 AND session IN (SELECT session FROM doomed)
	FROM record WHERE id = ?1`

// entry finds what is known of an id.
func (st *state) entry(id honeyhive.UUID) (*entry, error) {
	if e := st.entries[id]; e != nil {
		return e, nil
	}
	e, doomed, err := st.w.find(id, largeBytes)
	if err != nil {
		return nil, err
	}
	if doomed {
		if err := st.w.deleteEvent(e); err != nil {
			return nil, err
		}
		e = &entry{id: id}
	}
	st.read += e.size
	st.entries[id] = e
	return e, nil
}

// find reads what is known of an id, with its texts where they are not longer than
// most. An event may be doomed: its session was deleted.
func (w *writer) find(id honeyhive.UUID, most int64) (e *entry, doomed bool, err error) {
	e = &entry{id: id}
	var rank record.Rank
	var at, size int64
	var layers, payload []byte
	err = w.scan(entryQuery, []any{id[:], most},
		&e.pk, &e.was, &e.session, &e.seq, &e.known, &rank, &at, &e.received, &layers, &payload, &size, &doomed)
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	e.stored, e.kind = true, e.was
	e.columns, e.size, e.length = [2][]byte{layers, payload}, len(layers)+len(payload), int(size)
	_, far1 := bodyOf(layers)
	_, far2 := bodyOf(payload)
	if e.large = far1 || far2 || size > most; e.large {
		return e, doomed, nil
	}
	return e, doomed, e.decode(rank, at, layers, payload)
}

// decode reads the texts of an entry.
func (e *entry) decode(rank record.Rank, at int64, layers, payload []byte) error {
	e.payload = unsafe.String(unsafe.SliceData(payload), len(payload)) //nolint:gosec // it was read for this, and does not change any more
	switch {
	case layers != nil:
		var whole bool
		if e.layers, whole = record.DecodeLayers(layers); !whole {
			return fmt.Errorf("layers of %s: %w", e.id, store.ErrCorrupt)
		}
	case e.known:
		e.layers = []record.Layer{record.NewLayer(rank, at, e.payload)}
	}
	return nil
}

// settle reads the texts of a large entry after all, where that cannot be helped,
// and merges what came.
func (st *state) settle(e *entry) error {
	if e.large && e.ready == nil {
		var rank record.Rank
		var at int64
		var columns [2][]byte
		err := st.w.scan(`SELECT max(rank, 0), at, layers, payload FROM record WHERE pk = ?`, []any{e.pk}, &rank, &at, &columns[0], &columns[1])
		for i, c := range columns {
			if err == nil {
				columns[i], err = text(context.Background(), st.w.conn, c)
			}
		}
		if err == nil {
			err = e.decode(rank, at, columns[0], columns[1])
		}
		if err != nil {
			return err
		}
		e.large = false
	}
	if len(e.more) > 0 && e.ready == nil {
		e.layers = merge(e.kind, e.layers, e.more...)
	}
	e.more = nil
	return nil
}

// merge adds layers to those of a record of a kind. What is not known yet may be a
// session.
func merge(kind record.Kind, layers []record.Layer, more ...record.Layer) []record.Layer {
	if kind == record.Event {
		return record.Merge(layers, more...)
	}
	return record.MergeSession(layers, more...)
}

// isOrigin reports whether an id is that of a session which is part of another.
func (w *writer) isOrigin(id honeyhive.UUID) (is bool, err error) {
	err = w.scan(`SELECT EXISTS (SELECT 1 FROM home WHERE origin = ?)`, []any{id[:]}, &is)
	return is, err
}

// check finds the writes of a batch that cannot be done. It asks which kind ids
// are of before the batch, and which are those of sessions that others name.
func check(writes []record.Incoming, before func(honeyhive.UUID) (record.Kind, error), isOrigin func(honeyhive.UUID) (bool, error)) ([]store.WriteError, error) {
	var problems []store.WriteError
	kinds := make(map[honeyhive.UUID]record.Kind) // after the writes before
	origins := make(map[honeyhive.UUID]bool)
	kind := func(id honeyhive.UUID) (record.Kind, error) {
		if k, ok := kinds[id]; ok {
			return k, nil
		}
		return before(id)
	}
	for i := range writes {
		in := &writes[i]
		if in.Kind == record.Edged {
			continue
		}
		known, err := kind(in.ID)
		if err != nil {
			return nil, err
		}
		var problem error
		switch in.Kind {
		case record.Joined:
			for _, id := range [...]honeyhive.UUID{in.ID, in.SessionID} {
				if is, err := kind(id); err != nil {
					return nil, err
				} else if is == record.Event {
					problem = &store.ConflictError{ID: id}
				}
			}
			origins[in.ID] = true
		case record.Unknown:
			if !in.MustExist || known != record.Unknown || origins[in.ID] {
				break
			}
			if is, err := isOrigin(in.ID); err != nil {
				return nil, err
			} else if !is {
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
	switch in.Kind {
	case record.Joined:
		st.joins = append(st.joins, in)
		return
	case record.Edged:
		st.edges = append(st.edges, in)
		return
	}
	if !in.Trace.IsZero() && st.traces[in.Trace] == nil {
		st.traces[in.Trace] = &touchedTrace{}
	}
	e := st.entries[in.ID]
	if in.Kind == record.Session && in.ID == in.Trace {
		e.ofTrace = true
	}
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
	if e.pk == 0 && len(e.layers) == 0 && len(e.more) == 0 {
		e.first = in
	}
	e.more, e.size = append(e.more, in.Layer), e.size+len(in.Layer.Text)
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
