package rawjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

func TestParse(t *testing.T) {
	for _, text := range []string{
		`null`, `true`, `false`, `0`, `-0`, `12.50`, `1e9`, `-1.5E-3`, `""`, `"a\u00e9\n"`, `[]`, `{}`,
		`[1,[2,{"a":[]}]]`, `{"b":1,"a":{"b":null}}`, `9007199254740993`,
	} {
		got, err := rawjson.Parse(text)
		if err != nil || got != text {
			t.Errorf("Parse(%s) = %q, %v", text, got, err)
		}
		spaced := " \t" + strings.NewReplacer("[", "[ ", ",", " ,\n", "}", "\r}").Replace(text) + "\n"
		got, err = rawjson.Parse(spaced)
		if err != nil || got != text {
			t.Errorf("Parse(%q) = %q, %v; want %q", spaced, got, err, text)
		}
	}
	for _, text := range []string{
		``, ` `, `nul`, `tru`, `falze`, `01`, `-`, `1.`, `.5`, `1e`, `+1`, `NaN`, `"`, `"\x"`, `"\u12g4"`, `"\`, "\"\n\"",
		`[`, `[1`, `[1,]`, `[,]`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{a:1}`, `{"a" 1}`, `1 2`, `{}}`, "\x00", `'a'`,
	} {
		if got, err := rawjson.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %q, no error", text, got)
		} else if !errors.As(err, new(*rawjson.SyntaxError)) {
			t.Errorf("Parse(%q): %T", text, err)
		}
	}
}

func TestParseDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	if _, err := rawjson.Parse(nested(rawjson.MaxDepth)); err != nil {
		t.Error(err)
	}
	for _, n := range []int{rawjson.MaxDepth + 1, 1_000_000} {
		if _, err := rawjson.Parse(nested(n)); err == nil {
			t.Errorf("no error at depth %d", n)
		}
	}
}

func TestParseInvalidUTF8(t *testing.T) {
	got, err := rawjson.Parse("{\"a\xff\":\"b\xfe\xfd\"}")
	if want := "{\"a\uFFFD\":\"b\uFFFD\"}"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestMembers(t *testing.T) {
	var got []string
	for k, v := range rawjson.Members(`{"b":{"x":[1,"}"]},"a\n":-1.5e3,"c":[],"b":true}`) {
		got = append(got, k, v)
	}
	want := []string{"b", `{"x":[1,"}"]}`, "a\n", "-1.5e3", "c", "[]", "b", "true"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if v, ok := rawjson.Get(`{"a":1,"b":2,"a":3}`, "a"); !ok || v != "3" {
		t.Errorf("Get = %q, %v; the last one counts", v, ok)
	}
	for _, text := range []string{"", "null", "[1]", `"{}"`} {
		for k := range rawjson.Members(text) {
			t.Errorf("%q has a member %q", text, k)
		}
	}
	var elements []string
	for v := range rawjson.Elements(`[1,"a,]",[2],{"x":[3]},null]`) {
		elements = append(elements, v)
	}
	if want := []string{"1", `"a,]"`, "[2]", `{"x":[3]}`, "null"}; !reflect.DeepEqual(elements, want) {
		t.Errorf("got %q, want %q", elements, want)
	}
}

// named types, so that the values go through reflection.
type (
	point  struct{ X, Y int }
	tagged struct {
		A string `json:"a"`
		B int    `json:"b,omitempty"`
		C any    `json:"-"`
		d int
		point
		E *point `json:"e,omitzero"`
	}
	texts map[string]string
)

// TestAppendEqualsEncodingJSON compares values that encoding/json can write.
func TestAppendEqualsEncodingJSON(t *testing.T) {
	when := time.Date(2024, 4, 2, 2, 38, 19, 832_000_000, time.FixedZone("", 3600))
	for _, v := range []any{
		nil, true, false, "", "a", "<&>\u2028\u2029\x00\x1f\x7f\"\\/\b\f\n\r\té\U0001F600", "bad\xff\xfeutf8",
		0, -1, int8(1), int16(2), int32(3), int64(math.MaxInt64), uint(5), uint8(6), uint16(7), uint32(8), uint64(math.MaxUint64),
		0.0, math.Copysign(0, -1), 1.5, 1e20, 1e21, 1e-6, 1e-7, 1e-10, math.MaxFloat64, math.SmallestNonzeroFloat64, float32(0.1), float32(1e-7), float32(1e21),
		json.Number("12.50"), json.Number("9007199254740993"), json.RawMessage(` {"b": 1, "a": [ ] } `),
		[]any{1, "a", nil, []any{}}, []any(nil), []string{"a"}, []string(nil), map[string]any{"b": 1, "a": map[string]any{}}, map[string]any(nil),
		map[string]string{"b": "1", "a": "2"}, map[string]string(nil), []map[string]any{{"a": 1}, nil}, []byte("bytes"), when, &when, time.Second,
		point{1, 2}, &point{1, 2}, (*point)(nil), tagged{A: "x", C: make(chan int), d: 1, point: point{3, 4}}, texts{"a": "b"}, map[int]string{2: "b", 1: "a"}, [2]int{1, 2},
	} {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatalf("%#v: %v", v, err)
		}
		got, err := rawjson.Append([]byte("x"), v)
		if err != nil {
			t.Errorf("%#v: %v", v, err)
		}
		if w := "x" + strings.TrimSuffix(want.String(), "\n"); string(got) != w {
			t.Errorf("%#v: got %s, want %s", v, got, w)
		}
	}
}

type (
	failing   struct{}
	panicking struct{}
	textFails struct{}
	badJSON   struct{}
	node      struct {
		Name string
		Next *node
	}
	loop       []loop
	panicError struct{}
)

func (failing) MarshalJSON() ([]byte, error)    { return nil, errors.New("no") }
func (*panicking) MarshalJSON() ([]byte, error) { panic("boom") }
func (textFails) MarshalText() ([]byte, error)  { return nil, errors.New("no text") }
func (badJSON) MarshalJSON() ([]byte, error)    { return []byte("{"), nil }
func (panicError) Error() string                { panic("boom") }

func TestAppendKeepsNeighbours(t *testing.T) {
	cyclicMap := map[string]any{"a": 1}
	cyclicMap["self"] = cyclicMap
	cyclicSlice := []any{1, nil}
	cyclicSlice[1] = cyclicSlice
	cyclicPtr := &node{Name: "n"}
	cyclicPtr.Next = cyclicPtr
	var selfPtr any
	selfPtr = &selfPtr
	own := make(loop, 1)
	own[0] = own
	deep := any("bottom")
	for range 1000 {
		deep = []any{deep}
	}
	deepRaw := json.RawMessage(strings.Repeat("[", 1000) + strings.Repeat("]", 1000))
	for name, bad := range map[string]any{
		"chan": make(chan int), "func": func() {}, "complex": 1i, "nan": math.NaN(), "inf": math.Inf(1), "-inf": math.Inf(-1), "nan32": float32(math.NaN()),
		"cyclic map": cyclicMap, "cyclic slice": cyclicSlice, "cyclic pointer": cyclicPtr, "pointer to itself": selfPtr, "slice of itself": own,
		"failing": failing{}, "panicking": &panicking{}, "failing text": textFails{}, "bad json": badJSON{}, "panicking error": panicError{},
		"deep": deep, "deep raw": deepRaw, "raw": json.RawMessage(`{"a":`),
		"struct with chan": struct {
			Good string
			Bad  chan int
		}{Good: "kept"},
		"nested panic": map[string]*panicking{"x": {}}, "chan key": map[any]int{1i: 1}, "chan slice": []chan int{nil, make(chan int)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rawjson.Append(nil, map[string]any{"a": "before", "bad": bad, "c": []any{bad, "beside"}, "z": "after"})
			if err == nil {
				t.Error("no problem reported")
			}
			if !json.Valid(got) {
				t.Fatalf("invalid JSON: %.300s", got)
			}
			if _, err := rawjson.Parse(string(got)); err != nil {
				t.Errorf("Parse: %v", err)
			}
			var m map[string]any
			if err := json.Unmarshal(got, &m); err != nil {
				t.Fatal(err)
			}
			if m["a"] != "before" || m["z"] != "after" || m["c"].([]any)[1] != "beside" {
				t.Errorf("neighbours lost: %.300s", got)
			}
			if name == "struct with chan" && m["bad"].(map[string]any)["Good"] != "kept" {
				t.Errorf("field lost: %s", got)
			}
		})
	}
	for name, value := range map[string]any{"error": errors.New("msg"), "wrapped": fmt.Errorf("w: %w", errors.New("msg")), "nil pointer": (*panicking)(nil)} {
		got, err := rawjson.Append(nil, map[string]any{"v": value})
		if err != nil || !json.Valid(got) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestAppendSharedIsNoCycle(t *testing.T) {
	type inner struct{ N int }
	type outer struct {
		First inner
		P     *inner
		Q     any
	}
	shared := map[string]any{"k": 1}
	o := &outer{First: inner{7}}
	o.P = &o.First
	o.Q = make(chan int) // forces the walk
	got, _ := rawjson.Append(nil, []any{shared, shared, o})
	if strings.Contains(string(got), "contains itself") || strings.Count(string(got), `"N":7`) != 2 {
		t.Errorf("got %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\u00e9",null,true]}`, ` [ ] `, `"\ud800"`, `1e400`, `{"a":1,"a":2}`, "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := rawjson.Parse(text)
		valid := json.Valid([]byte(text))
		if err == nil && !valid {
			t.Fatalf("accepted %q, encoding/json does not", text)
		}
		if err != nil {
			if valid && !strings.Contains(err.Error(), "nested deeper") {
				t.Fatalf("refused %q: %v", text, err)
			}
			return
		}
		var a, b any
		if err := json.Unmarshal([]byte(got), &b); err != nil && !strings.Contains(err.Error(), "cannot unmarshal number") {
			t.Fatalf("%q: %v", got, err)
		} else if err == nil {
			if err := json.Unmarshal([]byte(strings.ToValidUTF8(text, "\uFFFD")), &a); err != nil || !reflect.DeepEqual(a, b) {
				t.Fatalf("%q became %q", text, got)
			}
		}
		if again, err := rawjson.Parse(got); err != nil || again != got {
			t.Fatalf("not stable: %q, %q", got, again)
		}
		for k, v := range rawjson.Members(got) {
			if c, err := rawjson.Parse(v); err != nil || c != v {
				t.Fatalf("member %q of %q: %q", k, got, v)
			}
		}
		for v := range rawjson.Elements(got) {
			if c, err := rawjson.Parse(v); err != nil || c != v {
				t.Fatalf("element of %q: %q", got, v)
			}
		}
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\xff\u2028\x00<>")
	f.Fuzz(func(t *testing.T, s string) {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		if got := string(rawjson.AppendString(nil, s)) + "\n"; got != want.String() {
			t.Fatalf("%q: got %s, want %s", s, got, want.String())
		}
	})
}
