package local

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A load is made of requests of batchSpans spans, in traces of batchTrace, each
// with batchContent bytes of content.
const (
	batchSpans   = 100
	batchTrace   = 20
	batchContent = 2000
)

// load is the n-th request of a load.
func load(t testing.TB, n int) []byte {
	t.Helper()
	var spans []*tracepb.Span
	now := uint64(time.Now().UnixNano())
	for i := range batchSpans {
		id := func(v int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)+1) }
		var parent []byte
		if i%batchTrace != 0 {
			parent = id(i / batchTrace * batchTrace)
		}
		content := strings.Repeat(fmt.Sprintf("word%d of request%d, ", i, n), batchContent/24)
		spans = append(spans, &tracepb.Span{
			TraceId: append(id(n), id(i/batchTrace)...), SpanId: id(i), ParentSpanId: parent, Name: "chat", StartTimeUnixNano: now, EndTimeUnixNano: now + 1e6,
			Attributes: []*commonpb.KeyValue{
				attr("gen_ai.operation.name", "chat"), attr("gen_ai.request.model", "m"),
				attr("gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"`+content+`"}]}]`),
			},
		})
	}
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}}})
	if err != nil {
		t.Error(err)
	}
	return body
}

func attr(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

// BenchmarkTraces takes requests of a load until they are durable.
func BenchmarkTraces(b *testing.B) {
	s := start(b)
	n := 0
	for b.Loop() {
		b.StopTimer()
		body := load(b, n)
		n++
		b.StartTimer()
		if status, answer := send(b, http.MethodPost, s.URL()+"/v1/traces", "application/x-protobuf", body); status != http.StatusOK {
			b.Fatal(answer)
		}
	}
	b.ReportMetric(float64(b.N*batchSpans)/b.Elapsed().Seconds(), "spans/s")
}
