package sessionspan_test

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// TestOpenSpans leaves spans open: the oldest are forgotten, which is counted and
// reported once. A session whose End comes after all is delivered with its events,
// and the end of a plain span reaches the destination that takes every span.
func TestOpenSpans(t *testing.T) {
	api := newAPI(t)
	exported := tracetest.NewInMemoryExporter()
	var reports errorList
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(reports.add),
		sessionspan.WithHTTP(exporter.HTTPConfig{URL: api.URL}), sessionspan.WithSpanExporter(exported), sessionspan.WithOpenSpans(sessionspan.OpenSpans{Most: 128}))
	other := tracer.TracerProvider().Tracer("other")
	ctx, s := tracer.StartSession(t.Context(), "early", sessionspan.WithInputs(map[string]any{"q": "x"}))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "early event")
	_, plain := other.Start(t.Context(), "early plain")
	const open = 2000
	for i := range open {
		switch i % 4 {
		case 0:
			_, _ = tracer.StartSession(t.Context(), "never ends")
		case 1:
			_, _ = sessionspan.StartEvent(ctx, sessionspan.Tool, "never ends")
		default:
			_, span := other.Start(ctx, "never ends")
			_ = span
		}
	}
	if n := tracer.ForgottenSpans(); n < open-2*128 || n > open {
		t.Errorf("%d spans were forgotten", n)
	}
	plain.End()
	e.End()
	s.End(sessionspan.WithOutputs(map[string]any{"a": "y"}))
	flush(t, tracer)
	if text := reports.text(); strings.Count(text, "was forgotten") != 1 {
		t.Errorf("reported %q", text)
	}
	sent := strings.Join(append(api.bodies("POST", "/session/start"), api.bodies("POST", "/events/batch")...), "\n")
	sent += strings.Join(api.bodies("PUT", "/events"), "\n")
	for _, want := range []string{`"early"`, `"early event"`, `"q":"x"`, `"a":"y"`} {
		if !strings.Contains(sent, want) {
			t.Errorf("nothing of %s in %s", want, sent)
		}
	}
	names := make(map[string]int)
	for _, span := range exported.GetSpans() {
		names[span.Name]++
	}
	if fmt.Sprint(names) != "map[early:1 early event:1 early plain:1]" {
		t.Errorf("exported %v", names)
	}
	if _, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithWriter(new(strings.Builder)), sessionspan.WithOpenSpans(sessionspan.OpenSpans{Age: -1})); err == nil {
		t.Error("a negative age was taken")
	}
}

// TestValueLimit sets a limit for values of attributes, by the variable or on a
// provider of the user's: it holds for collectors and other exporters, and payloads
// are whole.
func TestValueLimit(t *testing.T) {
	const most = 10
	long := strings.Repeat("é", 54)
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = most
	for name, options := range map[string]func(t *testing.T) []sessionspan.Option{
		"variable": func(t *testing.T) []sessionspan.Option {
			t.Setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", fmt.Sprint(most))
			return nil
		},
		"the user's provider": func(*testing.T) []sessionspan.Option {
			return []sessionspan.Option{sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithRawSpanLimits(limits)))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			exported := tracetest.NewInMemoryExporter()
			var out strings.Builder
			lines, err := exporter.NewLines(&out)
			if err != nil {
				t.Fatal(err)
			}
			tracer := newTracer(t, append(options(t), sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil),
				sessionspan.WithDestination(lines), sessionspan.WithSpanExporter(exported))...)
			ctx, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{"q": long}))
			_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e", sessionspan.WithModel("a long provider", long), sessionspan.WithInputs(map[string]any{"q": long}))
			e.SetAttributes(attribute.String("mine", long), attribute.StringSlice("list", []string{long, "short"}))
			e.SetMessages(sessionspan.Message{Role: "user", Content: long})
			e.End()
			s.End()
			flush(t, tracer)
			spans := exported.GetSpans()
			if len(spans) != 2 {
				t.Fatalf("%d spans", len(spans))
			}
			for _, span := range spans {
				for _, kv := range span.Attributes {
					for _, text := range append(kv.Value.AsStringSlice(), kv.Value.AsString()) {
						if len([]rune(text)) > most {
							t.Errorf("%s: %s=%s", span.Name, kv.Key, text)
						}
					}
				}
			}
			if n := strings.Count(out.String(), long); n < 4 {
				t.Errorf("payloads have the long text %d times: %s", n, out.String())
			}
		})
	}
}

// TestResource names the service without a provider.
func TestResource(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "of the variable")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	exported := tracetest.NewInMemoryExporter()
	res := resource.NewSchemaless(attribute.String("service.name", "of the option"))
	tracer := newTracer(t, sessionspan.WithResource(nil), sessionspan.WithResource(res), sessionspan.WithSpanExporter(exported))
	_, s := tracer.StartSession(t.Context(), "s")
	s.End()
	flush(t, tracer)
	got := exported.GetSpans()[0].Resource.Set()
	for key, want := range map[attribute.Key]string{"service.name": "of the option", "deployment.environment.name": "test", "telemetry.sdk.language": "go"} {
		if v, _ := got.Value(key); v.AsString() != want {
			t.Errorf("%s is %q", key, v.AsString())
		}
	}
	if _, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithTracerProvider(sdktrace.NewTracerProvider()), sessionspan.WithResource(res)); err == nil || !strings.Contains(err.Error(), "WithResource") {
		t.Errorf("error %v", err)
	}
}

// TestDroppedByParent starts sessions in requests whose parent is not sampled. Where
// the sampler of the user's provider drops them for that, it is said once, with what
// helps.
func TestDroppedByParent(t *testing.T) {
	above := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true}) // not sampled
	provider := func(options ...sdktrace.TracerProviderOption) sessionspan.Option {
		return sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(options...))
	}
	for name, c := range map[string]struct {
		options            []sessionspan.Option
		recorded, reported bool
	}{
		"own provider":         {nil, true, false},
		"defaults of the SDK":  {[]sessionspan.Option{provider()}, false, true},
		"a session sampler":    {[]sessionspan.Option{provider(sdktrace.WithSampler(sessionspan.SessionSampler(nil)))}, true, false},
		"one that takes none":  {[]sessionspan.Option{provider(sdktrace.WithSampler(sessionspan.SessionSampler(sdktrace.NeverSample())))}, false, false},
		"new traces":           {[]sessionspan.Option{provider(), sessionspan.WithNewTraces()}, true, false},
		"one that always does": {[]sessionspan.Option{provider(sdktrace.WithSampler(sdktrace.AlwaysSample()))}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			var reports errorList
			tracer := newTracer(t, append(c.options, sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(reports.add),
				sessionspan.WithSpanExporter(tracetest.NewInMemoryExporter()))...)
			for range 3 {
				ctx, s := tracer.StartSession(trace.ContextWithSpanContext(t.Context(), above), "s")
				_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
				if s.IsRecording() != c.recorded || e.IsRecording() != c.recorded {
					t.Errorf("recording: %v, %v", s.IsRecording(), e.IsRecording())
				}
				e.End()
				s.End()
			}
			if n := strings.Count(reports.text(), "SessionSampler"); n != map[bool]int{true: 1}[c.reported] {
				t.Errorf("%d reports: %s", n, reports.text())
			}
		})
	}
}
