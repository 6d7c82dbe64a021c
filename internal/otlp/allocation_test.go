//go:build !race

package otlp_test

import (
	"testing"

	"github.com/sessionspan/sessionspan/internal/otlp"
)

func TestAppendTracesAllocations(t *testing.T) {
	span := typicalSpan()
	buf := otlp.AppendTraces(nil, span) // fills the caches
	if n := testing.AllocsPerRun(100, func() { buf = otlp.AppendTraces(buf[:0], span) }); n != 0 {
		t.Errorf("%v allocations with room in dst", n)
	}
	if n := testing.AllocsPerRun(100, func() { buf = otlp.AppendTraces(nil, span) }); n != 1 {
		t.Errorf("%v allocations without room, want 1", n)
	}
}
