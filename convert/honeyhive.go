package convert

import (
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
	rules: append([]rule{
		setText(honeyhive.AttrSessionID, "session_id", func(r *reader) *ranked { return &r.sessionID }),
		setText(honeyhive.AttrSessionName, "session_name", func(r *reader) *ranked { return &r.sessionName }),
		setText(honeyhive.AttrProject, "project", func(r *reader) *ranked { return &r.project }),
		setText(honeyhive.AttrSource, "source", func(r *reader) *ranked { return &r.source }),
		setText(honeyhive.AttrEventType, "event_type", func(r *reader) *ranked { return &r.eventType }),
		setText(honeyhive.AttrEventName, "event_name", func(r *reader) *ranked { return &r.eventName }),
		setText(honeyhive.AttrEventID, "event_id", func(r *reader) *ranked { return &r.eventID }),
		setText(honeyhive.AttrParentID, "parent_id", func(r *reader) *ranked { return &r.parentID }),
		setText(honeyhive.AttrError, "error", func(r *reader) *ranked { return &r.err }),
		set(honeyhive.AttrChildrenIDs, "children_ids", (*reader).childrenIDs),
		set(honeyhive.AttrDuration, "duration", (*reader).milliseconds),
		set(honeyhive.AttrSessionContinued, "", func(r *reader, v attribute.Value, _ rank) { r.continued = v.AsBool() }),
		ignore(honeyhive.AttrSessionAutoCreate),
		setText("honeyhive.event_type", "event_type", func(r *reader) *ranked { return &r.eventType }),
		setText("honeyhive.event_name", "event_name", func(r *reader) *ranked { return &r.eventName }),
		setText("honeyhive_session_id", "session_id", func(r *reader) *ranked { return &r.sessionID }),
		setText("honeyhive_project", "project", func(r *reader) *ranked { return &r.project }),
		setText("honeyhive_source", "source", func(r *reader) *ranked { return &r.source }),
	}, bucketRules()...),
	finish: finishBuckets,
}

// bucketRules are for each bucket the attribute that holds it whole and the
// family with an attribute for each key.
func bucketRules() []rule {
	var rules []rule
	for _, b := range AllBuckets() {
		rules = append(rules,
			set(b.Attribute(), b.Field(), func(r *reader, v attribute.Value, _ rank) { r.whole(b, v) }),
			indexed(b.Attribute()+".", b.Field()+".*"))
	}
	return rules
}

func finishBuckets(r *reader, from rank) {
	for _, b := range AllBuckets() {
		t := r.trees[b.Attribute()+"."]
		if t == nil {
			continue
		}
		for _, key := range t.names {
			r.buckets[b].put(key, t.json(key), from)
		}
	}
}

// childrenIDs reads a list of ids. The API refuses what is no UUID, so that is
// kept in the metadata.
func (r *reader) childrenIDs(v attribute.Value, _ rank) {
	var list []string
	if v.Type() == attribute.STRINGSLICE {
		list = v.AsStringSlice()
	} else {
		for element := range rawjson.Elements(structured(v)) {
			list = append(list, rawjson.Unquote(element))
		}
	}
	ids := make([]string, 0, len(list))
	var others []string
	for _, s := range list {
		if _, err := honeyhive.ParseUUID(s); err != nil {
			others = append(others, s)
			continue
		}
		ids = append(ids, s)
	}
	r.children = honeyhive.Some(ids)
	if len(others) > 0 {
		r.buckets[Metadata].put("original_children_ids", string(appendList(nil, others, rawjson.AppendString)), rankRest)
	}
}

func (r *reader) milliseconds(v attribute.Value, _ rank) {
	if f, ok := finite(v); ok {
		r.duration = honeyhive.Some(f)
		return
	}
	r.buckets[Metadata].put("duration", plain(v), rankRest)
}
