package convert

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Identity is the part of a [Record] that says what a span is, rather than what
// it holds. Its fields are those of the record.
type Identity struct {
	SessionID, EventID honeyhive.UUID
	Name, Type, Error  string
}

// Identify returns the identity of a span, as [Convert] reads it, without
// building the buckets. Identify keeps no reference to the span, and may be called
// from many goroutines at once.
func Identify(s *Span) Identity {
	if !plainIdentity(s) {
		rec := Convert(s)
		return rec.identity()
	}
	r := newReader(s)
	defer r.free()
	if s.Known != nil {
		r.know(s.Known)
	}
	for i := range s.Attributes {
		kv := &s.Attributes[i]
		found, ok := identityRules[string(kv.Key)]
		if !ok || kv.Value.Type() == attribute.EMPTY || r.knows(string(kv.Key)) {
			continue
		}
		if known := found.at(r); known.set && known.from < found.from {
			continue // a better source has said it
		}
		found.read(r, kv.Value, found.from)
	}
	rec := r.head()
	r.ids(&rec)
	return rec.identity()
}

func (r *Record) identity() Identity {
	return Identity{SessionID: r.SessionID, EventID: r.EventID, Name: r.Name, Type: r.Type, Error: r.Error}
}

// plainIdentity reports whether the identity of a span stands in its attributes
// alone, each read by itself: it did not fail, since the text of an error comes from
// many places, and none of its events speaks as its attributes do.
func plainIdentity(s *Span) bool {
	if s.Failed || s.Known != nil && (s.Known.Failed || s.Known.Error != "") {
		return false
	}
	for i := range s.Attributes {
		if key := string(s.Attributes[i].Key); jointRules[key] || hasPrefix(key, jointPrefixes) {
			return false
		}
	}
	for i := range s.Events {
		if name := s.Events[i].Name; eventReaders[name] != nil || isException(name) {
			return false
		}
	}
	return true
}

// Failed reports whether the record of a span says that it failed, as [Convert] reads
// it, for the most part without making the record. Failed keeps no reference to the span,
// and may be called from many goroutines at once.
func Failed(s *Span) bool {
	if s.Failed || plainIdentity(s) {
		return s.Failed
	}
	rec := Convert(s)
	return rec.Failed
}

// Identifies reports whether an attribute may say what a span is, or holds what
// this library knows of it.
func Identifies(key string) bool {
	_, ok := identityRules[key]
	return ok || hasPrefix(key, honeyHive.prefixes)
}

// identityRule is a rule that tells the identity of a span, and what it sets.
type identityRule struct {
	*rule
	at func(*reader) *ranked
}

// jointRules are the attributes that tell the identity of a span together with others:
// those that may say that it failed, and those that a dialect looks at in the end.
var jointRules = make(map[string]bool)

// jointPrefixes start the names of such attributes.
var jointPrefixes []string

// identityRules are those of the exact rules that tell the identity of a span.
var identityRules = make(map[string]identityRule)

// identityFields are the fields of a record that its identity is made of.
var identityFields = map[string]func(*reader) *ranked{
	"session_id":   func(r *reader) *ranked { return &r.sessionID },
	"session_name": func(r *reader) *ranked { return &r.sessionName },
	"project":      func(r *reader) *ranked { return &r.project },
	"event_id":     func(r *reader) *ranked { return &r.eventID },
	"event_type":   func(r *reader) *ranked { return &r.eventType },
	"event_name":   func(r *reader) *ranked { return &r.eventName },
}

// indexIdentity adds a rule to the index if it tells the identity of a span.
func indexIdentity(rl *rule) {
	if rl.tellsLate {
		jointRules[rl.attribute] = true
		return
	}
	for field := range strings.SplitSeq(rl.field, ", ") {
		if field == "error" {
			jointRules[rl.attribute] = true
		}
		if at := identityFields[field]; at != nil {
			identityRules[rl.attribute] = identityRule{rl, at}
		}
	}
}
