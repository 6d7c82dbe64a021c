package convert

import (
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// pydantic is the dialect of pydantic-ai, versions 1 to 5 of its data format, and of
// Logfire's instrumentations of the clients of models. Beside GenAI attributes they
// have some of plain names, which count on their spans alone. What Logfire writes on
// every span tells none. The source is ai.pydantic.dev/logfire.
var pydantic = dialect{
	name:      "pydantic-ai, Logfire",
	base:      rankPydantic,
	ofSteps:   true,
	sometimes: true,
	prefixes:  []string{"pydantic_ai."},
	rules: []rule{
		hold("pydantic_ai.all_messages", "inputs.chat_history, outputs"),
		hold("all_messages", "inputs.chat_history, outputs"),
		hold("all_messages_events", "inputs.chat_history, outputs"),
		hold("events", "inputs.chat_history, outputs"),
		hold("final_result", "outputs.result"),
		hold("tool_arguments", "inputs.*"),
		hold("tool_response", "outputs.*"),
		late(hold("agent_name", "metadata.agent_name")),
		hold("model_name", "config.model"),
		hold("model_request_parameters", "config.model_request_parameters"),
		hold("request_data", "inputs.chat_history, config.*"),
		hold("response_data", "outputs"),
		tags("logfire.tags"),
		to("gen_ai.usage.details.cache_read_tokens", Metadata, "cache_read_input_tokens"),
		to("gen_ai.usage.details.cache_write_tokens", Metadata, "cache_write_input_tokens"),
		to("gen_ai.usage.details.reasoning_tokens", Metadata, "reasoning_tokens"),
		to("operation.cost", Metadata, "cost"),
	},
	finish: (*reader).finishPydantic,
}

const pydanticScope = "pydantic-ai"

// speaksPydantic reports whether the plain names are those of this dialect: on the
// spans of pydantic-ai, those that Logfire makes, and those with GenAI attributes
// beside them.
func (r *reader) speaksPydantic() bool {
	return r.span.Scope == pydanticScope || strings.HasPrefix(r.span.Scope, "logfire") || r.has(pydanticCompany...)
}

var pydanticCompany = []string{"pydantic_ai.", "logfire.", "model_request_parameters", "gen_ai.tool.name", "gen_ai.agent.name"}

func (r *reader) finishPydantic(from rank) {
	if len(r.held) == 0 || !r.speaksPydantic() {
		return
	}
	if v, ok := r.take("agent_name"); ok {
		r.buckets[Metadata].putValue("agent_name", v, from)
		if r.kind.text == "" {
			r.is(kindAgent, hintAgent)
		}
	}
	if v, ok := r.take("model_name"); ok {
		r.buckets[Config].putValue("model", v, from)
	}
	if v, ok := r.take("model_request_parameters"); ok {
		r.buckets[Config].put("model_request_parameters", structured(v), from)
	}
	for _, name := range []string{"pydantic_ai.all_messages", "all_messages"} {
		if text := r.takeText(name); areMessages(text) {
			r.putConversation(chatMessages(text), from)
		} else if text != "" {
			r.buckets[Metadata].put("all_messages", text, from)
		}
	}
	for _, name := range []string{"all_messages_events", "events"} {
		if text := r.takeText(name); text != "" {
			r.pydanticEvents(name, text, from)
		}
	}
	if text := r.takeText("tool_arguments"); text != "" {
		r.buckets[Inputs].putObject("arguments", text, from)
	}
	if text := r.takeText("tool_response"); text != "" {
		r.buckets[Outputs].putObject("result", text, from)
	}
	if text := r.takeText("final_result"); text != "" {
		r.buckets[Outputs].putGroup(from.last(), nil, func(has *bucketReader) []member {
			if r.repeats(has, Outputs, text) {
				return nil
			}
			return []member{{key: "result", text: text}}
		})
	}
	if text := r.takeText("request_data"); text != "" {
		if req, ok := readRequest(text); ok {
			r.putChat(req.messages, from)
			r.putParameters(req.rest, from)
		} else {
			r.buckets[Inputs].putObject("request", text, from)
		}
	}
	if text := r.takeText("response_data"); text != "" {
		if res, ok := readResponse(text); ok {
			r.putAnswer(res.messages, from)
			r.putResponse(res.rest, from)
		} else {
			r.buckets[Outputs].putObject("response", text, from)
		}
	}
}

// pydanticEvents reads a list of the events of messages: those of version 1.
func (r *reader) pydanticEvents(name, text string, from rank) {
	var given, answers []string
	for event := range rawjson.Elements(text) {
		f := fieldsOf(event)
		kind := rawjson.Unquote(f.first("event.name", "event_name"))
		body := fields(f.others("event.name", "event_name", "gen_ai.message.index", "gen_ai.system"))
		role := strings.TrimSuffix(strings.TrimPrefix(kind, "gen_ai."), ".message")
		switch {
		case kind == "":
		case role == "choice":
			answers = append(answers, choiceMessages(body)...)
		default:
			given = append(given, bodyMessages(role, body)...)
		}
	}
	switch {
	case len(given)+len(answers) == 0:
		r.buckets[Metadata].put(name, text, from)
	case len(answers) == 0:
		r.putConversation(given, from)
	default:
		r.putChat(given, from)
		r.putAnswer(answers, from)
	}
}
