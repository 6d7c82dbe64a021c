//go:build !race

package otlp_test

import (
	"testing"

	"github.com/sessionspan/sessionspan/internal/otlp"
	"github.com/sessionspan/sessionspan/internal/span"
)

func TestAppendTracesAllocations(t *testing.T) {
	var shown span.Span
	span.FromSDK(typicalSpan()).Show(&shown)
	buf := otlp.AppendTraces(nil, &shown, shown.Attributes) // fills the caches
	if n := testing.AllocsPerRun(100, func() { buf = otlp.AppendTraces(buf[:0], &shown, shown.Attributes) }); n != 0 {
		t.Errorf("%v allocations with room in dst", n)
	}
	if size := otlp.Size(&shown, shown.Attributes); size < len(buf) {
		t.Errorf("the size of %d bytes is guessed as %d", len(buf), size)
	}
}
