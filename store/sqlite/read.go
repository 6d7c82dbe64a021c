package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// sessionRowColumns are those of the rows that a viewer gets.
const sessionRowColumns = `s.id, s.seq, s.project, s.source, s.name, s.user, s.models, s.status, s.error, s.question, s.answer, s.received,
	s.events, s.model_events, s.tool_events, s.chain_events, s.errors, s.bytes,
	s.start_time, s.end_time, s.duration, s.tokens_in, s.tokens_out, s.cost, s.first_token, s.rating, s.feedback`

// measures scans the last nine of them.
type measures struct {
	start, end, duration, firstToken, rating sql.NullFloat64
	in, out, cost                            sql.NullInt64
	feedback                                 bool
}

func (m *measures) targets() []any {
	return []any{&m.start, &m.end, &m.duration, &m.in, &m.out, &m.cost, &m.firstToken, &m.rating, &m.feedback}
}

func (m *measures) get() store.Measures {
	out := store.Measures{
		Start: float(m.start), End: float(m.end), Duration: float(m.duration), TokensIn: integer(m.in), TokensOut: integer(m.out),
		FirstToken: float(m.firstToken), Rating: float(m.rating), Feedback: m.feedback,
	}
	if m.cost.Valid {
		out.Cost = honeyhive.Some(record.FromCostUnits(m.cost.Int64))
	}
	return out
}

func float(v sql.NullFloat64) honeyhive.Optional[float64] {
	if !v.Valid {
		return honeyhive.Optional[float64]{}
	}
	return honeyhive.Some(v.Float64)
}

func integer(v sql.NullInt64) honeyhive.Optional[int64] {
	if !v.Valid {
		return honeyhive.Optional[int64]{}
	}
	return honeyhive.Some(v.Int64)
}

// scanner is a row of a query.
type scanner interface{ Scan(into ...any) error }

func scanSession(row scanner, more ...any) (store.SessionRow, error) {
	var s store.SessionRow
	var bytes []byte
	var models string
	var m measures
	err := row.Scan(append(append([]any{&bytes, &s.Seq, &s.Project, &s.Source, &s.Name, &s.User, &models, &s.Status, &s.Error, &s.Question, &s.Answer, &s.Received,
		&s.Events, &s.ModelEvents, &s.ToolEvents, &s.ChainEvents, &s.Errors, &s.Bytes}, m.targets()...), more...)...)
	copy(s.ID[:], bytes)
	if models != "" {
		s.Models = strings.Split(models[1:len(models)-1], "\n")
	}
	s.Measures = m.get()
	return s, err
}

// failed gives an error of a read its name, and what callers compare with.
func (s *Store) failed(ctx context.Context, operation string, err error) error {
	if err == nil {
		return nil
	}
	if stop := s.usable(ctx); stop != nil {
		err = stop // what the driver says of it differs
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	return fmt.Errorf("%s: %w", operation, explain(err))
}

// Session implements [store.Store].
func (s *Store) Session(ctx context.Context, id honeyhive.UUID) (store.Session, error) {
	out, err := s.session(ctx, id)
	return out, s.failed(ctx, "read session "+id.String(), err)
}

func (s *Store) session(ctx context.Context, id honeyhive.UUID) (store.Session, error) {
	if err := s.usable(ctx); err != nil {
		return store.Session{}, err
	}
	var payload []byte
	row := s.read.QueryRowContext(ctx, `SELECT `+sessionRowColumns+`, r.payload FROM record r JOIN session s ON s.pk = r.pk WHERE r.id = ?`, id[:])
	r, err := scanSession(row, &payload)
	if err != nil {
		return store.Session{}, err
	}
	out := store.Session{SessionRow: r}
	return out, out.Payload.UnmarshalJSON(payload)
}

// Event implements [store.Store].
func (s *Store) Event(ctx context.Context, id honeyhive.UUID) (store.Event, error) {
	out, err := s.event(ctx, id)
	return out, s.failed(ctx, "read event "+id.String(), err)
}

func (s *Store) event(ctx context.Context, id honeyhive.UUID) (store.Event, error) {
	if err := s.usable(ctx); err != nil {
		return store.Event{}, err
	}
	var row, payload, session []byte
	var seq int64
	err := s.read.QueryRowContext(ctx, `SELECT e.seq, e.row, s.id, r.payload FROM record r
		JOIN event e ON e.session = r.session AND e.seq = r.seq JOIN session s ON s.pk = r.session WHERE r.id = ? AND r.kind = 2`, id[:]).
		Scan(&seq, &row, &session, &payload)
	if err != nil {
		return store.Event{}, err
	}
	var out store.Event
	if out.EventRow, err = unpackRow(row, names{}); err != nil {
		return out, err
	}
	out.Seq, out.Session = seq, honeyhive.UUID(session)
	return out, out.Payload.UnmarshalJSON(payload)
}

// Bounds of what a walk reads at once.
const (
	rowsAtOnce   = 4000
	bodiesAtOnce = 100
)

// Events implements [store.Store].
func (s *Store) Events(ctx context.Context, session honeyhive.UUID, q store.EventQuery) iter.Seq2[store.EventRow, error] {
	n := make(names)
	return walk(ctx, s, session, q, rowsAtOnce, func(limit int, q store.EventQuery) ([]store.EventRow, error) {
		rows := make([]store.EventRow, 0, limit)
		err := s.events(ctx, session, q, `SELECT e.seq, e.row FROM event e`, limit, func(scan func(...any) error) error {
			var row sql.RawBytes
			var seq int64
			if err := scan(&seq, &row); err != nil {
				return err
			}
			r, err := unpackRow(row, n)
			r.Seq, r.Session = seq, session
			rows = append(rows, r)
			return err
		})
		return rows, err
	}, func(r *store.EventRow) int64 { return r.Seq })
}

// EventBodies implements [store.Store].
func (s *Store) EventBodies(ctx context.Context, session honeyhive.UUID, q store.EventQuery) iter.Seq2[store.Event, error] {
	n := make(names)
	return walk(ctx, s, session, q, bodiesAtOnce, func(limit int, q store.EventQuery) ([]store.Event, error) {
		events := make([]store.Event, 0, limit)
		err := s.events(ctx, session, q, `SELECT e.seq, e.row, r.payload FROM event e JOIN record r ON r.pk = e.pk`, limit, func(scan func(...any) error) error {
			var row, payload sql.RawBytes
			var seq int64
			if err := scan(&seq, &row, &payload); err != nil {
				return err
			}
			var e store.Event
			var err error
			if e.EventRow, err = unpackRow(row, n); err != nil {
				return err
			}
			e.Seq, e.Session = seq, session
			err = e.Payload.UnmarshalJSON(payload)
			events = append(events, e)
			return err
		})
		return events, err
	}, func(e *store.Event) int64 { return e.Seq })
}

// walk reads events piece by piece, so that a slow reader holds nothing. Each
// piece is what read returns for a limit.
func walk[E any](ctx context.Context, s *Store, session honeyhive.UUID, q store.EventQuery, atOnce int,
	read func(limit int, q store.EventQuery) ([]E, error), seq func(*E) int64) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		q, left := q, q.Limit
		for {
			n := atOnce
			if q.Limit > 0 {
				n = min(n, left)
			}
			list, err := read(n, q)
			if err != nil {
				var none E
				yield(none, s.failed(ctx, "read events of "+session.String(), err))
				return
			}
			for i := range list {
				if !yield(list[i], nil) {
					return
				}
			}
			left -= len(list)
			if len(list) < n || q.Limit > 0 && left == 0 {
				return
			}
			q.After = seq(&list[len(list)-1])
		}
	}
}

// events runs a query for events of a session, and calls each with the Scan of
// every row.
func (s *Store) events(ctx context.Context, session honeyhive.UUID, q store.EventQuery, query string, limit int, each func(scan func(...any) error) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	query += ` WHERE e.session = (SELECT pk FROM record WHERE id = ?) AND e.seq > ?`
	args := []any{session[:], q.After}
	if words := match(q.Text); words != "" {
		query += ` AND e.pk IN (SELECT rowid FROM search WHERE search MATCH ?)`
		args = append(args, words)
	}
	rows, err := s.read.QueryContext(ctx, query+` ORDER BY e.seq LIMIT ?`, append(args, limit)...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Waiting implements [store.Store].
func (s *Store) Waiting(ctx context.Context) iter.Seq2[honeyhive.Update, error] {
	return func(yield func(honeyhive.Update, error) bool) {
		after := []byte{}
		for {
			list, last, err := s.waiting(ctx, after)
			if err != nil {
				yield(honeyhive.Update{}, s.failed(ctx, "read waiting updates", err))
				return
			}
			for _, u := range list {
				if !yield(u, nil) {
					return
				}
			}
			if len(list) < bodiesAtOnce {
				return
			}
			after = last
		}
	}
}

func (s *Store) waiting(ctx context.Context, after []byte) (list []honeyhive.Update, last []byte, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id, layers FROM record WHERE kind = 0 AND id > ? ORDER BY id LIMIT ?`, after, bodiesAtOnce)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var encoded []byte
		var id honeyhive.UUID
		if err := rows.Scan(&last, &encoded); err != nil {
			return nil, nil, err
		}
		copy(id[:], last)
		layers, whole := record.DecodeLayers(encoded)
		if !whole {
			return nil, nil, fmt.Errorf("layers of %s: %w", id, store.ErrCorrupt)
		}
		u, err := record.FoldUpdate(id, layers)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, u)
	}
	return list, last, rows.Err()
}
