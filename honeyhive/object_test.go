package honeyhive_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
)

func mustObject(t *testing.T, text string) honeyhive.Object {
	t.Helper()
	o, err := honeyhive.ParseObject(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestObjectKeepsWhatItHolds(t *testing.T) {
	const text = `{"z":9007199254740993,"a":{"y":null,"b":[1.50,-0,1E3]},"snakeCase":1,"snake_case":2,"<&>":"é\u00e9"}`
	o := mustObject(t, " "+strings.ReplaceAll(text, ",", " ,\n")+"\t")
	if o.String() != text {
		t.Errorf("got %s, want %s", o, text)
	}
	var keys []string
	for k := range o.All() {
		keys = append(keys, k)
	}
	if want := []string{"z", "a", "snakeCase", "snake_case", "<&>"}; !slices.Equal(keys, want) || o.Len() != len(want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	data, err := json.Marshal(map[string]any{"o": o})
	if err != nil {
		t.Fatal(err)
	}
	var back struct{ O honeyhive.Object }
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if got, _ := back.O.Get("z"); string(got) != "9007199254740993" {
		t.Errorf("z = %s", got)
	}
}

func TestObjectStates(t *testing.T) {
	var absent honeyhive.Object
	for _, tc := range []struct {
		name                  string
		o                     honeyhive.Object
		zero, null, empty     bool
		text, printed, merged string
	}{
		{"absent", absent, true, false, true, "", "null", `{"k":1}`},
		{"null", honeyhive.NullObject(), false, true, true, "null", "null", `{"k":1}`},
		{"empty", honeyhive.EmptyObject(), false, false, true, "{}", "{}", `{"k":1}`},
		{"full", mustObject(t, `{"a":1}`), false, false, false, `{"a":1}`, `{"a":1}`, `{"a":1,"k":1}`},
	} {
		if tc.o.IsZero() != tc.zero || tc.o.IsNull() != tc.null || tc.o.IsEmpty() != tc.empty || tc.o.JSONText() != tc.text || tc.o.String() != tc.printed {
			t.Errorf("%s: %v %v %v %q %q", tc.name, tc.o.IsZero(), tc.o.IsNull(), tc.o.IsEmpty(), tc.o.JSONText(), tc.o)
		}
		if got, err := tc.o.With("k", 1); err != nil || got.String() != tc.merged {
			t.Errorf("%s: With = %s, %v", tc.name, got, err)
		}
		if got := tc.o.Merge(absent); !got.Equal(tc.o) {
			t.Errorf("%s merged with nothing = %q", tc.name, got.JSONText())
		}
	}
	if got := absent.Merge(honeyhive.NullObject()); !got.IsNull() {
		t.Errorf("null set over absent: %q", got.JSONText())
	}
	if got := mustObject(t, `{"a":1}`).Merge(honeyhive.NullObject()); got.String() != `{"a":1}` {
		t.Errorf("null over a full object: %q", got.JSONText())
	}
}

func TestObjectChange(t *testing.T) {
	o := mustObject(t, `{"a":1,"b":{"x":1},"c":3}`)
	if got := o.Merge(mustObject(t, `{"d":4,"b":{"y":2},"d":5}`)); got.String() != `{"a":1,"b":{"y":2},"c":3,"d":5}` {
		t.Errorf("Merge = %s", got)
	}
	if got := o.Without("b"); got.String() != `{"a":1,"c":3}` {
		t.Errorf("Without = %s", got)
	}
	if got := mustObject(t, `{"a":1}`).Without("a"); got.String() != `{}` {
		t.Errorf("Without = %s", got)
	}
	if o.String() != `{"a":1,"b":{"x":1},"c":3}` {
		t.Errorf("the object changed: %s", o)
	}
	got, err := o.With("bad", math.NaN())
	if err == nil || got.String() != `{"a":1,"b":{"x":1},"c":3,"bad":"NaN"}` {
		t.Errorf("With(NaN) = %s, %v", got, err)
	}
}

func TestObjectOf(t *testing.T) {
	type s struct {
		B int `json:"b"`
		A int `json:"a"`
	}
	for _, tc := range []struct {
		v    any
		want string
	}{
		{s{1, 2}, `{"b":1,"a":2}`},
		{&s{1, 2}, `{"b":1,"a":2}`},
		{map[string]any{"b": 1, "a": 2}, `{"a":2,"b":1}`},
		{json.RawMessage(`{"b": 1, "a": 2}`), `{"b":1,"a":2}`},
		{mustObject(t, `{"b":1}`), `{"b":1}`},
		{nil, ""},
		{map[string]any(nil), ""},
		{(*s)(nil), ""},
		{map[string]any{}, "{}"},
	} {
		if got, err := honeyhive.ObjectOf(tc.v); err != nil || got.JSONText() != tc.want {
			t.Errorf("%#v: %q, %v; want %q", tc.v, got.JSONText(), err, tc.want)
		}
	}
	for _, v := range []any{1, "x", []int{1}, true, json.RawMessage(`[1]`), json.RawMessage(`{`), make(chan int)} {
		if got, err := honeyhive.ObjectOf(v); err == nil || !got.IsZero() {
			t.Errorf("%#v: %q, %v", v, got.JSONText(), err)
		}
	}
	got, err := honeyhive.ObjectOf(map[string]any{"a": 1, "bad": make(chan int), "z": 2})
	if err == nil || !got.Has("a") || !got.Has("z") {
		t.Errorf("%s, %v", got, err)
	}
}

func TestParseObjectErrors(t *testing.T) {
	for _, text := range []string{"", "1", "[]", `"{}"`, "{", `{"a":1}x`, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)} {
		if o, err := honeyhive.ParseObject(text); err == nil {
			t.Errorf("ParseObject(%.40q) = %s", text, o)
		}
	}
}

// TestMergeModel compares Merge with a map, and its order with a list.
func TestMergeModel(t *testing.T) {
	key := rapid.SampledFrom([]string{"a", "b", "c", "d", "é", `q"`, ""})
	gen := rapid.Custom(func(t *rapid.T) honeyhive.Object {
		o := honeyhive.EmptyObject()
		for _, k := range rapid.SliceOfN(key, 0, 6).Draw(t, "keys") {
			o, _ = o.With(k, rapid.Int().Draw(t, "value"))
		}
		return o
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		want := map[string]string{}
		var order []string
		for _, o := range []honeyhive.Object{a, b} {
			for k, v := range o.All() {
				if _, ok := want[k]; !ok {
					order = append(order, k)
				}
				want[k] = string(v)
			}
		}
		got := map[string]string{}
		var gotOrder []string
		for k, v := range a.Merge(b).All() {
			got[k] = string(v)
			gotOrder = append(gotOrder, k)
		}
		if d := cmp.Diff(want, got); d != "" || !slices.Equal(order, gotOrder) {
			t.Fatalf("%s and %s: %s %q", a, b, d, gotOrder)
		}
	})
}
