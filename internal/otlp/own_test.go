package otlp_test

import (
	"bytes"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/internal/otlp"
)

// TestFront: attributes in front are as if the span had them first.
func TestFront(t *testing.T) {
	stub := fullSpan(t)
	front := []attribute.KeyValue{attribute.String("a", "\xff"), attribute.Bool("b", true), attribute.StringSlice("c", []string{"d"})}
	got := otlp.AppendTraces([]byte("x"), stub.Snapshot(), front...)
	stub.Attributes = append(front, stub.Attributes...)
	if want := otlp.AppendTraces([]byte("x"), stub.Snapshot()); !bytes.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

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
