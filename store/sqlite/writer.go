package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// Bounds of what one transaction does, since all others wait for it: writes, and
// bytes of what is written and of what is there already and must be merged with
// it. Parts of a batch and groups of requests are as large; a single write may be
// larger, as far as stepBytes goes into partBytes and largeBytes.
const (
	stepWrites = 100
	stepBytes  = 1 << 20
)

// While writes wait for the writer all the time, the index may stand still for so
// long, and what was deleted.
const (
	indexPause = time.Second
	sweepPause = 40 * time.Millisecond
)

// writer owns the one connection that writes. Its goroutine takes requests as
// they come, puts those that wait at the same time into one transaction, and
// indexes words while nothing waits.
type writer struct {
	db       *sql.DB
	conn     *sql.Conn
	prepared map[string]*sql.Stmt

	requests chan *request
	done     chan struct{} // closed when the goroutine has ended

	pk, seq int64        // the last ones that were given out
	body    atomic.Int64 // the same

	mu      sync.Mutex
	seen    int64          // the sequence number that readers can see
	changed chan struct{}  // closed at the next change
	staged  map[int64]bool // bodies that are being written

	backlog    atomic.Bool   // there may be something to index
	garbage    atomic.Bool   // there may be something to sweep
	silent     atomic.Bool   // there may be traces to forget
	addedStale bool          // some were noted by a transaction
	stale      func()        // called when sessions are to be computed anew; nil in tests of the writer alone
	prices     *prices.Table // nil derives nothing
	narrow     bool          // the table of sessions has no more than narrowColumns yet
	unmerged   atomic.Bool   // the index may have something to merge
	mergePages int           // of the next step of a merge
	erased     bool          // there are ids that are not taken again
	log        walFile
	logged     int64       // bytes that were added to the log since it was begun anew
	logLimit   int64       // how many are to be copied
	copying    bool        // it is being copied
	cut        atomic.Bool // it is to be cut
	cutSeen    bool        // which those that cut it know
	written    int64       // bytes that were ever added to it
	dirty      int64       // those that the disk may not have yet
	lazy       bool        // transactions do not wait for the disk
	committed  func()      // called after each transaction; nil in tests of the writer alone
}

// request is something to do in a transaction: writes, which share it with
// others, or a function, which has it alone, or does without one.
type request struct {
	writes []record.Incoming
	ready  map[honeyhive.UUID]*ready // what large records come to with the writes
	bytes  int
	run    func(*writer) error
	bare   bool // run is in no transaction
	result chan error
}

func openWriter(ctx context.Context, path string, o options) (*writer, error) {
	db, err := sql.Open("sqlite", dsn(path, "cache_size(-65536)", "wal_autocheckpoint(0)", "secure_delete(1)"))
	if err != nil {
		return nil, err
	}
	w := &writer{
		db: db, prepared: make(map[string]*sql.Stmt), staged: make(map[int64]bool), log: walFile(path + "-wal"), logLimit: logBytes, mergePages: mostMerge / 2,
		requests: make(chan *request), done: make(chan struct{}), changed: make(chan struct{}),
	}
	if size, err := w.log.size(); err != nil || size > 0 { // a process was killed, maybe before it cut it
		w.cut.Store(true)
	}
	if err := w.prepare(ctx, o); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *writer) prepare(ctx context.Context, o options) error {
	var err error
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return err
	}
	if err := w.migrate(ctx); err != nil {
		return err
	}
	if err := w.findPrices(ctx, o); err != nil {
		return err
	}
	err = w.number(ctx)
	w.seen = w.seq
	w.backlog.Store(true)
	w.garbage.Store(true)
	w.silent.Store(true)
	w.unmerged.Store(true)
	return errors.Join(err, w.findErased())
}

// number finds out which numbers were given out last. Those of deleted sessions
// whose events are still there are in use too.
func (w *writer) number(ctx context.Context) error {
	var body int64
	err := w.conn.QueryRowContext(ctx, `SELECT
		max((SELECT ifnull(max(pk), 0) FROM record), (SELECT ifnull(max(session), 0) FROM doomed)),
		(SELECT ifnull(max(key), 0) FROM body) >> ?, `+lastSeq, partBits).Scan(&w.pk, &body, &w.seq)
	w.body.Store(body)
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
		indexed, swept := time.Now(), time.Now()
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
			switch {
			case waiting != nil: // a request that cannot wait any longer goes first
			case w.full():
			case w.untidy() && (quiet || time.Since(swept) > sweepPause):
				w.tidy()
				swept = time.Now()
			case w.backlog.Load() && (quiet || time.Since(indexed) > indexPause):
				waiting = w.index()
				indexed = time.Now()
			}
		}
	}()
}

// next returns the next request. While there is something to sweep or to index it
// does not wait for one, unless that must wait itself.
func (w *writer) next(closing <-chan struct{}) *request {
	if (w.backlog.Load() || w.untidy()) && !w.full() {
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

// untidy reports whether there is something to sweep or to merge.
func (w *writer) untidy() bool { return w.garbage.Load() || w.unmerged.Load() }

// serve does a request, and those that wait behind it as far as they can share
// its transaction. It returns the one that cannot.
func (w *writer) serve(first *request) (next *request) {
	if first.run != nil {
		if first.bare {
			first.result <- explain(first.run(w))
		} else {
			first.result <- w.transaction(first.run)
		}
		return nil
	}
	group := []*request{first}
	writes, bytes := len(first.writes), first.bytes
	for next == nil && writes < stepWrites && bytes < stepBytes {
		select {
		case r := <-w.requests:
			if r.run != nil || writes+len(r.writes) > stepWrites || bytes+r.bytes > stepBytes {
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
	w.write(group)
	return next
}

// write does the writes of a group. Where one of several makes it fail, the others
// are not to suffer from it.
func (w *writer) write(group []*request) {
	for len(group) > 0 {
		var refused map[*request]error
		n := 0
		err := w.transaction(func(w *writer) error {
			var err error
			n, refused, err = w.apply(group)
			return err
		})
		if err != nil && len(group) > 1 {
			for _, r := range group {
				w.write([]*request{r})
			}
			return
		}
		if err != nil {
			group[0].result <- err
			return
		}
		for _, r := range group[:n] {
			r.result <- refused[r]
		}
		group = group[n:]
	}
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
	w.countLog()
	if w.committed != nil {
		w.committed()
	}
	if w.addedStale && w.stale != nil {
		w.addedStale = false
		w.stale()
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

// unsynced runs f in a transaction that does not wait for the disk: it does what the
// database says is left to do, so that after a loss of power it is done again. It must
// give out no sequence number, since others would see one that is given out again.
// Where much waits for the disk already, f waits for it after all, so that no other
// transaction has to.
func (w *writer) unsynced(f func(*writer) error) error {
	if w.dirty >= syncBytes {
		return w.transaction(f)
	}
	if err := w.drain(`PRAGMA synchronous = NORMAL`); err != nil {
		return err
	}
	w.lazy = true
	err := w.transaction(f)
	w.lazy = false
	return errors.Join(err, w.drain(`PRAGMA synchronous = FULL`))
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

// QueryContext makes the writer a querier, whose statements are prepared once.
func (w *writer) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := w.stmt(query) //nolint:sqlclosecheck // close does
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
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

// scan runs a query that gives one row.
func (w *writer) scan(query string, args []any, into ...any) error {
	s, err := w.stmt(query) //nolint:sqlclosecheck // close does
	if err != nil {
		return err
	}
	return s.QueryRowContext(context.Background(), args...).Scan(into...)
}
