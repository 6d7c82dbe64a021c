package record

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestFacts reads what fields compare, within bounds.
func TestFacts(t *testing.T) {
	got := Facts(`{"event_id":"x","event_name":"search","event_type":"tool","duration":1500,"error":"broken","metadata":{"event_kind":"retriever","tags":["a",1,null,{"no":1}],"a":{"b":{"c":true}},"big":1e999,"null":null},`+
		`"inputs":{"query":"where","chat":[{"role":"user"}]},"outputs":{"documents":[{"score":0.5},{"relevance_score":2},{"content":"x"}]}}`, Event)
	want := []Fact{
		{Key: "event", Text: "search"}, {Key: "type", Text: "tool"}, {Key: "kind", Text: "retriever"}, {Key: "error", Text: "broken"}, {Key: "duration", Number: 1500, IsNumber: true},
		{Key: "question", Text: "where"}, {Key: "score", Number: 0.5, IsNumber: true}, {Key: "documents", Number: 3, IsNumber: true},
		{Key: "inputs"}, {Key: "outputs"},
		{Key: "metadata.event_kind", Text: "retriever"}, {Key: "metadata.tags", Text: "a"}, {Key: "metadata.tags", Number: 1, IsNumber: true}, {Key: "metadata.a.b.c", Text: "true"},
		{Key: "inputs.query", Text: "where"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := Facts(`{"session_id":"x","metadata":{"error":"late","release":"v1"}}`, Session); !reflect.DeepEqual(got, []Fact{{Key: "error", Text: "late"}, {Key: "metadata.error", Text: "late"}, {Key: "metadata.release", Text: "v1"}}) {
		t.Errorf("a session: %+v", got)
	}
	var many, list strings.Builder
	for i := range 2 * MaxFacts {
		fmt.Fprintf(&many, `"k%d":1,`, i)
		fmt.Fprintf(&list, `"e%d",`, i)
	}
	for what, c := range map[string]struct {
		text string
		want int
	}{
		"many keys":      {`{"config":{` + many.String() + `"z":1},"metadata":{"release":"never"}}`, MaxFacts},
		"a long list":    {`{"config":{"list":[` + list.String() + `1]}}`, factList},
		"a long key":     {`{"config":{"` + strings.Repeat("k", MaxFactKey) + `":1,"x":1}}`, 1},
		"deep":           {`{"config":` + strings.Repeat(`{"a":`, 200) + `1` + strings.Repeat(`}`, 200) + `}`, 0},
		"as deep":        {`{"config":` + strings.Repeat(`{"a":`, factDepth) + `1` + strings.Repeat(`}`, factDepth) + `}`, 1},
		"no object":      {`{"config":[1],"metadata":"x","inputs":7}`, 0},
		"broken":         {`{"config":{"a":`, 0},
		"nothing at all": {``, 0},
	} {
		if got := Facts(c.text, Session); len(got) != c.want {
			t.Errorf("%s: %d facts, want %d", what, len(got), c.want)
		}
	}
	for _, part := range []string{"a", "é", "漢", "😀", `\"`} {
		for skew := range 4 {
			text := strings.Repeat("x", skew) + strings.Repeat(part, 1<<20)
			got := Facts(`{"config":{"a":"`+text+`"}}`, Session)
			if len(got) != 1 || len(got[0].Text) > 3*MaxFactText || len(got[0].Text) < MaxFactText-4 || !utf8.ValidString(got[0].Text) || FactText(got[0].Text[:min(len(got[0].Text), MaxFactText)]) == "" {
				t.Errorf("a long text of %q: %+v", part, got)
			}
		}
	}
}
