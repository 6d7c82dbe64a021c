package sessionspan

import (
	"context"
	"log/slog"
	"slices"
)

// LogHandler returns a handler that adds session_id and event_id to the log
// records of a context that is in a session, at the top level whatever groups
// are open, and passes them to next. A nil next stands for the handler of
// slog.Default.
func LogHandler(next slog.Handler) slog.Handler {
	if next == nil {
		next = slog.Default().Handler()
	}
	return &logHandler{base: next, next: next}
}

// logHandler keeps what was opened since the first group apart, so that the ids
// can still be added in front of it.
type logHandler struct {
	base slog.Handler // before the first group
	next slog.Handler // with all groups and attributes
	// opened are the groups and attributes since the first group.
	opened []func(slog.Handler) slog.Handler
}

// Enabled implements [slog.Handler].
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	rec := recordingFrom(ctx)
	if rec == nil || rec.node.Session == nil {
		return h.next.Handle(ctx, r)
	}
	ids := []slog.Attr{slog.String("session_id", rec.node.Session.ID.String())}
	if id := rec.event.ID(); id != "" {
		ids = append(ids, slog.String("event_id", id))
	}
	if len(h.opened) == 0 {
		r = r.Clone()
		r.AddAttrs(ids...)
		return h.next.Handle(ctx, r)
	}
	next := h.base.WithAttrs(ids)
	for _, open := range h.opened {
		next = open(next)
	}
	return next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	if len(h.opened) == 0 {
		next := h.next.WithAttrs(attrs)
		return &logHandler{base: next, next: next}
	}
	attrs = slices.Clone(attrs)
	return h.open(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.open(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h *logHandler) open(f func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{base: h.base, next: f(h.next), opened: append(slices.Clip(h.opened), f)}
}
