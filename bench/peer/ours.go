package peer

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/bench/workload"
	"github.com/sessionspan/sessionspan/exporter"
)

// ours is how this library is set up.
type ours struct {
	otlp, spool bool
	compression exporter.Compression // none where it is empty
}

// limits are those of a queue that blocks when it is full, as for OpenTelemetry.
var limits = exporter.WithLimits(exporter.Limits{QueueWait: time.Minute, ValueBytes: -1})

func startOurs(o ours) func(Env) (Client, error) {
	return func(env Env) (Client, error) {
		compression := exporter.WithCompression(cmp.Or(o.compression, exporter.NoCompression))
		options := []sessionspan.Option{sessionspan.WithDefaults(limits, compression), sessionspan.WithProject("bench"), sessionspan.WithoutEnvironment()}
		if o.otlp {
			options = append(options, sessionspan.WithOTLP(exporter.OTLPConfig{URL: env.URL}))
		} else {
			options = append(options, sessionspan.WithHTTP(exporter.HTTPConfig{URL: env.URL, Key: "bench"}))
		}
		if o.spool {
			options = append(options, sessionspan.WithSpool(env.Dir))
		}
		return NewOurs(env.Raw, options...)
	}
}

// NewOurs returns this library with the given options.
func NewOurs(raw bool, options ...sessionspan.Option) (Client, error) {
	t, err := sessionspan.New(options...)
	if err != nil {
		return nil, fmt.Errorf("start sessionspan: %w", err)
	}
	return &oursClient{t, raw}, nil
}

// startOursBySDK sends the spans of this library by the SDK's own exporter, with
// gzip: what the same content takes on the wire without the library's encoder.
func startOursBySDK(env Env) (Client, error) {
	e, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(env.URL+"/v1/traces"), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	if err != nil {
		return nil, fmt.Errorf("start otlptracehttp: %w", err)
	}
	return NewOurs(env.Raw, sessionspan.WithDefaults(limits), sessionspan.WithoutEnvironment(), sessionspan.WithProject("bench"), sessionspan.WithSpanExporter(e))
}

type oursClient struct {
	tracer *sessionspan.Tracer
	raw    bool
}

func (c *oursClient) Flush(ctx context.Context) error { return c.tracer.ForceFlush(ctx) }
func (c *oursClient) Close(ctx context.Context) error { return c.tracer.Shutdown(ctx) }

func (c *oursClient) Root() Root {
	ctx, s := c.tracer.StartSession(context.Background(), rootName)
	return &oursRoot{ctx, s, c.raw}
}

type oursRoot struct {
	ctx     context.Context
	session *sessionspan.Session
	raw     bool
}

func (r *oursRoot) End() { r.session.End() }

func (r *oursRoot) Empty() {
	_, e := sessionspan.StartEvent(r.ctx, sessionspan.Chain, stepName)
	e.End()
}

func (r *oursRoot) Call(c *workload.Content) {
	_, e := sessionspan.StartEvent(r.ctx, sessionspan.Model, callName, sessionspan.WithModel(workload.Provider, workload.Model))
	if r.raw {
		e.SetConfig(c.RawParameters)
		e.SetInputs(c.RawInputs)
		e.SetOutputs(c.RawOutputs)
	} else {
		e.SetConfig(c.Parameters)
		e.SetInputs(c.Inputs)
		e.SetOutputs(c.Outputs)
	}
	e.SetUsage(sessionspan.Usage{InputTokens: workload.InputTokens, OutputTokens: workload.OutputTokens})
	e.End()
}
