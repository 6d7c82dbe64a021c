package store

import "github.com/sessionspan/sessionspan/honeyhive"

// A Join says that what belongs to one session, From, belongs to another, To. It
// moves nothing: records keep the session that they came with, and whoever asks for
// From, or writes to it, means To. Of all joins of a session one counts:
//
//  1. Where strong ones name one Text, one of these. Where they name several, none
//     does: From stays a session of its own.
//  2. Where there is no strong one, a weak one.
//  3. Of those, the one of the topmost Span, then of the earliest, then of the least
//     Text, then of the least To. A span is the lower the more spans of its trace are
//     known above it. Of joins that differ in nothing but their Span, and in Speaks,
//     the one stands here whose Span is the root of its trace, else started first.
//
// A session that others are joined to is joined to none itself. To delete To deletes
// the joins to it. Of the joins that are about one trace a store keeps up to 256.
//
// A join of a session to itself says that it is the session of a trace, which names
// none. The session of a trace is shown only where it has events.
type Join struct {
	From, To honeyhive.UUID
	// Trace is the session of the trace that says so. It may be From.
	Trace honeyhive.UUID
	// Text is how To is named: joins that differ in it name different sessions.
	Text string
	// Weak is set for a name that gives way to others, such as that of a thread.
	Weak bool
	// Name, Project and Source are what To is called where its record does not say.
	Name, Project, Source string
	// Owned is set where somebody else sends the record of To: then what the record
	// of From says of times, content and errors does not count. Unannounced is set
	// where To is to stay an orphan until that record comes.
	Owned, Unannounced bool

	// Speaks is set where an event of the trace says so: see [Store.Speaks].
	Speaks bool

	// Span is the event id of the span that names To, Below is set where a span is
	// above it, and Start is when it started, in Unix milliseconds.
	Span  honeyhive.UUID
	Below bool
	Start float64
}

// An Edge says that a span which is no event hangs on another one: what hangs on
// Span hangs on Parent instead. The nil Parent is the session.
//
// Edges of a trace that has no events are forgotten after five minutes, or when there
// are more than 64 MiB of them. Of one trace up to 50,000 are kept.
type Edge struct {
	Span, Parent honeyhive.UUID
	Trace        honeyhive.UUID // the session of the trace

	// Step is the record that Span has if its trace turns out to have events, or nil. A
	// store keeps it with the edge until that record is written, and makes nothing of
	// it: see [Store.Steps]. As JSON it has up to [MaxStepBytes].
	Step *honeyhive.Event
}

// MaxStepBytes bounds what an edge keeps of a step.
const MaxStepBytes = 64 << 10
