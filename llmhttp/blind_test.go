package llmhttp_test

import (
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// TestFixturesWithoutContent plays every answer where content is not wanted:
// nothing of what was said is anywhere in the event, all else is.
func TestFixturesWithoutContent(t *testing.T) {
	ways(t, func(t *testing.T, f *fixture, streams bool, a answer) {
		s := newStage(t)
		s.send(s.ask(f, streams), a, llmhttp.WithoutContent())
		e := s.end()[0]
		if text := e.Inputs.String(); len(text) > len("null") {
			t.Errorf("inputs %s", text)
		}
		outputs, _ := parsed(t, f.outputs).(map[string]any)
		if text := e.Outputs.String(); len(text) > len("null") && outputs["embeddings"] == nil {
			t.Errorf("outputs %s", text)
		}
		rest := e.Metadata.String() + e.Config.String() + e.Error.Or("")
		for _, said := range leaves(outputs) {
			if len(said) > 8 && strings.Contains(rest, said) {
				t.Errorf("%q is in %s", said, rest)
			}
		}
		o := observe(t, e)
		if o.marked() {
			t.Errorf("%+v", o)
		}
		for key, want := range f.metadata {
			if v, _ := e.Metadata.Get(key); strings.HasSuffix(key, "_tokens") && string(v) != strings.TrimPrefix(want, "null") {
				t.Errorf("%s is %s, want %s", key, v, want)
			}
		}
	})
}

// leaves returns the texts of a value that are said.
func leaves(v any) (list []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			list = append(list, leaves(e)...)
		}
	case map[string]any:
		for key, e := range v {
			if key != "type" && key != "role" && key != "finish_reason" {
				list = append(list, leaves(e)...)
			}
		}
	}
	return list
}
