package convert_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/span"
)

// drawKnown draws what a recorder may know of a span.
func drawKnown(t *rapid.T) *convert.Record {
	text := func(label string, values ...string) string {
		return rapid.SampledFrom(append(values, "", "")).Draw(t, label)
	}
	id := func(label string) (u honeyhive.UUID) {
		u, _ = honeyhive.ParseUUID(text(label, sessionUUID, childUUID, eventUUID))
		return u
	}
	k := &convert.Record{
		SessionID: id("session id"), EventID: id("event id"), ParentID: id("parent id"),
		Name: text("name", "a name", "\xff"), SessionName: text("session name", "a session"),
		Type:    text("type", honeyhive.TypeModel, honeyhive.TypeTool, honeyhive.TypeChain, honeyhive.TypeSession),
		Project: text("project", "p", "p \xff"), Source: text("source", "s"), Error: text("error", "went wrong", "\xff"),
		Operation: text("operation", "chat", "search_memory", "another"),
		Continued: rapid.Bool().Draw(t, "continued"),
		Kind:      text("kind", convert.KindTurn),
	}
	if rapid.Bool().Draw(t, "has a duration") {
		k.Duration = honeyhive.Some(rapid.Float64Range(0, 1e9).Draw(t, "duration"))
	}
	if rapid.Bool().Draw(t, "has children") {
		k.ChildrenIDs = honeyhive.Some(rapid.SliceOfN(rapid.SampledFrom([]string{sessionUUID, childUUID, "0E2F0D1C-5A55-4A0B-9F6B-7D4D35B5A1AA", "00000000-0000-0000-0000-000000000000"}), 0, 3).Draw(t, "children"))
	}
	for _, b := range convert.AllBuckets() {
		switch rapid.IntRange(0, 4).Draw(t, b.Field()) {
		case 0, 1:
			o, _ := honeyhive.ObjectOf(rapid.MapOfN(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"model", "operation_name", "total_tokens", "query", "role", "chat_history", "result"})), anyJSON(), 0, 5).Draw(t, "object"))
			k.Buckets[b] = o
		case 2:
			k.Buckets[b] = honeyhive.NullObject() // which is no object
		}
	}
	return k
}

// drawOthers draws attributes in every dialect.
func drawOthers(t *rapid.T, label string) []attribute.KeyValue {
	keys := []string{"foreign", "session.id", "", "\xff", "exception.message"}
	for _, m := range convert.Tables() {
		key := m.Attribute
		if key[len(key)-1] == '.' {
			key += rapid.SampledFrom([]string{"a", "model", "0.b", "message.content"}).Draw(t, "rest")
		}
		keys = append(keys, key)
	}
	var list []attribute.KeyValue
	for range rapid.IntRange(0, 8).Draw(t, label) {
		key := rapid.SampledFrom(keys).Draw(t, "key")
		if span.HasKey(list, attribute.Key(key)) {
			continue // a span has each key once
		}
		list = append(list, attribute.KeyValue{Key: attribute.Key(key), Value: rapid.SampledFrom([]attribute.Value{
			value("text"), value(`{"a":1,"model":"other"}`), value(`[1]`), value("session"), value("model"), value(sessionUUID), value("user-42"),
			value(3), value(true), value(1.5), value([]string{childUUID, "x"}), value(nil), value(""),
		}).Draw(t, "value")})
	}
	return list
}

// TestKnown: a span of which something is known gives the record that it gives where
// each of that stands in an attribute, in place of others of the name.
func TestKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSpan()
		s.Name = rapid.SampledFrom([]string{"span", "", "\xff"}).Draw(t, "name of the span")
		s.Failed = rapid.Bool().Draw(t, "failed")
		s.Status = rapid.SampledFrom([]string{"", "broken"}).Draw(t, "status")
		s.Project = rapid.SampledFrom([]string{"", "default"}).Draw(t, "default project")
		s.Attributes = drawOthers(t, "attributes")
		for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"exception", "gen_ai.evaluation.result", "foreign"}), 0, 2).Draw(t, "events") {
			s.Events = append(s.Events, convert.Event{Name: name, Attributes: drawOthers(t, "of the event")})
		}
		if rapid.Bool().Draw(t, "has a link") {
			s.Links = []convert.Link{{TraceID: s.TraceID, Attributes: drawOthers(t, "of the link")}}
		}
		s.Known = drawKnown(t)
		before := *s.Known

		shown := span.Span{Known: s.Known, Attributes: slices.Clone(s.Attributes)}
		spread := *s
		spread.Known, spread.Attributes = nil, shown.AppendAttributes(nil)
		if d := cmp.Diff(convert.Convert(&spread), convert.Convert(s)); d != "" {
			t.Errorf("spread: %v\n%s", spread.Attributes, d)
		}
		if d := cmp.Diff(before, *s.Known); d != "" {
			t.Error("what is known was changed: ", d)
		}
		for i, kv := range spread.Attributes {
			if span.HasKey(spread.Attributes[:i], kv.Key) {
				t.Errorf("%s stands twice", kv.Key)
			}
		}
	})
}

// TestKnownCounts: the property above holds for a conversion that ignores what is
// known too.
func TestKnownCounts(t *testing.T) {
	s := newSpan("honeyhive_inputs", `{"from":"the attribute"}`, "honeyhive_outputs", `{"from":"the attribute"}`, "gen_ai.request.model", "m")
	object := canonical.Object
	s.Known = &convert.Record{Name: "known", Type: honeyhive.TypeModel, Operation: "chat", Buckets: convert.Buckets{
		convert.Inputs: object(`{"from":"the buckets"}`), convert.Config: object(`{"model":"n"}`), convert.Outputs: honeyhive.NullObject(),
	}}
	rec := convert.Convert(s)
	want := convert.Buckets{
		convert.Inputs: object(`{"from":"the buckets"}`), convert.Outputs: object(`{"from":"the attribute"}`),
		convert.Config: object(`{"model":"n"}`), convert.Metadata: object(`{"operation_name":"chat"}`),
	}
	if d := cmp.Diff(want, rec.Buckets); d != "" || rec.Name != "known" || rec.Type != honeyhive.TypeModel {
		t.Errorf("%s in %+v", d, rec)
	}
}
