package otlp_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
)

// values are attribute values of every type.
var values = map[string]attribute.Value{
	"empty":           {},
	"true":            attribute.BoolValue(true),
	"false":           attribute.BoolValue(false),
	"zero":            attribute.Int64Value(0),
	"one":             attribute.Int64Value(1),
	"minus one":       attribute.Int64Value(-1),
	"least":           attribute.Int64Value(math.MinInt64),
	"most":            attribute.Int64Value(math.MaxInt64),
	"zero float":      attribute.Float64Value(0),
	"negative zero":   attribute.Float64Value(math.Copysign(0, -1)),
	"pi":              attribute.Float64Value(math.Pi),
	"NaN":             attribute.Float64Value(math.NaN()),
	"infinity":        attribute.Float64Value(math.Inf(-1)),
	"empty string":    attribute.StringValue(""),
	"string":          attribute.StringValue("text with ünïcode and a \x00"),
	"long string":     attribute.StringValue(strings.Repeat("long ", 50_000)),
	"bools":           attribute.BoolSliceValue([]bool{true, false}),
	"no bools":        attribute.BoolSliceValue(nil),
	"ints":            attribute.Int64SliceValue([]int64{0, -1, 1 << 40}),
	"no ints":         attribute.Int64SliceValue(nil),
	"floats":          attribute.Float64SliceValue([]float64{0, 1.5, math.Inf(1)}),
	"no floats":       attribute.Float64SliceValue(nil),
	"strings":         attribute.StringSliceValue([]string{"", "a", strings.Repeat("b", 300)}),
	"no strings":      attribute.StringSliceValue(nil),
	"bytes":           attribute.ByteSliceValue([]byte{0xff, 0, 'x'}),
	"no bytes":        attribute.ByteSliceValue(nil),
	"slice":           attribute.SliceValue(attribute.Value{}, attribute.IntValue(0), attribute.StringValue("x")),
	"no slice":        attribute.SliceValue(),
	"map":             attribute.MapValue(attribute.Int("b", 1), attribute.String("a", ""), attribute.Int("b", 2)),
	"no map":          attribute.MapValue(),
	"map without key": attribute.MapValue(attribute.String("", "x")),
	"nested": attribute.MapValue(attribute.KeyValue{Key: "list", Value: attribute.SliceValue(
		attribute.MapValue(attribute.StringSlice("s", []string{"x"}), attribute.Bool("b", false)),
		attribute.SliceValue(attribute.SliceValue(), attribute.MapValue(), attribute.ByteSliceValue([]byte("raw"))),
	)}),
	"deep": deep(200),
}

// deep returns a value with n lists and maps inside each other.
func deep(n int) attribute.Value {
	v := attribute.StringValue("bottom")
	for i := range n {
		if i%2 == 0 {
			v = attribute.SliceValue(v)
		} else {
			v = attribute.MapValue(attribute.KeyValue{Key: "k", Value: v})
		}
	}
	return v
}

func TestAppendTracesValues(t *testing.T) {
	seen := map[attribute.Type]bool{}
	for name, value := range values {
		seen[value.Type()] = true
		t.Run(name, func(t *testing.T) {
			attrs := []attribute.KeyValue{
				{Key: "before", Value: value}, {Key: "", Value: value}, {Key: "after", Value: value},
			}
			span := tracetest.SpanStub{
				Attributes:           attrs,
				Events:               []sdktrace.Event{{Attributes: attrs}},
				Links:                []sdktrace.Link{{Attributes: attrs}},
				Resource:             resource.NewSchemaless(attrs...),
				InstrumentationScope: instrumentation.Scope{Name: "s", Attributes: attribute.NewSet(attrs...)},
			}.Snapshot()
			wantEqual(t, unmarshal(t, appendTraces(nil, span)), fromSDK(t, span))
		})
	}
	// The types are numbered without gaps; what comes behind the last has no name.
	for kind := attribute.EMPTY; !strings.HasPrefix(kind.String(), "Type("); kind++ {
		if !seen[kind] {
			t.Errorf("no value of type %v", kind)
		}
	}
}

func TestAppendTracesSpans(t *testing.T) {
	for name, change := range map[string]func(*tracetest.SpanStub){
		"full":                 func(*tracetest.SpanStub) {},
		"empty":                func(s *tracetest.SpanStub) { *s = tracetest.SpanStub{} },
		"no resource":          func(s *tracetest.SpanStub) { s.Resource = nil },
		"empty resource":       func(s *tracetest.SpanStub) { s.Resource = resource.Empty() },
		"resource schema only": func(s *tracetest.SpanStub) { s.Resource = resource.NewWithAttributes("https://example.com") },
		"no scope":             func(s *tracetest.SpanStub) { s.InstrumentationScope = instrumentation.Scope{} },
		"scope name only":      func(s *tracetest.SpanStub) { s.InstrumentationScope = instrumentation.Scope{Name: "n"} },
		"scope schema only":    func(s *tracetest.SpanStub) { s.InstrumentationScope = instrumentation.Scope{SchemaURL: "u"} },
		"scope of an empty set": func(s *tracetest.SpanStub) {
			s.InstrumentationScope = instrumentation.Scope{Name: "n", Attributes: attribute.NewSet()}
		},
		"no parent":         func(s *tracetest.SpanStub) { s.Parent = trace.SpanContext{} },
		"local parent":      func(s *tracetest.SpanStub) { s.Parent = s.Parent.WithRemote(false) },
		"remote without ID": func(s *tracetest.SpanStub) { s.Parent = trace.SpanContext{}.WithRemote(true) },
		"not sampled":       func(s *tracetest.SpanStub) { s.SpanContext = s.SpanContext.WithTraceFlags(0) },
		"all flags":         func(s *tracetest.SpanStub) { s.SpanContext = s.SpanContext.WithTraceFlags(0xff) },
		"remote itself":     func(s *tracetest.SpanStub) { s.SpanContext = s.SpanContext.WithRemote(true) },
		"status ok":         func(s *tracetest.SpanStub) { s.Status = sdktrace.Status{Code: codes.Ok} },
		"status unset":      func(s *tracetest.SpanStub) { s.Status = sdktrace.Status{Description: "text"} },
		"status unknown":    func(s *tracetest.SpanStub) { s.Status.Code = 77 },
		"long status":       func(s *tracetest.SpanStub) { s.Status.Description = strings.Repeat("x", 1000) },
		"before 1970":       func(s *tracetest.SpanStub) { s.StartTime, s.EndTime = time.Unix(-1, 0), time.Time{} },
		"negative counts":   func(s *tracetest.SpanStub) { s.DroppedAttributes, s.DroppedEvents, s.DroppedLinks = -1, -2, -3 },
		"huge counts": func(s *tracetest.SpanStub) {
			s.DroppedAttributes, s.DroppedEvents, s.DroppedLinks = math.MaxUint32, math.MaxUint32+1, math.MaxInt
		},
	} {
		t.Run(name, func(t *testing.T) {
			stub := fullSpan(t)
			change(&stub)
			span := stub.Snapshot()
			want := fromSDK(t, span)
			wantEqual(t, unmarshal(t, appendTraces(nil, span)), want)
			// The second time, resource and scope come out of the cache.
			wantEqual(t, unmarshal(t, appendTraces(nil, span)), want)
		})
	}
	for kind := trace.SpanKind(-1); kind < 8; kind++ {
		stub := fullSpan(t)
		stub.SpanKind = kind
		wantEqual(t, unmarshal(t, appendTraces(nil, stub.Snapshot())), fromSDK(t, stub.Snapshot()))
	}
}

func TestAppendTracesKeepsPrefix(t *testing.T) {
	span := fullSpan(t).Snapshot()
	alone := appendTraces(nil, span)
	got := appendTraces([]byte("prefix"), span)
	if string(got) != "prefix"+string(alone) {
		t.Error("the bytes depend on what stands before them")
	}
}

func TestAppendTracesInvalidText(t *testing.T) {
	const bad, good = "a\xff\xfeb\xc3", "a\uFFFDb\uFFFD"
	stub := func(text string) sdktrace.ReadOnlySpan {
		kv := attribute.KeyValue{Key: attribute.Key(text), Value: attribute.SliceValue(
			attribute.StringValue(text), attribute.StringSliceValue([]string{"x", text}),
			attribute.MapValue(attribute.String(text, text), attribute.IntSlice(text+"2", []int{1})),
		)}
		attrs := []attribute.KeyValue{attribute.String(text, text), kv}
		s := fullSpan(t)
		s.Name, s.Attributes, s.Status.Description = text, attrs, text
		s.Events = []sdktrace.Event{{Name: text, Attributes: attrs}}
		s.Links = []sdktrace.Link{{Attributes: attrs}}
		s.Resource = resource.NewWithAttributes(text, attribute.String(text, text))
		s.InstrumentationScope = instrumentation.Scope{
			Name: text, Version: text, SchemaURL: text, Attributes: attribute.NewSet(attribute.String(text, text)),
		}
		return s.Snapshot()
	}
	wantEqual(t, unmarshal(t, appendTraces(nil, stub(bad))), fromSDK(t, stub(good)))
}

// recorder keeps the spans that a provider ends.
type recorder struct {
	sdktrace.SpanProcessor

	spans []sdktrace.ReadOnlySpan
}

func (r *recorder) OnEnd(s sdktrace.ReadOnlySpan) { r.spans = append(r.spans, s) }

func TestAppendTracesRealSpans(t *testing.T) {
	r := &recorder{SpanProcessor: tracetest.NewSpanRecorder()}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(r),
		sdktrace.WithResource(resource.NewWithAttributes("https://example.com", attribute.String("service.name", "real"))),
		sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{
			AttributeValueLengthLimit: 2000, AttributeCountLimit: 4, EventCountLimit: 3, LinkCountLimit: 1,
			AttributePerEventCountLimit: 2, AttributePerLinkCountLimit: 1,
		}),
	)
	t.Cleanup(func() { _ = provider.Shutdown(t.Context()) })
	state, err := trace.ParseTraceState("k=v")
	if err != nil {
		t.Fatal(err)
	}
	remote := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true,
	})
	tracer := provider.Tracer("real", trace.WithInstrumentationVersion("v2"), trace.WithSchemaURL("https://example.com/s"),
		trace.WithInstrumentationAttributes(attribute.String("scope", "attribute")))
	ctx, server := tracer.Start(trace.ContextWithSpanContext(t.Context(), remote), "server", trace.WithSpanKind(trace.SpanKindServer))
	attrs := make([]attribute.KeyValue, 0, 10)
	for i := range 10 {
		attrs = append(attrs, attribute.String(fmt.Sprint("key", i), strings.Repeat("v", 500*i)))
	}
	_, client := provider.Tracer("plain").Start(ctx, "client", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attrs...), trace.WithLinks(trace.Link{SpanContext: remote, Attributes: attrs}, trace.Link{SpanContext: remote}))
	for i := range 5 {
		client.AddEvent(fmt.Sprint("event", i), trace.WithAttributes(attrs...))
	}
	client.RecordError(errors.New("an exception"), trace.WithStackTrace(true))
	client.SetStatus(codes.Error, "failed")
	client.End()
	server.SetStatus(codes.Ok, "")
	server.End()
	if len(r.spans) != 2 || r.spans[0].DroppedAttributes() == 0 || r.spans[0].DroppedEvents() == 0 || r.spans[0].DroppedLinks() == 0 {
		t.Fatal("the spans do not have what is to be tested")
	}
	for _, span := range r.spans {
		wantEqual(t, unmarshal(t, appendTraces(nil, span)), fromSDK(t, span))
	}
}

// TestAppendTracesManyScopes goes past the size of the caches from many goroutines.
func TestAppendTracesManyScopes(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				name := fmt.Sprint(g%2, i)
				span := tracetest.SpanStub{
					Resource:             resource.NewSchemaless(attribute.String("r", name)),
					InstrumentationScope: instrumentation.Scope{Name: name},
				}.Snapshot()
				got := unmarshal(t, appendTraces(nil, span)).GetResourceSpans()[0]
				scope := got.GetScopeSpans()[0].GetScope().GetName()
				if value := text(got.GetResource().GetAttributes()); value != name || scope != name {
					t.Errorf("resource %q, scope %q, want %q", value, scope, name)
				}
			}
		})
	}
	wg.Wait()
}

func text(attrs []*commonpb.KeyValue) string { return attrs[0].GetValue().GetStringValue() }
