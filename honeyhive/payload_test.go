package honeyhive_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
)

func compacted(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestSeed reads the example of the contract in both spellings and writes it
// in both, to the byte.
func TestSeed(t *testing.T) {
	snake, camel := compacted(t, "testdata/seed.json"), compacted(t, "testdata/seed.camel.json")
	for _, in := range []string{snake, camel} {
		var r honeyhive.SessionStartRequest
		if err := json.Unmarshal([]byte(in), &r); err != nil {
			t.Fatal(err)
		}
		if got := string(r.AppendJSON(nil)); got != snake {
			t.Error(cmp.Diff(snake, got))
		}
		got, err := r.MarshalCamelJSON()
		if err != nil || string(got) != camel {
			t.Error(err, cmp.Diff(camel, string(got)))
		}
		if !r.Error.IsNull() || r.Metrics.IsZero() || !r.Config.IsZero() {
			t.Error("null, empty and absent are mixed up")
		}
		if err := r.Validate(); err == nil || err.Error() != "error: is null" {
			t.Errorf("Validate = %v; the API refuses the example's error: null and nothing else", err)
		}
		r.Error = honeyhive.Optional[string]{}
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// payload is what the three payload types share.
type payload interface {
	json.Unmarshaler
	AppendJSON([]byte) []byte
	Validate() error
}

// fieldCases lists, for each field of a payload, values as they stand in JSON:
// those that must survive and those that must be refused by their type.
func fieldCases(field string) (kept, refused []string) {
	switch field {
	case "config", "inputs", "outputs", "user_properties", "metrics", "feedback", "metadata", "evaluations":
		return []string{`{}`, `{"b":9007199254740993,"A_b":{"aB":null},"a":[{"x":1.50}]}`}, []string{`[]`, `"{}"`, `1`, `true`}
	case "children_ids":
		return []string{`[]`, `["7f22137a-6911-4ed3-bc36-110f1dde6b66"]`}, []string{`{}`, `"7f22137a-6911-4ed3-bc36-110f1dde6b66"`, `[1]`, `[null]`}
	case "duration", "start_time", "end_time":
		return []string{`0`, `1712025501605`, `-3`, `824.8056`}, []string{`"824"`, `true`, `1e999`, `{}`}
	}
	return []string{`""`, `"7f22137a-6911-4ed3-bc36-110f1dde6b66"`, `"model"`, `"a\"\n<é\u2028"`}, []string{`1`, `false`, `{}`, `["x"]`}
}

var (
	sessionKeys = []string{
		"project", "session_name", "source", "session_id", "children_ids", "config", "inputs", "outputs", "error", "duration",
		"user_properties", "metrics", "feedback", "metadata", "start_time", "end_time", "evaluations",
	}
	eventKeys = []string{
		"event_id", "session_id", "parent_id", "event_name", "event_type", "children_ids", "project", "source", "config", "inputs", "outputs", "error",
		"duration", "start_time", "end_time", "metadata", "metrics", "feedback", "user_properties", "evaluations",
	}
	updateKeys = []string{
		"event_id", "children_ids", "config", "outputs", "duration", "end_time", "metadata", "metrics", "feedback", "user_properties",
	}
)

func payloads() map[string]struct {
	make func() payload
	keys []string
} {
	return map[string]struct {
		make func() payload
		keys []string
	}{
		"session": {func() payload { return new(honeyhive.SessionStartRequest) }, sessionKeys},
		"event":   {func() payload { return new(honeyhive.Event) }, eventKeys},
		"update":  {func() payload { return new(honeyhive.Update) }, updateKeys},
	}
}

// camelCase spells a field of the contract as the TypeScript client does.
func camelCase(s string) string {
	parts := strings.Split(s, "_")
	for i, p := range parts[1:] {
		parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
	}
	return strings.Join(parts, "")
}

// TestEachField reads and writes each field alone: absent, null, empty, full,
// in both spellings, and of a wrong type.
func TestEachField(t *testing.T) {
	for kind, p := range payloads() {
		empty := p.make()
		if err := empty.UnmarshalJSON([]byte("{}")); err != nil || string(empty.AppendJSON(nil)) != "{}" {
			t.Errorf("%s: absent fields came back as %s, %v", kind, empty.AppendJSON(nil), err)
		}
		for _, field := range p.keys {
			kept, refused := fieldCases(field)
			for _, value := range append(kept, "null") {
				want := `{"` + field + `":` + value + `}`
				for _, in := range []string{want, `{"` + camelCase(field) + `": ` + value + ` }`} {
					v := p.make()
					if err := v.UnmarshalJSON([]byte(in)); err != nil {
						t.Errorf("%s %s: %v", kind, in, err)
					}
					if got := string(v.AppendJSON(nil)); got != strings.ReplaceAll(want, "\u2028", `\u2028`) {
						t.Errorf("%s %s came back as %s", kind, in, got)
					}
				}
			}
			for _, value := range refused {
				v := p.make()
				in := `{"` + field + `":` + value + `,"zzz":1}`
				err := v.UnmarshalJSON([]byte(in))
				var fe *honeyhive.FieldError
				if !errors.As(err, &fe) || fe.Field != field {
					t.Errorf("%s %s: error %v", kind, in, err)
				}
				if got := string(v.AppendJSON(nil)); got != `{"zzz":1}` {
					t.Errorf("%s %s: the neighbour is lost: %s", kind, in, got)
				}
			}
			v := p.make()
			twice := `{"` + field + `":null,"` + camelCase(field) + `":null}`
			if err := v.UnmarshalJSON([]byte(twice)); err == nil || !strings.Contains(err.Error(), field+": stands more than once") {
				t.Errorf("%s %s: error %v", kind, twice, err)
			}
		}
	}
}

func TestUnknownFieldsAreKept(t *testing.T) {
	const in = `{"zeta":{"b":1,"a":null},"project":"p","alpha":[9007199254740993],"sessionName":"n","session_nam":"?"}`
	var r honeyhive.SessionStartRequest
	if err := json.Unmarshal([]byte(in), &r); err != nil {
		t.Fatal(err)
	}
	want := `{"project":"p","session_name":"n","zeta":{"b":1,"a":null},"alpha":[9007199254740993],"session_nam":"?"}`
	if got, _ := json.Marshal(r); string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestUnmarshalReplaces(t *testing.T) {
	var r honeyhive.SessionStartRequest
	for _, in := range []string{`{"project":"a","metrics":{"x":1},"more":1}`, `{"source":"b"}`} {
		if err := r.UnmarshalJSON([]byte(in)); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(r.AppendJSON(nil)); got != `{"source":"b"}` {
		t.Errorf("fields of the first payload are left: %s", got)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	for kind, p := range payloads() {
		for _, in := range []string{``, `null`, `[]`, `"x"`, `{`, `{"project":}`, `{} {}`} {
			if err := p.make().UnmarshalJSON([]byte(in)); err == nil {
				t.Errorf("%s: no error for %q", kind, in)
			}
		}
	}
}

// TestValidateNamesAll breaks every field at once.
func TestValidateNamesAll(t *testing.T) {
	bad := honeyhive.SessionStartRequest{
		Project: honeyhive.Some(""), Source: honeyhive.Null[string](),
		SessionID: honeyhive.Some("00f067aa0ba902b7"), ChildrenIDs: honeyhive.Some([]string{"7f22137a-6911-4ed3-bc36-110f1dde6b66", "x"}),
		Config: honeyhive.NullObject(), Inputs: honeyhive.NullObject(), Outputs: honeyhive.NullObject(), Error: honeyhive.Null[string](),
		Duration: honeyhive.Some(math.NaN()), UserProperties: honeyhive.NullObject(), Metrics: honeyhive.NullObject(), Feedback: honeyhive.NullObject(),
		Metadata: honeyhive.NullObject(), StartTime: honeyhive.Some(math.Inf(1)), EndTime: honeyhive.Some(1.5), Evaluations: honeyhive.NullObject(),
	}
	if got := namedFields(bad.Validate()); !slices.Equal(got, sessionKeys) {
		t.Errorf("named %q, want all of %q", got, sessionKeys)
	}
	event := honeyhive.Event{EventType: honeyhive.Some("agent"), ParentID: honeyhive.Some(""), Error: honeyhive.Null[string]()}
	if got := namedFields(event.Validate()); !slices.Equal(got, []string{"parent_id", "event_type", "inputs"}) {
		t.Errorf("event: named %q", got)
	}
	var update honeyhive.Update
	if got := namedFields(update.Validate()); !slices.Equal(got, []string{"event_id"}) {
		t.Errorf("update: named %q", got)
	}
	good := honeyhive.SessionStartRequest{
		Project: honeyhive.Some("p"), SessionName: honeyhive.Some("n"), Source: honeyhive.Some("s"),
		ChildrenIDs: honeyhive.Some([]string{}), Error: honeyhive.Some(""), Duration: honeyhive.Some(-1.5), StartTime: honeyhive.Some(2.5), EndTime: honeyhive.Some(1.0),
	}
	if err := good.Validate(); err != nil {
		t.Errorf("what the API accepts is refused: %v", err)
	}
}

func namedFields(err error) []string {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return nil
	}
	var names []string
	for _, e := range joined.Unwrap() {
		if fe, ok := errors.AsType[*honeyhive.FieldError](e); ok {
			names = append(names, fe.Field)
		}
	}
	return names
}

func TestUpdateIsEmpty(t *testing.T) {
	u := honeyhive.Update{EventID: honeyhive.Some("x")}
	if !u.IsEmpty() {
		t.Error("an id alone changes nothing")
	}
	u.Feedback = honeyhive.EmptyObject()
	if u.IsEmpty() {
		t.Error("an empty map is something to send")
	}
}

// TestRoundTrip draws payloads with any mix of states and compares them after
// a way through JSON.
func TestRoundTrip(t *testing.T) {
	str := rapid.Custom(func(t *rapid.T) honeyhive.Optional[string] {
		return oneOf(t, honeyhive.Some(strings.ToValidUTF8(rapid.String().Draw(t, "s"), "?")))
	})
	num := rapid.Custom(func(t *rapid.T) honeyhive.Optional[float64] {
		return oneOf(t, honeyhive.Some(rapid.Float64().Draw(t, "f")))
	})
	obj := rapid.Custom(func(t *rapid.T) honeyhive.Object {
		o := honeyhive.EmptyObject()
		for _, k := range rapid.SliceOfNDistinct(rapid.String(), 0, 3, rapid.ID).Draw(t, "keys") {
			o, _ = o.With(strings.ToValidUTF8(k, "?"), rapid.Int64().Draw(t, "n"))
		}
		return rapid.SampledFrom([]honeyhive.Object{{}, honeyhive.NullObject(), o}).Draw(t, "object")
	})
	list := rapid.Custom(func(t *rapid.T) honeyhive.Optional[[]string] {
		return oneOf(t, honeyhive.Some(append([]string{}, rapid.SliceOfN(rapid.StringMatching("[a-f0-9-]{36}"), 0, 3).Draw(t, "ids")...)))
	})
	rapid.Check(t, func(t *rapid.T) {
		want := honeyhive.SessionStartRequest{
			Project: str.Draw(t, "project"), SessionName: str.Draw(t, "name"), Source: str.Draw(t, "source"), SessionID: str.Draw(t, "id"),
			ChildrenIDs: list.Draw(t, "children"), Config: obj.Draw(t, "config"), Inputs: obj.Draw(t, "inputs"), Outputs: obj.Draw(t, "outputs"),
			Error: str.Draw(t, "error"), Duration: num.Draw(t, "duration"), UserProperties: obj.Draw(t, "user"), Metrics: obj.Draw(t, "metrics"),
			Feedback: obj.Draw(t, "feedback"), Metadata: obj.Draw(t, "metadata"), StartTime: num.Draw(t, "start"), EndTime: num.Draw(t, "end"),
		}
		camel, _ := want.MarshalCamelJSON()
		for _, data := range [][]byte{want.AppendJSON(nil), camel} {
			if !json.Valid(data) {
				t.Fatalf("invalid JSON: %s", data)
			}
			var got honeyhive.SessionStartRequest
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func oneOf[T any](t *rapid.T, some honeyhive.Optional[T]) honeyhive.Optional[T] {
	switch rapid.IntRange(0, 2).Draw(t, "state") {
	case 0:
		return honeyhive.Optional[T]{}
	case 1:
		return honeyhive.Null[T]()
	}
	return some
}

func FuzzSessionStartRequest(f *testing.F) {
	for _, file := range []string{"testdata/seed.json", "testdata/seed.camel.json"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"project":1,"inputs":[],"children_ids":[null],"x":{"y":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r honeyhive.SessionStartRequest
		readErr := r.UnmarshalJSON(data)
		if readErr == nil && !json.Valid(data) {
			t.Fatalf("accepted %q", data)
		}
		_ = r.Validate()
		out := r.AppendJSON(nil)
		if !json.Valid(out) {
			t.Fatalf("%q became %q", data, out)
		}
		var again honeyhive.SessionStartRequest
		if err := again.UnmarshalJSON(out); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if d := cmp.Diff(r, again); d != "" {
			t.Fatal(d)
		}
	})
}

func BenchmarkSessionJSON(b *testing.B) {
	data, err := os.ReadFile("testdata/seed.json")
	if err != nil {
		b.Fatal(err)
	}
	var r honeyhive.SessionStartRequest
	if err := r.UnmarshalJSON(data); err != nil {
		b.Fatal(err)
	}
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst = r.AppendJSON(dst[:0])
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := json.Marshal(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestUnmarshalMembers reads what UnmarshalJSON does.
func TestUnmarshalMembers(t *testing.T) {
	for _, text := range []string{
		`{}`, `{"event_id":7,"event_id":"x"}`, `{"session_id":"","inputs":{"a":[1]},"outputs":null,"u":"\u00e9","startTime":5,"duration":"x"}`,
		`{"config":{"text":"` + strings.Repeat("x", 100<<10) + `"},"error":"` + strings.Repeat(`\"`, 50<<10) + `"}`,
	} {
		value, err := honeyhive.ParseValue(text)
		if err != nil {
			t.Fatal(err)
		}
		var e1, e2 honeyhive.Event
		var s1, s2 honeyhive.SessionStartRequest
		var u1, u2 honeyhive.Update
		for _, c := range []struct {
			json, members error
			same          bool
		}{
			{e1.UnmarshalJSON([]byte(text)), e2.UnmarshalMembers(value.Members()), bytes.Equal(e1.AppendJSON(nil), e2.AppendJSON(nil))},
			{s1.UnmarshalJSON([]byte(text)), s2.UnmarshalMembers(value.Members()), bytes.Equal(s1.AppendJSON(nil), s2.AppendJSON(nil))},
			{u1.UnmarshalJSON([]byte(text)), u2.UnmarshalMembers(value.Members()), bytes.Equal(u1.AppendJSON(nil), u2.AppendJSON(nil))},
		} {
			if fmt.Sprint(c.json) != fmt.Sprint(c.members) || !c.same {
				t.Errorf("%.80s: %v, %v, the same payload: %v", text, c.json, c.members, c.same)
			}
		}
	}
}
