package sessionspan

import "context"

// scopeKey is the key of the node in a context: the place where new events
// belong.
type scopeKey struct{}

// scope is a context with such a place.
type scope struct {
	context.Context
	node *node
}

// Value implements [context.Context].
func (s *scope) Value(key any) any {
	if _, ok := key.(scopeKey); ok {
		return s.node
	}
	return s.Context.Value(key)
}

// String says nothing of what the context holds.
func (s *scope) String() string { return "sessionspan context" }

// nodeFrom returns the node of a context, or nil.
func nodeFrom(ctx context.Context) *node {
	if ctx == nil {
		return nil
	}
	n, _ := ctx.Value(scopeKey{}).(*node)
	return n
}

// SessionFromContext returns the session that the context is in, or nil. That
// may be one that another process started; see [ContinueSession]. What is set on
// one that came with a request is delivered by the tracer of the context, or else
// the default one.
func SessionFromContext(ctx context.Context) *Session {
	n := nodeFrom(ctx)
	if n == nil || n.session == nil {
		return nil
	}
	if n.tracer == nil {
		if t, ok := ctx.Value(tracerKey{}).(*Tracer); ok {
			n = t.bind(n)
		} else if t := defaultTracer.Load(); t != nil {
			n = t.bind(n)
		}
	}
	return n.session.handle
}

// EventFromContext returns the event that the context is in: the nearest one
// that was started by [StartEvent], or nil directly under a session.
func EventFromContext(ctx context.Context) *Event {
	if n := nodeFrom(ctx); n != nil {
		return n.event
	}
	return nil
}

// ContextWithSession returns a context in which new events belong directly to
// the session, in whatever event ctx is. It is for work that a session hands to
// a goroutine with a context of its own; the span of the session becomes the
// parent there. A nil session returns ctx.
func ContextWithSession(ctx context.Context, s *Session) context.Context {
	if s == nil {
		return ctx
	}
	return s.recording().context(ctx)
}

// ContextWithEvent returns a context in which new events belong to the event. A
// nil event returns ctx.
func ContextWithEvent(ctx context.Context, e *Event) context.Context {
	if e == nil {
		return ctx
	}
	return e.rec.context(ctx)
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
