package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// JSON returns a body of AppendTraces or Join as one line of OTLP/JSON, for
// people to read: IDs in hexadecimal, enums as numbers. See
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
func JSON(body []byte) ([]byte, error) {
	var traces tracepb.TracesData
	if err := proto.Unmarshal(body, &traces); err != nil {
		return nil, fmt.Errorf("traces as JSON: %w", err)
	}
	for _, resourceSpans := range traces.GetResourceSpans() {
		for _, scopeSpans := range resourceSpans.GetScopeSpans() {
			for _, span := range scopeSpans.GetSpans() {
				if err := hexIDs(span); err != nil {
					return nil, fmt.Errorf("traces as JSON: %w", err)
				}
			}
		}
	}
	text, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(&traces)
	if err != nil {
		return nil, fmt.Errorf("traces as JSON: %w", err)
	}
	// protojson varies its spaces from build to build, so that nobody relies on them.
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return nil, fmt.Errorf("traces as JSON: %w", err)
	}
	return line.Bytes(), nil
}

// hexIDs replaces the IDs of a span by bytes whose base64 form is the
// hexadecimal form of the ID, because protojson writes bytes as base64 and
// cannot be told otherwise.
func hexIDs(span *tracepb.Span) error {
	ids := []*[]byte{&span.TraceId, &span.SpanId, &span.ParentSpanId}
	for _, link := range span.GetLinks() {
		ids = append(ids, &link.TraceId, &link.SpanId)
	}
	for _, id := range ids {
		text := hex.EncodeToString(*id)
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil { // base64 comes in groups of four, so an ID has an even number of bytes
			return fmt.Errorf("an ID of %d bytes", len(*id))
		}
		*id = decoded
	}
	return nil
}
