package local

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLateParent gives the same records whether the parts of a trace come
// together or one by one, the parents last, and loses nothing of an event whose
// place is corrected.
func TestLateParent(t *testing.T) {
	t.Run("requests", func(t *testing.T) { lateParent(t, 3, 2) })
	t.Run("steps of the program", func(t *testing.T) { lateParent(t, 1, 5) })
}

func lateParent(t *testing.T, kind, records int) {
	span := func(id, parent, name, attributes string) string {
		return fmt.Sprintf(`{"kind":%d,"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"000000000000000%s","parentSpanId":%q,"name":%q,
			"startTimeUnixNano":"1712025501605000000","endTimeUnixNano":"1712025501%s05000000","attributes":[%s]}`, kind, id, parent, name, id, attributes)
	}
	const genAI = `{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"m"}},
		{"key":"gen_ai.input.messages","value":{"stringValue":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"Why?\"}]}]"}}`
	spans := []string{
		span("9", "", "POST /ask", ""), span("8", "0000000000000009", "middleware", ""), span("7", "0000000000000008", "chat m", genAI),
		span("6", "0000000000000007", "SELECT", ""),
	}
	request := func(spans ...string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`
	}
	together, apart := start(t), start(t)
	post(t, together.URL()+"/v1/traces", request(spans...))
	for _, s := range slices.Backward(spans) {
		post(t, apart.URL()+"/v1/traces", request(s))
	}
	want, got := content(t, together), content(t, apart)
	if len(want) != records {
		t.Fatalf("%v", want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(- together, + apart) %s", diff)
	}
	for id, text := range got {
		if kind == 1 {
			break
		}
		var e struct {
			Type    string `json:"event_type"`
			Parent  string `json:"parent_id"`
			Session string `json:"session_id"`
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil || e.Type != "" && e.Parent != e.Session {
			t.Errorf("%s: %v %s", id, err, text)
		}
	}
}
