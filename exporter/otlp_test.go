package exporter_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/pipeline"
)

func newOTLP(cfg exporter.OTLPConfig, options ...exporter.Option) (*exporter.Exporter, error) {
	return exporter.NewOTLP(cfg, append([]exporter.Option{exporter.WithErrorHandler(nil)}, options...)...)
}

// collected decodes the spans that a collector got.
func collected(t *testing.T, s *server) []*tracepb.Span {
	t.Helper()
	var spans []*tracepb.Span
	for _, r := range s.seen() {
		for _, rs := range decode(t, r).GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				spans = append(spans, ss.GetSpans()...)
			}
		}
	}
	return spans
}

func decode(t *testing.T, r request) *coltracepb.ExportTraceServiceRequest {
	t.Helper()
	body := r.body
	if r.header.Get("Content-Encoding") == "gzip" {
		zr, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body, err = io.ReadAll(zr); err != nil {
			t.Fatal(err)
		}
	}
	var req coltracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		t.Fatal(err)
	}
	return &req
}

func find(t *testing.T, spans []*tracepb.Span, name string) (*tracepb.Span, map[string]*commonpb.AnyValue) {
	t.Helper()
	for _, s := range spans {
		if s.GetName() == name {
			m := map[string]*commonpb.AnyValue{}
			for _, kv := range s.GetAttributes() {
				if _, twice := m[kv.GetKey()]; twice {
					t.Errorf("%s: %s stands twice", name, kv.GetKey())
				}
				m[kv.GetKey()] = kv.GetValue()
			}
			return s, m
		}
	}
	t.Fatalf("no span %q among %d", name, len(spans))
	return nil, nil
}

// accept answers as a collector does.
func accept(_ int, w http.ResponseWriter, _ request) {
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// TestCollector decodes what a collector receives: every span of a session
// carries what HoneyHive's endpoint reads.
func TestCollector(t *testing.T) {
	srv := newServer(t, accept)
	e, err := newOTLP(exporter.OTLPConfig{URL: srv.URL, Key: "k", Headers: map[string]string{"x-tenant": "acme"}})
	tracer := tracerFor(t, e, err)
	plain := tracer.TracerProvider().Tracer("plain")
	ctx, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{"q": "é", "n": 1}))
	ctx, m := sessionspan.StartEvent(ctx, sessionspan.Model, "llm", sessionspan.WithModel("openai", "gpt"))
	m.SetReply(sessionspan.Message{Role: "assistant", Content: "hi"})
	m.RecordError(errors.New("failed"))
	hctx, h := plain.Start(ctx, "GET", trace.WithSpanKind(trace.SpanKindClient))
	_, g := plain.Start(hctx, "foreign", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat")))
	g.End()
	h.End()
	m.End()
	s.End()
	_, outside := plain.Start(t.Context(), "outside")
	outside.End()
	flush(t, tracer)

	if r := srv.seen()[0]; r.path != "/v1/traces" || r.header.Get("X-Tenant") != "acme" || r.header.Get("Authorization") != "Bearer k" || r.header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("%s %v", r.path, r.header)
	}
	spans := collected(t, srv)
	if len(spans) != 5 {
		t.Fatalf("%d spans", len(spans))
	}
	for _, name := range []string{"s", "llm", "GET", "foreign"} {
		_, a := find(t, spans, name)
		if a["honeyhive.session_id"].GetStringValue() != s.ID() || !a["honeyhive.session_auto_create"].GetBoolValue() ||
			a["honeyhive.project"].GetStringValue() != "p" || a["honeyhive.source"].GetStringValue() != "s" {
			t.Errorf("%s: %v", name, a)
		}
	}
	root, a := find(t, spans, "s")
	if a["honeyhive_event_type"].GetStringValue() != "session" || a["honeyhive_event_id"].GetStringValue() != s.ID() || a["honeyhive.session_name"].GetStringValue() != "s" ||
		a["honeyhive_inputs"].GetStringValue() != `{"n":1,"q":"é"}` || a["honeyhive_children_ids"].GetArrayValue().GetValues()[0].GetStringValue() != m.ID() {
		t.Errorf("%v", a)
	}
	llm, a := find(t, spans, "llm")
	if a["honeyhive_event_type"].GetStringValue() != "model" || a["honeyhive_event_id"].GetStringValue() != m.ID() || a["honeyhive_event_name"].GetStringValue() != "llm" ||
		a["honeyhive_parent_id"].GetStringValue() != s.ID() || a["honeyhive_error"].GetStringValue() != "failed" || a["gen_ai.request.model"].GetStringValue() != "gpt" ||
		a["gen_ai.output.messages"].GetStringValue() == "" {
		t.Errorf("%v", a)
	}
	if !bytes.Equal(llm.GetParentSpanId(), root.GetSpanId()) || llm.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR || len(llm.GetEvents()) != 1 || llm.GetKind() != tracepb.Span_SPAN_KIND_CLIENT {
		t.Errorf("%v", llm)
	}
	if _, a := find(t, spans, "foreign"); a["honeyhive_event_type"].GetStringValue() != "model" || a["honeyhive_parent_id"].GetStringValue() != m.ID() || a["honeyhive_event_id"].GetStringValue() == "" {
		t.Errorf("%v", a)
	}
	if _, a := find(t, spans, "outside"); len(a) != 0 {
		t.Errorf("a span of no session: %v", a)
	}
	if s := e.Stats(); s.Created != 5 || s.Delivered != 5 {
		t.Errorf("%+v", s)
	}
}

// TestBucketKeys looks at the form that HoneyHive's endpoint reads.
func TestBucketKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		path string
		keys bool
	}{
		"asked for":   {"/v1/traces", true},
		"by the path": {"/opentelemetry/v1/traces", false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t, accept)
			e, err := newOTLP(exporter.OTLPConfig{URL: srv.URL + tc.path, BucketKeys: tc.keys})
			tracer := tracerFor(t, e, err)
			_, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{
				"text": "é\n", "int": int64(9007199254740993), "float": 1.5, "bool": true, "null": nil, "list": []any{1, "a"}, "map": map[string]any{"k": 1}, "huge": uint64(18446744073709551615),
			}))
			s.End()
			flush(t, tracer)
			if got := srv.seen()[0].path; got != tc.path {
				t.Errorf("path %s", got)
			}
			_, a := find(t, collected(t, srv), "s")
			got := map[string]any{}
			for k, v := range a {
				if name, ok := strings.CutPrefix(k, "honeyhive_inputs."); ok {
					switch v := v.GetValue().(type) {
					case *commonpb.AnyValue_StringValue:
						got[name] = v.StringValue
					case *commonpb.AnyValue_IntValue:
						got[name] = v.IntValue
					case *commonpb.AnyValue_DoubleValue:
						got[name] = v.DoubleValue
					case *commonpb.AnyValue_BoolValue:
						got[name] = v.BoolValue
					}
				}
			}
			want := map[string]any{"text": "é\n", "int": int64(9007199254740993), "float": 1.5, "bool": true, "null": "null", "list": `[1,"a"]`, "map": `{"k":1}`, "huge": "18446744073709551615"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if a["honeyhive_inputs"] != nil {
				t.Error("the bucket is there twice")
			}
		})
	}
}

func TestOTLPEnvironment(t *testing.T) {
	srv := newServer(t, accept)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL+"/base/")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-a=1%202,x-b=2")
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	for name, tc := range map[string]struct {
		cfg exporter.OTLPConfig
		env map[string]string
		b   string
		at  string
	}{
		"alone":   {exporter.OTLPConfig{}, nil, "2", "/base/v1/traces"},
		"headers": {exporter.OTLPConfig{Headers: map[string]string{"x-b": "3"}}, nil, "3", "/base/v1/traces"},
		"traces":  {exporter.OTLPConfig{}, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": srv.URL + "/as/it/is", "OTEL_EXPORTER_OTLP_TIMEOUT": "2000"}, "2", "/as/it/is"},
		"option":  {exporter.OTLPConfig{URL: srv.URL + "/option"}, nil, "2", "/option"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			before := len(srv.seen())
			e, err := newOTLP(tc.cfg)
			tracer := tracerFor(t, e, err)
			run(tracer, "s")
			flush(t, tracer)
			r := srv.seen()[before]
			if r.path != tc.at || r.header.Get("X-A") != "1 2" || r.header.Get("X-B") != tc.b || r.header.Get("Content-Encoding") != "gzip" {
				t.Errorf("%s %v", r.path, r.header)
			}
			decode(t, r)
		})
	}
}

func TestOTLPCertificates(t *testing.T) {
	srv := new(server)
	srv.Server = httptest.NewTLSServer(srv.handler(t, accept))
	defer srv.Close()
	defer srv.CloseClientConnections()
	dir := t.TempDir()
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", file)
	e, err := newOTLP(exporter.OTLPConfig{})
	tracer := tracerFor(t, e, err)
	run(tracer, "s")
	flush(t, tracer)
	if len(collected(t, srv)) != 1 {
		t.Error("nothing arrived")
	}
	for name, content := range map[string]string{"junk": "x", "missing": ""} {
		bad := filepath.Join(dir, name)
		if content != "" {
			if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", bad)
		if _, err := newOTLP(exporter.OTLPConfig{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "")
	t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", file)
	if _, err := newOTLP(exporter.OTLPConfig{}); err == nil {
		t.Error("a client certificate without a key is taken")
	}
}

// TestOTLPRetries lets a collector fail in each way that passes.
func TestOTLPRetries(t *testing.T) {
	for name, fail := range map[string]answer{
		"429 with a wait": func(_ int, w http.ResponseWriter, _ request) { w.Header().Set("Retry-After", "9"); w.WriteHeader(429) },
		"500":             func(_ int, w http.ResponseWriter, _ request) { w.WriteHeader(500) },
		"503":             func(_ int, w http.ResponseWriter, _ request) { w.WriteHeader(503) },
		"404":             func(_ int, w http.ResponseWriter, _ request) { w.WriteHeader(404) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.answer = func(n int, w http.ResponseWriter, r request) {
					if n < 3 {
						fail(n, w, r)
						return
					}
					accept(n, w, r)
				}
				e, err := newOTLP(exporter.OTLPConfig{URL: "http://localhost", Transport: f})
				tracer := tracerFor(t, e, err)
				start := time.Now()
				run(tracer, "s", "a")
				time.Sleep(5 * time.Minute)
				if s := e.Stats(); s.Delivered != 2 || s.Retried == 0 {
					t.Errorf("%+v", s)
				}
				if wait := f.seen()[1].at.Sub(start); strings.HasPrefix(name, "429") && wait < 9*time.Second {
					t.Errorf("tried again after %s", wait)
				}
			})
		})
	}
}

// TestOTLPConnections lets a real collector be away, and hang up.
func TestOTLPConnections(t *testing.T) {
	var once sync.Once
	srv := newServer(t, func(n int, w http.ResponseWriter, r request) {
		hungUp := false
		once.Do(func() {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			hungUp = true
			_ = conn.Close()
		})
		if !hungUp {
			accept(n, w, r)
		}
	})
	e, err := newOTLP(exporter.OTLPConfig{URL: srv.URL})
	tracer := tracerFor(t, e, err)
	run(tracer, "s", "a")
	flush(t, tracer)
	if s := e.Stats(); s.Delivered != 2 || s.Retried != 2 {
		t.Errorf("%+v", s)
	}
}

// TestOTLPBadSpans sends spans among which one is refused, one of which the
// server takes a part, and texts that protocol buffers do not take.
func TestOTLPBadSpans(t *testing.T) {
	t.Run("400", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{answer: func(n int, w http.ResponseWriter, r request) {
				if bytes.Contains(r.body, []byte("poison")) {
					http.Error(w, "no", 400)
					return
				}
				accept(n, w, r)
			}}
			e, err := newOTLP(exporter.OTLPConfig{URL: "http://localhost", Transport: f})
			tracer := tracerFor(t, e, err)
			run(tracer, "s", "a", "poison", "b", "c")
			time.Sleep(time.Minute)
			if s := e.Stats(); s.Delivered != 4 || s.Dropped[exporter.Refused] != 1 {
				t.Errorf("%+v", s)
			}
		})
	})
	t.Run("partial success", func(t *testing.T) {
		for _, kind := range []string{"application/x-protobuf", "application/json"} {
			var reports errorList
			srv := newServer(t, func(_ int, w http.ResponseWriter, _ request) {
				w.Header().Set("Content-Type", kind)
				if strings.Contains(kind, "json") {
					_, _ = io.WriteString(w, `{"partialSuccess":{"rejectedSpans":"2","errorMessage":"two are bad"}}`)
					return
				}
				data, _ := proto.Marshal(&coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "two are bad"}})
				_, _ = w.Write(data)
			})
			e, err := exporter.NewOTLP(exporter.OTLPConfig{URL: srv.URL}, exporter.WithErrorHandler(reports.add))
			tracer := tracerFor(t, e, err)
			run(tracer, "s", "a", "b", "c")
			_ = tracer.ForceFlush(t.Context())
			if s := e.Stats(); s.Delivered != 2 || s.Dropped[exporter.Refused] != 2 || !strings.Contains(reports.text(), "two are bad") {
				t.Errorf("%s: %+v %s", kind, s, reports.text())
			}
		}
	})
	t.Run("invalid UTF-8", func(t *testing.T) {
		srv := newServer(t, accept)
		e, err := newOTLP(exporter.OTLPConfig{URL: srv.URL})
		tracer := tracerFor(t, e, err)
		const bad = "a\xffb"
		plain := tracer.TracerProvider().Tracer("plain")
		ctx, s := tracer.StartSession(t.Context(), bad, sessionspan.WithInputs(map[string]any{bad: bad}))
		s.RecordError(errors.New(bad))
		_, f := plain.Start(ctx, bad, trace.WithAttributes(attribute.String("gen_ai."+bad, bad), attribute.StringSlice("l", []string{"x", bad}),
			attribute.Slice("s", attribute.StringValue(bad)), attribute.Map("m", attribute.String(bad, bad), attribute.Int("n", 1))),
			trace.WithLinks(trace.Link{SpanContext: s.Span().SpanContext(), Attributes: []attribute.KeyValue{attribute.String("k", bad)}}))
		f.AddEvent(bad, trace.WithAttributes(attribute.String(bad, bad)))
		f.End()
		s.End()
		flush(t, tracer)
		if spans := collected(t, srv); len(spans) != 2 || spans[0].GetName() != "a\uFFFDb" {
			t.Errorf("%v", spans)
		}
	})
}

// TestOTLPKeepsTheBatchWhole sends spans of two scopes and keeps each under its
// own, with the resource.
func TestOTLPKeepsTheBatchWhole(t *testing.T) {
	srv := newServer(t, accept)
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "rag"))))
	e, err := newOTLP(exporter.OTLPConfig{URL: srv.URL})
	tracer := tracerFor(t, e, err, sessionspan.WithTracerProvider(provider))
	for _, scope := range []string{"one", "two"} {
		for range 3 {
			_, s := provider.Tracer(scope).Start(t.Context(), scope)
			s.End()
		}
	}
	flush(t, tracer)
	got := map[string]int{}
	for _, r := range srv.seen() {
		for _, rs := range decode(t, r).GetResourceSpans() {
			for _, kv := range rs.GetResource().GetAttributes() {
				if kv.GetKey() == "service.name" && kv.GetValue().GetStringValue() != "rag" {
					t.Errorf("resource %v", kv)
				}
			}
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					if s.GetName() != ss.GetScope().GetName() {
						t.Errorf("span %s is under scope %s", s.GetName(), ss.GetScope().GetName())
					}
					got[s.GetName()]++
				}
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"one": 3, "two": 3}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOTLPShutdownOfADeadCollector(t *testing.T) {
	srv := newServer(t, accept)
	url := srv.URL
	srv.Close()
	e, err := newOTLP(exporter.OTLPConfig{URL: url})
	tracer := tracerFor(t, e, err)
	run(tracer, "s", "a")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = tracer.Shutdown(ctx)
	if err == nil || !strings.Contains(err.Error(), "2 records were left in memory") {
		t.Errorf("error %v", err)
	}
	if s := e.Stats(); s.Dropped[exporter.Closed] != 2 {
		t.Errorf("%+v", s)
	}
}

func TestOTLPUpdates(t *testing.T) {
	e, err := newOTLP(exporter.OTLPConfig{URL: "http://127.0.0.1:9"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Update(honeyhive.NewUUID(), new(honeyhive.Update)); !errors.Is(err, exporter.ErrNoUpdates) || !pipeline.Of(e).TakesSpans() {
		t.Errorf("error %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", e, e, e); !strings.Contains(text, "127.0.0.1:9") {
		t.Error(text)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
