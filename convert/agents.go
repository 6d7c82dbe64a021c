package convert

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// agents is what frameworks of agents write beside the GenAI attributes that their
// spans have: Strands, CrewAI (by Traceloop and OpenLIT), OpenAI Agents (by
// OpenTelemetry, Traceloop and Logfire), OpenLIT, and Google's Agent Development Kit.
var agents = dialect{
	name:      "Agents: Strands, CrewAI, OpenLIT, OpenAI Agents, Google ADK",
	base:      rankAgents,
	ofSteps:   true,
	sometimes: true,
	prefixes:  []string{"crewai.", "gcp.vertex.agent.", "openai.agents.", "event_loop.", "agent.framework."},
	identity:  []string{"gcp.vertex.agent.session_id", "gcp.vertex.agent.invocation_id"},
	rules: []rule{
		// Strands
		hold("system_prompt", "inputs.chat_history, inputs.system_prompt"),
		toJSON("gen_ai.agent.tools", Config, "tools"),
		each("event_loop.", Metadata, "event_loop_"),
		to("gen_ai.tool.status", Metadata, "tool_status"),
		to("tool.status", Metadata, "tool_status"),

		// CrewAI
		to("crewai.agent.role", Metadata, "agent_name"),
		to("crewai.task.description", Inputs, "task"),
		to("crewai.task.expected_output", Inputs, "expected_output"),
		toJSON("crewai.crew.result", Outputs, "result"),
		toJSON("crewai.task.output", Outputs, "result"),
		each("crewai.", Metadata, "crewai_"),

		// OpenLIT
		setText("gen_ai.environment", "source", func(r *reader) *ranked { return &r.source }),
		to("gen_ai.application_name", Metadata, "application_name"),
		hold("gen_ai.content.prompt", "inputs.prompt"),
		hold("gen_ai.content.completion", "outputs.completion"),
		spread("gen_ai.tool.args", Inputs, "arguments"),
		spread("gen_ai.tool.input", Inputs, "arguments"),
		spread("gen_ai.tool.output", Outputs, "result"),
		spread("gen_ai.tool.result", Outputs, "result"),

		// OpenAI Agents
		toJSON("gen_ai.handoff.from_agent", Metadata, "handoff_from_agent"),
		toJSON("gen_ai.handoff.to_agent", Metadata, "handoff_to_agent"),
		guardrailName("gen_ai.guardrail.name"),
		each("gen_ai.guardrail.", Metadata, "guardrail_"),
		each("openai.agents.", Metadata, "agents_"),

		// Google ADK
		hinting(hintModel, hold("gcp.vertex.agent.llm_request", "inputs.chat_history, config.*")),
		hold("gcp.vertex.agent.llm_response", "outputs"),
		spread("gcp.vertex.agent.tool_call_args", Inputs, "arguments"),
		spread("gcp.vertex.agent.tool_response", Outputs, "result"),
		session("gcp.vertex.agent.session_id"),
		each("gcp.vertex.agent.", Metadata, "adk_"),
	},
	finish: (*reader).finishAgents,
}

// guardrailName is the name of a guardrail, whose span is one.
func guardrailName(name string) rule {
	return set(name, "event_type, metadata.event_kind, metadata.guardrail_name", func(r *reader, v attribute.Value, from rank) {
		r.is(kindGuardrail, from)
		r.buckets[Metadata].putValue("guardrail_name", v, from)
	})
}

// strandsScope begins the scopes of Strands, which says the time to the first token in
// milliseconds.
const strandsScope = "strands"

func (r *reader) finishAgents(from rank) {
	if len(r.held) == 0 {
		return
	}
	if v, ok := r.take("system_prompt"); ok {
		switch {
		case !strings.HasPrefix(r.span.Scope, strandsScope) && !r.has("gen_ai.agent."):
			r.buckets[Metadata].putValue("system_prompt", v, rankRest)
		default:
			r.buckets[Inputs].putGroup(from, nil, func(has *bucketReader) []member { return withInstructions(has, v) })
		}
	}
	r.putHeld(openLITPlaces, structured, from)
	if text := r.takeText("gcp.vertex.agent.llm_request"); text != "" && text != "{}" {
		if req, ok := readRequest(text); ok {
			r.putChat(req.messages, from)
			r.putParameters(req.rest, from)
		} else {
			r.buckets[Inputs].putObject("request", text, from)
		}
	}
	if text := r.takeText("gcp.vertex.agent.llm_response"); text != "" && text != "{}" {
		if res, ok := readResponse(text); ok {
			r.putAnswer(res.messages, from)
			r.putResponse(res.rest, from)
		} else {
			r.buckets[Outputs].putObject("response", text, from)
		}
	}
}

var openLITPlaces = []place{{"gen_ai.content.prompt", Inputs, "prompt"}, {"gen_ai.content.completion", Outputs, "completion"}}

// withInstructions puts instructions before the messages that a bucket has, unless
// these begin with them.
func withInstructions(has *bucketReader, v attribute.Value) []member {
	history, ok := has.get("chat_history")
	if !ok {
		return []member{{key: "system_prompt", text: plain(v)}}
	}
	before := chatMessages(history)
	if all := withSystem(systemMessages(structured(v)), before); len(all) > len(before) && !isSystem(fieldsOf(before[0]).first("role")) {
		has.replace("chat_history", list(all))
	}
	return nil
}
