package exporter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// An exporter is a SpanExporter of OpenTelemetry, so it can stand behind any span
// processor, and turns spans of the plain API into payloads.
func ExampleNewLines() {
	e, err := exporter.NewLines(os.Stdout)
	if err != nil {
		fmt.Println(err)
		return
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(e))
	tracer := provider.Tracer("example")

	const id = "7f22137a-6911-4ed3-bc36-110f1dde6b66"
	start := time.UnixMilli(1712025501000)
	_, span := tracer.Start(context.Background(), "Playground Session", trace.WithTimestamp(start))
	span.SetAttributes(
		attribute.String(honeyhive.AttrSessionID, id),
		attribute.String(honeyhive.AttrEventType, honeyhive.TypeSession),
		attribute.String(honeyhive.AttrProject, "Simple RAG Project"),
		attribute.String(honeyhive.AttrSource, "playground"),
		attribute.String(honeyhive.AttrInputs, `{"question":"why?"}`),
	)
	span.End(trace.WithTimestamp(start.Add(1500 * time.Millisecond)))
	if err := provider.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"session":{"project":"Simple RAG Project","session_name":"Playground Session","source":"playground","session_id":"7f22137a-6911-4ed3-bc36-110f1dde6b66","inputs":{"question":"why?"},"duration":1500,"start_time":1712025501000,"end_time":1712025502500}}
}

// An ingestion key goes to the routes under /v1 alone.
func ExampleNewHTTP() {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
	}))
	defer server.Close()

	e, err := exporter.NewHTTP(exporter.HTTPConfig{
		URL: server.URL,
		Key: "hh_ingst_" + strings.Repeat("k", 24) + "_" + strings.Repeat("s", 64),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithDestination(e))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, session := tracer.StartSession(context.Background(), "Playground Session")
	session.End()
	if err := tracer.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// POST /v1/sessions
}

// A key of the wrong kind, and all else that is wrong, is an error at once.
func ExampleNewHTTP_wrong() {
	_, err := exporter.NewHTTP(exporter.HTTPConfig{
		URL: "api.honeyhive.ai",
		Key: "hh_fgdp_" + strings.Repeat("k", 24) + "_" + strings.Repeat("s", 64),
	}, exporter.WithLimits(exporter.Limits{InFlight: -1}))
	fmt.Println(err)
	// Output:
	// export to HTTP: WithLimits: Limits.InFlight is negative
	// HTTPConfig.URL: the URL must begin with https:// or http:// and name a host
	// HTTPConfig.Key: a data plane key (hh_fgdp_…) is for reading and writes no events: an ingestion key (hh_ingst_…) or a project key is needed
}

// Spans go to a collector with what users and models say left out.
func ExampleNewOTLP() {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}))
	defer collector.Close()

	e, err := exporter.NewOTLP(exporter.OTLPConfig{URL: collector.URL}, exporter.WithoutContent())
	if err != nil {
		fmt.Println(err)
		return
	}
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithDestination(e))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, session := tracer.StartSession(context.Background(), "Playground Session", sessionspan.WithInputs("hello"))
	session.End()
	if err := tracer.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// POST /v1/traces application/x-protobuf
}

// printer is a SpanExporter of somebody else.
type printer struct{}

func (printer) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, s := range spans {
		if s.Name() == "bad" {
			return errors.New("no such span")
		}
		fmt.Println(s.Name())
	}
	return nil
}

func (printer) Shutdown(context.Context) error { return nil }

// Any SpanExporter can be a destination, such as OpenTelemetry's own otlptracehttp.
func ExampleWrap() {
	e, err := exporter.Wrap(printer{})
	if err != nil {
		fmt.Println(err)
		return
	}
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithDestination(e))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, session := tracer.StartSession(context.Background(), "Playground Session")
	session.End()
	if err := tracer.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Playground Session
}

// Redactors see each text before it is written or sent.
func ExampleWithRedactor() {
	address := regexp.MustCompile(`[^\s"]+@[^\s"]+`)
	e, err := exporter.NewLines(os.Stdout, exporter.WithRedactor(func(_, text string) string {
		return address.ReplaceAllString(text, "[address]")
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	const id = "7f22137a-6911-4ed3-bc36-110f1dde6b66"
	update := &honeyhive.Update{EventID: honeyhive.Some(id)}
	update.Feedback, err = honeyhive.ObjectOf(map[string]any{"comment": "write to ann@example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := honeyhive.ParseUUID(id)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := e.Update(session, update); err != nil {
		fmt.Println(err)
	}
	if err := e.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"update":{"event_id":"7f22137a-6911-4ed3-bc36-110f1dde6b66","feedback":{"comment":"write to [address]"}}}
}

// The account of a destination says what became of each record.
func ExampleExporter_Stats() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}))
	defer server.Close()
	e, err := exporter.NewHTTP(exporter.HTTPConfig{URL: server.URL}, exporter.WithErrorHandler(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithDestination(e))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, session := tracer.StartSession(context.Background(), "Playground Session")
	session.End()
	_ = tracer.Shutdown(context.Background())
	s := e.Stats()
	fmt.Println(s.Created, "created,", s.Delivered, "delivered,", s.Dropped[exporter.Refused], "refused")
	// Output:
	// 1 created, 0 delivered, 1 refused
}
