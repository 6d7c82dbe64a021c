package rawjson

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestBounded holds a value whose text would double at each of 60 levels.
func TestBounded(t *testing.T) {
	v := any("x")
	for range 60 {
		v = []any{v, v}
	}
	e := encoder{limit: 1 << 16}
	e.value(v, 0)
	if len(e.dst) > 2<<16 || !json.Valid(e.dst) || !strings.Contains(string(e.dst), "!ERROR: larger than") || len(e.problems) != maxProblems {
		t.Errorf("%d bytes, %d problems", len(e.dst), len(e.problems))
	}
}
