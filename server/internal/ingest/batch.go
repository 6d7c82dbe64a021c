package ingest

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/brief"
	"github.com/sessionspan/sessionspan/store"
)

// batch is what is known of the spans of a request, but for what they hold: that is
// read, and written, span by span when all of this is known.
type batch struct {
	at time.Time
	// project is the one that all spans are of, "" leaves it to them.
	project string
	spans   int
	taken   int
	traces  map[[16]byte]*trace
	named   map[honeyhive.UUID]bool // the sessions that spans name
	joins   map[store.Join]store.Join
	// promoted are steps of earlier requests whose trace speaks now, undecided those of
	// this one whose trace does not yet.
	promoted, undecided []step
	undecidedBytes      int
}

// trace is what a request says of a trace.
type trace struct {
	speaks bool // it has events
	steps  int  // spans that are events if it does
}

func newBatch() *batch {
	return &batch{traces: make(map[[16]byte]*trace), named: make(map[honeyhive.UUID]bool), joins: make(map[store.Join]store.Join)}
}

type kind uint8

const (
	leftOut kind = iota
	isSession
	isEvent
	isStep // an event if its trace speaks
)

// place is where a span stands, which follows from the span alone.
type place struct {
	kind  kind
	trace honeyhive.UUID // the session of its trace
	span  honeyhive.UUID // the id of the event that it would be
	home  honeyhive.UUID // the session that its record is of
	named bool
}

func spanID(s *convert.Span) honeyhive.UUID { return honeyhive.EventID(s.TraceID, s.SpanID) }

func isRoot(s *convert.Span) bool { return s.ParentSpanID == [8]byte{} }

// above returns what a span hangs on: the nil UUID for the root of a trace.
func above(s *convert.Span) honeyhive.UUID {
	if isRoot(s) || s.ParentSpanID == s.SpanID {
		return honeyhive.UUID{}
	}
	return honeyhive.EventID(s.TraceID, s.ParentSpanID)
}

// maxTraces bounds the traces of a request, and the sessions that its spans name: each
// takes as much work as several spans.
const maxTraces = 10_000

// ErrTooMany says that a request is about more traces or sessions than are taken at
// once.
var ErrTooMany = errors.New("the request is about more than 10,000 traces or sessions: send fewer spans at once")

// read converts a span, as far as it says anything that is kept, and says where it
// stands. What is left out and names no session says something only as a root.
func read(s *convert.Span, root bool) (rec convert.Record, p place) {
	role := convert.RoleOf(s)
	if role == convert.Step && convert.NamesSession(s.Attributes) {
		role = convert.Speaking
	}
	if role != convert.Plumbing || root || convert.InSession(s.Attributes) {
		rec = convert.Convert(s)
	}
	return rec, placeOf(s, role, &rec)
}

// placeOf says where a span stands, and how its attributes name its session.
func placeOf(s *convert.Span, role convert.Role, rec *convert.Record) place {
	p := place{trace: TraceSession(s.TraceID), span: spanID(s), named: !rec.SessionID.IsZero()}
	p.home = p.trace
	switch {
	case !p.named || rec.SessionIsThread && !rec.IsSession:
	case rec.SessionText != "":
		p.home = nameSession(s.TraceID, rec.SessionText)
	default:
		p.home = rec.SessionID
	}
	switch {
	case rec.IsSession:
		p.kind = isSession
	case role == convert.Speaking:
		p.kind = isEvent
	case role == convert.Step:
		p.kind = isStep
	}
	return p
}

// nameSession returns the id of the session that the spans of a trace are of which
// name one by a text: which one that is depends on the project of the topmost.
func nameSession(trace [16]byte, text string) honeyhive.UUID {
	return honeyhive.SessionID(hex.EncodeToString(trace[:]), text)
}

// look notes what a span says of its trace.
func (b *batch) look(s *convert.Span) error {
	b.spans++
	t := b.traces[s.TraceID]
	if t == nil {
		t = new(trace)
		b.traces[s.TraceID] = t
	}
	rec, p := b.read(s, false)
	switch p.kind {
	case leftOut:
	case isStep:
		t.steps++
	default:
		b.taken++
		t.speaks = t.speaks || p.kind == isEvent
	}
	if p.named {
		b.named[rec.SessionID] = true
	}
	if len(b.traces) > maxTraces || len(b.named) > maxTraces {
		return ErrTooMany
	}
	if p.kind == isSession || p.kind == isEvent || p.named {
		b.names(s, &rec, &p)
	}
	return nil
}

// names notes which session a span says that it, and its trace, are of.
func (b *batch) names(s *convert.Span, rec *convert.Record, p *place) {
	j := store.Join{From: p.trace, To: p.trace, Trace: p.trace, Project: text(rec.Project), Source: text(rec.Source), Speaks: p.kind == isEvent}
	if p.named {
		j.To, j.Name = rec.SessionID, text(rec.SessionName)
		j.Text, j.Weak = text(rec.SessionText), rec.SessionIsThread && !rec.IsSession
		if j.Text == "" {
			j.Text = rec.SessionID.String()
		}
		j.Owned = rec.IsSession || hasOwnSession(s.Attributes)
		j.Unannounced = !rec.IsSession && !autoCreates(s.Attributes)
		if rec.IsSession {
			j.Name = "" // its record says so
		}
	}
	b.join(j, s)
	if p.home != p.trace && p.home != rec.SessionID {
		j.From = p.home
		b.join(j, s)
	}
}

// join notes a join, of those that differ in nothing but their span the first.
func (b *batch) join(j store.Join, s *convert.Span) {
	key := j
	j.Span, j.Below, j.Start = spanID(s), !isRoot(s), startOf(s)
	old, known := b.joins[key]
	if !known || !j.Below && old.Below || j.Below == old.Below && (j.Start < old.Start || j.Start == old.Start && slices.Compare(j.Span[:], old.Span[:]) < 0) {
		b.joins[key] = j
	}
}

// startOf returns the start of a span in Unix milliseconds, with their fractions.
func startOf(s *convert.Span) float64 {
	if s.Start.IsZero() {
		return maxTime
	}
	ms := float64(s.Start.Unix())*1e3 + float64(s.Start.Nanosecond())/1e6
	return min(max(ms, -maxTime), maxTime)
}

// textBytes bounds the texts of a join.
const textBytes = 1000

// text returns the beginning of a text, and keeps nothing of what it is a part of.
func text(s string) string { return strings.Clone(brief.Cut(s, textBytes)) }

// hasOwnSession reports whether a span names its session as HoneyHive does.
func hasOwnSession(attributes []attribute.KeyValue) bool {
	for _, kv := range attributes {
		if kv.Key == honeyhive.AttrSessionID || kv.Key == "honeyhive_session_id" {
			return true
		}
	}
	return false
}

// autoCreates reports whether a span may make the session that it names.
func autoCreates(attributes []attribute.KeyValue) bool {
	for _, kv := range attributes {
		if kv.Key == honeyhive.AttrSessionAutoCreate {
			return kv.Value.String() == "true"
		}
	}
	return !hasOwnSession(attributes)
}
