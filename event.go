package sessionspan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// Kind says what an event does. On the wire there are three kinds of events:
// model, tool and chain; the others map onto them and are told apart by
// gen_ai.operation.name.
type Kind string

// The kinds of events.
const (
	Model     Kind = "model"     // a call of a language model
	Tool      Kind = "tool"      // a call of a tool or function
	Chain     Kind = "chain"     // a step that is made of others, or of plain code; see StartTurn for turns
	Retriever Kind = "retriever" // a search for documents; a tool on the wire
	Reranker  Kind = "reranker"  // a call that orders documents anew; a tool on the wire
	Embedding Kind = "embedding" // a call of an embedding model; a tool on the wire
	Agent     Kind = "agent"     // a run of an agent; a chain on the wire
)

// kindInfo is how a kind is written.
type kindInfo struct {
	eventType, operation string
	kind                 string                  // where neither of them says it
	start                []trace.SpanStartOption // how its span starts
}

// client is how the SDK starts the span of a call to another system.
var client = slices.Clip([]trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)})

var (
	modelInfo     = kindInfo{honeyhive.TypeModel, genai.Chat, "", client}
	toolInfo      = kindInfo{honeyhive.TypeTool, genai.ExecuteTool, "", nil}
	chainInfo     = kindInfo{honeyhive.TypeChain, "", "", nil}
	retrieverInfo = kindInfo{honeyhive.TypeTool, genai.Retrieval, "", nil}
	rerankerInfo  = kindInfo{honeyhive.TypeTool, genai.Rerank, "", nil}
	embeddingInfo = kindInfo{honeyhive.TypeTool, genai.Embeddings, "", client}
	agentInfo     = kindInfo{honeyhive.TypeChain, genai.InvokeAgent, "", nil}
)

// info returns how the kind is written: nil where it is not known.
func (k Kind) info() *kindInfo {
	switch k {
	case Model:
		return &modelInfo
	case Tool:
		return &toolInfo
	case Chain:
		return &chainInfo
	case Retriever:
		return &retrieverInfo
	case Reranker:
		return &rerankerInfo
	case Embedding:
		return &embeddingInfo
	case Agent:
		return &agentInfo
	}
	return nil
}

// An Event is one step of a session. Its methods are safe for concurrent use and
// do nothing on a nil or zero Event. What is set after End is delivered as an update.
type Event struct{ rec recording }

// StartEvent starts an event of the session that the context is in, under the event
// that the context is in, if any, with the tracer of the session. StartEvent returns the
// event, which [Event.End] ends, and a context in which further events are its
// children. An empty name stands for the kind. StartEvent never returns a nil event.
//
// Outside a session it starts an ordinary span of the context's tracer, or else the
// default one, which goes to collectors alone; that is reported once.
// [Tracer.StartEvent] says which options are of use.
func StartEvent(ctx context.Context, kind Kind, name string, options ...FieldOption) (context.Context, *Event) {
	return tracerOf(ctx).StartEvent(ctx, kind, name, options...)
}

// StartEvent starts an event of the session that the context is in, under the
// event that the context is in, if any. StartEvent returns a context in which further
// events are its children. End it with [Event.End]. In a session of another
// tracer it is that one which records the event.
//
// An empty name stands for the kind. A kind that is not known is reported and
// taken for [Tool]. Options that are of use: [WithEventID], [WithStartTime], and
// every field that can be set later. Those of a session, [WithSessionID],
// [WithProject] and [WithSource], are reported.
//
// Outside a session it starts an ordinary span, which goes to collectors alone;
// that is reported once.
func (t *Tracer) StartEvent(ctx context.Context, kind Kind, name string, options ...FieldOption) (context.Context, *Event) {
	if ctx == nil {
		ctx = context.Background()
	}
	t = t.orNothing()
	ctx = asOptions(ctx, options)
	above := recordingFrom(ctx)
	if above != nil && above.session != nil && above.tracer != nil && !above.tracer.disabled && !t.disabled {
		t = above.tracer // who delivers the session delivers its events
	}
	e, n := t.newEvent()
	r := &e.rec
	r.tracer, r.event, r.node = t, e, n
	above = t.bind(above)
	if n.Below(above.place()); n.Session != nil {
		r.session = above.session
	}
	info := kind.info()
	r.begin(above, options)
	if t.disabled {
		r.inside = scope{ctx, r}
		if r.measured() {
			r.kind = cmp.Or(info, &toolInfo)
			r.apply(opStartEvent, options)
		}
		return &r.inside, e
	}
	if info == nil {
		t.reports.Report("kind", fmt.Errorf("sessionspan: start event: kind %q is not known", kind))
		info = &toolInfo
	}
	if name == "" {
		name = string(kind)
	}
	if n.Session == nil {
		t.reports.Once("outside", fmt.Errorf("sessionspan: event %q was started outside a session: it goes to collectors alone", name))
	}
	r.kind = info
	start := info.start
	for i := range options {
		switch o := &options[i]; o.field {
		case fieldStart:
			start = append(start, trace.WithTimestamp(o.time))
		case fieldEventID:
			n.Chosen = t.chosenID(opStartEvent, o.text)
		}
	}
	ctx = r.start(ctx, name, start...)
	r.apply(opStartEvent, options)
	return ctx, e
}

// chosenID reads the id that a user chose for an event: the nil UUID where it is none.
func (t *Tracer) chosenID(op, text string) honeyhive.UUID {
	u, err := honeyhive.ParseUUID(text)
	if err != nil || u.IsZero() {
		t.reports.Report("event id", errors.Join(fmt.Errorf("sessionspan: %s: the id of WithEventID is not used", op), err))
	}
	return u
}

// newEvent returns an event and its node, which are apart where children of the one
// may keep the other.
func (t *Tracer) newEvent() (*Event, *tree.Node) {
	if !t.disabled {
		return new(Event), new(tree.Node)
	}
	both := new(struct {
		Event
		tree.Node
	})
	return &both.Event, &both.Node
}

// place returns the node under which events in the recording belong, or nil.
func (r *recording) place() *tree.Node {
	if r == nil {
		return nil
	}
	return r.node
}

// recording returns what the methods work on: nil for a nil or zero event, of which
// nothing is recorded.
func (e *Event) recording() *recording {
	if e == nil || e.rec.node == nil {
		return nil
	}
	return &e.rec
}

// ID returns the event's id, a UUID. It is "" on a nil Event, and where nothing
// is recorded unless the caller chose the id.
func (e *Event) ID() string {
	if e.recording() == nil {
		return ""
	}
	switch n := e.rec.node; {
	case !n.Chosen.IsZero():
		return n.Chosen.String()
	case e.rec.span == nil:
		return ""
	}
	sc := e.rec.span.SpanContext()
	return honeyhive.EventID(sc.TraceID(), sc.SpanID()).String()
}

// Format prints the event's id, for every verb.
func (e *Event) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "event %s", e.ID()) }

// Session returns the session that the event belongs to, or nil.
func (e *Event) Session() *Session {
	if e == nil {
		return nil
	}
	return e.rec.session
}

// Span returns the span of the event: one that records nothing where the event
// does not.
func (e *Event) Span() trace.Span {
	return e.recording().openSpan()
}

// IsRecording reports whether what is set goes anywhere. It is worth asking
// before something costly is computed only to be recorded.
func (e *Event) IsRecording() bool { return e.recording().recorded() }

// SetName renames the event. An empty name sets nothing. After End, when the API
// changes no names any more, it goes to the metadata, as event_name.
func (e *Event) SetName(name string) {
	r := e.recording()
	r.setText(metadataEventName, name, func(name string) bool {
		if r.fields.Frozen() {
			return false
		}
		r.span.SetName(name)
		return true
	})
}

// SetInputs merges v into the inputs. See the package documentation on values. Of a
// [ToolCall], whose run the event then is, the inputs are the arguments; the id and
// the name go where [WithToolCallID] has the one. After End they go to the metadata,
// as inputs.
func (e *Event) SetInputs(v any) { e.recording().set(convert.Inputs, v) }

// SetOutputs merges v into the outputs. See the package documentation on values.
func (e *Event) SetOutputs(v any) { e.recording().set(convert.Outputs, v) }

// SetConfig merges v into the configuration. See the package documentation on
// values.
func (e *Event) SetConfig(v any) { e.recording().set(convert.Config, v) }

// SetMetadata merges v into the metadata. See the package documentation on
// values.
func (e *Event) SetMetadata(v any) { e.recording().set(convert.Metadata, v) }

// SetMetrics merges v into the metrics. See the package documentation on values.
func (e *Event) SetMetrics(v any) { e.recording().set(convert.Metrics, v) }

// SetFeedback merges v into the feedback. See the package documentation on
// values.
func (e *Event) SetFeedback(v any) { e.recording().set(convert.Feedback, v) }

// SetUserProperties merges v into what is known of the user. See the package
// documentation on values.
func (e *Event) SetUserProperties(v any) { e.recording().set(convert.UserProperties, v) }

// SetAttributes sets attributes of the event's span, such as those of the GenAI
// conventions, besides what the fields above write. They reach the span at its
// end; of two with one key the later counts. Unlike those that are set on
// [Event.Span], they obey [WithContentOffSpans]. After End they are dropped, since
// an update can change no attributes.
func (e *Event) SetAttributes(attributes ...attribute.KeyValue) {
	e.recording().attributes(attributes...)
}

// ExportsSpan reports whether anybody but a session API reads the span of the
// event: an OTLP destination, or another processor of the user's provider. Where
// nobody does, attributes that only repeat what the fields hold need not be made.
func (e *Event) ExportsSpan() bool { return e.recording().viewers() }

// SetError says why the event failed. The last text counts; an empty one sets
// nothing. After End it goes to the metadata, as error.
func (e *Event) SetError(text string) { e.recording().setError(text) }

// RecordError says that the event failed with err, and adds err to its span as
// an exception. A nil err records nothing.
func (e *Event) RecordError(err error) { e.recording().recordError(err) }

// SetDuration sets how long the event took, where that is not the time from its
// start to its end.
func (e *Event) SetDuration(d time.Duration) { e.recording().setDuration(convert.Milliseconds(d)) }

// SetEndTime sets when the event ended. Without it, and after one with the zero
// time, End takes the time of the call. After End the zero time changes nothing.
func (e *Event) SetEndTime(t time.Time) { e.recording().setEndTime(t) }

// AddChildren adds ids of events to children_ids, for events that no span of
// this process stands for. What is no UUID is reported and left out. After End
// the longer list is delivered as an update.
func (e *Event) AddChildren(ids ...string) { e.recording().addChildren(ids) }

// End ends the event and hands it over for delivery. Only the first call of End or
// [Event.EndErr] counts.
//
// Deferred, it records a panic that passes, and lets it go on. An error that the
// function returns it does not see; see [Event.EndErr].
func (e *Event) End(options ...FieldOption) {
	if r := recover(); r != nil {
		e.recording().panicked(r)
		defer panic(r)
	}
	e.recording().end(options)
}

// EndErr ends the event like [Event.End], and says that it failed with the error
// that err points to, like [Event.RecordError]. Deferred, it sees what the function
// returns on every path:
//
//	func search(ctx context.Context, query string) (found []string, err error) {
//		ctx, event := sessionspan.StartEvent(ctx, sessionspan.Retriever, "search")
//		defer event.EndErr(&err)
//
// A nil pointer and a nil error record nothing; a panic counts before an error. On
// an event that has ended nothing is recorded.
func (e *Event) EndErr(err *error, options ...FieldOption) {
	if r := recover(); r != nil {
		e.recording().panicked(r)
		defer panic(r)
	} else {
		e.recording().returned(err)
	}
	e.recording().end(options)
}

// Do runs f as an event: in becomes its inputs, what f returns its outputs, an
// error or a panic its error. Of a [ToolCall], or a pointer to one, the arguments
// become the inputs, and the event is joined to the call by its id. The error is returned as it is; a panic goes on
// after it was recorded, and so does runtime.Goexit. Do uses the tracer of the
// context, or else the default one. [Run] does the same for a session.
func Do[In, Out any](ctx context.Context, kind Kind, name string, in In, f func(context.Context, In) (Out, error), options ...FieldOption) (out Out, err error) {
	ctx, e := StartEvent(ctx, kind, name, options...)
	defer e.EndErr(&err)
	e.SetInputs(in)
	returned := false
	defer e.rec.exited(&returned)
	out, err = f(ctx, in)
	if returned = true; err == nil {
		e.SetOutputs(out)
	}
	return out, err
}
