package exporter

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/span"
)

// Exporter delivers to one destination. Make one with [NewHTTP], [NewLines],
// [NewOTLP] or [Wrap]. A nil or zero Exporter does nothing.
//
// Exporter starts no goroutine before its first span, unless its spool holds records
// of processes that have ended, and leaves none behind after Shutdown unless code
// of yours does not return, which the error of Shutdown says. Code of yours that
// panics or calls [runtime.Goexit] costs the record that it was called for, which
// is counted and reported.
type Exporter struct {
	engine *delivery.Engine
	// sessions is set where records are payloads rather than spans: such a
	// destination takes the spans of sessions alone, and updates.
	sessions bool
	payloads *payloads // nil where records are spans
	privacy  privacy
	closing  closing
	client   *delivery.Client // nil where there is none
	local    string           // the server, where it is at a loopback address and may be ours
	live     func()           // has sessions announced, where that is no option's to say
}

var _ sdktrace.SpanExporter = (*Exporter)(nil)

// none reports whether the exporter is nil, or zero, which nobody made.
func (e *Exporter) none() bool { return e == nil || e.engine == nil }

// ErrNoUpdates says that a destination takes spans alone and so cannot change
// a session or event that it was sent.
var ErrNoUpdates = errors.New("the destination takes no updates")

// Update takes over a change of a session or an event. The change is sent after what it
// changes, in the order of the calls, and tried for Limits.UpdateFor while the
// server does not know its target. Update returns [ErrNoUpdates] for OTLP and for
// wrapped exporters.
func (e *Exporter) Update(session honeyhive.UUID, u *honeyhive.Update) error {
	if e.none() || !e.sessions {
		return ErrNoUpdates
	}
	e.engine.Put(&update{session, func() *honeyhive.Update { return u }}, pipeline.SizeOfUpdate(u))
	return nil
}

// update is what Update puts into the queue.
type update struct {
	session honeyhive.UUID
	build   func() *honeyhive.Update
}

// InSession implements [delivery.InSession]: of a change in a turn that is the turn.
func (u *update) InSession() [16]byte { return u.session }

// ExportSpans takes over finished spans, as a SpanExporter behind any span
// processor. Where the destination is one of payloads, spans without a session
// are left out. ExportSpans returns when those that do not wait for the end of their
// session are delivered, or with an error when ctx ends; they are kept and sent
// later all the same.
func (e *Exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if e.none() {
		return nil
	}
	var spoken map[trace.TraceID]bool
	if e.sessions {
		spoken = speaking(spans)
	}
	for _, s := range spans {
		if s == nil || e.sessions && !inSession(s, spoken) {
			continue
		}
		source := span.FromSDK(s)
		(*queue)(e).Put(time.Now(), source, source.Size())
	}
	return e.engine.Sync(orBackground(ctx))
}

// inSession reports whether a span is an event of a session that it names, rather than
// a plain one that merely runs on the same provider. A step of the program is one
// where its trace speaks, as far as the batch tells.
func inSession(s sdktrace.ReadOnlySpan, spoken map[trace.TraceID]bool) bool {
	if !convert.InSession(s.Attributes()) {
		return false
	}
	switch span.RoleOf(s) {
	case convert.Speaking:
		return true
	case convert.Step:
		return spoken[s.SpanContext().TraceID()] || convert.NamesSession(s.Attributes())
	}
	return false
}

// speaking returns the traces of a batch that have a span that speaks.
func speaking(spans []sdktrace.ReadOnlySpan) map[trace.TraceID]bool {
	traces := make(map[trace.TraceID]bool)
	for _, s := range spans {
		if s != nil && span.RoleOf(s) == convert.Speaking {
			traces[s.SpanContext().TraceID()] = true
		}
	}
	return traces
}

// ForceFlush announces the sessions that are open and waits until all that ended
// before is delivered, or ctx ends. The error counts what waits, and what was
// dropped since the last flush, and names the last error of the destination.
func (e *Exporter) ForceFlush(ctx context.Context) error {
	if e.none() {
		return nil
	}
	return e.engine.Flush(orBackground(ctx))
}

// Shutdown takes no more spans, sends the sessions that are open as incomplete,
// and delivers until ctx ends. What is left then stays in the spool, or is
// dropped where there is none; the error counts both, and names the last error of
// the destination. Later calls return the same when the first has ended.
//
// It ends half a second after ctx, or with a spool a few seconds, also while code
// of yours hangs, such as a redactor, a writer or a foreign SpanExporter. That code
// is left behind in its goroutine, which the error says.
func (e *Exporter) Shutdown(ctx context.Context) error {
	if e.none() {
		return nil
	}
	ctx = orBackground(ctx)
	return errors.Join(e.engine.Close(ctx), e.closing.run(ctx))
}

// orBackground returns ctx, or one that never ends in place of nil.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// Format prints the name of the destination, for every verb: nothing of an
// exporter can be printed that holds a key.
func (e *Exporter) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "exporter to %q", e.Stats().Destination)
}
