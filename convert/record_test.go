package convert_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

func TestRecord(t *testing.T) {
	s := newSpan(
		"honeyhive.session_id", strings.ToUpper(sessionUUID), "honeyhive.session_name", "chat", "honeyhive.project", "p", "honeyhive.source", "prod",
		"honeyhive_event_type", "model", "honeyhive_event_name", "answer", "honeyhive_event_id", childUUID, "honeyhive_parent_id", eventUUID,
		"honeyhive_children_ids", []string{eventUUID}, "honeyhive_duration", 1.5, "honeyhive.session_continued", true, "honeyhive_error", "boom",
		"honeyhive.session_auto_create", true, "honeyhive_inputs", ` {"b": 1, "a": 9007199254740993} `, "honeyhive_metadata", "{}",
	)
	object := func(text string) honeyhive.Object {
		o, err := honeyhive.ParseObject(text)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	id := func(text string) honeyhive.UUID {
		u, err := honeyhive.ParseUUID(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	want := convert.Record{
		SessionID: id(sessionUUID), EventID: id(childUUID), ParentID: id(eventUUID), Continued: true,
		Name: "answer", Type: "model", Project: "p", Source: "prod", SessionName: "chat", Error: "boom", Failed: true,
		Start: honeyhive.Some(1712025499832.0), End: honeyhive.Some(1712025500082.0), Duration: honeyhive.Some(1.5),
		ChildrenIDs: honeyhive.Some([]string{eventUUID}),
	}
	want.Buckets[convert.Inputs] = object(`{"b":1,"a":9007199254740993}`)
	want.Buckets[convert.Metadata] = object(`{}`)
	got := convert.Convert(s)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	valid(t, &got)
}

func TestBuckets(t *testing.T) {
	var names, attrs []string
	for i, b := range convert.AllBuckets() {
		if int(b) != i {
			t.Errorf("bucket %d is in place %d", b, i)
		}
		names, attrs = append(names, b.Field()), append(attrs, b.Attribute())
	}
	if d := cmp.Diff([]string{"config", "inputs", "outputs", "metadata", "metrics", "feedback", "user_properties"}, names); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{
		honeyhive.AttrConfig, honeyhive.AttrInputs, honeyhive.AttrOutputs, honeyhive.AttrMetadata,
		honeyhive.AttrMetrics, honeyhive.AttrFeedback, honeyhive.AttrUserProperties,
	}, attrs); d != "" {
		t.Error(d)
	}
	for _, b := range convert.AllBuckets() {
		for given, want := range map[string]string{
			`{"a":1}`: `{"a":1}`, `[1]`: `{"` + b.Wrap() + `":[1]}`, `text`: `{"` + b.Wrap() + `":"text"}`, `null`: `{"` + b.Wrap() + `":"null"}`, `{"a":`: `{"` + b.Wrap() + `":"{\"a\":"}`,
		} {
			if got := bucket(newSpan(b.Attribute(), given), b); got != want {
				t.Errorf("%s=%s: %s, want %s", b.Attribute(), given, got, want)
			}
		}
	}
}

// TestIDs covers the ids of events, sessions and parents.
func TestIDs(t *testing.T) {
	const root, nilUUID = "session", "00000000-0000-0000-0000-000000000000"
	parentEvent := honeyhive.EventID(newSpan().TraceID, newSpan().ParentSpanID).String()
	type ids struct{ Session, Event, Parent, Metadata string }
	for _, tt := range []struct {
		name     string
		given    []any
		noParent bool
		want     ids
	}{
		{"nothing", nil, false, ids{nilUUID, eventUUID, parentEvent, ""}},
		{"nothing above", nil, true, ids{nilUUID, eventUUID, nilUUID, ""}},
		{"session above", []any{"honeyhive.session_id", sessionUUID}, true, ids{sessionUUID, eventUUID, sessionUUID, ""}},
		{"span above", []any{"honeyhive.session_id", sessionUUID}, false, ids{sessionUUID, eventUUID, parentEvent, ""}},
		{"parent named", []any{"honeyhive.session_id", sessionUUID, "honeyhive_parent_id", sessionUUID}, false, ids{sessionUUID, eventUUID, sessionUUID, ""}},
		{"parent in another process", []any{"honeyhive.session_id", sessionUUID, "honeyhive_parent_id", childUUID}, true, ids{sessionUUID, eventUUID, childUUID, ""}},
		{"bad ids", []any{"honeyhive_event_id", "00f067aa0ba902b7", "honeyhive_parent_id", "{" + childUUID + "}"}, false,
			ids{nilUUID, eventUUID, parentEvent, `{"original_event_id":"00f067aa0ba902b7","original_parent_id":"{` + childUUID + `}"}`}},
		{"ids that are no text", []any{"honeyhive_event_id", 7, "honeyhive_parent_id", true}, true, ids{nilUUID, eventUUID, nilUUID, `{"original_event_id":"7","original_parent_id":"true"}`}},
		{"nil ids", []any{"honeyhive_event_id", nilUUID, "honeyhive_parent_id", nilUUID}, false, ids{nilUUID, eventUUID, parentEvent, ""}},
		{"parent of itself", []any{"honeyhive.session_id", sessionUUID, "honeyhive_event_id", childUUID, "honeyhive_parent_id", childUUID}, false,
			ids{sessionUUID, childUUID, parentEvent, `{"original_parent_id":"` + childUUID + `"}`}},
		{"upper case", []any{"honeyhive.session_id", strings.ToUpper(sessionUUID), "honeyhive_event_id", strings.ToUpper(childUUID)}, true, ids{sessionUUID, childUUID, sessionUUID, ""}},
		{"session by name", []any{"honeyhive.project", "Simple RAG Project", "honeyhive.session_id", "user-42"}, true,
			ids{"bccc1984-916f-5aaa-923c-e16deb776a6f", eventUUID, "bccc1984-916f-5aaa-923c-e16deb776a6f", `{"original_session_id":"user-42"}`}},
		{"root", []any{"honeyhive_event_type", root, "honeyhive.session_id", sessionUUID}, true, ids{sessionUUID, sessionUUID, nilUUID, ""}},
		{"root in a request's trace", []any{"honeyhive_event_type", root, "honeyhive.session_id", sessionUUID}, false, ids{sessionUUID, sessionUUID, nilUUID, ""}},
		{"root without an id", []any{"honeyhive_event_type", root}, true, ids{eventUUID, eventUUID, nilUUID, ""}},
		{"root by name", []any{"honeyhive_event_type", root, "honeyhive.project", "Simple RAG Project", "honeyhive.session_id", "user-42"}, true,
			ids{"bccc1984-916f-5aaa-923c-e16deb776a6f", "bccc1984-916f-5aaa-923c-e16deb776a6f", nilUUID, `{"original_session_id":"user-42"}`}},
		{"root with an event id", []any{"honeyhive_event_type", root, "honeyhive.session_id", sessionUUID, "honeyhive_event_id", childUUID}, true,
			ids{sessionUUID, sessionUUID, nilUUID, `{"original_event_id":"` + childUUID + `"}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSpan(tt.given...)
			if tt.noParent {
				s.ParentSpanID = [8]byte{}
			}
			rec := convert.Convert(s)
			got := ids{rec.SessionID.String(), rec.EventID.String(), rec.ParentID.String(), rec.Buckets[convert.Metadata].JSONText()}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if rec.IsSession != strings.HasPrefix(tt.name, "root") {
				t.Errorf("IsSession is %v", rec.IsSession)
			}
			valid(t, &rec)
		})
	}
}

// TestAlmostUUID has ids of the right length with a hyphen too many.
func TestAlmostUUID(t *testing.T) {
	const almost = "7f22137a-6911-4ed3-bc36-bc36-1de6b66"
	for _, name := range []string{"honeyhive.session_id", "session.id", "honeyhive_event_id", "honeyhive_parent_id", "honeyhive_children_ids"} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("panic: %v", r)
				}
			}()
			rec := convert.Convert(newSpan(name, almost))
			if got := rec.Buckets[convert.Metadata].JSONText(); !strings.Contains(got, almost) {
				t.Errorf("the id is lost: %s", got)
			}
			valid(t, &rec)
		})
	}
}

// TestDefaults has a project and a source that the exporter knows.
func TestDefaults(t *testing.T) {
	s := newSpan("session.id", "user-42")
	s.Project, s.Source = "Simple RAG Project", "prod\xff"
	rec := convert.Convert(s)
	if rec.Project != s.Project || rec.Source != "prod\uFFFD" || rec.SessionID.String() != "bccc1984-916f-5aaa-923c-e16deb776a6f" {
		t.Errorf("project %q, source %q, session %s", rec.Project, rec.Source, rec.SessionID)
	}
	s.Attributes = append(s.Attributes, attributes("honeyhive.project", "other", "honeyhive.source", "dev")...)
	rec = convert.Convert(s)
	if rec.Project != "other" || rec.Source != "dev" || rec.SessionID != honeyhive.SessionID("other", "user-42") {
		t.Errorf("project %q, source %q, session %s", rec.Project, rec.Source, rec.SessionID)
	}
	s = newSpan()
	s.ParentSpanID = s.SpanID
	if rec := convert.Convert(s); !rec.ParentID.IsZero() {
		t.Error("a span is above itself")
	}
}

func TestChildrenIDs(t *testing.T) {
	const upper = "7F22137A-6911-4ED3-BC36-110F1DDE6B66"
	type children struct {
		IDs      []string
		Metadata string
	}
	for _, tt := range []struct {
		name  string
		given any
		want  children
	}{
		{"strings", []string{eventUUID, childUUID}, children{IDs: []string{eventUUID, childUUID}}},
		{"none", []string{}, children{IDs: []string{}}},
		{"bad among good", []string{"00f067aa0ba902b7", upper, ""}, children{[]string{childUUID}, `{"original_children_ids":["00f067aa0ba902b7",""]}`}},
		{"nil id", []string{"00000000-0000-0000-0000-000000000000"}, children{[]string{}, `{"original_children_ids":["00000000-0000-0000-0000-000000000000"]}`}},
		{"JSON", `["` + childUUID + `", 7, null]`, children{[]string{childUUID}, `{"original_children_ids":["7","null"]}`}},
		{"one", childUUID, children{IDs: []string{childUUID}}},
		{"text", "not JSON", children{[]string{}, `{"original_children_ids":["not JSON"]}`}},
		{"empty text", "", children{IDs: []string{}}},
		{"values", attribute.SliceValue(attribute.StringValue(childUUID), attribute.IntValue(1)), children{[]string{childUUID}, `{"original_children_ids":["1"]}`}},
		{"number", 5, children{[]string{}, `{"original_children_ids":["5"]}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := convert.Convert(newSpan("honeyhive_children_ids", tt.given))
			if d := cmp.Diff(tt.want, children{rec.ChildrenIDs.Or(nil), rec.Buckets[convert.Metadata].JSONText()}); d != "" {
				t.Error(d)
			}
			valid(t, &rec)
		})
	}
}

func TestEventType(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given []any
		want  string
	}{
		{"nothing", nil, "chain"},
		{"nothing but what HoneyHive calls a tool", []any{"honeyhive.session_id", sessionUUID}, "tool"},
		{"a kind of its own", []any{"honeyhive_event_type", "Retriever", "gen_ai.operation.name", "chat"}, "tool"},
		{"own first", []any{"openinference.span.kind", "LLM", "gen_ai.operation.name", "chat", "honeyhive_event_type", "chain"}, "chain"},
		{"own with a dot", []any{"gen_ai.operation.name", "chat", "honeyhive.event_type", "tool"}, "tool"},
		{"underscore before dot", []any{"honeyhive.event_type", "tool", "honeyhive_event_type", "model"}, "model"},
		{"GenAI second", []any{"traceloop.span.kind", "tool", "openinference.span.kind", "CHAIN", "gen_ai.operation.name", "chat"}, "model"},
		{"OpenInference third", []any{"llm.request.type", "chat", "openinference.span.kind", "CHAIN"}, "chain"},
		{"Traceloop fourth", []any{"llm.request.type", "chat", "traceloop.span.kind", "workflow"}, "model"},
		{"unknown gives way", []any{"gen_ai.operation.name", "dream", "openinference.span.kind", "AGENT"}, "chain"},
		{"any case", []any{"honeyhive_event_type", "Model"}, "model"},
		{"unknown own gives way", []any{"honeyhive_event_type", "generation", "gen_ai.operation.name", "chat"}, "model"},
		{"empty own gives way", []any{"honeyhive_event_type", "", "gen_ai.operation.name", "chat"}, "model"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := convert.Convert(newSpan(tt.given...))
			if rec.Type != tt.want {
				t.Errorf("%s, want %s", rec.Type, tt.want)
			}
			valid(t, &rec)
		})
	}
	if got := bucket(newSpan("honeyhive_event_type", "generation"), convert.Metadata); got != `{"original_event_type":"generation"}` {
		t.Error(got)
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		name, spanName string
		given          []any
		want           string
	}{
		{"span", "span", nil, "span"},
		{"nothing", "", nil, "unknown"},
		{"event", "span", []any{"honeyhive_event_name", "event", "honeyhive.session_name", "session"}, "event"},
		{"session", "span", []any{"honeyhive_event_type", "session", "honeyhive_event_name", "event", "honeyhive.session_name", "session"}, "session"},
		{"session without a name", "span", []any{"honeyhive_event_type", "session", "honeyhive_event_name", "event"}, "event"},
		{"session without any", "span", []any{"honeyhive_event_type", "session"}, "span"},
		{"no UTF-8", "a\xff\xfeb", nil, "a\uFFFDb"},
		{"empty event name", "span", []any{"honeyhive_event_name", ""}, "span"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSpan(tt.given...)
			s.Name = tt.spanName
			rec := convert.Convert(s)
			if rec.Name != tt.want || rec.IsSession && rec.SessionName != tt.want {
				t.Errorf("%q in session %q, want %q", rec.Name, rec.SessionName, tt.want)
			}
			valid(t, &rec)
		})
	}
}

func TestTimes(t *testing.T) {
	start := time.Date(2024, 4, 2, 4, 38, 19, 832_999_999, time.FixedZone("", 7200))
	type times struct{ Start, End, Duration honeyhive.Optional[float64] }
	some := honeyhive.Some[float64]
	for _, tt := range []struct {
		name       string
		start, end time.Time
		given      []any
		want       times
	}{
		{"ended", start, start.Add(1234567 * time.Nanosecond), nil, times{some(1712025499832), some(1712025499834), some(1.234567)}},
		{"running", start, time.Time{}, nil, times{Start: some(1712025499832)}},
		{"running with a duration", start, time.Time{}, []any{"honeyhive_duration", 3}, times{Start: some(1712025499832), Duration: some(3)}},
		{"clock set back", start, start.Add(-time.Hour), nil, times{some(1712025499832), some(1712021899832), some(0)}},
		{"given duration", start, start, []any{"honeyhive_duration", 824.8056}, times{some(1712025499832), some(1712025499832), some(824.8056)}},
		{"given as text", start, start, []any{"honeyhive_duration", "824"}, times{some(1712025499832), some(1712025499832), some(0)}},
		{"no start", time.Time{}, start, nil, times{End: some(1712025499832)}},
		{"nothing", time.Time{}, time.Time{}, nil, times{}},
		{"epoch", time.Unix(0, 0), time.Unix(0, 0), nil, times{some(0), some(0), some(0)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSpan(tt.given...)
			s.Start, s.End = tt.start, tt.end
			rec := convert.Convert(s)
			if d := cmp.Diff(tt.want, times{rec.Start, rec.End, rec.Duration}); d != "" {
				t.Error(d)
			}
			valid(t, &rec)
		})
	}
	if got := bucket(newSpan("honeyhive_duration", "824"), convert.Metadata); got != `{"original_duration":"824"}` {
		t.Error(got)
	}
	if got := convert.Milliseconds(1500 * time.Microsecond); got != 1.5 {
		t.Errorf("Milliseconds: %v", got)
	}
}

func TestError(t *testing.T) {
	exception := convert.Event{Name: "exception", Attributes: attributes("exception.type", "ValueError", "exception.message", "no such thing", "exception.stacktrace", "at 1", "thread", 7)}
	typeOnly := convert.Event{Name: "exception", Attributes: attributes("exception.type", "OSError")}
	for _, tt := range []struct {
		name     string
		given    []any
		ok       bool
		status   string
		events   []convert.Event
		want     string
		metadata string
	}{
		{"own text", []any{"honeyhive_error", "own", "error.type", "timeout"}, false, "status", []convert.Event{exception}, "own",
			`{"error_type":"timeout","exception":{"type":"ValueError","stacktrace":"at 1","thread":7,"message":"no such thing"}}`},
		{"own text alone", []any{"honeyhive_error", "own"}, true, "", nil, "own", ``},
		{"status", []any{"error.type", "timeout"}, false, "status", nil, "status", `{"error_type":"timeout"}`},
		{"status before an exception", nil, false, "status", []convert.Event{typeOnly, exception}, "status",
			`{"span_events":[{"name":"exception","attributes":{"exception.type":"OSError"}}],"exception":{"type":"ValueError","stacktrace":"at 1","thread":7,"message":"no such thing"}}`},
		{"status no UTF-8", nil, false, "a\xffb", nil, "a\uFFFDb", ``},
		{"exception", []any{"error.type", "timeout"}, false, "", []convert.Event{exception}, "no such thing",
			`{"error_type":"timeout","exception":{"type":"ValueError","stacktrace":"at 1","thread":7}}`},
		{"last exception", nil, false, "", []convert.Event{exception, typeOnly}, "OSError",
			`{"span_events":[{"name":"exception","attributes":{"exception.type":"ValueError","exception.message":"no such thing","exception.stacktrace":"at 1","thread":7}}],"exception":{"type":"OSError"}}`},
		{"exception in attributes", []any{"exception.message", "no"}, false, "", nil, "no", ``},
		{"exception in both", []any{"exception.message", "no"}, false, "", []convert.Event{typeOnly}, "OSError", `{"exception.message":"no","exception":{"type":"OSError"}}`},
		{"error type", []any{"error.type", "timeout"}, false, "", nil, "timeout", `{"error_type":"timeout"}`},
		{"nothing says what", nil, false, "", nil, "error", ``},
		{"empty exception", nil, false, "", []convert.Event{{Name: "exception"}}, "error", ``},
		{"empty own text", []any{"honeyhive_error", ""}, true, "", nil, "", ``},
		{"handled exception", []any{"error.type", "timeout"}, true, "status of no error", []convert.Event{exception}, "",
			`{"error_type":"timeout","exception":{"type":"ValueError","stacktrace":"at 1","thread":7,"message":"no such thing"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSpan(tt.given...)
			s.Failed, s.Status, s.Events = !tt.ok, tt.status, tt.events
			rec := convert.Convert(s)
			if rec.Error != tt.want || rec.Failed != (tt.want != "") {
				t.Errorf("%q, failed %v; want %q", rec.Error, rec.Failed, tt.want)
			}
			if d := cmp.Diff(tt.metadata, rec.Buckets[convert.Metadata].JSONText()); d != "" {
				t.Error(d)
			}
			valid(t, &rec)
		})
	}
}

func TestEventsAndLinks(t *testing.T) {
	s := newSpan()
	s.Events = []convert.Event{
		{Name: "cache\xff", Time: time.UnixMilli(1712025499900).Add(999), Attributes: attributes("hit", true, "n", 1, "hit", false)},
		{Name: "retry"},
	}
	l := convert.Link{TraceID: s.TraceID, SpanID: s.SpanID}
	s.Links = []convert.Link{l, l}
	s.Links[1].Attributes = attributes("why", "retry")
	rec := convert.Convert(s)
	want := `{"span_events":[{"name":"cache\ufffd","time":1712025499900,"attributes":{"hit":false,"n":1}},{"name":"retry"}],` +
		`"links":[{"trace_id":"` + traceID + `","span_id":"` + spanID + `"},{"trace_id":"` + traceID + `","span_id":"` + spanID + `","attributes":{"why":"retry"}}]}`
	if d := cmp.Diff(want, rec.Buckets[convert.Metadata].JSONText()); d != "" {
		t.Error(d)
	}
	valid(t, &rec)
}
