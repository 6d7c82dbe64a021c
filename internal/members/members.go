// Package members reads and writes the members of the W3C baggage header by which the
// identity of a session travels.
//
// Members stay out of OpenTelemetry's baggage inside a process, because the propagator of
// that writes every member on every request, also to the providers of models.
package members

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// The keys of the members that name a place in a session.
const (
	Session = "honeyhive.session_id"
	Parent  = "honeyhive.parent_id"
	// Sampled is "0" where the session is not recorded.
	Sampled = "honeyhive.session_sampled"
	// Signature is that of the others, by a key that sender and receiver have.
	Signature = "honeyhive.session_signature"
)

// The members that HoneyHive's Python tracer writes. Only the ids are read: an
// inbound request chooses no project and no destination.
var (
	inboundSession = []string{Session, "honeyhive_session_id", "session_id"}
	inboundParent  = []string{Parent, "honeyhive_parent_id", "parent_id"}
	inboundOther   = []string{"session_name", "project", "source"}
)

// Limits of the W3C baggage specification, for all members together.
const (
	mostMembers = 64
	mostBytes   = 8192
)

// Header is the header that the members stand in.
const Header = "baggage"

// Add adds members to those that the carrier has, in place of all that speak of a session
// of ours. Each is added whole or not at all.
func Add(carrier propagation.TextMapCarrier, members []string) {
	all, total := others(headerValues(carrier))
	for _, m := range members {
		if len(all) >= mostMembers || total+len(m) > mostBytes {
			break
		}
		all = append(all, m)
		total += len(m) + 1
	}
	carrier.Set(Header, strings.Join(all, ","))
}

// others returns the members of headers that speak of no session of ours, and how long
// they are.
func others(values []string) (all []string, total int) {
	for member := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if member = strings.TrimSpace(member); member == "" || isOurs(memberKey(member)) {
			continue
		}
		all = append(all, member)
		total += len(member) + 1
	}
	return all, total
}

// Without returns a header without the members that speak of a session of ours, "" where
// no other is left, and whether there were any.
func Without(values []string) (left string, changed bool) {
	if !slices.ContainsFunc(values, func(value string) bool { return strings.Contains(value, ours) }) {
		return "", false
	}
	all, _ := others(values)
	return strings.Join(all, ","), true
}

// Found are the members of a carrier that speak of a session, decoded.
type Found map[string]string

// Session returns the id of the session that is named.
func (f Found) Session() (honeyhive.UUID, bool) { return f.firstUUID(inboundSession) }

// Parent returns the id of the event that is named to hang on.
func (f Found) Parent() (honeyhive.UUID, bool) { return f.firstUUID(inboundParent) }

// headerValues returns the baggage headers of a carrier; HTTP may have several.
func headerValues(carrier propagation.TextMapCarrier) []string {
	if many, ok := carrier.(propagation.ValuesGetter); ok {
		return many.Values(Header)
	}
	return []string{carrier.Get(Header)}
}

func memberKey(member string) string {
	key, _, _ := strings.Cut(member, "=")
	key, _, _ = strings.Cut(key, ";")
	return strings.TrimSpace(key)
}

// ours begins the keys of our members.
const ours = "honeyhive."

func isOurs(key string) bool { return strings.HasPrefix(key, ours) }

// Read returns what a carrier has.
func Read(carrier propagation.TextMapCarrier) Found {
	found := make(Found)
	members, total := 0, 0
	for _, value := range headerValues(carrier) {
		if total += len(value); total > mostBytes {
			break
		}
		for member := range strings.SplitSeq(value, ",") {
			if members++; members > mostMembers {
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

func (f Found) firstUUID(keys []string) (honeyhive.UUID, bool) {
	for _, k := range keys {
		if u, err := honeyhive.ParseUUID(f[k]); err == nil && !u.IsZero() {
			return u, true
		}
	}
	return honeyhive.UUID{}, false
}

// Strip takes what speaks of a session out of OpenTelemetry's baggage, so that
// its propagator sends it to nobody. The plain names of the Python tracer are
// removed where they came with a session alone: anybody may use them.
func (f Found) Strip(ctx context.Context) context.Context {
	bag := baggage.FromContext(ctx)
	if bag.Len() == 0 {
		return ctx
	}
	_, python := f.firstUUID([]string{"session_id", "honeyhive_session_id"})
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
