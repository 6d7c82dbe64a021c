package convert

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// mlFlow is the dialect of MLflow's tracing, versions 2 and 3. Its values are JSON
// texts, also where they are plain words. The source is mlflow/tracing/constant.py.
var mlFlow = dialect{
	name:      "MLflow",
	base:      rankMLflow,
	ofSteps:   true,
	sometimes: true,
	prefixes:  []string{"mlflow.span", "mlflow.chat.", "mlflow.llm."},
	rules: []rule{
		set("mlflow.spanType", "event_type, metadata.event_kind, metadata.span_type", func(r *reader, v attribute.Value, from rank) {
			word := rawjson.Unquote(typed(v))
			r.buckets[Metadata].put("span_type", quoted(word), from)
			r.is(mlFlowKinds[word], from)
		}),
		typedTo("mlflow.llm.model", Config, "model"),
		typedTo("mlflow.llm.provider", Config, "provider"),
		typedTo("mlflow.chat.tools", Config, "tools"),
		hold("mlflow.spanInputs", "inputs.*"),
		hold("mlflow.spanOutputs", "outputs.*"),
		hold("mlflow.chat.messages", "inputs.chat_history, outputs"),
		hold("mlflow.chat.tokenUsage", "metadata.*_tokens"),
		hold("mlflow.llm.cost", "metadata.cost, metadata.cost_*"),
		set("mlflow.trace.session", "session_id", func(r *reader, v attribute.Value, from rank) { r.sessionID.put(rawjson.Unquote(typed(v)), from) }),
		typedTo("mlflow.trace.user", UserProperties, "user_id"),
		typedTo("mlflow.spanFunctionName", Metadata, "function_name"),
		typedTo("mlflow.spanDescription", Metadata, "description"),
		typedTo("mlflow.message.format", Metadata, "message_format"),
		typedTo("mlflow.traceName", Metadata, "trace_name"),
		{attribute: "mlflow.traceTag.", field: "metadata.*", readBelow: func(r *reader, rest string, v attribute.Value, from rank) {
			r.buckets[Metadata].put(rest, typed(v), from)
		}},
	},
	finish: (*reader).finishMLflow,
}

// mlFlowKinds are the kinds of mlflow.spanType.
var mlFlowKinds = map[string]string{
	"LLM":        honeyhive.TypeModel,
	"CHAT_MODEL": honeyhive.TypeModel,
	"CHAIN":      honeyhive.TypeChain,
	"WORKFLOW":   honeyhive.TypeChain,
	"TASK":       honeyhive.TypeChain,
	"PARSER":     honeyhive.TypeChain,
	"AGENT":      kindAgent,
	"TOOL":       honeyhive.TypeTool,
	"MEMORY":     honeyhive.TypeTool,
	"RETRIEVER":  kindRetriever,
	"EMBEDDING":  kindEmbedding,
	"RERANKER":   kindReranker,
	"GUARDRAIL":  kindGuardrail,
	"EVALUATOR":  kindEvaluator,
	"SCORER":     kindEvaluator,
}

// typedTo puts the value that a JSON text holds under a key of a bucket.
func typedTo(name string, b Bucket, key string) rule {
	return set(name, b.Field()+"."+key, func(r *reader, v attribute.Value, from rank) { r.buckets[b].put(key, typed(v), from) })
}

func (r *reader) finishMLflow(from rank) {
	if v, ok := r.take("mlflow.chat.messages"); ok {
		if text := typed(v); areMessages(text) {
			r.putConversation(chatMessages(text), from)
		} else {
			r.buckets[Metadata].put("messages", text, from)
		}
	}
	r.putInput(r.takeTyped("mlflow.spanInputs"), from)
	r.putOutput(r.takeTyped("mlflow.spanOutputs"), from)
	if usage := fieldsOf(r.takeTyped("mlflow.chat.tokenUsage")); usage != nil {
		r.putUsage(usage, from)
	}
	r.putCosts(fieldsOf(r.takeTyped("mlflow.llm.cost")), []string{"total_cost"}, from)
}
