package sessionspan_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// countingProvider is a provider that counts who registers there.
type countingProvider struct {
	*sdktrace.TracerProvider
	registered, unregistered int
}

func (p *countingProvider) RegisterSpanProcessor(s sdktrace.SpanProcessor) {
	p.registered++
	p.TracerProvider.RegisterSpanProcessor(s)
}

func (p *countingProvider) UnregisterSpanProcessor(s sdktrace.SpanProcessor) {
	p.unregistered++
	p.TracerProvider.UnregisterSpanProcessor(s)
}

// countingExporter is a SpanExporter that counts its ends.
type countingExporter struct {
	tracetest.NoopExporter
	shutdowns atomic.Int64
}

func (e *countingExporter) Shutdown(context.Context) error {
	e.shutdowns.Add(1)
	return nil
}

// brokenMeters makes meters of which one method fails.
type brokenMeters struct {
	noopmetric.MeterProvider
	counter, gauge, callback error
}

func (m *brokenMeters) Meter(string, ...metric.MeterOption) metric.Meter {
	return &brokenMeter{broken: m}
}

type brokenMeter struct {
	noopmetric.Meter
	broken *brokenMeters
}

func (m *brokenMeter) Int64ObservableCounter(name string, o ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	c, _ := m.Meter.Int64ObservableCounter(name, o...)
	return c, m.broken.counter
}

func (m *brokenMeter) Float64ObservableGauge(name string, o ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	c, _ := m.Meter.Float64ObservableGauge(name, o...)
	return c, m.broken.gauge
}

func (m *brokenMeter) RegisterCallback(f metric.Callback, o ...metric.Observable) (metric.Registration, error) {
	r, _ := m.Meter.RegisterCallback(f, o...)
	return r, m.broken.callback
}

// TestNewThatFails makes New fail in every way, and looks at what its caller made:
// the provider, its processors, and exporters of all kinds.
func TestNewThatFails(t *testing.T) {
	type options = []sessionspan.Option
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		env     map[string]string
		options options
	}{
		"instruments":             {options: options{sessionspan.WithMeterProvider(&brokenMeters{counter: io.ErrUnexpectedEOF})}},
		"last instrument":         {options: options{sessionspan.WithMeterProvider(&brokenMeters{gauge: io.ErrUnexpectedEOF})}},
		"callback of the metrics": {options: options{sessionspan.WithMeterProvider(&brokenMeters{callback: io.ErrUnexpectedEOF})}},
		"URL":                     {options: options{sessionspan.WithAPIURL("ftp://a.test")}},
		"no key":                  {options: options{sessionspan.WithAPIURL("https://a.test")}},
		"collector":               {options: options{sessionspan.WithOTLP(exporter.OTLPConfig{URL: ":"})}},
		"twice":                   {options: options{sessionspan.WithHTTP(exporter.HTTPConfig{URL: "http://127.0.0.1:9"}), sessionspan.WithHTTP(exporter.HTTPConfig{URL: "http://127.0.0.1:9"})}},
		"nil writer":              {options: options{sessionspan.WithWriter(nil)}},
		"nil span exporter":       {options: options{sessionspan.WithSpanExporter(nil)}},
		"spool in a file":         {options: options{sessionspan.WithSpool(file)}},
		"spool nowhere":           {options: options{sessionspan.WithSpool("")}},
		"option of a session":     {options: options{sessionspan.WithInputs(1)}},
		"no project":              {options: options{sessionspan.WithProject("")}},
		"variable":                {env: map[string]string{"HH_API_URL": "ftp://a.test"}},
		"provider that cannot":    {options: options{sessionspan.WithTracerProvider(nooptrace.NewTracerProvider())}},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			spans, spool := tracetest.NewSpanRecorder(), t.TempDir()
			provider := &countingProvider{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))}
			var lines bytes.Buffer
			theirs, err := exporter.NewLines(&lines)
			if err != nil {
				t.Fatal(err)
			}
			wrapped := new(countingExporter)
			all := options{
				sessionspan.WithTracerProvider(provider), sessionspan.WithDestination(theirs), sessionspan.WithSpanExporter(wrapped),
				sessionspan.WithAPIURL("http://127.0.0.1:9"), sessionspan.WithWriter(io.Discard), sessionspan.WithSpool(spool),
			}
			if name != "no project" {
				all = append(all, sessionspan.WithProject("p"))
			}
			if name == "variable" {
				all = append(all[:3:3], sessionspan.WithSpool(spool))
			}
			tracer, err := sessionspan.New(append(all, tc.options...)...)
			if err == nil || tracer != nil {
				t.Fatalf("%v, %v", tracer, err)
			}
			if provider.registered != provider.unregistered {
				t.Errorf("registered %d times and removed %d times", provider.registered, provider.unregistered)
			}
			if n := wrapped.shutdowns.Load(); n != 0 {
				t.Errorf("the caller's span exporter was shut down %d times", n)
			}
			// The provider and the exporter do what they did before.
			_, span := provider.Tracer("t").Start(t.Context(), "root", trace.WithAttributes(
				attribute.String("honeyhive_event_type", "session"), attribute.String("honeyhive.session_id", seedSession)))
			span.End()
			if n := len(spans.Ended()); n != 1 {
				t.Errorf("%d spans ended", n)
			}
			if err := theirs.ExportSpans(t.Context(), spans.Ended()); err != nil {
				t.Error(err)
			}
			if !bytes.Contains(lines.Bytes(), []byte(seedSession)) {
				t.Errorf("the caller's exporter wrote %q", &lines)
			}
			// Nothing holds the spool.
			again, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithAPIURL("http://127.0.0.1:9"), sessionspan.WithSpool(spool))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(again.Shutdown(t.Context()), theirs.Shutdown(t.Context()), provider.Shutdown(t.Context())); err != nil {
				t.Error(err)
			}
			goleak.VerifyNone(t, before)
		})
	}
}
