package convert

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// honeyHive is the dialect of the HoneyHive OTLP endpoint, with this library's
// additions. The source is the wire contract: underscores before a bucket, a
// dot before its key, deeper levels flattened with more dots. What its own SDKs
// write with a dot (honeyhive.event_type) is read as well.
var honeyHive = dialect{
	name:     "HoneyHive",
	base:     rankOwn,
	prefixes: []string{"honeyhive.", "honeyhive_"},
	identity: []string{
		honeyhive.AttrSessionID, honeyhive.AttrSessionAutoCreate, honeyhive.AttrSessionName, honeyhive.AttrSessionContinued, honeyhive.AttrLeftOut, honeyhive.AttrWithoutContent,
		honeyhive.AttrProject, honeyhive.AttrSource, honeyhive.AttrParentID, "honeyhive_session_id", "honeyhive_project", "honeyhive_source",
	},
	rules: append([]rule{
		set(honeyhive.AttrTurn, "event_type, metadata.event_kind", func(r *reader, v attribute.Value, from rank) {
			if str(v) == "true" {
				r.turn(from)
			}
		}),
		setText(honeyhive.AttrSessionID, "session_id", func(r *reader) *ranked { return &r.sessionID }),
		setText(honeyhive.AttrSessionName, "session_name", func(r *reader) *ranked { return &r.sessionName }),
		setText(honeyhive.AttrProject, "project", func(r *reader) *ranked { return &r.project }),
		setText(honeyhive.AttrSource, "source", func(r *reader) *ranked { return &r.source }),
		set(honeyhive.AttrEventType, "event_type", (*reader).ownType),
		setText(honeyhive.AttrEventName, "event_name", func(r *reader) *ranked { return &r.eventName }),
		setText(honeyhive.AttrEventID, "event_id", func(r *reader) *ranked { return &r.eventID }),
		setText(honeyhive.AttrParentID, "parent_id", func(r *reader) *ranked { return &r.parentID }),
		setText(honeyhive.AttrError, "error", func(r *reader) *ranked { return &r.err }),
		set(honeyhive.AttrChildrenIDs, "children_ids", (*reader).childrenIDs),
		set(honeyhive.AttrDuration, "duration", (*reader).ownDuration),
		set(honeyhive.AttrSessionContinued, "", func(r *reader, v attribute.Value, _ rank) { r.continued = str(v) == "true" }),
		set(honeyhive.AttrSessionAutoCreate, "", func(*reader, attribute.Value, rank) {}),
		set(honeyhive.AttrLeftOut, "", func(*reader, attribute.Value, rank) {}),
		set(honeyhive.AttrWithoutContent, "", func(*reader, attribute.Value, rank) {}),
		set("honeyhive.event_type", "event_type", (*reader).ownType),
		setText("honeyhive.event_name", "event_name", func(r *reader) *ranked { return &r.eventName }),
		setText("honeyhive_session_id", "session_id", func(r *reader) *ranked { return &r.sessionID }),
		setText("honeyhive_project", "project", func(r *reader) *ranked { return &r.project }),
		setText("honeyhive_source", "source", func(r *reader) *ranked { return &r.source }),
	}, bucketRules()...),
	finish: (*reader).finishBuckets,
}

// bucketRules are for each bucket the attribute that holds it whole and the
// family with an attribute for each key.
func bucketRules() []rule {
	var rules []rule
	for _, b := range AllBuckets() {
		rules = append(rules,
			set(b.Attribute(), b.Field(), func(r *reader, v attribute.Value, from rank) { r.whole(b, v, from) }),
			indexed(b.Attribute()+".", b.Field()+".*"))
	}
	return rules
}

func (r *reader) finishBuckets(from rank) {
	for _, b := range AllBuckets() {
		t := r.below(b.Attribute() + ".")
		if t == nil {
			continue
		}
		t.taken = true
		t.walk("", func(key string, value *tree) { r.buckets[b].put(key, value.json(), from) })
	}
}

// ownType reads the type of the event, or a kind that says more. The API refuses
// what is none of the four, so that is kept in the metadata.
func (r *reader) ownType(v attribute.Value, from rank) {
	switch kind := strings.ToLower(str(v)); kind {
	case honeyhive.TypeModel, honeyhive.TypeTool, honeyhive.TypeChain, honeyhive.TypeSession:
		r.eventType.put(kind, from)
	case "":
	default:
		if kindTypes[kind] == "" {
			r.original("event_type", plain(v))
		}
		r.is(kindOrNone(kind), from)
	}
}

func kindOrNone(word string) string {
	if kindTypes[word] == "" {
		return ""
	}
	return word
}

// childrenIDs reads a list of ids, or one. The API refuses what is no UUID, so
// that is kept in the metadata.
func (r *reader) childrenIDs(v attribute.Value, _ rank) {
	r.setChildren(textsOf(v))
}

func (r *reader) setChildren(given []string) {
	ids := make([]string, 0, len(given))
	var others []string
	for _, s := range given {
		if u, err := honeyhive.ParseUUID(s); err == nil && !u.IsZero() {
			ids = append(ids, canonicalID(s, u))
		} else {
			others = append(others, s)
		}
	}
	r.children = honeyhive.Some(ids)
	if len(others) > 0 {
		r.original("children_ids", string(appendList(nil, others, rawjson.AppendString)))
	}
}

// textsOf returns the elements of a list, or else the text alone.
func textsOf(v attribute.Value) []string {
	if v.Type() == attribute.STRINGSLICE {
		return v.AsStringSlice()
	}
	if text := structured(v); rawjson.KindOf(text) == rawjson.Array {
		var list []string
		for element := range rawjson.Elements(text) {
			list = append(list, rawjson.Unquote(element))
		}
		return list
	}
	if text := str(v); text != "" {
		return []string{text}
	}
	return nil
}

// canonicalID returns the text of an id in lower case: the given one where it is.
func canonicalID(given string, u honeyhive.UUID) string {
	for i := range len(given) {
		if given[i] <= 'F' && given[i] >= 'A' {
			return u.String()
		}
	}
	return given
}

// ownDuration reads a duration in milliseconds. What is no number is kept in
// the metadata.
func (r *reader) ownDuration(v attribute.Value, _ rank) {
	if f, ok := finite(v); ok {
		r.duration = honeyhive.Some(f)
		return
	}
	r.original("duration", plain(v))
}
