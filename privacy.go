package sessionspan

import (
	"context"

	"github.com/sessionspan/sessionspan/exporter"
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

// WithContentOffSpans keeps what users, models and tools say off the spans themselves,
// for a provider that has other exporters which should not see it: what is set on
// sessions and events is written there as far as [exporter.WithoutContent] would let it
// through. The destinations of the tracer get all of it the same. [ContextWithoutContent]
// is for single requests.
func WithContentOffSpans() Option { return optionFunc(func(c *config) { c.offSpans = true }) }

// ContentOnSpans reports whether spans may hold what users, models and tools say:
// whether the tracer of the context, or else the default one, records, and does
// so without [WithContentOffSpans], and the context is none of [ContextWithoutContent]. ContentOnSpans is for what adds to spans of other tracers;
// see [Event.SetAttributes] for those of events.
func ContentOnSpans(ctx context.Context) bool {
	t := tracerOf(ctx)
	return !t.disabled && !t.offSpans && !withoutContent(ctx)
}
