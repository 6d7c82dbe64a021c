package otlp_test

import (
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/internal/otlp"
)

func partial(spans int64, message string) *collectorpb.ExportTraceServiceResponse {
	return &collectorpb.ExportTraceServiceResponse{
		PartialSuccess: &collectorpb.ExportTracePartialSuccess{RejectedSpans: spans, ErrorMessage: message},
	}
}

func TestRejected(t *testing.T) {
	marshal := func(m proto.Message) string {
		body, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	some := marshal(partial(7, "no room"))
	for name, test := range map[string]struct {
		contentType, body string
		spans             int64
		message           string
	}{
		"proto":                 {"application/x-protobuf", some, 7, "no room"},
		"proto, other name":     {"application/protobuf", some, 7, "no room"},
		"no content type":       {"", some, 7, "no room"},
		"parameters":            {"Application/X-Protobuf; v=1", some, 7, "no room"},
		"warning":               {"application/x-protobuf", marshal(partial(0, "slow down")), 0, "slow down"},
		"negative":              {"application/x-protobuf", marshal(partial(-1, "odd")), 0, "odd"},
		"all accepted":          {"application/x-protobuf", "", 0, ""},
		"unknown field":         {"application/x-protobuf", "\x12\x01a" + some + "\x1d0000", 7, "no room"},
		"cut off":               {"application/x-protobuf", some[:len(some)-1], 0, ""},
		"damaged inside":        {"application/x-protobuf", "\x0a\x03\x08\x05\x12", 0, ""},
		"damaged end of inside": {"application/x-protobuf", "\x0a\x03\x08\x05\xff", 0, ""},
		"invalid text":          {"application/x-protobuf", "\x0a\x05\x08\x05\x12\x01\xff", 5, "\uFFFD"},
		"json":                  {"application/json", `{"partialSuccess":{"rejectedSpans":"7","errorMessage":"no room"}}`, 7, "no room"},
		"json number":           {"application/json; charset=utf-8", `{"partialSuccess":{"rejectedSpans":7}}`, 7, ""},
		"json without count":    {"application/json", `{"partialSuccess":{"errorMessage":"slow down"}}`, 0, "slow down"},
		"json fraction":         {"application/json", `{"partialSuccess":{"rejectedSpans":1.5,"errorMessage":"odd"}}`, 0, "odd"},
		"json empty":            {"application/json", `{}`, 0, ""},
		"json null":             {"application/json", `{"partialSuccess":null}`, 0, ""},
		"json cut off":          {"application/json", `{"partialSuccess":{"rejectedSpans":"7"`, 0, ""},
		"html":                  {"text/html", some, 0, ""},
		"broken content type":   {"a/b/c", some, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			spans, message := otlp.Rejected(test.contentType, []byte(test.body))
			if spans != test.spans || message != test.message {
				t.Errorf("%d, %q, want %d, %q", spans, message, test.spans, test.message)
			}
		})
	}
}
