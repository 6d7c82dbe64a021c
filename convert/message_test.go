package convert_test

import (
	"testing"

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
