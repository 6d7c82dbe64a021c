package sessionspan

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/money"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tokens"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// foreignEntry is the queue's entry of a span of another tracer. What the span says
// itself counts more than what the tree knows of it.
type foreignEntry struct {
	entry

	plain     *tree.Plain    // of the root of a session that was made by the plain API
	usage     tokens.Usage   // of the events of that session
	costs     []money.Amount // the same
	continued bool           // who holds the session is not known
	defaults  bool           // the tracer's project and source count where the span names none
	untyped   string         // the type of an event that does not speak
	session   honeyhive.UUID // that it is part of, also where it is no event
}

// InSession returns the session that the span is part of.
func (f *foreignEntry) InSession() [16]byte { return f.session }

// Show implements [span.Source].
func (f *foreignEntry) Show(s *span.Span) {
	f.Facts.Show(s)
	f.showPlace(s)
}

func (f *foreignEntry) showPlace(s *span.Span) {
	if f.identity == nil && !f.continued && !f.defaults {
		return
	}
	k := f.show(s)
	has := s.Attributes
	if f.identity != nil && !silent(has, honeyhive.AttrSessionID, f.identity.Text) {
		k.SessionID = honeyhive.UUID{}
	}
	if !silent(has, honeyhive.AttrProject, k.Project) {
		k.Project = ""
	}
	if !silent(has, honeyhive.AttrSource, k.Source) {
		k.Source = ""
	}
	if !k.ParentID.IsZero() && !silent(has, honeyhive.AttrParentID, k.ParentID.String()) {
		k.ParentID = honeyhive.UUID{}
	}
	if span.HasKey(has, honeyhive.AttrChildrenIDs) {
		k.ChildrenIDs = honeyhive.Optional[[]string]{}
	}
	k.Continued = k.Continued || f.continued
	if f.defaults {
		if !named(has, honeyhive.AttrProject) {
			k.Project = cmp.Or(k.Project, f.tracer.project)
		}
		if !named(has, honeyhive.AttrSource) {
			k.Source = cmp.Or(k.Source, f.tracer.source)
		}
	}
	if f.plain != nil {
		f.showMetadata(k, has)
	}
	if f.untyped != "" && !span.HasKey(has, honeyhive.AttrEventType) {
		k.Type = f.untyped
	}
}

// showMetadata adds to the metadata how the span names its session, and what the
// events used and cost, unless the span says either.
func (f *foreignEntry) showMetadata(k *convert.Record, has []attribute.KeyValue) {
	var own honeyhive.Object
	text := textOf(has, honeyhive.AttrMetadata)
	if text != "" {
		own, _ = honeyhive.ParseObject(text)
	}
	var more honeyhive.Object
	if _, said := tokens.Read(has); !said && text == "" && f.usage.Known != 0 {
		more = canonical.Object(string(f.usage.Append(nil)))
		for key := range more.All() {
			if span.HasKey(has, attribute.Key(honeyhive.AttrMetadata+"."+key)) {
				more = more.Without(key)
			}
		}
	}
	if _, said := tree.ReadCost(has); !said && text == "" && len(f.costs) > 0 && !span.HasKey(has, honeyhive.AttrMetadata+"."+money.CostKey) {
		more = more.Merge(canonical.Object(string(money.Append(nil, f.costs))))
	}
	if f.plain.Original != "" && !span.HasKey(has, honeyhive.AttrMetadata+"."+convert.OriginalSessionID) {
		more, _ = more.With(convert.OriginalSessionID, f.plain.Original)
	}
	if more.IsEmpty() || text != "" && rawjson.KindOf(own.JSONText()) != rawjson.Object {
		return
	}
	k.Buckets[convert.Metadata] = own.Merge(more)
}

// silent reports whether a span does not say an attribute itself: it is missing, or
// what we wrote, or what a limit of the provider left of that.
func silent(has []attribute.KeyValue, key, want string) bool {
	if !named(has, key) {
		return true
	}
	for i := range has {
		if string(has[i].Key) == key {
			return strings.HasPrefix(want, has[i].Value.AsString())
		}
	}
	return false
}

// Size implements [span.Source].
func (f *foreignEntry) Size() int64 {
	return f.Facts.Size() + int64(f.children.Len())*childSize
}

// ownElsewhere is an event of ours outside of a session whose attributes name one.
type ownElsewhere struct {
	*ownEntry
	place *foreignEntry
}

// InSession returns the session that the attributes name.
func (o ownElsewhere) InSession() [16]byte { return o.place.session }

// Show implements [span.Source].
func (o ownElsewhere) Show(s *span.Span) {
	o.ownEntry.Show(s)
	o.place.showPlace(s)
}

// livePlain is the running root of a session that was made by the plain
// OpenTelemetry API.
type livePlain struct {
	span  sdktrace.ReadOnlySpan
	entry foreignEntry
}

// InSession returns the session.
func (l *livePlain) InSession() [16]byte { return l.entry.entry.InSession() }

// Show implements [span.Source].
func (l *livePlain) Show(s *span.Span) {
	span.Live{Span: l.span}.Show(s)
	l.entry.showPlace(s)
}

// Size implements [span.Source]. What runs is not counted.
func (*livePlain) Size() int64 { return 0 }

// saysSession reports whether a span says that it is the root of a session.
func saysSession(attributes []attribute.KeyValue) bool {
	return cmp.Or(textOf(attributes, honeyhive.AttrEventType), textOf(attributes, "honeyhive.event_type")) == honeyhive.TypeSession
}

func textOf(attributes []attribute.KeyValue, key string) string {
	for i := range attributes {
		if string(attributes[i].Key) == key {
			return attributes[i].Value.AsString()
		}
	}
	return ""
}

// named reports whether a span has the attribute, in either of its spellings.
func named(attributes []attribute.KeyValue, key string) bool {
	switch key {
	case honeyhive.AttrProject:
		return span.HasKey(attributes, honeyhive.AttrProject) || span.HasKey(attributes, "honeyhive_project")
	case honeyhive.AttrSource:
		return span.HasKey(attributes, honeyhive.AttrSource) || span.HasKey(attributes, "honeyhive_source")
	}
	return span.HasKey(attributes, attribute.Key(key))
}

// lacking returns those of a list that a span does not have.
func lacking(has, list []attribute.KeyValue) []attribute.KeyValue {
	var out []attribute.KeyValue
	for _, kv := range list {
		if !named(has, string(kv.Key)) {
			out = append(out, kv)
		}
	}
	return out
}
