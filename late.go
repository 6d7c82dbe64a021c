package sessionspan

import (
	"cmp"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file finds sessions that were made by the plain OpenTelemetry API. Such a
// span may say that it is the root of a session, or which session it belongs to,
// only after it started. So a span outside of any session is looked at again:
// its running ancestors when a span starts or ends that would be an event, and
// itself when it ends. When a root is found, the spans that run under it join its
// session; what has ended by then is gone, but for spans that name their session
// themselves.

// mostAbove bounds how far up a root is looked for.
const mostAbove = 1 << 10

// saysSession reports whether a span says that it is the root of a session.
func saysSession(attributes []attribute.KeyValue) bool {
	return cmp.Or(text(attributes, honeyhive.AttrEventType), text(attributes, "honeyhive.event_type")) == honeyhive.TypeSession
}

// plainSession makes a node the root of a session of its own, and reports whether
// it is one after all.
func (p *processor) plainSession(n *node, name string, attributes []attribute.KeyValue) bool {
	rec := convert.Convert(&convert.Span{TraceID: n.key.trace, SpanID: n.key.span, Name: name, Attributes: attributes, Project: p.tracer.project})
	if !rec.IsSession {
		return false
	}
	n.session = &sessionState{root: n, id: rec.SessionID, plain: true}
	// The defaults of the tracer stay off the spans: those of another tracer on
	// the provider may differ.
	if named(attributes, honeyhive.AttrProject) {
		n.session.project = rec.Project
	}
	n.session.source = rec.Source
	if !hasKey(attributes, honeyhive.AttrSessionID) {
		if original, ok := rec.Buckets[convert.Metadata].Get(convert.OriginalSessionID); ok {
			n.session.original = rawjson.Unquote(string(original))
		}
	}
	n.session.record()
	n.says = n.session.identity
	return true
}

// record makes the spans of the session be delivered.
func (s *sessionState) record() {
	s.idText = s.id.String()
	s.setIdentity()
	s.recorded.Store(true)
}

// late looks again at a span that has ended outside of any session, and reports
// whether it is an event or a session after all: where its attributes say so, as
// for an exporter behind a plain span processor.
func (p *processor) late(n *node, f *finishedSpan) bool {
	attributes := f.ReadOnlySpan.Attributes()
	place := &node{tracer: p.tracer, key: n.key, rec: n.rec}
	if saysSession(attributes) && p.plainSession(place, f.Name(), attributes) {
		// What its children cause from now on waits for it.
		p.open(place.session, &livePlain{f.ReadOnlySpan, p.tracer})
		place.session.mu.Lock()
		p.gather(place)
		place.session.mu.Unlock()
		f.node = place
		return p.finish(place, f)
	}
	if !p.tracer.keeps(f.Name(), attributes) {
		return false
	}
	if n.rec == nil {
		if above := p.sessionAbove(keyOf(f.Parent())); above != nil && above.session.recorded.Load() {
			place.session, place.parent, place.event = above.session, above, above.event
			f.node = place
			place.session.attach(place)
			p.finish(place, f)
			place.session.settle()
			return true
		}
	}
	if !convert.InSession(attributes) {
		return false
	}
	// Who holds the session is not known, so nothing waits for it.
	f.add(attribute.Bool(honeyhive.AttrSessionContinued, true))
	f.addDefaults()
	return true
}

// sessionAbove returns the nearest running span, from k upwards, that is part of a
// session, or nil. A span outside of any session becomes the root of one where
// its attributes say so by now.
func (p *processor) sessionAbove(k spanKey) *node {
	n := p.spans.get(k)
	for range mostAbove {
		switch {
		case n == nil || n.others:
			return nil
		case n.session != nil:
			return n
		case n.rec == nil && saysSession(n.live.Attributes()):
			if !p.promote(n) {
				return nil
			}
			n = p.spans.get(k) // what runs in between has joined it
		default:
			n = p.spans.get(keyOf(n.live.Parent()))
		}
	}
	return nil
}

// promote makes a running span the root of a session. It returns false where the
// span is none after all.
func (p *processor) promote(n *node) bool {
	root := &node{tracer: p.tracer, key: n.key, live: n.live}
	if !p.plainSession(root, n.live.Name(), n.live.Attributes()) {
		return false
	}
	s := root.session
	s.mu.Lock() // until all is done the span cannot end
	defer s.mu.Unlock()
	if p.spans.swap(n, root) {
		p.begin(root, n.live)
		p.gather(root)
	}
	return true
}

// gather puts the spans that run under a root into its session. The lock of the
// session is held.
func (p *processor) gather(root *node) {
	outside := p.spans.outside(root.key.trace)
	places := map[spanKey]*node{root.key: root}
	var place func(k spanKey) *node
	place = func(k spanKey) *node {
		if there, ok := places[k]; ok {
			return there
		}
		n := outside[k]
		if n == nil {
			return nil
		}
		places[k] = nil
		attributes := n.live.Attributes()
		if n.rec == nil && saysSession(attributes) {
			return nil // one of its own
		}
		above := place(keyOf(n.live.Parent()))
		if places[k] = above; above == nil || n.rec != nil {
			return above
		}
		joined := &node{tracer: p.tracer, key: k, live: n.live, session: root.session, parent: above, standing: undecided}
		if p.tracer.keeps(n.live.Name(), attributes) {
			joined.standing = kept
		}
		if p.spans.swap(n, joined) { // it still runs
			root.session.place(joined)
			places[k] = joined
		}
		return places[k]
	}
	inOrder := slices.SortedFunc(maps.Values(outside), func(a, b *node) int { return a.live.StartTime().Compare(b.live.StartTime()) })
	for _, n := range inOrder {
		place(n.key)
	}
}

// named reports whether a span has the attribute, in either of its spellings.
func named(attributes []attribute.KeyValue, key string) bool {
	switch key {
	case honeyhive.AttrProject:
		return hasKey(attributes, key) || hasKey(attributes, "honeyhive_project")
	case honeyhive.AttrSource:
		return hasKey(attributes, key) || hasKey(attributes, "honeyhive_source")
	}
	return hasKey(attributes, key)
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

// defaults returns what the tracer says of sessions that do not say it themselves.
func (t *Tracer) defaults() []attribute.KeyValue {
	var list []attribute.KeyValue
	if t.project != "" {
		list = append(list, attribute.String(honeyhive.AttrProject, t.project))
	}
	return append(list, attribute.String(honeyhive.AttrSource, t.source))
}

// addDefaults adds the defaults of the tracer to the span of a session that was
// not started by it.
func (f *finishedSpan) addDefaults() {
	f.more = append(f.more, lacking(f.ReadOnlySpan.Attributes(), f.node.tracer.defaults())...)
}

// livePlain is the running root of a session that was made by the plain
// OpenTelemetry API.
type livePlain struct {
	sdktrace.ReadOnlySpan
	tracer *Tracer
}

func (l *livePlain) Attributes() []attribute.KeyValue {
	has := l.ReadOnlySpan.Attributes()
	return append(slices.Clip(has), lacking(has, l.tracer.defaults())...)
}
