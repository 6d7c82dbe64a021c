package sessionspan

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// The identity of a session travels as members of the W3C baggage header. It
// stays out of OpenTelemetry's baggage inside a process, because the propagator
// of that writes every member on every request, also to the providers of models.
// Instead the propagator below writes it, and only where the context is marked:
// by Transport for hosts that were allowed, or by Inject.
const (
	memberSession = "honeyhive.session_id"
	memberParent  = "honeyhive.parent_id"
	// memberSampled is "0" where the session is not recorded. Only trusted callers
	// are believed that.
	memberSampled = "honeyhive.session_sampled"
)

// The members that HoneyHive's Python tracer writes. Only the ids are read: an
// inbound request chooses no project and no destination.
var (
	inboundSession = []string{memberSession, "honeyhive_session_id", "session_id"}
	inboundParent  = []string{memberParent, "honeyhive_parent_id", "parent_id"}
	inboundOther   = []string{"session_name", "project", "source"}
)

// Limits of the W3C baggage specification, for all members together.
const (
	baggageMembers = 64
	baggageBytes   = 8192
)

const baggageHeader = "baggage"

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
func (propagator) Fields() []string { return []string{baggageHeader} }

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

// inject adds the identity to the members that the carrier has. Members are
// added whole or not at all.
func inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	r := recordingFrom(ctx)
	if r == nil || r.node.Session == nil {
		return
	}
	var members []string
	total := 0
	for member := range strings.SplitSeq(strings.Join(headerValues(carrier), ","), ",") {
		if member = strings.TrimSpace(member); member == "" || isOurs(memberKey(member)) {
			continue
		}
		members = append(members, member)
		total += len(member) + 1
	}
	for _, m := range r.members() {
		if len(members) >= baggageMembers || total+len(m) > baggageBytes {
			break
		}
		members = append(members, m)
		total += len(m) + 1
	}
	carrier.Set(baggageHeader, strings.Join(members, ","))
}

// members returns the baggage members that name a place in a session.
func (r *recording) members() []string {
	s := r.node.Session
	members := []string{memberSession + "=" + s.ID.String()}
	if s.Recorded() {
		if parent := r.node.AboveElsewhere(); !parent.IsZero() {
			members = append(members, memberParent+"="+parent.String())
		}
		return members
	}
	if !s.Continued || s.UnsampledElsewhere {
		// Recorded nowhere, unless nobody here records anything at all.
		if t := r.tracer; s.UnsampledElsewhere || t != nil && !t.disabled {
			members = append(members, memberSampled+"=0")
		}
	}
	if !s.RemoteParent.IsZero() { // passed on as it came
		members = append(members, memberParent+"="+s.RemoteParent.String())
	}
	return members
}

// headerValues returns the baggage headers of a carrier; HTTP may have several.
func headerValues(carrier propagation.TextMapCarrier) []string {
	if many, ok := carrier.(propagation.ValuesGetter); ok {
		return many.Values(baggageHeader)
	}
	return []string{carrier.Get(baggageHeader)}
}

func memberKey(member string) string {
	key, _, _ := strings.Cut(member, "=")
	key, _, _ = strings.Cut(key, ";")
	return strings.TrimSpace(key)
}

func isOurs(key string) bool { return strings.HasPrefix(key, "honeyhive.") }

// extract puts the session that the carrier names into the context. trust is
// whether the carrier decides that it is not recorded.
func extract(ctx context.Context, carrier propagation.TextMapCarrier, trust bool) context.Context {
	found := readBaggage(carrier)
	ctx = strip(ctx, found)
	id, ok := firstUUID(found, inboundSession)
	if !ok {
		return ctx
	}
	s := (*Tracer)(nil).continued(id)
	if parent, ok := firstUUID(found, inboundParent); ok && parent != id {
		s.rec.node.Session.RemoteParent = parent
	}
	s.rec.node.Session.UnsampledElsewhere = trust && found[memberSampled] == "0"
	return &scope{ctx, &s.rec}
}

// readBaggage returns the members that speak of a session, decoded.
func readBaggage(carrier propagation.TextMapCarrier) map[string]string {
	found := make(map[string]string)
	members, total := 0, 0
	for _, value := range headerValues(carrier) {
		if total += len(value); total > baggageBytes {
			break
		}
		for member := range strings.SplitSeq(value, ",") {
			if members++; members > baggageMembers {
				return found
			}
			key, rest, ok := strings.Cut(member, "=")
			key = strings.TrimSpace(key)
			if _, seen := found[key]; !ok || seen || !speaksOfSession(key) {
				continue
			}
			text, _, _ := strings.Cut(rest, ";") // without properties
			if decoded, err := url.PathUnescape(strings.TrimSpace(text)); err == nil {
				found[key] = decoded
			}
		}
	}
	return found
}

func speaksOfSession(key string) bool {
	if isOurs(key) {
		return true
	}
	for _, list := range [][]string{inboundSession, inboundParent, inboundOther} {
		if slices.Contains(list, key) {
			return true
		}
	}
	return false
}

func firstUUID(found map[string]string, keys []string) (honeyhive.UUID, bool) {
	for _, k := range keys {
		if u, err := honeyhive.ParseUUID(found[k]); err == nil && !u.IsZero() {
			return u, true
		}
	}
	return honeyhive.UUID{}, false
}

// strip takes what speaks of a session out of OpenTelemetry's baggage, so that
// its propagator sends it to nobody. The plain names of the Python tracer are
// removed where they came with a session alone: anybody may use them.
func strip(ctx context.Context, found map[string]string) context.Context {
	bag := baggage.FromContext(ctx)
	if bag.Len() == 0 {
		return ctx
	}
	_, python := firstUUID(found, []string{"session_id", "honeyhive_session_id"})
	changed := false
	for _, m := range bag.Members() {
		if key := m.Key(); isOurs(key) || python && speaksOfSession(key) {
			bag = bag.DeleteMember(key)
			changed = true
		}
	}
	if !changed {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, bag)
}
