package sessionspan

import (
	"context"
	"sync/atomic"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/content"
)

// WithoutContent keeps what users, models and tools say from every destination. Given to
// [New] it holds for all that the tracer records, in the destinations that New makes; see
// [exporter.WithoutContent], which is for one destination and for kinds of content. Given
// to [StartSession], [StartTurn] or [StartEvent] it holds for the session, the turn or the
// event and for all below, in all destinations of the tracer, and on the span itself,
// where other exporters of the provider could read it: as if it were started in the
// context of [ContextWithoutContent]. Structure, names, times, usage and models stay.
func WithoutContent() FieldOption { return FieldOption{field: fieldContent} }

// withoutContentKey marks contexts of which no content is to leave.
type withoutContentKey struct{}

// anyWithoutContent is set once there is such a context, so that nobody looks for the mark
// before.
var anyWithoutContent atomic.Bool

// ContextWithoutContent returns a context for a call, or a whole request, of which no
// content is to leave the program, whatever the destinations may have: sessions and events
// that are started in it, and all below them, are delivered as [exporter.WithoutContent]
// says, and so are spans of other tracers on the provider of the tracer, and updates by
// [Update]. It cannot be taken back below. A nil context stands for
// context.Background().
//
// It holds in this process. Spans of other tracers are marked by the attribute
// honeyhive.without_content, which other exporters of a provider of your own may heed:
// what such tracers write on their spans they see.
func ContextWithoutContent(ctx context.Context) context.Context {
	anyWithoutContent.Store(true)
	return context.WithValue(orBackground(ctx), withoutContentKey{}, true)
}

// withoutContent reports whether no content is to leave of what is started in a context.
func withoutContent(ctx context.Context) bool {
	if !anyWithoutContent.Load() || ctx == nil {
		return false
	}
	return ctx.Value(withoutContentKey{}) != nil || recordingFrom(ctx).withoutContent()
}

// asOptions returns the context that the options of a start ask for.
func asOptions(ctx context.Context, options []FieldOption) context.Context {
	for i := range options {
		if options[i].field == fieldContent {
			return ContextWithoutContent(ctx)
		}
	}
	return ctx
}

// withoutContent reports whether no content is to leave of the recording.
func (r *recording) withoutContent() bool {
	return r != nil && (r.noContent || r.node != nil && r.node.Session != nil && r.node.Session.NoContent)
}

// passes returns what may leave of an update to the recording.
func (r *recording) passes(u *honeyhive.Update) *honeyhive.Update {
	if r.withoutContent() {
		return content.Closed.Update(u)
	}
	return u
}
