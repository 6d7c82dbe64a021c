package traces

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/server/internal/traces/tracestest"
)

func text(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func pair(key string, v *commonpb.AnyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: v}
}

func array(values ...*commonpb.AnyValue) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: values}}}
}

// example is a request with every kind of value, and the spans it stands for.
func example() (*tracepb.TracesData, []convert.Span) {
	trace, _ := hex.DecodeString("4bf92f3577b34da6a3ce929d0e0e4736")
	span, _ := hex.DecodeString("00f067aa0ba902b7")
	parent, _ := hex.DecodeString("ffffffffffffffff")
	data := &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
			pair("service.name", text("shop")), pair("deployment.environment.name", text("staging")),
			pair("honeyhive.session_id", text("caf77ace-3417-4da4-944d-f4a0688f3c23")), pair("host.name", text("h")),
		}},
		ScopeSpans: []*tracepb.ScopeSpans{{
			Scope: &commonpb.InstrumentationScope{Name: "lib"},
			Spans: []*tracepb.Span{{
				TraceId: trace, SpanId: span, ParentSpanId: parent, Name: "chat", Kind: tracepb.Span_SPAN_KIND_CLIENT,
				StartTimeUnixNano: 1712025501605000001, EndTimeUnixNano: 1712025501606000000,
				Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "no"},
				Attributes: []*commonpb.KeyValue{
					pair("gen_ai.request.model", text("m")),
					pair("int", &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: 9007199254740993}}),
					pair("double", &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 0.5}}),
					pair("bool", &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}),
					pair("bytes", &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{1, 2}}}),
					pair("list", array(text("a"), text("b"))),
					pair("map", &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{pair("k", array())}}}}),
					pair("none", nil),
				},
				Events: []*tracepb.Span_Event{{Name: "e", TimeUnixNano: 1712025501605500000, Attributes: []*commonpb.KeyValue{pair("x", text("y"))}}},
				Links:  []*tracepb.Span_Link{{TraceId: trace, SpanId: parent}, {TraceId: trace}},
			}},
		}},
	}}}
	want := convert.Span{
		Name: "chat", Kind: convert.Client, Scope: "lib", Start: time.Unix(1712025501, 605000001), End: time.Unix(1712025501, 606000000), Failed: true, Status: "no",
		Project: "shop", Source: "staging",
		Attributes: []attribute.KeyValue{
			attribute.String("honeyhive.session_id", "caf77ace-3417-4da4-944d-f4a0688f3c23"),
			attribute.String("gen_ai.request.model", "m"), attribute.Int64("int", 9007199254740993), attribute.Float64("double", 0.5), attribute.Bool("bool", true),
			{Key: "bytes", Value: attribute.ByteSliceValue([]byte{1, 2})},
			{Key: "list", Value: attribute.SliceValue(attribute.StringValue("a"), attribute.StringValue("b"))},
			{Key: "map", Value: attribute.MapValue(attribute.KeyValue{Key: "k", Value: attribute.SliceValue()})},
			{Key: "none"},
		},
		Events: []convert.Event{{Name: "e", Time: time.Unix(1712025501, 605500000), Attributes: []attribute.KeyValue{attribute.String("x", "y")}}},
	}
	copy(want.TraceID[:], trace)
	copy(want.SpanID[:], span)
	copy(want.ParentSpanID[:], parent)
	want.Links = []convert.Link{{TraceID: want.TraceID, SpanID: want.ParentSpanID}}
	return data, []convert.Span{want}
}

// TestEncodings reads the same spans from both encodings.
func TestEncodings(t *testing.T) {
	data, want := example()
	body, err := proto.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Request{"protobuf": Proto(body), "JSON": JSON(jsonOf(t, data))} {
		got, err := read(t, r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, compare...); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		record := convert.Convert(&got[0])
		if id := record.SessionID.String(); id != "caf77ace-3417-4da4-944d-f4a0688f3c23" || record.EventID.String() != "39abed16-5de7-52c5-a3c9-6d4bbf40d112" {
			t.Errorf("%s: session %s, event %s", name, id, record.EventID)
		}
	}
	checkProto(t, data)
}

// jsonOf writes a message as OTLP has it in JSON.
func jsonOf(t testing.TB, data *tracepb.TracesData) []byte {
	t.Helper()
	body, err := proto.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return tracestest.JSON(t, body)
}

// TestJSONByHand reads JSON as the specification shows it: integers as numbers
// and as strings, fields that nobody knows, ids in either case.
func TestJSONByHand(t *testing.T) {
	got, err := read(t, JSON([]byte(`{"future":{"a":[1]},"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"unknown_service:node"}}]},
		"scopeSpans":[{"scope":{"name":"s"},"spans":[{"traceId":"4BF92F3577B34DA6A3CE929D0E0E4736","spanId":"00f067aa0ba902b7","parentSpanId":"","name":"n","kind":3,
		"startTimeUnixNano":1712025501605000000,"endTimeUnixNano":"1712025501606000000","flags":257,
		"attributes":[{"key":"a","value":{"intValue":"5"}},{"key":"b","value":{"intValue":5}},{"key":"c","value":{"doubleValue":5}}],"status":{"code":2}}]}]}]}`)))
	if err != nil {
		t.Fatal(err)
	}
	s := got[0]
	if hex.EncodeToString(s.TraceID[:]) != "4bf92f3577b34da6a3ce929d0e0e4736" || s.ParentSpanID != [8]byte{} || s.Project != "" || !s.Failed || s.End.Sub(s.Start) != time.Millisecond {
		t.Errorf("%+v", s)
	}
	want := []attribute.KeyValue{attribute.Int64("a", 5), attribute.Int64("b", 5), attribute.Float64("c", 5)}
	if diff := cmp.Diff(want, s.Attributes, compare...); diff != "" {
		t.Error(diff)
	}
}

// TestInvalidIDs leaves out the spans at fault and keeps the others.
func TestInvalidIDs(t *testing.T) {
	good := `{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"good"}`
	for name, bad := range map[string]string{
		"short":     `{"traceId":"4bf9","spanId":"00f067aa0ba902b7","name":"bad"}`,
		"missing":   `{"spanId":"00f067aa0ba902b7","name":"bad"}`,
		"zeros":     `{"traceId":"00000000000000000000000000000000","spanId":"00f067aa0ba902b7","name":"bad"}`,
		"base64":    `{"traceId":"S/kvNXezTaajzpKdDg5HNg==","spanId":"00f067aa0ba902b7","name":"bad"}`,
		"no hex":    `{"traceId":"4bf92f3577b34da6a3ce929d0e0e473g","spanId":"00f067aa0ba902b7","name":"bad"}`,
		"span zero": `{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"0000000000000000","name":"bad"}`,
		"parent":    `{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","parentSpanId":"abcd","name":"bad"}`,
	} {
		r := JSON([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + bad + `,` + good + `]}]}]}`))
		got, err := read(t, r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(got) != 1 || got[0].Name != "good" || r.Invalid != 1 || !strings.HasPrefix(r.Problem, `span "bad": `) {
			t.Errorf("%s: %+v, %+v", name, r, got)
		}
	}
}

// TestRefused names what is no request at all, and what is no span of one.
func TestRefused(t *testing.T) {
	deep := func(levels int) string {
		return strings.Repeat(`{"arrayValue":{"values":[`, levels) + `{"intValue":1}` + strings.Repeat(`]}}`, levels)
	}
	withSpan := func(fields string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"n",` + fields + `}]}]}]}`
	}
	withValue := func(v string) string { return withSpan(`"attributes":[{"key":"k","value":` + v + `}]`) }
	for name, c := range map[string]struct {
		read func([]byte) *Request
		body string
		want string
	}{
		"no scopes":       {JSON, `{"resourceSpans":[{"scopeSpans":7}]}`, "resource spans: scopeSpans: is a JSON number, not an array"},
		"no spans":        {JSON, `{"resourceSpans":[{"scopeSpans":[{"spans":7}]}]}`, "spans: is a JSON number, not an array"},
		"no scope":        {JSON, `{"resourceSpans":[{"scopeSpans":["x"]}]}`, "scope spans: is a JSON string, not an object"},
		"no resource":     {JSON, `{"resourceSpans":[[]]}`, "read OTLP JSON: resource spans: is a JSON array, not an object"},
		"no span":         {JSON, `{"resourceSpans":[{"scopeSpans":[{"spans":[7]}]}]}`, `span "": is a JSON number, not an object`},
		"text":            {JSON, "hello", "read OTLP JSON: invalid JSON at byte 1: invalid character 'h'"},
		"array":           {JSON, "[]", "read OTLP JSON: is a JSON array, not an object"},
		"no list":         {JSON, `{"resourceSpans":{}}`, "read OTLP JSON: resourceSpans: is a JSON object, not an array"},
		"deep":            {JSON, withValue(deep(99)), "nested deeper than 200 messages"},
		"very deep":       {JSON, withValue(deep(10000)), "nested deeper than 200 messages"},
		"brackets":        {JSON, strings.Repeat("[", 100000) + strings.Repeat("]", 100000), "read OTLP JSON: invalid JSON at byte 10001"},
		"protobuf":        {Proto, "hello", "read OTLP protobuf: malformed"},
		"deep protobuf":   {Proto, string(deepProto(10000, "x")), "nested deeper than 200 messages"},
		"truncated":       {Proto, string(deepProto(3, "x")[:9]), "read OTLP protobuf: malformed"},
		"JSON as if it …": {Proto, `{"resourceSpans":[]}`, "read OTLP protobuf: malformed"},
		"a broken span":   {Proto, string(field(1, field(2, field(2, []byte("\x0a\x10short"))))), "malformed"},
	} {
		r := c.read([]byte(c.body))
		got, err := read(t, r)
		problem := r.Problem
		if err != nil {
			problem = err.Error()
		}
		if len(got) > 0 || !strings.Contains(problem, c.want) || strings.ContainsRune(problem, '\u00a0') || len(problem) > 300 {
			t.Errorf("%s: %q, %d spans", name, problem, len(got))
		}
	}
}

// deepProto is a request with lists inside lists around a text.
func deepProto(levels int, s string) []byte {
	b := field(1, []byte(s)) // string_value
	for range levels {
		b = field(5, field(1, b)) // array_value, values
	}
	attr := append(field(1, []byte("k")), field(2, b)...)
	return field(1, field(2, field(2, field(9, attr))))
}

func field(number byte, content []byte) []byte {
	out := []byte{number<<3 | 2}
	n := len(content)
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(append(out, byte(n)), content...)
}

// TestMaxDepth is the depth that goes through.
func TestMaxDepth(t *testing.T) {
	r := Proto(deepProto(MaxDepth/2-5, "x"))
	if _, err := read(t, r); err != nil || r.Invalid != 1 || !strings.Contains(r.Problem, "trace id") {
		t.Errorf("%v, %+v", err, r)
	}
}

// TestResponses are read by the modules of protobuf and of OTLP.
func TestResponses(t *testing.T) {
	for _, c := range []struct {
		n       int
		message string
	}{{0, ""}, {3, "three"}, {0, "a warning"}} {
		var binary, text collectorpb.ExportTraceServiceResponse
		if err := errors.Join(proto.Unmarshal(ProtoResponse(c.n, c.message), &binary), protojson.Unmarshal(JSONResponse("rejectedSpans", c.n, c.message), &text)); err != nil {
			t.Error(err)
		}
		for _, r := range []*collectorpb.ExportTraceServiceResponse{&binary, &text} {
			if got := r.GetPartialSuccess(); got.GetRejectedSpans() != int64(c.n) || got.GetErrorMessage() != c.message {
				t.Errorf("%v, want %d %q", r, c.n, c.message)
			}
		}
	}
	if got := string(JSONStatus(3, `a "b"`)); got != `{"code":3,"message":"a \"b\""}` {
		t.Error(got)
	}
	if got := ProtoStatus(3, "ab"); string(got) != "\x08\x03\x12\x02ab" {
		t.Errorf("%q", got)
	}
}

// TestFloats are written as encoding/json writes them, those that JSON does not
// have as the protobuf module does.
func TestFloats(t *testing.T) {
	list := []float64{0, math.Copysign(0, -1), 1, -1.5, 1e-6, 9.99e-7, 1e-7, 1.5e-10, -1e-100, 1e20, 1e21, -1.5e22, 1e100, 0.1, 1.7e308, 5e-324, math.NaN(), math.Inf(1), math.Inf(-1)}
	for _, f := range list {
		want, err := json.Marshal(f)
		if err != nil {
			value, _ := protojson.Marshal(&commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: f}})
			var fields map[string]json.RawMessage
			_ = json.Unmarshal(value, &fields)
			want = fields["doubleValue"]
		}
		if got := appendFloat([]byte("x"), f); string(got) != "x"+string(want) {
			t.Errorf("%s, want %s", got[1:], want)
		}
	}
}

// TestCanonicalJSON drops white space, mends UTF-8, refuses what is no JSON, and
// copies nothing where there is nothing to change.
func TestCanonicalJSON(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":[1,"b c\\",{}]}`: `{"a":[1,"b c\\",{}]}`, "\t{ \"a b\" :\r[ 1 , \"\\\" \" ] }\n": `{"a b":[1,"\" "]}`, "[\"a\xff\xfeb\", 1]": "[\"a\ufffdb\",1]", "\ufeff{}": "{}",
		strings.Repeat("[", 10000) + strings.Repeat("]", 10000): strings.Repeat("[", 10000) + strings.Repeat("]", 10000),
		`"` + strings.Repeat("[", 10001) + `"`:                  `"` + strings.Repeat("[", 10001) + `"`,
	} {
		if got, repaired, err := canonical([]byte(body)); got != want || repaired != nil || err != nil {
			t.Errorf("%q: %q, %v", body, got, err)
		}
	}
	for _, body := range []string{"", " ", "{", "]", `"`, `"\`, `{"a":1]`, "[1,]", "[01]", "\xff", "[]]", "[\"\n\"]", "[NaN]", strings.Repeat("[", 10001) + strings.Repeat("]", 10001), `{"a":[}`, `{"a":"b`, strings.Repeat("]", 1e6) + strings.Repeat("[", 1e6)} {
		if got, _, err := canonical([]byte(body)); err == nil {
			t.Errorf("%.20q: %q", body, got)
		}
	}
	body := []byte(`{"a":["` + strings.Repeat("x", 1000) + `"]}`)
	if got, _, err := canonical(body); err != nil || unsafe.StringData(got) != unsafe.SliceData(body) {
		t.Errorf("it is copied: %v", err)
	}
}
