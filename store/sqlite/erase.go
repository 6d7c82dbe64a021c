package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// To erase is to delete, and to take nothing again that has an id of what was deleted.
// These ids are noted, by their hashes, before and with the session: what arrives
// meanwhile is either deleted with it or not taken. The table is made with the first of
// them, so that no file has it that needs none.
const erasedTable = `CREATE TABLE IF NOT EXISTS erased (hash BLOB PRIMARY KEY) WITHOUT ROWID`

// findErased finds out whether there is a table of ids that are not taken again.
func (w *writer) findErased() error {
	return w.scan(`SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'erased')`, nil, &w.erased)
}

// erasedKey is what is kept of an id.
func erasedKey(id honeyhive.UUID) []byte {
	sum := sha256.Sum256(append([]byte("erased\x00"), id[:]...))
	return sum[:16]
}

// isErased reports whether a write is of something that was erased. A span may be of a
// trace whose session was erased and of another session, which is not.
func (w *writer) isErased(in *record.Incoming) (bool, error) {
	if !w.erased {
		return false, nil
	}
	ids := []honeyhive.UUID{in.ID}
	switch in.Kind {
	case record.Event, record.Joined:
		ids = append(ids, in.SessionID)
	case record.Edged:
		ids = append(ids, in.Edge.Trace)
	}
	for _, id := range ids {
		var gone bool
		if err := w.scan(`SELECT EXISTS (SELECT 1 FROM erased WHERE hash = ?)`, []any{erasedKey(id)}, &gone); err != nil || gone {
			return gone, err
		}
	}
	return false, nil
}

// makeErased makes the table, where there is none. The writer looks at it when it is
// there for sure.
func (s *Store) makeErased(ctx context.Context) error {
	if err := s.submit(ctx, &request{run: func(w *writer) error { return w.exec(erasedTable) }}); err != nil {
		return err
	}
	return s.submit(ctx, &request{bare: true, run: (*writer).findErased})
}

// bar keeps ids from being taken again.
func (w *writer) bar(ids ...honeyhive.UUID) error {
	for _, id := range ids {
		if err := w.exec(`INSERT OR IGNORE INTO erased VALUES (?)`, erasedKey(id)); err != nil {
			return err
		}
	}
	return nil
}

// Erase implements [store.Eraser].
func (s *Store) Erase(ctx context.Context, subject store.Subject) (store.Erased, error) {
	var total store.Erased
	err := s.erase(ctx, subject, &total)
	return total, s.failed(ctx, "erase", err)
}

func (s *Store) erase(ctx context.Context, subject store.Subject, total *store.Erased) error {
	if (subject.User == "") == subject.Session.IsZero() {
		return errors.New("a user or a session must be named, and not both")
	}
	// Rows may not say their users yet.
	if err := errors.Join(s.Sync(ctx), s.makeErased(ctx)); err != nil {
		return err
	}
	if !subject.Session.IsZero() {
		if subject.Project != "" {
			of, err := s.ProjectsOf(ctx, subject.Session)
			if err != nil || of[subject.Session] != subject.Project {
				return err
			}
		}
		if err := s.eraseSession(ctx, subject.Session, total); err != nil {
			return err
		}
		return s.scrub(ctx)
	}
	for {
		ids, err := s.sessionsOf(ctx, subject)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			break
		}
		for _, id := range ids {
			if err := s.eraseSession(ctx, id, total); err != nil {
				return err
			}
		}
	}
	if subject.Project == "" { // what waits is of no project
		if err := s.eraseWaiting(ctx, subject.User, total); err != nil {
			return err
		}
	}
	return s.scrub(ctx)
}

// sessionsOf returns some of the sessions of a user.
func (s *Store) sessionsOf(ctx context.Context, subject store.Subject) (ids []honeyhive.UUID, err error) {
	const query = `SELECT id FROM session WHERE user = ?1 AND (?2 = '' OR project = ?2) LIMIT 100`
	err = s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		ids = nil
		rows, err := tx.QueryContext(ctx, query, subject.User, subject.Project)
		if err != nil {
			return err
		}
		return each(rows, func(row scanner) error {
			var id []byte
			err := row.Scan(&id)
			ids = append(ids, honeyhive.UUID(id))
			return err
		})
	})
	return ids, err
}

// eraseSession deletes a session with all that is part of it, in steps: first its ids
// are barred, so that no more of it comes, then those of its events, then it is doomed.
func (s *Store) eraseSession(ctx context.Context, id honeyhive.UUID, total *store.Erased) error {
	var parts []honeyhive.UUID // the session, and those that are part of it
	err := s.submit(ctx, &request{run: func(w *writer) (err error) {
		target, err := follow(context.Background(), w, id)
		if err != nil {
			return err
		}
		g := &group{id: target}
		if _, err := readGroup(context.Background(), w, g); err != nil {
			return err
		}
		parts = []honeyhive.UUID{target, id}
		for i := range g.members {
			parts = append(parts, g.members[i].ID)
		}
		return w.bar(parts...)
	}})
	if err != nil {
		return err
	}
	for _, part := range parts {
		for after, more := int64(-1), true; more; {
			err := s.submit(ctx, &request{run: func(w *writer) (err error) {
				after, more, err = w.barEvents(part, after)
				return err
			}})
			if err != nil {
				return err
			}
		}
	}
	return s.submit(ctx, &request{run: func(w *writer) error {
		for _, part := range parts {
			traces, err := w.tracesOf(part)
			if err != nil {
				return err
			}
			for _, trace := range append(traces, part) { // what a step holds may be of this session
				if err := w.exec(`UPDATE edge SET step = NULL WHERE trace = ? AND step IS NOT NULL`, trace[:]); err != nil {
					return err
				}
			}
		}
		var known bool
		if err := w.scan(`SELECT EXISTS (SELECT 1 FROM record r JOIN session s ON s.pk = r.pk WHERE r.id = ?)`, []any{parts[0][:]}, &known); err != nil {
			return err
		}
		events, err := w.doom(parts[0], newBudget())
		if err != nil {
			return err
		}
		if known {
			total.Sessions++
			total.Events += events
		}
		return w.trimDeletions()
	}})
}

// barEvents bars the ids of some events of a session, behind a sequence number, and
// returns the last one, and whether there may be more.
func (w *writer) barEvents(session honeyhive.UUID, after int64) (last int64, more bool, err error) {
	const atOnce = 500
	rows, err := w.QueryContext(context.Background(), `SELECT e.seq, e.id FROM record r JOIN event e ON e.session = r.pk WHERE r.id = ? AND e.seq > ? ORDER BY e.seq LIMIT ?`, session[:], after, atOnce)
	if err != nil {
		return after, false, err
	}
	var ids []honeyhive.UUID
	last = after
	err = each(rows, func(row scanner) error {
		var id []byte
		err := row.Scan(&last, &id)
		ids = append(ids, honeyhive.UUID(id))
		return err
	})
	if err != nil {
		return last, false, err
	}
	return last, len(ids) == atOnce, w.bar(ids...)
}

// eraseWaiting deletes the updates that name a user and wait for what is not known.
func (s *Store) eraseWaiting(ctx context.Context, user string, total *store.Erased) error {
	var ids []honeyhive.UUID
	for u, err := range s.Waiting(ctx) {
		if err != nil {
			return err
		}
		id, err := honeyhive.ParseUUID(u.EventID.Or(""))
		if err == nil && record.User(u.UserProperties) == user {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		err := s.submit(ctx, &request{run: func(w *writer) error {
			e, _, err := w.find(id, 0)
			if err != nil || !e.stored || e.kind != record.Unknown {
				return err
			}
			total.Updates++
			w.cut.Store(true) // the log has what it says
			return errors.Join(w.deleteRecord(e.pk, newBudget()), w.bar(id))
		}})
		if err != nil {
			return err
		}
	}
	return nil
}
