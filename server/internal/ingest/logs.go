package ingest

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// # Log records
//
// Instrumentations of the GenAI conventions put what was asked and answered into log
// records beside the span of a call, which come by themselves, before the span or
// after it. What they say of a span becomes a record of its event that has no end:
// the store merges it with the record of the span, in whichever order they come, and
// what the span itself says wins. Each write says all that is known from logs of its
// span, so that the messages of several requests are one list.

// LogResult says what became of the log records of a request.
type LogResult struct {
	Taken    int // that belong to spans
	Others   int // that say nothing of GenAI, or not of which span
	Rejected int // the store did not take them
	Problem  string
}

// Bounds of what is remembered, and collected of one request, of log records.
const (
	// logsBytes is the weight of a half of the spans whose records are remembered,
	// spanLogsBytes that of one span.
	logsBytes     = 8 << 20
	spanLogsBytes = 1 << 20
	// maxLogAttributes bounds the attributes of the records of a request.
	maxLogAttributes = 300_000
	attributeBytes   = 96
)

// ErrTooManyLogs says that a request has more log records of GenAI than are taken at
// once.
var ErrTooManyLogs = fmt.Errorf("the request has log records with more than %d attributes: send fewer at once", maxLogAttributes)

// spanKey is a trace and a span of it.
type spanKey struct {
	trace [16]byte
	span  [8]byte
}

// spanLogs is what log records say of a span.
type spanLogs struct {
	project, source string
	records         []logRecord
}

// logRecord is an event of a span, or attributes of it where it has no name.
type logRecord struct {
	convert.Event
	details bool   // its attributes are those of the span
	sum     uint64 // of all that it says
}

// detailsPrefixes start the names of events whose attributes are those of their span,
// by semantic-conventions-genai v0.1.0 and before.
var detailsPrefixes = []string{"gen_ai.client.inference.operation.details", "gen_ai.client.operation.details"}

// Logs writes what log records say of spans. The walk visits each record as
// traces.Logs does. When it returns without an error, they are durable. The error is that
// of the walk, of ctx, [ErrTooManyLogs], or says why the store does not take them.
func (i *Ingester) Logs(ctx context.Context, walk Walk) (LogResult, error) {
	var result LogResult
	spans := make(map[spanKey]*spanLogs)
	var order []spanKey
	attributes := 0
	err := walk(func(s *convert.Span) error {
		key := spanKey{s.TraceID, s.SpanID}
		if !isGenAI(s) || key.trace == [16]byte{} || key.span == [8]byte{} {
			result.Others++
			return ctx.Err()
		}
		if attributes += len(s.Attributes); attributes > maxLogAttributes {
			return ErrTooManyLogs
		}
		result.Taken++
		said := spans[key]
		if said == nil {
			said = new(spanLogs)
			spans[key] = said
			order = append(order, key)
		}
		said.add(s)
		return ctx.Err()
	})
	if err != nil {
		return LogResult{}, err
	}
	if err := i.writeLogs(ctx, spans, order, &result); err != nil {
		return LogResult{}, fmt.Errorf("write log records: %w", err)
	}
	return result, nil
}

// isGenAI reports whether a log record speaks of GenAI.
func isGenAI(s *convert.Span) bool {
	const prefix = "gen_ai."
	return strings.HasPrefix(s.Name, prefix) || slices.ContainsFunc(s.Attributes, func(kv attribute.KeyValue) bool { return strings.HasPrefix(string(kv.Key), prefix) })
}

// add keeps a copy of a record, whose large texts alone refer to the body.
func (l *spanLogs) add(s *convert.Span) {
	if l.project == "" && l.source == "" {
		l.project, l.source = strings.Clone(s.Project), strings.Clone(s.Source)
	}
	r := logRecord{Event: convert.Event{Name: strings.Clone(s.Name), Time: s.Start, Attributes: make([]attribute.KeyValue, len(s.Attributes))}}
	for i, kv := range s.Attributes {
		kv.Key = attribute.Key(strings.Clone(string(kv.Key)))
		switch kv.Value.Type() {
		case attribute.STRING:
			kv.Value = attribute.StringValue(kept(kv.Value.AsString()))
		case attribute.BYTESLICE:
			kv.Value = attribute.ByteSliceValue(kv.Value.AsByteSlice())
		}
		r.Attributes[i] = kv
	}
	r.details = s.Name == "" || slices.ContainsFunc(detailsPrefixes, func(prefix string) bool { return strings.HasPrefix(s.Name, prefix) })
	r.sum = r.hash()
	l.records = append(l.records, r)
}

// kept returns a text that may outlive its request. One that is too long for the memory
// does not, and refers to the body.
func kept(s string) string {
	if len(s) > spanLogsBytes {
		return s
	}
	return strings.Clone(s)
}

// weight returns about how many bytes it takes.
func (l *spanLogs) weight() int {
	n := traceBytes
	for _, r := range l.records {
		n += attributeBytes + len(r.Name)
		for _, kv := range r.Attributes {
			n += attributeBytes + len(kv.Key)
			if kv.Value.Type() == attribute.STRING {
				n += len(kv.Value.AsString())
			}
		}
	}
	return n
}

// with returns the records of both, in the order of their times. One that was sent
// again stands once, and as often as in one request where it stands there several
// times.
func (l *spanLogs) with(more *spanLogs) *spanLogs {
	all := &spanLogs{project: l.project, source: l.source, records: slices.Clone(l.records)}
	if all.project == "" && all.source == "" {
		all.project, all.source = more.project, more.source
	}
	known := make(map[uint64]int, len(l.records))
	for _, r := range l.records {
		known[r.sum]++
	}
	for _, r := range more.records {
		if known[r.sum]--; known[r.sum] < 0 {
			all.records = append(all.records, r)
		}
	}
	slices.SortStableFunc(all.records, func(a, b logRecord) int { return a.Time.Compare(b.Time) })
	return all
}

var sumSeed = maphash.MakeSeed()

// hash returns a number for all that a record says.
func (r *logRecord) hash() uint64 {
	var h maphash.Hash
	h.SetSeed(sumSeed)
	text := func(s string) {
		maphash.WriteComparable(&h, len(s))
		_, _ = h.WriteString(s)
	}
	text(r.Name)
	maphash.WriteComparable(&h, r.Time.UnixNano())
	for _, kv := range r.Attributes {
		text(string(kv.Key))
		maphash.WriteComparable(&h, kv.Value.Type())
		if kv.Value.Type() == attribute.STRING { // a large one is not to be copied
			text(kv.Value.AsString())
		} else {
			text(kv.Value.String())
		}
	}
	return h.Sum64()
}

// writeLogs writes what is known of each span from logs.
func (i *Ingester) writeLogs(ctx context.Context, spans map[spanKey]*spanLogs, order []spanKey, result *LogResult) error {
	i.mu.Lock()
	at := i.tick()
	for _, key := range order {
		if before, ok := i.memory.logs.get(key); ok {
			spans[key] = before.with(spans[key])
		} else {
			spans[key] = new(spanLogs).with(spans[key])
		}
		if weight := spans[key].weight(); weight <= spanLogsBytes {
			i.memory.logs.put(key, spans[key], weight)
		}
	}
	i.mu.Unlock()

	b := newBatch()
	b.at, b.project = at, i.project
	p := &piece{ctx: ctx, store: i.store, batch: b}
	for _, key := range order {
		event, bytes := spans[key].event(key, b)
		if err := p.add(store.Write{Event: event, Trace: TraceSession(key.trace)}, true, bytes); err != nil {
			return err
		}
		delete(spans, key)
	}
	for _, j := range b.joins {
		if err := p.add(store.Write{Join: &j}, false, 0); err != nil {
			return err
		}
	}
	if err := p.flush(); err != nil {
		return err
	}
	result.Rejected = p.rejected
	if p.problem != nil {
		result.Problem = p.problem.Error()
	}
	return nil
}

// event returns the record of the event of a span as its logs know it, and notes in
// the batch which session it is of.
func (l *spanLogs) event(key spanKey, b *batch) (*honeyhive.Event, int) {
	s := convert.Span{TraceID: key.trace, SpanID: key.span, Project: l.project, Source: l.source}
	s.ParentSpanID = [8]byte{1} // it is not known, and need not be the root of the trace
	for _, r := range l.records {
		if s.Name == "" {
			s.Name = r.Name
		}
		if r.details {
			s.Attributes = append(s.Attributes, r.Attributes...)
		} else {
			s.Events = append(s.Events, r.Event)
		}
	}
	rec := convert.Convert(&s)
	b.claim(&rec)
	at := placeOf(&s, convert.Speaking, &rec)
	b.names(&s, &rec, &at)
	rec.SessionID = at.home
	rec.EventID, rec.ParentID = honeyhive.EventID(key.trace, key.span), honeyhive.UUID{}
	metadata := &rec.Buckets[convert.Metadata]
	if rest, ok := metadata.Get(spanEvents); ok { // those of the span stand under that name
		*metadata, _ = metadata.Without(spanEvents).With("log_records", rest)
	}
	bytes := size(&rec)
	event := rec.Event()
	return &event, bytes
}

// spanEvents is where a record keeps the events of its span that no dialect knows.
const spanEvents = "span_events"
