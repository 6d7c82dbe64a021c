package sessionspan

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/propagation"

	"github.com/sessionspan/sessionspan/internal/members"
)

// The propagator below writes the identity of a session only where the context is marked:
// by Transport for hosts that were allowed, or by Inject. See package members.
type markKey struct{}

// An ExtractOption says what [Handler], [Extract] and [Propagator] take from those
// who name a session.
type ExtractOption struct{ trust bool }

// WithTrustedCallers lets callers decide that a session is not recorded here
// either, as [Inject] and [Transport] say of one that their sampler left out. It
// is for services and queues which nobody but programs of your own can reach:
// whoever else can reach them hides what a request of theirs does.
//
// Without it each process decides by its own sampler, which for processes that
// give [SessionSampler] the same base is the same decision.
func WithTrustedCallers() ExtractOption { return ExtractOption{trust: true} }

func trusts(options []ExtractOption) bool {
	return slices.ContainsFunc(options, func(o ExtractOption) bool { return o.trust })
}

// Propagator carries the identity of a session from one process to another in
// the baggage header: the id of the session, the id of the event to hang on, and
// whether the session is recorded. Its Inject writes only for requests that
// [Transport] sends to an allowed host. Its Extract takes the two ids into the
// context, out of which they are never sent on by anything else, and believes
// that the session is not recorded only with [WithTrustedCallers]. It takes
// nothing else; see [Handler].
//
// It belongs behind the other propagators, since it adds to what they wrote and
// removes from the context's baggage what is not meant for others:
//
//	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(
//		propagation.TraceContext{}, propagation.Baggage{}, sessionspan.Propagator()))
//
// [Handler] and [Transport] work without it.
func Propagator(options ...ExtractOption) propagation.TextMapPropagator {
	return propagator{trusts(options)}
}

type propagator struct{ trust bool }

// Fields returns the headers that Inject writes.
func (propagator) Fields() []string { return []string{members.Header} }

// Inject writes the identity where the context is marked for it.
func (propagator) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	if ctx != nil && carrier != nil && ctx.Value(markKey{}) != nil {
		inject(ctx, carrier)
	}
}

// Extract takes the identity of a session from the carrier into the context.
// What is no UUID is ignored.
func (p propagator) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	if ctx = orBackground(ctx); carrier == nil {
		return ctx
	}
	return extract(ctx, carrier, p.trust)
}

// Inject writes the identity of the session that ctx is in, and the trace
// context, to the headers of a message: for queues and the like, whose carriers
// nobody but the caller knows to be safe. Other baggage members that the carrier
// has are kept. Outside a session it writes the trace context alone, and with a
// nil ctx or carrier nothing.
func Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	if ctx == nil || carrier == nil {
		return
	}
	propagation.TraceContext{}.Inject(ctx, carrier)
	inject(ctx, carrier)
}

// Extract returns a context in the session and the trace that the carrier names,
// for messages that were sent with [Inject]. A session that it does not name, or
// by something that is no UUID, leaves ctx in the session that it is in. A nil ctx
// stands for context.Background(), a nil carrier names nothing.
//
// Of the carrier it takes what [Handler] takes of a request. A message can come
// from whoever can write to the queue, so the mark that its session is not
// recorded counts with [WithTrustedCallers] alone.
func Extract(ctx context.Context, carrier propagation.TextMapCarrier, options ...ExtractOption) context.Context {
	if ctx = orBackground(ctx); carrier == nil {
		return ctx
	}
	return extract(propagation.TraceContext{}.Extract(ctx, carrier), carrier, trusts(options))
}

// inject adds the identity to the members that the carrier has.
func inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	if r := recordingFrom(ctx); r != nil && r.node.Session != nil {
		members.Add(carrier, r.members())
	}
}

// members returns the baggage members that name a place in a session.
func (r *recording) members() []string {
	s := r.node.Session
	list := []string{members.Session + "=" + s.ID.String()}
	if s.Recorded() {
		if parent := r.node.AboveElsewhere(); !parent.IsZero() {
			list = append(list, members.Parent+"="+parent.String())
		}
		return list
	}
	if !s.Continued || s.UnsampledElsewhere {
		// Recorded nowhere, unless nobody here records anything at all.
		if t := r.tracer; s.UnsampledElsewhere || t != nil && !t.disabled {
			list = append(list, members.Sampled+"=0")
		}
	}
	if !s.RemoteParent.IsZero() { // passed on as it came
		list = append(list, members.Parent+"="+s.RemoteParent.String())
	}
	return list
}

// extract puts the session that the carrier names into the context. trust is
// whether the carrier decides that it is not recorded.
func extract(ctx context.Context, carrier propagation.TextMapCarrier, trust bool) context.Context {
	found := members.Read(carrier)
	ctx = found.Strip(ctx)
	id, ok := found.Session()
	if !ok {
		return ctx
	}
	s := (*Tracer)(nil).continued(id)
	if parent, ok := found.Parent(); ok && parent != id {
		s.rec.node.Session.RemoteParent = parent
	}
	s.rec.node.Session.UnsampledElsewhere = trust && found[members.Sampled] == "0"
	return &scope{ctx, &s.rec}
}
