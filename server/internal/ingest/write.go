package ingest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

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
	w.At = p.batch.at
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

// write writes the spans of a request, whose places are known.
func (b *batch) write(p *piece, walk Walk) error {
	n := 0
	announced := make(map[honeyhive.UUID]bool)
	err := walk(func(s *convert.Span) error {
		at := n
		n++
		end, ends := b.ends[at]
		waits := b.places[at].kind == leftOut && b.places[at].step
		if b.places[at].kind == leftOut && !ends && !waits {
			return p.ctx.Err()
		}
		rec := convert.Convert(s)
		if waits {
			b.hold(&b.places[at], s, &rec)
		}
		if err := b.writeSpan(p, &b.places[at], s, &rec, announced); err != nil || !ends {
			return err
		}
		return p.add(store.Write{Session: end.record(rootRecord(&rec, b.places[at].kind == isEvent))}, false, size(&rec))
	})
	for i := 0; i < len(b.promoted) && err == nil; i++ {
		err = b.promoted[i].write(p)
	}
	for i := 0; i < len(b.late) && err == nil; i++ {
		err = p.add(store.Write{Session: b.late[i].record(b.late[i].root.record())}, false, 0)
	}
	for i := 0; i < len(b.moved) && err == nil; i++ {
		err = p.add(store.Write{Event: b.moved[i].correction()}, false, 0)
	}
	if err != nil {
		return err
	}
	return p.flush()
}

func (b *batch) writeSpan(p *piece, at *place, s *convert.Span, rec *convert.Record, announced map[honeyhive.UUID]bool) error {
	switch at.kind {
	case isSession:
		payload := rec.Session()
		return p.add(store.Write{Session: &payload}, true, size(rec))
	case isEvent:
		rec.SessionID, rec.ParentID = at.session, at.parent
		if !announced[rec.SessionID] && (!at.named && !at.step || at.named && autoCreates(s.Attributes)) {
			announced[rec.SessionID] = true
			if err := p.add(store.Write{Session: announcement(s, rec)}, false, 0); err != nil {
				return err
			}
		}
		payload := rec.Event()
		return p.add(store.Write{Event: &payload}, true, size(rec))
	}
	return nil
}

// size returns about how many bytes a record has.
func size(rec *convert.Record) int {
	n := len(rec.Name) + len(rec.Error)
	for i := range rec.Buckets {
		n += len(rec.Buckets[i].JSONText())
	}
	return n
}

// announcement returns what a span says of its session. A name that is made up
// goes where it gives way to any other.
func announcement(s *convert.Span, rec *convert.Record) *honeyhive.SessionStartRequest {
	payload := &honeyhive.SessionStartRequest{SessionID: honeyhive.Some(rec.SessionID.String())}
	set(&payload.Project, rec.Project)
	set(&payload.Source, rec.Source)
	set(&payload.SessionName, rec.SessionName)
	original, ok := rec.Buckets[convert.Metadata].Get(convert.OriginalSessionID)
	switch {
	case rec.SessionName != "":
	case ok:
		payload.Metadata, _ = payload.Metadata.With("session_name", original)
	case rec.SessionID == TraceSession(s.TraceID):
		payload.Metadata, _ = payload.Metadata.With("session_name", "trace "+hex.EncodeToString(s.TraceID[:4]))
	}
	return payload
}

func set(field *honeyhive.Optional[string], v string) {
	if v != "" {
		*field = honeyhive.Some(v)
	}
}

// rootRecord returns what the root of a trace says of a session.
func rootRecord(rec *convert.Record, speaks bool) *honeyhive.SessionStartRequest {
	r := rec.Session()
	r.SessionID, r.ChildrenIDs = honeyhive.Optional[string]{}, honeyhive.Optional[[]string]{}
	r.Config, r.Metadata, r.Metrics, r.Feedback = honeyhive.Object{}, honeyhive.Object{}, honeyhive.Object{}, honeyhive.Object{}
	if !speaks {
		r.Inputs, r.Outputs, r.UserProperties = honeyhive.Object{}, honeyhive.Object{}, honeyhive.Object{}
	}
	return &r
}

// record returns what is written of what the root says.
func (e *end) record(said *honeyhive.SessionStartRequest) *honeyhive.SessionStartRequest {
	if e.whole {
		said.Metadata, _ = said.Metadata.With("trace_id", hex.EncodeToString(e.trace[:]))
	} else {
		said = &honeyhive.SessionStartRequest{EndTime: said.EndTime}
	}
	said.SessionID = honeyhive.Some(e.session.String())
	return said
}

// correction returns the record that moves an event. What a whole record says of
// a field gives way to a later one alone, so it has the end of the event.
func (c *child) correction() *honeyhive.Event {
	rec := convert.Record{EventID: c.event, SessionID: c.session, ParentID: c.parent, Name: c.name, Type: c.eventType, End: c.end, Duration: c.duration}
	e := rec.Event()
	if c.name == "" { // it is known to the store alone
		e.EventName = honeyhive.Optional[string]{}
	}
	return &e
}

// Write writes a batch without the writes that the store refuses, and returns
// what is wrong with these, by their index. Times that are none are taken out of
// the records.
func Write(ctx context.Context, s store.Store, batch []store.Write) (map[int]error, error) {
	for i := range batch {
		bound(&batch[i])
	}
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

// maxRounds is how often a batch is tried without what the store has refused. To
// leave out records may make others impossible, which each time are few.
const maxRounds = 4

var errAtOdds = errors.New("it is at odds with other records of the request: send it by itself")
