package sessionspan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collecttrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// changes are calls that change an event in every way that there is.
var changes = map[string]func(t *rapid.T, e *sessionspan.Event, v any){
	"inputs":     func(_ *rapid.T, e *sessionspan.Event, v any) { e.SetInputs(v) },
	"outputs":    func(_ *rapid.T, e *sessionspan.Event, v any) { e.SetOutputs(v) },
	"config":     func(_ *rapid.T, e *sessionspan.Event, v any) { e.SetConfig(v) },
	"metadata":   func(_ *rapid.T, e *sessionspan.Event, v any) { e.SetMetadata(v) },
	"metrics":    func(_ *rapid.T, e *sessionspan.Event, v any) { e.SetMetrics(v) },
	"properties": func(_ *rapid.T, e *sessionspan.Event, v any) { e.SetUserProperties(v) },
	"operation":  func(_ *rapid.T, e *sessionspan.Event, v any) { e.SetMetadata(map[string]any{"operation_name": v}) },
	"model": func(t *rapid.T, e *sessionspan.Event, _ any) {
		name := rapid.SampledFrom([]string{"", "openai", "gpt"})
		e.SetModel(name.Draw(t, "provider"), name.Draw(t, "model"))
	},
	"usage": func(t *rapid.T, e *sessionspan.Event, _ any) {
		n := rapid.SampledFrom([]int64{0, 1, 7, -3, math.MaxInt64})
		e.SetUsage(sessionspan.Usage{InputTokens: n.Draw(t, "in"), OutputTokens: n.Draw(t, "out"), CacheReadTokens: n.Draw(t, "read"), CacheWriteTokens: n.Draw(t, "write"), ReasoningTokens: n.Draw(t, "reasoning"),
			Known: sessionspan.UsageCounts(rapid.IntRange(0, int(sessionspan.AllCounts)).Draw(t, "known"))})
	},
	"messages": func(_ *rapid.T, e *sessionspan.Event, _ any) {
		e.SetMessages(sessionspan.Message{Role: "user", Content: "hello\n"})
	},
	"documents": func(_ *rapid.T, e *sessionspan.Event, _ any) {
		e.SetQuery("where")
		e.SetDocuments(sessionspan.Document{ID: "1", Content: "here", Metadata: map[string]any{"page": 3}})
	},
	"feedback": func(_ *rapid.T, e *sessionspan.Event, v any) { e.SetFeedback(v) },
	"reply": func(_ *rapid.T, e *sessionspan.Event, _ any) {
		e.SetReply(sessionspan.Message{Role: "assistant", Content: "hi", FinishReason: "stop"})
	},
	"attributes": func(t *rapid.T, e *sessionspan.Event, _ any) {
		key := rapid.SampledFrom(attributeKeys()).Draw(t, "key")
		e.SetAttributes(rapid.SampledFrom([]attribute.KeyValue{
			attribute.String(key, "set"), attribute.String(key, `{"a":1}`), attribute.Int(key, 3), attribute.StringSlice(key, []string{"x", "y"}), attribute.Bool(key, true),
		}).Draw(t, "value"))
	},
	"tool call": func(t *rapid.T, e *sessionspan.Event, v any) {
		text := rapid.SampledFrom([]string{"", "call_1", "of \xff"})
		e.SetInputs(sessionspan.ToolCall{ID: text.Draw(t, "id"), Name: text.Draw(t, "tool"), Arguments: v})
	},
	"tags":        func(_ *rapid.T, e *sessionspan.Event, _ any) { e.AddTags("a", "of \xff") },
	"first token": func(_ *rapid.T, e *sessionspan.Event, _ any) { e.MarkFirstToken() },
	"name":        func(t *rapid.T, e *sessionspan.Event, _ any) { e.SetName(rapid.StringN(0, 5, -1).Draw(t, "name")) },
	"error":       func(_ *rapid.T, e *sessionspan.Event, _ any) { e.SetError("went wrong") },
	"record":      func(_ *rapid.T, e *sessionspan.Event, _ any) { e.RecordError(errors.New("an error")) },
	"duration":    func(_ *rapid.T, e *sessionspan.Event, _ any) { e.SetDuration(1500 * time.Microsecond) },
	"end":         func(_ *rapid.T, e *sessionspan.Event, _ any) { e.SetEndTime(time.Unix(3, 4567)) },
	"child id":    func(_ *rapid.T, e *sessionspan.Event, _ any) { e.AddChildren("00000000-0000-0000-0000-000000000000") },
	"on the span": func(_ *rapid.T, e *sessionspan.Event, _ any) { e.Span().SetAttributes(attribute.Int("n", 1)) },
}

// sessionChanges are the same for a session.
var sessionChanges = map[string]func(t *rapid.T, s *sessionspan.Session, v any){
	"inputs":     func(_ *rapid.T, s *sessionspan.Session, v any) { s.SetInputs(v) },
	"outputs":    func(_ *rapid.T, s *sessionspan.Session, v any) { s.SetOutputs(v) },
	"config":     func(_ *rapid.T, s *sessionspan.Session, v any) { s.SetConfig(v) },
	"metadata":   func(_ *rapid.T, s *sessionspan.Session, v any) { s.SetMetadata(v) },
	"metrics":    func(_ *rapid.T, s *sessionspan.Session, v any) { s.SetMetrics(v) },
	"feedback":   func(_ *rapid.T, s *sessionspan.Session, v any) { s.SetFeedback(v) },
	"properties": func(_ *rapid.T, s *sessionspan.Session, v any) { s.SetUserProperties(v) },
	"name":       func(t *rapid.T, s *sessionspan.Session, _ any) { s.SetName(rapid.StringN(0, 5, -1).Draw(t, "name")) },
	"project":    func(_ *rapid.T, s *sessionspan.Session, _ any) { s.SetProject("another \xff") },
	"source":     func(_ *rapid.T, s *sessionspan.Session, _ any) { s.SetSource("another") },
	"error":      func(_ *rapid.T, s *sessionspan.Session, _ any) { s.SetError("went \xff") },
	"record":     func(_ *rapid.T, s *sessionspan.Session, _ any) { s.RecordError(errors.New("an error")) },
	"duration":   func(_ *rapid.T, s *sessionspan.Session, _ any) { s.SetDuration(1500 * time.Microsecond) },
	"end":        func(_ *rapid.T, s *sessionspan.Session, _ any) { s.SetEndTime(time.Unix(3, 4567)) },
	"children": func(_ *rapid.T, s *sessionspan.Session, _ any) {
		s.AddChildren("00000000-0000-0000-0000-000000000000", "0e2f0d1c-5a55-4a0b-9f6b-7d4d35b5a1aa")
	},
	"on the span": func(t *rapid.T, s *sessionspan.Session, _ any) {
		s.Span().SetAttributes(attribute.Int(rapid.SampledFrom(attributeKeys()).Draw(t, "key"), 1))
	},
	"span name": func(_ *rapid.T, s *sessionspan.Session, _ any) { s.Span().SetName("of the span") },
}

// twice has a key twice, which a map cannot have.
type twice struct{}

func (twice) MarshalJSON() ([]byte, error) { return []byte(`{"t":1,"t":2}`), nil }

func object(t *testing.T, text string) honeyhive.Object {
	t.Helper()
	o, err := honeyhive.ParseObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// sessionOptions are ways to start one.
var sessionOptions = []sessionspan.FieldOption{
	sessionspan.WithSessionID("named by a user \xff"), sessionspan.WithSessionID("1f2f0d1c-5a55-4a0b-9f6b-7d4d35b5a1aa"), sessionspan.WithProject(""), sessionspan.WithProject("q \xff"),
	sessionspan.WithSource("here"), sessionspan.WithStartTime(time.Unix(2, 999_600)), sessionspan.WithInputs(map[string]any{"q": "a"}), {},
	sessionspan.WithPrompt("p \xff", "1"), sessionspan.WithPrompt("q", ""), sessionspan.WithRelease("1.\xff"), sessionspan.WithTags("a", "b"),
}

// identifies are the fields of a record that say what it is.
var identifies = map[string]bool{"session_id": true, "session_name": true, "project": true, "event_id": true, "event_type": true, "event_name": true}

// attributeKeys are those of every dialect that leave a span what it is, a few
// that do not, and others.
func attributeKeys() []string {
	keys := []string{"", "a", "error.type", "gen_ai.operation.name"}
	for _, line := range convert.Tables() {
		key := line.Attribute
		if strings.HasSuffix(key, ".") {
			key += "x"
		}
		if !identifies[strings.Split(line.Field, ",")[0]] && !strings.HasPrefix(key, "honeyhive") {
			keys = append(keys, key)
		}
	}
	return keys
}

// TestAttributesSayTheSame holds what destinations are sent of sessions and events
// against what a plain exporter of OpenTelemetry, which sees attributes alone, makes
// of the same spans, and against what they are sent past a redactor that changes
// nothing.
func TestAttributesSayTheSame(t *testing.T) {
	long := strings.Repeat("a \"quoted\" text\n\u2028é", 40)
	values := []any{
		map[string]any{"a": 1, "b": long}, map[string]any{"b": nil}, map[string]any{}, "text", long, 7, nil, []any{long, long},
		json.RawMessage(` {"a": "x", "provider": "p"} `), json.RawMessage(`{"broken":`), json.RawMessage(`[1]`), json.RawMessage("null"),
		json.RawMessage(`{"a":1,"a":2,"b":{"c":[]},"a":3}`), json.RawMessage(`{"model":"m","operation_name":"o","total_tokens":null}`), json.RawMessage("{\"\xff\":\"\xff\"}"),
		map[string]any{"original_session_id": "x", "exception": "y", "error_type": 1},
		map[string]any{"prompt_tokens": 1, "total_tokens": "many"}, map[string]any{"deep": deep(70)}, map[string]any{"model": "m", "text": long},
		map[string]string{"provider": long}, twice{}, object(t, `{"t":1,"t":2}`), object(t, `{"t":1,"model":"n"}`),
	}
	names, ofSessions := slices.Sorted(maps.Keys(changes)), slices.Sorted(maps.Keys(sessionChanges))
	api := newAPI(t)
	same := exporter.WithRedactor(func(_, text string) string { return text })
	rapid.Check(t, func(rt *rapid.T) {
		var lines [3]strings.Builder
		provider := sdktrace.NewTracerProvider()
		options := []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil), sessionspan.WithTracerProvider(provider)}
		if rapid.Bool().Draw(rt, "project") {
			options = append(options, sessionspan.WithProject("p \xff"))
		}
		before := len(api.seen())
		var plain []*exporter.Exporter
		for i, more := range [][]exporter.Option{nil, {same}, nil} {
			toLines, err := exporter.NewLines(&lines[i], more...)
			if err != nil {
				rt.Fatal(err)
			}
			toCollector, err := exporter.NewOTLP(exporter.OTLPConfig{URL: api.URL + fmt.Sprintf("/%d/v1/traces", i)}, append(more, exporter.WithCompression(exporter.NoCompression))...)
			if err != nil {
				rt.Fatal(err)
			}
			if i == 2 {
				plain = []*exporter.Exporter{toLines, toCollector}
				continue
			}
			options = append(options, sessionspan.WithDestination(toLines), sessionspan.WithDestination(toCollector))
		}
		tracer, err := sessionspan.New(options...)
		if err != nil {
			rt.Fatal(err)
		}
		var exported spanList
		provider.RegisterSpanProcessor(sdktrace.NewSimpleSpanProcessor(&exported))
		ctx, s := tracer.StartSession(context.Background(), "s \xff", rapid.SliceOfN(rapid.SampledFrom(sessionOptions), 0, 2).Draw(rt, "options")...)
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(ofSessions), 0, 4).Draw(rt, "set of the session") {
			sessionChanges[name](rt, s, rapid.SampledFrom(values).Draw(rt, name))
		}
		if rapid.Bool().Draw(rt, "continued") {
			ctx, _ = tracer.ContinueSession(context.Background(), "0e2f0d1c-5a55-4a0b-9f6b-7d4d35b5a1aa")
		}
		var open []*sessionspan.Event
		if rapid.IntRange(0, 3).Draw(rt, "turn") == 0 {
			inTurn, turn := tracer.StartTurn(context.Background(), "a conversation \xff", "turn \xff", sessionspan.WithStartTime(time.Unix(2, 999_600)))
			for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 6).Draw(rt, "set of the turn") {
				changes[name](rt, turn, rapid.SampledFrom(values).Draw(rt, name))
			}
			ctx, open = inTurn, append(open, turn)
		}
		for range rapid.IntRange(1, 3).Draw(rt, "events") {
			var begin []sessionspan.FieldOption
			if rapid.IntRange(0, 3).Draw(rt, "given") == 0 {
				begin = append(begin, sessionspan.WithEventID(honeyhive.NewUUID().String()), sessionspan.WithStartTime(time.Unix(2, 999_600)))
			}
			kind := rapid.SampledFrom([]sessionspan.Kind{sessionspan.Model, sessionspan.Tool, sessionspan.Chain, sessionspan.Agent, sessionspan.Retriever, sessionspan.Reranker, sessionspan.Embedding}).Draw(rt, "kind")
			inside, e := tracer.StartEvent(ctx, kind, "event \xff", begin...)
			nested := rapid.Bool().Draw(rt, "nested")
			if nested {
				ctx = inside
			}
			for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 6).Draw(rt, "set") {
				changes[name](rt, e, rapid.SampledFrom(values).Draw(rt, name))
			}
			if !nested && rapid.Bool().Draw(rt, "at once") { // no child comes after its end
				e.End()
			} else {
				open = append(open, e)
			}
		}
		for _, e := range slices.Backward(open) {
			e.End()
		}
		s.End()
		if err := tracer.Shutdown(context.Background()); err != nil {
			rt.Fatal(err)
		}
		for _, e := range plain {
			if err := errors.Join(e.ExportSpans(context.Background(), exported), e.Shutdown(context.Background())); err != nil {
				rt.Fatal(err)
			}
		}
		for i := 1; i < len(lines); i++ {
			want, got := sortedLines(lines[0].String()), sortedLines(lines[i].String())
			if i == 2 { // the order of attributes is that of the SDK
				want, got = inKeyOrder(rt, want), inKeyOrder(rt, got)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Error(i, diff)
			}
		}
		var spans [3]map[string]proto.Message
		for i := range spans {
			spans[i] = make(map[string]proto.Message)
			for _, r := range api.seen()[before:] {
				if r.path == fmt.Sprintf("/%d/v1/traces", i) {
					readSpans(rt, r.body, spans[i])
				}
			}
			if diff := cmp.Diff(spans[0], spans[i], protocmp.Transform()); diff != "" {
				rt.Error(i, diff)
			}
		}
	})
}

// inKeyOrder sorts the keys of payloads, and leaves out updates.
func inKeyOrder(t *rapid.T, lines []string) []string {
	var out []string
	for _, line := range lines {
		if line == "" || strings.HasPrefix(line, `{"update":`) {
			continue
		}
		var v any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return slices.Sorted(slices.Values(out))
}

// spanList is an exporter that keeps spans.
type spanList []sdktrace.ReadOnlySpan

func (l *spanList) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	*l = append(*l, spans...)
	return nil
}

func (*spanList) Shutdown(context.Context) error { return nil }

// deep returns lists within lists.
func deep(n int) any {
	var v any = "bottom"
	for range n {
		v = []any{v}
	}
	return v
}

// sortedLines returns lines of payloads. Of the lists of children that an event got
// after its end it keeps the last: how many come before depends on the worker.
func sortedLines(text string) []string {
	var lines []string
	lists := make(map[string]string)
	for line := range strings.SplitSeq(text, "\n") {
		if event, _, ok := strings.Cut(line, `,"children_ids":`); ok && strings.HasPrefix(line, `{"update":`) {
			lists[event] = line
			continue
		}
		lines = append(lines, line)
	}
	return slices.Sorted(slices.Values(slices.AppendSeq(lines, maps.Values(lists))))
}

// readSpans adds the spans of a request by their ids, their attributes sorted.
func readSpans(t *rapid.T, body string, into map[string]proto.Message) {
	var r collecttrace.ExportTraceServiceRequest
	if err := proto.Unmarshal([]byte(body), &r); err != nil {
		t.Fatal(err)
	}
	for _, resource := range r.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				slices.SortFunc(s.GetAttributes(), func(a, b *commonpb.KeyValue) int { return strings.Compare(a.GetKey(), b.GetKey()) })
				into[fmt.Sprintf("%x", s.GetSpanId())] = s
			}
		}
	}
}

// TestPartsOfABucket sets a bucket in pieces, some of which name the same keys.
func TestPartsOfABucket(t *testing.T) {
	api := newAPI(t)
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithAPIURL(api.URL), sessionspan.WithProject("p"))
	ctx, s := tracer.StartSession(t.Context(), "s")
	long := strings.Repeat("x", 300)
	want := make(map[string]string)
	for name, c := range map[string]struct {
		config []any
		want   string
	}{
		"no config":    {nil, `{"provider":"a","model":"b"}`},
		"other keys":   {[]any{map[string]any{"t": 1}, map[string]any{"u": long}}, `{"provider":"a","model":"b","t":1,"u":"` + long + `"}`},
		"a same key":   {[]any{map[string]any{"model": "c", "u": long}}, `{"provider":"a","model":"c","u":"` + long + `"}`},
		"a same value": {[]any{map[string]any{"k": "model"}}, `{"provider":"a","model":"b","k":"model"}`},
		"null":         {[]any{honeyhive.NullObject()}, `{"provider":"a","model":"b"}`},
		"empty":        {[]any{map[string]any{}}, `{"provider":"a","model":"b"}`},
		"raw":          {[]any{json.RawMessage(` { "t" : 1 } `)}, `{"provider":"a","model":"b","t":1}`},
	} {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, name, sessionspan.WithModel("a", "b"))
		for _, v := range c.config {
			e.SetConfig(v)
		}
		e.End()
		want[name] = c.want
	}
	s.End()
	flush(t, tracer)
	got := make(map[string]string)
	for _, e := range api.events(t) {
		got[e.EventName.Or("")] = e.Config.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
