package convert_test

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
)

func TestInSession(t *testing.T) {
	for _, tc := range []struct {
		kv   attribute.KeyValue
		want bool
	}{
		{attribute.String("honeyhive.session_id", "x"), true},
		{attribute.String("honeyhive.session_id", ""), false},
		{attribute.String("session.id", "x"), true},
		{attribute.String("gen_ai.conversation.id", "x"), true},
		{attribute.String("traceloop.association.properties.session_id", "x"), true},
		{attribute.String("honeyhive_event_type", "session"), true},
		{attribute.String("honeyhive_event_type", "model"), false},
		{attribute.String("http.method", "GET"), false},
	} {
		if got := convert.InSession([]attribute.KeyValue{attribute.Int("a", 1), tc.kv}); got != tc.want {
			t.Errorf("%v: %v", tc.kv, got)
		}
	}
}
