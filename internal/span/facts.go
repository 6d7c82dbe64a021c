package span

import (
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// Facts are what a span of the SDK says, copied when it has ended, so that neither
// the span nor what its context holds is kept.
type Facts struct {
	Context, Parent trace.SpanContext
	Name            string
	Start, End      time.Time
	Status          sdktrace.Status
	Kind            trace.SpanKind

	resource *resource.Resource
	scope    *instrumentation.Scope // nil: it is in rare
	children int32
	// NoContent is as in Span.
	NoContent bool
	rare      *rare // nil where there is nothing of it
}

// rare is what most spans of this library do not have.
type rare struct {
	attributes                                     []attribute.KeyValue
	events                                         []sdktrace.Event
	links                                          []sdktrace.Link
	scope                                          instrumentation.Scope
	droppedAttributes, droppedEvents, droppedLinks int
}

// ReadFacts copies the facts of a span, with the given attributes in place of its
// own. A scope that equals own is not copied.
func ReadFacts(s sdktrace.ReadOnlySpan, attributes []attribute.KeyValue, own *instrumentation.Scope) Facts {
	f := Facts{
		Context: s.SpanContext(), Parent: s.Parent(), Name: s.Name(), Start: s.StartTime(), End: s.EndTime(),
		Status: s.Status(), Kind: s.SpanKind(), resource: s.Resource(), children: int32(min(s.ChildSpanCount(), math.MaxInt32)), //nolint:gosec // see min
		NoContent: HasKey(attributes, honeyhive.AttrWithoutContent),
	}
	scope := s.InstrumentationScope()
	if own != nil && scope == *own {
		f.scope = own
	}
	events, links := s.Events(), s.Links()
	dropped := [...]int{s.DroppedAttributes(), s.DroppedEvents(), s.DroppedLinks()}
	if f.scope == nil || len(attributes)+len(events)+len(links) > 0 || dropped != [3]int{} {
		f.rare = &rare{attributes, events, links, scope, dropped[0], dropped[1], dropped[2]}
	}
	return f
}

// Attributes returns the attributes, which are shared.
func (f *Facts) Attributes() []attribute.KeyValue {
	if f.rare == nil {
		return nil
	}
	return f.rare.attributes
}

// AddAttribute adds an attribute to those of the span, as long as nobody else has the
// facts.
func (f *Facts) AddAttribute(kv attribute.KeyValue) {
	more := new(rare)
	if f.rare != nil {
		*more = *f.rare
	}
	more.attributes = append(slices.Clip(more.attributes), kv)
	f.rare = more
}

// Show implements [Source] for facts of which nothing more is known.
func (f *Facts) Show(s *Span) {
	s.Context, s.Parent, s.Name, s.Kind = f.Context, f.Parent, f.Name, f.Kind
	s.Start, s.End, s.Status, s.Resource, s.ChildSpanCount = f.Start, f.End, f.Status, f.resource, int(f.children)
	s.NoContent = f.NoContent
	if f.scope != nil {
		s.Scope = *f.scope
	}
	r := f.rare
	if r == nil {
		return
	}
	s.Attributes, s.Events, s.Links = r.attributes, r.events, r.links
	s.DroppedAttributes, s.DroppedEvents, s.DroppedLinks = r.droppedAttributes, r.droppedEvents, r.droppedLinks
	if f.scope == nil {
		s.Scope = r.scope
	}
}

// Failed reports whether the span says that it failed, by its facts or by attributes that
// were set besides.
func (f *Facts) Failed(besides []attribute.KeyValue) bool {
	if f.Status.Code == codes.Error {
		return true
	}
	var s Span
	f.Show(&s)
	if len(s.Attributes)+len(s.Events)+len(besides) == 0 {
		return false
	}
	s.Attributes = append(slices.Clip(s.Attributes), besides...)
	var n convert.Span
	s.Neutral(&n)
	return convert.Failed(&n)
}

const (
	// factsSize is about what facts take with the record of the queue around them.
	factsSize = 776
	rareSize  = 256
)

// Size implements [Source].
func (f *Facts) Size() int64 {
	n := factsSize + int64(len(f.Name)+len(f.Status.Description))
	if f.rare == nil {
		return n
	}
	n += rareSize + AttributesSize(f.rare.attributes)
	for i := range f.rare.events {
		n += 2*word + int64(len(f.rare.events[i].Name)) + AttributesSize(f.rare.events[i].Attributes)
	}
	for i := range f.rare.links {
		n += 2*word + AttributesSize(f.rare.links[i].Attributes)
	}
	return n
}

// FromSDK returns a span of the SDK that has ended as a source.
func FromSDK(s sdktrace.ReadOnlySpan) Source {
	f := ReadFacts(s, s.Attributes(), nil)
	return &f
}

// Live is a span of the SDK that still runs, as a source that shows what it says
// by then.
type Live struct{ Span sdktrace.ReadOnlySpan }

// Show implements [Source].
func (l Live) Show(s *Span) {
	f := ReadFacts(l.Span, l.Span.Attributes(), nil)
	f.Show(s)
}

// Size implements [Source]. What runs is not counted.
func (Live) Size() int64 { return 0 }
