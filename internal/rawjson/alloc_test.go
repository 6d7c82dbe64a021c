//go:build !race

package rawjson_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// TestAllocations holds that values of the usual types cost no memory but for
// what is written, and texts none to be checked and walked.
func TestAllocations(t *testing.T) {
	v := content()
	v["tags"] = []string{"a", "b"}
	v["counts"] = map[string]int{"a": 1}
	v["vector"] = []float64{1, 2}
	v["at"] = time.Unix(0, 0).UTC()
	v["raw"] = json.RawMessage(`{"a":["é"]}`)
	dst, err := rawjson.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	text := string(dst)
	for name, f := range map[string]func(){
		"append": func() { dst, _ = rawjson.Append(dst[:0], v) },
		"parse":  func() { text, _ = rawjson.Parse(text) },
		"members": func() {
			for range rawjson.Members(text) {
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestFillAllocations holds that the room for long strings is made at once.
func TestFillAllocations(t *testing.T) {
	text, later, err := rawjson.AppendOutline(nil, []any{english(1 << 20), english(1 << 20)})
	if err != nil || len(later) != 2 {
		t.Fatal(len(later), err)
	}
	if n := testing.AllocsPerRun(5, func() { rawjson.Fill(nil, string(text), later) }); n > 2 { // with the copy of the text
		t.Errorf("%v allocations", n)
	}
}

// TestLargeAllocations holds that a large string is written into memory of one piece.
func TestLargeAllocations(t *testing.T) {
	for _, part := range largeParts {
		s := strings.Repeat(part, 1<<17)
		if n := testing.AllocsPerRun(10, func() { _ = rawjson.Text(rawjson.AppendString(nil, s)) }); n > 1 {
			t.Errorf("%q: %v times memory", part, n)
		}
	}
}
