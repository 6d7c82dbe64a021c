package rawjson_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

type (
	link    struct{ Next *link }
	anyLink struct {
		Name string
		Next any
	}
	tree struct{ Children []*tree }
)

// TestDeepValuesEndEarly counts what it costs to write values that are far deeper
// than the limit: what lies below the limit is not written.
func TestDeepValuesEndEarly(t *testing.T) {
	const levels = 50_000
	var l *link
	a, s := any(nil), new(tree)
	m := map[string]*tree{}
	for range levels {
		l = &link{l}
		a = &anyLink{"x", a}
		s = &tree{[]*tree{s}}
	}
	m["x"] = s
	for name, v := range map[string]any{"pointers": l, "interfaces": a, "slices": s, "map": m} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := rawjson.Append(nil, v)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "nested deeper") || !json.Valid(got) {
			t.Errorf("%s: %.200s, %v", name, got, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("%s: %d bytes allocated for %d bytes of text", name, n, len(got))
		}
	}
}

// TestDepthIsThatOfTheText writes chains of every depth around the limit: what
// fits is written whole.
func TestDepthIsThatOfTheText(t *testing.T) {
	var l *link
	for levels := 1; levels < rawjson.MaxDepth+3; levels++ {
		l = &link{l}
		want, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		got, err := rawjson.Append(nil, l)
		if fits := levels <= rawjson.MaxDepth; (err == nil) != fits || (string(got) == string(want)) != fits {
			t.Errorf("%d levels: %v", levels, err)
		}
	}
}
