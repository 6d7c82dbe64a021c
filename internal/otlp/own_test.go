package otlp_test

import (
	"bytes"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/internal/otlp"
)

// TestJoinOwn: what is not checked is joined as what is.
func TestJoinOwn(t *testing.T) {
	other := fullSpan(t)
	other.Resource, other.InstrumentationScope.Name = nil, "other"
	full, typical := fullSpan(t).Snapshot(), typicalSpan()
	for _, spans := range [][]sdktrace.ReadOnlySpan{
		{}, {full}, {full, full, typical, full, typical}, {typical, other.Snapshot(), full, other.Snapshot()},
	} {
		encoded := bodies(spans...)
		checked, err := otlp.Join(encoded...)
		if err != nil {
			t.Fatal(err)
		}
		own, err := otlp.JoinOwn(encoded...)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := bytes.Join(own, nil), bytes.Join(checked, nil); !bytes.Equal(got, want) {
			t.Errorf("%d spans: got %q\nwant %q", len(spans), got, want)
		}
	}
	if _, err := otlp.JoinOwn([]byte("no span")); err == nil {
		t.Error("what is no span was joined")
	}
}
