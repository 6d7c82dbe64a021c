package convert_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Ids of the spans under test, those of the example of W3C Trace Context, and
// the event ids that follow from them.
const (
	traceID  = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID   = "00f067aa0ba902b7"
	parentID = "b7ad6b7169203331"

	eventUUID   = "39abed16-5de7-52c5-a3c9-6d4bbf40d112"
	sessionUUID = "caf77ace-3417-4da4-944d-f4a0688f3c23"
	childUUID   = "7f22137a-6911-4ed3-bc36-110f1dde6b66"
)

// newSpan returns a span of 250.5 ms with attributes, given as names and values
// in turns.
func newSpan(nameValues ...any) *convert.Span {
	s := &convert.Span{
		Name:       "span name",
		Start:      time.UnixMilli(1712025499832),
		Attributes: attributes(nameValues...),
	}
	s.End = s.Start.Add(250*time.Millisecond + 500*time.Microsecond)
	fillID(s.TraceID[:], traceID)
	fillID(s.SpanID[:], spanID)
	fillID(s.ParentSpanID[:], parentID)
	return s
}

func fillID(dst []byte, text string) {
	if n, err := hex.Decode(dst, []byte(text)); err != nil || n != len(dst) {
		panic(fmt.Sprintf("%s: %d, %v", text, n, err))
	}
}

func attributes(nameValues ...any) []attribute.KeyValue {
	var kvs []attribute.KeyValue
	for i := 0; i < len(nameValues); i += 2 {
		kvs = append(kvs, attribute.KeyValue{Key: attribute.Key(nameValues[i].(string)), Value: value(nameValues[i+1])})
	}
	return kvs
}

func value(v any) attribute.Value {
	switch v := v.(type) {
	case nil:
		return attribute.Value{}
	case string:
		return attribute.StringValue(v)
	case bool:
		return attribute.BoolValue(v)
	case int:
		return attribute.IntValue(v)
	case int64:
		return attribute.Int64Value(v)
	case float64:
		return attribute.Float64Value(v)
	case []string:
		return attribute.StringSliceValue(v)
	case []float64:
		return attribute.Float64SliceValue(v)
	case attribute.Value:
		return v
	}
	panic(fmt.Sprintf("no attribute holds a %T", v))
}

// bucket returns a bucket of the span's record, "" where it has none.
func bucket(s *convert.Span, b convert.Bucket) string {
	rec := convert.Convert(s)
	return rec.Buckets[b].JSONText()
}

// payload returns the payload of a record: a session's or an event's.
func payload(rec *convert.Record) []byte {
	if rec.IsSession {
		s := rec.Session()
		return s.AppendJSON(nil)
	}
	e := rec.Event()
	return e.AppendJSON(nil)
}

// compareGolden compares text with a file in testdata, or writes the file.
func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got); run the test with -update if that is meant:\n%s", file, d)
	}
}

// indented formats JSON for a golden file.
func indented(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return b.String()
}

// valid checks that a record becomes payloads that the API takes, but for the
// project, the source and the session that a span may not name.
func valid(t *testing.T, rec *convert.Record) {
	t.Helper()
	r := *rec
	r.Project, r.Source = "project", "source"
	event, session := r.Event(), r.Session()
	if err := event.Validate(); err != nil {
		t.Errorf("event: %v", err)
	}
	if err := session.Validate(); err != nil {
		t.Errorf("session: %v", err)
	}
	for _, text := range [][]byte{event.AppendJSON(nil), session.AppendJSON(nil)} {
		if !json.Valid(text) {
			t.Errorf("invalid JSON: %.1000s", text)
		}
	}
	// What is sent in a batch can be read back.
	batch := append(append([]byte(`{"events":[`), event.AppendJSON(nil)...), `]}`...)
	if _, err := honeyhive.ParseObject(batch); err != nil {
		t.Errorf("the batch cannot be read: %v", err)
	}
}
