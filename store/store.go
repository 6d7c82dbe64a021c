// Package store keeps sessions and their events, in the form of the contract
// (package honeyhive), and answers the questions that a viewer asks of them.
// [Store] is the interface; store/sqlite implements it, and store/storetest
// tests whoever does.
//
// # What wins
//
// Records of the same id are merged: field by field, and the maps of a payload
// (config, inputs, outputs, metadata, metrics, feedback, user_properties) by
// their top-level keys. Of two values for the same field or key the later one
// wins, whichever arrived first. Later is decided by, in this order:
//
//  1. A write that only fills in, [Write.Fill], is earlier than any other.
//  2. An update is later than a record of its target, and a whole record, one
//     with an end_time or a duration, later than one without: an announcement
//     that arrives late changes nothing that the whole record says.
//  3. [Write.At].
//  4. A hash of the payload, so that equal times decide the same way everywhere.
//
// A null at the top level stands only where nobody knows a value; a null inside
// a map is a value like any other. What no later write names stays. The keys of
// a map that came in one write keep their order; those of several follow each
// other from the earliest write to the latest.
//
// So the state does not depend on the order in which writes arrive, nor on how
// often the same write (with the same time) does. The times and numbers below
// that are computed, such as the tokens of a session, do not either.
//
// # Orphans
//
// Nothing has to wait for anything. An event whose session is not known is kept
// and shown under a session of the status [StatusOrphan]. An update whose target
// is not known is kept too, and applied when it comes, unless it says
// [Write.MustExist]. An event whose parent is not known is an event like any
// other: its reader sees that the parent is missing.
//
// # Which session
//
// A [Join] makes a session part of another one, and an [Edge] says what hangs on a
// span that is no event. Both are facts like records: which session an event is of,
// and what it hangs on, follows from what arrived, whatever came first. EventRow and
// payloads name the session and the parent that follow.
//
// What is known of a session that others are joined to is what its own record says,
// and then, in the order of their starts, the records of those: the least start, the
// greatest end, the first inputs, the last outputs and error, all keys of the other
// maps. The records of one session with different starts are turns of a conversation,
// and come to the same. Where no record of a trace has inputs, outputs or a user, its
// topmost events do: the first one's inputs and user, the last one's outputs.
//
// # Counted once
//
// An agent may say how many tokens its run took, and so may each call of a model
// below it. An event counts the larger of what it says itself and of what the events
// directly below it count together; a session likewise, over its topmost events; those
// on a circle are topmost. So it is for tokens in, tokens out, cost in each currency, and
// calls of models, each by itself. Where sessions or model events are summed up, each event
// adds what it counts beyond those below it.
//
// # Cost
//
// A cost that a client says goes before any other. Where an event says none, a store with
// a table of prices derives what the event adds, from the tokens that it counts beyond
// those below it and its model: so each token is paid for once, at the price of the model
// that took it. A derived cost is computed, as sums are; no record holds it. A
// store that is opened with another table computes all anew (see What may lag). An event
// whose tokens have no price says so. Amounts in different currencies are never
// added together; one that names none is in US dollars.
//
// # What may lag
//
// A record is visible when Write returns. What is computed of a session with many
// events or parts (its row, sums, counts) may be that of a moment ago, which
// [SessionRow.Stale] says, and is right within two seconds of the last write; so may
// be what the search finds. [Store.Sync] waits for both.
//
// # Changes
//
// Each session and each event carries the number of its last change, its
// sequence number. Numbers grow with every change of anything in the store,
// never repeat, and survive restarts, so that one number is a cursor: [Store.Changes]
// tells which sessions changed after it, [EventQuery.After] which events.
//
// # Bounds
//
// What was sent is kept as it was sent. What is computed from it, such as the
// rows of lists, sums and percentiles, takes numbers within bounds alone, and
// holds others to be unknown: times and durations of up to 1e15 milliseconds on
// either side of zero, times to first token from 0 to that, tokens from 0 to 1e12,
// costs from 0 to 1e9, ratings from -1e9 to 1e9. So are sums of a session's events
// that are above 1e18 tokens, or 1e9 of cost; sums over sessions end at the largest
// number. Of the models of a session's events its row lists up to 256.
//
// One record has up to [MaxRecordBytes] bytes and [MaxRecordKeys] keys. The search
// sees its first 256 KiB of words, up to the 16,384th that is different.
package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// A Store keeps sessions. All methods are safe for concurrent use. They return
// [ErrClosed] after Close, and the error of ctx when it ends first; what a Write
// whose ctx ended was doing may still be done.
type Store interface {
	// Write takes a batch. When it returns nil the batch is durable: no kill of the
	// process and no loss of power takes it back. Where writes of the batch are at
	// fault it returns a [BatchError] that names them, and nothing is written. An
	// empty batch does nothing.
	//
	// A batch of up to 100 writes and 1 MiB, together with the records that it
	// changes, is written as a whole or not at all. A larger one is written in parts
	// of that size, one after the other, so that other writes go between: when the
	// process is killed meanwhile, when ctx ends, or when another write of the same
	// time is at odds with one of this batch, the parts before are stored. To write
	// the batch again, with the same times, does no harm.
	//
	// The payloads must not change until Write returns.
	Write(ctx context.Context, batch []Write) error

	// Sessions returns a page of the sessions that match the query.
	Sessions(ctx context.Context, q SessionQuery) (SessionPage, error)
	// Aggregate counts and sums the sessions that match the filter: in total,
	// over time, by what a [Grouping] says.
	Aggregate(ctx context.Context, f Filter, g Grouping) ([]Series, error)
	// Hits returns of each of some sessions the first record that a query finds, if one of
	// its parts is about records (see EventQuery.Query): of the session's own record and
	// 1,000 of its events. Of a large record the text is looked for in the first MiB.
	Hits(ctx context.Context, q HitQuery) (map[honeyhive.UUID]Hit, error)
	// AggregateAll is Aggregate for several groupings, those of events in one walk.
	AggregateAll(ctx context.Context, f Filter, g []Grouping) ([][]Series, error)
	// Values returns the values of a field of records, those that most records have
	// first.
	Values(ctx context.Context, q ValueQuery) ([]Value, error)
	// Complete returns values of a field that begin with a text, in their order: of the
	// fields of sessions that are texts and of fields of records. With a map, such as
	// metadata., it returns keys. It is meant for completion: at most limit (100 where it
	// is 0) are returned, and what was deleted may be among them for a while.
	Complete(ctx context.Context, field, prefix string, limit int) ([]string, error)
	// Session returns one session. It returns [ErrNotFound] where there is
	// neither a session nor an event of one.
	Session(ctx context.Context, id honeyhive.UUID) (Session, error)
	// Events walks the events of a session by their sequence numbers, without
	// their bodies. A session that is not known has none. The walk holds nothing
	// in the database: an event that changes meanwhile may come again, as it has
	// become. It ends with the first error.
	Events(ctx context.Context, session honeyhive.UUID, q EventQuery) iter.Seq2[EventRow, error]
	// EventBodies is Events with the bodies.
	EventBodies(ctx context.Context, session honeyhive.UUID, q EventQuery) iter.Seq2[Event, error]
	// Event returns one event, or [ErrNotFound].
	Event(ctx context.Context, id honeyhive.UUID) (Event, error)
	// Waiting walks the updates whose target is not known, by their ids. A
	// target that got several is one update with what they come to.
	Waiting(ctx context.Context) iter.Seq2[honeyhive.Update, error]

	// Runs returns a page of the runs of evaluations: of the values of metadata.run_id
	// that a session has which is listed. What it takes grows with the number of runs,
	// not with that of their attempts.
	Runs(ctx context.Context, q RunQuery) (RunPage, error)
	// Attempts walks the sessions of a run, in the order of their starts. A run that is
	// not known has none, and a session comes once. The walk holds nothing in the
	// database. It ends with the first error.
	Attempts(ctx context.Context, run string) iter.Seq2[Attempt, error]

	// Speaks reports whether a trace, named by its session, has events: whether a
	// [Join] of it says so.
	Speaks(ctx context.Context, trace honeyhive.UUID) (bool, error)
	// Steps walks the edges with a Step whose record is not there, in the order of
	// their traces and spans. Edges of a trace without events, and steps of others, are
	// forgotten five minutes after the first of them came.
	Steps(ctx context.Context) iter.Seq2[Edge, error]

	Projects
	Eraser

	// Changes returns which sessions changed after a sequence number, in the
	// order of their last change, at most limit of them (1,000 where it is 0).
	// A change of an event is a change of its session. It returns
	// [ErrCursorExpired] for a number that the store never gave out, and for one
	// so old that it no longer knows what was deleted since: the reader must
	// then start anew from [Store.Info].
	Changes(ctx context.Context, after int64, limit int) ([]Change, error)
	// WaitChange returns when there is a change after the sequence number, or
	// ctx ends.
	WaitChange(ctx context.Context, after int64) error

	// Delete removes sessions with their events, and the updates that wait for
	// them. Ids that are not known are passed over. What arrives for them later
	// is taken as if it were new. A session goes out of sight as a whole, and
	// from the disk in steps that let other writes between: see Scrub.
	Delete(ctx context.Context, sessions ...honeyhive.UUID) error
	// Prune deletes the oldest sessions until what a [Retention] allows is left, in
	// steps that let other writes between. What others write meanwhile may be too
	// much again when it returns.
	Prune(ctx context.Context, r Retention) (Pruned, error)

	// Scrub returns when nothing is left, in the files of the store, of what was deleted
	// before: no text, no word of the index, no byte of the log, but the ids of deleted
	// sessions, of which Changes tells. It writes the whole index anew, in steps that let
	// other writes between, so it takes some seconds for each 100 MB of texts. A read
	// that began before keeps what it sees in the log: Scrub waits for its end, or that of
	// ctx. Delete alone leaves no text either, once what it started is done, but the words
	// of the index. What an earlier version of this package deleted may have left traces.
	Scrub(ctx context.Context) error

	// Sync waits until what is computed from the writes that were done before is up
	// to date: see the package documentation.
	Sync(ctx context.Context) error

	// Seq returns the number of the last change, zero where there was none. It
	// takes no time to speak of, however much the store holds.
	Seq(ctx context.Context) (int64, error)
	// Size returns how many bytes the store takes on disk, with what was freed and
	// is yet to be used again or given back. It takes no time to speak of.
	Size(ctx context.Context) (int64, error)
	// Info says how much the store holds, which it counts.
	Info(ctx context.Context) (Info, error)
	// Close ends reads that run, which return ErrClosed, and what runs in the
	// background, after the writes that were accepted. A second call does nothing.
	Close() error
}

// A Write is a record, an update, or what ties these together. Exactly one of
// Session, Event, Update, Join and Edge is set.
type Write struct {
	// Session is the record of a session. It needs a session_id.
	Session *honeyhive.SessionStartRequest
	// Event is the record of an event. It needs an event_id and a session_id,
	// which must differ. An event of the type session is taken for the record of
	// the session that its session_id names, or else its event_id.
	Event *honeyhive.Event
	// Update changes the session or event that its event_id names. An empty list
	// of children is ignored, and so are fields that no update can change.
	Update *honeyhive.Update
	// Join says which session another one is part of, Edge what hangs on what.
	Join *Join
	Edge *Edge

	// Trace is the session of the trace that a Session or an Event came of, where it
	// was a span: which of its names are topmost is looked at anew. The record of
	// that session itself, whose id is Trace, is shown only with events.
	Trace honeyhive.UUID

	// At is when the write was made or received. It decides what wins; see the
	// package documentation. The zero time is the moment of the call.
	At time.Time
	// Fill makes the write add what nobody else says, and replace nothing, now or
	// later: [Import] does so.
	Fill bool
	// MustExist refuses an update whose target is not known, neither before the
	// batch nor by a write before it in the batch. The error of the write is
	// [ErrNotFound].
	MustExist bool
}

// Errors that callers compare with.
var (
	// ErrNotFound says that no session or event has the id.
	ErrNotFound = errors.New("not found")
	// ErrClosed says that the store is closed.
	ErrClosed = errors.New("the store is closed")
	// ErrCursorExpired says that a sequence number is no cursor (any more).
	ErrCursorExpired = errors.New("the cursor has expired")
	// ErrInUse says that another process has the store open.
	ErrInUse = errors.New("another process has it open")
	// ErrNewerSchema says that a newer version of this library has written the
	// store.
	ErrNewerSchema = errors.New("it was written by a newer version")
	// ErrCorrupt says that the store is damaged, or none at all.
	ErrCorrupt = errors.New("it is damaged or no such store")
)

// Bounds of one record: of what is written, and of what a write would make of a
// record that is there.
const (
	// MaxRecordBytes is the length of its JSON.
	MaxRecordBytes = 32 << 20
	// MaxRecordKeys is how many keys its maps (config, inputs, outputs, metadata,
	// metrics, feedback, user_properties) have together, those inside of their
	// values left out.
	MaxRecordKeys = 100_000
)

// A TooLargeError says that a record is larger than one may be.
type TooLargeError struct {
	Bytes int  // the length of its JSON
	Keys  bool // it has too many keys, not too many bytes
}

func (e *TooLargeError) Error() string {
	if e.Keys {
		return fmt.Sprintf("the record has more than the %d keys that its maps may have together", MaxRecordKeys)
	}
	return fmt.Sprintf("the record has %d bytes, more than the %d that one may have", e.Bytes, MaxRecordBytes)
}

// A BatchError names the writes that a batch was refused for.
type BatchError struct{ Writes []WriteError }

// A WriteError is what is wrong with one write of a batch: an ErrNotFound, a
// [ConflictError], a [TooLargeError], or [honeyhive.FieldError] values joined.
type WriteError struct {
	Index int // in the batch
	Err   error
}

func (e *BatchError) Error() string {
	const most = 3
	var parts []string
	for i, w := range e.Writes {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(e.Writes)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("write %d: %s", w.Index, w.Err))
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the errors of the writes.
func (e *BatchError) Unwrap() []error {
	list := make([]error, len(e.Writes))
	for i, w := range e.Writes {
		list[i] = w.Err
	}
	return list
}

// A ConflictError says that an id names a session and an event at once.
type ConflictError struct{ ID honeyhive.UUID }

func (e *ConflictError) Error() string {
	return "the id " + e.ID.String() + " names a session and an event"
}

// A Change is the last change of a session.
type Change struct {
	Seq     int64
	Session honeyhive.UUID
	Deleted bool
}

// Retention is what may stay. Zero values do not limit.
type Retention struct {
	// MaxAge is since the last sign of a session: its start or end, or the end of
	// one of its events, whichever is last; when it was received where none is
	// known. Updates that have waited as long for their target go too.
	MaxAge time.Duration
	// MaxBytes bounds [Store.Size]: the sessions with the oldest last sign go until
	// [Info.Bytes] is no larger, and what was freed is given back as far as the size
	// is larger.
	MaxBytes int64
}

// Pruned is what was deleted.
type Pruned struct {
	Sessions, Events int64
}

// Info says how much a store holds.
type Info struct {
	Seq      int64 // of the last change
	Sessions int64 // orphans included
	Orphans  int64 // sessions of which only events are known
	Events   int64
	Waiting  int64 // targets of updates that are not known
	Bytes    int64 // on disk, with indexes and logs, without what was freed
	// Unindexed is how many records the full-text search does not see yet. They
	// are indexed in the background, also after a restart.
	Unindexed int64
	// Stale is how many sessions are yet to be computed anew. After the schema of a
	// store has changed these are all, and the store answers meanwhile.
	Stale int64
}
