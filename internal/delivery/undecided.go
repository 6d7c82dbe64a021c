package delivery

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"sync"
	"time"
)

// This file takes over records of which somebody else decides later whether they are to
// be delivered, such as those of a session that has not ended. Until then they stay with
// whoever decides: the engine counts them, and writes them to the spool if there is one,
// so that a process that is killed leaves what it had not decided to the next one.

// A Draft is an undecided record, or the beginning of an undecided group, as the spool
// has it. Engines without a spool make none.
type Draft struct {
	Record
	begin *open // of a group; nil for a record

	mu    sync.Mutex
	value any  // nil when the record was encoded, or decided
	void  bool // decided
}

// take returns the value of a draft that is not decided yet, once.
func (d *Draft) take() any {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.value
	d.value = nil
	return v
}

// decide makes the draft void. Where the worker comes to it later, it is not written: so
// what was written was so before the decision came into the inbox.
func (d *Draft) decide() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.value, d.void = nil, true
}

func (d *Draft) isVoid() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.void
}

// decided are drafts of a group that the spool may forget.
type decided struct {
	group  [16]byte
	drafts []*Draft
	kept   kept // the entry that says so
}

// Undecided is a record that was held, with its draft if it has one.
type Undecided struct {
	Value any
	Size  int64
	Draft *Draft
}

// Batch is what was held of a group: its beginnings, and records in the order in which
// they are to be delivered.
type Batch struct {
	Group   [16]byte
	Begun   []any    // what Open is given, for each root of the group
	Drafts  []*Draft // of the beginnings
	Records []Undecided
	Ended   bool // what ends the roots is among the records
}

// Hold counts a record that waits to be decided. With draft set it is written to the
// spool, if there is one; the result is then given back with the record.
func (e *Engine) Hold(value any, draft bool) *Draft {
	e.account.hold()
	if e.spool == nil || !draft {
		return nil
	}
	d := &Draft{value: value}
	d.created = time.Now()
	return e.draft(d)
}

// HoldOpen notes in the spool, if there is one, that an undecided group has begun.
func (e *Engine) HoldOpen(group [16]byte, live any) *Draft {
	if e.spool == nil {
		return nil
	}
	return e.draft(&Draft{begin: &open{group: group, live: live}})
}

func (e *Engine) draft(d *Draft) *Draft {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.post(d)
	}
	return d
}

// LeaveOut counts records that were held, and others that never were, as sampled out.
func (e *Engine) LeaveOut(b Batch, others int64) {
	e.account.unhold(int64(len(b.Records)), SampledOut)
	e.account.lostSome(others, SampledOut)
	e.forgetDrafts(b)
}

// forgetDrafts lets the spool forget what it has of a batch that is decided.
func (e *Engine) forgetDrafts(b Batch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.postDecided(b)
}

// postDecided is forgetDrafts with the lock held.
func (e *Engine) postDecided(b Batch) {
	var drafts []*Draft
	add := func(d *Draft) {
		if d != nil {
			d.decide()
			drafts = append(drafts, d)
		}
	}
	for _, d := range b.Drafts {
		add(d)
	}
	for i := range b.Records {
		add(b.Records[i].Draft)
	}
	if len(drafts) > 0 && !e.closed {
		e.post(&decided{group: b.Group, drafts: drafts})
	}
}

// TryRelease takes over a batch that is to be delivered where there is room for all of
// it; else it reports false and does nothing.
func (e *Engine) TryRelease(b Batch) bool {
	size := e.sizeOf(b)
	if size > e.cfg.MaxBytes || size > 0 && !e.budget.acquire(size, 0) {
		return false
	}
	e.release(b, size)
	return true
}

// Release takes over a batch that is to be delivered, whole or not at all, for a caller
// who has waited for room since a time, and goes on as long as PutSince does; with the
// zero time it waits until ctx ends. A batch that is larger than the queue is taken over
// in pieces that are not, for as long as there is room.
func (e *Engine) Release(ctx context.Context, since time.Time, b Batch) {
	for len(b.Records) > 0 || len(b.Begun) > 0 {
		piece, rest := b, Batch{Group: b.Group}
		for n := 1; n <= len(b.Records); n++ {
			piece.Records = b.Records[:n]
			if e.sizeOf(piece) > e.cfg.MaxBytes {
				n = max(1, n-1)
				piece.Records, rest.Records = b.Records[:n], b.Records[n:]
				break
			}
		}
		size := e.sizeOf(piece)
		if !e.room(ctx, since, size) {
			piece.Records, rest.Records = b.Records, nil
			e.drop(piece, QueueFull)
		} else {
			e.release(piece, size)
		}
		b = rest
	}
}

// sizeOf returns what the records of a batch count, each as Put counts it.
func (e *Engine) sizeOf(b Batch) (n int64) {
	for i := range b.Records {
		n += e.counted(b.Records[i].Size)
	}
	return n
}

// roomEvery is how often somebody who waits for a context looks for room.
const roomEvery = 10 * time.Millisecond

// room takes bytes of the budget, and reports whether it got them.
func (e *Engine) room(ctx context.Context, since time.Time, n int64) bool {
	if n == 0 {
		return true
	}
	if !since.IsZero() {
		wait := e.cfg.MaxWait - time.Since(since)
		got := e.budget.acquire(n, wait)
		if !got && e.cfg.MaxWait > 0 && wait <= 0 {
			e.budget.stall()
		}
		return got
	}
	for !e.budget.acquire(n, 0) {
		if !e.makeRoom(ctx) {
			return false
		}
	}
	return true
}

// makeRoom announces the groups that are open, whose records would stay, and waits until
// some records were delivered. It reports false where ctx has ended.
func (e *Engine) makeRoom(ctx context.Context) bool {
	f := &flush{announce: true, done: make(chan struct{})}
	e.mu.Lock()
	if e.started && !e.closed {
		e.press(f)
	}
	e.mu.Unlock()
	for before := e.budget.inUse(); ; {
		select {
		case <-f.done:
			return true
		case <-ctx.Done():
			e.mu.Lock()
			f.abandoned = true
			e.mu.Unlock()
			return false
		case <-time.After(roomEvery):
		}
		if e.budget.inUse() < before {
			return true
		}
	}
}

// release puts a batch for which there is room into the queue.
func (e *Engine) release(b Batch, size int64) {
	now := time.Now()
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.budget.settle(0, size)
		e.drop(b, Closed)
		return
	}
	defer e.mu.Unlock()
	for i, live := range b.Begun {
		o := &open{group: b.Group, live: live, ended: b.Ended}
		if i < len(b.Drafts) && b.Drafts[i] != nil {
			b.Drafts[i].decide() // where it is not written yet, the open is
			o.draft = b.Drafts[i].begin
		}
		e.post(o)
	}
	for i := range b.Records {
		u := &b.Records[i]
		r := &Record{Value: u.Value, size: e.counted(u.Size), created: now}
		e.account.release(r)
		e.post(r)
	}
	b.Drafts = nil // the group's own from now on
	e.postDecided(b)
}

// drop counts and reports records that were held and found no room, and forgets the
// group.
func (e *Engine) drop(b Batch, why Reason) {
	n := int64(len(b.Records))
	e.account.unhold(n, why)
	e.forgetDrafts(b)
	if n > 0 {
		e.reports.Report("drop "+string(why), fmt.Errorf("%s: %d records of a session were dropped: %s", e.cfg.Name, n, why))
	}
}

// drafted lets go of the body of a draft that was written, or could not be.
func (w *worker) drafted(d *Draft) {
	w.recycle(&d.Record)
	d.Value, d.Body, d.Follow = nil, nil, nil
}

// keptAt returns where the spool has the draft.
func (d *Draft) keptAt() kept {
	if d.begin != nil {
		return d.begin.kept
	}
	return d.kept
}

// body returns the drafts that the spool has, for the entry that says that they are void.
func (m *decided) body() (body []byte) {
	for _, d := range m.drafts {
		if k := d.keptAt(); k.log != nil {
			body = binary.LittleEndian.AppendUint64(body, k.seq)
		}
	}
	return body
}

// done lets the spool forget the drafts, and that they are void, in one checkpoint. Until
// then what was decided counts by its entry, where the process is killed.
func (m *decided) done() {
	for _, d := range m.drafts {
		d.keptAt().done()
	}
	m.kept.done()
}

// decidedIn returns the drafts that an entry says are void.
func decidedIn(body []byte) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for ; len(body) >= 8; body = body[8:] {
			if !yield(binary.LittleEndian.Uint64(body)) {
				return
			}
		}
	}
}
