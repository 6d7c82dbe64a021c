package otlp_test

import (
	"bytes"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/internal/otlp"
	"github.com/sessionspan/sessionspan/internal/span"
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

// TestRead: what is read of a body is encoded as that body again.
func TestRead(t *testing.T) {
	other := fullSpan(t)
	other.Resource, other.InstrumentationScope.Name = nil, "other"
	for i, body := range bodies(fullSpan(t).Snapshot(), typicalSpan(), other.Snapshot()) {
		var s span.Span
		if err := otlp.Read(&s, body); err != nil {
			t.Fatal(err)
		}
		if again := otlp.AppendTraces(nil, &s, s.AppendAttributes(nil)); !bytes.Equal(again, body) {
			t.Errorf("%d: got %q\nwant %q", i, again, body)
		}
	}
	var s span.Span
	for _, bad := range []string{"no span", ""} {
		if err := otlp.Read(&s, []byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
