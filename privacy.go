package sessionspan

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/redact"
)

// WithRedactor passes every text through redactor before it is written to or sent
// to any destination that New makes; see [exporter.WithRedactor] for one
// destination alone. It works on copies: the spans themselves, which other
// exporters of the provider may read, stay as they are. A nil redactor is
// ignored.
func WithRedactor(redactor exporter.Redactor) Option {
	return WithDefaults(exporter.WithRedactor(redactor))
}

// WithRedaction redacts by a policy, before anything is queued on disk, written or
// sent, what goes to any destination that New makes; see [exporter.WithRedaction] for
// one destination alone, and package redact for what a policy is. The spans themselves,
// which other exporters of the provider may read, stay as they are. A nil policy is
// ignored.
func WithRedaction(policy *redact.Policy) Option {
	return WithDefaults(exporter.WithRedaction(policy))
}

// WithoutContent keeps what users, models and tools say out of every destination
// that New makes; see [exporter.WithoutContent] for one destination alone.
func WithoutContent() Option { return WithDefaults(exporter.WithoutContent()) }

// WithContentOffSpans keeps buckets, messages and documents off the spans
// themselves, for a provider that has other exporters which should not see
// them. The destinations of the tracer get them all the same.
func WithContentOffSpans() Option { return optionFunc(func(c *config) { c.offSpans = true }) }

// ContentOnSpans reports whether spans may hold what users, models and tools say:
// whether the tracer of the context, or else the default one, records, and does
// so without [WithContentOffSpans]. ContentOnSpans is for what adds to spans of other tracers;
// see [Event.SetAttributes] for those of events.
func ContentOnSpans(ctx context.Context) bool {
	t := tracerOf(ctx)
	return !t.disabled && !t.offSpans
}

// isContentKey reports whether WithContentOffSpans keeps an attribute off spans.
func isContentKey(key attribute.Key) bool {
	switch key {
	case genai.InputMessages, genai.OutputMessages, genai.SystemInstructions, genai.ToolDefinitions,
		genai.RetrievalQuery, genai.RetrievalDocuments, genai.RequestStopSequences:
		return true
	}
	for _, b := range convert.AllBuckets() {
		if string(key) == b.Attribute() {
			return true
		}
	}
	return false
}

// withoutContent returns the attributes that WithContentOffSpans leaves on spans.
func withoutContent(list []attribute.KeyValue) []attribute.KeyValue {
	return slices.DeleteFunc(slices.Clone(list), func(kv attribute.KeyValue) bool { return isContentKey(kv.Key) })
}
