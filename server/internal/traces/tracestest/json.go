// Package tracestest writes OTLP JSON for tests.
package tracestest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// JSON returns a request in the protobuf encoding as OTLP has it in JSON: ids are
// hexadecimal, enumerations are numbers.
func JSON(t testing.TB, body []byte) []byte {
	t.Helper()
	var data tracepb.TracesData
	if err := proto.Unmarshal(body, &data); err != nil {
		t.Fatal(err)
	}
	for _, r := range data.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			for _, span := range s.GetSpans() {
				toHex(t, &span.TraceId, &span.SpanId, &span.ParentSpanId)
				for _, l := range span.GetLinks() {
					toHex(t, &l.TraceId, &l.SpanId)
				}
			}
		}
	}
	text, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(&data)
	if err != nil {
		t.Fatal(err)
	}
	// Spaces of protojson vary from build to build.
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		t.Fatal(err)
	}
	return line.Bytes()
}

// toHex replaces ids by the bytes whose base64, which protojson writes, is the
// hexadecimal form of the id.
func toHex(t testing.TB, ids ...*[]byte) {
	t.Helper()
	for _, id := range ids {
		b, err := base64.StdEncoding.DecodeString(hex.EncodeToString(*id))
		if err != nil {
			t.Fatalf("an id of %d bytes: %v", len(*id), err)
		}
		*id = b
	}
}
