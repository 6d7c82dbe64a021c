package exporter

import (
	"slices"
	"strconv"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/redact"
)

// A Redactor returns the text that may leave the program in place of text. key
// says where it stands: the name of an attribute, with a dotted path inside a
// bucket or other JSON (honeyhive_inputs.chat_history.0.content), or "name",
// "status", "event" for the name of a span event, "scope" for what is said of an
// instrumentation scope, or "key" for the name of an attribute or of a member of JSON.
// A string in JSON that holds JSON itself is shown as a whole, and then the strings in
// it. Numbers are not shown.
//
// It runs on a worker goroutine, may be called for the same text more than
// once, and must be safe for concurrent use. Where it panics the text becomes
// "[redaction failed]": nothing leaves unredacted.
type Redactor func(key, text string) string

// redactionFailed stands for a text whose redactor panicked.
const redactionFailed = "[redaction failed]"

// policy returns a policy that asks the redactor alone.
func (r Redactor) policy() *redact.Policy {
	p, _ := redact.New(redact.WithoutDetectors(), redact.WithFunc(func(v redact.Value) (out string) {
		defer func() {
			if recover() != nil {
				out = redactionFailed
			}
		}()
		switch v.Kind {
		case redact.Number:
			return v.Text
		case redact.Key:
			return r("key", v.Text)
		}
		return r(v.Path, v.Text)
	}, 0))
	return p
}

// add adds a policy. The list is copied: options may be given to several exporters.
func (p *privacy) add(policy *redact.Policy) {
	p.policies = append(slices.Clip(p.policies), policy)
}

// text passes a text through the policies.
func (p *privacy) text(key, text string) string {
	for _, policy := range p.policies {
		text = policy.Text(key, text)
	}
	return text
}

// number passes a number through the policies, and reports whether it still is one.
func (p *privacy) number(key, text string) (out string, same bool) {
	out = text
	for _, policy := range p.policies {
		if out == text {
			out = policy.Number(key, out)
		} else {
			out = policy.Text(key, out)
		}
	}
	return out, out == text
}

// object passes a bucket through the policies.
func (p *privacy) object(key string, o honeyhive.Object) honeyhive.Object {
	for _, policy := range p.policies {
		o = policy.Object(key, o)
	}
	return o
}

// removes reports whether a policy leaves out what stands at a key.
func (p *privacy) removes(key string) bool {
	return slices.ContainsFunc(p.policies, func(policy *redact.Policy) bool { return policy.Removes(key) })
}

// name passes the name of an attribute through the policies.
func (p *privacy) name(key string) attribute.Key {
	name := key
	for _, policy := range p.policies {
		name = policy.Name(key, name)
	}
	return attribute.Key(name)
}

// attributes returns a copy of what the destination may see.
func (p *privacy) attributes(kvs []attribute.KeyValue) []attribute.KeyValue {
	if p.gate != nil {
		kvs = p.gate.Attributes(kvs)
	}
	if len(p.policies) == 0 {
		return kvs
	}
	return p.redacted(kvs)
}

// redacted returns a copy that is redacted. Of names that are the same when they are
// redacted each has its number.
func (p *privacy) redacted(kvs []attribute.KeyValue) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(kvs))
	var taken map[attribute.Key]int
	for _, kv := range kvs {
		key := string(kv.Key)
		switch {
		case identity[key]:
			out = append(out, p.identity(kv, kvs))
			continue
		case p.removes(key):
			continue
		}
		name := p.name(key)
		if name != kv.Key {
			if taken == nil {
				taken = make(map[attribute.Key]int)
			}
			if taken[name]++; taken[name] > 1 {
				name += attribute.Key("#" + strconv.Itoa(taken[name]))
			}
		}
		out = append(out, attribute.KeyValue{Key: name, Value: p.value(key, kv.Value)})
	}
	return out
}

// identity returns an attribute with an id or a type. Text that is none may be
// anything, such as an address.
func (p *privacy) identity(kv attribute.KeyValue, all []attribute.KeyValue) attribute.KeyValue {
	redacted := func() attribute.KeyValue {
		return attribute.KeyValue{Key: kv.Key, Value: p.value(string(kv.Key), kv.Value)}
	}
	if kv.Value.Type() != attribute.STRING {
		if kv.Key != honeyhive.AttrChildrenIDs || kv.Value.Type() != attribute.STRINGSLICE {
			return redacted()
		}
		ids := slices.Clone(kv.Value.AsStringSlice())
		for i, id := range ids {
			if _, err := honeyhive.ParseUUID(id); err != nil {
				ids[i] = p.text(string(kv.Key), id)
			}
		}
		return kv.Key.StringSlice(ids)
	}
	text := kv.Value.AsString()
	_, err := honeyhive.ParseUUID(text)
	switch kv.Key {
	case honeyhive.AttrSessionID:
		// The conversion derives the id from the text. Other destinations are
		// given what it derives.
		if err != nil && text != "" && !p.converts {
			return kv.Key.String(honeyhive.SessionID(textOf(all, honeyhive.AttrProject), text).String())
		}
		return kv
	case honeyhive.AttrEventID, honeyhive.AttrParentID:
		if err == nil {
			return kv
		}
	case honeyhive.AttrEventType:
		switch text {
		case honeyhive.TypeSession, honeyhive.TypeModel, honeyhive.TypeTool, honeyhive.TypeChain:
			return kv
		}
	}
	return redacted()
}

func textOf(kvs []attribute.KeyValue, key attribute.Key) string {
	for _, kv := range kvs {
		if kv.Key == key {
			return kv.Value.AsString()
		}
	}
	return ""
}

// originals redacts what the conversion kept of a session id that was none.
func (p *privacy) originals(rec *convert.Record) {
	metadata := &rec.Buckets[convert.Metadata]
	if v, ok := metadata.Get(convert.OriginalSessionID); ok && len(p.policies) > 0 {
		text := p.text(honeyhive.AttrSessionID, rawjson.Unquote(string(v)))
		*metadata, _ = metadata.With(convert.OriginalSessionID, text)
	}
}

// value redacts the value of an attribute. What is no text becomes one where it is
// redacted.
func (p *privacy) value(key string, v attribute.Value) attribute.Value {
	at := func(i int) string { return key + "." + strconv.Itoa(i) }
	switch v.Type() {
	case attribute.STRING:
		return attribute.StringValue(p.text(key, v.AsString()))
	case attribute.STRINGSLICE:
		list := slices.Clone(v.AsStringSlice())
		for i, s := range list {
			list[i] = p.text(at(i), s)
		}
		return attribute.StringSliceValue(list)
	case attribute.BYTESLICE:
		return attribute.ByteSliceValue([]byte(p.text(key, string(v.AsByteSlice()))))
	case attribute.SLICE:
		list := slices.Clone(v.AsSlice())
		for i, e := range list {
			list[i] = p.value(at(i), e)
		}
		return attribute.SliceValue(list...)
	case attribute.MAP:
		list := make([]attribute.KeyValue, 0, len(v.AsMap()))
		for _, kv := range v.AsMap() {
			inner := key + "." + string(kv.Key)
			if p.removes(inner) {
				continue
			}
			name := string(kv.Key)
			for _, policy := range p.policies {
				name = policy.Name(inner, name)
			}
			list = append(list, attribute.KeyValue{Key: attribute.Key(name), Value: p.value(inner, kv.Value)})
		}
		return attribute.MapValue(list...)
	case attribute.INT64, attribute.FLOAT64, attribute.BOOL:
		if out, same := p.scalar(key, v); !same {
			return attribute.StringValue(out)
		}
	case attribute.INT64SLICE:
		return numbers(p, key, v, v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return numbers(p, key, v, v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.BOOLSLICE:
		return numbers(p, key, v, v.AsBoolSlice(), attribute.BoolValue)
	}
	return v
}

// scalar returns what becomes of a number or a boolean, and whether it stays.
func (p *privacy) scalar(key string, v attribute.Value) (out string, same bool) {
	if v.Type() != attribute.BOOL {
		return p.number(key, v.String())
	}
	text := strconv.FormatBool(v.AsBool())
	out = text
	for _, policy := range p.policies {
		out = policy.JSON(key, out)
	}
	return rawjson.Unquote(out), out == text
}

// numbers redacts a list of what is no text. It becomes a list of texts where one of
// them is redacted.
func numbers[T any](p *privacy, key string, v attribute.Value, list []T, of func(T) attribute.Value) attribute.Value {
	texts, redacted := make([]string, len(list)), false
	for i, e := range list {
		var same bool
		texts[i], same = p.scalar(key+"."+strconv.Itoa(i), of(e))
		redacted = redacted || !same
	}
	if !redacted {
		return v
	}
	return attribute.StringSliceValue(texts)
}

// spanContext leaves the state of a trace out that is redacted: it has a form of its own.
func (p *privacy) spanContext(c trace.SpanContext) trace.SpanContext {
	if state := c.TraceState().String(); state != "" && p.text("tracestate", state) != state {
		return c.WithTraceState(trace.TraceState{})
	}
	return c
}

// common is what many spans have in common, redacted once.
type common struct {
	mu        sync.Mutex
	resources map[*resource.Resource]*resource.Resource
	scopes    map[instrumentation.Scope]instrumentation.Scope
}

// mostCommon is how many are remembered: programs have few.
const mostCommon = 256

func (c *common) resource(p *privacy, r *resource.Resource) *resource.Resource {
	if r == nil {
		return nil
	}
	c.mu.Lock()
	out, ok := c.resources[r]
	c.mu.Unlock()
	if ok {
		return out
	}
	if out = resource.NewWithAttributes(p.text("resource", r.SchemaURL()), p.attributes(r.Attributes())...); out.Equal(r) && out.SchemaURL() == r.SchemaURL() {
		out = r
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resources == nil || len(c.resources) >= mostCommon {
		c.resources = make(map[*resource.Resource]*resource.Resource)
	}
	c.resources[r] = out
	return out
}

func (c *common) scope(p *privacy, s instrumentation.Scope) instrumentation.Scope {
	c.mu.Lock()
	out, ok := c.scopes[s]
	c.mu.Unlock()
	if ok {
		return out
	}
	out = instrumentation.Scope{Name: p.text("scope", s.Name), Version: p.text("scope", s.Version), SchemaURL: p.text("scope", s.SchemaURL)}
	out.Attributes = attribute.NewSet(p.attributes(s.Attributes.ToSlice())...)
	if out.Attributes.Len() == 0 {
		out.Attributes = s.Attributes // none, as the scope has it
		if s.Attributes.Len() > 0 {
			out.Attributes = attribute.Set{}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.scopes == nil || len(c.scopes) >= mostCommon {
		c.scopes = make(map[instrumentation.Scope]instrumentation.Scope)
	}
	c.scopes[s] = out
	return out
}

// redact leaves of the span that is shown what the destination may see. A session that
// a span names by another attribute than our own keeps its id, though the name is
// redacted: of two names that become the same the sessions stay two.
func (v *view) redact() {
	s := &v.span
	p := v.privacy.of(s)
	if p.off() {
		return
	}
	if len(p.policies) == 0 || s.Known != nil && !s.Known.SessionID.IsZero() || span.HasKey(s.Attributes, honeyhive.AttrSessionID) {
		p.span(s)
		return
	}
	before := read(v, convert.Identify, v.project, v.source).SessionID
	p.span(s)
	if !before.IsZero() && read(v, convert.Identify, v.project, v.source).SessionID != before {
		s.Know().SessionID = before
	}
}
