package convert

import (
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// langfuse is the dialect of Langfuse's SDKs on OpenTelemetry: version 3 and 4 for
// Python, 4 and 5 for JavaScript. What an observation takes and gives is JSON of any
// kind. Its processor writes what it knows of the trace on every span, so that tells
// no span. The source is Langfuse's documentation of its OpenTelemetry endpoint.
var langfuse = dialect{
	name:      "Langfuse",
	base:      rankLangfuse,
	ofSteps:   true,
	sometimes: true,
	prefixes:  []string{"langfuse.observation.", "langfuse.trace.input", "langfuse.trace.output"},
	rules: []rule{
		kindOf("langfuse.observation.type", observationKinds, "observation_type"),
		to("langfuse.observation.model.name", Config, "model"),
		to("langfuse.observation.model", Config, "model"),
		spread("langfuse.observation.model.parameters", Config, "model_parameters"),
		to("langfuse.observation.prompt.name", Config, "prompt_name"),
		to("langfuse.observation.prompt.version", Config, "prompt_version"),
		hold("langfuse.observation.input", "inputs.*, inputs.chat_history, inputs.query"),
		hold("langfuse.trace.input", "inputs"),
		hold("langfuse.observation.output", "outputs.*, outputs.documents"),
		hold("langfuse.trace.output", "outputs"),
		hold("langfuse.observation.usage_details", "metadata.*_tokens"),
		hold("langfuse.observation.usage", "metadata.*_tokens"),
		hold("langfuse.observation.cost_details", "metadata.cost, metadata.cost_*"),
		hold("langfuse.observation.completion_start_time", "metadata."+firstTokenKey),
		set("langfuse.observation.level", "metadata.level, error", func(r *reader, v attribute.Value, from rank) {
			r.langfuse.level = str(v)
			r.buckets[Metadata].putValue("level", v, from)
		}),
		set("langfuse.observation.status_message", "metadata.status_message, error", func(r *reader, v attribute.Value, _ rank) { r.langfuse.status = str(v) }),
		spread("langfuse.observation.metadata", Metadata, "metadata"),
		keys("langfuse.observation.metadata.", Metadata),
		set("langfuse.trace.name", "session_name, metadata.trace_name", func(r *reader, v attribute.Value, from rank) {
			r.traceName.put(str(v), from)
			r.buckets[Metadata].putValue("trace_name", v, from)
		}),
		tags("langfuse.trace.tags"),
		spread("langfuse.trace.metadata", Metadata, "trace_metadata"),
		keys("langfuse.trace.metadata.", Metadata),
		session("langfuse.session.id"),
		user("langfuse.user.id"),
		setText("langfuse.environment", "source", func(r *reader) *ranked { return &r.source }),
		to("langfuse.release", Metadata, "release"),
		to("langfuse.version", Metadata, "version"),
	},
	finish: (*reader).finishLangfuse,
}

// observationKinds are the kinds of langfuse.observation.type.
var observationKinds = map[string]string{
	"generation": honeyhive.TypeModel,
	"span":       honeyhive.TypeChain,
	"chain":      honeyhive.TypeChain,
	"agent":      kindAgent,
	"tool":       honeyhive.TypeTool,
	"event":      honeyhive.TypeTool,
	"retriever":  kindRetriever,
	"embedding":  kindEmbedding,
	"guardrail":  kindGuardrail,
	"evaluator":  kindEvaluator,
}

// langfuseParts are the attributes that speak together.
type langfuseParts struct{ level, status string }

func (r *reader) finishLangfuse(from rank) {
	if status := r.langfuse.status; strings.EqualFold(r.langfuse.level, "ERROR") {
		if status == "" {
			status = "error"
		}
		r.err.put(status, from)
	} else if status != "" {
		r.buckets[Metadata].put("status_message", quoted(status), from)
	}
	r.putInput(r.takeTyped("langfuse.observation.input", "langfuse.trace.input"), from)
	r.putOutput(r.takeTyped("langfuse.observation.output", "langfuse.trace.output"), from)
	for _, name := range []string{"langfuse.observation.usage_details", "langfuse.observation.usage"} {
		if usage := fieldsOf(r.takeText(name)); usage != nil {
			r.langfuseUsage(usage, from)
		}
	}
	r.putCosts(fieldsOf(r.takeText("langfuse.observation.cost_details")), []string{"total"}, from)
	if v, ok := r.take("langfuse.observation.completion_start_time"); ok {
		r.firstTokenAt(v, from)
	}
}

// langfuseUsage reads counts of tokens of which each is counted once: what the cache
// had is not in "input", what was thought is not in "output". Where the total says
// that they are, they are.
func (r *reader) langfuseUsage(usage fields, from rank) {
	if usage.first("input") == "" && usage.first("output") == "" {
		r.putUsage(usage, from)
		return
	}
	in, more := sumOf(usage, "input")
	out, moreOut := sumOf(usage, "output")
	if total, err := strconv.ParseInt(usage.first("total"), 10, 64); err == nil && total == in+out {
		more, moreOut = 0, 0
	}
	var rest fields
	for _, p := range usage {
		switch p.key {
		case "input":
			r.putTokens("prompt_tokens", strconv.FormatInt(in+more, 10), from)
		case "output":
			r.putTokens("completion_tokens", strconv.FormatInt(out+moreOut, 10), from)
		case "total":
			r.putTokens("total_tokens", p.text, from)
		default:
			rest = append(rest, p)
		}
	}
	r.putUsage(rest, from)
}

// sumOf returns a count, and the sum of those that are counted beside it.
func sumOf(usage fields, name string) (own, more int64) {
	for _, p := range usage {
		n, err := strconv.ParseInt(p.text, 10, 64)
		if err != nil || n < 0 || n > 1<<50 {
			continue
		}
		switch {
		case p.key == name:
			own = n
		case strings.HasPrefix(p.key, name+"_"), name == "input" && (p.key == "cache_read_input_tokens" || p.key == "cache_creation_input_tokens"):
			more += n
		}
	}
	return own, more
}

// putCosts adds costs: the total under one of its names, or the sum of the others.
func (r *reader) putCosts(costs fields, totals []string, from rank) {
	if costs == nil {
		return
	}
	sum, known := 0.0, false
	for _, p := range costs.others(totals...) {
		if n, err := strconv.ParseFloat(p.text, 64); err == nil {
			sum, known = sum+n, true
			r.buckets[Metadata].put("cost_"+strings.TrimSuffix(underscores(p.key), "_cost"), p.text, from)
		}
	}
	if total := costs.first(totals...); isCount(total) {
		r.buckets[Metadata].put("cost", total, from)
	} else if known {
		r.buckets[Metadata].put("cost", string(rawjson.AppendFloat(nil, sum, 64)), from)
	}
}

// firstTokenAt reads the time at which an answer began, as RFC 3339 has it, most often in
// whole milliseconds, which may be a part of one before the start.
func (r *reader) firstTokenAt(v attribute.Value, from rank) {
	at, err := time.Parse(time.RFC3339Nano, rawjson.Unquote(strings.TrimSpace(str(v))))
	if err != nil || r.span.Start.IsZero() || at.Before(r.span.Start.Truncate(time.Millisecond)) {
		r.buckets[Metadata].putValue("completion_start_time", v, from)
		return
	}
	r.buckets[Metadata].putValue(firstTokenKey, attribute.Float64Value(Milliseconds(max(0, at.Sub(r.span.Start)))), from)
}
