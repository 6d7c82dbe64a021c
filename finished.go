package sessionspan

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/spansize"
)

// finishedSpan is the queue's entry for a span that has ended: the span, and
// what its recording knows of it, which no limit of the provider has cut.
type finishedSpan struct {
	sdktrace.ReadOnlySpan
	node *node                // for a span that was found late, its place in the tree
	more []attribute.KeyValue // what was known at the end alone
	size int64                // about how many bytes it keeps in memory; before, what was set does

	whole atomic.Pointer[[]attribute.KeyValue] // once somebody asked for the attributes
}

var _ exporter.Detailed = (*finishedSpan)(nil)

// past reports whether the span was ended past its handle.
func (f *finishedSpan) past() bool { return f.node.rec != nil && f.node.rec.past }

func (f *finishedSpan) add(kv attribute.KeyValue) { f.more = append(f.more, kv) }

// measure estimates what the entry keeps in memory: the span, and what the
// recording has beside it because it is not on the span, or was cut there.
func (f *finishedSpan) measure() {
	const handle = 1536 // what StartEvent makes beside the span
	if s, ok := f.ReadOnlySpan.(*ownSpan); ok {
		// Nothing is on it, and it is over.
		f.size = handle + int64(len(s.name)+len(s.failure)) + s.rec.weighed() + spansize.Attributes(f.more)
		return
	}
	attributes, set := spansize.Attributes(f.ReadOnlySpan.Attributes()), int64(0)
	if r := f.node.rec; r != nil {
		set = r.weighed()
	}
	f.size = spansize.Bare(f.ReadOnlySpan) + spansize.Attributes(f.more)
	switch r := f.node.rec; {
	case r == nil:
		f.size += attributes
	case r.bare:
		f.size += handle + attributes + set
	default:
		f.size += handle + max(attributes, set+spansize.Attributes(f.node.says.attributes()))
	}
}

// ChildSpanCount returns how many spans started under the span, which one of the
// SDK that took over does not know.
func (f *finishedSpan) ChildSpanCount() int {
	if r := f.node.rec; r != nil {
		if own := r.own(); own != nil {
			return own.ChildSpanCount()
		}
	}
	return f.ReadOnlySpan.ChildSpanCount()
}

// Size returns about how many bytes the entry keeps in memory.
func (f *finishedSpan) Size() int64 { return f.size }

// Parsed returns the buckets of the recording, which are JSON objects.
func (f *finishedSpan) Parsed() *convert.Buckets {
	r := f.node.rec
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.unlock()
	r.join()
	return r.buckets
}

// Attributes returns the attributes of the span, whole.
func (f *finishedSpan) Attributes() []attribute.KeyValue {
	if list := f.whole.Load(); list != nil {
		return *list
	}
	var list []attribute.KeyValue
	if r := f.node.rec; r != nil && r.bare {
		list = f.assemble(r)
	} else {
		list = f.restore()
	}
	f.whole.CompareAndSwap(nil, &list) // two destinations may ask at once
	return *f.whole.Load()
}

// assemble returns the attributes of a span on which they were not written: what
// it had from its start, what the user wrote on it, and what its end knows, as
// they would stand on it.
func (f *finishedSpan) assemble(r *recording) []attribute.KeyValue {
	have, parent := f.ReadOnlySpan.Attributes(), f.node.above()
	r.mu.Lock()
	r.join()
	list := make([]attribute.KeyValue, 0, len(f.node.says.attributes())+startStamps+len(have)+r.countKnown()+len(f.more))
	list = f.node.appendStart(list, parent)
	if !f.past() {
		list = overlay(list, have, unlessCut)
	}
	known := r.appendKnown(list)[len(list):]
	r.unlock()
	list = overlay(list, known, always)
	if f.past() {
		list = overlay(list, have, unlessCut)
	}
	return overlay(list, f.more, ifCut)
}

// overlay adds attributes to a list, in whose spare room they may stand. wins
// says whether one replaces an older of its key.
func overlay(list, newer []attribute.KeyValue, wins func(old, value attribute.Value) bool) []attribute.KeyValue {
	n := len(list)
	for _, kv := range newer {
		if i := indexKey(list[:n], kv.Key); i < 0 {
			list = append(list, kv)
		} else if wins(list[i].Value, kv.Value) {
			list[i] = kv
		}
	}
	return list
}

func always(attribute.Value, attribute.Value) bool { return true }

// unlessCut is for values that a limit may have cut.
func unlessCut(old, value attribute.Value) bool { return !isPiece(value, old) }

// ifCut is for values that count only where a limit cut the one that is there.
func ifCut(old, value attribute.Value) bool { return isPiece(old, value) }

func indexKey(list []attribute.KeyValue, key attribute.Key) int {
	return slices.IndexFunc(list, func(kv attribute.KeyValue) bool { return kv.Key == key })
}

// errPast is reported when a span was ended by another handle than ours.
var errPast = errors.New("sessionspan: a session or event was ended by the End of its span; " +
	"payloads are whole all the same, but other exporters of the provider do not see what was set on it: call its own End")

// errCut is reported when the limits of a provider cut what was recorded.
var errCut = errors.New("sessionspan: the span limits of the tracer provider cut attributes of sessions; " +
	"payloads are whole all the same, but other exporters of the provider see the cut ones: raise AttributeCountLimit and AttributeValueLengthLimit")

// restore puts back what the limits of the provider cut. The SDK does not count
// all of its cuts, so lengths are compared.
func (f *finishedSpan) restore() []attribute.KeyValue {
	have := f.ReadOnlySpan.Attributes()
	out, copied, cut := have, false, false
	for kv, expected := range f.known() {
		i := indexKey(have, kv.Key)
		if i >= 0 && !isPiece(have[i].Value, kv.Value) {
			continue
		}
		cut = cut || expected
		if !copied {
			out, copied = append(make([]attribute.KeyValue, 0, len(have)+8), have...), true
		}
		if i >= 0 {
			out[i] = kv
		} else {
			out = append(out, kv)
		}
	}
	if cut && !f.past() {
		f.node.tracer.reports.Once("limits", errCut)
	}
	return out
}

// known yields what was set on the span, the newest value of each key, and
// whether the span should have it.
func (f *finishedSpan) known() iter.Seq2[attribute.KeyValue, bool] {
	return func(yield func(attribute.KeyValue, bool) bool) {
		n := f.node
		stamped, offSpans := n.stamped, false
		var stamps, final []attribute.KeyValue
		if r := n.rec; r != nil {
			stamps, offSpans, stamped = n.appendStamps(nil), r.node.tracer.offSpans, true
			r.mu.Lock()
			if final = r.final; final == nil { // ended past its handle
				final = r.appendKnown(nil)
			}
			r.unlock()
		}
		var identity []attribute.KeyValue
		if s := n.session; s != nil && s.recorded.Load() {
			identity = n.says.attributes()
		}
		for i, list := range [][]attribute.KeyValue{identity, stamps, final} {
			for _, kv := range list {
				if i < 2 && hasKey(final, string(kv.Key)) {
					continue
				}
				expected := !offSpans || !isContentKey(kv.Key)
				if !yield(kv, expected && (i > 0 || stamped)) {
					return
				}
			}
		}
		if parent := n.above(); !parent.IsZero() && !yield(attribute.String(honeyhive.AttrParentID, parent.String()), n.rec != nil && n.saysParent) {
			return
		}
		for _, kv := range f.more {
			if !yield(kv, false) {
				return
			}
		}
	}
}

// isPiece reports whether a value is what a limit leaves of another: a shorter
// one with the same start. Anything else that differs was set by somebody on
// purpose.
func isPiece(have, want attribute.Value) bool {
	if have.Type() != want.Type() {
		return false
	}
	switch want.Type() {
	case attribute.STRING:
		h, w := have.AsString(), want.AsString()
		return len(h) < len(w) && strings.HasPrefix(w, h)
	case attribute.STRINGSLICE:
		hs, ws := have.AsStringSlice(), want.AsStringSlice()
		for i := range min(len(hs), len(ws)) {
			if len(hs[i]) < len(ws[i]) && strings.HasPrefix(ws[i], hs[i]) {
				return true
			}
		}
	}
	return false
}

// liveSpan is a span that still runs, with what its recording holds so far.
type liveSpan struct {
	sdktrace.ReadOnlySpan
	rec *recording
}

func (l *liveSpan) Attributes() []attribute.KeyValue {
	r, list := l.rec, []attribute.KeyValue(nil)
	if r.bare {
		list = r.node.appendStart(nil, honeyhive.UUID{})
	}
	list = append(list, l.ReadOnlySpan.Attributes()...)
	r.mu.Lock()
	defer r.unlock()
	return r.appendKnown(list)
}
