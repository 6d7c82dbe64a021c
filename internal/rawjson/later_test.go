package rawjson_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// panics is written by a method that panics.
type panics struct{}

func (panics) JSONText() string { panic("x") }

// TestFillEqualsAppend writes values in two steps and in one.
func TestFillEqualsAppend(t *testing.T) {
	texts := rapid.Custom(func(t *rapid.T) string {
		s := rapid.SampledFrom([]string{"a", "é", "\"", "\n", "\\", "\xff", "\u2028", "<"}).Draw(t, "text")
		n := rapid.SampledFrom([]int{0, 1, 254, 255, 256, 257, 1000}).Draw(t, "length")
		return strings.Repeat(s, n) + rapid.StringN(0, 3, -1).Draw(t, "end")
	})
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		return rapid.Custom(func(t *rapid.T) any {
			s := texts.Draw(t, "s")
			kind := rapid.IntRange(0, 11).Draw(t, "kind")
			if depth == 0 {
				kind %= 7
			}
			switch kind {
			case 0, 1:
				return s
			case 2:
				return map[string]string{"a": s, s: "b"}
			case 3:
				return []string{s, "x", s}
			case 4:
				return struct{ Text string }{s}
			case 5:
				return json.RawMessage(`{"x": "` + strings.Repeat("y", 300) + `"}`)
			case 6:
				return rapid.SampledFrom([]any{nil, 1, make(chan int), panics{}, time.Second}).Draw(t, "other")
			case 7, 8:
				return map[string]any{"a": value(depth-1).Draw(t, "a"), s: value(depth-1).Draw(t, "b"), "z": s}
			case 9:
				return []map[string]any{{"a": value(depth-1).Draw(t, "a")}}
			}
			return []any{value(depth-1).Draw(t, "a"), s, value(depth-1).Draw(t, "b")}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		v := value(3).Draw(t, "value")
		want, wantErr := rawjson.Append(nil, v)
		text, later, err := rawjson.AppendOutline(nil, v)
		if got := rawjson.Fill([]byte("x"), string(text), later); string(got) != "x"+string(want) {
			t.Fatalf("got %s, want %s", got, want)
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, %v", err, wantErr)
		}
	})
	long := strings.Repeat("\n", 1000)
	if text, later, _ := rawjson.AppendOutline(nil, []any{long}); len(later) != 1 || string(text) != "[]" {
		t.Errorf("%d bytes, %d ranges", len(text), len(later))
	}
	if text, err := rawjson.Append(nil, []any{long}); len(text) != 2*len(long)+4 || err != nil {
		t.Errorf("an encoder that was used for it writes %d bytes", len(text))
	}
}
