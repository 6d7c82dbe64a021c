package exporter

import (
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
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
	q.engine.Put(&update{session, build}, updateOverhead)
	return nil
}
