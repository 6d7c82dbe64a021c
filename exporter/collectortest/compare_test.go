package collectortest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// arrived is a span as a backend sees it, with what it stands under.
type arrived struct {
	span      *tracepb.Span
	resource  *resourcepb.Resource
	scope     *commonpb.InstrumentationScope
	schemaURL [2]string
}

// spans returns what a sink got, by span id.
func (s *sink) spans(t *testing.T) map[string]arrived {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]arrived)
	for _, r := range s.requests {
		for _, rs := range r.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				for _, span := range ss.GetSpans() {
					id := string(span.GetSpanId())
					if _, ok := out[id]; ok {
						t.Errorf("the span %q arrived twice", span.GetName())
					}
					out[id] = arrived{span, rs.GetResource(), ss.GetScope(), [2]string{rs.GetSchemaUrl(), ss.GetSchemaUrl()}}
				}
			}
		}
	}
	return out
}

// record makes a session of everything that a span may have: events of each type,
// a failure, links, a long text, spans of the plain API inside and
// outside of the session, with limits that cut them.
func record(t *testing.T, tracer *sessionspan.Tracer, plain trace.Tracer) {
	t.Helper()
	ctx, outside := plain.Start(t.Context(), "GET /ask", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.Int("http.response.status_code", 200)))
	ctx, session := tracer.StartSession(ctx, "ask", sessionspan.WithInputs(map[string]any{"question": "why \U0001F400?", "n": 9007199254740993}),
		sessionspan.WithUserProperties(map[string]any{"user_id": "u-1"}))
	rctx, retrieve := sessionspan.StartEvent(ctx, sessionspan.Retriever, "retrieve", sessionspan.WithQuery("why"))
	retrieve.SetDocuments(sessionspan.Document{ID: "d1", Content: strings.Repeat("text ", 1000)})
	_, inner := plain.Start(rctx, "SELECT", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(time.Unix(1, 5)),
		trace.WithLinks(trace.LinkFromContext(ctx, attribute.String("why", "linked"))),
		trace.WithAttributes(attribute.StringSlice("list", []string{"a", "b"}), attribute.Float64Slice("numbers", []float64{1.5, -2}), attribute.BoolSlice("flags", nil)))
	inner.AddEvent("rows", trace.WithAttributes(attribute.Int64("count", 1<<60)))
	inner.RecordError(errors.New("broken pipe"), trace.WithStackTrace(true))
	inner.End()
	retrieve.End()
	_, model := sessionspan.StartEvent(ctx, sessionspan.Model, "answer", sessionspan.WithModel("openai", "gpt-x"),
		sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: "why?"}))
	model.SetReply(sessionspan.Message{Role: "assistant", Content: "because", FinishReason: "stop"})
	model.SetUsage(sessionspan.Usage{InputTokens: 7, OutputTokens: 3})
	model.End()
	_, tool := sessionspan.StartEvent(ctx, sessionspan.Tool, "lookup", sessionspan.WithInputs(map[string]any{"x": nil}))
	tool.RecordError(errors.New("not found"))
	tool.End()
	session.SetOutputs(map[string]any{"answer": "because"})
	session.End()
	outside.End()
}

// derived reports whether an attribute is one that our exporter adds to what the
// span has, for HoneyHive's endpoint.
func derived(key string) bool { return strings.HasPrefix(key, "honeyhive") }

// TestBothWays sends the same spans to one collector by WithOTLP and by
// OpenTelemetry's own exporter: span by span the same arrives, but that ours adds
// attributes of its own where a span has none of that name.
func TestBothWays(t *testing.T) {
	for name, own := range map[string]bool{"provider of New": true, "provider of the user": false} {
		t.Run(name, func(t *testing.T) {
			sinks := map[string]*sink{"ours": newSink(t), "theirs": newSink(t)}
			urls := startCollector(t, sinks)
			theirs, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(urls["theirs"]+"/v1/traces"))
			if err != nil {
				t.Fatal(err)
			}
			options := []sessionspan.Option{
				sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(func(err error) { t.Error(err) }),
				sessionspan.WithOTLP(exporter.OTLPConfig{URL: urls["ours"]}),
				sessionspan.WithSpanExporter(theirs),
			}
			if !own {
				limits := sdktrace.NewSpanLimits()
				limits.EventCountLimit, limits.AttributeCountLimit = 1, 30
				provider := sdktrace.NewTracerProvider(sdktrace.WithRawSpanLimits(limits),
					sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "rag"))))
				options = append(options, sessionspan.WithTracerProvider(provider))
			}
			tracer, err := sessionspan.New(options...)
			if err != nil {
				t.Fatal(err)
			}
			plain := tracer.TracerProvider().Tracer("plain", trace.WithInstrumentationVersion("1"), trace.WithSchemaURL("https://opentelemetry.io/schemas/1.37.0"),
				trace.WithInstrumentationAttributes(attribute.Bool("of the scope", true)))
			for range 20 {
				record(t, tracer, plain)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := tracer.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			for _, s := range tracer.Stats() {
				if s.Delivered != s.Created || s.Created != 120 {
					t.Errorf("%+v", s)
				}
			}
			got, want := sinks["ours"].spans(t), sinks["theirs"].spans(t)
			if len(got) != 120 || len(want) != 120 {
				t.Fatalf("%d spans by our way, %d by theirs", len(got), len(want))
			}
			added := make(map[string]int)
			for id, w := range want {
				compare(t, got[id], w, added)
			}
			t.Logf("ours adds %v", added)
		})
	}
}

// TestInvalidUTF8 sends a text that protobuf cannot carry. OpenTelemetry's exporter
// fails on the batch with it; ours replaces what is no UTF-8.
func TestInvalidUTF8(t *testing.T) {
	sinks := map[string]*sink{"ours": newSink(t)}
	urls := startCollector(t, sinks)
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithOTLP(exporter.OTLPConfig{URL: urls["ours"]}))
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.TracerProvider().Tracer("plain").Start(t.Context(), "span \xff", trace.WithAttributes(attribute.String("key", "a\xffb")))
	span.RecordError(errors.New("broken \xff pipe"))
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := tracer.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	got := sinks["ours"].spans(t)
	for _, a := range got {
		if text := a.span.String(); a.span.GetName() != "span \uFFFD" || !strings.Contains(text, "a\uFFFDb") || !strings.Contains(text, "broken \uFFFD pipe") {
			t.Errorf("%s", text)
		}
	}
	if len(got) != 1 {
		t.Errorf("%d spans arrived", len(got))
	}
}

// compare holds a span that came our way against the same one by theirs, and counts
// the attributes that ours has besides.
func compare(t *testing.T, ours, theirs arrived, added map[string]int) {
	t.Helper()
	if ours.span == nil {
		t.Errorf("the span %q is missing", theirs.span.GetName())
		return
	}
	has := make(map[string]bool)
	for _, kv := range theirs.span.GetAttributes() {
		has[kv.GetKey()] = true
	}
	a, b := proto.CloneOf(ours.span), proto.CloneOf(theirs.span)
	a.Attributes = slices.DeleteFunc(a.Attributes, func(kv *commonpb.KeyValue) bool {
		besides := !has[kv.GetKey()] && derived(kv.GetKey())
		if besides {
			added[kv.GetKey()]++
		}
		return besides
	})
	byKey := func(x, y *commonpb.KeyValue) int { return strings.Compare(x.GetKey(), y.GetKey()) }
	slices.SortFunc(a.Attributes, byKey)
	slices.SortFunc(b.Attributes, byKey)
	if diff := cmp.Diff(b, a, protocmp.Transform()); diff != "" {
		t.Errorf("the span %q, by their way and by ours:\n%s", b.GetName(), diff)
	}
	if diff := cmp.Diff(theirs.resource, ours.resource, protocmp.Transform()); diff != "" {
		t.Errorf("the resource of %q:\n%s", b.GetName(), diff)
	}
	if diff := cmp.Diff(theirs.scope, ours.scope, protocmp.Transform()); diff != "" {
		t.Errorf("the scope of %q:\n%s", b.GetName(), diff)
	}
	if ours.schemaURL != theirs.schemaURL {
		t.Errorf("the schemas of %q: %q, want %q", b.GetName(), ours.schemaURL, theirs.schemaURL)
	}
}
