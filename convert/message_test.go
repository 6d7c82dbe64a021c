package convert_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/convert"
)

// TestMessages has messages that are written in unusual ways.
func TestMessages(t *testing.T) {
	const in, out, system = "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"
	for _, tt := range []struct {
		name   string
		given  []any
		bucket convert.Bucket
		want   string
	}{
		{"system as text", []any{system, "Be brief."}, convert.Inputs, `{"chat_history":[{"role":"system","content":"Be brief."}]}`},
		{"system as one part", []any{system, `{"type":"text","content":"Be brief."}`}, convert.Inputs, `{"chat_history":[{"role":"system","content":"Be brief."}]}`},
		{"system as a message", []any{system, `{"role":"developer","content":"Be brief."}`}, convert.Inputs, `{"chat_history":[{"role":"developer","content":"Be brief."}]}`},
		{"system as texts", []any{system, []string{"Be brief.", "Be kind."}}, convert.Inputs, `{"chat_history":[{"role":"system","content":"Be brief.\nBe kind."}]}`},
		{"messages as texts", []any{out, `["hello"]`}, convert.Outputs, `{"content":"hello"}`},
		{"message as text", []any{out, "hello"}, convert.Outputs, `{"content":"hello"}`},
		{"message that is cut", []any{out, `[{"role":"assis`}, convert.Outputs, `{"content":"[{\"role\":\"assis"}`},
		{"one message", []any{out, `{"role":"assistant","parts":[]}`}, convert.Outputs, `{"role":"assistant"}`},
		{"none", []any{out, `[]`, in, `[]`}, convert.Outputs, ``},
		{"no parts", []any{in, `[{"role":"user","content":"Hi"}]`}, convert.Inputs, `{"chat_history":[{"role":"user","content":"Hi"}]}`},
		{"no role", []any{in, `[{"parts":[{"type":"text","content":"Hi"}]}]`}, convert.Inputs, `{"chat_history":[{"content":"Hi"}]}`},
		{"nulls", []any{out, `[{"role":"assistant","name":null,"finish_reason":null,"parts":[{"type":"tool_call","id":null,"name":"f","arguments":null}]}]`},
			convert.Outputs, `{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f"}}]}`},
		{"more in the message", []any{out, `[{"role":"assistant","parts":["Hi"],"weight":1}]`}, convert.Outputs, `{"role":"assistant","content":"Hi","weight":1}`},
		{"more in text", []any{out, `[{"role":"assistant","parts":[{"type":"text","content":"Hi"},{"type":"text","content":"there","cite":[1]}]}]`},
			convert.Outputs, `{"role":"assistant","content":[{"type":"text","text":"Hi"},{"type":"text","text":"there","cite":[1]}]}`},
		{"text that is no string", []any{out, `[{"role":"assistant","parts":[{"type":"text","content":{"a":1}}]}]`}, convert.Outputs, `{"role":"assistant","content":[{"type":"text","text":{"a":1}}]}`},
		{"hidden reasoning", []any{out, `[{"role":"assistant","parts":[{"type":"reasoning","data":"x"},{"type":"text","content":"Hi"}]}]`},
			convert.Outputs, `{"role":"assistant","content":"Hi","reasoning_details":[{"type":"reasoning","data":"x"}]}`},
		{"reasoning that is no text", []any{out, `[{"role":"assistant","parts":[{"type":"reasoning","content":{"a":1}}]}]`},
			convert.Outputs, `{"role":"assistant","reasoning_details":[{"type":"reasoning","content":{"a":1}}]}`},
		{"reasoning beside a result", []any{in, `[{"role":"tool","parts":[{"type":"tool_call_response","id":"c","response":1},{"type":"reasoning","content":"hm"}]}]`},
			convert.Inputs, `{"chat_history":[{"role":"tool","tool_call_id":"c","content":1},{"role":"tool","reasoning":"hm"}]}`},
		{"result before the next question", []any{in, `[{"role":"user","parts":[{"type":"tool_call_response","id":"c","response":"1"},{"type":"text","content":"And?"}]}]`},
			convert.Inputs, `{"chat_history":[{"role":"tool","tool_call_id":"c","content":"1"},{"role":"user","content":"And?"}]}`},
		{"parts of unknown types", []any{out, `[{"role":"assistant","parts":[{"type":"compaction","id":"x"},7,{}]}]`}, convert.Outputs, `{"role":"assistant","content":[{"type":"compaction","id":"x"},7,{}]}`},
		{"arguments that are no object", []any{out, `[{"role":"assistant","parts":[{"type":"tool_call","name":"f","arguments":"Paris"}]}]`},
			convert.Outputs, `{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":"Paris"}}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := convert.Convert(newSpan(tt.given...))
			if d := cmp.Diff(tt.want, rec.Buckets[tt.bucket].JSONText()); d != "" {
				t.Error(d)
			}
			valid(t, &rec)
		})
	}
}

// TestRepeats has values that say what the messages say already, and others.
func TestRepeats(t *testing.T) {
	asked := []any{"llm.input_messages.0.message.content", "Hi", "llm.output_messages.0.message.content", "Hello"}
	const history, answer = `{"chat_history":[{"content":"Hi"}]}`, `{"content":"Hello"}`
	for _, tt := range []struct {
		name    string
		given   []any
		in, out string
	}{
		{"request and response", []any{"input.value", `{"messages":[],"model":"m"}`, "output.value", `{"choices":[],"id":"x"}`}, history, answer},
		{"of Traceloop", []any{"traceloop.entity.input", `{"messages":[]}`, "traceloop.entity.output", `"Hello"`}, history, answer},
		{"the text", []any{"input.value", "Hi", "output.value", "Hello"}, history, answer},
		{"another text", []any{"input.value", "Ho", "output.value", "Hallo"}, `{"chat_history":[{"content":"Hi"}],"input":"Ho"}`, `{"content":"Hello","result":"Hallo"}`},
		{"another object", []any{"input.value", `{"a":1}`, "output.value", `{"b":2}`}, `{"chat_history":[{"content":"Hi"}],"a":1}`, `{"content":"Hello","b":2}`},
		{"a chain's own", []any{"openinference.span.kind", "CHAIN", "input.value", `{"input":"x"}`, "output.value", `{"output":"y"}`}, `{"chat_history":[{"content":"Hi"}],"input":"x"}`, `{"content":"Hello","output":"y"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := convert.Convert(newSpan(append(tt.given, asked...)...))
			got := []string{rec.Buckets[convert.Inputs].JSONText(), rec.Buckets[convert.Outputs].JSONText()}
			if d := cmp.Diff([]string{tt.in, tt.out}, got); d != "" {
				t.Error(d)
			}
		})
	}
	for _, own := range [][]any{{"honeyhive_outputs", answer}, {"honeyhive_outputs", `{"content":"Hallo"}`, "honeyhive_outputs.content", "Hello"}} {
		if got := bucket(newSpan(append(own, "output.value", "Hello")...), convert.Outputs); got != answer {
			t.Errorf("beside %s: %s", own, got)
		}
	}
}

// TestFolded writes what an instrumentation says twice: it is said once.
func TestFolded(t *testing.T) {
	const history = `{"chat_history":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}`
	const called = `{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":{"a":1}}}]}`
	answer := []any{"llm.output_messages.0.message.role", "assistant"}
	call := func(prefix string, arguments any) []any {
		return []any{prefix + "tool_call.id", "c1", prefix + "tool_call.function.name", "w", prefix + "tool_call.function.arguments", arguments}
	}
	const inContents, inCalls = "llm.output_messages.0.message.contents.0.", "llm.output_messages.0.message.tool_calls.0."
	for name, tc := range map[string]struct {
		given []any
		at    convert.Bucket
		want  string
	}{
		"a call in the contents and beside them": {slices.Concat(answer, []any{inContents + "message_content.type", "tool_use"}, call(inContents, `{"a":1}`), call(inCalls, `{"a":1}`)), convert.Outputs,
			`{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":{"a":1}}}]}`},
		"text in the content and the contents": {[]any{"llm.output_messages.0.message.role", "assistant", "llm.output_messages.0.message.content", "Yo", "llm.output_messages.0.message.contents.0.message_content.type", "text", "llm.output_messages.0.message.contents.0.message_content.text", "Yo"}, convert.Outputs,
			`{"role":"assistant","content":"Yo"}`},
		"the AI SDK's answer and OpenInference's value": {[]any{"openinference.span.kind", "AGENT", "output.value", "21", "output.mime_type", "text/plain", "ai.operationId", "ai.generateText", "ai.response.text", "21"}, convert.Outputs, `{"role":"assistant","content":"21"}`},
		"arguments quoted twice":                        {slices.Concat(answer, call(inCalls, `"{\"a\":1}"`)), convert.Outputs, called},
		"a call without values":                         {slices.Concat(answer, call(inCalls, `{"a":1}`), []any{"llm.output_messages.0.message.tool_calls.1.tool_call.id", nil, "llm.output_messages.0.message.tool_calls.1.tool_call.function.name", nil}), convert.Outputs, called},
		"a call of nothing":                             {slices.Concat(answer, call(inCalls, `{"a":1}`), []any{"llm.output_messages.0.message.tool_calls.1.tool_call.function.name", ""}), convert.Outputs, called},
		"two calls without ids":                         {[]any{"gen_ai.completion.0.role", "assistant", "gen_ai.completion.0.tool_calls.0.name", "w", "gen_ai.completion.0.tool_calls.1.name", "w"}, convert.Outputs, `{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"w"}},{"type":"function","function":{"name":"w"}}]}`},
		"instructions before the messages":              {[]any{"gen_ai.system_instructions", `[{"type":"text","content":"Be brief."}]`, "gen_ai.input.messages", `[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"Hi"}]}]`}, convert.Inputs, history},
		"instructions that are others":                  {[]any{"gen_ai.system_instructions", "Be kind.", "gen_ai.input.messages", `[{"role":"system","content":"Be brief."}]`}, convert.Inputs, `{"chat_history":[{"role":"system","content":"Be kind."},{"role":"system","content":"Be brief."}]}`},
		"messages as the value of an agent":             {[]any{"openinference.span.kind", "AGENT", "llm.input_messages.0.message.role", "system", "llm.input_messages.0.message.content", "Be brief.", "llm.input_messages.1.message.role", "user", "llm.input_messages.1.message.content", "Hi", "input.value", `[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"input_text","text":"Hi"}]}]`, "input.mime_type", "application/json"}, convert.Inputs, history},
		"messages as the value of a call":               {[]any{"openinference.span.kind", "LLM", "llm.input_messages.0.message.role", "system", "llm.input_messages.0.message.content", "Be brief.", "llm.input_messages.1.message.role", "user", "llm.input_messages.1.message.content", "Hi", "input.value", `[{"type":"message","role":"user","content":"Hi"}]`, "input.mime_type", "application/json"}, convert.Inputs, history},
		"messages in an object as the value of a chain": {[]any{"openinference.span.kind", "CHAIN", "llm.input_messages.0.message.role", "user", "llm.input_messages.0.message.content", "Hi", "input.value", `{"messages":[{"role":"user","content":"Hi"}]}`}, convert.Inputs, `{"chat_history":[{"role":"user","content":"Hi"}]}`},
		"more than messages":                            {[]any{"openinference.span.kind", "CHAIN", "llm.input_messages.0.message.role", "user", "llm.input_messages.0.message.content", "Hi", "input.value", `{"messages":[{"role":"user","content":"Hi"}],"n":1}`}, convert.Inputs, `{"chat_history":[{"role":"user","content":"Hi"}],"messages":[{"role":"user","content":"Hi"}],"n":1}`},
		"items of an answer as its value": {[]any{"openinference.span.kind", "LLM", "llm.output_messages.0.message.role", "assistant", "llm.output_messages.0.message.content", "Yo", "output.value", `[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Yo","annotations":[]}]}]`, "output.mime_type", "application/json"}, convert.Outputs,
			`{"role":"assistant","content":"Yo"}`},
		"reasoning, a call and text of one answer": {[]any{
			"llm.output_messages.0.message.role", "assistant", "llm.output_messages.0.message.contents.0.message_content.type", "reasoning", "llm.output_messages.0.message.contents.0.message_content.text", "Hm.",
			"llm.output_messages.1.message.role", "assistant", "llm.output_messages.1.message.tool_calls.0.tool_call.id", "c1", "llm.output_messages.1.message.tool_calls.0.tool_call.function.name", "w",
			"llm.output_messages.2.message.role", "assistant", "llm.output_messages.2.message.contents.0.message_content.type", "output_text", "llm.output_messages.2.message.contents.0.message_content.text", "21"}, convert.Outputs,
			`{"role":"assistant","content":"21","tool_calls":[{"id":"c1","type":"function","function":{"name":"w"}}],"reasoning":"Hm."}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := bucket(newSpan(tc.given...), tc.at); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// TestFirstToken reads the time to the first part of an answer under its names.
func TestFirstToken(t *testing.T) {
	for name, given := range map[string]any{
		"gen_ai.response.time_to_first_chunk": 0.25, "gen_ai.client.operation.time_to_first_chunk": 0.25, "gen_ai.server.time_to_first_token": "0.25", "gen_ai.server.ttft": 0.25,
		"ai.response.msToFirstChunk": 250, "lk.response.ttft": 0.25, "langfuse.observation.completion_start_time": `"2024-04-02T02:38:20.082Z"`, "mastra.completion_start_time": "2024-04-02T02:38:20.082Z",
	} {
		if got := bucket(newSpan(name, given), convert.Metadata); !strings.Contains(got, `"time_to_first_chunk_ms":250`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, name := range []string{"First Token Stream Event", "new_token", "llm.content.completion.chunk", "ai.stream.firstChunk"} {
		s := newSpan()
		s.Events = []convert.Event{{Name: name, Time: s.Start.Add(250 * time.Millisecond)}, {Name: name, Time: s.Start.Add(time.Second)}}
		if name == "ai.stream.firstChunk" {
			s.Events = s.Events[:1]
		}
		if got := bucket(s, convert.Metadata); !strings.Contains(got, `"time_to_first_chunk_ms":250`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestFirstTokenInMilliseconds takes a time in whole milliseconds for one in the
// millisecond in which the span began, and none before it.
func TestFirstTokenInMilliseconds(t *testing.T) {
	s := newSpan("langfuse.observation.completion_start_time", "2024-04-02T02:38:19.832Z")
	s.Start = s.Start.Add(300 * time.Microsecond)
	if got := bucket(s, convert.Metadata); got != `{"time_to_first_chunk_ms":0}` {
		t.Error(got)
	}
	s.Start = s.Start.Add(time.Millisecond)
	if got := bucket(s, convert.Metadata); strings.Contains(got, "first_chunk") {
		t.Error(got)
	}
}

// TestListsAsTexts reads tags and reasons that are lists, texts of lists, or words.
func TestListsAsTexts(t *testing.T) {
	for _, tc := range []struct {
		key   string
		given any
		want  string
	}{
		{"tag.tags", []string{"a", "b"}, `"tags":["a","b"]`}, {"tag.tags", `["a","b"]`, `"tags":["a","b"]`}, {"tag.tags", texts("a"), `"tags":["a"]`}, {"langsmith.span.tags", "a, b", `"tags":["a","b"]`},
		{"mastra.tags", `["a"]`, `"tags":["a"]`}, {"langfuse.trace.tags", "a", `"tags":["a"]`}, {"ai.telemetry.metadata.tags", []string{"a"}, `"tags":["a"]`}, {"logfire.tags", texts("a"), `"tags":["a"]`},
		{"gen_ai.response.finish_reasons", []string{"stop"}, `"finish_reasons":["stop"]`}, {"gen_ai.response.finish_reasons", `["stop"]`, `"finish_reasons":["stop"]`},
		{"gen_ai.response.finish_reasons", "stop", `"finish_reasons":["stop"]`}, {"ai.response.finishReason", "tool-calls", `"finish_reasons":["tool-calls"]`}, {"llm.finish_reason", "stop", `"finish_reasons":["stop"]`},
	} {
		if got := bucket(newSpan(tc.key, tc.given), convert.Metadata); !strings.Contains(got, tc.want) {
			t.Errorf("%s, %v: %s", tc.key, tc.given, got)
		}
	}
}
