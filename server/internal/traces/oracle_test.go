package traces

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/attribute"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/server/internal/brief"
)

// The messages of OpenTelemetry's own module, read by the protobuf module, say
// what a request holds.

// expected are the spans of a message, and how many it has that are none.
func expected(data *tracepb.TracesData) (list []convert.Span, invalid int) {
	for _, r := range data.GetResourceSpans() {
		var res resource
		for _, kv := range r.GetResource().GetAttributes() {
			res.add(pairOf(kv))
		}
		for _, s := range r.GetScopeSpans() {
			scope := brief.Name(s.GetScope().GetName())
			for _, span := range s.GetSpans() {
				out, ok := spanOf(span)
				if !ok {
					invalid++
					continue
				}
				out.Project, out.Source, out.Scope = res.project(), res.source(), scope
				if all := convert.AppendMainAgent(append(slices.Clone(res.identity), out.Attributes...), res.agent); len(all) > 0 {
					out.Attributes = all
				}
				list = append(list, out)
			}
		}
	}
	return list, invalid
}

func spanOf(s *tracepb.Span) (convert.Span, bool) {
	out := convert.Span{
		Name: s.GetName(), Kind: kindOf(uint64(s.GetKind())), Start: instant(s.GetStartTimeUnixNano()), End: instant(s.GetEndTimeUnixNano()),
		Failed: s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR, Status: s.GetStatus().GetMessage(), Attributes: pairsOf(s.GetAttributes()),
	}
	isID := func(dst, field []byte) bool { return copyID(dst, field) == nil }
	ok := isID(out.TraceID[:], s.GetTraceId()) && isID(out.SpanID[:], s.GetSpanId()) && out.TraceID != [16]byte{} && out.SpanID != [8]byte{} &&
		(len(s.GetParentSpanId()) == 0 || isID(out.ParentSpanID[:], s.GetParentSpanId()))
	for _, e := range s.GetEvents() {
		out.Events = append(out.Events, convert.Event{Name: e.GetName(), Time: instant(e.GetTimeUnixNano()), Attributes: pairsOf(e.GetAttributes())})
	}
	for _, l := range s.GetLinks() {
		link := convert.Link{Attributes: pairsOf(l.GetAttributes())}
		if isID(link.TraceID[:], l.GetTraceId()) && isID(link.SpanID[:], l.GetSpanId()) {
			out.Links = append(out.Links, link)
		}
	}
	return out, ok
}

func pairsOf(list []*commonpb.KeyValue) (out []attribute.KeyValue) {
	for _, kv := range list {
		out = append(out, pairOf(kv))
	}
	return out
}

func pairOf(kv *commonpb.KeyValue) attribute.KeyValue {
	return attribute.KeyValue{Key: attribute.Key(kv.GetKey()), Value: valueOf(kv.GetValue())}
}

func valueOf(v *commonpb.AnyValue) attribute.Value {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return attribute.StringValue(v.StringValue)
	case *commonpb.AnyValue_BoolValue:
		return attribute.BoolValue(v.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return attribute.Int64Value(v.IntValue)
	case *commonpb.AnyValue_DoubleValue:
		return attribute.Float64Value(v.DoubleValue)
	case *commonpb.AnyValue_BytesValue:
		return attribute.ByteSliceValue(v.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		list := []attribute.Value{}
		kinds := make(map[attribute.Type]bool)
		for _, e := range v.ArrayValue.GetValues() {
			value := valueOf(e)
			kinds[value.Type()] = true
			list = append(list, value)
		}
		if len(kinds) == 1 && kinds[attribute.INT64] {
			return attribute.Int64SliceValue(mapped(list, attribute.Value.AsInt64))
		}
		if len(kinds) == 1 && kinds[attribute.FLOAT64] {
			return attribute.Float64SliceValue(mapped(list, attribute.Value.AsFloat64))
		}
		return attribute.SliceValue(list...)
	case *commonpb.AnyValue_KvlistValue:
		return attribute.MapValue(pairsOf(v.KvlistValue.GetValues())...)
	}
	return attribute.Value{}
}

func mapped[T any](list []attribute.Value, f func(attribute.Value) T) (out []T) {
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}

// read walks a request twice, and wants the same both times.
func read(t testing.TB, r *Request) ([]convert.Span, error) {
	t.Helper()
	walk := func() ([]convert.Span, error) {
		var list []convert.Span
		err := r.Spans(func(s *convert.Span) error {
			kept := *s
			kept.Attributes = slices.Clone(kept.Attributes)
			kept.Links = slices.Clone(kept.Links)
			kept.Events = slices.Clone(kept.Events)
			for i := range kept.Events {
				kept.Events[i].Attributes = slices.Clone(kept.Events[i].Attributes)
			}
			for i := range kept.Links {
				kept.Links[i].Attributes = slices.Clone(kept.Links[i].Attributes)
			}
			list = append(list, kept)
			return nil
		})
		return list, err
	}
	first, err1 := walk()
	invalid, problem := r.Invalid, r.Problem
	second, err2 := walk()
	if invalid != r.Invalid || problem != r.Problem || (err1 == nil) != (err2 == nil) || !cmp.Equal(first, second, compare...) {
		t.Errorf("a second walk is another: %v, %v, %s", err1, err2, cmp.Diff(first, second, compare...))
	}
	return first, err1
}

var compare = []cmp.Option{cmpopts.EquateEmpty(), cmp.AllowUnexported(attribute.Value{}), cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b })}

// checkProto compares a message, encoded, with what the decoder makes of it.
func checkProto(t testing.TB, data *tracepb.TracesData) {
	t.Helper()
	body, err := proto.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	want, invalid := expected(data)
	r := Proto(body)
	got, err := read(t, r)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if diff := cmp.Diff(want, got, compare...); diff != "" || r.Invalid != invalid {
		t.Errorf("%d invalid, want %d: %s", r.Invalid, invalid, diff)
	}
}

// FuzzProto reads what the protobuf module reads in the same way, and anything
// at all within bounds.
func FuzzProto(f *testing.F) {
	for _, body := range seeds(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := Proto(body)
		list, err := read(t, r)
		harmless(t, list, err)
		// Fields that stand twice are merged by the module, and are none after it.
		data := new(tracepb.TracesData)
		if len(body) <= 2*maxList && (proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: MaxDepth - 10}).Unmarshal(body, data) == nil {
			checkProto(t, data)
		}
	})
}

// FuzzJSON reads what the protobuf module reads in the same way.
func FuzzJSON(f *testing.F) {
	for _, body := range seeds(f) {
		data := new(tracepb.TracesData)
		if proto.Unmarshal(body, data) == nil {
			f.Add(jsonOf(f, data))
		}
	}
	for _, text := range hostileJSON {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := JSON(body)
		list, err := read(t, r)
		harmless(t, list, err)
		data := new(tracepb.TracesData)
		if (protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: MaxDepth - 10}).Unmarshal(body, data) != nil || len(body) > 2*maxList {
			return
		}
		if err != nil {
			t.Fatalf("the module reads what is refused: %v", err)
		}
		hexIDs(data)
		want, invalid := expected(data)
		if diff := cmp.Diff(want, list, compare...); diff != "" || r.Invalid != invalid {
			t.Errorf("%d invalid (%s), want %d: %s", r.Invalid, r.Problem, invalid, diff)
		}
	})
}

// hexIDs turns the ids of a message, which the module took for base64, into what
// their digits say. Those that are none become too long.
func hexIDs(data *tracepb.TracesData) {
	fix := func(field *[]byte) {
		if len(*field) == 0 {
			return
		}
		b, err := hex.DecodeString(base64.StdEncoding.EncodeToString(*field))
		if err != nil {
			b = make([]byte, 100)
		}
		*field = b
	}
	for _, r := range data.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			for _, span := range s.GetSpans() {
				fix(&span.TraceId)
				fix(&span.SpanId)
				fix(&span.ParentSpanId)
				for _, l := range span.GetLinks() {
					fix(&l.TraceId)
					fix(&l.SpanId)
				}
			}
		}
	}
}

// harmless goes on as the server would, and wants errors that say what they are.
func harmless(t *testing.T, list []convert.Span, err error) {
	t.Helper()
	for i := range list {
		convert.Convert(&list[i])
	}
	_, isFormat := errors.AsType[*FormatError](err)
	_, isTooLarge := errors.AsType[*TooLargeError](err)
	if err != nil && !isFormat && !isTooLarge || err != nil && strings.ContainsRune(err.Error(), '\u00a0') {
		t.Errorf("%T %v", err, err)
	}
}

// FuzzLogs reads anything at all within bounds, the same each time, and ids as they
// are.
func FuzzLogs(f *testing.F) {
	for _, body := range seeds(f) {
		f.Add(body, false)
	}
	record := append(append(field(9, []byte("0123456789abcdef")), field(10, []byte("01234567"))...), field(12, []byte("gen_ai.choice"))...)
	body := field(5, field(6, field(1, append(field(1, []byte("content")), field(2, field(1, []byte("x")))...))))
	f.Add(field(1, field(2, field(2, append(record, body...)))), false)
	for _, text := range hostileJSON {
		f.Add([]byte(strings.NewReplacer("resourceSpans", "resourceLogs", "scopeSpans", "scopeLogs", "spans", "logRecords").Replace(text)), true)
	}
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"","timeUnixNano":"x","observedTimeUnixNano":1e18,"eventName":7,"attributes":[{"key":"event.name","value":{"stringValue":"gen_ai.x"}},{"key":"l","value":{"arrayValue":{"values":[{}]}}}],"body":{"kvlistValue":{"values":[{"key":"content","value":"x"}]}}}]}]}]}`), true)
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		l := ProtoLogs(body)
		if isJSON {
			l = JSONLogs(body)
		}
		walk := func() (list []string, err error) {
			err = l.Records(func(s *convert.Span) error {
				for _, kv := range s.Attributes {
					if kt := kv.Value.Type(); kt == attribute.MAP || kt == attribute.SLICE || kv.Key == eventName {
						t.Errorf("%s is a %v", kv.Key, kt)
					}
				}
				rec := convert.Convert(s)
				event := rec.Event()
				list = append(list, string(event.AppendJSON(nil)))
				return nil
			})
			return list, err
		}
		first, err := walk()
		faults := l.Faults
		second, _ := walk()
		harmless(t, nil, err)
		if faults != l.Faults || !slices.Equal(first, second) {
			t.Errorf("a second walk is another: %+v, %+v", faults, l.Faults)
		}
	})
}
