package main

import (
	"fmt"

	"github.com/sessionspan/sessionspan/bench/harness"
	"github.com/sessionspan/sessionspan/bench/measure"
	"github.com/sessionspan/sessionspan/bench/micro"
	"github.com/sessionspan/sessionspan/bench/practice"
)

// verdict is a goal and what became of it.
type verdict struct {
	Number  string         `json:"number"`
	Figure  string         `json:"figure"`
	Goal    string         `json:"goal"`
	Accept  string         `json:"accept,omitempty"` // what is accepted where the goal is not reached
	Here    harness.Spread `json:"here"`
	Rounds  int            `json:"rounds"` // that counted
	Reached bool           `json:"reached"`
	Enough  bool           `json:"enough,omitempty"` // it is accepted
}

// goals compares the figures with what they are to be. What was not run is left
// out.
func (r *report) goals() []verdict {
	var list []verdict
	check := func(number, what string, values []float64, limit float64, atLeast bool, accept ...float64) {
		if len(values) == 0 {
			return
		}
		v := verdict{Number: number, Figure: what, Here: harness.Summarize(values), Rounds: len(values)}
		within := func(limit float64) (string, bool) {
			if atLeast {
				return fmt.Sprintf("≥ %g", limit), v.Here.Median >= limit
			}
			return fmt.Sprintf("≤ %g", limit), v.Here.Median <= limit
		}
		v.Goal, v.Reached = within(limit)
		for _, limit := range accept {
			v.Accept, v.Enough = within(limit)
		}
		list = append(list, v)
	}
	runs := r.ratios
	steps := func(a, b string, f func(micro.Result) float64) []float64 {
		return harness.Ratios(r.stepValues(a, f), r.stepValues(b, f))
	}
	inverse := func(values []float64) []float64 {
		var list []float64
		for _, v := range values {
			list = append(list, 1/v)
		}
		return list
	}
	const span, session = measure.Spans, measure.Sessions

	check("1", "caller CPU of a call from maps / otel + encoding/json, sending", runs(span, "sessionspan-otlp", "otel", caller), 0.5, false)
	check("1", "the same / otel-same", runs(span, "sessionspan-otlp", "otel-same", caller), 0.5, false)
	check("1", "the same in front of an exporter that does nothing", steps("call/sessionspan", "call/otel+encoding/json", stepCPU), 0.5, false)
	check("1", "the same from raw JSON / otel + encoding/json from maps, sending", runs(span, "sessionspan-otlp (raw)", "otel", caller), 0.25, false)
	check("1", "the same / otel-same from maps", runs(span, "sessionspan-otlp (raw)", "otel-same", caller), 0.25, false)
	check("1", "the same in front of an exporter that does nothing", steps("call/sessionspan, raw", "call/otel+encoding/json", stepCPU), 0.25, false)

	check("2", "process CPU by OTLP / otel-same, from maps", runs(span, "sessionspan-otlp", "otel-same", process), 0.5, false, 0.65)
	check("2", "the same / otel, whose spans say less", runs(span, "sessionspan-otlp", "otel", process), 0.5, false)
	check("2", "the same / otel-same, both from raw JSON", runs(span, "sessionspan-otlp (raw)", "otel-same (raw)", process), 0.5, false)
	check("2", "the same / otel, both from raw JSON", runs(span, "sessionspan-otlp (raw)", "otel (raw)", process), 0.5, false)

	check("3", "process CPU by OTLP with gzip / otel-gzip, from maps", runs(span, "sessionspan-otlp-gzip", "otel-gzip", process), 0.25, false, 0.35)
	check("3", "the same, both from raw JSON", runs(span, "sessionspan-otlp-gzip (raw)", "otel-gzip (raw)", process), 0.25, false, 0.35)
	check("3", "process CPU by OTLP with zstd / otel-gzip, from maps", runs(span, "sessionspan-otlp-zstd", "otel-gzip", process), 0.25, false, 0.35)
	check("3", "the same, both from raw JSON", runs(span, "sessionspan-otlp-zstd (raw)", "otel-gzip (raw)", process), 0.25, false, 0.35)
	check("3", "bytes with zstd / those of otel-gzip", runs(span, "sessionspan-otlp-zstd", "otel-gzip", wire), 1.05, false)
	check("3", "the same / the SDK's exporter with gzip, of the same spans", runs(span, "sessionspan-otlp-zstd", "sessionspan-sdk-gzip", wire), 1.05, false)

	check("4", "spans per second by OTLP / otel-same, from maps", runs(span, "sessionspan-otlp", "otel-same", perSecond), 2, true, 1.6)
	check("4", "the same / otel, whose spans say less", runs(span, "sessionspan-otlp", "otel", perSecond), 2, true, 1.6)
	check("4", "the same / otel-same, both from raw JSON", runs(span, "sessionspan-otlp (raw)", "otel-same (raw)", perSecond), 2, true)
	check("4", "the same / otel, both from raw JSON", runs(span, "sessionspan-otlp (raw)", "otel (raw)", perSecond), 2, true)
	check("4", "the same with gzip, from maps", runs(span, "sessionspan-otlp-gzip", "otel-gzip", perSecond), 5, true, 4)
	check("4", "the same, both from raw JSON", runs(span, "sessionspan-otlp-gzip (raw)", "otel-gzip (raw)", perSecond), 5, true, 4)
	check("4", "the same with zstd / otel-gzip, from maps", runs(span, "sessionspan-otlp-zstd", "otel-gzip", perSecond), 5, true, 4)

	check("5", "JSON of a session with 8 events / encoding/json from raw JSON", steps("json/sessionspan", "json/encoding/json, raw", stepCPU), 0.1, false)
	check("5", "the same / encoding/json from maps", steps("json/sessionspan", "json/encoding/json, maps", stepCPU), 0.1, false)
	check("5", "the same / memcpy of it", steps("json/sessionspan", "json/memcpy", stepCPU), 25, false)
	check("5", "its allocations", r.stepValues("json/sessionspan", func(s micro.Result) float64 { return float64(int(s.Allocs)) }), 0, false)

	check("6", "process CPU of sessions by HTTP with a spool / without", runs(session, "sessionspan-http-spool", "sessionspan-http", process), 1.7, false)
	check("6", "process CPU by OTLP with a spool / without", runs(span, "sessionspan-otlp-spool", "sessionspan-otlp", process), 1.7, false)
	check("6", "appended per second / write", inverse(steps("append/sessionspan", "append/write", stepWall)), 0.5, true)
	check("6", "the same, synced after each megabyte", inverse(steps("spool/sessionspan", "spool/write", stepWall)), 0.5, true)
	check("6", "appended per second / bbolt", inverse(steps("append/sessionspan", "append/bbolt", stepWall)), 3, true)
	check("6", "the same, synced after each megabyte", inverse(steps("spool/sessionspan", "spool/bbolt", stepWall)), 3, true)

	check("7", "process CPU of sessions by HTTP / langfuse-henomis", runs(session, "sessionspan-http", "langfuse-henomis", process), 0.5, false)
	check("7", "process CPU of sessions by HTTP / dd-llmobs", runs(session, "sessionspan-http", "dd-llmobs", process), 0.2, false)

	check("8", "caller CPU of an empty child in a session of 1,000 / of 10", steps("child/sessionspan/1000", "child/sessionspan/10", stepCPU), 1.2, false)
	check("8", "of 100,000 / of 1,000", steps("child/sessionspan/100000", "child/sessionspan/1000", stepCPU), 1.2, false)
	check("8", "of 1,000 / otel", steps("child/sessionspan/1000", "child/otel/1000", stepCPU), 1.5, false, 2.2)
	check("8", "of 100,000 / otel", steps("child/sessionspan/100000", "child/otel/100000", stepCPU), 1.5, false, 2.2)

	over := func(a, b string, f func(micro.Result) float64) []float64 {
		var list []float64
		with, without := r.stepValues(a, f), r.stepValues(b, f)
		for i := range min(len(with), len(without)) {
			list = append(list, with[i]-without[i])
		}
		return list
	}
	whole := func(s micro.Result) float64 { return float64(int(s.Allocs + 0.5)) }
	check("9", "allocations of a call that is not sampled, over otel", over("idle/sessionspan, unsampled", "idle/otel, unsampled", whole), 2, false)
	check("9", "allocations where nothing is configured, over the no-op tracer", over("idle/sessionspan, nothing configured", "idle/otel, no-op", whole), 2, false)

	check("10", "caller CPU of a small call by llmhttp / recorded by hand", steps("llm/call, llmhttp", "llm/call, by hand", stepCPU), 1.4, false)
	check("10", "bytes per second of a stream of 10 MB, flushed event by event, by llmhttp / untraced",
		inverse(steps("llm/stream of 10 MB, llmhttp", "llm/stream of 10 MB, untraced", stepWall)), 0.95, true)
	check("10", "the same with a client that throws it away", inverse(steps("llm/stream thrown away, llmhttp", "llm/stream thrown away, untraced", stepWall)), 0.7, true)
	check("10", "nanoseconds for a call that is no model's", over("llm/other call, llmhttp", "llm/other call, untraced", stepCPU), 200, false)
	for _, kind := range practice.Kinds() {
		what := map[string]string{
			practice.Messages: "chat messages and replies", practice.Failure: "inputs and a recorded error", practice.Call: "a whole call over HTTP",
		}[kind]
		check("11", "process CPU of a request on a provider of the user with otelhttp, a session of 8 steps, "+what+", over that without tracing / otel-json over the same",
			r.over(kind, practice.SessionspanHTTP, practice.OTelJSON), 0.5, false)
		check("11", "the same by OTLP / otel", r.over(kind, practice.SessionspanOTLP, practice.OTel), 0.5, false)
	}
	check("12", "process CPU of a request under load (100 a second, over loopback) over that without tracing / otel-json over the same",
		r.over(measure.Load, practice.SessionspanHTTP, practice.OTelJSON), 0.5, false)
	check("12", "the same by OTLP / otel", r.over(measure.Load, practice.SessionspanOTLP, practice.OTel), 0.5, false)
	return list
}
