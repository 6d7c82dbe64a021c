package sessionspan_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestUnknownIsNotZero fills one field of each helper after the other, and looks for
// keys of the others: in the payload, and in the GenAI attributes.
func TestUnknownIsNotZero(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	defer func() { _ = provider.Shutdown(t.Context()) }()
	p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
	for _, tc := range []struct {
		name     string
		set      func(e *sessionspan.Event)
		metadata string // token counts alone
		outputs  string
		told     string // gen_ai.usage.* and documents
	}{
		{"no usage", func(e *sessionspan.Event) { e.SetUsage(sessionspan.Usage{}) }, `{}`, `null`, ``},
		{"input", func(e *sessionspan.Event) { e.SetUsage(sessionspan.Usage{InputTokens: 3}) }, `{"prompt_tokens":3}`, `null`, `input_tokens=3`},
		{"output", func(e *sessionspan.Event) { e.SetUsage(sessionspan.Usage{OutputTokens: 3}) }, `{"completion_tokens":3}`, `null`, `output_tokens=3`},
		{"total", func(e *sessionspan.Event) { e.SetUsage(sessionspan.Usage{TotalTokens: 3}) }, `{"total_tokens":3}`, `null`, ``},
		{"cache read", func(e *sessionspan.Event) { e.SetUsage(sessionspan.Usage{CacheReadTokens: 3}) }, `{"cache_read_input_tokens":3}`, `null`, `cache_read.input_tokens=3`},
		{"cache write", func(e *sessionspan.Event) { e.SetUsage(sessionspan.Usage{CacheWriteTokens: 3}) }, `{"cache_write_input_tokens":3}`, `null`, `cache_creation.input_tokens=3 cache_write.input_tokens=3`},
		{"reasoning", func(e *sessionspan.Event) { e.SetUsage(sessionspan.Usage{ReasoningTokens: 3}) }, `{"reasoning_tokens":3}`, `null`, `reasoning.output_tokens=3`},
		{"both", func(e *sessionspan.Event) { e.SetUsage(sessionspan.Usage{InputTokens: 3, OutputTokens: 4}) }, `{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}`, `null`, `input_tokens=3 output_tokens=4`},
		{"empty answer", func(e *sessionspan.Event) {
			e.SetUsage(sessionspan.Usage{InputTokens: 3, Known: sessionspan.OutputCount})
		}, `{"prompt_tokens":3,"completion_tokens":0,"total_tokens":3}`, `null`, `input_tokens=3 output_tokens=0`},
		{"no cache", func(e *sessionspan.Event) {
			e.SetUsage(sessionspan.Usage{InputTokens: 3, Known: sessionspan.CacheReadCount | sessionspan.ReasoningCount})
		}, `{"prompt_tokens":3,"cache_read_input_tokens":0,"reasoning_tokens":0}`, `null`, `cache_read.input_tokens=0 input_tokens=3 reasoning.output_tokens=0`},
		{
			"all are zero", func(e *sessionspan.Event) { e.SetUsage(sessionspan.Usage{Known: sessionspan.AllCounts}) },
			`{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"cache_read_input_tokens":0,"cache_write_input_tokens":0,"reasoning_tokens":0}`, `null`,
			`cache_creation.input_tokens=0 cache_read.input_tokens=0 cache_write.input_tokens=0 input_tokens=0 output_tokens=0 reasoning.output_tokens=0`,
		},
		{"below zero", func(e *sessionspan.Event) {
			e.SetUsage(sessionspan.Usage{InputTokens: 4, OutputTokens: -1, CacheReadTokens: -1, CacheWriteTokens: -1, ReasoningTokens: -1, Known: sessionspan.AllCounts &^ sessionspan.TotalCount})
		}, `{"prompt_tokens":4}`, `null`, `input_tokens=4`},
		{"documents", func(e *sessionspan.Event) {
			e.SetDocuments(sessionspan.Document{ID: "a"}, sessionspan.Document{ID: "b", HasScore: true}, sessionspan.Document{Score: -0.5}, sessionspan.Document{})
		}, `{}`, `{"documents":[{"id":"a"},{"id":"b","score":0},{"score":-0.5},{}]}`, `documents=[{"id":"a"},{"id":"b","score":0},{"score":-0.5},{}]`},
		{"no document", func(e *sessionspan.Event) { e.SetDocuments() }, `{}`, `{"documents":[]}`, `documents=[]`},
		{"calls", func(e *sessionspan.Event) {
			e.SetReply(sessionspan.Message{ToolCalls: []sessionspan.ToolCall{{}, {Name: "f", Arguments: map[string]any{}}, {ID: "1", Arguments: ""}}})
		}, `{}`, `{"tool_calls":[{"type":"function","function":{}},{"type":"function","function":{"name":"f","arguments":{}}},{"id":"1","type":"function","function":{"arguments":""}}]}`,
			`messages=[{"parts":[{"type":"tool_call"},{"type":"tool_call","name":"f","arguments":{}},{"type":"tool_call","id":"1","arguments":""}]}]`},
		{"as values", func(e *sessionspan.Event) {
			e.SetOutputs(map[string]any{"d": sessionspan.Document{ID: "a"}, "m": sessionspan.Message{Role: "user"}, "t": sessionspan.ToolCall{Name: "f"}, "u": sessionspan.Usage{InputTokens: 1}})
		}, `{}`, `{"d":{"id":"a"},"m":{"role":"user","content":""},"t":{"name":"f"},"u":{"input_tokens":1}}`, ``},
		{"query and model", func(e *sessionspan.Event) {
			e.SetQuery("")
			e.SetModel("", "")
			e.SetError("")
		}, `{}`, `null`, ``},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spans.Reset()
			ctx, s := p.Tracer.StartSession(t.Context(), tc.name)
			_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
			tc.set(e)
			e.End()
			s.End()
			got := p.Session(tc.name).Event("e")
			got.AssertOutputs(tc.outputs)
			got.AssertInputs(`{}`)
			if !got.Error.IsZero() || !got.Config.IsEmpty() {
				t.Errorf("error %v, config %v", got.Error, got.Config)
			}
			counts := make(map[string]json.RawMessage)
			for k, v := range got.Metadata.All() {
				if strings.HasSuffix(k, "_tokens") {
					counts[k] = v
				}
			}
			var want map[string]json.RawMessage
			if err := json.Unmarshal([]byte(tc.metadata), &want); err != nil {
				t.Fatal(err)
			}
			if !maps.EqualFunc(counts, want, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
				t.Errorf("metadata %s, want %s", counts, tc.metadata)
			}
			var told []string
			for _, kv := range spans.GetSpans()[0].Attributes {
				key := string(kv.Key)
				if rest, ok := strings.CutPrefix(key, "gen_ai.usage."); ok {
					told = append(told, rest+"="+kv.Value.String())
				} else if kv.Key == "gen_ai.retrieval.documents" || kv.Key == "gen_ai.output.messages" {
					told = append(told, key[strings.LastIndexByte(key, '.')+1:]+"="+kv.Value.String())
				}
			}
			slices.Sort(told)
			if text := strings.Join(told, " "); text != tc.told {
				t.Errorf("attributes %s, want %s", text, tc.told)
			}
		})
	}
}

// TestSumOfWhatIsKnown adds up events that know different counts, each count by itself:
// of an agent and the calls below it the larger.
func TestSumOfWhatIsKnown(t *testing.T) {
	p := sessiontest.New(t)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	actx, a := sessionspan.StartEvent(ctx, sessionspan.Agent, "agent")
	a.SetUsage(sessionspan.Usage{InputTokens: 100, Known: sessionspan.AllCounts})
	_, m := sessionspan.StartEvent(actx, sessionspan.Model, "call")
	m.SetUsage(sessionspan.Usage{InputTokens: 10, Known: sessionspan.OutputCount})
	m.End()
	a.End()
	_, span := plain.Start(ctx, "plain", genAISpan)
	span.SetAttributes(attribute.Int("gen_ai.usage.input_tokens", 5), attribute.Int("gen_ai.usage.cache_read.input_tokens", 0))
	span.End()
	s.End()
	assertTokens(t, p.Session("s"), map[string]string{
		"prompt_tokens": "105", "completion_tokens": "0", "total_tokens": "15", "cache_read_input_tokens": "0", "reasoning_tokens": "0",
	})
}

// TestCountsOfUsage holds the constants to the fields.
func TestCountsOfUsage(t *testing.T) {
	fields := reflect.TypeFor[sessionspan.Usage]()
	all := sessionspan.UsageCounts(0)
	for i, c := range []sessionspan.UsageCounts{
		sessionspan.InputCount, sessionspan.OutputCount, sessionspan.TotalCount, sessionspan.CacheReadCount, sessionspan.CacheWriteCount, sessionspan.ReasoningCount,
	} {
		if c != 1<<i || fields.Field(i).Type.Kind() != reflect.Int64 {
			t.Errorf("count %d is %b, of %v", i, c, fields.Field(i))
		}
		all |= c
	}
	if all != sessionspan.AllCounts || fields.NumField() != 7 {
		t.Errorf("all are %b, of %d fields", sessionspan.AllCounts, fields.NumField())
	}
}
