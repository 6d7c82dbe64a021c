package sessionspan

import (
	"fmt"
	"runtime/debug"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/errortype"
	"github.com/sessionspan/sessionspan/internal/genai"
)

func (r *recording) setError(text string) {
	if text = validText(text); text != "" && r.noted() && !r.fields.SetError(text) {
		r.update(func(u *honeyhive.Update) { u.Metadata, _ = u.Metadata.With(metadataError, text) })
	}
}

// recordError sets the error and adds it to the span as an exception.
func (r *recording) recordError(err error) {
	if err == nil || !r.noted() {
		return
	}
	text := validText(errorText(err))
	r.exception(fmt.Sprintf("%T", err), errorKind(err), text, "")
	r.setError(text)
}

// returned records the error of a function that returns, unless the recording has
// ended. A session that another process holds does not end here.
func (r *recording) returned(err *error) {
	if r == nil || err == nil || *err == nil {
		return
	}
	if !r.fields.Frozen() || r.node.IsRoot() && r.node.Session.Continued {
		r.recordError(*err)
	}
}

// exited records that a function did not return. Where that is for a panic, what
// says so comes afterwards and counts.
func (r *recording) exited(returned *bool) {
	if !*returned {
		r.setError("the function ended its goroutine: runtime.Goexit")
	}
}

// panicked records a panic that is passing.
func (r *recording) panicked(v any) {
	if !r.noted() {
		return
	}
	text := "panic: " + panicText(v)
	r.exception(fmt.Sprintf("%T", v), "panic", text, string(debug.Stack()))
	r.setError(text)
}

// exception adds an exception to the span. kind is for error.type, which has few values.
func (r *recording) exception(goType, kind, message, stack string) {
	r.attributes(genai.ErrorType.String(kind))
	if r.span == nil {
		return
	}
	kvs := []attribute.KeyValue{attribute.String("exception.type", goType)}
	if r.withoutContent() {
		stack = ""
	} else {
		kvs = append(kvs, attribute.String("exception.message", message))
	}
	if stack != "" {
		kvs = append(kvs, attribute.String("exception.stacktrace", stack))
	}
	r.span.AddEvent("exception", trace.WithAttributes(kvs...))
}

// errorKind returns the kind of an error whose methods may panic.
func errorKind(err error) (kind string) {
	defer func() {
		if recover() != nil {
			kind = fmt.Sprintf("%T", err)
		}
	}()
	return errortype.Of(err)
}

// errorText returns the message of an error whose methods may panic.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("!PANIC: %T", err)
		}
	}()
	if text = err.Error(); text == "" {
		text = fmt.Sprintf("%T", err)
	}
	return text
}

func panicText(v any) string {
	switch v := v.(type) {
	case error:
		return errorText(v)
	case string:
		return v
	}
	return strings.Clone(fmt.Sprint(v)) // fmt contains panics of methods
}
