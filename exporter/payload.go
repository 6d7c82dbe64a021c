package exporter

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/span"
)

// MetadataIncomplete is the metadata key that is true on a session, or on the event of
// a turn, which was still open when its program ended.
const MetadataIncomplete = "incomplete"

// payloads is a destination that takes sessions, events and updates. How they
// are written, and where they go, is up to its transport.
type payloads struct {
	transport
	view view
	// What Encode, which is called by one goroutine, uses again and again. Of the
	// events of a session the same is known of the session.
	event honeyhive.Event
	last  *eventRecord
	ended conversations // turns that have ended

	// whole is set where a session that was announced is sent again when it ends,
	// rather than changed by an update, which can change less.
	whole atomic.Bool
}

// transport is what the destinations of payloads differ in.
type transport interface {
	// appendSession writes the payload of a session, and returns an update to
	// send after it where the payload cannot carry all.
	appendSession(dst []byte, s *honeyhive.SessionStartRequest) ([]byte, *honeyhive.Update)
	// appendTurn writes what says that a session has a turn: it starts the session,
	// or changes nothing of one that is there but its metadata and user properties.
	appendTurn(dst []byte, s *honeyhive.SessionStartRequest) []byte
	appendEvent(dst []byte, e *honeyhive.Event) []byte
	Send(ctx context.Context, batch []*delivery.Record) delivery.Result
}

// sessionRecord is the Value of the record of a session, for Amend.
type sessionRecord struct{ request honeyhive.SessionStartRequest }

// eventRecord is the Value of the record of an event, for Announce. Events share one,
// so an eventRecord does not change.
type eventRecord struct {
	session                      honeyhive.UUID
	project, source, sessionName string
}

// Encode converts a span, or writes an update.
func (p *payloads) Encode(r *delivery.Record) error {
	switch v := r.Value.(type) {
	case span.Source:
		defer p.view.clear()
		p.view.open(v)
		if id, ok := rootOf(&p.view.span); ok { // said now, since a redactor may end it all
			r.Kind, r.Group = delivery.Opener, id
		}
		rec := p.convert(v.Size())
		switch {
		case rec.Kind == convert.KindTurn:
			p.encodeTurn(r, &rec)
		case rec.IsSession:
			p.encodeRoot(r, kept(&rec))
		default:
			r.Body = r.Room(sizeOfPayload(&rec))
			p.encodeEvent(r, &rec)
		}
	case *update:
		u := p.view.cut.update(p.view.privacy.update(v.build()))
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

// convert is the one conversion, with this destination's privacy and defaults, of the
// span that the view shows, whose source has the given size. The record may stand in
// memory of the view, until that is cleared.
func (p *payloads) convert(size int64) convert.Record {
	p.view.limit(size)
	rec := read(&p.view, convert.Convert, p.view.project, p.view.source)
	p.view.privacy.originals(&rec)
	return rec
}

// sizeOfPayload returns about how long the payload of an event is.
func sizeOfPayload(rec *convert.Record) int {
	const frame, child = 480, 39
	children, _ := rec.ChildrenIDs.Get()
	size := frame + len(rec.Name) + len(rec.Error) + child*len(children)
	for b := range rec.Buckets {
		size += len(rec.Buckets[b].JSONText())
	}
	return size
}

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

// encodeEvent writes the payload of rec into r. The texts of rec, and its ids, which
// are formatted here, stand in memory of the view that the next span uses again: r keeps
// none of them but as bytes of its body.
func (p *payloads) encodeEvent(r *delivery.Record, rec *convert.Record) {
	noIDs := *rec
	noIDs.EventID, noIDs.SessionID, noIDs.ParentID = honeyhive.UUID{}, honeyhive.UUID{}, honeyhive.UUID{}
	e := &p.event
	*e = noIDs.Event()
	e.EventID, e.SessionID = p.idText(rec.EventID), p.idText(rec.SessionID)
	if e.ParentID = e.SessionID; rec.ParentID != rec.SessionID {
		e.ParentID = p.idText(rec.ParentID)
	}
	r.Kind, r.Group, r.ID, r.Elsewhere = delivery.Member, rec.SessionID, rec.EventID, rec.Continued
	if turn := p.view.span.Turn; !turn.IsZero() {
		r.Group, r.Elsewhere = turn, false
	}
	if is := (eventRecord{rec.SessionID, rec.Project, rec.Source, rec.SessionName}); p.last == nil || *p.last != is {
		last := is
		p.last = &last
	}
	r.Value = p.last
	r.Body = p.appendEvent(r.Body, e)
	*e = honeyhive.Event{} // nothing of it is kept until the next one comes
}

// idText returns an id as text that holds until the view is cleared.
func (p *payloads) idText(id honeyhive.UUID) honeyhive.Optional[string] {
	if id.IsZero() {
		return honeyhive.Optional[string]{}
	}
	return honeyhive.Some(p.view.span.ID(id))
}

// session returns the payload of a session, of which nothing stands in memory of
// the view.
func (p *payloads) session(s span.Source) honeyhive.SessionStartRequest {
	defer p.view.clear()
	p.view.open(s)
	rec := p.convert(s.Size())
	return kept(&rec)
}

// kept returns the payload of a session in memory of its own.
func kept(rec *convert.Record) honeyhive.SessionStartRequest {
	for b := range rec.Buckets {
		if o := &rec.Buckets[b]; !o.IsZero() {
			*o = canonical.Object(strings.Clone(o.JSONText()))
		}
	}
	return rec.Session()
}

// Announce makes the payload of a session that has not ended. Where only its
// events are known, it says what they say of it.
func (p *payloads) Announce(group [16]byte, live any, held []*delivery.Record) (*delivery.Record, any) {
	var s honeyhive.SessionStartRequest
	if root, ok := live.(span.Source); ok {
		if post, _, isTurn := p.turn(root); isTurn {
			r := new(delivery.Record)
			p.encodePost(r, group, post, nil)
			return r, nil // its end sends the same again
		}
		s = p.session(root)
	} else {
		session := honeyhive.UUID(group) // or, of a turn whose own event will not come, what others say
		s.SessionName = honeyhive.Some("unknown")
		for _, r := range held {
			e, ok := r.Value.(*eventRecord)
			if !ok {
				e = readEvent(r)
			}
			if e != nil {
				session = e.session
				fill(&s.Project, e.project)
				fill(&s.Source, e.source)
				if e.sessionName != "" {
					s.SessionName = honeyhive.Some(e.sessionName)
				}
			}
		}
		s.SessionID = honeyhive.Some(session.String())
		if session != honeyhive.UUID(group) {
			r := new(delivery.Record)
			p.encodePost(r, group, s, nil)
			return r, nil
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

// Amend turns the payload of a session into the update of its announcement, unless
// that was of another run, one that started the session at another time, or the whole
// session is to be sent.
func (p *payloads) Amend(r *delivery.Record, announced any) bool {
	if p.whole.Load() {
		return false
	}
	final, before := r.Value.(*sessionRecord).request, announced.(*announcement)
	if !before.start.IsZero() && !final.StartTime.Equal(before.start) {
		return false
	}
	u := amendment(&final, before)
	r.Value, r.Follow, r.Body = nil, nil, u.AppendJSON(nil)
	return true
}

// Abandon makes the record of a session that its program did not end.
func (p *payloads) Abandon(group [16]byte, live, announced any) *delivery.Record {
	root, ok := live.(span.Source)
	if !ok {
		return nil
	}
	if post, event, isTurn := p.turn(root); isTurn {
		return p.incompleteTurn(group, post, event)
	}
	s := p.session(root)
	s.Metadata, _ = s.Metadata.With(MetadataIncomplete, true)
	r := new(delivery.Record)
	p.encodeRoot(r, s)
	if announced != nil && p.Amend(r, announced) {
		r.Kind = delivery.Update
	}
	return r
}
