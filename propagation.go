package sessionspan

import (
	"context"

	"go.opentelemetry.io/otel/propagation"

	"github.com/sessionspan/sessionspan/internal/members"
)

// The propagator below writes the identity of a session only where the context is marked:
// by Transport for hosts that were allowed, or by Inject. See package members.
type markKey struct{}

// An ExtractOption says what [Handler], [Extract] and [Propagator] take from those
// who name a session: [WithSignedCallers], [WithMappedSessions], [WithTrustedCallers].
type ExtractOption struct{ apply func(*extraction) }

// WithTrustedCallers lets callers decide that a session is not recorded here
// either, as [Inject] and [Transport] say of one that their sampler left out. It
// is for services and queues which nobody but programs of your own can reach:
// whoever else can reach them hides what a request of theirs does.
//
// Without it each process decides by its own sampler, which for processes that
// give [SessionSampler] the same base is the same decision.
func WithTrustedCallers() ExtractOption {
	return ExtractOption{func(x *extraction) { x.trust = true }}
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
	return &propagator{extractionOf(options)}
}

type propagator struct{ extraction extraction }

// Fields returns the headers that Inject writes.
func (*propagator) Fields() []string { return []string{members.Header} }

// Inject writes the identity where the context is marked for it.
func (*propagator) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	if ctx != nil && carrier != nil && ctx.Value(markKey{}) != nil {
		inject(ctx, carrier)
	}
}

// Extract takes the identity of a session from the carrier into the context.
// What is no UUID is ignored.
func (p *propagator) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	if ctx = orBackground(ctx); carrier == nil {
		return ctx
	}
	return p.extraction.extract(ctx, carrier)
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
	x := extractionOf(options)
	return x.extract(propagation.TraceContext{}.Extract(ctx, carrier), carrier)
}

// inject adds the identity to the members that the carrier has.
func inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	if r := recordingFrom(ctx); r != nil && r.node.Session != nil {
		members.Add(carrier, r.members(r.signingKey(ctx)))
	}
}

// members returns the baggage members that name a place in a session, signed if there is a
// key.
func (r *recording) members(key []byte) []string {
	s := r.node.Session
	list := []string{members.Session + "=" + s.ID.String()}
	parent, sampled := s.RemoteParent, "" // passed on as it came
	if s.Recorded() {
		parent = r.node.AboveElsewhere()
	} else if t := r.tracer; s.UnsampledElsewhere || !s.Continued && t != nil && !t.disabled {
		sampled = "0" // recorded nowhere, unless nobody here records anything at all
		list = append(list, members.Sampled+"="+sampled)
	}
	if !parent.IsZero() {
		list = append(list, members.Parent+"="+parent.String())
	}
	if key != nil {
		list = append(list, members.Signature+"="+signature(key, s.ID, parent, sampled))
	}
	return list
}

// extract puts the session that the carrier names into the context.
func (x *extraction) extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	found := members.Read(carrier)
	ctx = found.Strip(ctx)
	id, parent, ok := x.identity(found)
	if !ok {
		return ctx
	}
	s := (*Tracer)(nil).continued(id)
	if parent != id {
		s.rec.node.Session.RemoteParent = parent
	}
	s.rec.node.Session.UnsampledElsewhere = x.trust && found[members.Sampled] == "0"
	return &scope{ctx, &s.rec}
}
