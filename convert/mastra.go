package convert

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// mastra is the dialect of Mastra's exporter and bridge for OpenTelemetry. Beside
// GenAI attributes it has what a step took and gave under the type of its span, such
// as mastra.agent_run.input.
var mastra = dialect{
	name:      "Mastra",
	base:      rankMastra,
	ofSteps:   true,
	sometimes: true,
	prefixes:  []string{"mastra."},
	identity:  []string{"mastra.metadata.", "mastra.tags"},
	rules: append(append([]rule{
		mastraType("mastra.span.type"),
		tags("mastra.tags"),
		user("mastra.metadata.resourceId"),
		hold("mastra.completion_start_time", "metadata."+firstTokenKey),
	}, about("mastra.metadata.")...),
		rule{attribute: "mastra.", field: "inputs.*, outputs.*, metadata.*", readBelow: func(r *reader, rest string, v attribute.Value, from rank) {
			switch {
			case strings.HasSuffix(rest, ".input"):
				r.mastra.input = v
			case strings.HasSuffix(rest, ".output"):
				r.mastra.output = v
			default:
				r.buckets[Metadata].put(underscores(rest), structured(v), from)
			}
		}}),
	finish: (*reader).finishMastra,
}

// mastraKinds are the kinds of mastra.span.type. A model_generation is the run of a
// model over its steps, or the call of one: gen_ai.operation.name tells.
var mastraKinds = map[string]string{
	"agent_run":            kindAgent,
	"model_inference":      honeyhive.TypeModel,
	"tool_call":            honeyhive.TypeTool,
	"client_tool_call":     honeyhive.TypeTool,
	"mcp_tool_call":        honeyhive.TypeTool,
	"provider_tool_call":   honeyhive.TypeTool,
	"rag_embedding":        kindEmbedding,
	"rag_vector_operation": kindRetriever,
	"rag_rerank":           kindReranker,
	"scorer_run":           kindEvaluator,
	"scorer_step":          kindEvaluator,
	"memory_operation":     honeyhive.TypeTool,
	"workspace_action":     honeyhive.TypeTool,
}

type mastraParts struct {
	input, output attribute.Value
	ofModel       bool // it is a run or a step of a model, which takes and gives messages
}

// mastraType is the type of a span.
func mastraType(name string) rule {
	rl := kindOf(name, mastraKinds, "span_type")
	read := rl.read
	rl.read = func(r *reader, v attribute.Value, from rank) {
		read(r, v, from)
		r.mastra.ofModel = strings.HasPrefix(str(v), "model_") && str(v) != "model_chunk"
	}
	return rl
}

func (r *reader) finishMastra(from rank) {
	if v, ok := r.take("mastra.completion_start_time"); ok {
		r.firstTokenAt(v, from)
	}
	if v := r.mastra.input; v.Type() != attribute.EMPTY {
		text := structured(v)
		if req, ok := readRequest(text); ok && r.mastra.ofModel {
			r.putChat(req.messages, from)
			r.putParameters(req.rest, from.last())
		} else {
			r.putInput(text, from)
		}
	}
	if v := r.mastra.output; v.Type() != attribute.EMPTY {
		text := structured(v)
		if res, ok := readResponse(text); ok && r.mastra.ofModel {
			r.putAnswer(res.messages, from)
			r.putResponse(res.rest, from.last())
		} else {
			r.putOutput(text, from)
		}
	}
}
