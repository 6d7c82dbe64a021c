// Package measure makes the client metrics of the GenAI conventions of the records
// of events, and counts the tokens of calls once along the tree of events.
//
// The names, units, boundaries and attributes are those of version 1.41 of the
// conventions, the last in the core repository, which dashboards and other libraries
// use: https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-metrics.md.
package measure

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Meter has the instruments. Its methods are safe for concurrent use.
type Meter struct {
	// Redact, if it is set before the first event, returns what may stand in place of a text
	// that is the value of an attribute.
	Redact func(key, text string) string

	duration, firstChunk metric.Float64Histogram
	tokens               metric.Int64Histogram
}

// Boundaries of the conventions, of seconds and of tokens.
var (
	seconds = metric.WithExplicitBucketBoundaries(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
	counts  = metric.WithExplicitBucketBoundaries(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
)

// New makes the instruments.
func New(m metric.Meter) (*Meter, error) {
	var t Meter
	var errs [3]error
	t.duration, errs[0] = m.Float64Histogram("gen_ai.client.operation.duration", metric.WithUnit("s"), seconds, metric.WithDescription("GenAI operation duration."))
	t.firstChunk, errs[1] = m.Float64Histogram("gen_ai.client.operation.time_to_first_chunk", metric.WithUnit("s"), seconds,
		metric.WithDescription("Time to the first chunk of a streamed answer, from the request on."))
	t.tokens, errs[2] = m.Int64Histogram("gen_ai.client.token.usage", metric.WithUnit("{token}"), counts, metric.WithDescription("Number of input and output tokens used."))
	return &t, errors.Join(errs[:]...)
}

// Record records an event that has ended, whose place is o, from its record and from
// what that was made of. An event without an operation, such as a chain, has a number
// of tokens alone, if it says one.
func (m *Meter) Record(ctx context.Context, o *Operation, rec *convert.Record, of *convert.Span) {
	set := m.attributesOf(rec, of)
	if rec.Operation != "" {
		if ms, ok := rec.Duration.Get(); ok {
			list := set
			if rec.Failed || rec.Error != "" {
				list = with(set, genai.ErrorType.String(m.text(string(genai.ErrorType), textOf(&rec.Buckets[convert.Metadata], "error_type"))))
			}
			m.duration.Record(ctx, max(0, ms)/1000, metric.WithAttributes(list...))
		}
		if ms, err := strconv.ParseFloat(jsonOf(&rec.Buckets[convert.Metadata], "time_to_first_chunk_ms"), 64); err == nil && ms >= 0 {
			m.firstChunk.Record(ctx, ms/1000, metric.WithAttributes(set...))
		}
	}
	early := o.end(set)
	m.Tokens(ctx, o, max(early[0], countOf(rec, "prompt_tokens")), max(early[1], countOf(rec, "completion_tokens")))
}

// Tokens records what an event that has ended says it used, as far as neither it nor
// another event above or below has said it before. Counts below zero are not known.
// Those of an event that Record was not told of wait for that.
func (m *Meter) Tokens(ctx context.Context, o *Operation, input, output int64) {
	said := [...]int64{input, output}
	set, ended := o.attributes(said)
	if !ended {
		return
	}
	for kind, own := range said {
		if n, ok := o.count(kind, own); ok {
			m.tokens.Record(ctx, n, metric.WithAttributes(with(set, tokenTypes[kind])...))
		}
	}
}

func with(set []attribute.KeyValue, kv attribute.KeyValue) []attribute.KeyValue {
	return append(slices.Clip(set), kv)
}

var tokenTypes = [...]attribute.KeyValue{attribute.String("gen_ai.token.type", "input"), attribute.String("gen_ai.token.type", "output")}

// attributesOf returns the attributes that all metrics of an event have.
func (m *Meter) attributesOf(rec *convert.Record, of *convert.Span) []attribute.KeyValue {
	const most = 6
	set := make([]attribute.KeyValue, 0, most)
	text := func(key attribute.Key, value string) {
		if value != "" {
			set = append(set, key.String(m.text(string(key), value)))
		}
	}
	config := &rec.Buckets[convert.Config]
	asked, answered := textOf(config, "model"), textOf(&rec.Buckets[convert.Metadata], "response_model")
	named := asked != answered || of.Known != nil && jsonOf(&of.Known.Buckets[convert.Config], "model") != ""
	for _, kv := range of.Attributes {
		switch {
		case kv.Key == genai.RequestModel:
			named = true
		case kv.Key == "server.address" && kv.Value.Type() == attribute.STRING:
			text(kv.Key, strings.ToValidUTF8(kv.Value.AsString(), "\uFFFD"))
		case kv.Key == "server.port" && kv.Value.Type() == attribute.INT64:
			set = append(set, kv)
		}
	}
	text(genai.OperationName, rec.Operation)
	text(genai.ProviderName, textOf(config, "provider"))
	if named { // else the record has the model that answered
		text(genai.RequestModel, asked)
	}
	text(genai.ResponseModel, answered)
	return set
}

// Values of attributes come from outside: from requests, answers and errors. How many
// there are the SDK bounds (2,000 sets of attributes for each metric, by default), how
// long they are nobody does.
const longestValue = 256 // bytes

// other stands for a value that there is none of, or that is too long.
const other = "_OTHER"

// text returns the value of an attribute, redacted.
func (m *Meter) text(key, value string) string {
	if value = orOther(value); m.Redact == nil || value == other {
		return value
	}
	return orOther(m.Redact(key, value))
}

func orOther(value string) string {
	if value == "" || len(value) > longestValue {
		return other
	}
	return value
}

func jsonOf(o *honeyhive.Object, key string) string {
	v, _ := rawjson.Get(o.JSONText(), key)
	return v
}

func textOf(o *honeyhive.Object, key string) string {
	if v := jsonOf(o, key); rawjson.KindOf(v) == rawjson.String {
		return rawjson.Unquote(v)
	}
	return ""
}

// countOf returns a count of the metadata, or -1.
func countOf(rec *convert.Record, key string) int64 {
	n, err := strconv.ParseInt(jsonOf(&rec.Buckets[convert.Metadata], key), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
