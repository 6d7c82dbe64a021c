package collect

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

func TestCount(t *testing.T) {
	span := &tracepb.Span{Name: "x", Attributes: nil}
	request, err := proto.Marshal(&coltracepb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{
		{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span, span}}, {Spans: []*tracepb.Span{span}}}},
		{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body body
		want int
	}{
		"OTLP":          {body{otlpTraces, "", request}, 4},
		"OTLP, gzip":    {body{otlpTraces, "gzip", zipped(t, request)}, 4},
		"OTLP, zstd":    {body{otlpTraces, "zstd", zstdded(t, request)}, 4},
		"session":       {body{honeyhiveOne, "", []byte(`{"session":{}}`)}, 1},
		"events":        {body{honeyhiveBatch, "", []byte(`{"events":[{},{},{}]}`)}, 3},
		"langfuse":      {body{langfuseBatch, "", []byte(`{"batch":[{},{}]}`)}, 2},
		"datadog":       {body{datadogSpans, "", []byte(`[{"spans":[{}]},{"spans":[{},{}]}]`)}, 3},
		"anything else": {body{other, "", []byte(`x`)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if n, err := count(c.body); n != c.want || err != nil {
				t.Errorf("got %d, %v, want %d", n, err, c.want)
			}
		})
	}
}

func TestCountRefuses(t *testing.T) {
	for name, b := range map[string]body{
		"OTLP":     {otlpTraces, "", []byte{0x0a, 0x05, 1}},
		"JSON":     {honeyhiveBatch, "", []byte(`{"events":[`)},
		"one":      {honeyhiveOne, "", []byte(`{`)},
		"gzip":     {otlpTraces, "gzip", []byte("no")},
		"encoding": {otlpTraces, "br", []byte("no")},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := count(b); err == nil {
				t.Error("no error")
			}
		})
	}
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdded(t *testing.T, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}
