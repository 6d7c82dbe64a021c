package tree_test

import (
	"encoding/binary"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// TestStarted tells of an id that is started again, once, and forgets the oldest.
func TestStarted(t *testing.T) {
	id := func(n int) (u honeyhive.UUID) {
		binary.BigEndian.PutUint64(u[:], uint64(n))
		return u
	}
	var s tree.Started
	for i, want := range []bool{false, true, false, false} {
		if got := s.Note(id(0)); got != want {
			t.Errorf("time %d: %v", i, got)
		}
	}
	const most = 16 << 10
	for n := 1; n <= most; n++ { // the last takes the place of the first
		if s.Note(id(n)) {
			t.Fatalf("session %d was started before", n)
		}
	}
	if s.Note(id(0)) {
		t.Error("the oldest session is not forgotten")
	}
	if !s.Note(id(most)) {
		t.Error("the newest session is forgotten")
	}
}

// TestRecent remembers at least the last 4,096 traces, and no more than twice as many.
func TestRecent(t *testing.T) {
	id := func(n int) (u trace.TraceID) {
		binary.BigEndian.PutUint64(u[:], uint64(n))
		return u
	}
	var r tree.Recent
	if r.Has(id(0)) {
		t.Error("an empty set has a trace")
	}
	const half = 4096
	for n := range 3 * half {
		r.Add(id(n))
		if oldest := max(0, n-half+1); !r.Has(id(n)) || !r.Has(id(oldest)) {
			t.Fatalf("after %d: the newest %v, the one of a half before %v", n, r.Has(id(n)), r.Has(id(oldest)))
		}
		if n >= 2*half && r.Has(id(n-2*half)) {
			t.Fatalf("after %d: the one of two halves before is there", n)
		}
	}
}
