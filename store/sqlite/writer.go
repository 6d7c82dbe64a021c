package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// Bounds of the writes that share a transaction, beyond the first one.
const (
	groupWrites = 4096
	groupBytes  = 8 << 20
)

// indexPause is how long the index may stand still while writes wait for the
// writer all the time.
const indexPause = time.Second

// writer owns the one connection that writes. Its goroutine takes requests as
// they come, puts those that wait at the same time into one transaction, and
// indexes words while nothing waits.
type writer struct {
	db       *sql.DB
	conn     *sql.Conn
	prepared map[string]*sql.Stmt

	requests chan *request
	done     chan struct{} // closed when the goroutine has ended

	pk, seq int64 // the last ones that were given out

	mu      sync.Mutex
	seen    int64         // the sequence number that readers can see
	changed chan struct{} // closed at the next change

	backlog atomic.Bool // there may be something to index
}

// request is something to do in a transaction: writes, which share it with
// others, or a function, which has it alone.
type request struct {
	writes []record.Incoming
	bytes  int
	run    func(*writer) error
	result chan error
}

func openWriter(ctx context.Context, path string) (*writer, error) {
	db, err := sql.Open("sqlite", dsn(path, "cache_size(-65536)", "wal_autocheckpoint(4000)"))
	if err != nil {
		return nil, err
	}
	w := &writer{
		db: db, prepared: make(map[string]*sql.Stmt),
		requests: make(chan *request), done: make(chan struct{}), changed: make(chan struct{}),
	}
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *writer) prepare(ctx context.Context) error {
	var err error
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, w.conn); err != nil {
		return err
	}
	err = w.conn.QueryRowContext(ctx, `SELECT
		(SELECT ifnull(max(pk), 0) FROM record),
		max((SELECT ifnull(max(seq), 0) FROM session), (SELECT ifnull(max(seq), 0) FROM deleted))`).Scan(&w.pk, &w.seq)
	w.seen = w.seq
	w.backlog.Store(true)
	return err
}

func (w *writer) close() error {
	var errs []error
	for _, s := range w.prepared {
		errs = append(errs, s.Close())
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(append(errs, w.db.Close())...)
}

// start runs the writer until closing is closed. It then ends after what was
// handed over.
func (w *writer) start(closing <-chan struct{}) {
	go func() {
		defer close(w.done)
		indexed := time.Now()
		var waiting *request
		for {
			if waiting == nil {
				waiting = w.next(closing)
			}
			select {
			case <-closing:
				for waiting != nil {
					waiting = w.serve(waiting)
				}
				return
			default:
			}
			quiet := waiting == nil
			if !quiet {
				waiting = w.serve(waiting)
			}
			// A request that cannot wait any longer goes first.
			if w.backlog.Load() && waiting == nil && (quiet || time.Since(indexed) > indexPause) {
				waiting = w.index()
				indexed = time.Now()
			}
		}
	}()
}

// next returns the next request. While there is something to index it does not
// wait for one.
func (w *writer) next(closing <-chan struct{}) *request {
	if w.backlog.Load() {
		select {
		case r := <-w.requests:
			return r
		default:
			return nil
		}
	}
	select {
	case r := <-w.requests:
		return r
	case <-closing:
		return nil
	}
}

// serve does a request, and those that wait behind it as far as they can share
// its transaction. It returns the one that cannot.
func (w *writer) serve(first *request) (next *request) {
	if first.run != nil {
		first.result <- w.transaction(first.run)
		return nil
	}
	group := []*request{first}
	writes, bytes := len(first.writes), first.bytes
	for next == nil && writes < groupWrites && bytes < groupBytes {
		select {
		case r := <-w.requests:
			if r.run != nil {
				next = r
				continue
			}
			group = append(group, r)
			writes, bytes = writes+len(r.writes), bytes+r.bytes
			continue
		default:
		}
		break
	}
	var refused map[*request]error
	err := w.transaction(func(w *writer) error {
		var err error
		refused, err = w.apply(group)
		return err
	})
	for _, r := range group {
		if err == nil {
			r.result <- refused[r]
		} else {
			r.result <- err
		}
	}
	return next
}

// transaction runs f in a transaction, and tells readers of what changed.
func (w *writer) transaction(f func(*writer) error) error {
	pk, seq := w.pk, w.seq
	err := w.exec(`BEGIN IMMEDIATE`)
	if err == nil {
		if err = f(w); err == nil {
			err = w.exec(`COMMIT`)
		}
		if err != nil {
			// SQLite may have rolled back by itself, which this then complains of.
			_ = w.exec(`ROLLBACK`)
		}
	}
	if err != nil {
		w.pk, w.seq = pk, seq
		return explain(err)
	}
	if w.seq != seq {
		w.backlog.Store(true)
		w.mu.Lock()
		w.seen = w.seq
		close(w.changed)
		w.changed = make(chan struct{})
		w.mu.Unlock()
	}
	return nil
}

// stmt returns a statement, prepared once.
func (w *writer) stmt(query string) (*sql.Stmt, error) {
	if s := w.prepared[query]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	w.prepared[query] = s
	return s, nil
}

// exec runs a statement. What was accepted is carried out whether or not the
// caller still waits, so there is no context.
func (w *writer) exec(query string, args ...any) error {
	s, err := w.stmt(query) //nolint:sqlclosecheck // close does
	if err == nil {
		_, err = s.ExecContext(context.Background(), args...)
	}
	return err
}

// drain runs a statement until it is through, whatever rows it gives.
func (w *writer) drain(query string) error {
	rows, err := w.conn.QueryContext(context.Background(), query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		continue // there is nothing in them
	}
	return rows.Err()
}

// scan runs a query that gives one row.
func (w *writer) scan(query string, args []any, into ...any) error {
	s, err := w.stmt(query) //nolint:sqlclosecheck // close does
	if err != nil {
		return err
	}
	return s.QueryRowContext(context.Background(), args...).Scan(into...)
}

// submit hands a request over and waits for its result.
func (s *Store) submit(ctx context.Context, r *request) error {
	r.result = make(chan error, 1)
	if err := s.usable(ctx); err != nil {
		return err
	}
	select {
	case s.w.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return store.ErrClosed
	}
	select {
	case err := <-r.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// usable says why nothing can be asked any more.
func (s *Store) usable(ctx context.Context) error {
	select {
	case <-s.closed:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}

// Write implements [store.Store].
func (s *Store) Write(ctx context.Context, batch []store.Write) error {
	r := &request{writes: make([]record.Incoming, len(batch))}
	var refused []store.WriteError
	now := s.now()
	for i := range batch {
		in, err := record.Read(&batch[i], now)
		if err != nil {
			refused = append(refused, store.WriteError{Index: i, Err: err})
		}
		r.writes[i] = in
		r.bytes += len(in.Layer.Text)
	}
	if len(refused) > 0 {
		return fmt.Errorf("write: %w", &store.BatchError{Writes: refused})
	}
	if len(batch) == 0 {
		return s.usable(ctx)
	}
	if err := s.submit(ctx, r); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.closed)
		<-s.w.done
		s.err = errors.Join(s.read.Close(), s.w.close(), s.lock.release())
		if s.err != nil {
			s.err = fmt.Errorf("close store: %w", s.err)
		}
	})
	return s.err
}
