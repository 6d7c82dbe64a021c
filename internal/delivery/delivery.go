// Package delivery carries records to one destination: a queue bounded in
// bytes, batches, several requests in flight, retries, and an exact account. It
// knows bytes and routes, not spans.
//
// One worker goroutine owns everything that is ordered: it encodes what was put,
// holds what must wait, and hands batches to senders, one goroutine for each
// request in flight. It starts with the first record and ends with Close.
//
// # Order
//
// Records of a group (a session) are sent after the record that opens it was
// acknowledged: until then they are held. A group that stays open is announced
// by a record that the destination makes of what is known by then. A change of a
// record is sent after the record it changes was acknowledged, and changes of
// one record one after the other. Nothing else is ordered.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionspan/sessionspan/internal/discards"
	"github.com/sessionspan/sessionspan/internal/report"
	"github.com/sessionspan/sessionspan/internal/untraced"
)

// Kind says how a record stands to others.
type Kind uint8

// The kinds of records. Their values are written to spools.
const (
	Single Kind = iota // belongs to no group
	Opener             // opens its group
	Member             // waits for the opener of its group
	Update             // changes the record with the same id
)

var kindNames = [...]string{"span", "session", "event", "update"}

// String names the kind as users know it.
func (k Kind) String() string { return kindNames[k] }

// Record is one thing to deliver. A Destination fills in the exported fields
// when it encodes the record.
type Record struct {
	Value     any      // what was put; of an opener what Amend and Store need, about as long as the Body
	Kind      Kind     //
	Group     [16]byte // what the record is held with: a session id, or the event id of a turn; zero for none
	ID        [16]byte // event id; zero for none
	Elsewhere bool     // the opener of the group is not ours to send: do not wait for it
	Body      []byte   // encoded record; what it takes counts against the byte limit
	Follow    *Record  // a record to send besides, made by Encode or Amend

	session [16]byte // that the value belongs to, of one that was put
	size    int64
	created time.Time
	epoch   uint64
	tries   int      // sends that did not settle the record
	since   int64    // of the first of them, Unix nanoseconds; zero for none
	older   *Record  // neighbours in the account's line
	newer   *Record  //
	place   int      // in the account's heap, for a record that is not in its line
	lined   bool     //
	kept    kept     // where the spool has it
	covers  kept     // what else the spool may forget when the record is done
	pooled  bool     // the body is one of the worker's buffers, and nobody else has it
	buffers *buffers // while the record is encoded
	refusal error    // why the destination did not take it
}

// Latest is the Value of an update of which, among those of one ID, the last says all. A
// process that has ended leaves none behind: which one is the last is not known then.
type Latest struct {
	After [16]byte // another record that the update waits for, by its ID; zero for none
	// Absorb takes from an earlier one of the ID, which waits and need not be sent then,
	// what the update lacks.
	Absorb func(earlier *Record)

	absorbed int64 // how many it has, which are delivered when it is
}

// Tries returns how often the record was sent without being settled.
func (r *Record) Tries() int { return r.tries }

// Outcome says what became of a batch.
type Outcome uint8

// The outcomes of sending a batch.
const (
	Delivered Outcome = iota // the destination has it, but for Result.Again
	Retry                    // the destination cannot be reached or is busy: again later
	Suspect                  // it failed, perhaps because of this batch: again later, others may go on
	Blocked                  // it refuses whatever we send (key, address): again later, and say so
	NotYet                   // what the record changes is not there yet: again later, others may go on
	Bad                      // it refuses a record of the batch
	Large                    // the batch is too large
)

// Result is what a send returns.
type Result struct {
	Outcome    Outcome
	Err        error         // why it was not delivered
	RetryAfter time.Duration // the earliest time to try again, if the destination said
	Again      []*Record     // after a partial success: what was not taken, to be sent alone
	Refused    int           // after a partial success: how many were not taken for good
	Released   bool          // nobody reads the bodies of the batch any more
}

// Destination is where records go. Its methods are called one at a time by the
// worker, except Send.
type Destination interface {
	// Encode fills in the record from its Value. An error drops the record; where its
	// Kind is Opener by then, the Group no longer waits for one. It may
	// append to the Body that it finds, which is empty and has room; what it leaves
	// there is copied where it is short. Where it knows the length it better appends
	// to what Record.Room returns.
	Encode(r *Record) error
	// Send delivers a batch of records of one kind; openers and updates come
	// alone. It honours ctx. Up to Config.InFlight calls run at once.
	Send(ctx context.Context, batch []*Record) Result
	// Announce makes the opener of a group that has not ended. live is what was
	// given to Open, nil for a group that is known by its held records alone.
	// Announce returns the record and what Amend needs, or nil where nothing is known.
	Announce(group [16]byte, live any, held []*Record) (r *Record, announced any)
	// Amend turns the opener of a group that was announced into an update. It reports
	// false where what was announced is of another run of the session: then the opener
	// is sent as it is.
	Amend(r *Record, announced any) bool
	// Abandon makes the record of a group that will not end, because the
	// program does. announced is nil where it was not announced.
	Abandon(group [16]byte, live, announced any) *Record
}

// Config sets the limits of an engine. New fills in zero fields.
type Config struct {
	Name          string        // of the destination, for errors and the account
	MaxBytes      int64         // that records may take in memory; 64 MiB
	MaxWait       time.Duration // of a Put while the queue is full; 100 ms, negative for none
	MaxBatch      int           // records in a batch; 512
	MaxBatchBytes int64         // in a batch; 1 MiB
	Linger        time.Duration // that a batch waits for more records; 200 ms
	InFlight      int           // batches on their way at once; 8
	Timeout       time.Duration // of one send; 30 s
	AnnounceAfter time.Duration // that an open group with held records waits; 30 s
	Live          bool          // announce each group when it opens
	UpdateFor     time.Duration // that a change waits for what it changes; 10 min
	Handle        func(error)   // for errors of the background; nil drops them
}

func (c Config) withDefaults() Config {
	set(&c.MaxBytes, 64<<20)
	set(&c.MaxWait, 100*time.Millisecond)
	set(&c.MaxBatch, 512)
	set(&c.MaxBatchBytes, 1<<20)
	set(&c.Linger, 200*time.Millisecond)
	set(&c.InFlight, 8)
	set(&c.Timeout, 30*time.Second)
	set(&c.AnnounceAfter, 30*time.Second)
	set(&c.UpdateFor, 10*time.Minute)
	return c
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Engine delivers to one destination. Its methods are safe for concurrent use.
type Engine struct {
	discards discards.Set
	cfg      Config
	dest     Destination
	budget   budget
	account  account
	health   health
	reports  report.Reporter
	spool    *spooling // nil without a spool

	mu      sync.Mutex
	inbox   []any // *Record, *Draft, *open, gone, *decided, *flush or closing, in order
	started bool
	closed  bool

	pressing atomic.Int32  // flushes and ends in the inbox
	pressed  chan struct{} // there is a new one

	signal   chan struct{}   // the inbox is not empty
	abort    chan struct{}   // closed when Close gives up
	giveUp   func()          // closes abort, once
	deadline time.Time       // when the worker waits for nobody any more; set before abort is closed
	stopped  chan struct{}   // closed when the worker has ended
	left     int             // records that were left in memory at the end; read after stopped
	stuck    int             // sends that did not return; likewise
	hung     bool            // the disk did not answer; likewise
	silent   []string        // whose code did not return; likewise
	ctx      context.Context // of the senders
	cancel   context.CancelFunc

	lostSaid int64 // drops that a Flush has told of; under mu
}

// New returns an engine for a destination. New starts no goroutine.
func New(cfg Config, dest Destination) *Engine {
	cfg = cfg.withDefaults()
	e := &Engine{
		cfg: cfg, dest: dest,
		budget:  budget{limit: cfg.MaxBytes},
		reports: report.Reporter{Handle: cfg.Handle},
		signal:  make(chan struct{}, 1),
		pressed: make(chan struct{}, 1),
		abort:   make(chan struct{}),
		stopped: make(chan struct{}),
	}
	e.giveUp = sync.OnceFunc(func() {
		e.deadline = time.Now().Add(grace)
		if e.spool != nil {
			e.deadline = time.Now().Add(spoolGrace)
		}
		close(e.abort)
	})
	e.ctx, e.cancel = context.WithCancel(untraced.Context(context.Background()))
	return e
}

// open says that a group has begun.
type open struct {
	group [16]byte
	live  any
	kept  kept  // the record that ends the group if the process is killed
	ended bool  // what ends the group comes at once
	draft *open // the beginning that was written while the group was undecided, or nil
}

// flush waits for all that came before it.
type flush struct {
	announce  bool // open groups too
	epoch     uint64
	done      chan struct{}
	failed    bool // the engine ended before the records were delivered; read after done
	abandoned bool // nobody waits any more; under Engine.mu
}

// closing asks the worker to deliver the rest and end.
type closing struct{}

// Put hands over a value of about size bytes. While the queue is full it waits
// at most Config.MaxWait, then drops the value. Put reports whether the value
// was accepted. A value larger than the queue counts as half of it, since the
// others must not suffer; once it is encoded it counts as what it is.
func (e *Engine) Put(value any, size int64) bool { return e.PutSince(time.Now(), value, size) }

// PutSince is Put for a caller who has waited since start already.
func (e *Engine) PutSince(start time.Time, value any, size int64) bool {
	size = e.counted(size)
	wait := e.cfg.MaxWait - time.Since(start)
	if !e.budget.acquire(size, wait) {
		if e.cfg.MaxWait > 0 && wait <= 0 {
			e.budget.stall()
		}
		e.lose(QueueFull)
		return false
	}
	return e.accept(time.Now(), value, size)
}

// Try is Put without waiting, at the time now: where there is no room it reports
// false and does nothing.
func (e *Engine) Try(now time.Time, value any, size int64) bool {
	size = e.counted(size)
	if !e.budget.acquire(size, 0) {
		return false
	}
	e.accept(now, value, size)
	return true
}

func (e *Engine) counted(size int64) int64 {
	if size > e.cfg.MaxBytes {
		return e.cfg.MaxBytes / 2
	}
	return size
}

// accept puts a value for which there is room into the queue.
func (e *Engine) accept(now time.Time, value any, size int64) bool {
	r := &Record{Value: value, size: size, created: now}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.budget.settle(0, size)
		e.lose(Closed)
		return false
	}
	e.account.add(r)
	e.post(r)
	e.mu.Unlock()
	return true
}

// lose counts and reports a record that was not accepted.
func (e *Engine) lose(why Reason) {
	e.account.lost(why)
	e.reports.Report("drop "+string(why), fmt.Errorf("%s: a record was dropped: %s", e.cfg.Name, why))
}

// Open says that a group has begun: what belongs to it is held until its opener
// was delivered. live is given back to the destination to announce the group.
func (e *Engine) Open(group [16]byte, live any) {
	e.mu.Lock()
	if !e.closed {
		e.post(&open{group: group, live: live})
	}
	e.mu.Unlock()
}

// goLive turns Config.Live on.
type goLive struct{}

// GoLive has groups announced when they open, from now on, and those that are open.
func (e *Engine) GoLive() {
	e.mu.Lock()
	if !e.closed {
		e.post(goLive{})
	}
	e.mu.Unlock()
}

// gone says that the opener of a group will not come.
type gone struct {
	group  [16]byte
	broken bool // it could not be encoded
}

// Gone says that the opener of a group will not come, since it was dropped.
func (e *Engine) Gone(group [16]byte) {
	e.mu.Lock()
	if !e.closed {
		e.post(gone{group: group})
	}
	e.mu.Unlock()
}

// post adds to the inbox and starts the worker. The lock is held.
func (e *Engine) post(message any) {
	e.inbox = append(e.inbox, message)
	e.start()
	e.wake()
}

// press is post for what must not wait for what is ready to be sent. The lock is
// held.
func (e *Engine) press(message any) {
	e.pressing.Add(1)
	e.post(message)
	select {
	case e.pressed <- struct{}{}:
	default:
	}
}

// start starts the worker if it does not run. The lock is held.
func (e *Engine) start() {
	if !e.started {
		e.started = true
		go newWorker(e).run()
	}
}

func (e *Engine) wake() {
	select {
	case e.signal <- struct{}{}:
	default:
	}
}

// closeMost bounds how long Close goes on when its context has ended. The worker
// needs less unless its disk is stuck.
const closeMost = spoolGrace + diskGrace + time.Second

// Close takes no more records, delivers what it has until ctx ends, and stops
// the worker. What is left then stays in the spool, or is dropped where there is
// none; the error counts both, and says what went wrong last. Later calls wait for
// the first one to end.
//
// It ends half a second after ctx at the latest, or with a spool four seconds, also
// while code of the destination or the disk does not: that goes on in a goroutine
// that is left behind, which the error says.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		if e.started {
			e.press(closing{})
		} else {
			e.closeSpool()
			close(e.stopped)
		}
	}
	e.mu.Unlock()
	var why error
	select {
	case <-e.stopped:
	case <-ctx.Done():
		why = context.Cause(ctx)
		e.giveUp()
		most := time.NewTimer(closeMost)
		defer most.Stop()
		select {
		case <-e.stopped:
		case <-most.C:
			e.cancel()
			return errors.Join(e.waiting(), fmt.Errorf("%s: the worker does not end, as its disk does not answer", e.cfg.Name), why)
		}
	}
	e.cancel()
	var errs []error
	if e.left > 0 {
		errs = append(errs, fmt.Errorf("%s: %d records were left in memory at the end", e.cfg.Name, e.left))
	}
	if n := e.account.stats().WaitingOnDisk; n > 0 {
		errs = append(errs, fmt.Errorf("%s: %d records wait in the spool at %s for the next process", e.cfg.Name, n, e.spool.dir))
	}
	if len(errs) > 0 {
		errs[0] = e.health.because(errs[0])
		if why != nil {
			errs = append(errs, why)
		}
	}
	for _, what := range e.silent {
		errs = append(errs, fmt.Errorf("%s: %s did not return and still runs", e.cfg.Name, what))
	}
	if e.stuck > 0 {
		errs = append(errs, fmt.Errorf("%s: %d sends did not return and still run", e.cfg.Name, e.stuck))
	}
	if e.hung {
		errs = append(errs, fmt.Errorf("%s: the disk of the spool at %s does not answer", e.cfg.Name, e.spool.dir))
	}
	return errors.Join(append(errs, e.lostSince())...)
}

// Stats returns the account.
func (e *Engine) Stats() Stats {
	s := e.account.stats()
	s.Destination = e.cfg.Name
	s.WaitingBytes = e.budget.inUse()
	if e.spool != nil {
		s.SpoolBytes = e.spool.log.Bytes() + e.spool.others.Load()
	}
	return s
}

// Report passes an error to Config.Handle, at most once a minute for each kind.
func (e *Engine) Report(kind string, err error) { e.reports.Report(kind, err) }
