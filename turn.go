package sessionspan

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/money"
	"github.com/sessionspan/sessionspan/internal/tokens"
)

// turnInfo is the kind of the events that StartTurn starts.
var turnInfo = kindInfo{honeyhive.TypeChain, "", convert.KindTurn, nil}

// StartTurn starts a turn of the conversation that has the id, in whichever process the
// others run, with the tracer of the context, or else the default one. StartTurn
// returns the event of the turn, which [Event.End] or [Event.EndErr] ends, and a context
// in which further events are its children. StartTurn never returns a nil event.
//
// [Tracer.StartTurn] says what becomes of the session.
func StartTurn(ctx context.Context, sessionID, name string, options ...FieldOption) (context.Context, *Event) {
	return tracerOf(ctx).StartTurn(ctx, sessionID, name, options...)
}

// StartTurn starts a turn of a conversation: a chain event directly below the session
// that has the id, with inputs, outputs, an error and a duration of its own. The session
// is the conversation. Nobody starts or ends it, and no process needs to know which turn
// is the first, or the last: each calls StartTurn for the message that it answers.
//
//	ctx, turn := sessionspan.StartTurn(r.Context(), conversationID, "chat",
//		sessionspan.WithInputs(map[string]any{"question": question}))
//	defer turn.EndErr(&err)
//
// sessionID is the id of the conversation as your program has it, from which
// [honeyhive.SessionID] derives the UUID of the session in the project; a UUID is taken
// as it is. An empty one is reported, and the turn then is that of a session by itself.
// An empty name stands for "turn". The session is called as [WithSessionName] has it, or
// else like the turn. Options that are of use: [WithProject], [WithSource],
// [WithEventID], [WithStartTime], and every field that can be set later. User properties
// are those of the session too, as are the release and the tags of the newest turn.
// Tokens and costs of the events in the turn are added up in the metadata of the turn.
//
// The turn stays in the trace of the span that the context carries, as a session does;
// see [WithNewTraces]. In the context, [SessionFromContext] is the session: what is set
// on it is delivered as an update, and its End ends nothing.
//
// # What a server makes of it
//
// The local server computes the session from the set of its turns, in whichever order
// and by whichever way they come: it has the start, the inputs and the user of the
// first, the outputs of the last that has any and the error of the last, the greatest
// end, the children of all, and the sum of their tokens.
//
// A server of the HoneyHive API is sent three things of each turn: a POST /v1/sessions
// with its start and inputs, which starts the session where it is not there yet; its
// event, with those below; and a PUT of the session's outputs and end. The turns of one
// process that wait at the same time send one PUT, and of two the turn that started last
// gives the outputs. That API cannot give the whole conversation: its session keeps the
// start and the inputs of the post that came first, whichever turn that was of; has the
// outputs of the put that came last, merged by key with earlier ones; says no error, no
// duration and no sums; and lists no children, which are found by their parent_id.
//
// Collectors get the turn as a span with session.id and [honeyhive.AttrTurn].
//
// A turn that its process does not live to end has its post and, marked as incomplete,
// its event, and no put: sent by Shutdown, or out of a spool ([WithSpool]) by the next
// process after a kill. Puts of a process that has ended are not sent out of its spool,
// since other processes may have answered since. To collectors goes what had ended in
// the turn, and not its own span, which has not. Where this process holds the session itself, started by
// [Tracer.StartSession] and not ended yet, the turn is a chain event of it and nothing
// else is sent. What is set on a turn after its end changes its event alone.
func (t *Tracer) StartTurn(ctx context.Context, sessionID, name string, options ...FieldOption) (context.Context, *Event) {
	ctx = asOptions(orBackground(ctx), options)
	t = t.orNothing()
	e, n := t.newEvent()
	r := &e.rec
	r.tracer, r.event, r.node, r.kind = t, e, n, &turnInfo
	project, source, start := t.project, t.source, time.Time{}
	for i := range options {
		switch o := &options[i]; o.field {
		case fieldProject:
			project = cmp.Or(o.text, project)
		case fieldSource:
			source = cmp.Or(o.text, source)
		case fieldStart:
			start = o.time
		case fieldEventID:
			n.Chosen = t.chosenID(opStartTurn, o.text)
		}
	}
	id := honeyhive.SessionID(project, sessionID)
	if id.IsZero() {
		t.reports.Report("turn", errors.New("sessionspan: start turn: the id of the session is empty: the turn is that of a session by itself"))
		id.Randomize()
	}
	name = cmp.Or(name, "turn")
	above := trace.SpanContextFromContext(ctx)
	how := t.sessionStart(ctx, start, id)
	if open := t.running(id); open != nil {
		r.kind, r.session = &chainInfo, open.session
		n.Below(open.node)
		ctx = r.start(&scope{ctx, open}, name, how...)
		r.apply(opStartTurn, options)
		return ctx, e
	}
	s := t.joined(id)
	s.name, s.project, s.source = cmp.Or(t.sessionName, name), project, source
	r.session, s.rec.node.Session.NoContent = s, withoutContent(ctx)
	if outer := recordingFrom(ctx); outer != nil && outer.node.Session != nil && outer.node.Session.ID == id {
		s.rec.node.Session.UnsampledElsewhere = outer.node.Session.UnsampledElsewhere
	}
	n.Below(s.rec.node)
	ctx = r.start(ctx, name, how...)
	if r.span == nil {
		if !t.disabled {
			s.rec.node.Session.UnsampledElsewhere = true // nor is what others do for it
			s.reportDropped(above)
		}
		return ctx, e
	}
	if sessionID != "" && id.String() != sessionID {
		r.set(convert.Metadata, map[string]any{convert.OriginalSessionID: validText(sessionID)})
	}
	r.apply(opStartTurn, t.labels)
	r.apply(opStartTurn, options)
	if n.Session.Recorded() {
		t.open(n.Session, liveSession{r})
	}
	return ctx, e
}

// RunTurn runs f as a turn of the conversation that has the id, as [Run] runs it in a
// session: in becomes the inputs of the turn, what f returns its outputs, an error or a
// panic its error. RunTurn uses the tracer of the context, or else the default one; see
// [Tracer.StartTurn].
func RunTurn[In, Out any](ctx context.Context, sessionID, name string, in In, f func(context.Context, In) (Out, error), options ...FieldOption) (out Out, err error) {
	ctx, e := StartTurn(ctx, sessionID, name, append(slices.Clip(options), WithInputs(in))...)
	defer e.EndErr(&err)
	returned := false
	defer e.rec.exited(&returned)
	out, err = f(ctx, in)
	if returned = true; err == nil {
		e.SetOutputs(out)
	}
	return out, err
}

// startTurn makes the spans of a turn be delivered, when its span starts.
func (r *recording) startTurn() {
	s := r.node.Session
	if s.UnsampledElsewhere {
		return
	}
	s.Turn, s.Name = r.node.Ref().ID(), r.session.name
	r.session.record()
}

// opens reports whether the recording is one that others of its session wait for: the
// session itself, or a turn.
func (r *recording) opens() bool { return r.kind == nil || r.kind == &turnInfo }

// spent returns what the events of a session, or of a turn, used and cost together.
func (r *recording) spent() (tokens.Usage, []money.Amount) {
	if r.node.IsRoot() {
		return r.node.Session.Usage(), r.node.Session.Costs()
	}
	return r.node.Usage(), r.node.Costs()
}
