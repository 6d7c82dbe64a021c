package otlp_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/internal/otlp"
)

func TestJSON(t *testing.T) {
	full := fullSpan(t)
	stub := tracetest.SpanStub{
		Name: "chat", SpanContext: full.SpanContext, Parent: full.Parent, SpanKind: trace.SpanKindClient,
		StartTime: start, EndTime: start, Status: full.Status,
		Attributes: []attribute.KeyValue{
			attribute.Int("n", 1<<60), {Key: "empty"}, {Key: "bytes", Value: attribute.ByteSliceValue([]byte{0xff})},
			attribute.String("traceId", "text"),
		},
		Links: []sdktrace.Link{{SpanContext: full.SpanContext.WithTraceState(trace.TraceState{})}},
	}
	got, err := otlp.JSON(appendTraces(nil, stub.Snapshot()))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"resourceSpans":[{"scopeSpans":[{"spans":[{` +
		`"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"a1a2a3a4a5a6a7a8","traceState":"vendor=value,other=more",` +
		`"parentSpanId":"0900000000000000","flags":769,"name":"chat","kind":3,` +
		`"startTimeUnixNano":"1700000000123456789","endTimeUnixNano":"1700000000123456789",` +
		`"attributes":[{"key":"n","value":{"intValue":"1152921504606846976"}},{"key":"empty","value":{}},` +
		`{"key":"bytes","value":{"bytesValue":"/w=="}},{"key":"traceId","value":{"stringValue":"text"}}],` +
		`"links":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"a1a2a3a4a5a6a7a8","flags":257}],` +
		`"status":{"message":"it broke","code":2}}]}]}]}`
	if !json.Valid(got) {
		t.Fatalf("not JSON: %s", got)
	}
	// protojson keeps the order of the fields in the definition only as a habit.
	if diff := cmp.Diff(parse(t, []byte(want)), parse(t, got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func parse(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestJSONErrors(t *testing.T) {
	oddID, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{SpanId: []byte{1}}}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ body, want string }{
		"odd ID": {string(oddID), "traces as JSON: an ID of 1 bytes"},
		"cut":    {"\x0a\x05", ""},
	} {
		if text, err := otlp.JSON([]byte(test.body)); err == nil || text != nil || (test.want != "" && err.Error() != test.want) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
	if text, err := otlp.JSON(nil); string(text) != "{}" || err != nil {
		t.Errorf("no traces: %s, %v", text, err)
	}
}
