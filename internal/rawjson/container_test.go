package rawjson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// TestContainersEqualEncodingJSON compares the maps and slices that are written
// without reflection, and maps of more and fewer keys.
func TestContainersEqualEncodingJSON(t *testing.T) {
	many := map[string]any{}
	for i := range 100 {
		many[fmt.Sprint("key", i*7919%100)] = map[string]any{"b": i, "a": []string{"x"}}
	}
	for _, v := range []any{
		map[string]any{}, map[string]any{"": nil}, map[string]any{"b": map[string]any{"d": 1, "c": 2}, "a": map[string]string{"z": "", "y": ""}}, many,
		map[string]int{"b": math.MinInt, "a": 0}, map[string]int(nil), map[string]float64{"b": 1e21, "a": -0.5}, map[string]float64(nil),
		[]map[string]string{{"b": "1", "a": "\n"}, nil, {}}, []map[string]string(nil), []map[string]any{many, nil},
		[]int{1, -2, math.MaxInt}, []int{}, []int(nil), []float64{0, 0.1, 1e-7}, []float64(nil), []float32{0, 0.1, 1e21}, []float32(nil), [][]float32{{1}, nil},
		time.Time{}, time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), []any{time.Unix(0, 0).UTC()},
	} {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatalf("%#v: %v", v, err)
		}
		got, err := rawjson.Append(nil, v)
		if err != nil || string(got) != strings.TrimSuffix(want.String(), "\n") {
			t.Errorf("%#v: got %s, %v, want %s", v, got, err, &want)
		}
	}
	got, err := rawjson.Append(nil, []any{[]float64{1, math.NaN()}, []float32{float32(math.Inf(1))}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
	if want := `[[1,"NaN"],["Infinity"],"10000-01-01 00:00:00 +0000 UTC"]`; string(got) != want || err == nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// TestDepthOfEveryContainer puts the innermost value at the limit and past it:
// the text stays within what Parse takes.
func TestDepthOfEveryContainer(t *testing.T) {
	type structure struct{ A int }
	for _, inner := range []any{
		map[string]any{}, map[string]string{}, map[string]int{}, map[string]float64{}, []any{}, []string{}, []int{}, []float64{}, []float32{},
		[]map[string]any{}, []map[string]string{}, json.RawMessage("[]"), structure{}, map[int]int{}, [1]int{},
	} {
		for open := rawjson.MaxDepth - 1; open <= rawjson.MaxDepth; open++ {
			v := inner
			for range open {
				v = []any{v}
			}
			got, err := rawjson.Append(nil, v)
			if fits := open < rawjson.MaxDepth; (err == nil) != fits {
				t.Errorf("%T in %d levels: %v", inner, open, err)
			}
			if _, err := rawjson.Parse(string(got)); err != nil {
				t.Errorf("%T in %d levels: %v", inner, open, err)
			}
		}
	}
}

// inside is a value whose marshaler encodes others.
type inside map[string]any

func (v inside) MarshalJSON() ([]byte, error) { return rawjson.Append(nil, map[string]any(v)) }

// TestAppendWithinAppend encodes values in the marshalers of others, from many
// goroutines, and after values that have no JSON form.
func TestAppendWithinAppend(t *testing.T) {
	v := map[string]any{"c": inside{"b": inside{"x": "1"}, "a": []any{inside{}}}, "a": struct{ V inside }{inside{"y": 2}}, "d": "4"}
	const want = `{"a":{"V":{"y":2}},"c":{"a":[{}],"b":{"x":"1"}},"d":"4"}`
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if got, err := rawjson.Append(nil, v); err != nil || string(got) != want {
					t.Errorf("got %s, %v", got, err)
				}
				if got, err := rawjson.Append(nil, map[string]any{"a": make(chan int), "b": &panicking{}, "c": textFails{}}); err == nil || !json.Valid(got) {
					t.Errorf("got %s, %v", got, err)
				}
			}
		})
	}
	group.Wait()
}

func TestDeeper(t *testing.T) {
	for text, depth := range map[string]int{
		`1`: 0, `"[[\"[["`: 0, `[]`: 1, `{"[":"{\\"}`: 1, `[[],[]]`: 2, `{"a":[1,{"b":"]]"}],"c":{}}`: 3,
	} {
		for most := range 5 {
			if got := rawjson.Deeper(text, most); got != (depth > most) {
				t.Errorf("Deeper(%s, %d) = %v", text, most, got)
			}
		}
	}
}
