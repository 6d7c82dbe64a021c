package exporter

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/lent"
)

// MetadataIncomplete is the metadata key that is true on a session which was
// still open when its program ended.
const MetadataIncomplete = "incomplete"

// payloads is a destination that takes sessions, events and updates. How they
// are written, and where they go, is up to its transport.
type payloads struct {
	transport
	privacy         privacy
	cut             cutter
	project, source string // for spans that name none
	// What Encode, which is called by one goroutine, uses again and again.
	span       convert.Span
	lent       lent.Span
	attributes []attribute.KeyValue
}

// transport is what the destinations of payloads differ in.
type transport interface {
	// appendSession writes the payload of a session, and returns an update to
	// send after it where the payload cannot carry all.
	appendSession(dst []byte, s *honeyhive.SessionStartRequest) ([]byte, *honeyhive.Update)
	appendEvent(dst []byte, e *honeyhive.Event) []byte
	Send(ctx context.Context, batch []*delivery.Record) delivery.Result
}

// sessionRecord is the Value of the record of a session, for Amend.
type sessionRecord struct{ request honeyhive.SessionStartRequest }

// eventRecord is the Value of the record of an event, for Announce.
type eventRecord struct{ project, source, sessionName string }

// Encode converts a span, or writes an update.
func (p *payloads) Encode(r *delivery.Record) error {
	switch v := r.Value.(type) {
	case sdktrace.ReadOnlySpan:
		if p.encodeLent(r, v) {
			return nil
		}
		rec := p.convert(v)
		p.encodeRecord(r, &rec)
		p.lent.Clear()
	case *update:
		u := p.cut.update(p.privacy.update(v.build()))
		id, err := honeyhive.ParseUUID(u.EventID.Or(""))
		if err != nil {
			return fmt.Errorf("update: %w", err)
		}
		r.Kind, r.Group, r.ID, r.Value = delivery.Update, v.session, id, nil
		r.Body = u.AppendJSON(r.Body)
	default:
		return fmt.Errorf("nothing to do with a %T", v)
	}
	return nil
}

// convert is the one conversion, with this destination's privacy and defaults.
func (p *payloads) convert(s sdktrace.ReadOnlySpan) convert.Record {
	p.span = neutralSpan(p.cut.span(p.privacy.span(s)))
	p.span.Project, p.span.Source = p.project, p.source
	rec := convert.Convert(&p.span)
	p.span = convert.Span{} // nothing of it is kept until the next one comes
	p.privacy.originals(&rec)
	return rec
}

// What the payload of an event takes, about, besides its texts, and for each child.
const (
	eventFrame = 480
	childFrame = 39
)

// encodeLent writes the payload of a span that knows what its attributes would be,
// and mostly what the conversion would make of them. It reports whether it did.
func (p *payloads) encodeLent(r *delivery.Record, s sdktrace.ReadOnlySpan) bool {
	l, ok := s.(lent.Lender)
	if !ok || !p.privacy.off() || p.cut.tooLong(s) {
		return false
	}
	defer p.lent.Clear()
	rec := &p.lent.Record
	if l.LendRecord(&p.lent) {
		rec.Project, rec.Source = cmp.Or(rec.Project, valid(p.project)), cmp.Or(rec.Source, valid(p.source))
	} else {
		p.lent.Clear()
		if !l.LendAttributes(&p.lent) {
			return false
		}
		parsed := rec.Buckets
		p.attributes = append(append(append(p.attributes[:0], p.lent.Identity...), p.lent.Clean...), p.lent.Attributes...)
		p.span = neutralWith(s, p.attributes)
		p.span.Parsed, p.span.Project, p.span.Source = &parsed, p.project, p.source
		*rec = convert.Convert(&p.span)
		p.span = convert.Span{}
		clear(p.attributes)
	}
	children, _ := rec.ChildrenIDs.Get()
	size := eventFrame + len(rec.Name) + len(rec.Error) + childFrame*len(children)
	for b := range rec.Buckets {
		size += len(rec.Buckets[b].JSONText())
	}
	r.Body = r.Room(size)
	p.encodeRecord(r, rec)
	return true
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// encodeRoot writes the payload of a session into the record.
func (p *payloads) encodeRoot(r *delivery.Record, s honeyhive.SessionStartRequest) {
	id, _ := honeyhive.ParseUUID(s.SessionID.Or(""))
	r.Kind, r.Group, r.ID, r.Value = delivery.Opener, id, id, &sessionRecord{s}
	body, rest := p.appendSession(r.Body, &s)
	r.Body = body
	if rest != nil {
		r.Follow = updateRecord(id, rest)
	}
}

func updateRecord(id honeyhive.UUID, u *honeyhive.Update) *delivery.Record {
	return &delivery.Record{Kind: delivery.Update, Group: id, ID: id, Body: u.AppendJSON(nil)}
}

// encodeRecord writes what a span was converted to, in memory of p.lent for what
// is not kept.
func (p *payloads) encodeRecord(r *delivery.Record, rec *convert.Record) {
	if rec.IsSession {
		p.encodeRoot(r, rec.Session())
		return
	}
	bare := *rec
	bare.EventID, bare.SessionID, bare.ParentID = honeyhive.UUID{}, honeyhive.UUID{}, honeyhive.UUID{}
	e := bare.Event()
	e.EventID, e.SessionID = p.idText(rec.EventID), p.idText(rec.SessionID)
	if e.ParentID = e.SessionID; rec.ParentID != rec.SessionID {
		e.ParentID = p.idText(rec.ParentID)
	}
	r.Kind, r.Group, r.ID, r.Elsewhere = delivery.Member, rec.SessionID, rec.EventID, rec.Continued
	r.Value = &eventRecord{rec.Project, rec.Source, rec.SessionName}
	r.Body = p.appendEvent(r.Body, &e)
}

// idText returns an id as text that holds until p.lent is cleared.
func (p *payloads) idText(id honeyhive.UUID) honeyhive.Optional[string] {
	if id.IsZero() {
		return honeyhive.Optional[string]{}
	}
	return honeyhive.Some(p.lent.Text(id.Append))
}

// Announce makes the payload of a session that has not ended. Where only its
// events are known, it says what they say of it.
func (p *payloads) Announce(group [16]byte, live any, held []*delivery.Record) (*delivery.Record, any) {
	var s honeyhive.SessionStartRequest
	if root, ok := live.(sdktrace.ReadOnlySpan); ok {
		rec := p.convert(root)
		s = rec.Session()
	} else {
		s.SessionID = honeyhive.Some(honeyhive.UUID(group).String())
		s.SessionName = honeyhive.Some("unknown")
		for _, r := range held {
			e, ok := r.Value.(*eventRecord)
			if !ok {
				e = readEvent(r)
			}
			if e != nil {
				fill(&s.Project, e.project)
				fill(&s.Source, e.source)
				if e.sessionName != "" {
					s.SessionName = honeyhive.Some(e.sessionName)
				}
			}
		}
	}
	r := new(delivery.Record)
	p.encodeRoot(r, s)
	return r, newAnnouncement(&s)
}

func fill(field *honeyhive.Optional[string], v string) {
	if field.IsZero() && v != "" {
		*field = honeyhive.Some(v)
	}
}

// Amend turns the payload of a session into the update of its announcement.
func (p *payloads) Amend(r *delivery.Record, announced any) {
	final := r.Value.(*sessionRecord).request
	u := amendment(&final, announced.(*announcement))
	r.Value, r.Follow, r.Body = nil, nil, u.AppendJSON(nil)
}

// Abandon makes the record of a session that its program did not end.
func (p *payloads) Abandon(_ [16]byte, live, announced any) *delivery.Record {
	root, ok := live.(sdktrace.ReadOnlySpan)
	if !ok {
		return nil
	}
	rec := p.convert(root)
	s := rec.Session()
	s.Metadata, _ = s.Metadata.With(MetadataIncomplete, true)
	r := new(delivery.Record)
	p.encodeRoot(r, s)
	if announced != nil {
		p.Amend(r, announced)
		r.Kind = delivery.Update
	}
	return r
}
