package workload

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestContents holds that no text stands in two calls, and that the forms of a
// call hold the same.
func TestContents(t *testing.T) {
	list, err := Contents(1100, 2048)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, c := range list {
		for _, text := range []string{c.System, c.Question, c.Answer} {
			if seen[text] {
				t.Fatalf("a text of call %d stands in another", i)
			}
			seen[text] = true
		}
		if len(c.System)+len(c.Question) != 2048 || len(c.Answer) != 2048 {
			t.Fatalf("call %d: %d bytes in, %d out", i, len(c.System)+len(c.Question), len(c.Answer))
		}
		for value, raw := range map[string]json.RawMessage{must(t, c.Inputs): c.RawInputs, must(t, c.Outputs): c.RawOutputs, must(t, c.Parameters): c.RawParameters} {
			if value != string(raw) {
				t.Fatalf("call %d: %s is not %s", i, value, raw)
			}
		}
		if in := must(t, c.Inputs); !strings.Contains(in, must(t, c.Question)) {
			t.Fatalf("call %d: the question is not in %s", i, in)
		}
	}
}

func must(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestProseIsWritten looks for the comments of generated code, which no model
// says and every compressor likes.
func TestProseIsWritten(t *testing.T) {
	prose, err := Prose()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(prose, "\nmatch: ("); n > 20 {
		t.Errorf("%d lines are of generated code", n)
	}
}
