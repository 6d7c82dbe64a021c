package traces

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/server/internal/brief"
	"github.com/sessionspan/sessionspan/store"
)

// hostileJSON are texts that once were, or might be, read wrongly.
var hostileJSON = []string{
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf9"}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{},{},{}]},{},{}]},{},{"resource":{"attributes":[{},{}]}}]}`,
	`{"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","name":"a\"\\\u0041\ud800","events":[{},{"name":"e","attributes":[{}]}],"links":[{},{"traceId":"00000000000000000000000000000000","spanId":"0000000000000000"}],"status":{"code":"STATUS_CODE_ERROR"},"attributes":[{"key":"k","value":{"arrayValue":{"values":[{},{"intValue":"1"},{"doubleValue":1}]}}},{"value":{"arrayValue":{"values":[{"intValue":1},{"intValue":"2"}]}}},{"key":"d","value":{"arrayValue":{"values":[{"doubleValue":"NaN"},{"doubleValue":1e3}]}}},{"key":"m","value":{"kvlistValue":{"values":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b"}]}}},{"key":"c"}]}}},{"key":"b","value":{"bytesValue":"AQI_"}},{"key":"n","value":null}]}]}],"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]}}]}`,
	`{"resourceSpans":null,"a":[[[]]],"b":{"c":"\""}}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":1e18,"endTimeUnixNano":"1e18","kind":"SPAN_KIND_CLIENT","flags":1}]}]}]}`,
}

// seeds are bodies in protobuf of each kind that may harm.
func seeds(t testing.TB) [][]byte {
	data, _ := example()
	body, err := proto.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	many := func(number byte, inside ...byte) []byte {
		b := []byte(strings.Repeat(string([]byte{number<<3 | 2, 0}), 50))
		for _, n := range inside {
			b = field(n, b)
		}
		return b
	}
	span := []byte{2, 2, 1}
	return [][]byte{
		body, deepProto(5, "x"), deepProto(60, "x"), many(1), many(2, 1), many(2, 2, 1), many(9, span...), many(11, span...), many(13, span...), many(15, span...),
		many(1, append([]byte{5, 2, 9}, span...)...), many(1, append([]byte{6, 2, 9}, span...)...), many(3, append([]byte{11}, span...)...), many(1, 1, 1),
		withSpans(append(append([]byte{}, ids...), field(9, append(field(1, []byte("gen_ai.input.messages")), field(2, field(1, []byte(`[{"role":"user","parts":[{},0,"\"]"]}]`)))...))...)),
		withSpans(append(append([]byte{}, ids...), field(9, append(field(1, []byte("l")), field(2, field(5, []byte(strings.Repeat("\x0a\x02\x0a\x00", maxList+1))))...))...)),
		withSpans(append(append([]byte{}, ids...), field(9, append(field(1, []byte("honeyhive.session_id")), field(2, field(1, []byte(strings.Repeat("\x01é", 100))))...))...), ids),
		[]byte("\x0b\x0b\x0c\x0c"), []byte("\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
	}
}

// withSpans is a request with the fields of spans.
func withSpans(spans ...[]byte) []byte {
	var all []byte
	for _, s := range spans {
		all = append(all, field(2, s)...)
	}
	return field(1, field(2, all))
}

// ids are the fields of valid ids.
var ids = append(field(1, []byte("0123456789abcdef")), field(2, []byte("01234567"))...)

// TestTooMuch refuses a request as a whole where it holds too much.
func TestTooMuch(t *testing.T) {
	empties := func(number byte, n int) []byte { return []byte(strings.Repeat(string([]byte{number<<3 | 2, 0}), n)) }
	spans := maxWork/spanWork + 1
	for name, r := range map[string]*Request{
		"spans":     Proto(field(1, field(2, empties(2, spans)))),
		"resources": Proto(empties(1, maxWork+1)),
		"scopes":    Proto(field(1, empties(2, maxWork+1))),
	} {
		if _, err := read(t, r); err == nil || !strings.Contains(err.Error(), "send fewer spans at once") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := read(t, JSON([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[`+strings.Repeat("{},", spans)+`{}]}]}]}`))); err == nil || !strings.Contains(err.Error(), "send fewer spans at once") {
		t.Errorf("JSON: %v", err)
	}
}

// TestLargeSpans leaves out the span that holds too much, and keeps the next one.
func TestLargeSpans(t *testing.T) {
	const n = maxParts + 1
	good := append(field(5, []byte("good")), ids...)
	value := func(v []byte) []byte { return field(9, append(field(1, []byte("k")), field(2, v)...)) }
	text := func(s string) []byte { return value(field(1, []byte(s))) }
	empties := func(number byte) []byte { return []byte(strings.Repeat(string([]byte{number<<3 | 2, 0}), n)) }
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"attributes":  {empties(9), errParts.Error()},
		"events":      {empties(11), errParts.Error()},
		"links":       {empties(13), errParts.Error()},
		"list":        {value(field(5, empties(1))), errParts.Error()},
		"map":         {value(field(6, empties(1))), errParts.Error()},
		"of an event": {field(11, empties(3)), errParts.Error()},
		"of a link":   {field(13, empties(4)), errParts.Error()},
		"integers":    {value(field(5, []byte(strings.Repeat("\x0a\x02\x18\x01", numbersPart*n)))), errParts.Error()},
		"JSON list":   {text("[" + strings.Repeat("0,", n) + "0]"), errParts.Error()},
		"JSON lists":  {text(" {\"a\":[" + strings.Repeat("[]", n)), errParts.Error()},
		"controls":    {text(strings.Repeat("\x01", 1<<20)), errControl.Error()},
		"name":        {field(5, []byte(strings.Repeat("\x01", 1<<20))), errControl.Error()},
		"large":       {text(strings.Repeat("x", store.MaxRecordBytes)), errRecord.Error()},
		"bytes":       {value(field(7, make([]byte, store.MaxRecordBytes-store.MaxRecordBytes/8))), errRecord.Error()},
		"separators":  {text(strings.Repeat("\u2028", store.MaxRecordBytes/5)), errRecord.Error()},
		"status":      {field(15, field(2, []byte(strings.Repeat("\x01", 1<<20)))), errControl.Error()},
	} {
		r := Proto(withSpans(append(append([]byte{}, ids...), c.body...), good))
		got, err := read(t, r)
		if err != nil || len(got) != 1 || got[0].Name != "good" || r.Invalid != 1 || !strings.Contains(r.Problem, c.want) {
			t.Errorf("%s: %v, %d spans, %q", name, err, len(got), r.Problem)
		}
	}
	r := JSON([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"bad","attributes":[` + strings.Repeat("{},", n) + `{}]},
		{"name":"good","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7"}]}]}]}`))
	if got, err := read(t, r); err != nil || len(got) != 1 || got[0].Name != "good" || r.Problem != `span "bad": `+errParts.Error() {
		t.Errorf("JSON: %v, %d spans, %q", err, len(got), r.Problem)
	}
}

// TestLongLists are text where they would make a type that stays for ever, and
// say the same.
func TestLongLists(t *testing.T) {
	var list, pairs []byte
	var want, wantMap []string
	for i := range maxList + 1 {
		s := fmt.Sprintf("v\"%d", i)
		list = append(list, field(1, field(1, []byte(s)))...)
		pairs = append(pairs, field(1, append(field(1, []byte(s)), field(2, []byte("\x18\x05"))...))...)
		want, wantMap = append(want, fmt.Sprintf("%q", s)), append(wantMap, fmt.Sprintf("%q:5", s))
	}
	value := func(key string, v []byte) []byte { return field(9, append(field(1, []byte(key)), field(2, v)...)) }
	body := append(append([]byte{}, ids...), value("list", field(5, list))...)
	got, err := read(t, Proto(withSpans(append(body, value("map", field(6, pairs))...))))
	if err != nil {
		t.Fatal(err)
	}
	if text := got[0].Attributes[0].Value.AsString(); text != "["+strings.Join(want, ",")+"]" {
		t.Errorf("%.100s", text)
	}
	if text := got[0].Attributes[1].Value.AsString(); text != "{"+strings.Join(wantMap, ",")+"}" {
		t.Errorf("%.100s", text)
	}
}

// TestElements counts what JSON becomes when it is taken apart.
func TestElements(t *testing.T) {
	for text, want := range map[string]int{
		`[]`: 1, `[1]`: 1, `[1,2]`: 2, `{"a":[{},{}]}`: 5, `["a,b,[{","\",",",\\"]`: 3, `["\\\",`: 1, `"`: 0, ``: 0, `{"a`: 1,
	} {
		if got := elements(text, 100); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
	if got := elements(strings.Repeat(",", 100), 10); got != 10 {
		t.Errorf("it goes on to %d", got)
	}
}

// TestLongNames cuts what names something, and no content.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("é", brief.MaxName)
	pair := func(key, value string) []byte {
		return field(9, append(field(1, []byte(key)), field(2, field(1, []byte(value)))...))
	}
	body := append(append(append([]byte{}, ids...), field(5, []byte(long))...), field(11, field(2, []byte(long)))...)
	for _, key := range []string{"honeyhive.project", "gen_ai.conversation.id", "honeyhive_inputs", "honeyhive_inputs.question", "honeyhive_error", "app.text"} {
		body = append(body, pair(key, long)...)
	}
	bad := append(append([]byte{}, ids...), pair(long, "x")...)
	resource := field(1, append(field(1, []byte("service.name")), field(2, field(1, []byte(long)))...))
	r := Proto(field(1, append(field(1, resource), field(2, append(field(2, body), field(2, bad)...))...)))
	got, err := read(t, r)
	if err != nil || len(got) != 1 || r.Invalid != 1 || !strings.Contains(r.Problem, errName.Error()) {
		t.Fatalf("%v, %d spans, %q", err, len(got), r.Problem)
	}
	isCut := func(what, s string, want bool) {
		t.Helper()
		if cut := len(s) < len(long) && strings.HasSuffix(s, "é…"); cut != want || !cut && s != long {
			t.Errorf("%s has %d bytes", what, len(s))
		}
	}
	isCut("the name", got[0].Name, true)
	isCut("the name of an event", got[0].Events[0].Name, true)
	isCut("the project", got[0].Project, true)
	for i, kv := range got[0].Attributes {
		isCut(string(kv.Key), kv.Value.AsString(), i < 2)
	}
}
