package sessionspan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/fields"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// A Session is one conversation, or one run of a pipeline. Start one with
// [StartSession], or turn by turn with [StartTurn]; join one with [ContinueSession]. Its methods are safe for
// concurrent use and do nothing on a nil or zero Session. What is set after End, or on a
// session that was continued, is delivered as an update.
type Session struct {
	rec  recording
	name string // at the start, of one that StartSession started
	// open is the session of this process that a continued one stands for.
	open *Session

	mu              sync.Mutex
	project, source string // of spans that start from now on
	// bound are the sessions, one for each tracer, that stand for one that came
	// with a request.
	bound []*Session

	sampled sampling
}

// recording returns what the methods work on: nil for a nil or zero session, of
// which nothing is recorded.
func (s *Session) recording() *recording {
	switch {
	case s == nil:
		return nil
	case s.open != nil:
		return &s.open.rec
	case s.rec.node == nil:
		return nil
	}
	return &s.rec
}

// StartSession starts a session with the tracer of the context (that of the session
// that it is in, or of [ContextWithTracer]), or else the default one. StartSession returns the
// session, which [Session.End] ends, and a context in which events belong to it. An
// empty name stands for that of [WithSessionName]. StartSession never returns a nil session;
// where there is no tracer it records nothing, which is reported once.
//
// [Tracer.StartSession] says which options are of use, and how sessions stand in
// traces and in one another.
func StartSession(ctx context.Context, name string, options ...FieldOption) (context.Context, *Session) {
	return tracerOf(ctx).StartSession(ctx, name, options...)
}

// StartSession starts a session and returns a context in which events belong to
// it. End it with [Session.End].
//
// An empty name stands for the one from [WithSessionName], or else "session".
// Options that are of use: [WithSessionID], [WithProject], [WithSource],
// [WithStartTime], and every field that can be set later. [WithEventID] and
// [WithToolCallID] are reported.
//
// A session is started once. Of one that is started again by the same tracer both runs
// are delivered, which is reported, once for each id, among the last 16,384: what a
// server makes of them is up to it. The turns of a conversation are for
// [Tracer.StartTurn].
//
// Where the context carries a span, the session stays in its trace, as its
// child; see [WithNewTraces]. Inside a session it starts another one, with a
// link to where it was started.
func (t *Tracer) StartSession(ctx context.Context, name string, options ...FieldOption) (context.Context, *Session) {
	if ctx == nil {
		ctx = context.Background()
	}
	t = t.orNothing()
	if name == "" {
		if name = t.sessionName; name == "" {
			name = "session"
		}
	}
	ctx = asOptions(ctx, options)
	s, given, start := t.newSession(options)
	s.name = name
	s.rec.node.Session.NoContent = withoutContent(ctx)
	above := trace.SpanContextFromContext(ctx)
	ctx = s.rec.start(ctx, name, t.sessionStart(ctx, start, honeyhive.UUID{})...)
	if s.rec.span == nil {
		s.reportDropped(above)
		return ctx, s
	}
	if given != "" {
		s.rec.set(convert.Metadata, map[string]any{convert.OriginalSessionID: validText(given)})
	}
	s.rec.apply(opStartSession, t.labels)
	s.rec.apply(opStartSession, options)
	if s.rec.node.Session.Recorded() {
		t.open(s.rec.node.Session, liveSession{&s.rec})
	}
	return ctx, s
}

// newSession makes the handle of a session from what must be known before its
// span starts. given is the id that the user chose, where that is no UUID.
func (t *Tracer) newSession(options []FieldOption) (s *Session, given string, start time.Time) {
	apart := new(struct { // from the handle, which nodes of the session do not keep
		tree.Node
		tree.Session
	})
	s = &Session{project: t.project, source: t.source}
	s.rec.tracer, s.rec.session, s.rec.node = t, s, &apart.Node
	for i := range options {
		switch o := &options[i]; o.field {
		case fieldProject:
			s.project = cmp.Or(o.text, s.project)
		case fieldSource:
			s.source = cmp.Or(o.text, s.source)
		case fieldSessionID:
			given = o.text
		case fieldStart:
			start = o.time
		}
	}
	var id honeyhive.UUID
	if given == "" {
		id.Randomize()
	} else {
		id = honeyhive.SessionID(s.project, given)
		if t.started.Note(id) {
			t.reports.Report("started twice", fmt.Errorf("sessionspan: session %s was started twice, so that it has two starts and two ends: "+
				"start the turns of a conversation by StartTurn, and join a session by ContinueSession", id))
		}
		if u, err := honeyhive.ParseUUID(given); err == nil && u == id {
			given = ""
		}
	}
	apart.Begin(s.rec.node, id)
	return s, given, start
}

// record makes the spans of the session be delivered.
func (s *Session) record() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rec.node.Session.Record(s.project, s.source)
}

// sessionStart returns how the span of a session starts, or that of a turn of the
// session with the given id.
func (t *Tracer) sessionStart(ctx context.Context, start time.Time, of honeyhive.UUID) []trace.SpanStartOption {
	var options []trace.SpanStartOption
	if t.disabled {
		return nil
	}
	if !start.IsZero() {
		options = append(options, trace.WithTimestamp(start))
	}
	above, outer := trace.SpanContextFromContext(ctx), recordingFrom(ctx)
	if !above.IsValid() {
		return options
	}
	if t.newTraces {
		options = append(options, trace.WithNewRoot())
	}
	if t.newTraces || outer != nil && outer.node.Session != nil && outer.node.Session.ID != of {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: above}))
	}
	return options
}

// ContinueSession joins the session that has the id, in this process or another,
// with the tracer of the context, or else the default one: events in the returned
// context are its children, and what is set on the returned session is delivered as
// updates. ContinueSession starts and ends nothing. An empty id is reported, and gives a nil
// session and the context as it is.
//
// [Tracer.ContinueSession] says what ids there are, what happens where this process
// holds the session, and when to use [StartTurn] instead.
func ContinueSession(ctx context.Context, id string) (context.Context, *Session) {
	return tracerOf(ctx).ContinueSession(ctx, id)
}

// ContinueSession joins a session that was started elsewhere or earlier, in this
// process or another. ContinueSession makes no span and sends no session: events in the
// returned context are children of the session, and what is set on the Session
// is delivered as updates at once. End ends nothing.
//
// ContinueSession is for work in a session that somebody else starts: a service that is
// called in a turn, a job that follows it. Where nobody does, the server has events
// without a session. A request that is a turn of a conversation itself, such as a message
// of its user, is started by [Tracer.StartTurn], which needs nobody else.
//
// id is the session's UUID, or the string that was given to [WithSessionID] in
// the same project. An empty id is reported, and the context returned as it is
// with a nil Session.
//
// Where this process holds the session and it still runs, its events are listed
// as children as usual, and what is set is set on it; its End is not reached
// through the returned Session. Where the context is in that very session
// already, it is returned with the session that it holds.
func (t *Tracer) ContinueSession(ctx context.Context, id string) (context.Context, *Session) {
	if ctx == nil {
		ctx = context.Background()
	}
	t = t.orNothing()
	u := honeyhive.SessionID(t.project, id)
	if u.IsZero() {
		t.reports.Report("continue", errors.New("sessionspan: continue session: the id is empty"))
		return ctx, nil
	}
	r := recordingFrom(ctx)
	if r != nil && (r.node.Session == nil || r.node.Session.ID != u) {
		r = nil
	}
	if r != nil && r.tracer != nil {
		return ctx, r.session
	}
	if open := t.running(u); open != nil {
		s := t.continued(u)
		s.open = open.session
		return &scope{ctx, open}, s
	}
	if r = t.bind(r); r == nil || r.tracer == nil {
		r = &t.continued(u).rec
		r.node.Session.NoContent = withoutContent(ctx)
	}
	return &scope{ctx, r}, r.session
}

// running returns the session with the id that this process holds, while it runs, or
// nil.
func (t *Tracer) running(id honeyhive.UUID) *recording {
	root := t.tree.Running(id)
	if root == nil {
		return nil
	}
	open, _ := root.Live().(*recording)
	return open
}

// bind returns the recording of a context as t has it. A session that came with a
// request knows no tracer, and does not change, since many goroutines have the handle.
// So each tracer that uses such a session gets a handle of its own for the session: the
// same handle every time. Any other recording stands for itself.
func (t *Tracer) bind(r *recording) *recording {
	if r == nil || r.tracer != nil || t.disabled || r.node.Session.UnsampledElsewhere {
		return r
	}
	s := r.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, bound := range s.bound {
		if bound.rec.tracer == t {
			return &bound.rec
		}
	}
	bound := t.continued(r.node.Session.ID)
	bound.rec.node.Session.RemoteParent, bound.rec.node.Session.NoContent = r.node.Session.RemoteParent, r.node.Session.NoContent
	s.bound = append(s.bound, bound)
	return &bound.rec
}

// continued makes the handle of a session that another process holds. t is nil
// for one that came with a request; see bind.
func (t *Tracer) continued(id honeyhive.UUID) *Session {
	s := t.joined(id)
	if t != nil {
		s.project, s.source = t.project, t.source
		s.record()
	}
	return s
}

// joined is continued for a session that is not recorded yet.
func (t *Tracer) joined(id honeyhive.UUID) *Session {
	s := new(Session)
	s.rec.tracer, s.rec.session, s.rec.node = t, s, new(tree.Node)
	s.rec.fields.NewFrozen() // what is set is an update
	new(tree.Session).Begin(s.rec.node, id)
	s.rec.node.Session.Continued = true
	return s
}

// ID returns the session's id, a UUID: "" on a nil Session.
func (s *Session) ID() string {
	if s.recording() == nil {
		return ""
	}
	return s.rec.node.Session.ID.String()
}

// EventID returns the id of the session as an event, which is its id.
func (s *Session) EventID() string { return s.ID() }

// Span returns the root span of the session: one that records nothing where the
// session does not, or was continued.
func (s *Session) Span() trace.Span {
	return s.recording().openSpan()
}

// IsRecording reports whether what is set goes anywhere. It is worth asking
// before something costly is computed only to be recorded.
func (s *Session) IsRecording() bool { return s.recording().recorded() }

// SetName renames the session. An empty name sets nothing. On a session that was
// continued or has ended, whose name the API does not change, it goes to the
// metadata, as session_name.
func (s *Session) SetName(name string) {
	r := s.recording()
	r.setText(metadataSessionName, name, func(name string) bool {
		if !r.fields.SetName(name) {
			return false
		}
		r.span.SetName(name)
		return true
	})
}

// SetProject changes the project of the session, for its payload and for the
// spans of this process that start later; its id stays what it is. An empty name
// sets nothing. On a session that was continued or has ended, whose project the
// API does not change, it goes to the metadata, as project. Use [WithProject]
// where the project is known at the start.
func (s *Session) SetProject(name string) {
	s.setOrigin(metadataProject, name, (*fields.Fields).SetProject, func(s *Session) *string { return &s.project })
}

// SetSource changes the source of the session, for its payload and for the spans
// of this process that start later. An empty name sets nothing. On a session that
// was continued or has ended, whose source the API does not change, it goes to
// the metadata, as source. Use [WithSource] where the source is known at the
// start.
func (s *Session) SetSource(name string) {
	s.setOrigin(metadataSource, name, (*fields.Fields).SetSource, func(s *Session) *string { return &s.source })
}

// setOrigin changes a text that is part of the identity of the session.
func (s *Session) setOrigin(key, text string, set func(*fields.Fields, string) bool, origin func(*Session) *string) {
	r := s.recording()
	if text == "" || !r.active() {
		return
	}
	s = r.session
	s.mu.Lock()
	*origin(s) = text
	s.mu.Unlock()
	if r.node.Session.Recorded() {
		s.record()
	}
	r.setText(key, text, func(text string) bool { return set(&r.fields, text) })
}

// SetInputs merges v into the inputs. See the package documentation on values.
// On a session that was continued or has ended they go to the metadata, as
// inputs.
func (s *Session) SetInputs(v any) { s.recording().set(convert.Inputs, v) }

// SetOutputs merges v into the outputs. See the package documentation on values.
func (s *Session) SetOutputs(v any) { s.recording().set(convert.Outputs, v) }

// SetConfig merges v into the configuration. See the package documentation on
// values.
func (s *Session) SetConfig(v any) { s.recording().set(convert.Config, v) }

// SetMetadata merges v into the metadata. See the package documentation on
// values.
func (s *Session) SetMetadata(v any) { s.recording().set(convert.Metadata, v) }

// SetMetrics merges v into the metrics. See the package documentation on values.
func (s *Session) SetMetrics(v any) { s.recording().set(convert.Metrics, v) }

// SetFeedback merges v into the feedback. See the package documentation on
// values.
func (s *Session) SetFeedback(v any) { s.recording().set(convert.Feedback, v) }

// SetUserProperties merges v into what is known of the user. See the package
// documentation on values.
func (s *Session) SetUserProperties(v any) { s.recording().set(convert.UserProperties, v) }

// SetError says why the session failed. The last text counts; an empty one sets
// nothing. On a session that was continued or has ended it goes to the metadata,
// as error.
func (s *Session) SetError(text string) { s.recording().setError(text) }

// RecordError says that the session failed with err, and adds err to its span as
// an exception. A nil err records nothing.
func (s *Session) RecordError(err error) { s.recording().recordError(err) }

// SetDuration sets how long the session took, where that is not the time from
// its start to its end.
func (s *Session) SetDuration(d time.Duration) { s.recording().setDuration(convert.Milliseconds(d)) }

// SetEndTime sets when the session ended. Without it, and after one with the zero
// time, End takes the time of the call. On a session that was continued or has
// ended the zero time changes nothing.
func (s *Session) SetEndTime(t time.Time) { s.recording().setEndTime(t) }

// AddChildren adds ids of events to children_ids, for events that no span of
// this process stands for. What is no UUID is reported and left out. On a session
// that has ended the longer list is delivered as an update, and on one that was
// continued a list of what was added here.
func (s *Session) AddChildren(ids ...string) { s.recording().addChildren(ids) }

// End ends the session and hands it over for delivery, after which its events
// follow. Only the first call of End or [Session.EndErr] counts. Events that still
// run are listed as children and delivered when they end. A session that was
// continued runs elsewhere, and does not end; what the options set is delivered.
//
// Deferred, it records a panic that passes, and lets it go on. An error that the
// function returns it does not see; see [Session.EndErr].
func (s *Session) End(options ...FieldOption) {
	if r := recover(); r != nil {
		s.recording().panicked(r)
		defer panic(r)
	}
	s.end(options)
}

// EndErr ends the session like [Session.End], and says that it failed with the
// error that err points to, like [Session.RecordError]. Deferred, it sees what the
// function returns on every path:
//
//	func ask(ctx context.Context, question string) (answer string, err error) {
//		ctx, session := sessionspan.StartSession(ctx, "ask")
//		defer session.EndErr(&err)
//
// A nil pointer and a nil error record nothing; a panic counts before an error. On
// a session that has ended nothing is recorded. On one that was continued, which
// does not end, the error is.
func (s *Session) EndErr(err *error, options ...FieldOption) {
	if r := recover(); r != nil {
		s.recording().panicked(r)
		defer panic(r)
	} else {
		s.recording().returned(err)
	}
	s.end(options)
}

func (s *Session) end(options []FieldOption) {
	r := s.recording()
	if r != nil && (s.open != nil || r.node.Session.Continued) {
		r.apply(opEnd, options)
		return
	}
	r.end(options)
}

// Run runs f in a session: in becomes the session's inputs, what f returns its
// outputs, an error or a panic its error. The error is returned as it is; a panic
// goes on after it was recorded, and so does runtime.Goexit. It is [Do] for a
// session, with the tracer of the context, or else the default one.
func Run[In, Out any](ctx context.Context, name string, in In, f func(context.Context, In) (Out, error), options ...FieldOption) (out Out, err error) {
	ctx, s := StartSession(ctx, name, append(slices.Clip(options), WithInputs(in))...)
	defer s.EndErr(&err)
	returned := false
	defer s.rec.exited(&returned)
	out, err = f(ctx, in)
	if returned = true; err == nil {
		s.SetOutputs(out)
	}
	return out, err
}

// Format prints the session's id, for every verb.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "session %s", s.ID()) }
