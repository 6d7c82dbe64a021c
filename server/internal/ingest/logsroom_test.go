package ingest

import (
	"runtime"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
)

// TestLogRecordRoom notes a record with a large text, which it neither copies nor writes
// anew to tell it from others.
func TestLogRecordRoom(t *testing.T) {
	record := func(text string) *convert.Span {
		return &convert.Span{Name: "gen_ai.user.message", Attributes: []attribute.KeyValue{attribute.String("content", text)}}
	}
	large := strings.Repeat("x", 16<<20)
	var l spanLogs
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l.add(record(large))
	l.add(record(large))
	l.add(record(large[1:] + "y"))
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(len(large))+1<<20 { // the one text that is made here
		t.Errorf("%d bytes were allocated", n)
	}
	if l.records[0].sum != l.records[1].sum || l.records[0].sum == l.records[2].sum {
		t.Error("records are not told apart by what they say")
	}
}
