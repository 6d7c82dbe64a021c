package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"unsafe"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// To merge a write with a large record takes longer than the writer may be held:
// the record is read, parsed and written anew. So this is made out beside the writer:
// what the record comes to is staged, and the writer is handed what is left to do.
// Of one record all writes that wait are made out together (queue.go), one record at a
// time. As all writes of a large record go this way, and keys are given out once, the
// record is still what it was if it has the same key and kind; if not, since it was
// deleted meanwhile, all is done again.

// ready is what a record comes to with a write.
type ready struct {
	pk       int64 // of the record as it was; 0 where there was none
	was      record.Kind
	from     [2][]byte // layers and payload, as the database had them
	columns  [2][]byte // the same, staged
	rank, at int64
	isKnown  bool // there is a record, not only updates
	same     bool // the payload is as it was
	indexed  bool // at least what the index has of it is
	received int64
	event    record.Counted
	own      record.Own
}

// writeTogether writes what is about one record that is large, or whose session an
// update waits for that is. Where that cannot be, since one of several is wrong or makes
// the record too large, the others do not suffer from it.
func (s *Store) writeTogether(ctx context.Context, writes []record.Incoming) error {
	for {
		r := &request{writes: writes, ready: make(map[honeyhive.UUID]*ready), bytes: stepBytes}
		err := s.prepare(ctx, writes, r.ready)
		if err == nil {
			err = s.submit(ctx, r)
		}
		for _, one := range r.ready {
			s.abandon(one.columns[0], one.columns[1])
		}
		if _, refused := errors.AsType[*store.BatchError](err); refused && len(writes) > 1 {
			return inTwo(writes, len(writes)/2, func(half []record.Incoming) error { return s.writeTogether(ctx, half) })
		}
		if !errors.Is(err, errStep) {
			return err
		}
	}
}

// prepare makes out what the records come to that writes of one record are about.
func (s *Store) prepare(ctx context.Context, writes []record.Incoming, all map[honeyhive.UUID]*ready) error {
	id := writes[0].ID
	base, err := s.base(ctx, id)
	if err != nil {
		return err
	}
	kind := base.was
	var layers []record.Layer
	for i := range writes {
		in := &writes[i]
		if in.Kind != record.Unknown {
			kind = in.Kind
		}
		if base.received == 0 || in.Layer.At < base.received {
			base.received = in.Layer.At
		}
		layers = append(layers, in.Layer)
	}
	var only *record.Incoming
	if len(base.layers) == 0 && len(writes) == 1 {
		only = &writes[0]
	}
	base.layers = merge(kind, base.layers, layers...)
	if all[id], err = s.ready(ctx, base, kind, only); err != nil {
		return err
	}
	for i := range writes {
		session := writes[i].SessionID
		if writes[i].Kind != record.Event || all[session] != nil {
			continue
		}
		above, err := s.base(ctx, session)
		if err != nil {
			return err
		}
		if !above.large || above.was != record.Unknown {
			continue
		}
		if all[session], err = s.ready(ctx, above, record.Session, nil); err != nil {
			return err
		}
	}
	return nil
}

// base reads what is known of an id, whatever its size. It says so of what the
// writer would find to be large.
func (s *Store) base(ctx context.Context, id honeyhive.UUID) (*entry, error) {
	e := &entry{id: id}
	err := s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var rank record.Rank
		var at int64
		var columns [2][]byte
		var doomed bool
		err := tx.QueryRowContext(ctx, `SELECT pk, kind, rank >= 0, max(rank, 0), at, received, layers, payload,
			kind = 2 AND session IN (SELECT session FROM doomed) FROM record WHERE id = ?`, id[:]).
			Scan(&e.pk, &e.was, &e.known, &rank, &at, &e.received, &columns[0], &columns[1], &doomed)
		if errors.Is(err, sql.ErrNoRows) || err == nil && doomed {
			*e = entry{id: id, parts: make(knownParts)}
			return nil
		}
		size := 0
		e.columns, e.parts = columns, make(knownParts)
		for i, c := range columns {
			if err == nil {
				_, far := bodyOf(c)
				size += len(c)
				e.large = e.large || far || size > largeBytes
				columns[i], err = textOf(ctx, tx, c, e.parts)
			}
		}
		if b, ok := bodyOf(e.columns[1]); ok && err == nil {
			var c contents
			c, err = b.contents(ctx, tx)
			e.document = c.document
		}
		if err != nil {
			return err
		}
		e.wasSum, e.wasBytes = sha256.Sum256(columns[1]), len(columns[1])
		err = e.decode(rank, at, columns[0], columns[1])
		e.payload = "" // which nobody reads any more, once the layers are merged with others
		return err
	})
	return e, err
}

// ready makes out what the layers of a record of a kind come to, and stages it. Only is
// the write of all layers, where there is no other one: its text is the payload.
func (s *Store) ready(ctx context.Context, e *entry, kind record.Kind, only *record.Incoming) (*ready, error) {
	r := &ready{pk: e.pk, was: e.was, from: e.columns, received: e.received, isKnown: record.Has(e.layers)}
	r.rank, r.at = last(e.layers)
	var payload []byte
	switch {
	case only != nil && only.Kind == kind && kind != record.Unknown:
		payload = unsafe.Slice(unsafe.StringData(only.Layer.Text), len(only.Layer.Text)) //nolint:gosec // they are read alone
		r.event = record.Counted{EventRow: only.Row, Project: only.Project, Source: only.Source, Received: e.received, Labels: only.Labels}
		r.own = only.Own
		r.event.Bytes, r.own.Bytes = int64(len(payload)), int64(len(payload))
	case kind == record.Event:
		p, err := record.FoldEvent(e.layers)
		if err != nil {
			return r, err
		}
		payload = p.AppendJSON(nil)
		r.event = count(&p, len(payload), e.received)
	case kind == record.Session:
		p, err := record.FoldSession(e.id, e.layers)
		if err != nil {
			return r, err
		}
		payload = p.AppendJSON(nil)
		r.own = record.SessionOwn(&p, r.isKnown)
		r.own.Bytes = int64(len(payload))
	}
	whole := unsafe.String(unsafe.SliceData(payload), len(payload)) //nolint:gosec // a copy of it is the most memory that a write takes, and it does not change any more
	if kind == record.Unknown {
		whole = record.Fold(e.layers)
	}
	if len(whole) > e.wasBytes { // one from before the bounds may be out of them
		if err := record.CheckSize(whole); err != nil {
			return r, &store.BatchError{Writes: []store.WriteError{{Err: err}}}
		}
	}
	r.same = sha256.Sum256(payload) == e.wasSum
	var err error
	if kind != record.Unknown {
		var document int64
		r.columns[1], document, err = s.stage(ctx, payload, kind, e.parts)
		r.indexed = document != 0 && document == e.document
	}
	if err == nil {
		r.columns[0], _, err = s.stage(ctx, record.EncodeLayers(e.layers), record.Unknown, e.parts)
	}
	return r, err
}
