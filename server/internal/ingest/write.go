package ingest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Bounds of what is written at once: the records of a request are made, and
// written, a few at a time.
const (
	pieceWrites = 500
	pieceBytes  = 1 << 20
)

// piece collects writes until there are enough of them.
type piece struct {
	ctx    context.Context //nolint:containedctx // of the request that the writes are of
	store  store.Store
	batch  *batch
	writes []store.Write
	ofSpan []bool // the write is of a span, not about one
	bytes  int

	rejected int
	problem  error // the first
}

// add adds a write whose texts have so many bytes.
func (p *piece) add(w store.Write, ofSpan bool, bytes int) error {
	if w.At.IsZero() {
		w.At = p.batch.at
	}
	p.writes, p.ofSpan, p.bytes = append(p.writes, w), append(p.ofSpan, ofSpan), p.bytes+bytes
	if len(p.writes) < pieceWrites && p.bytes < pieceBytes {
		return nil
	}
	return p.flush()
}

// flush writes what was collected.
func (p *piece) flush() error {
	refused, err := Write(p.ctx, p.store, p.writes)
	if err != nil {
		return fmt.Errorf("write spans: %w", err)
	}
	for n, isOfSpan := range p.ofSpan {
		if err := refused[n]; err != nil && isOfSpan {
			if p.rejected++; p.rejected == 1 {
				p.problem = err
			}
		}
	}
	clear(p.writes)
	p.writes, p.ofSpan, p.bytes = p.writes[:0], p.ofSpan[:0], 0
	return nil
}

// write writes the spans of a request: first which session each trace is part of, then
// what the spans are.
func (b *batch) write(p *piece, walk Walk) error {
	for _, j := range b.joins {
		if err := p.add(store.Write{Join: &j}, false, 0); err != nil {
			return err
		}
	}
	err := walk(func(s *convert.Span) error {
		rec, at := b.read(s, isRoot(s))
		return p.span(s, &rec, at)
	})
	for n := 0; n < len(b.promoted) && err == nil; n++ {
		err = b.promoted[n].write(p)
	}
	if err != nil {
		return err
	}
	return p.flush()
}

// span writes what a span is: a session, an event, or what lies between events.
func (p *piece) span(s *convert.Span, rec *convert.Record, at place) error {
	edge := &store.Edge{Span: at.span, Parent: above(s), Trace: at.trace}
	if at.kind == isStep {
		event := *rec
		if event.ParentID.IsZero() || event.ParentID == event.SessionID {
			event.ParentID = at.home
		}
		event.SessionID = at.home
		if p.batch.traces[s.TraceID].speaks {
			payload := event.Event()
			if err := p.add(store.Write{Event: &payload, Trace: at.trace}, true, size(rec)); err != nil {
				return err
			}
		} else {
			edge.Step = p.batch.hold(at.trace, &event)
		}
	}
	switch at.kind {
	case isSession:
		rec.SessionID = at.home
		edge.Parent = at.home
		payload := rec.Session()
		if err := p.add(store.Write{Session: &payload, Trace: at.trace}, true, size(rec)); err != nil {
			return err
		}
		return p.add(store.Write{Edge: edge}, false, 0)
	case isEvent:
		if rec.ParentID.IsZero() || rec.ParentID == rec.SessionID {
			rec.ParentID = at.home
		}
		rec.SessionID = at.home
		payload := rec.Event()
		if err := p.add(store.Write{Event: &payload, Trace: at.trace}, true, size(rec)); err != nil {
			return err
		}
		if edge.Parent = rec.EventID; rec.EventID != at.span { // it has an id of its own
			if err := p.add(store.Write{Edge: edge}, false, 0); err != nil {
				return err
			}
		}
	default:
		held := 0
		if edge.Step != nil {
			held = size(rec)
		}
		if err := p.add(store.Write{Edge: edge}, false, held); err != nil {
			return err
		}
	}
	if !isRoot(s) {
		return nil
	}
	// A trace may have several roots: which one is the later must not depend on when
	// they were received.
	w := store.Write{Session: rootRecord(s, rec, at), Trace: at.trace, At: s.End.Round(0)}
	if ms := w.At.UnixMilli(); ms < 0 || ms > 9e12 { // nanoseconds of it must fit
		w.At = time.UnixMilli(0)
	}
	return p.add(w, false, size(rec))
}

// size returns about how many bytes a record has.
func size(rec *convert.Record) int {
	n := len(rec.Name) + len(rec.Error)
	for i := range rec.Buckets {
		n += len(rec.Buckets[i].JSONText())
	}
	return n
}

// rootRecord returns what the root of a trace says of the session of the trace.
func rootRecord(s *convert.Span, rec *convert.Record, at place) *honeyhive.SessionStartRequest {
	r := rec.Session()
	r.SessionID, r.ChildrenIDs = honeyhive.Some(at.trace.String()), honeyhive.Optional[[]string]{}
	r.Config, r.Metadata, r.Metrics, r.Feedback = honeyhive.Object{}, honeyhive.Object{}, honeyhive.Object{}, honeyhive.Object{}
	if at.kind != isEvent {
		r.Inputs, r.Outputs, r.UserProperties = honeyhive.Object{}, honeyhive.Object{}, honeyhive.Object{}
	}
	r.Metadata, _ = r.Metadata.With("trace_id", hex.EncodeToString(s.TraceID[:]))
	return &r
}

// Write writes a batch without the writes that the store refuses, and returns
// what is wrong with these, by their index. Times that are none are taken out of
// the records. With an event that is a turn of a session goes what that says of the
// session.
func Write(ctx context.Context, s store.Store, batch []store.Write) (map[int]error, error) {
	for i := range batch {
		bound(&batch[i])
	}
	batch = withTurns(batch)
	refused := make(map[int]error)
	for range maxRounds {
		good := make([]store.Write, 0, len(batch))
		index := make([]int, 0, len(batch))
		for n := range batch {
			if refused[n] == nil {
				good, index = append(good, batch[n]), append(index, n)
			}
		}
		err := s.Write(ctx, good)
		var fault *store.BatchError
		if !errors.As(err, &fault) || len(fault.Writes) == 0 {
			return refused, err
		}
		for _, w := range fault.Writes {
			refused[index[w.Index]] = w.Err
		}
	}
	for n := range batch {
		if refused[n] == nil {
			refused[n] = errAtOdds
		}
	}
	return refused, nil
}

// withTurns adds to a batch the records of sessions that turns among its events say.
func withTurns(batch []store.Write) []store.Write {
	all := slices.Clip(batch)
	for i := range batch {
		if e := batch[i].Event; e != nil {
			if turn := store.Turn(e); turn != nil {
				all = append(all, store.Write{Session: turn, At: batch[i].At, Fill: batch[i].Fill, Trace: batch[i].Trace})
			}
		}
	}
	return all
}

// maxRounds is how often a batch is tried without what the store has refused. To
// leave out records may make others impossible, which each time are few.
const maxRounds = 4

var errAtOdds = errors.New("it is at odds with other records of the request: send it by itself")
