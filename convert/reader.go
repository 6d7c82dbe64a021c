package convert

import (
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// reader collects what one span says, attribute by attribute.
type reader struct {
	buckets [numBuckets]bucketReader
	spanState
}

// spanState is what a reader does not use again for the next span.
type spanState struct {
	span  *Span
	known *Record // the zero record where nothing is
	trees []family

	sessionID, sessionName, project, source ranked
	eventID, eventName, parentID            ranked
	eventType, kind, err, errType           ranked
	traceName                               ranked // names the session where nothing names one otherwise
	held                                    []held
	dialects                                uint32 // whose rules were asked
	promptTokens, completionTokens          ranked
	continued                               bool
	duration                                honeyhive.Optional[float64]
	children                                honeyhive.Optional[[]string]
	exception                               *Event
	exceptionAttrs                          []attribute.KeyValue

	genAI         genAIParts
	openInference openInferenceParts
	traceloop     traceloopParts
	langfuse      langfuseParts
	langSmith     langSmithParts
	mastra        mastraParts
	genkit        genkitParts
	liveKit       liveKitParts
}

// readers are used again: most of what a span takes is the same for the next.
var readers = sync.Pool{New: func() any { return new(reader) }}

// unknown is what is known of most spans beside their attributes.
var unknown Record

func newReader(s *Span) *reader {
	r := readers.Get().(*reader)
	r.span, r.known = s, &unknown
	return r
}

func (r *reader) free() {
	for i := range r.buckets {
		r.buckets[i].reset()
	}
	r.spanState = spanState{}
	readers.Put(r)
}

// held is an attribute that waits for the others.
type held struct {
	name  string
	value attribute.Value
}

// take returns an attribute that was held, and lets go of it.
func (r *reader) take(name string) (v attribute.Value, ok bool) {
	for i := range r.held {
		if r.held[i].name == name {
			v, ok = r.held[i].value, true
			r.held[i].name = ""
		}
	}
	return v, ok
}

// takeText is take for the JSON that an attribute stands for, or "".
func (r *reader) takeText(name string) string {
	v, ok := r.take(name)
	if !ok {
		return ""
	}
	return structured(v)
}

// has reports whether the span has an attribute whose name begins so.
func (r *reader) has(prefixes ...string) bool {
	for i := range r.span.Attributes {
		if hasPrefix(string(r.span.Attributes[i].Key), prefixes) {
			return true
		}
	}
	return false
}

// family is what stands under the prefix of an indexed rule.
type family struct {
	prefix string
	tree   *tree
}

// ranked is a text whose best source counts, of equal ones the last.
type ranked struct {
	text string
	from rank
	set  bool
}

func (t *ranked) put(text string, from rank) {
	if text != "" && (!t.set || from <= t.from) {
		*t = ranked{valid(text), from, true}
	}
}

// attribute reads an attribute by the rule of its name.
func (r *reader) attribute(kv attribute.KeyValue) {
	key := valid(string(kv.Key))
	if key == "" || r.knows(key) {
		return
	}
	// Without a value an attribute says nothing, but that a key of a bucket is null.
	if kv.Value.Type() == attribute.EMPTY && !strings.HasPrefix(key, "honeyhive_") {
		return
	}
	if found := exactRules[key]; found != nil {
		r.dialects |= found.dialect
		if kv.Value.Type() != attribute.EMPTY {
			found.read(r, kv.Value, found.from)
		}
		return
	}
	if found, rest := prefixRule(key); found != nil {
		r.dialects |= found.dialect
		found.readBelow(r, rest, kv.Value, found.from)
		return
	}
	r.buckets[Metadata].putValue(key, kv.Value, rankRest)
}

// finish reads what several attributes say together, and keeps in the metadata
// what no dialect understands of the families that it asked for.
func (r *reader) finish() {
	for i := range dialects {
		if d := &dialects[i]; d.finish != nil && (!d.sometimes || r.dialects&(1<<i) != 0) {
			d.finish(r, d.base)
		}
	}
	for _, h := range r.held { // of a name that means something elsewhere
		if h.name != "" {
			r.buckets[Metadata].putValue(h.name, h.value, rankRest)
		}
	}
	for _, f := range r.trees {
		if !f.tree.taken {
			f.tree.rest(f.prefix, func(name string, value *tree) { r.buckets[Metadata].put(name, value.json(), rankRest) })
		}
	}
}

// tree returns the tree of a family, a new one where the span had none of it.
func (r *reader) tree(prefix string) *tree {
	if t := r.below(prefix); t != nil {
		return t
	}
	t := new(tree)
	r.trees = append(r.trees, family{prefix, t})
	return t
}

// below returns what the span has of a family, or nil.
func (r *reader) below(prefix string) *tree {
	for _, f := range r.trees {
		if f.prefix == prefix {
			return f.tree
		}
	}
	return nil
}

// elements takes the elements of a family that is a list; see [tree.take].
func (r *reader) elements(prefix, name string) []*tree { return r.below(prefix).take(name) }

// whole reads an attribute that holds a bucket. What is no object is wrapped.
func (r *reader) whole(b Bucket, v attribute.Value, from rank) {
	text := structured(v)
	if rawjson.KindOf(text) != rawjson.Object {
		r.buckets[b].put(b.Wrap(), text, from)
		return
	}
	r.buckets[b].whole = canonical.Object(text)
}
