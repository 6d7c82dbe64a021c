package sessionspan

import (
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// ForgetDefault makes the package as new: no default tracer was set, and nothing
// was said about that.
func ForgetDefault() {
	defaultTracer.Store(nil)
	sayNoDefault = sync.Once{}
}

// BySDK reports whether a span is one of the SDK, or one of ours for which the SDK
// has made one.
func BySDK(span trace.Span) bool {
	own, ok := span.(*ownSpan)
	return !ok || own.read() != nil
}
