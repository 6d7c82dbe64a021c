package sessionspan

import "context"

// scopeKey is the key of the recording in a context: the place where new events
// belong.
type scopeKey struct{}

// scope is a context with such a place.
type scope struct {
	context.Context
	rec *recording
}

// Value implements [context.Context].
func (s *scope) Value(key any) any {
	if _, ok := key.(scopeKey); ok {
		return s.rec
	}
	return s.Context.Value(key)
}

// String says nothing of what the context holds.
func (s *scope) String() string { return "sessionspan context" }

// recordingFrom returns the recording that a context is in, or nil.
func recordingFrom(ctx context.Context) *recording {
	if ctx == nil {
		return nil
	}
	r, _ := ctx.Value(scopeKey{}).(*recording)
	return r
}

// SessionFromContext returns the session that the context is in, or nil. That
// may be one that another process started; see [ContinueSession]. What is set on
// one that came with a request is delivered by the tracer of the context, or else
// the default one.
func SessionFromContext(ctx context.Context) *Session {
	r := recordingFrom(ctx)
	if r == nil {
		return nil
	}
	if r.session != nil && r.tracer == nil {
		if t, ok := ctx.Value(tracerKey{}).(*Tracer); ok {
			r = t.bind(r)
		} else if t := defaultTracer.Load(); t != nil {
			r = t.bind(r)
		}
	}
	return r.session
}

// EventFromContext returns the event that the context is in: the nearest one
// that was started by [StartEvent], or nil directly under a session.
func EventFromContext(ctx context.Context) *Event {
	if r := recordingFrom(ctx); r != nil {
		return r.event
	}
	return nil
}

// ContextWithSession returns a context in which new events belong directly to
// the session, in whatever event ctx is. ContextWithSession is for work that a session hands to
// a goroutine with a context of its own; the span of the session becomes the
// parent there. A nil or zero session returns ctx.
func ContextWithSession(ctx context.Context, s *Session) context.Context {
	return s.recording().context(ctx)
}

// ContextWithEvent returns a context in which new events belong to the event. A
// nil or zero event returns ctx.
func ContextWithEvent(ctx context.Context, e *Event) context.Context {
	return e.recording().context(ctx)
}

// ContextWithTracer returns a context in which the functions of this package use
// t where they would use the default tracer. A session in the context keeps its
// own. A nil tracer returns ctx.
func ContextWithTracer(ctx context.Context, t *Tracer) context.Context {
	if t == nil {
		return ctx
	}
	if ctx == nil {
		ctx = context.Background()
	}
	return context.WithValue(ctx, tracerKey{}, t)
}

type tracerKey struct{}
