package exporter

import (
	"context"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/span"
)

// queue is an exporter as a tracer sees it.
type queue Exporter

func init() { pipeline.Of = func(e any) pipeline.Destination { return (*queue)(e.(*Exporter)) } }

// TakesSpans implements [pipeline.Destination].
func (q *queue) TakesSpans() bool { return !(*Exporter)(q).none() && !q.sessions }

// Open implements [pipeline.Destination].
func (q *queue) Open(session honeyhive.UUID, root span.Source) {
	if !(*Exporter)(q).none() && q.sessions {
		q.engine.Open(session, root)
	}
}

// Local implements [pipeline.Destination].
func (q *queue) Local() string {
	if (*Exporter)(q).none() {
		return ""
	}
	return q.local
}

// Live implements [pipeline.Destination].
func (q *queue) Live() {
	if !(*Exporter)(q).none() && q.live != nil {
		q.live()
	}
}

// OnPage implements [pipeline.Destination].
func (q *queue) OnPage(learned func()) {
	if !(*Exporter)(q).none() && q.client != nil {
		q.client.OnLocal(learned)
	}
}

// Gone implements [pipeline.Destination].
func (q *queue) Gone(session honeyhive.UUID) {
	if !(*Exporter)(q).none() && q.sessions {
		q.engine.Gone(session)
	}
}

// Try implements [pipeline.Destination].
func (q *queue) Try(now time.Time, s span.Source, size int64) bool {
	return (*Exporter)(q).none() || q.engine.Try(now, s, size)
}

// Put implements [pipeline.Destination]. A session whose root is dropped has ended
// all the same.
func (q *queue) Put(since time.Time, s span.Source, size int64) {
	if (*Exporter)(q).none() || q.engine.PutSince(since, s, size) || !q.sessions {
		return
	}
	var shown span.Span
	s.Show(&shown)
	if group, ok := rootOf(&shown); ok {
		q.engine.Gone(group)
	}
}

// rootOf returns the group that a span opens: the id of the session that it is the
// root of, or its own id where it is a turn.
func rootOf(s *span.Span) (group honeyhive.UUID, ok bool) {
	if isTurn(s) {
		return s.Turn, true
	}
	if s.Known != nil && s.Known.Type != "" {
		return s.Known.SessionID, s.Known.Type == honeyhive.TypeSession
	}
	if textOf(s.Attributes, honeyhive.AttrEventType) != honeyhive.TypeSession {
		return honeyhive.UUID{}, false
	}
	if s.Known != nil && !s.Known.SessionID.IsZero() {
		return s.Known.SessionID, true
	}
	return honeyhive.SessionID(textOf(s.Attributes, honeyhive.AttrProject), textOf(s.Attributes, honeyhive.AttrSessionID)), true
}

// Update implements [pipeline.Destination].
func (q *queue) Update(session honeyhive.UUID, build func() *honeyhive.Update) error {
	if (*Exporter)(q).none() || !q.sessions {
		return ErrNoUpdates
	}
	q.engine.Put(&update{session, build}, pipeline.UpdateOverhead)
	return nil
}

// value returns what the engine is given of what was held.
func value(h *pipeline.Held) any {
	if h.Source == nil {
		return &update{h.Target, h.Build}
	}
	return h.Source
}

// Hold implements [pipeline.Destination].
func (q *queue) Hold(h *pipeline.Held, draft bool) pipeline.Draft {
	if (*Exporter)(q).none() || !h.Taken(q) {
		return nil
	}
	if d := q.engine.Hold(value(h), draft); d != nil {
		return d
	}
	return nil
}

// HoldOpen implements [pipeline.Destination].
func (q *queue) HoldOpen(session honeyhive.UUID, root span.Source) pipeline.Draft {
	if (*Exporter)(q).none() || !q.sessions {
		return nil
	}
	if d := q.engine.HoldOpen(session, root); d != nil {
		return d
	}
	return nil
}

// draftOf returns the draft of one of the destinations, or nil.
func draftOf(drafts []pipeline.Draft, at int) *delivery.Draft {
	if drafts == nil {
		return nil
	}
	d, _ := drafts[at].(*delivery.Draft)
	return d
}

// batch returns what was held of a session, as far as the destination takes it.
func (q *queue) batch(s *pipeline.Session) delivery.Batch {
	b := delivery.Batch{Group: s.ID, Ended: s.Ended}
	if q.sessions {
		for i, root := range s.Roots {
			b.Begun, b.Drafts = append(b.Begun, root), append(b.Drafts, draftOf(s.Drafts[i], s.At))
		}
	}
	for _, h := range s.Held {
		if !h.Taken(q) {
			continue
		}
		b.Records = append(b.Records, delivery.Undecided{Value: value(h), Size: h.Size, Draft: draftOf(h.Drafts, s.At)})
	}
	return b
}

// TryRelease implements [pipeline.Destination].
func (q *queue) TryRelease(s *pipeline.Session) bool {
	return (*Exporter)(q).none() || q.engine.TryRelease(q.batch(s))
}

// Release implements [pipeline.Destination].
func (q *queue) Release(ctx context.Context, since time.Time, s *pipeline.Session) {
	if !(*Exporter)(q).none() {
		q.engine.Release(ctx, since, q.batch(s))
	}
}

// Discard implements [pipeline.Destination].
func (q *queue) Discard(session honeyhive.UUID) {
	if !(*Exporter)(q).none() {
		q.engine.Discard(session)
	}
}

// Discarded implements [pipeline.Destination].
func (q *queue) Discarded(s *pipeline.Session, others int64) {
	if !(*Exporter)(q).none() {
		q.engine.Discarded(q.batch(s), others)
	}
}

// LeaveOut implements [pipeline.Destination].
func (q *queue) LeaveOut(s *pipeline.Session, others int64) {
	if !(*Exporter)(q).none() {
		q.engine.LeaveOut(q.batch(s), others)
	}
}
