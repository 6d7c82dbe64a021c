package peer

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/bench/workload"
)

// TestSameAttributes: the span of otel-same has the attributes of ours, with the same
// values but for ids and what they are spared.
func TestSameAttributes(t *testing.T) {
	contents, err := workload.Contents(1, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []bool{false, true} {
		ours := tracetest.NewInMemoryExporter()
		library, err := NewOurs(raw, sessionspan.WithoutEnvironment(), sessionspan.WithProject("bench"), sessionspan.WithSpanExporter(ours))
		if err != nil {
			t.Fatal(err)
		}
		theirs := tracetest.NewInMemoryExporter()
		var attributes [2]map[string]string // their types and values
		for i, c := range []struct {
			Client
			spans *tracetest.InMemoryExporter
		}{{library, ours}, {newOTel(theirs, raw, recordAll), theirs}} {
			root := c.Root()
			root.Call(contents[0])
			if err := c.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			attributes[i] = make(map[string]string)
			call := c.spans.GetSpans()[0]
			for _, a := range call.Attributes {
				attributes[i][string(a.Key)] = a.Value.Type().String() + " " + a.Value.String()
			}
			root.End()
			if err := c.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		// By OTLP ours say these as well.
		for _, key := range []string{"honeyhive_event_id", "honeyhive_event_name"} {
			attributes[0][key] = attributes[1][key]
		}
		if len(attributes[0]) != len(attributes[1]) {
			t.Errorf("%d attributes, %d of otel-same", len(attributes[0]), len(attributes[1]))
		}
		known := []string{"honeyhive.session_id", "session.id", "honeyhive_parent_id"}
		for key, a := range attributes[0] {
			b := attributes[1][key]
			switch {
			case slices.Contains(known, key):
				if len(a) != len(b) {
					t.Errorf("%s: %s, %s of otel-same", key, a, b)
				}
			case key == "honeyhive_config": // without the provider and the model, which stand beside it
				if b != `STRING {"max_tokens":1024,"stream":true,"temperature":0.7,"top_p":0.95}` {
					t.Errorf("%s: %s, %s of otel-same", key, a, b)
				}
			case a != b:
				t.Errorf("%s: %s, %s of otel-same", key, a, b)
			}
		}
	}
}
