package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
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
	s.calls, s.rootless, EXISTS (SELECT 1 FROM stale WHERE stale.pk = s.pk),
	s.start_time, s.end_time, s.duration, s.tokens_in, s.tokens_out, s.cost, s.first_token, s.rating, s.feedback, s.backwards, ifnull(s.derived, 0), s.costs`

// measures scans ten of them.
type measures struct {
	start, end, duration, firstToken, rating sql.NullFloat64
	in, out, cost                            sql.NullInt64
	feedback, backwards                      bool
}

func (m *measures) targets() []any {
	return []any{&m.start, &m.end, &m.duration, &m.in, &m.out, &m.cost, &m.firstToken, &m.rating, &m.feedback, &m.backwards}
}

func (m *measures) get() store.Measures {
	out := store.Measures{
		Start: float(m.start), End: float(m.end), Duration: float(m.duration), TokensIn: integer(m.in), TokensOut: integer(m.out),
		FirstToken: float(m.firstToken), Rating: float(m.rating), Feedback: m.feedback, Backwards: m.backwards,
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

// scanSession reads the row of a session, whose cost is in a currency.
func scanSession(row scanner, currency string, more ...any) (store.SessionRow, error) {
	var s store.SessionRow
	var bytes []byte
	var models string
	var m measures
	var derived int64
	var costs []byte
	err := row.Scan(append(append([]any{&bytes, &s.Seq, &s.Project, &s.Source, &s.Name, &s.User, &models, &s.Status, &s.Error, &s.Question, &s.Answer, &s.Received,
		&s.Events, &s.ModelEvents, &s.ToolEvents, &s.ChainEvents, &s.Errors, &s.Bytes, &s.Calls, &s.Rootless, &s.Stale}, append(m.targets(), &derived, &costs)...), more...)...)
	copy(s.ID[:], bytes)
	if models != "" {
		s.Models = strings.Split(models[1:len(models)-1], "\n")
	}
	s.Measures = m.get()
	if s.CostDerived = record.FromCostUnits(derived); !s.Cost.IsZero() {
		s.Currency = currency
	}
	return s, errors.Join(err, decodeCosts(costs, &s))
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

func (s *Store) session(ctx context.Context, id honeyhive.UUID) (out store.Session, err error) {
	err = s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if id, err = follow(ctx, tx, id); err != nil {
			return err
		}
		var payload, counts []byte
		var pk int64
		row := tx.QueryRowContext(ctx, `SELECT `+sessionRowColumns+`, r.payload, s.pk, s.counted FROM record r JOIN session s ON s.pk = r.pk WHERE r.id = ?`, id[:])
		if out.SessionRow, err = scanSession(row, s.prices.Currency(), &payload, &pk, &counts); err != nil {
			return err
		}
		if err := unmarshal(ctx, tx, payload, &out.Payload); err != nil {
			return err
		}
		g := &group{id: id, pks: []int64{pk}}
		best, err := readGroup(ctx, tx, g)
		if err != nil || best == nil {
			return err
		}
		c, err := decodeCounted(counts)
		if err != nil {
			return err
		}
		return joined(ctx, tx, &out, g, best, c)
	})
	return out, err
}

// unmarshal reads the payload of a column, wherever it stands.
func unmarshal(ctx context.Context, q querier, column []byte, into json.Unmarshaler) error {
	payload, err := text(ctx, q, column)
	if err != nil {
		return err
	}
	return into.UnmarshalJSON(payload)
}

// Event implements [store.Store].
func (s *Store) Event(ctx context.Context, id honeyhive.UUID) (store.Event, error) {
	out, err := s.event(ctx, id)
	return out, s.failed(ctx, "read event "+id.String(), err)
}

func (s *Store) event(ctx context.Context, id honeyhive.UUID) (out store.Event, err error) {
	err = s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var row, payload, session []byte
		var seq int64
		err := tx.QueryRowContext(ctx, `SELECT e.seq, e.row, s.id, r.payload FROM record r
			JOIN event e ON e.session = r.session AND e.seq = r.seq JOIN record s ON s.pk = r.session WHERE r.id = ? AND r.kind = 2`, id[:]).
			Scan(&seq, &row, &session, &payload)
		if err != nil {
			return err
		}
		if out.EventRow, err = unpackRow(row, names{}); err != nil {
			return err
		}
		w := walker{names: names{}}
		if err := w.find(ctx, tx, honeyhive.UUID(session)); err != nil {
			return err
		}
		out.Seq = seq
		if err := unmarshal(ctx, tx, payload, &out.Payload); err != nil {
			return err
		}
		w.place(&out.EventRow, &out.Payload)
		return nil
	})
	return out, err
}

// Bounds of what a walk reads at once. One body may be larger.
const (
	rowsAtOnce   = 4000
	bodiesAtOnce = 100
	bytesAtOnce  = 4 << 20
)

// Events implements [store.Store].
func (s *Store) Events(ctx context.Context, session honeyhive.UUID, q store.EventQuery) iter.Seq2[store.EventRow, error] {
	w := &walker{names: make(names)}
	return walk(ctx, s, session, q, rowsAtOnce, func(limit int, q store.EventQuery) (rows []store.EventRow, end bool, err error) {
		rows = make([]store.EventRow, 0, limit)
		end, err = s.events(ctx, w, session, q, `SELECT e.seq, e.row FROM event e`, limit, func(_ context.Context, _ querier, found *sql.Rows) (int, error) {
			var row sql.RawBytes
			var seq int64
			if err := found.Scan(&seq, &row); err != nil {
				return 0, err
			}
			r, err := unpackRow(row, w.names)
			r.Seq = seq
			w.place(&r, nil)
			rows = append(rows, r)
			return 0, err
		})
		return rows, end, err
	}, func(r *store.EventRow) int64 { return r.Seq })
}

// EventBodies implements [store.Store].
func (s *Store) EventBodies(ctx context.Context, session honeyhive.UUID, q store.EventQuery) iter.Seq2[store.Event, error] {
	w := &walker{names: make(names)}
	return walk(ctx, s, session, q, bodiesAtOnce, func(limit int, q store.EventQuery) (events []store.Event, end bool, err error) {
		events = make([]store.Event, 0, limit)
		end, err = s.events(ctx, w, session, q, `SELECT e.seq, e.row, r.payload FROM event e JOIN record r ON r.pk = e.pk`, limit, func(ctx context.Context, q querier, found *sql.Rows) (int, error) {
			var row, payload sql.RawBytes
			var seq int64
			if err := found.Scan(&seq, &row, &payload); err != nil {
				return 0, err
			}
			var e store.Event
			var err error
			if e.EventRow, err = unpackRow(row, w.names); err != nil {
				return 0, err
			}
			e.Seq = seq
			err = unmarshal(ctx, q, payload, &e.Payload)
			w.place(&e.EventRow, &e.Payload)
			events = append(events, e)
			return int(e.Bytes), err
		})
		return events, end, err
	}, func(e *store.Event) int64 { return e.Seq })
}

// walk reads events piece by piece, so that a slow reader holds nothing. Each
// piece is what read returns for a limit, and whether it is the last.
func walk[E any](ctx context.Context, s *Store, session honeyhive.UUID, q store.EventQuery, atOnce int,
	read func(limit int, q store.EventQuery) ([]E, bool, error), seq func(*E) int64) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		q, left := q, q.Limit
		for {
			n := atOnce
			if q.Limit > 0 {
				n = min(n, left)
			}
			list, end, err := read(n, q)
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
			if end || q.Limit > 0 && left == 0 {
				return
			}
			q.After = seq(&list[len(list)-1])
		}
	}
}

// events runs a query for events of a session, and calls each with every row, which
// returns how many bytes it took. It stops at the limit or when these are enough,
// and reports whether there was no more.
func (s *Store) events(ctx context.Context, w *walker, session honeyhive.UUID, q store.EventQuery, query string, limit int,
	each func(context.Context, querier, *sql.Rows) (int, error)) (end bool, err error) {
	err = s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := w.find(ctx, tx, session); err != nil {
			return err
		}
		query, args := query+` WHERE e.session = (SELECT pk FROM record WHERE id = ?1) AND e.seq > ?2`, []any{w.group.id[:], q.After}
		if w.several {
			query = strings.Replace(query, `= (SELECT pk FROM record WHERE id = ?1)`, `IN (SELECT r.pk FROM home h JOIN record r ON r.id = h.origin WHERE h.target = ?1 UNION SELECT pk FROM record WHERE id = ?1)`, 1)
		}
		if words := match(q.Text); words != "" {
			query += ` AND e.pk IN (SELECT rowid FROM search WHERE search MATCH ?3)`
			args = append(args, words)
		}
		if !q.Query.IsAll() {
			list, more, err := w.foundIn(ctx, tx, q.Query)
			if err != nil {
				return err
			}
			query += ` AND e.pk IN (` + list + `)`
			args = append(args, more...)
		}
		rows, err := tx.QueryContext(ctx, query+fmt.Sprintf(` ORDER BY e.seq LIMIT %d`, limit), args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		n := 0
		for bytes := 0; bytes < bytesAtOnce; n++ {
			if !rows.Next() {
				end = n < limit
				return rows.Err()
			}
			size, err := each(ctx, tx, rows)
			if err != nil {
				return err
			}
			bytes += size
		}
		return nil
	})
	return end, err
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
			if len(list) == 0 {
				return
			}
			after = last
		}
	}
}

func (s *Store) waiting(ctx context.Context, after []byte) (list []honeyhive.Update, last []byte, err error) {
	err = s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT id, layers FROM record WHERE kind = 0 AND id > ? ORDER BY id LIMIT ?`, after, bodiesAtOnce)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for bytes := 0; bytes < bytesAtOnce && rows.Next(); {
			var column []byte
			var id honeyhive.UUID
			if err := rows.Scan(&last, &column); err != nil {
				return err
			}
			copy(id[:], last)
			encoded, err := text(ctx, tx, column)
			if err != nil {
				return err
			}
			bytes += len(encoded)
			layers, whole := record.DecodeLayers(encoded)
			if !whole {
				return fmt.Errorf("layers of %s: %w", id, store.ErrCorrupt)
			}
			u, err := record.FoldUpdate(id, layers)
			if err != nil {
				return err
			}
			list = append(list, u)
		}
		return rows.Err()
	})
	return list, last, err
}
