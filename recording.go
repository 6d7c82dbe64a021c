package sessionspan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/fields"
	"github.com/sessionspan/sessionspan/internal/measure"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// recording is what a session and an event have in common: a span, a place in the
// tree, and what is set until the span ends. Setters do nothing on a nil recording.
type recording struct {
	tracer *Tracer // nil for a session that came with a request; see Tracer.bind
	// session is the session that the recording belongs to, or is; event is the event
	// that the recording is, or nil.
	session *Session
	event   *Event
	node    *tree.Node
	kind    *kindInfo // nil for a session
	// noContent is set where no content of the recording is to leave; see withoutContent.
	noContent bool
	span      trace.Span            // nil where nothing is recorded
	sdk       sdktrace.ReadOnlySpan // the same as the processor has it; nil where no processor saw it
	fields    fields.Fields
	// operation is the place of an event that is measured among others, or nil.
	operation *measure.Operation
	inside    scope // the context of the start, with the recording in it

	mu sync.Mutex
	// entry is the queue's entry from the end of the recording on; that of an event
	// until each processor that takers counts has taken it.
	entry  *ownEntry
	takers int
}

// What the tree looks at while the span runs.

func (r *recording) Parent() trace.SpanContext        { return r.sdk.Parent() }
func (r *recording) Name() string                     { return r.sdk.Name() }
func (r *recording) StartTime() time.Time             { return r.sdk.StartTime() }
func (r *recording) Attributes() []attribute.KeyValue { return r.sdk.Attributes() }

// Owner implements [tree.Owner].
func (r *recording) Owner() {}

// context returns ctx with the recording as the place where events belong, or as it
// is where there is none.
func (r *recording) context(ctx context.Context) context.Context {
	if r == nil {
		return ctx
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ctx = &scope{ctx, r}
	if r.span != nil {
		ctx = trace.ContextWithSpan(ctx, r.span)
	}
	return ctx
}

// start starts the span of the recording and returns its context.
func (r *recording) start(ctx context.Context, name string, options ...trace.SpanStartOption) context.Context {
	r.inside = scope{ctx, r}
	r.noContent = withoutContent(ctx)
	inside := &r.inside
	if r.tracer.disabled || r.tracer.closed.Load() {
		return inside
	}
	ctx, started := r.tracer.tracer.Start(inside, name, options...)
	if r.sdk == nil {
		// No processor saw it. The key tells that to spans which start in the context.
		r.node.Key = tree.KeyOf(started.SpanContext())
	}
	if r.sdk != nil || started.IsRecording() {
		r.span = started
	}
	return ctx
}

// starts reports whether the next span to start in the context of the recording is
// its own. A session that another process holds has none.
func (r *recording) starts() bool { return r.inside.rec != nil && r.node.Key == (tree.Key{}) }

// spanned reports whether the recording has a span, which others may read.
func (r *recording) spanned() bool { return r != nil && r.span != nil }

// openSpan returns the span of the recording, or one that records nothing.
func (r *recording) openSpan() trace.Span {
	if r.spanned() {
		return r.span
	}
	return trace.SpanFromContext(context.Background())
}

// active is recorded for setters, which say once when something is lost because nobody
// has set up a tracer.
func (r *recording) active() bool {
	if r == nil || r.recorded() {
		return r != nil
	}
	if s := r.node.Session; r.tracer == nil && s != nil && !s.UnsampledElsewhere {
		tracerOf(context.Background()) // says once that there is none
	}
	return false
}

// recorded reports whether what is set goes anywhere.
func (r *recording) recorded() bool {
	if r == nil || r.span != nil {
		return r != nil
	}
	s := r.node.Session
	return s != nil && s.Continued && r.node.IsRoot() && !s.UnsampledElsewhere && !r.reporter().disabled
}

// reporter returns the tracer of the recording: the default one for a session that
// came with a request and was taken from a context without a tracer.
func (r *recording) reporter() *Tracer {
	if r.tracer != nil {
		return r.tracer
	}
	return Default()
}

// apply sets fields. op names the call for errors.
func (r *recording) apply(op string, options []FieldOption) {
	if !r.noted() {
		return
	}
	for i := range options {
		o := &options[i]
		switch o.field {
		case fieldBucket:
			r.set(o.bucket, o.value)
		case fieldError:
			r.setError(o.text)
		case fieldDuration:
			r.setDuration(o.number)
		case fieldEnd:
			r.setEndTime(o.time)
		case fieldModel:
			r.setModel(o.text, o.second)
		case fieldMessages:
			r.setMessages(o.messages)
		case fieldQuery:
			r.setQuery(o.text)
		case fieldTopK:
			r.setTopK(int(o.number))
		case fieldToolCallID:
			if r.kind == nil {
				r.misplaced(op, o)
			} else {
				r.setTool(o.text, "")
			}
		case fieldPrompt:
			r.setPrompt(o)
		case fieldRelease:
			r.setRelease(o)
		case fieldTags:
			tags, _ := o.value.([]string)
			r.addTags(tags)
		case fieldCost:
			r.setCost(o.number, o.text)
		case fieldNone:
		default:
			r.misplaced(op, o)
		}
	}
}

// set merges a value into a bucket, or delivers it as an update after the end.
func (r *recording) set(b convert.Bucket, v any) {
	if !r.active() && (!r.measured() || b != convert.Config && b != convert.Metadata) {
		return
	}
	if b == convert.Inputs && r.kind != nil {
		v = r.runsTool(v)
	}
	if raw, ok := v.(json.RawMessage); ok && len(raw) > 0 {
		r.add(fields.Raw(b, string(raw)))
		return
	}
	p, err := fields.Encode(b, v)
	r.reporter().reportSet(b, err)
	r.add(p)
}

// add adds a part, or delivers it as an update after the end.
func (r *recording) add(p fields.Part) {
	if p.IsZero() {
		return
	}
	ok, err := r.fields.Add(p)
	r.added(p, ok, err)
}

// added deals with what became of a part.
func (r *recording) added(p fields.Part, ok bool, err error) {
	r.reporter().reports.Report("encode raw JSON", err)
	if ok {
		return
	}
	o, err := p.Object()
	r.reporter().reports.Report("encode raw JSON", err)
	if o.IsZero() {
		return
	}
	b := p.Bucket()
	if b == convert.Inputs { // one key of the metadata, which an update replaces
		o = r.fields.MergeLateInputs(o)
	}
	r.update(func(u *honeyhive.Update) { setBucket(u, b, o) })
}

// attributes sets attributes besides the buckets. After the end they are of no
// use: the span is gone.
func (r *recording) attributes(kvs ...attribute.KeyValue) {
	if r.spanned() || r.measured() {
		r.fields.SetAttributes(kvs...)
	}
}

// The keys of the metadata under which an update holds what the API changes in
// no other way.
const (
	metadataInputs      = "inputs"
	metadataError       = "error"
	metadataSessionName = "session_name"
	metadataEventName   = "event_name"
	metadataProject     = "project"
	metadataSource      = "source"
)

// setText sets a text by way of set, which reports false after the end. Then the
// text is delivered as the metadata of an update.
func (r *recording) setText(key, text string, set func(text string) bool) {
	if text != "" && r.active() && !set(text) {
		r.update(func(u *honeyhive.Update) { u.Metadata, _ = u.Metadata.With(key, text) })
	}
}

func (r *recording) setDuration(ms float64) {
	if r.noted() && !r.fields.SetDuration(ms) {
		r.update(func(u *honeyhive.Update) { u.Duration = honeyhive.Some(ms) })
	}
}

func (r *recording) setEndTime(t time.Time) {
	if r.noted() && !r.fields.SetEnd(t) && !t.IsZero() {
		r.update(func(u *honeyhive.Update) { u.EndTime = honeyhive.Some(float64(t.UnixMilli())) })
	}
}

func (r *recording) addChildren(ids []string) {
	if !r.active() {
		return
	}
	good := make([]string, 0, len(ids))
	for _, id := range ids {
		u, err := honeyhive.ParseUUID(id)
		if err != nil {
			r.reporter().reports.Report("child id", fmt.Errorf("sessionspan: add children: %w", err))
			continue
		}
		good = append(good, u.String())
	}
	if len(good) == 0 {
		return
	}
	if r.node.AddNamed(good) {
		r.reporter().reports.Report("update", r.reporter().updateChildren(r.node))
	} else if r.node.Session == nil && r.fields.Frozen() {
		r.reporter().reports.Report("outside update", errOutside)
	}
}

// end writes what was set to the span, where others read that, and ends it.
func (r *recording) end(options []FieldOption) {
	if !r.spanned() {
		r.endUnrecorded(options)
		return
	}
	r.apply(opEnd, options)
	e := r.freeze(false)
	if e == nil {
		return
	}
	r.tracer.tree.Return(r.node)
	if r.tracer.onSpans {
		e.write(r.span)
	}
	if text := e.set.Failure(); text != "" {
		if r.withoutContent() {
			text = ""
		}
		r.span.SetStatus(codes.Error, text)
	}
	if at := e.set.End(); !at.IsZero() {
		r.span.End(trace.WithTimestamp(at))
	} else {
		r.span.End()
	}
	r.measure(&e.set)
}

// freeze makes the queue's entry of what was set, unless there is one.
func (r *recording) freeze(bySpan bool) *ownEntry {
	if r.fields.Frozen() {
		return nil
	}
	children := r.tracer.tree.List(r.node) // which may ask functions of users
	r.mu.Lock()
	set, ok := r.fields.Freeze()
	if !ok {
		r.mu.Unlock()
		return nil
	}
	e := r.newEntry(children)
	e.set, e.endedBySpan = set, bySpan
	var problem error
	if r.tracer.onSpans {
		problem = e.set.Join()
	}
	r.addUsage(&e.set)
	r.entry = e
	r.mu.Unlock()
	r.tracer.reports.Report("encode raw JSON", problem)
	return e
}

// newEntry makes the queue's entry, without what was set.
func (r *recording) newEntry(children tree.Children) *ownEntry {
	e := &ownEntry{entry: entry{tracer: r.tracer, identity: r.node.Identity(), self: r.node.Ref(), children: children}, kind: r.kind}
	if r.kind == nil {
		e.sessionName = r.session.name
	}
	e.NoContent = r.withoutContent()
	return e
}

// addUsage makes what the events of a session, or of a turn, used and cost part of what
// was set on it.
func (r *recording) addUsage(set *fields.Set) {
	if !r.opens() {
		return
	}
	u, costs := r.spent()
	if u.Known != 0 {
		set.AddUp(&u)
	}
	set.AddCosts(costs)
}

// errOutside is reported where something is set that has no session to go to.
var errOutside = errors.New("sessionspan: an event outside a session was changed after its end: there is nothing to update")
