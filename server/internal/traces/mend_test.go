package traces

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

const good = `{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b8","name":"good"}`

// badSpan is a request with a span that has the fields, and a good one beside it.
func badSpan(fields string) string {
	return `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7",` + fields + `},` + good + `]}]}]}`
}

// TestMendedValues takes what is no value of its kind for what it says.
func TestMendedValues(t *testing.T) {
	list := attribute.SliceValue
	str := attribute.StringValue
	for value, want := range map[string]attribute.Value{
		`{"intValue":"12.5"}`:                 attribute.Float64Value(12.5),
		`{"intValue":12.5}`:                   attribute.Float64Value(12.5),
		`{"intValue":"99999999999999999999"}`: attribute.Float64Value(99999999999999999999),
		`{"intValue":true}`:                   attribute.BoolValue(true),
		`{"intValue":""}`:                     str(""),
		`{"intValue":"many"}`:                 str("many"),
		`{"intValue":{"low":1}}`:              str(`{"low":1}`),
		`{"intValue":[1]}`:                    str(`[1]`),
		`{"stringValue":5}`:                   str("5"),
		`{"stringValue":false}`:               str("false"),
		`{"stringValue":{"a":"b"}}`:           str(`{"a":"b"}`),
		`{"boolValue":"true"}`:                attribute.BoolValue(true),
		`{"boolValue":"yes"}`:                 str("yes"),
		`{"boolValue":1}`:                     attribute.Int64Value(1),
		`{"doubleValue":"x"}`:                 str("x"),
		`{"doubleValue":"0x1p4"}`:             str("0x1p4"),
		`{"doubleValue":1e999}`:               str("1e999"),
		`{"doubleValue":[]}`:                  str("[]"),
		`{"bytesValue":"***"}`:                str("***"),
		`{"bytesValue":7}`:                    attribute.Int64Value(7),
		`{"arrayValue":{"values":7}}`:         str(`{"values":7}`),
		`{"arrayValue":[{"intValue":1}]}`:     str(`[{"intValue":1}]`),
		`{"kvlistValue":{"values":{}}}`:       str(`{"values":{}}`),
		`{"kvlistValue":"x"}`:                 str("x"),
		`{"intValue":1,"stringValue":"x"}`:    str("x"),
		`"x"`:                                 str("x"),
		`7`:                                   attribute.Int64Value(7),
		`7.5`:                                 attribute.Float64Value(7.5),
		`true`:                                attribute.BoolValue(true),
		`[1]`:                                 str("[1]"),
		`{"doubleValue":NaN}`:                 attribute.Float64Value(math.NaN()),
		`{"intValue":Infinity}`:               str("Infinity"),
		`{"intValue":0x1}`:                    str("0x1"),
		"{\"stringValue\":\"a\nb\tc\x01\"}":   str("a\nb\tc\ufffd"),
		`{"stringValue":"\x41\u12"}`:          str(`\x41\u12`),
		`{"stringValue":"cake \ud83c"}`:       str("cake \ufffd"),
		"{\"stringValue\":\"cake \xf0\x9f\"}": str("cake \ufffd"),
		`{"arrayValue":{"values":[{"intValue":1},{"intValue":"x"},null,{"intValue":2}]}}`: list(attribute.Int64Value(1), str("x"), attribute.Value{}, attribute.Int64Value(2)),
		`{"arrayValue":{"values":["a",1,{"intValue":"1.5"}]}}`:                            list(str("a"), attribute.Int64Value(1), attribute.Float64Value(1.5)),
		`{"arrayValue":{"values":[{"doubleValue":1},{"doubleValue":"x"}]}}`:               list(attribute.Float64Value(1), str("x")),
		`{"kvlistValue":{"values":[{"key":1,"value":{"intValue":"x"}},7,null]}}`: attribute.MapValue(
			attribute.KeyValue{Key: "1", Value: str("x")}, attribute.KeyValue{Value: attribute.Int64Value(7)}),
		`null`: {}, `{}`: {}, `{"intValue":null}`: {}, `{"arrayValue":{"values":null}}`: list(), `{"future":1}`: {},
	} {
		r := JSON([]byte(badSpan(`"name":"bad","attributes":[{"key":"k","value":` + value + `}]`)))
		got, err := read(t, r)
		if err != nil || len(got) != 2 || r.Invalid != 0 {
			t.Errorf("%s: %v, %d spans, %+v", value, err, len(got), r)
			continue
		}
		if diff := cmp.Diff([]attribute.KeyValue{{Key: "k", Value: want}}, got[0].Attributes, compare...); diff != "" {
			t.Errorf("%s: %s", value, diff)
		}
		isMended := r.Mended > 0 && strings.Contains(r.Mend, ": ")
		if fine := want.Type() == attribute.EMPTY || strings.Contains(value, `"values":null`) || strings.Contains(value, "cake"); isMended == fine {
			t.Errorf("%s: %d mended, %q", value, r.Mended, r.Mend)
		}
	}
}

// TestMendedFields takes a span without the field that is none.
func TestMendedFields(t *testing.T) {
	at := time.Unix(1712025501, 605000000)
	named := func(change func(*convert.Span)) convert.Span {
		s := convert.Span{Name: "bad", Start: at}
		change(&s)
		return s
	}
	kept := func(field, raw string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("original_"+field, raw)}
	}
	for fields, want := range map[string]convert.Span{
		`"name":5`:               named(func(s *convert.Span) { s.Name = "5" }),
		`"name":null`:            named(func(*convert.Span) {}),
		`"name":"a","name":"b"`:  named(func(s *convert.Span) { s.Name = "b" }),
		`"startTimeUnixNano":""`: named(func(s *convert.Span) { s.Start = time.Time{} }),
		`"startTimeUnixNano":"-5"`: named(func(s *convert.Span) {
			s.Start, s.Attributes = time.Time{}, kept("start_time", `"-5"`)
		}),
		`"startTimeUnixNano":"yesterday"`: named(func(s *convert.Span) {
			s.Start, s.Attributes = time.Time{}, kept("start_time", `"yesterday"`)
		}),
		`"startTimeUnixNano":["1"]`: named(func(s *convert.Span) {
			s.Start, s.Attributes = time.Time{}, kept("start_time", `["1"]`)
		}),
		`"startTimeUnixNano":"2024-04-02T02:38:21.605Z"`:           named(func(*convert.Span) {}),
		`"startTimeUnixNano":"1712025501605000000.5"`:              named(func(s *convert.Span) { s.Start = time.Unix(0, 1712025501604999936) }),
		`"startTimeUnixNano":{"low":2071281984,"high":398613632}`:  named(func(s *convert.Span) { s.Start = time.Unix(0, 398613632<<32|2071281984) }),
		`"startTimeUnixNano":{"low":-2071281984,"high":398613632}`: named(func(s *convert.Span) { s.Start = time.Unix(0, 398613632<<32|(1<<32-2071281984)) }),
		`"endTimeUnixNano":null`:                                   named(func(*convert.Span) {}),
		`"attributes":{"a":"b"}`:                                   named(func(s *convert.Span) { s.Attributes = kept("attributes", `{"a":"b"}`) }),
		`"attributes":[null,7,{"key":"a","value":{"intValue":1}}]`: named(func(s *convert.Span) { s.Attributes = append(kept("attributes", "7"), attribute.Int64("a", 1)) }),
		`"events":7`: named(func(s *convert.Span) { s.Attributes = kept("events", "7") }),
		`"events":[null,7,{"name":7,"timeUnixNano":"x"}]`:  named(func(s *convert.Span) { s.Events = []convert.Event{{Name: "7", Attributes: kept("time", `"x"`)}} }),
		`"events":[{"name":"e","attributes":7}]`:           named(func(s *convert.Span) { s.Events = []convert.Event{{Name: "e", Attributes: kept("attributes", "7")}} }),
		`"links":[{"traceId":"zz","spanId":"1"},"x",null]`: named(func(*convert.Span) {}),
		`"links":"x"`:                                                named(func(s *convert.Span) { s.Attributes = kept("links", `"x"`) }),
		`"status":"ERROR"`:                                           named(func(s *convert.Span) { s.Attributes = kept("status", `"ERROR"`) }),
		`"status":{"code":"ERROR","message":7}`:                      named(func(s *convert.Span) { s.Failed, s.Status = true, "7" }),
		`"status":{"code":"STATUS_CODE_ERROR"}`:                      named(func(s *convert.Span) { s.Failed = true }),
		`"status":{"code":[]}`:                                       named(func(s *convert.Span) { s.Attributes = kept("status", `{"code":[]}`) }),
		`"kind":"client","flags":-1,"droppedAttributesCount":[]`:     named(func(*convert.Span) {}),
		`"traceState":null,"events":null,"links":null,"status":null`: named(func(*convert.Span) {}),
	} {
		r := JSON([]byte(badSpan(`"name":"bad","startTimeUnixNano":"1712025501605000000",` + fields)))
		got, err := read(t, r)
		if err != nil || len(got) != 2 || r.Invalid != 0 {
			t.Errorf("%s: %v, %d spans, %+v", fields, err, len(got), r)
			continue
		}
		want.TraceID, want.SpanID = got[0].TraceID, got[0].SpanID
		if diff := cmp.Diff(want, got[0], compare...); diff != "" {
			t.Errorf("%s: %s", fields, diff)
		}
	}
}

// TestMendedProto takes what is malformed inside of a span for as much as was read.
func TestMendedProto(t *testing.T) {
	pair := func(v string) []byte { return field(9, append(field(1, []byte("k")), field(2, []byte(v))...)) }
	for name, c := range map[string]struct {
		fields []byte
		want   []attribute.KeyValue
		mended int
	}{
		"text":      {pair("\x0a\x04caf\xc3"), []attribute.KeyValue{attribute.String("k", "caf\ufffd")}, 0},
		"key":       {field(9, append(field(1, []byte("k\xff")), field(2, []byte("\x18\x05"))...)), []attribute.KeyValue{attribute.Int64("k\ufffd", 5)}, 0},
		"value":     {pair("\x18\x05\x0a\x04caf"), []attribute.KeyValue{attribute.Int64("k", 5)}, 1},
		"list":      {pair("\x2a\x06\x0a\x02\x18\x01\x0a\x09"), []attribute.KeyValue{{Key: "k", Value: attribute.SliceValue(attribute.Int64Value(1))}}, 1},
		"map":       {pair("\x32\x02\x0a\x09"), []attribute.KeyValue{{Key: "k", Value: attribute.MapValue()}}, 1},
		"attribute": {field(9, []byte("\x0a\x01k\x12\x09")), []attribute.KeyValue{{Key: "k"}}, 1},
		"event":     {field(11, []byte("\x12\x09")), nil, 1},
		"link":      {field(13, []byte("\x0a\x03abc")), nil, 1},
		"status":    {field(15, []byte("\x12\x09")), nil, 1},
		"kinds":     {[]byte("\x28\x05\x39\x01\x02\x03\x04\x05\x06\x07\x08\x48\x01"), nil, 0}, // a name, and attributes, that are numbers
	} {
		bad := append(append(append([]byte{}, ids...), c.fields...), field(5, []byte("bad\xff"))...)
		r := Proto(withSpans(bad, append(field(5, []byte("good")), ids...)))
		got, err := read(t, r)
		if err != nil || len(got) != 2 || got[0].Name != "bad\ufffd" || r.Invalid != 0 || r.Mended != c.mended {
			t.Errorf("%s: %v, %d spans, %+v", name, err, len(got), r)
			continue
		}
		if diff := cmp.Diff(c.want, got[0].Attributes, compare...); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// generated returns a good request with spans of several resources and scopes.
func generated(r *rand.Rand) *tracepb.TracesData {
	data := new(tracepb.TracesData)
	n := byte(0)
	for i := range 1 + r.IntN(3) {
		resource := &tracepb.ResourceSpans{Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{pair("service.name", text(fmt.Sprint("service ", i)))}}}
		for range 1 + r.IntN(2) {
			scope := &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: "s"}}
			for range 1 + r.IntN(3) {
				n++
				span := &tracepb.Span{
					TraceId: []byte{15: 1 + n%2}, SpanId: []byte{7: n}, ParentSpanId: []byte{7: n/2 + 100}, Name: "span", StartTimeUnixNano: 1712025501605000000, EndTimeUnixNano: 1712025501606000000,
					Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "no"},
					Events: []*tracepb.Span_Event{{Name: "e", TimeUnixNano: 1712025501605500000, Attributes: []*commonpb.KeyValue{pair("x", text("y"))}}},
					Links:  []*tracepb.Span_Link{{TraceId: []byte{15: 9}, SpanId: []byte{7: 9}}},
				}
				for _, kv := range []*commonpb.KeyValue{
					pair("gen_ai.operation.name", text("chat")), pair("gen_ai.usage.input_tokens", &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(n)}}),
					pair("input.value", text("question")), pair("temperature", &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 0.5}}),
					pair("list", array(text("a"), array(text("b")))), pair("flag", &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}),
					pair("bytes", &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{1, 2, 3}}}),
					pair("map", &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{pair("k", text("v"))}}}}),
				} {
					if r.IntN(3) > 0 {
						span.Attributes = append(span.Attributes, kv)
					}
				}
				scope.Spans = append(scope.Spans, span)
			}
			resource.ScopeSpans = append(resource.ScopeSpans, scope)
		}
		data.ResourceSpans = append(data.ResourceSpans, resource)
	}
	return data
}

// records are what spans become, by their ids.
func records(t *testing.T, r *Request) map[string]string {
	t.Helper()
	list, err := read(t, r)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for i := range list {
		rec := convert.Convert(&list[i])
		event := rec.Event()
		all[rec.EventID.String()] = string(event.AppendJSON(nil))
	}
	return all
}

// TestOneBadValue damages one value of a good request at random: the records of all
// other spans are what they were, in both encodings.
func TestOneBadValue(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := generated(r)
		body, err := proto.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		want := records(t, Proto(body))
		bad := r.IntN(len(want)) // the place of the span, in the order of all
		for name, damaged := range map[string]func() (*Request, string){
			"protobuf": func() (*Request, string) { b := damagedProto(r, body, bad); return Proto(b), fmt.Sprintf("%q", b) },
			"JSON":     func() (*Request, string) { b := damagedJSON(t, r, jsonOf(t, data), bad); return JSON(b), string(b) },
		} {
			request, shown := damaged()
			got := records(t, request)
			missing, changed := 0, 0
			for id, record := range want {
				switch other, ok := got[id]; {
				case !ok:
					missing++
				case other != record:
					changed++
				}
			}
			if missing+changed > 1 {
				t.Fatalf("%s, seed %d: %d records are missing and %d changed: %s", name, seed, missing, changed, shown)
			}
			isRenamed := missing == 1 && len(got) == len(want) // a damaged id is another one
			if missing != request.Invalid && !isRenamed {
				t.Fatalf("%s, seed %d: %d records are missing, %d said to be: %s", name, seed, missing, request.Invalid, shown)
			}
		}
	}
}

// badJSON are values that stand where another one should.
var badJSON = []string{
	`null`, `7`, `-1`, `1.5`, `1e999`, `""`, `"12.5"`, `"x"`, `"\ud83c"`, "\"\xff\"", "\"a\nb\"", `"\x"`, `true`, `{}`, `[]`, `[null]`, `{"a":{}}`, `[[7]]`, `NaN`, `-Infinity`, `undefined`, `00`,
	`{"values":7}`, `{"stringValue":7}`, `{"low":1,"high":-1}`, `"2024-04-01"`, strings.Repeat("[", 300) + strings.Repeat("]", 300), strings.Repeat(`{"a":[`, 6000) + strings.Repeat(`]}`, 6000),
}

// damagedJSON replaces a value inside of one span.
func damagedJSON(t *testing.T, r *rand.Rand, body []byte, bad int) []byte {
	t.Helper()
	return damagedTree(t, r, body, func(tree any) (of any) {
		n := 0
		list := func(v any, key string) []any { l, _ := v.(map[string]any)[key].([]any); return l }
		for _, resource := range list(tree, "resourceSpans") {
			for _, scope := range list(resource, "scopeSpans") {
				for _, span := range list(scope, "spans") {
					if n == bad {
						of = span
					}
					n++
				}
			}
		}
		return of
	})
}

// damagedTree replaces a value inside of what of returns.
func damagedTree(t *testing.T, r *rand.Rand, body []byte, of func(tree any) any) []byte {
	t.Helper()
	var tree any
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	var places []func() // each puts the mark at one place
	collect(of(tree), &places)
	places[r.IntN(len(places))]()
	out, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.Replace(string(out), `"`+mark+`"`, badJSON[r.IntN(len(badJSON))], 1))
}

// mark stands for the damaged value.
const mark = "the damaged value"

func collect(v any, places *[]func()) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			*places = append(*places, func() { v[key] = mark })
			collect(v[key], places)
		}
	case []any:
		for i := range v {
			*places = append(*places, func() { v[i] = mark })
			collect(v[i], places)
		}
	}
}

// damagedProto replaces what one field holds inside of one span, or its type. The
// messages around it say how long they are.
func damagedProto(r *rand.Rand, body []byte, bad int) []byte {
	n := -1
	return rewritten(body, 0, func(b []byte) []byte {
		if n++; n != bad {
			return b
		}
		return damagedMessage(r, b)
	})
}

// rewritten walks to the spans of a request, which are three messages deep.
func rewritten(b []byte, depth int, span func([]byte) []byte) []byte {
	if depth == 3 {
		return span(b)
	}
	number := protowire.Number(2)
	if depth == 0 {
		number = 1
	}
	var out []byte
	for f := (fields{rest: b}); f.next(); {
		content := f.bytes
		if f.message(number) {
			content = rewritten(content, depth+1, span)
		}
		out = protowire.AppendBytes(protowire.AppendTag(out, f.number, protowire.BytesType), content)
	}
	return out
}

// damagedMessage changes one field of a message, or of a message inside.
func damagedMessage(r *rand.Rand, b []byte) []byte {
	var starts, ends []int
	f := fields{rest: b}
	for at := 0; f.next(); at = len(b) - len(f.rest) {
		starts, ends = append(starts, at), append(ends, len(b)-len(f.rest))
	}
	if len(starts) == 0 || f.err != nil {
		return append([]byte{}, "\xff\xfe"...)
	}
	i := r.IntN(len(starts))
	one := fields{rest: b[starts[i]:ends[i]]}
	one.next()
	out := append([]byte{}, b[:starts[i]]...)
	junk := [][]byte{nil, {0xff}, {0x0a}, {0x0a, 0x7f}, []byte("x"), []byte("caf\xc3"), {0x08}, {0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, make([]byte, 40)}
	switch n := r.IntN(8); {
	case n < 4 && one.kind == protowire.BytesType && len(one.bytes) > 0:
		out = protowire.AppendBytes(protowire.AppendTag(out, one.number, protowire.BytesType), damagedMessage(r, one.bytes))
	case n == 4:
		out = protowire.AppendVarint(protowire.AppendTag(out, one.number, protowire.VarintType), r.Uint64())
	case n == 5:
		out = protowire.AppendFixed64(protowire.AppendTag(out, one.number, protowire.Fixed64Type), r.Uint64())
	default:
		out = protowire.AppendBytes(protowire.AppendTag(out, one.number, protowire.BytesType), junk[r.IntN(len(junk))])
	}
	return append(out, b[ends[i]:]...)
}

// TestOneBadResource damages one value of a resource at random: all spans are there, and
// the records of those of other resources are what they were.
func TestOneBadResource(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 2))
		data := generated(r)
		bad := r.IntN(len(data.GetResourceSpans()))
		ofBad := make(map[string]bool) // the events of its spans
		for _, scope := range data.GetResourceSpans()[bad].GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				ofBad[honeyhive.EventID([16]byte(span.GetTraceId()), [8]byte(span.GetSpanId())).String()] = true
			}
		}
		body, err := proto.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		want := records(t, Proto(body))
		for name, damaged := range map[string]func() (*Request, string){
			"protobuf": func() (*Request, string) {
				n := -1
				var b []byte
				for f := (fields{rest: body}); f.next(); {
					content := f.bytes
					if n++; n == bad {
						resource := fields{rest: content}
						resource.next() // it stands first
						content = append(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), damagedMessage(r, resource.bytes)), resource.rest...)
					}
					b = protowire.AppendBytes(protowire.AppendTag(b, f.number, protowire.BytesType), content)
				}
				return Proto(b), fmt.Sprintf("%q", b)
			},
			"JSON": func() (*Request, string) {
				b := damagedTree(t, r, jsonOf(t, data), func(tree any) any {
					return tree.(map[string]any)["resourceSpans"].([]any)[bad].(map[string]any)["resource"]
				})
				return JSON(b), string(b)
			},
		} {
			request, shown := damaged()
			got := records(t, request)
			if len(got) != len(want) || request.Invalid != 0 {
				t.Fatalf("%s, seed %d: %d records of %d, %d spans rejected: %s", name, seed, len(got), len(want), request.Invalid, shown)
			}
			for id, record := range want {
				if !ofBad[id] && got[id] != record {
					t.Fatalf("%s, seed %d: %s became %s: %s", name, seed, record, got[id], shown)
				}
			}
		}
	}
}
