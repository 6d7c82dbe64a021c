package sessionspan

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/fields"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tree"
	"github.com/sessionspan/sessionspan/internal/version"
)

// scopeName is the instrumentation scope of the spans that this package makes.
const scopeName = "github.com/sessionspan/sessionspan"

// ownScope is what the SDK makes of the name and version of the tracer.
var ownScope = scopeOf(scopeName, version.Version())

// entry is what the queue keeps of a span in a session, or of a span of ours outside of
// one: facts of the span and its place in the tree. An entry holds neither the handle
// nor the node, so that both can be collected.
type entry struct {
	span.Facts

	tracer   *Tracer
	identity *tree.Identity // nil outside a session
	self     tree.Ref
	parent   tree.Ref // zero for a session
	children tree.Children
}

// ownEntry is the queue's entry of a session or event of ours.
type ownEntry struct {
	entry

	kind        *kindInfo // nil for a session
	sessionName string    // at the start, of a session
	set         fields.Set
	valueLimit  int  // see span.Span
	endedBySpan bool // so that what is on the span counts more than what was set
}

var _, _ span.Source = (*ownEntry)(nil), (*foreignEntry)(nil)

// InSession returns the session that the span is part of, the nil UUID for none.
func (e *entry) InSession() [16]byte {
	if e.identity == nil {
		return [16]byte{}
	}
	return e.identity.Session
}

// show adds the place in a session to what is known.
func (e *entry) show(s *span.Span) *convert.Record {
	k := s.Know()
	if id := e.identity; id != nil {
		k.SessionID, k.Project, k.Source, k.Continued = id.Session, id.Project, id.Source, id.Continued
		k.SessionName = id.Name
		s.SessionID, s.Turn = id.Text, id.Turn
	}
	k.ParentID = e.parent.ID()
	if ids := e.children.IDs(); len(ids) > 0 {
		k.ChildrenIDs = honeyhive.Some(ids)
	}
	return k
}

// Show implements [span.Source].
func (e *ownEntry) Show(s *span.Span) {
	e.Facts.Show(s)
	k := e.show(s)
	k.EventID, k.Name = e.self.ID(), cmp.Or(validText(s.Name), "unknown")
	if e.kind == nil {
		k.Type, k.SessionName, k.IsSession = honeyhive.TypeSession, e.sessionName, true
	} else {
		k.Type, k.Operation, k.Kind = e.kind.eventType, e.kind.operation, e.kind.kind
	}
	others := s.Attributes
	if span.HasKey(others, honeyhive.AttrProject) {
		k.Project = ""
	}
	if span.HasKey(others, honeyhive.AttrSource) {
		k.Source = ""
	}
	err := e.set.Show(s)
	e.tracer.reports.Report("encode raw JSON", err)
	if e.kind == nil {
		k.Name = k.SessionName
	}
	if k.Operation != "" && span.HasKey(s.Attributes, genai.OperationName) {
		k.Operation = "" // the kind is the default of it
	}
	if e.endedBySpan {
		yield(s, k, others)
	}
	s.ValueLimit = e.valueLimit
}

// yield lets what is on a span count more than what was set on its handle.
func yield(s *span.Span, k *convert.Record, others []attribute.KeyValue) {
	for i := range others {
		switch key := string(others[i].Key); key {
		case honeyhive.AttrError:
			k.Error = ""
		case honeyhive.AttrDuration:
			k.Duration = honeyhive.Optional[float64]{}
		case honeyhive.AttrChildrenIDs:
			k.ChildrenIDs = honeyhive.Optional[[]string]{}
		default:
			for b := range k.Buckets {
				if key == convert.Bucket(b).Attribute() {
					k.Buckets[b] = honeyhive.Object{}
				}
			}
		}
		s.Attributes = append(slices.Clip(s.Attributes), others[i])
	}
	s.Attributes = lastOfEach(s.Attributes)
	s.GenAI = lacking(s.Attributes, s.GenAI)
}

// lastOfEach returns the attributes without those that come again.
func lastOfEach(list []attribute.KeyValue) []attribute.KeyValue {
	var out []attribute.KeyValue
	for i := range list {
		if !span.HasKey(list[i+1:], list[i].Key) {
			out = append(out, list[i])
		}
	}
	return out
}

// Size implements [span.Source].
func (e *ownEntry) Size() int64 {
	return e.Facts.Size() + e.set.Size() + int64(e.children.Len())*childSize
}

// childSize is about how many bytes keep a child, with its id as text.
const childSize = 80

// read takes from a span that has ended what others wrote on it, and finds out what
// the limits of the provider cut of what write wrote, if it did.
func (e *ownEntry) read(s sdktrace.ReadOnlySpan, wrote bool) {
	var others []attribute.KeyValue
	cut, written := false, 0
	for _, kv := range s.Attributes() {
		want, ours := e.stamped(kv)
		if !ours && !e.endedBySpan {
			want, ours = e.set.Value(kv.Key)
		}
		if !ours {
			others = append(others, kv)
			continue
		}
		written++
		if have := kv.Value.AsString(); wrote && kv.Value.Type() == attribute.STRING && len(have) < len(want) && strings.HasPrefix(want, have) {
			cut, e.valueLimit = true, utf8.RuneCountInString(have)
		}
	}
	if wrote && (cut || s.DroppedAttributes() > 0 && written < e.writes()) {
		e.tracer.reports.Once("limits", errCut)
	}
	if e.valueLimit == 0 {
		e.valueLimit = e.tracer.valueLimit
	}
	private := e.NoContent
	e.Facts = span.ReadFacts(s, others, &ownScope)
	e.NoContent = private
}

// stamped reports whether an attribute is one that stamp writes, and returns the text
// that stamp wrote. Another value under that name loses to the handle.
func (e *ownEntry) stamped(kv attribute.KeyValue) (text string, ok bool) {
	switch kv.Key {
	case honeyhive.AttrEventType:
		return "", true
	case genai.OperationName:
		return "", e.kind != nil && kv.Value.AsString() == e.kind.operation
	}
	if e.identity == nil {
		return "", false
	}
	switch kv.Key {
	case honeyhive.AttrSessionID:
		return e.identity.Text, true
	case honeyhive.AttrProject: // the place of an event says it, not its handle
		return e.identity.Project, strings.HasPrefix(e.identity.Project, kv.Value.AsString())
	case honeyhive.AttrSource:
		return e.identity.Source, strings.HasPrefix(e.identity.Source, kv.Value.AsString())
	case span.SessionIDOfOTel: // others have a right to it
		return e.identity.Text, strings.HasPrefix(e.identity.Text, kv.Value.AsString())
	case honeyhive.AttrSessionAutoCreate, honeyhive.AttrSessionName, honeyhive.AttrSessionContinued, honeyhive.AttrTurn,
		honeyhive.AttrEventID, honeyhive.AttrEventName, honeyhive.AttrParentID:
		return "", true
	case honeyhive.AttrChildrenIDs:
		return "", e.children.Len() > 0 && !e.endedBySpan
	}
	return "", false
}

// errCut is reported when the limits of a provider cut what was recorded.
var errCut = errors.New("sessionspan: the span limits of the tracer provider cut attributes of sessions; " +
	"payloads are whole all the same, but collectors and other exporters of the provider see the cut ones: raise AttributeCountLimit and AttributeValueLengthLimit")

// liveSession is the root of a session, or a turn, that still runs, with what was set by now. A
// worker that does not know yet that the session has ended may show the root after the
// end.
type liveSession struct{ rec *recording }

// InSession returns the session, or that of the turn.
func (l liveSession) InSession() [16]byte { return l.rec.node.Session.ID }

// Show implements [span.Source].
func (l liveSession) Show(s *span.Span) {
	r := l.rec
	r.mu.Lock()
	e := r.entry
	if e == nil || e.Start.IsZero() {
		e = r.newEntry(tree.Children{})
		e.parent = r.node.KnownParent()
		if r.entry != nil {
			e.set = r.entry.set
		} else {
			e.set = r.fields.Peek()
		}
		e.read(r.sdk, false)
	}
	r.mu.Unlock()
	e.Show(s)
}

// Size implements [span.Source]. What runs is not counted.
func (liveSession) Size() int64 { return 0 }

func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
