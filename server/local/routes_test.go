package local

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/server/internal/traces/tracestest"
)

// tap keeps the bodies of OTLP requests, and says that they were taken.
type tap struct {
	mu     sync.Mutex
	bodies [][]byte
}

func (p *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		from = z
	}
	body, err := io.ReadAll(from)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bodies = append(p.bodies, body)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// pipeline is a session as users write it.
func pipeline(ctx context.Context, provider trace.TracerProvider) {
	ctx, session := sessionspan.StartSession(ctx, "answer", sessionspan.WithSessionID(sessionID),
		sessionspan.WithInputs(map[string]any{"question": "Why?", "id": int64(9007199254740993), "z": 1, "a": nil}),
		sessionspan.WithUserProperties(map[string]any{"user": "ann"}))
	rctx, retrieve := sessionspan.StartEvent(ctx, sessionspan.Retriever, "retrieve", sessionspan.WithQuery("Why?"))
	retrieve.SetDocuments(sessionspan.Document{ID: "d1", Score: 0.5, Content: "Because \u2028 <b>"})
	_, nested := sessionspan.StartEvent(rctx, sessionspan.Tool, "embed", sessionspan.WithInputs(map[string]any{"n": 1.5}))
	nested.RecordError(errors.New("no luck"))
	nested.End()
	retrieve.End()
	_, plain := provider.Tracer("db").Start(ctx, "SELECT")
	plain.End()
	_, other := provider.Tracer("llm").Start(ctx, "chat m")
	other.SetAttributes(attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.request.model", "m"), attribute.Int("gen_ai.usage.input_tokens", 7))
	other.End()
	session.SetReply(sessionspan.Message{Role: "assistant", Content: "Because."})
	session.SetFeedback(map[string]any{"rating": 1})
	session.End()
}

// TestSameRecord stores the same session, whichever way it comes.
func TestSameRecord(t *testing.T) {
	byHTTP, byV1, byOTLP := start(t), start(t), start(t)
	kept := new(tap)
	middle := httptest.NewServer(kept)
	defer middle.Close()
	sdk, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(middle.URL+"/v1/traces"), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	if err != nil {
		t.Fatal(err)
	}
	v1, err := exporter.NewHTTP(exporter.HTTPConfig{URL: byV1.URL(), V1: true, Gzip: true})
	if err != nil {
		t.Fatal(err)
	}
	tracer, err := sessionspan.New(sessionspan.WithProject("p"), sessionspan.WithSource("s"), sessionspan.WithoutEnvironment(),
		sessionspan.WithHTTP(exporter.HTTPConfig{URL: byHTTP.URL()}), sessionspan.WithDestination(v1),
		sessionspan.WithOTLP(exporter.OTLPConfig{URL: byOTLP.URL() + "/v1/traces"}), sessionspan.WithSpanExporter(sdk))
	if err != nil {
		t.Fatal(err)
	}
	pipeline(sessionspan.ContextWithTracer(t.Context(), tracer), tracer.TracerProvider())
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := content(t, byHTTP)
	if len(want) != 5 { // a session, three events, and a step of the program between them
		t.Fatalf("%d records by HTTP: %v", len(want), want)
	}
	same := func(name string, s *Server) {
		t.Helper()
		if diff := cmp.Diff(want, content(t, s)); diff != "" {
			t.Errorf("%s (- HTTP, + this): %s", name, diff)
		}
	}
	same("OTLP", byOTLP)

	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = encoder.Close() }()
	for name, c := range map[string]struct {
		contentType, encoding string
		encode                func([]byte) []byte
	}{
		"protobuf": {"application/x-protobuf", "", func(b []byte) []byte { return b }},
		"JSON":     {"application/json; charset=utf-8", "", func(b []byte) []byte { return tracestest.JSON(t, b) }},
		"gzip": {"application/x-protobuf", "gzip", func(b []byte) []byte {
			var out bytes.Buffer
			z := gzip.NewWriter(&out)
			_, _ = z.Write(b)
			_ = z.Close()
			return out.Bytes()
		}},
		"zstd": {"application/x-protobuf", "zstd", func(b []byte) []byte { return encoder.EncodeAll(b, nil) }},
	} {
		s := start(t)
		for range 2 { // twice is once
			for _, body := range kept.bodies {
				status, answer := send(t, http.MethodPost, s.URL()+"/opentelemetry/v1/traces", c.contentType, c.encode(body), "Content-Encoding", c.encoding)
				if status != http.StatusOK || answer != "" && answer != "{}" {
					t.Fatalf("%s: %d %s", name, status, answer)
				}
			}
		}
		same("the SDK's exporter by "+name, s)
	}

	// The newer routes do not declare the project, which the key decides: it stands
	// in the metadata.
	for id, text := range content(t, byV1) {
		if strings.HasPrefix(text, "{\n  \"project\"") || strings.Contains(text, "\n  \"project\"") {
			t.Errorf("%s: %s", id, text)
		}
	}
	if got := len(content(t, byV1)); got != len(want) {
		t.Errorf("%d records by the newer routes", got)
	}
}
