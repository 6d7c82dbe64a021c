package sessionspan_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// TestCostOfMerging counts the bytes that are copied to set one key at a time: in
// front of a large value, and many.
func TestCostOfMerging(t *testing.T) {
	allocated := func(f func()) int {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return int(after.TotalAlloc - before.TotalAlloc)
	}
	var out strings.Builder
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(&out))
	if err != nil {
		t.Fatal(err)
	}
	const large, few, many = 4 << 20, 100, 10_000
	_, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{"large": strings.Repeat("x", large)}))
	if n := allocated(func() {
		for i := range few {
			s.SetInputs(map[string]any{fmt.Sprint(i): i})
		}
	}); n > 4*large { // one copy of it, and the buffer for that
		t.Errorf("%d small values in front of a large one of %d bytes cost %d bytes", few, large, n)
	}
	each := func(sets int) int {
		return allocated(func() {
			for i := range sets {
				s.SetOutputs(map[string]any{fmt.Sprint("key ", sets, i): i})
			}
		}) / sets
	}
	if less, more := each(many/10), each(many); more > 4*less {
		t.Errorf("a value costs %d bytes among %d, and %d among %d", less, many/10, more, many)
	}
	s.End()
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	var line struct{ Session honeyhive.SessionStartRequest }
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatal(err)
	}
	if n := line.Session.Inputs.Len(); n != few+1 {
		t.Errorf("%d inputs, want %d", n, few+1)
	}
	if n := line.Session.Outputs.Len(); n != many+many/10 {
		t.Errorf("%d outputs, want %d", n, many+many/10)
	}
}
