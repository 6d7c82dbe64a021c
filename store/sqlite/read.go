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

// columns of the rows that a viewer gets.
var (
	sessionRowColumns = `s.id, s.seq, s.project, s.source, s.name, s.user, s.models, s.status, s.error, s.question, s.answer, s.received,
		s.events, s.model_events, s.tool_events, s.chain_events, s.errors, s.bytes, ` + measureColumns("s")
	eventRowColumns = `e.id, e.parent, e.seq, e.name, e.type, e.error, e.model, e.bytes, ` + measureColumns("e")
)

func measureColumns(table string) string {
	list := strings.Fields("start_time end_time duration tokens_in tokens_out cost first_token rating feedback")
	return table + "." + strings.Join(list, ", "+table+".")
}

// measures scans the columns of measureColumns.
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

// eventScanner scans rows of events; its targets are made once.
type eventScanner struct {
	row        store.EventRow
	id, parent []byte
	m          measures
	targets    []any
}

func newEventScanner(more ...any) *eventScanner {
	s := new(eventScanner)
	r := &s.row
	s.targets = append([]any{&s.id, &s.parent, &r.Seq, &r.Name, &r.Type, &r.Error, &r.Model, &r.Bytes}, s.m.targets()...)
	s.targets = append(s.targets, more...)
	return s
}

func (s *eventScanner) scan(row scanner) (store.EventRow, error) {
	err := row.Scan(s.targets...)
	r := s.row
	copy(r.ID[:], s.id)
	copy(r.Parent[:], s.parent)
	r.Measures = s.m.get()
	return r, err
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
	var payload, session []byte
	scan := newEventScanner(&session, &payload)
	r, err := scan.scan(s.read.QueryRowContext(ctx, `SELECT `+eventRowColumns+`, s.id, r.payload FROM record r
		JOIN event e ON e.session = r.session AND e.seq = r.seq JOIN session s ON s.pk = r.session WHERE r.id = ? AND r.kind = 2`, id[:]))
	if err != nil {
		return store.Event{}, err
	}
	copy(r.Session[:], session)
	out := store.Event{EventRow: r}
	return out, out.Payload.UnmarshalJSON(payload)
}

// Bounds of what a walk reads at once.
const (
	rowsAtOnce   = 4000
	bodiesAtOnce = 100
)

// Events implements [store.Store].
func (s *Store) Events(ctx context.Context, session honeyhive.UUID, q store.EventQuery) iter.Seq2[store.EventRow, error] {
	return func(yield func(store.EventRow, error) bool) {
		for e, err := range s.walk(ctx, session, q, false) {
			if !yield(e.EventRow, err) {
				return
			}
		}
	}
}

// EventBodies implements [store.Store].
func (s *Store) EventBodies(ctx context.Context, session honeyhive.UUID, q store.EventQuery) iter.Seq2[store.Event, error] {
	return s.walk(ctx, session, q, true)
}

// walk reads events piece by piece, so that a slow reader holds nothing.
func (s *Store) walk(ctx context.Context, session honeyhive.UUID, q store.EventQuery, bodies bool) iter.Seq2[store.Event, error] {
	return func(yield func(store.Event, error) bool) {
		left := q.Limit
		for {
			n := rowsAtOnce
			if bodies {
				n = bodiesAtOnce
			}
			if q.Limit > 0 {
				n = min(n, left)
			}
			list, err := s.events(ctx, session, q, bodies, n)
			if err != nil {
				yield(store.Event{}, s.failed(ctx, "read events of "+session.String(), err))
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
			q.After = list[len(list)-1].Seq
		}
	}
}

func (s *Store) events(ctx context.Context, session honeyhive.UUID, q store.EventQuery, bodies bool, limit int) ([]store.Event, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	var payload []byte
	scan := newEventScanner()
	query, from := `SELECT `+eventRowColumns, ` FROM event e`
	if bodies {
		scan = newEventScanner(&payload)
		query, from = query+`, r.payload`, from+` JOIN record r ON r.pk = e.pk`
	}
	query += from + ` WHERE e.session = (SELECT pk FROM record WHERE id = ?) AND e.seq > ?`
	args := []any{session[:], q.After}
	if words := match(q.Text); words != "" {
		query += ` AND e.pk IN (SELECT rowid FROM search WHERE search MATCH ?)`
		args = append(args, words)
	}
	rows, err := s.read.QueryContext(ctx, query+` ORDER BY e.seq LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []store.Event
	for rows.Next() {
		r, err := scan.scan(rows)
		if err != nil {
			return nil, err
		}
		e := store.Event{EventRow: r}
		e.Session = session
		if bodies {
			if err := e.Payload.UnmarshalJSON(payload); err != nil {
				return nil, err
			}
		}
		list = append(list, e)
	}
	return list, rows.Err()
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
