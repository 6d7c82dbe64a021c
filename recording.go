package sessionspan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// recording is what a session and an event have in common: a span, and what was
// set, encoded, until it is written to the span at the end.
type recording struct {
	node node
	// span is nil where nothing is recorded. It is set before anybody else has
	// the recording.
	span trace.Span
	kind *kindInfo // nil for a session

	mu    sync.Mutex
	ended bool
	// bare is set where the attributes are not written to the span, since nobody
	// but this tracer can read it. It is set when the span starts.
	bare     bool
	toldMore bool                 // attributes were set besides
	special  bool                 // some of them say what the span is, as ours do
	past     bool                 // the span was ended past its handle
	ours     bool                 // the span is one of ours
	parts    []part               // what was set and not joined with the buckets yet
	buckets  *convert.Buckets     // nil while they are empty, without what later holds
	later    *laterParts          // nil unless there were many parts
	extra    []attribute.KeyValue // attributes besides, such as those of the GenAI conventions
	children childList            // that it has at the end
	final    []attribute.KeyValue // what was written to the span at the end
	seldom   *seldom              // nil while nothing of it was set

	finished finishedSpan // the queue's entry
}

// seldom is what few recordings have.
type seldom struct {
	err        string
	duration   honeyhive.Optional[float64]
	endTime    time.Time
	more       []string         // children that the user named
	named      []string         // those of them that were known at the end
	lateInputs honeyhive.Object // what was set after the end
	problem    error            // what unlock reports
}

// own returns the span of ours that the recording has, or nil.
func (r *recording) own() *ownSpan {
	if !r.ours { // so the SDK may not have returned its span yet
		return nil
	}
	return r.span.(*ownSpan)
}

// rest returns what is seldom set, to set some of it. The lock is held.
func (r *recording) rest() *seldom {
	if r.seldom == nil {
		r.seldom = new(seldom)
	}
	return r.seldom
}

// context returns ctx with the recording as the place where events belong.
func (r *recording) context(ctx context.Context) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx = &scope{ctx, &r.node}
	if r.span != nil {
		ctx = trace.ContextWithSpan(ctx, r.span)
	}
	return ctx
}

// start starts the span of the recording and returns its context.
func (r *recording) start(ctx context.Context, name string, o *starting) context.Context {
	n := &r.node
	n.rec = r
	inside := &scope{ctx, n}
	if n.tracer.disabled || n.tracer.closed.Load() {
		return inside
	}
	if o.own != nil && o.own.start(ctx, r, name, o) {
		r.span, r.ours = o.own, true
		n.tracer.processor.own(n, o.own)
		return trace.ContextWithSpan(inside, o.own)
	}
	n.starting = true
	ctx, span := n.tracer.tracer.Start(inside, name, o.options()...)
	n.starting = false // also where no processor saw the span
	if n.live != nil || span.IsRecording() {
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
		case fieldTopK:
			r.setTopK(int(o.number))
		case fieldNone:
		default:
			r.misplaced(op, o)
		}
	}
}

// set merges a value into a bucket, or delivers it as an update after the end.
func (r *recording) set(b convert.Bucket, v any) {
	if !r.active() {
		return
	}
	if raw, ok := v.(json.RawMessage); ok && len(raw) > 0 && r.add(part{text: string(raw), bucket: b, form: formRaw}) {
		return
	}
	write := rawjson.AppendOutline
	if r.kind == nil || !r.bare { // it is joined by the caller of End
		write = appendWhole
	}
	p, err := newPart(b, v, write)
	r.tracer().reportSet(b, err)
	if p.text != "" && !r.add(p) {
		o, _ := p.object()
		r.merge(b, o)
	}
}

func (r *recording) merge(b convert.Bucket, o honeyhive.Object) {
	if o.IsZero() || r.add(part{text: o.JSONText(), bucket: b}) {
		return
	}
	r.mu.Lock()
	if b == convert.Inputs { // one key of the metadata, which an update replaces
		rest := r.rest()
		rest.lateInputs = rest.lateInputs.Merge(o)
		o = rest.lateInputs
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
	if r.ended {
		return
	}
	for i := range r.parts { // of what says the same the later counts
		r.parts[i].tell(r)
	}
	r.toldMore = true
	for i := range kvs {
		r.special = r.special || convert.Identifies(string(kvs[i].Key))
	}
	r.setExtra(kvs...)
}

// setExtra sets attributes besides the buckets. The lock is held.
func (r *recording) setExtra(kvs ...attribute.KeyValue) {
	if r.extra == nil {
		r.extra = make([]attribute.KeyValue, 0, max(4, len(kvs)))
	}
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

func (r *recording) setDuration(ms float64) {
	r.mu.Lock()
	if !r.ended {
		r.rest().duration = honeyhive.Some(ms)
		r.mu.Unlock()
		return
	}
	r.mu.Unlock()
	r.update(func(u *honeyhive.Update) { u.Duration = honeyhive.Some(ms) })
}

func (r *recording) setEndTime(t time.Time) {
	r.mu.Lock()
	if !r.ended {
		r.rest().endTime = t
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
	if len(good) > 0 {
		r.rest().more = append(r.rest().more, good...)
	}
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
	r.mu.Lock()
	if !r.freeze() {
		r.mu.Unlock()
		return
	}
	var final []attribute.KeyValue
	alone := r.bare && r.node.tracer.alone()
	if !alone {
		final = r.written()
	}
	var err string
	var at time.Time
	if r.seldom != nil {
		err, at = r.seldom.err, r.seldom.endTime
	}
	r.unlock()
	if s := r.node.session; s != nil {
		s.settle()
	}
	if own := r.own(); own != nil {
		if !alone {
			own.sdk() // for those who read it
			own.SetAttributes(final...)
		}
		own.finish(at, err)
		return
	}
	if len(final) > 0 {
		r.span.SetAttributes(final...)
	}
	if err != "" {
		r.span.SetStatus(codes.Error, err)
	}
	if at.IsZero() {
		r.span.End()
		return
	}
	r.span.End(trace.WithTimestamp(at))
}

// written returns what the end writes to the span, and keeps it. The lock is
// held.
func (r *recording) written() []attribute.KeyValue {
	r.join()
	list := r.appendKnown(slices.Grow([]attribute.KeyValue(nil), r.countKnown()))
	r.final = list
	if r.node.tracer.offSpans {
		list = slices.DeleteFunc(slices.Clone(list), func(kv attribute.KeyValue) bool { return isContentKey(kv.Key) })
	}
	if !r.bare {
		return list
	}
	// Since the start somebody got hold of the provider.
	return append(r.node.appendStart(nil, r.node.above()), list...)
}

// freeze settles what the recording holds. It reports whether this call was the
// first. The lock is held.
func (r *recording) freeze() bool {
	if r.ended {
		return false
	}
	r.ended = true
	r.node.over.Store(true)
	if s := r.node.session; s != nil {
		if s.root == &r.node || r.node.hasChildren.Load() {
			r.children = s.listChildren(&r.node)
		}
		if r.seldom != nil {
			r.seldom.named = slices.Clip(r.seldom.more)
		}
		if s.root == &r.node {
			r.join() // others read it while it waits for its events
			r.rollUp()
		}
	}
	r.finished.size = r.weigh()
	return true
}

// endedPast settles what the recording holds when its span has ended, and reports
// whether the span was ended past its handle.
func (r *recording) endedPast() bool {
	r.mu.Lock()
	defer r.unlock()
	return r.freeze()
}

// countKnown returns how many attributes appendKnown appends at most, when all is
// joined. The lock is held.
func (r *recording) countKnown() int {
	n := len(r.extra)
	if r.buckets != nil {
		for b := range r.buckets {
			if !r.buckets[b].IsZero() {
				n++
			}
		}
	}
	if r.seldom != nil {
		n += 2
	}
	if r.seldom != nil || len(r.children) > 0 {
		n++
	}
	return n
}

// appendKnown appends what was set as attributes. The lock is held.
func (r *recording) appendKnown(list []attribute.KeyValue) []attribute.KeyValue {
	r.join()
	if r.buckets != nil {
		for b, o := range r.buckets {
			if !o.IsZero() {
				list = append(list, attribute.String(convert.Bucket(b).Attribute(), o.JSONText()))
			}
		}
	}
	return append(r.appendRest(list), r.extra...)
}

// appendRest appends what is neither a bucket nor set besides. The lock is held.
func (r *recording) appendRest(list []attribute.KeyValue) []attribute.KeyValue {
	if r.seldom != nil {
		if r.seldom.err != "" {
			list = append(list, attribute.String(honeyhive.AttrError, r.seldom.err))
		}
		if ms, ok := r.seldom.duration.Get(); ok {
			list = append(list, attribute.Float64(honeyhive.AttrDuration, ms))
		}
	}
	ids := r.children.ids()
	if r.seldom != nil {
		ids = append(ids, r.seldom.named...)
	}
	if len(ids) > 0 {
		list = append(list, attribute.StringSlice(honeyhive.AttrChildrenIDs, ids))
	}
	return list
}

// errOutside is reported where something is set that has no session to go to.
var errOutside = errors.New("sessionspan: an event outside a session was changed after its end: there is nothing to update")
