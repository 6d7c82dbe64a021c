package llmhttp_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// TestOnce checks that several of us are one, and that the span which a client
// made for the call is used.
func TestOnce(t *testing.T) {
	l := newLab(t, whole(200, chatAnswer))
	resp, err := llmhttp.Middleware()(l.request("/v1/chat/completions", chatRequest), l.client.Transport.RoundTrip)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(resp.Body)
	_ = resp.Body.Close()

	ctx, span := l.provider.Tracer("com.example.sdk").Start(l.ctx, "sdk call", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat")))
	resp, err = l.client.Do(l.request("/v1/chat/completions", chatRequest).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	span.End()
	events := l.end()
	if len(events) != 2 || len(events[1].Children) > 0 || events[1].EventName.Or("") != "sdk call" {
		t.Fatalf("%d events", len(events))
	}
	metadata(t, events[1], map[string]string{"prompt_tokens": "20"})
	if !strings.Contains(events[1].Outputs.String(), "hello") {
		t.Error(events[1].Outputs)
	}
}

// TestClientTriesAgain checks that an attempt that fails does not mark the span
// which the client made for all of them.
func TestClientTriesAgain(t *testing.T) {
	n := 0
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			whole(429, `{"error":{"message":"slow","code":"c"}}`)(w, r)
			return
		}
		whole(200, chatAnswer)(w, r)
	})
	ctx, span := l.provider.Tracer("com.example.sdk").Start(l.ctx, "sdk call", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat")))
	for range 2 {
		resp, err := l.client.Do(l.request("/v1/chat/completions", chatRequest).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	span.End()
	e := l.only()
	metadata(t, e, map[string]string{"prompt_tokens": "20"})
	stub := l.recorder.GetSpans()[0]
	if _, ok := attributesOf(stub.Attributes)["error.type"]; ok || stub.Status.Code == codes.Error || e.Error.Or("") != "" {
		t.Errorf("%v %v", stub.Status, e.Error)
	}
}
