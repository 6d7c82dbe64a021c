package sqlite

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// The attempts of evaluations: the sessions that name a run, each by its own record.
// Which listed session one is part of follows from the joins, as for events. Moment is
// the start in Unix milliseconds, or when it was received; said is what the payload says
// of the attempt, as JSON. The runs themselves are not kept: they are the values of the
// column, which the index has in order.
const schema5 = `
CREATE TABLE IF NOT EXISTS attempt (
	pk INTEGER PRIMARY KEY,
	id BLOB NOT NULL,
	run TEXT NOT NULL,
	moment REAL NOT NULL,
	said TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS attempt_run ON attempt (run, moment, id);
`

// findAttempts makes the rows of the attempts that a file of an earlier version holds.
func (w *writer) findAttempts(ctx context.Context) error {
	if err := execAll(ctx, w.conn, schema5); err != nil {
		return err
	}
	last := int64(-1)
	for {
		found, end, err := w.nextAttempts(ctx, &last)
		if err != nil {
			return err
		}
		err = w.transaction(func(w *writer) error {
			for _, e := range found {
				if err := w.saveAttempt(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || end {
			return err
		}
	}
}

// attemptsAtOnce is how many attempts, or large texts, are gathered for a transaction.
const attemptsAtOnce = 200

// nextAttempts reads records of sessions behind a key, which it moves on, until some of
// them are attempts, and reports whether there are no more.
func (w *writer) nextAttempts(ctx context.Context, last *int64) (found []*entry, end bool, err error) {
	rows, err := w.conn.QueryContext(ctx, `SELECT pk, id, received, payload FROM record WHERE kind = 1 AND pk > ? ORDER BY pk`, *last)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = rows.Close() }()
	type far struct {
		e    *entry
		text []byte
	}
	var elsewhere []far
	for len(found)+len(elsewhere) < attemptsAtOnce {
		if !rows.Next() {
			end = true
			break
		}
		e := new(entry)
		var id, column sql.RawBytes
		if err := rows.Scan(&e.pk, &id, &e.received, &column); err != nil {
			return nil, false, err
		}
		copy(e.id[:], id)
		*last = e.pk
		if _, is := bodyOf(column); is {
			elsewhere = append(elsewhere, far{e, append([]byte(nil), column...)})
			continue
		}
		if e.readAttempt(column) {
			found = append(found, e)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, false, err
	}
	for _, f := range elsewhere {
		payload, err := text(ctx, w.conn, f.text)
		if err != nil {
			return nil, false, err
		}
		if f.e.readAttempt(payload) {
			found = append(found, f.e)
		}
	}
	return found, end, nil
}

// readAttempt reads what a payload says, and reports whether it is that of an attempt.
// One that cannot be read is none: its reader is told.
func (e *entry) readAttempt(payload []byte) bool {
	var p honeyhive.SessionStartRequest
	if p.UnmarshalJSON(payload) != nil {
		return false
	}
	e.own = record.SessionOwn(&p, true)
	e.own.Received = e.received
	e.was = record.Session
	return e.own.Attempt != nil
}

// saveAttempt writes what a session says of the run that it is an attempt of.
func (w *writer) saveAttempt(e *entry) error {
	a := e.own.Attempt
	if a == nil {
		if e.was != record.Session {
			return nil // there is none of it yet
		}
		return w.exec(`DELETE FROM attempt WHERE pk = ?`, e.pk)
	}
	text, err := json.Marshal(said{a.RunName, a.Dataset, a.Baseline, a.Datapoint, a.Name, a.Number, a.Sum, a.Scores, a.MoreScores}) //nolint:musttag // nothing else reads it
	if err != nil {
		return fmt.Errorf("attempt: %w", err)
	}
	moment := e.own.Start.Or(float64(e.own.Received) / 1e6)
	return w.exec(`INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?)`, e.pk, e.id[:], a.Run, moment, string(text))
}

// said is the stored form of what a payload says of an attempt.
type said struct {
	RunName, Dataset, Baseline, Datapoint, Name string        `json:",omitempty"`
	Number                                      int64         `json:",omitempty"`
	Sum                                         string        `json:",omitempty"`
	Scores                                      []store.Score `json:",omitempty"`
	MoreScores                                  int           `json:",omitempty"`
}

func readSaid(run string, text []byte) (a store.Attempt, err error) {
	var v said
	if err := json.Unmarshal(text, &v); err != nil { //nolint:musttag // nothing else writes it
		return a, fmt.Errorf("attempt of %.80q: %w", run, store.ErrCorrupt)
	}
	return store.Attempt{
		Run: run, RunName: v.RunName, Dataset: v.Dataset, Baseline: v.Baseline,
		Datapoint: v.Datapoint, Name: v.Name, Number: v.Number, Sum: v.Sum, Scores: v.Scores, MoreScores: v.MoreScores,
	}, nil
}

// attemptSession is the key of the listed session of an attempt a.
const attemptSession = `ifnull((SELECT t.pk FROM home h JOIN record t ON t.id = h.target WHERE h.origin = a.id), a.pk)`

// Runs implements [store.Store]. The names of the runs are found by leaps along the
// index, from each to the next, and the first attempt of each by the index too.
func (s *Store) Runs(ctx context.Context, q store.RunQuery) (store.RunPage, error) {
	page, err := s.runs(ctx, q)
	return page, s.failed(ctx, "list runs", err)
}

func (s *Store) runs(ctx context.Context, q store.RunQuery) (page store.RunPage, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return page, err
	}
	defer done()
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, 1000)
	var c condition
	of := ""
	if q.Project != "" {
		of = " AND s.project = ?"
		c.args = append(c.args, q.Project)
	}
	if q.Dataset != "" {
		c.add("f.said ->> '$.Dataset' = ?", q.Dataset)
	}
	if q.Name != "" {
		c.add("f.said ->> '$.RunName' = ?", q.Name)
	}
	if q.After != "" {
		moment, run, err := parseRunKey(q.After)
		if err != nil {
			return page, err
		}
		c.add("(f.moment, f.run) < (?, ?)", moment, run)
	}
	//nolint:gosec // no part of it comes from outside
	query := `WITH RECURSIVE name (run) AS (
			SELECT min(run) FROM attempt
			UNION ALL SELECT (SELECT min(next.run) FROM attempt next WHERE next.run > name.run) FROM name WHERE name.run IS NOT NULL)
		SELECT f.run, f.moment, f.said FROM name JOIN attempt f ON f.pk =
			(SELECT a.pk FROM attempt a WHERE a.run = name.run AND EXISTS (SELECT 1 FROM session s WHERE s.pk = ` + attemptSession + of + `) ORDER BY a.moment, a.id LIMIT 1)` +
		c.where() + ` ORDER BY f.moment DESC, f.run DESC LIMIT ?`
	rows, err := s.read.QueryContext(ctx, query, append(c.args, limit+1)...)
	if err != nil {
		return page, err
	}
	return page, each(rows, func(row scanner) error {
		var r store.RunRow
		var text sql.RawBytes
		if err := row.Scan(&r.ID, &r.Start, &text); err != nil {
			return err
		}
		if n := len(page.Runs); n == limit {
			page.Next = page.Runs[n-1].Key
			return nil
		}
		a, err := readSaid(r.ID, text)
		if err != nil {
			return err
		}
		r.Name, r.Dataset, r.Baseline, r.Key = a.RunName, a.Dataset, a.Baseline, formatRunKey(&r)
		page.Runs = append(page.Runs, r)
		return nil
	})
}

// runKey is the place of a run in their order.
type runKey struct {
	Moment float64
	Run    string
}

func formatRunKey(r *store.RunRow) string {
	b, _ := json.Marshal(runKey{r.Start, r.ID}) //nolint:musttag // nothing else reads it; a moment is within bounds
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseRunKey(text string) (moment float64, run string, err error) {
	var k runKey
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err = errors.Join(err, json.Unmarshal(b, &k)); err != nil { //nolint:musttag // nothing else writes it
		return 0, "", fmt.Errorf("%.80q is no key of a page of runs", text)
	}
	return k.Moment, k.Run, nil
}

// Attempts implements [store.Store].
func (s *Store) Attempts(ctx context.Context, run string) iter.Seq2[store.Attempt, error] {
	return func(yield func(store.Attempt, error) bool) {
		// Several parts of a session may say that it is an attempt: the first one counts.
		seen := make(map[honeyhive.UUID]bool)
		var last attemptKey
		for last.moment = -math.MaxFloat64; !last.end; {
			list, err := s.attempts(ctx, run, &last, seen)
			if err != nil {
				yield(store.Attempt{}, s.failed(ctx, "read attempts", err))
				return
			}
			for i := range list {
				if !yield(list[i], nil) {
					return
				}
			}
		}
	}
}

// attemptKey is the place of an attempt in its run; end is set where there is none behind.
type attemptKey struct {
	moment float64
	id     []byte
	end    bool
}

// attempts reads the next attempts of a run behind a key, which it moves on.
func (s *Store) attempts(ctx context.Context, run string, last *attemptKey, seen map[honeyhive.UUID]bool) (list []store.Attempt, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	const query = `SELECT a.moment, a.id, a.said, s.id, s.project, s.source, s.status, EXISTS (SELECT 1 FROM stale WHERE stale.pk = s.pk),
			s.start_time, s.end_time, s.duration, s.tokens_in, s.tokens_out, s.cost, s.first_token, s.rating, s.feedback, s.backwards, ifnull(s.derived, 0), s.costs
		FROM attempt a LEFT JOIN session s ON s.pk = ` + attemptSession + `
		WHERE a.run = ?1 AND (a.moment, a.id) > (?2, ?3) ORDER BY a.moment, a.id LIMIT ?4`
	rows, err := s.read.QueryContext(ctx, query, run, last.moment, append([]byte{}, last.id...), rowsAtOnce)
	if err != nil {
		return nil, err
	}
	n := 0
	names := make(names)
	err = each(rows, func(row scanner) error {
		var text, id, project, source, status sql.RawBytes
		var m measures
		var feedback, backwards sql.NullBool
		var stale bool
		targets := append([]any{&last.moment, &last.id, &text, &id, &project, &source, &status, &stale}, m.targets()...)
		targets[len(targets)-2], targets[len(targets)-1] = &feedback, &backwards
		var derived int64
		var costs []byte
		targets = append(targets, &derived, &costs)
		if err := row.Scan(targets...); err != nil {
			return err
		}
		if n++; id == nil || seen[honeyhive.UUID(id)] { // it is not listed, or another part of it has said so
			return nil
		}
		seen[honeyhive.UUID(id)] = true
		a, err := readSaid(run, text)
		if err != nil {
			return err
		}
		copy(a.Session[:], id)
		m.feedback, m.backwards = feedback.Bool, backwards.Bool
		a.Project, a.Source, a.Status, a.Stale, a.Measures = names.get(project), names.get(source), store.Status(names.get(status)), stale, m.get()
		paid := store.SessionRow{Measures: a.Measures, Currency: s.prices.Currency(), CostDerived: record.FromCostUnits(derived)}
		if err := decodeCosts(costs, &paid); err != nil {
			return err
		}
		a.Costs, a.Unpriced = paid.Costs(), paid.Unpriced
		if !a.Cost.IsZero() {
			a.Currency = paid.Currency
		}
		list = append(list, a)
		return nil
	})
	last.end = n < rowsAtOnce
	return list, err
}
