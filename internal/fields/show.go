package fields

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/money"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tokens"
)

// Show adds the set to what is known of a span, in memory of that. Attributes that
// were set besides come before those that the span has already. The error says
// what is wrong with raw JSON, which is then shown as text.
func (s *Set) Show(to *span.Span) error {
	k := to.Know()
	err := s.showBuckets(to, &k.Buckets)
	if r := s.rare; r != nil {
		k.Project, k.Source = cmp.Or(r.project, k.Project), cmp.Or(r.source, k.Source)
		k.SessionName = cmp.Or(r.name, k.SessionName)
		k.Error, k.Failed, k.Duration = r.err, r.err != "", r.duration
		if metadata := &k.Buckets[convert.Metadata]; r.usage != nil && !counts(metadata) {
			*metadata = metadata.Merge(canonical.Object(to.Text(r.usage.Append)))
		}
		if metadata := &k.Buckets[convert.Metadata]; len(r.costs) > 0 && !priced(metadata) {
			*metadata = metadata.Merge(canonical.Object(to.Text(func(dst []byte) []byte { return money.Append(dst, r.costs) })))
		}
	}
	to.GenAI = append(to.GenAI, s.genAI...)
	for i := range s.parts[s.inGenAI:] {
		var list [mostGenAI]attribute.KeyValue
		for _, kv := range s.parts[s.inGenAI+i].appendGenAI(list[:0]) {
			to.GenAI = upsert(to.GenAI, kv)
		}
	}
	if total, ok := tokens.TotalOf(to.GenAI); ok && !k.Buckets[convert.Metadata].Has("total_tokens") {
		k.Buckets[convert.Metadata], _ = k.Buckets[convert.Metadata].With("total_tokens", total) // of counts that were set one by one
	}
	if len(s.attributes) > 0 {
		attributes := slices.Clip(s.attributes)
		for _, kv := range to.Attributes {
			if !span.HasKey(s.attributes, kv.Key) {
				attributes = append(attributes, kv)
			}
		}
		to.Attributes = attributes
	}
	return err
}

// WithoutContent returns the set without what users and models say: the configuration,
// the metadata and what few have are left.
func (s *Set) WithoutContent() Set {
	plain := func(b convert.Bucket) bool { return b == convert.Config || b == convert.Metadata }
	out := *s
	out.parts, out.inGenAI, out.genAI = nil, 0, nil
	for i := range s.parts {
		if plain(s.parts[i].bucket) {
			out.parts = append(out.parts, s.parts[i])
		}
	}
	if s.buckets != nil {
		out.buckets = new(convert.Buckets)
		for b := range s.buckets {
			if plain(convert.Bucket(b)) {
				out.buckets[b] = s.buckets[b]
			}
		}
	}
	if out.merging = s.merging.clone(); out.merging != nil {
		for b := range out.merging {
			if !plain(convert.Bucket(b)) {
				out.merging[b] = nil
			}
		}
	}
	return out
}

// counts reports whether metadata has counts of tokens.
func counts(metadata *honeyhive.Object) bool {
	return metadata.Has("prompt_tokens") || metadata.Has("completion_tokens") || metadata.Has("total_tokens")
}

// priced reports whether metadata has a cost.
func priced(metadata *honeyhive.Object) bool {
	return metadata.Has(money.CostKey) || metadata.Has(money.CostsKey) || metadata.Has("total_cost")
}

// value returns the value that a joined set has for an attribute of a bucket, or
// one that says a field again or was set besides. Of others it is empty.
func (s *Set) value(key attribute.Key) (v attribute.Value, ok bool) {
	if s.buckets != nil {
		for b := range s.buckets {
			if string(key) == convert.Bucket(b).Attribute() && !s.buckets[b].IsZero() {
				return attribute.StringValue(s.buckets[b].JSONText()), true
			}
		}
	}
	for _, list := range [...][]attribute.KeyValue{s.attributes, s.genAI} {
		for i := range list {
			if list[i].Key == key {
				return list[i].Value, true
			}
		}
	}
	r := s.rare
	if r == nil {
		return v, false
	}
	switch key {
	case honeyhive.AttrError:
		return attribute.StringValue(r.err), r.err != ""
	case honeyhive.AttrDuration:
		return v, !r.duration.IsZero()
	case honeyhive.AttrProject:
		return attribute.StringValue(r.project), r.project != ""
	case honeyhive.AttrSource:
		return attribute.StringValue(r.source), r.source != ""
	}
	return v, false
}

// Value returns the text that a joined set wrote to a span for an attribute, or
// "" where it is no text.
func (s *Set) Value(key attribute.Key) (text string, ok bool) {
	v, ok := s.value(key)
	if v.Type() == attribute.STRING {
		text = v.AsString()
	}
	return text, ok
}

// showBuckets fills in the buckets, in memory of the span where they must be
// written first.
func (s *Set) showBuckets(to *span.Span, buckets *convert.Buckets) (err error) {
	if s.buckets != nil {
		*buckets = *s.buckets
	}
	if s.merging != nil {
		s.merging.join(buckets)
	}
	var only [len(buckets)]*Part // what a bucket is of, as long as that is one part
	for i := range s.parts {
		p := &s.parts[i]
		b := &buckets[p.bucket]
		before := only[p.bucket]
		only[p.bucket] = nil
		switch {
		case b.IsZero():
			only[p.bucket] = p
		case before != nil && p.disjoint(before, b.JSONText()):
			*b = canonical.Object(to.Text(func(dst []byte) []byte { return p.extend(dst, b.JSONText()) }))
			continue
		}
		var o honeyhive.Object
		if p.form == formModel || p.form == formUsage || len(p.later) > 0 {
			o = canonical.Object(to.Text(p.write))
		} else {
			var problem error
			o, problem = p.object()
			err = errors.Join(err, problem)
		}
		if !o.IsZero() {
			*b = b.Merge(o)
		}
	}
	return err
}

// disjoint reports whether the part and the one before it, which was written as
// the text, certainly have no key in common, so that the JSON of the one may stand
// behind that of the other. False means: perhaps.
func (p *Part) disjoint(before *Part, text string) bool {
	if !before.uniqueKeys() || !p.uniqueKeys() || len(text) <= len("{}") {
		return false
	}
	keys := p.form.keys()
	if keys == nil {
		keys, text = before.form.keys(), p.text
	}
	for _, key := range keys {
		if strings.Contains(text, key) {
			return false
		}
	}
	return keys != nil
}

// uniqueKeys reports whether the part is an object that has no key twice, and whose
// keys stand in its text without escapes.
func (p *Part) uniqueKeys() bool {
	return p.form.keys() != nil || p.form == formMap && !strings.Contains(p.text, `\`)
}

// extend appends an object with the keys of the part behind its own.
func (p *Part) extend(dst []byte, object string) []byte {
	dst = append(dst, object[:len(object)-1]...)
	from := len(dst)
	if dst = p.write(dst); len(dst) == from+len("{}") {
		return append(dst[:from], '}')
	}
	dst[from] = ','
	return dst
}
