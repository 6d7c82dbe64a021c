package exporter

import (
	"cmp"
	"encoding/json"
	"errors"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/span"
)

// A turn of a conversation is delivered as three records. A post says that the session
// has a turn: by the route that starts a session where there is none and changes little
// of one that is there, so that nobody needs to know which turn is the first. The event
// of the turn holds all that is known of it. A put says what the session came to with
// it: its outputs and its end, since the API has no other way to say what a conversation
// came to by now.
//
// The events of a turn are held for its post, as those of a session are for the session.
// So a turn is a group of its own, named by the id of its event.

// isTurn reports whether what is shown is the span of a turn that others wait for.
func isTurn(s *span.Span) bool {
	return s.Known != nil && s.Known.Kind == convert.KindTurn && !s.Turn.IsZero()
}

// turnRecord is the Value of the record of a post, for Store.
type turnRecord struct {
	post  honeyhive.SessionStartRequest
	event []byte // of a turn that its program did not end; nil where it has a record of its own
}

// store returns what is kept of a turn on disk.
func (t *turnRecord) store() []byte {
	b := t.post.AppendJSON([]byte(`{"session":`))
	if t.event != nil {
		b = append(append(b, `,"turn":`...), t.event...)
	}
	return append(b, '}')
}

// parseTurn reads what store returned, as far as the destination may see it, and reports
// whether the text is such.
func (p *payloads) parseTurn(text []byte) (*turnRecord, bool) {
	var t struct {
		Session *honeyhive.SessionStartRequest `json:"session"`
		Turn    json.RawMessage                `json:"turn"`
	}
	if json.Unmarshal(text, &t) != nil || t.Session == nil {
		return nil, false
	}
	event, err := p.withheldEvent(t.Turn)
	if err != nil {
		return nil, false
	}
	return &turnRecord{*p.view.privacy.session(t.Session), event}, true
}

// id returns the id of the event.
func (t *turnRecord) id() honeyhive.UUID {
	var e honeyhive.Event
	_ = json.Unmarshal(t.event, &e)
	id, _ := honeyhive.ParseUUID(e.EventID.Or(""))
	return id
}

// sessionKeys are the keys of the metadata of a turn that are true of the session.
var sessionKeys = []string{convert.OriginalSessionID, "release", "tags"}

// post returns what is said of the session at the start of a turn: nothing that would
// be wrong when other turns follow. Nothing of it stands in memory of the view.
func (p *payloads) post(rec *convert.Record) honeyhive.SessionStartRequest {
	s := convert.Record{
		SessionID: rec.SessionID, EventID: rec.SessionID, IsSession: true, Type: honeyhive.TypeSession,
		Name: cmp.Or(rec.SessionName, rec.Name), Project: rec.Project, Source: rec.Source, Start: rec.Start,
	}
	s.Buckets[convert.Inputs], s.Buckets[convert.UserProperties] = rec.Buckets[convert.Inputs], rec.Buckets[convert.UserProperties]
	for _, key := range sessionKeys {
		if value, ok := rec.Buckets[convert.Metadata].Get(key); ok {
			s.Buckets[convert.Metadata], _ = s.Buckets[convert.Metadata].With(key, value)
		}
	}
	return kept(&s)
}

// encodePost writes the post of a turn into the record.
func (p *payloads) encodePost(r *delivery.Record, turn honeyhive.UUID, post honeyhive.SessionStartRequest, event []byte) {
	id, _ := honeyhive.ParseUUID(post.SessionID.Or(""))
	r.Kind, r.Group, r.ID, r.Value = delivery.Opener, turn, id, &turnRecord{post, event}
	r.Body = p.appendTurn(r.Body, &post)
}

// encodeTurn writes what a turn that has ended is delivered as: the post into r, which
// the others follow.
func (p *payloads) encodeTurn(r *delivery.Record, rec *convert.Record) {
	event := new(delivery.Record)
	p.encodeEvent(event, rec)
	event.Group, event.Elsewhere, event.Follow = rec.EventID, false, p.put(rec)
	p.encodePost(r, rec.EventID, p.post(rec), nil)
	r.Follow = event
}

// turn returns the post and the event of a turn that runs, and whether it is one.
func (p *payloads) turn(live span.Source) (post honeyhive.SessionStartRequest, event []byte, ok bool) {
	defer p.view.clear()
	p.view.open(live)
	if !isTurn(&p.view.span) {
		return post, nil, false
	}
	rec := p.convert(live.Size())
	rec.Buckets[convert.Metadata], _ = rec.Buckets[convert.Metadata].With(MetadataIncomplete, true)
	rec.End, rec.Duration = honeyhive.Optional[float64]{}, honeyhive.Optional[float64]{}
	var r delivery.Record
	p.encodeEvent(&r, &rec)
	return p.post(&rec), r.Body, true
}

// incompleteTurn makes the records of a turn that its program did not end. What the
// session came to is left to the other turns.
func (p *payloads) incompleteTurn(turn honeyhive.UUID, post honeyhive.SessionStartRequest, event []byte) *delivery.Record {
	r := new(delivery.Record)
	p.encodePost(r, turn, post, event)
	r.Follow = &delivery.Record{Kind: delivery.Member, Group: turn, ID: turn, Body: event}
	return r
}

// restoreTurn makes the record of a post from what Store returned.
func (p *payloads) restoreTurn(r *delivery.Record) error {
	t, ok := p.parseTurn(r.Body)
	if !ok {
		return errors.New("read turn from spool: it is no JSON of one")
	}
	r.Body = nil
	p.encodePost(r, r.Group, t.post, nil)
	return nil
}

// put makes the update that a turn which has ended is to its session, or nil where an
// earlier one says all. Of the turns of this program the one that started last counts.
func (p *payloads) put(rec *convert.Record) *delivery.Record {
	before := p.ended.get(rec.SessionID)
	now, u := before, &honeyhive.Update{EventID: honeyhive.Some(rec.SessionID.String())}
	if outputs := rec.Buckets[convert.Outputs]; !outputs.IsEmpty() && (!before.answered || rec.Start.Or(0) >= before.start) {
		now.answered, now.start, u.Outputs = true, rec.Start.Or(0), outputs
	}
	now.end = max(before.end, rec.End.Or(0))
	if u.Outputs.IsEmpty() && now.end == before.end {
		return nil
	}
	if now.end > 0 {
		u.EndTime = honeyhive.Some(now.end)
	}
	p.ended.set(rec.SessionID, now)
	r := updateRecord(rec.SessionID, u)
	r.Value = &delivery.Latest{After: rec.EventID, Absorb: func(earlier *delivery.Record) { absorb(r, earlier) }}
	return r
}

// absorb adds to an update the outputs of an earlier one, where it has none.
func absorb(r, earlier *delivery.Record) {
	var now, before honeyhive.Update
	if json.Unmarshal(r.Body, &now) != nil || json.Unmarshal(earlier.Body, &before) != nil || !now.Outputs.IsEmpty() {
		return
	}
	now.Outputs = before.Outputs
	r.Body = now.AppendJSON(nil)
}

// conversation is what the turns of this program have come to.
type conversation struct {
	start, end float64 // of the last turn with outputs; the greatest of all
	answered   bool    // there is such a turn
}

// conversations are those of which a turn has ended, the newest mostConversations of
// them. Of one that was forgotten the turn that ends next counts.
type conversations struct {
	of    map[honeyhive.UUID]conversation
	order []honeyhive.UUID // a ring, once it is full
	next  int
}

const mostConversations = 16 << 10

func (c *conversations) get(id honeyhive.UUID) conversation { return c.of[id] }

func (c *conversations) set(id honeyhive.UUID, to conversation) {
	if c.of == nil {
		c.of = make(map[honeyhive.UUID]conversation)
	}
	if _, known := c.of[id]; !known {
		if len(c.order) < mostConversations {
			c.order = append(c.order, id)
		} else {
			delete(c.of, c.order[c.next])
			c.order[c.next] = id
			c.next = (c.next + 1) % mostConversations
		}
	}
	c.of[id] = to
}
