package convert_test

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
)

// TestPrecedence gives the sources of one key from the best to the worst, in
// both orders, and leaves the best out one after the other.
func TestPrecedence(t *testing.T) {
	type source struct {
		name  string
		value any
		want  string // the bucket, where this is the best source
	}
	for _, tt := range []struct {
		name    string
		bucket  convert.Bucket
		sources []source
	}{
		{"model", convert.Config, []source{
			{"honeyhive_config.model", "a", `{"model":"a"}`},
			{"honeyhive_config", `{"model":"b"}`, `{"model":"b"}`},
			{"gen_ai.request.model", "c", `{"model":"c"}`},
			{"gen_ai.response.model", "d", `{"model":"d"}`},
			{"llm.request.model_name", "e", `{"model":"e"}`},
			{"llm.model_name", "f", `{"model":"f"}`},
			{"llm.response.model_name", "g", `{"model":"g"}`},
			{"llm.invocation_parameters", `{"model":"h"}`, `{"model":"h"}`},
			{"llm.request.model", "i", `{"model":"i"}`},
		}},
		{"messages in", convert.Inputs, []source{
			{"honeyhive_inputs.chat_history", `["a"]`, `{"chat_history":["a"]}`},
			{"honeyhive_inputs", `{"chat_history":["b"]}`, `{"chat_history":["b"]}`},
			{"gen_ai.input.messages", `["c"]`, `{"chat_history":[{"content":"c"}]}`},
			{"llm.input_messages.0.message.content", "d", `{"chat_history":[{"content":"d"}]}`},
			{"gen_ai.prompt.0.content", "e", `{"chat_history":[{"role":"user","content":"e"}]}`},
		}},
		{"messages out", convert.Outputs, []source{
			{"honeyhive_outputs.content", "a", `{"content":"a"}`},
			{"honeyhive_outputs", `{"content":"b"}`, `{"content":"b"}`},
			{"gen_ai.output.messages", "c", `{"content":"c"}`},
			{"llm.output_messages.0.message.content", "d", `{"content":"d"}`},
			{"gen_ai.completion.0.content", "e", `{"role":"assistant","content":"e"}`},
		}},
		{"documents", convert.Outputs, []source{
			{"honeyhive_outputs.documents", `["a"]`, `{"documents":["a"]}`},
			{"gen_ai.retrieval.documents", `["b"]`, `{"documents":["b"]}`},
			{"retrieval.documents.0.document.id", "c", `{"documents":[{"id":"c"}]}`},
			{"output.value", `{"documents":["d"]}`, `{"documents":["d"]}`},
			{"traceloop.entity.output", `{"documents":["e"]}`, `{"documents":["e"]}`},
		}},
		{"tools", convert.Config, []source{
			{"honeyhive_config.tools", `["a"]`, `{"tools":["a"]}`},
			{"gen_ai.tool.definitions", `["b"]`, `{"tools":["b"]}`},
			{"llm.tools.0.tool.json_schema", `{"c":1}`, `{"tools":[{"c":1}]}`},
			{"llm.request.functions.0.name", "d", `{"tools":[{"type":"function","name":"d"}]}`},
		}},
		{"tokens", convert.Metadata, []source{
			{"honeyhive_metadata.prompt_tokens", 1, `{"prompt_tokens":1}`},
			{"gen_ai.usage.input_tokens", 2, `{"prompt_tokens":2}`},
			{"gen_ai.usage.prompt_tokens", 3, `{"prompt_tokens":3}`},
			{"llm.token_count.prompt", 4, `{"prompt_tokens":4}`},
			{"llm.usage.prompt_tokens", 5, `{"prompt_tokens":5}`},
		}},
		{"user", convert.UserProperties, []source{
			{"honeyhive_user_properties.user_id", "a", `{"user_id":"a"}`},
			{"user.id", "b", `{"user_id":"b"}`},
			{"enduser.id", "c", `{"user_id":"c"}`},
			{"traceloop.association.properties.user_id", "d", `{"user_id":"d"}`},
			{"llm.user", "e", `{"user_id":"e"}`},
		}},
		{"session", convert.Metadata, []source{
			{"honeyhive.session_id", "a", `{"original_session_id":"a"}`},
			{"honeyhive_session_id", "b", `{"original_session_id":"b"}`},
			{"session.id", "c", `{"original_session_id":"c"}`},
			{"traceloop.association.properties.session_id", "d", `{"original_session_id":"d"}`},
		}},
		{"query", convert.Inputs, []source{
			{"gen_ai.retrieval.query.text", "a", `{"query":"a"}`},
			{"reranker.query", "b", `{"query":"b"}`},
			{"input.value", `{"query":"c"}`, `{"query":"c"}`},
			{"traceloop.entity.input", `{"query":"d"}`, `{"query":"d"}`},
		}},
		{"what nobody names", convert.Metadata, []source{
			{"honeyhive_metadata", `{"tags":["a"]}`, `{"tags":["a"]}`},
			{"tag.tags", []string{"b"}, `{"tags":["b"]}`},
			{"metadata", `{"tags":["c"]}`, `{"tags":["c"]}`},
			{"tags", "d", `{"tags":"d"}`},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.sources {
				var given []any
				for _, s := range tt.sources[i:] {
					given = append(given, s.name, s.value)
				}
				s := newSpan(given...)
				for range 2 {
					if got := bucket(s, tt.bucket); got != tt.sources[i].want {
						t.Errorf("%s first: %s, want %s", tt.sources[i].name, got, tt.sources[i].want)
					}
					slices.Reverse(s.Attributes)
				}
			}
		})
	}
}

// TestMix has keys of one bucket from several sources, none of them lost.
func TestMix(t *testing.T) {
	s := newSpan("gen_ai.request.model", "m", "honeyhive_config.a", 1, "honeyhive_config", `{"b":2,"c":3}`, "llm.invocation_parameters", `{"model":"n","top_p":0.5}`, "honeyhive_config.c", 4)
	if got, want := bucket(s, convert.Config), `{"b":2,"c":4,"model":"m","top_p":0.5,"a":1}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestDuplicates(t *testing.T) {
	s := newSpan(
		"honeyhive_event_name", "first", "honeyhive_event_name", "last", "gen_ai.request.model", "first", "gen_ai.request.model", "last",
		"honeyhive_inputs", `{"a":1}`, "honeyhive_inputs", `{"b":2}`, "honeyhive_outputs.x", 1, "honeyhive_outputs.x", 2, "foreign", 1, "foreign", 2,
		"honeyhive_duration", 1, "honeyhive_duration", 2,
	)
	rec := convert.Convert(s)
	if rec.Name != "last" || rec.Duration.Or(0) != 2 {
		t.Errorf("name %s, duration %v", rec.Name, rec.Duration)
	}
	want := convert.Buckets{}
	got := rec.Buckets
	for b, text := range map[convert.Bucket]string{
		convert.Config: `{"model":"last"}`, convert.Inputs: `{"b":2}`, convert.Outputs: `{"x":2}`, convert.Metadata: `{"foreign":2}`,
	} {
		if got[b].JSONText() != text {
			t.Errorf("%s: %s, want %s", b.Field(), got[b], text)
		}
		got[b] = want[b]
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestManyDuplicates has more keys than are looked for one by one.
func TestManyDuplicates(t *testing.T) {
	s := newSpan()
	for i := range 200 {
		s.Attributes = append(s.Attributes, attributes("foreign."+strconv.Itoa(i%100), i)...)
	}
	rec := convert.Convert(s)
	metadata := rec.Buckets[convert.Metadata]
	if last, _ := metadata.Get("foreign.99"); metadata.Len() != 100 || string(last) != "199" {
		t.Errorf("%d keys, the last is %s", metadata.Len(), last)
	}
}

// TestValues keeps attributes of every type that nobody names.
func TestValues(t *testing.T) {
	deep := attribute.IntValue(1)
	for range 100 {
		deep = attribute.SliceValue(deep)
	}
	for _, tt := range []struct {
		name  string
		given any
		want  string
	}{
		{"bool", true, `true`},
		{"int", int64(math.MaxInt64), `9223372036854775807`},
		{"float", 0.1, `0.1`},
		{"whole float", 3.0, `3`},
		{"nan", math.NaN(), `"NaN"`},
		{"infinite", math.Inf(1), `"Infinity"`},
		{"minus infinite", math.Inf(-1), `"-Infinity"`},
		{"text", "a\"\n<é", `"a\"\n<é"`},
		{"text that is JSON", `{"a":1}`, `"{\"a\":1}"`},
		{"text that is no UTF-8", "a\xffb", `"a\ufffdb"`},
		{"empty text", "", `""`},
		{"bytes", attribute.ByteSliceValue([]byte{0, 255}), `"AP8="`},
		{"bools", attribute.BoolSliceValue([]bool{true, false}), `[true,false]`},
		{"ints", attribute.Int64SliceValue([]int64{1, -2}), `[1,-2]`},
		{"floats", []float64{1.5, math.NaN()}, `[1.5,"NaN"]`},
		{"texts", []string{"a", ""}, `["a",""]`},
		{"no texts", []string{}, `[]`},
		{"values", attribute.SliceValue(attribute.IntValue(1), attribute.StringValue("a"), attribute.Value{}), `[1,"a",null]`},
		{"map", attribute.MapValue(attribute.Int("a", 1), attribute.Map("b", attribute.String("c\xff", "d"))), "{\"a\":1,\"b\":{\"c\uFFFD\":\"d\"}}"},
		{"deep", deep, strings.Repeat("[", 60) + `"` + strings.Repeat("[", 4) + `\"` + strings.Repeat("[", 36) + "1" + strings.Repeat("]", 36) + `\"` + strings.Repeat("]", 4) + `"` + strings.Repeat("]", 60)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := convert.Convert(newSpan("a.foreign.name", tt.given))
			if got, want := rec.Buckets[convert.Metadata].JSONText(), `{"a.foreign.name":`+tt.want+`}`; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			valid(t, &rec)
		})
	}
}

// TestFlattened puts values together that came as attributes with dotted names.
func TestFlattened(t *testing.T) {
	const p = "honeyhive_inputs."
	for _, tt := range []struct {
		name  string
		given []any
		want  string
	}{
		{"objects", []any{p + "a.b.c", 1, p + "a.b.d", "x", p + "a.e", true}, `{"a":{"b":{"c":1,"d":"x"},"e":true}}`},
		{"list out of order with gaps", []any{p + "l.10.r", "c", p + "l.2.r", "b", p + "l.0.r", "a"}, `{"l":[{"r":"a"},{"r":"b"},{"r":"c"}]}`},
		{"huge index", []any{p + "l.999999999", 1, p + "l.99999999999999999999", 2}, `{"l":{"999999999":1,"99999999999999999999":2}}`},
		{"one huge index", []any{p + "l.999999999", 1}, `{"l":[1]}`},
		{"leading zero", []any{p + "l.0", 1, p + "l.01", 2}, `{"l":{"0":1,"01":2}}`},
		{"negative index", []any{p + "l.0", 1, p + "l.-1", 2}, `{"l":{"0":1,"-1":2}}`},
		{"JSON in a part", []any{p + "l.0", `{"a": [1]}`, p + "l.1", "[broken"}, `{"l":[{"a":[1]},"[broken"]}`},
		{"numbers at the top", []any{p + "0", 1, p + "1", 2}, `{"0":1,"1":2}`},
		{"a value and parts of one", []any{p + "a", "x", p + "a.b", 1, p + "a.c.d", 2, p + "z", 3}, `{"a":"x","a.b":1,"a.c":{"d":2},"z":3}`},
		{"deeper", []any{p + "t.a.b", 1, p + "t.a", "x"}, `{"t":{"a":"x","a.b":1}}`},
		{"in a list", []any{p + "l.0", "x", p + "l.0.b", 1}, `{"l":{"0":"x","0.b":1}}`},
		{"dots side by side", []any{p + "a..b", 1, p + ".", 2, p + "c.", 3, p + "c", 4}, `{"a":{"":{"b":1}},"":{"":2},"c":4,"c.":3}`},
		{"null", []any{p + "a.b", nil}, `{"a":{"b":null}}`},
		{"no key", []any{"honeyhive_inputs.", 1}, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := convert.Convert(newSpan(tt.given...))
			if d := cmp.Diff(tt.want, rec.Buckets[convert.Inputs].JSONText()); d != "" {
				t.Error(d)
			}
			valid(t, &rec)
		})
	}
	if got := bucket(newSpan("honeyhive_inputs.", 1, "honeyhive.inputs.a", 2), convert.Metadata); got != `{"honeyhive_inputs.":1,"honeyhive.inputs.a":2}` {
		t.Errorf("names without a key: %s", got)
	}
}

// TestEmptyValues: an attribute without a value says nothing; a key of a bucket is
// null.
func TestEmptyValues(t *testing.T) {
	rec := convert.Convert(newSpan("honeyhive_event_name", nil, "honeyhive_inputs", nil, "honeyhive_children_ids", nil, "gen_ai.request.model", nil, "gen_ai.output.messages", nil, "input.value", nil,
		"honeyhive_outputs.a", nil, "llm.input_messages.0.message.role", nil, "llm.input_messages.0.message.content", nil, "llm.input_messages.0.message.name", nil, "foreign", nil))
	if d := cmp.Diff(`{"event_id":"`+eventUUID+`","parent_id":"`+rec.ParentID.String()+`","event_name":"span name","event_type":"tool",`+
		`"inputs":{},"outputs":{"a":null},"duration":250.5,"start_time":1712025499832,"end_time":1712025500082}`, string(payload(&rec))); d != "" {
		t.Error(d)
	}
	valid(t, &rec)
}

// TestTotal: the total of tokens is the sum, unless the span says another.
func TestTotal(t *testing.T) {
	for _, tt := range []struct {
		prompt, completion any
		want               string
	}{
		{1, 2, `{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}`},
		{-1, 5, `{"prompt_tokens":-1,"completion_tokens":5}`},
		{1.5, 2, `{"prompt_tokens":1.5,"completion_tokens":2}`},
		{math.MaxInt64, 1, `{"prompt_tokens":9223372036854775807,"completion_tokens":1}`},
	} {
		for _, names := range [][2]string{{"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"}, {"gen_ai.usage.prompt_tokens", "llm.token_count.completion"}, {"llm.usage.prompt_tokens", "llm.usage.completion_tokens"}} {
			if got := bucket(newSpan(names[0], tt.prompt, names[1], tt.completion), convert.Metadata); got != tt.want {
				t.Errorf("%s: %s, want %s", names, got, tt.want)
			}
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	rec := convert.Convert(newSpan("foreign\xff\xfe", "v\xff", "foreign\xff", "w", "honeyhive_inputs.k\xff", "v\xff", "honeyhive_outputs", "{\"a\xff\":\"b\xff\"}",
		"honeyhive.session_name", "s\xff", "honeyhive.project", "p\xff", "honeyhive.source", "q\xff", "honeyhive_event_name", "n\xff", "honeyhive_error", "e\xff", "honeyhive.session_id", "i\xff"))
	got := map[string]string{
		"metadata": rec.Buckets[convert.Metadata].JSONText(), "inputs": rec.Buckets[convert.Inputs].JSONText(), "outputs": rec.Buckets[convert.Outputs].JSONText(),
		"session": rec.SessionName, "project": rec.Project, "source": rec.Source, "name": rec.Name, "error": rec.Error,
	}
	want := map[string]string{
		"metadata": "{\"foreign\uFFFD\":\"w\",\"original_session_id\":\"i\uFFFD\"}", "inputs": "{\"k\uFFFD\":\"v\\ufffd\"}", "outputs": "{\"a\uFFFD\":\"b\uFFFD\"}",
		"session": "s\uFFFD", "project": "p\uFFFD", "source": "q\uFFFD", "name": "n\uFFFD", "error": "e\uFFFD",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	valid(t, &rec)
}

// TestLarge converts what is large or nested without end.
func TestLarge(t *testing.T) {
	long := strings.Repeat("x", 5<<20)
	nested := func(n int) string { return strings.Repeat(`{"a":[`, n/2) + strings.Repeat(`]}`, n/2) }
	messages := make([]any, 0, 20_000)
	for i := range 10_000 {
		messages = append(messages, "llm.input_messages."+strconv.Itoa(9999-i)+".message.content", "m")
	}
	foreign := make([]any, 0, 20_000)
	for i := range 10_000 {
		foreign = append(foreign, "foreign."+strconv.Itoa(i), i)
	}
	split := make([]any, 0, 4000)
	for i := range 2000 {
		split = append(split, "honeyhive_inputs"+strings.Repeat(".a", i+1), i)
	}
	for _, tt := range []struct {
		name  string
		given []any
		check func(t *testing.T, rec *convert.Record)
	}{
		{"10,000 attributes", foreign, func(t *testing.T, rec *convert.Record) {
			if n := rec.Buckets[convert.Metadata].Len(); n != 10_000 {
				t.Errorf("%d keys", n)
			}
		}},
		{"10,000 messages", messages, func(t *testing.T, rec *convert.Record) {
			history, _ := rec.Buckets[convert.Inputs].Get("chat_history")
			if n := strings.Count(string(history), "content"); n != 10_000 {
				t.Errorf("%d messages", n)
			}
		}},
		{"long text", []any{"honeyhive_inputs.x", long, "gen_ai.input.messages", long, "foreign", long, "output.value", long}, func(t *testing.T, rec *convert.Record) {
			for b, text := range map[convert.Bucket]string{
				convert.Inputs: `{"x":"` + long + `","chat_history":[{"content":"` + long + `"}]}`, convert.Metadata: `{"foreign":"` + long + `"}`, convert.Outputs: `{"result":"` + long + `"}`,
			} {
				if rec.Buckets[b].JSONText() != text {
					t.Errorf("%s: %d bytes, want %d", b.Field(), len(rec.Buckets[b].JSONText()), len(text))
				}
			}
		}},
		{"path of 1,000 dots", []any{"honeyhive_inputs" + strings.Repeat(".a", 1000), 1, "honeyhive_inputs." + strings.Repeat(".", 1000), 2}, func(t *testing.T, rec *convert.Record) {
			if n := rec.Buckets[convert.Inputs].Len(); n != 2 {
				t.Errorf("%d keys", n)
			}
			if text := rec.Buckets[convert.Inputs].JSONText(); !strings.Contains(text, strings.Repeat("a.", 900)) {
				t.Error("a level for each dot")
			}
		}},
		{"JSON of 1,000 levels", []any{"honeyhive_inputs", nested(1000), "gen_ai.input.messages", nested(1000), "honeyhive_outputs.x", nested(1000)}, func(t *testing.T, rec *convert.Record) {
			if _, ok := rec.Buckets[convert.Inputs].Get("input"); !ok {
				t.Error("the text is lost")
			}
		}},
		{"JSON of 64 levels", []any{"honeyhive_inputs", nested(64), "honeyhive_outputs.x.y.z", nested(64), "gen_ai.input.messages", nested(60)}, func(t *testing.T, rec *convert.Record) {
			if got := rec.Buckets[convert.Inputs].JSONText(); !strings.Contains(got, `"[{\"a\":[]}]"`) {
				t.Errorf("the innermost levels are lost: %s", got)
			}
		}},
		{"values with parts without end", split, func(t *testing.T, rec *convert.Record) {
			if n := rec.Buckets[convert.Inputs].Len(); n != 2000 {
				t.Errorf("%d keys", n)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := convert.Convert(newSpan(tt.given...))
			tt.check(t, &rec)
			valid(t, &rec)
		})
	}
}
