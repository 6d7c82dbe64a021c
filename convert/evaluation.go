package convert

import "go.opentelemetry.io/otel/attribute"

// This file reads evaluations by the GenAI conventions: as an event of the span that
// is evaluated, or as a span of their own.

// judgement is one evaluation. The values are JSON, or empty.
type judgement struct{ name, score, label, explanation string }

// evaluation reads the result of an evaluation of the span.
func (r *reader) evaluation(e *Event, from rank) bool {
	var j judgement
	complete := true
	for _, kv := range e.Attributes {
		if kv.Value.Type() == attribute.EMPTY {
			continue
		}
		switch kv.Key {
		case "gen_ai.evaluation.name":
			j.name = str(kv.Value)
		case "gen_ai.evaluation.score.value":
			j.score = plain(kv.Value)
		case "gen_ai.evaluation.score.label":
			j.label = plain(kv.Value)
		case "gen_ai.evaluation.explanation":
			j.explanation = plain(kv.Value)
		case "gen_ai.response.id": // of the span itself
		default:
			complete = false
		}
	}
	return r.putJudgement(j, from) && complete
}

// finishEvaluation reads an evaluation that is the span itself.
func (r *reader) finishEvaluation(from rank) {
	if len(r.held) == 0 {
		return
	}
	name, named := r.take("gen_ai.evaluation.name")
	value := func(key string) string {
		v, ok := r.take("gen_ai.evaluation." + key)
		if !ok {
			return ""
		}
		return plain(v)
	}
	j := judgement{score: value("score.value"), label: value("score.label"), explanation: value("explanation")}
	if named {
		j.name = str(name)
	}
	if j == (judgement{}) {
		return
	}
	r.is(kindEvaluator, rankDerived)
	if !r.putJudgement(j, from) && named {
		r.buckets[Metadata].putValue("evaluation_name", name, from)
	}
}

// putJudgement adds an evaluation to the metrics, and reports whether it says
// anything that they do not say yet: of two with one name, the first counts.
func (r *reader) putJudgement(j judgement, from rank) bool {
	name, metrics := valid(j.name), &r.buckets[Metrics]
	if name == "" {
		name = "evaluation"
	}
	values := []pair{{name, j.score}, {name + "_label", j.label}, {name + "_explanation", j.explanation}}
	says := false
	for _, v := range values {
		if v.text != "" && metrics.place(v.key) >= 0 {
			return false
		}
		says = says || v.text != ""
	}
	for _, v := range values {
		if v.text != "" {
			metrics.put(v.key, v.text, from)
		}
	}
	return says
}
