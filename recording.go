package sessionspan

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// recording is what a session and an event have in common: a span, and what was
// set, encoded, until it is written to the span at the end.
type recording struct {
	node node
	// span is nil where nothing is recorded. It is set before anybody else has
	// the recording.
	span trace.Span
	// stamps are the attributes that the span had from its start.
	stamps []attribute.KeyValue

	mu       sync.Mutex
	buckets  convert.Buckets      // without what later holds
	later    laterParts           // what was set since
	extra    []attribute.KeyValue // attributes besides, such as those of the GenAI conventions
	err      string
	duration honeyhive.Optional[float64]
	endTime  time.Time
	more     []string             // children that the user named
	final    []attribute.KeyValue // what the end wrote; set once, when ended
	// lateInputs are what was set after the end.
	lateInputs honeyhive.Object
	ended      bool
}

// context returns ctx with the recording as the place where events belong.
func (r *recording) context(ctx context.Context) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx = context.WithValue(ctx, scopeKey{}, &r.node)
	if r.span != nil {
		ctx = trace.ContextWithSpan(ctx, r.span)
	}
	return ctx
}

// start starts the span of the recording and returns its context.
func (r *recording) start(ctx context.Context, name string, options []trace.SpanStartOption) context.Context {
	n := &r.node
	n.rec = r
	ctx = context.WithValue(ctx, scopeKey{}, n)
	if n.tracer.disabled || n.tracer.closed.Load() {
		return ctx
	}
	n.starting = true
	ctx, span := n.tracer.tracer.Start(ctx, name, options...)
	n.starting = false // also where no processor saw the span
	if span.IsRecording() {
		r.span = span
	}
	return ctx
}

// active reports whether what is being set goes anywhere. It is for setters:
// where something is lost because nobody has set up a tracer, that is said.
func (r *recording) active() bool {
	if r.recorded() {
		return true
	}
	if s := r.node.session; r.node.tracer == nil && s != nil && !s.unsampledElsewhere {
		tracerOf(context.Background()) // says once that there is none
	}
	return false
}

// recorded reports whether what is set goes anywhere.
func (r *recording) recorded() bool {
	if r.span != nil {
		return true
	}
	s := r.node.session
	return s != nil && s.continued && s.root == &r.node && !s.unsampledElsewhere && !r.tracer().disabled
}

// tracer returns the tracer of the recording: the default one for a session that
// came with a request and was taken from a context without a tracer.
func (r *recording) tracer() *Tracer {
	if r.node.tracer != nil {
		return r.node.tracer
	}
	return Default()
}

// apply sets fields. op names the call for errors.
func (r *recording) apply(op string, options []FieldOption) {
	if !r.active() {
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
		case fieldNone:
		default:
			if !startFields[o.field] || op != opStart {
				r.tracer().reports.Report("option", fmt.Errorf("sessionspan: %s: %s is no option of it", op, o.name()))
			}
		}
	}
}

const (
	opStart  = "start"
	opEnd    = "end"
	opUpdate = "update"
)

// startFields are read before the span starts.
var startFields = map[fieldName]bool{fieldProject: true, fieldSource: true, fieldSessionID: true, fieldEventID: true, fieldStart: true}

// set merges a value into a bucket, or delivers it as an update after the end.
func (r *recording) set(b convert.Bucket, v any) {
	if !r.active() {
		return
	}
	r.merge(b, r.tracer().encode(b, v))
}

func (r *recording) merge(b convert.Bucket, o honeyhive.Object) {
	if o.IsZero() {
		return
	}
	r.mu.Lock()
	if !r.ended {
		r.later.add(&r.buckets, b, o)
		r.mu.Unlock()
		return
	}
	if b == convert.Inputs { // one key of the metadata, which an update replaces
		r.lateInputs = r.lateInputs.Merge(o)
		o = r.lateInputs
	}
	r.mu.Unlock()
	r.update(func(u *honeyhive.Update) { setBucket(u, b, o) })
}

// attributes sets attributes besides the buckets. After the end they are of no
// use: the span is gone.
func (r *recording) attributes(kvs ...attribute.KeyValue) {
	if r.span == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.setExtra(kvs...)
	}
}

// setExtra sets attributes besides the buckets. The lock is held.
func (r *recording) setExtra(kvs ...attribute.KeyValue) {
next:
	for _, kv := range kvs {
		for i := range r.extra {
			if r.extra[i].Key == kv.Key {
				r.extra[i] = kv
				continue next
			}
		}
		r.extra = append(r.extra, kv)
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

// setText sets a text by way of set, with the lock held, or after the end
// delivers it as the metadata of an update.
func (r *recording) setText(key, text string, set func()) {
	if text == "" || !r.active() {
		return
	}
	r.mu.Lock()
	if !r.ended {
		set()
		r.mu.Unlock()
		return
	}
	r.mu.Unlock()
	r.update(func(u *honeyhive.Update) { u.Metadata, _ = u.Metadata.With(key, text) })
}

func (r *recording) setError(text string) {
	r.setText(metadataError, text, func() { r.err = strings.ToValidUTF8(text, "\uFFFD") })
}

// recordError sets the error and adds it to the span as an exception.
func (r *recording) recordError(err error) {
	if err == nil || !r.active() {
		return
	}
	text := strings.ToValidUTF8(errorText(err), "\uFFFD")
	r.exception(fmt.Sprintf("%T", err), text, "")
	r.setError(text)
}

// panicked records a panic that is passing.
func (r *recording) panicked(v any) {
	if !r.active() {
		return
	}
	text := "panic: " + panicText(v)
	r.exception(fmt.Sprintf("%T", v), text, string(debug.Stack()))
	r.setError(text)
}

func (r *recording) exception(kind, message, stack string) {
	if r.span == nil {
		return
	}
	kvs := []attribute.KeyValue{attribute.String("exception.type", kind), attribute.String("exception.message", message)}
	if stack != "" {
		kvs = append(kvs, attribute.String("exception.stacktrace", stack))
	}
	r.span.AddEvent("exception", trace.WithAttributes(kvs...))
	r.attributes(genai.ErrorType.String(kind))
}

// errorText returns the message of an error whose methods may panic.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("!PANIC: %T", err)
		}
	}()
	if text = err.Error(); text == "" {
		text = fmt.Sprintf("%T", err)
	}
	return text
}

func panicText(v any) string {
	switch v := v.(type) {
	case error:
		return errorText(v)
	case string:
		return v
	}
	return strings.Clone(fmt.Sprint(v)) // fmt contains panics of methods
}

func (r *recording) setDuration(ms float64) {
	r.mu.Lock()
	if !r.ended {
		r.duration = honeyhive.Some(ms)
		r.mu.Unlock()
		return
	}
	r.mu.Unlock()
	r.update(func(u *honeyhive.Update) { u.Duration = honeyhive.Some(ms) })
}

func (r *recording) setEndTime(t time.Time) {
	r.mu.Lock()
	if !r.ended {
		r.endTime = t
		r.mu.Unlock()
		return
	}
	r.mu.Unlock()
	if t.IsZero() {
		return
	}
	r.update(func(u *honeyhive.Update) { u.EndTime = honeyhive.Some(float64(t.UnixMilli())) })
}

func (r *recording) addChildren(ids []string) {
	if !r.active() {
		return
	}
	good := make([]string, 0, len(ids))
	for _, id := range ids {
		u, err := honeyhive.ParseUUID(id)
		if err != nil {
			r.tracer().reports.Report("child id", fmt.Errorf("sessionspan: add children: %w", err))
			continue
		}
		good = append(good, u.String())
	}
	r.mu.Lock()
	r.more = append(r.more, good...)
	ended := r.ended
	r.mu.Unlock()
	switch {
	case !ended || len(good) == 0:
	case r.node.session == nil:
		r.tracer().reports.Report("outside update", errOutside)
	default:
		if err := r.node.updateChildren(); err != nil {
			r.tracer().reports.Report("update", err)
		}
	}
}

// end writes what was set to the span and ends it.
func (r *recording) end(options []FieldOption) {
	if r.span == nil {
		return
	}
	r.apply(opEnd, options)
	final, first := r.freeze()
	if !first {
		return
	}
	if s := r.node.session; s != nil {
		s.settle()
	}
	if r.node.tracer.offSpans {
		final = slices.DeleteFunc(slices.Clone(final), func(kv attribute.KeyValue) bool { return isContentKey(kv.Key) })
	}
	r.span.SetAttributes(final...)
	r.mu.Lock()
	err, at := r.err, r.endTime
	r.mu.Unlock()
	if err != "" {
		r.span.SetStatus(codes.Error, err)
	}
	if at.IsZero() {
		r.span.End()
		return
	}
	r.span.End(trace.WithTimestamp(at))
}

// freeze settles what the recording holds and returns it as attributes. It
// reports whether this call was the first.
func (r *recording) freeze() (final []attribute.KeyValue, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return r.final, false
	}
	r.ended = true
	r.node.over.Store(true)
	r.final = r.known(true)
	return r.final, true
}

// known returns what was set as attributes. The lock is held. The children are
// part of it only at the end.
func (r *recording) known(atEnd bool) []attribute.KeyValue {
	r.later.join(&r.buckets)
	if atEnd {
		r.rollUp()
	}
	list := make([]attribute.KeyValue, 0, 8+len(r.extra))
	for b, o := range r.buckets {
		if !o.IsZero() {
			list = append(list, attribute.String(convert.Bucket(b).Attribute(), o.JSONText()))
		}
	}
	if r.err != "" {
		list = append(list, attribute.String(honeyhive.AttrError, r.err))
	}
	if ms, ok := r.duration.Get(); ok {
		list = append(list, attribute.Float64(honeyhive.AttrDuration, ms))
	}
	if ids := r.childrenIDs(atEnd); len(ids) > 0 {
		list = append(list, attribute.StringSlice(honeyhive.AttrChildrenIDs, ids))
	}
	return append(list, r.extra...)
}

func (r *recording) childrenIDs(atEnd bool) []string {
	n := &r.node
	s := n.session
	if !atEnd || s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == s.root {
		s.decideAll()
	}
	return append(s.childrenIDs(n), r.more...)
}

// encode returns a value as an object; what is none is wrapped.
func (t *Tracer) encode(b convert.Bucket, v any) honeyhive.Object {
	if o, ok := v.(honeyhive.Object); ok {
		return o
	}
	scratch := scratches.Get().(*[]byte)
	data, err := rawjson.Append((*scratch)[:0], v)
	if err != nil {
		t.reports.Report("encode "+b.Field(), fmt.Errorf("sessionspan: set %s: %w", b.Field(), err))
	}
	var text string
	switch rawjson.KindOf(peek(data)) {
	case rawjson.Object:
		text = string(data)
	case rawjson.Null:
	default:
		wrapped := rawjson.AppendString(make([]byte, 0, len(data)+16), b.Wrap())
		text = "{" + string(wrapped) + ":" + string(data) + "}"
	}
	if cap(data) <= scratchMost {
		*scratch = data[:0]
		scratches.Put(scratch)
	}
	return honeyhive.TrustedObject(text)
}

// peek returns the first byte of a text.
func peek(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	return string(data[:1])
}

// scratches are buffers for encoding; one that grew large is given back to the
// collector.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

const scratchMost = 64 << 10

// errOutside is reported where something is set that has no session to go to.
var errOutside = errors.New("sessionspan: an event outside a session was changed after its end: there is nothing to update")

// liveSpan is a span that still runs, with what its recording holds so far.
type liveSpan struct {
	sdktrace.ReadOnlySpan
	rec *recording
}

func (l *liveSpan) Attributes() []attribute.KeyValue {
	l.rec.mu.Lock()
	defer l.rec.mu.Unlock()
	known := l.rec.final
	if !l.rec.ended {
		known = l.rec.known(false)
	}
	return append(append([]attribute.KeyValue{}, l.ReadOnlySpan.Attributes()...), known...)
}
