package convert

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// liveKit is the dialect of LiveKit Agents. Since 2026 the names of attributes with
// content have "pii" in them. The source is telemetry/trace_types.py of its Python
// package.
var liveKit = dialect{
	name:      "LiveKit",
	base:      rankLiveKit,
	ofSteps:   true,
	sometimes: true,
	prefixes:  []string{"lk."},
	rules: append([]rule{
		hinting(hintTool, to("lk.function_tool.name", Metadata, "tool_name")),
		hinting(hintTool, to("lk.function_tool.id", Metadata, "tool_call_id")),
		set("lk.function_tool.is_error", "error", func(r *reader, v attribute.Value, _ rank) { r.liveKit.failed = str(v) == "true" }),
		toJSON("lk.function_tools", Config, "tools"),
		toJSON("lk.session_options", Config, "session_options"),
		to("lk.agent_name", Metadata, "agent_name"),
		firstToken("lk.response.ttft", seconds),
		hinting(hintModel, hold("lk.llm_metrics", "metadata.llm_metrics, metadata."+firstTokenKey)),
		toJSON("lk.tts_metrics", Metadata, "tts_metrics"),
		hinting(hintModel, toJSON("lk.realtime_model_metrics", Metadata, "realtime_model_metrics")),
	}, append(private(
		hold("user_input", "inputs.input"),
		hold("instructions", "inputs.chat_history, inputs.instructions"),
		hinting(hintModel, hold("chat_ctx", "inputs.chat_history")),
		hold("function_tool.arguments", "inputs.*"),
		hold("function_tool.output", "outputs.*"),
		to("input_text", Inputs, "text"),
		to("user_transcript", Outputs, "transcript"),
		hold("response.text", "outputs.content"),
		hold("response.function_calls", "outputs.tool_calls"),
	), lkRest("lk.pii."), lkRest("lk."))...),
	finish: (*reader).finishLiveKit,
}

// private returns rules for attributes with content, under both of their names.
func private(rules ...rule) []rule {
	var both []rule
	for _, rl := range rules {
		for _, prefix := range []string{"lk.pii.", "lk."} {
			named := rl
			named.attribute = prefix + rl.attribute
			both = append(both, named)
		}
	}
	return both
}

// lkRest keeps what else there is, without the prefix.
func lkRest(prefix string) rule {
	return rule{attribute: prefix, field: "metadata.*", readBelow: func(r *reader, rest string, v attribute.Value, from rank) {
		r.buckets[Metadata].put(strings.ReplaceAll(rest, ".", "_"), structured(v), from)
	}}
}

type liveKitParts struct{ failed bool }

func (r *reader) finishLiveKit(from rank) {
	var output string
	if text := r.takeText("function_tool.output"); text != "" {
		output = text
		r.buckets[Outputs].putObject("result", text, from)
	}
	if r.liveKit.failed {
		if output == "" {
			output = "error"
		}
		r.err.put(rawjson.Unquote(output), from)
	}
	if len(r.held) == 0 {
		return
	}
	if text := r.takeText("function_tool.arguments"); text != "" {
		r.buckets[Inputs].putObject("arguments", text, from)
	}
	if v, ok := r.take("user_input"); ok {
		r.buckets[Inputs].putValue("input", v, from)
	}
	instructions, _ := r.take("instructions")
	if text := r.takeText("chat_ctx"); text != "" {
		if req, ok := readRequest(text); ok {
			if instructions.Type() != attribute.EMPTY {
				req.messages = withSystem(systemMessages(structured(instructions)), req.messages)
			}
			r.putChat(req.messages, from)
		} else if text != "[]" && text != `{"items":[]}` {
			r.buckets[Inputs].put("chat_ctx", text, from)
		}
	} else if instructions.Type() != attribute.EMPTY {
		r.buckets[Inputs].putValue("instructions", instructions, from)
	}
	r.liveKitAnswer(from)
	if text := r.takeText("lk.llm_metrics"); text != "" {
		r.buckets[Metadata].put("llm_metrics", text, from)
		f := fieldsOf(text)
		if ttft, ok := number(attribute.StringValue(f.first("ttft"))); ok && ttft >= 0 {
			r.firstToken(attribute.Float64Value(ttft), seconds, from)
		}
		r.putUsage(fields(f.pick("prompt_tokens", "completion_tokens", "total_tokens")), from)
	}
}

// liveKitAnswer makes one message of the parts of an answer.
func (r *reader) liveKitAnswer(from rank) {
	d := draft{role: "assistant"}
	if v, ok := r.take("response.text"); ok && str(v) != "" {
		d.text(str(v))
	}
	if text := r.takeText("response.function_calls"); text != "" {
		if v := parsed(rawjson.Unquote(text)); rawjson.KindOf(text) == rawjson.String {
			text = v
		}
		for call := range rawjson.Elements(text) {
			if rawjson.KindOf(call) == rawjson.String {
				call = parsed(rawjson.Unquote(call)) // a list of JSON texts
			}
			d.called(call)
		}
	}
	if len(d.content)+len(d.calls)+len(d.others) > 0 {
		r.putAnswer(d.messages(), from)
	}
}
