// Package span holds the one struct that a destination is shown of a span.
//
// The queue of a destination carries a [Source]: a span of the SDK that has ended,
// or what a tracer copied of one and knows besides. A worker asks the source to
// show itself in a [Span], redacts and cuts that, and converts or encodes it. What
// the tracer knows, such as the inputs of an event, is in [Span].Known and becomes
// attributes only where a collector is to read it.
package span

import (
	"slices"
	"time"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// A Source is a span in the queue, or one that still runs. Its methods are safe
// for concurrent use.
type Source interface {
	// Show fills in a span that is zero or was cleared. What it shows may stand in
	// the memory of the span, and holds until that is cleared.
	Show(s *Span)
	// Size returns about how many bytes the source keeps in memory.
	Size() int64
}

// Span is what a destination is shown of one span. A worker uses one again and
// again. The slices and what they hold are shared with the source: who changes
// them changes copies.
type Span struct {
	Context, Parent trace.SpanContext
	Name            string
	Kind            trace.SpanKind
	Start, End      time.Time
	Status          sdktrace.Status
	Resource        *resource.Resource
	Scope           instrumentation.Scope

	Known      *convert.Record      // what a handle or the tree of a session knows; nil where all is in Attributes
	GenAI      []attribute.KeyValue // says Known again in the terms of the GenAI conventions, for collectors
	Attributes []attribute.KeyValue // what others set
	Events     []sdktrace.Event
	Links      []sdktrace.Link

	DroppedAttributes, DroppedEvents, DroppedLinks int
	ChildSpanCount                                 int

	// Turn is the event of the turn that the span is part of, or of which it is the
	// span; the nil UUID outside of turns.
	Turn honeyhive.UUID
	// SessionID is the text of Known.SessionID, where that is at hand.
	SessionID string
	// ValueLimit is how many characters a value may have as an attribute, by the
	// limits of the provider; 0 for any number.
	ValueLimit int
	// NoContent is set where the program wants no destination to have content.
	NoContent bool

	known convert.Record // the memory of Known
	text  []byte         // the memory of texts
}

// textMost is how long the memory of texts may have grown that is used again.
const textMost = 1 << 20

// Clear forgets what was shown, and keeps the memory.
func (s *Span) Clear() {
	text := s.text[:0]
	if cap(text) > textMost {
		text = nil
	}
	clear(s.GenAI)
	*s = Span{text: text, GenAI: s.GenAI[:0]}
}

// Forget is Clear where somebody keeps the texts: the next ones stand behind them.
func (s *Span) Forget() {
	s.text = s.text[len(s.text):]
	s.Clear()
}

// Know makes Known a record in the memory of the span, and returns it.
func (s *Span) Know() *convert.Record {
	if s.Known == nil {
		s.Known = &s.known
	}
	return s.Known
}

// Text returns a text that write appends, in the memory of the span. The bytes of the
// text do not change until Clear: later texts stand behind them, or elsewhere.
func (s *Span) Text(write func(dst []byte) []byte) string {
	from := len(s.text)
	s.text = write(s.text)
	if from == len(s.text) {
		return ""
	}
	return unsafe.String(&s.text[from], len(s.text)-from) //nolint:gosec // see above
}

// Grow makes room for texts of n bytes.
func (s *Span) Grow(n int) { s.text = slices.Grow(s.text, n) }

// ID returns the text of an id, in the memory of the span.
func (s *Span) ID(id honeyhive.UUID) string {
	if s.SessionID != "" && s.Known != nil && id == s.Known.SessionID {
		return s.SessionID // as of the parent of what stands directly under the session
	}
	return s.Text(id.Append)
}

// Neutral fills in what the conversion needs of the span, in memory that n has.
func (s *Span) Neutral(n *convert.Span) {
	*n = convert.Span{
		TraceID: s.Context.TraceID(), SpanID: s.Context.SpanID(), ParentSpanID: s.Parent.SpanID(),
		Name: s.Name, Kind: KindOf(s.Kind), Scope: s.Scope.Name, Start: s.Start, End: s.End,
		Failed: s.Status.Code == codes.Error, Status: s.Status.Description,
		Known: s.Known, Attributes: s.Attributes, Events: n.Events[:0],
	}
	for i := range s.Events {
		e := &s.Events[i]
		n.Events = append(n.Events, convert.Event{Name: e.Name, Time: e.Time, Attributes: e.Attributes})
	}
	for i := range s.Links {
		l := &s.Links[i]
		n.Links = append(n.Links, convert.Link{
			TraceID: l.SpanContext.TraceID(), SpanID: l.SpanContext.SpanID(), Attributes: l.Attributes,
		})
	}
}

// KindOf returns a kind as the conversion has it: that of a number that is none is not
// specified.
func KindOf(k trace.SpanKind) convert.Kind {
	if k < 0 || k > trace.SpanKindConsumer {
		return convert.Unspecified
	}
	return convert.Kind(k)
}

// RoleOf returns the role of a span of the SDK, as far as it tells by now.
func RoleOf(s sdktrace.ReadOnlySpan) convert.Role {
	n := convert.Span{Kind: KindOf(s.SpanKind()), Scope: s.InstrumentationScope().Name, Attributes: s.Attributes()}
	for _, e := range s.Events() {
		n.Events = append(n.Events, convert.Event{Name: e.Name})
	}
	return convert.RoleOf(&n)
}

// AppendKnown appends Known as attributes: first what the span is, then what it holds,
// which serves an endpoint best that reads only the first attributes. No other function
// lists Known.
func (s *Span) AppendKnown(dst []attribute.KeyValue) []attribute.KeyValue {
	k := s.Known
	if k == nil {
		return dst
	}
	text := func(key attribute.Key, value string) {
		if value != "" {
			dst = append(dst, key.String(value))
		}
	}
	if !k.SessionID.IsZero() {
		id := s.ID(k.SessionID)
		dst = append(dst, attribute.String(honeyhive.AttrSessionID, id), attribute.Bool(honeyhive.AttrSessionAutoCreate, true))
		if !HasKey(s.Attributes, SessionIDOfOTel) { // others have a right to it
			dst = append(dst, attribute.String(SessionIDOfOTel, id))
		}
	}
	text(honeyhive.AttrProject, k.Project)
	text(honeyhive.AttrSource, k.Source)
	if k.Continued {
		dst = append(dst, attribute.Bool(honeyhive.AttrSessionContinued, true))
	}
	text(honeyhive.AttrEventType, k.Type)
	if k.Kind == convert.KindTurn {
		dst = append(dst, attribute.Bool(honeyhive.AttrTurn, true))
	}
	if !k.EventID.IsZero() {
		text(honeyhive.AttrEventID, s.ID(k.EventID))
	}
	text(honeyhive.AttrEventName, k.Name)
	text(honeyhive.AttrSessionName, k.SessionName)
	if !k.ParentID.IsZero() {
		text(honeyhive.AttrParentID, s.ID(k.ParentID))
	}
	for b := range k.Buckets {
		if o := &k.Buckets[b]; !o.IsZero() && !o.IsNull() {
			dst = append(dst, attribute.String(convert.Bucket(b).Attribute(), o.JSONText()))
		}
	}
	text(honeyhive.AttrError, k.Error)
	if ms, ok := k.Duration.Get(); ok {
		dst = append(dst, attribute.Float64(honeyhive.AttrDuration, ms))
	}
	if ids, ok := k.ChildrenIDs.Get(); ok {
		dst = append(dst, attribute.StringSlice(honeyhive.AttrChildrenIDs, ids))
	}
	text("gen_ai.operation.name", k.Operation)
	return dst
}

// SessionIDOfOTel is OpenTelemetry's own attribute for sessions, which other
// viewers group by.
const SessionIDOfOTel = "session.id"

// AppendAttributes appends all attributes as a collector gets them: each key once,
// where what is known counts before what others set, and values no longer than
// ValueLimit.
func (s *Span) AppendAttributes(dst []attribute.KeyValue) []attribute.KeyValue {
	from := len(dst)
	dst = append(s.AppendKnown(dst), s.GenAI...)
	known := dst[from:]
	if len(known) == 0 {
		dst = append(dst, s.Attributes...)
	} else {
		for i := range s.Attributes {
			if !HasKey(known, s.Attributes[i].Key) {
				dst = append(dst, s.Attributes[i])
			}
		}
	}
	if s.ValueLimit > 0 {
		for i := from; i < len(dst); i++ {
			dst[i].Value = Truncate(dst[i].Value, s.ValueLimit)
		}
	}
	return dst
}

// HasKey reports whether a list has an attribute.
func HasKey(list []attribute.KeyValue, key attribute.Key) bool {
	for i := range list {
		if list[i].Key == key {
			return true
		}
	}
	return false
}

// Snapshot returns the span as one of the SDK, which keeps the texts of s: call
// Forget before s is used again. Its attributes are appended to a list, whose end is
// returned for the next span of the batch.
func (s *Span) Snapshot(list []attribute.KeyValue) (sdktrace.ReadOnlySpan, []attribute.KeyValue) {
	const known = 16 // about as many as AppendKnown appends
	list = s.AppendAttributes(slices.Grow(list, known+len(s.GenAI)+len(s.Attributes)))
	stub := tracetest.SpanStub{
		SpanContext: s.Context, Parent: s.Parent, Name: s.Name, SpanKind: s.Kind, StartTime: s.Start, EndTime: s.End,
		Attributes: slices.Clip(list), Events: slices.Clip(s.Events), Links: slices.Clip(s.Links), Status: s.Status,
		DroppedAttributes: s.DroppedAttributes, DroppedEvents: s.DroppedEvents, DroppedLinks: s.DroppedLinks,
		ChildSpanCount: s.ChildSpanCount, Resource: s.Resource,
		InstrumentationScope: s.Scope,
	}
	return stub.Snapshot(), list[len(list):]
}
