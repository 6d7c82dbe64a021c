package exporter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/internal/delivery"
)

// OTLPConfig describes an endpoint that takes spans by OTLP/HTTP.
type OTLPConfig struct {
	// URL of the endpoint, such as http://localhost:4318/v1/traces; /v1/traces
	// is added where it has no path. When empty, the OTEL_EXPORTER_OTLP_*
	// variables decide, and their default is https://localhost:4318/v1/traces.
	URL string
	// Headers are sent with each request, beside those of
	// OTEL_EXPORTER_OTLP_HEADERS, which they replace where both are set.
	Headers map[string]string `json:"-"`
	// Key is sent as a bearer token if it is not empty. Neither it nor the
	// headers are ever logged, printed or quoted in an error.
	Key string `json:"-"`
	// BucketKeys writes each bucket (inputs, outputs and so on) as one attribute
	// for each key, which is the form that HoneyHive's own endpoint reads. The
	// default writes one attribute with a JSON object, which loses nothing. It
	// is always on for a URL that ends in /opentelemetry/v1/traces, HoneyHive's.
	BucketKeys bool
	// Transport sends the requests; nil for one of its own, with proxies and
	// certificates from the environment. Redirects are never followed. It must
	// not be traced by the provider whose spans it sends.
	Transport http.RoundTripper
}

// Format prints the URL alone, for every verb: headers hold keys.
func (c OTLPConfig) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "OTLP to %q", hostOf(c.URL)) }

// hostOf returns the host of a URL, or nothing of what is none.
func hostOf(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Host
	}
	return ""
}

// NewOTLP returns an exporter that sends spans to a collector by OTLP/HTTP. It
// takes every span of its provider. Those of a session carry the attributes that
// HoneyHive's endpoint reads.
//
// The variables OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _COMPRESSION, _TIMEOUT,
// _CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY, and their _TRACES_ forms,
// are read as the OpenTelemetry specification has it; the configuration wins
// over them. It does no network itself.
//
// Retries are those of [NewHTTP].
func NewOTLP(cfg OTLPConfig, options ...Option) (*Exporter, error) {
	e, err := newOTLP(cfg, options)
	if err != nil {
		return nil, fmt.Errorf("export by OTLP: %w", err)
	}
	return e, nil
}

func newOTLP(cfg OTLPConfig, options []Option) (*Exporter, error) {
	endpoint, err := otlpEndpoint(cfg.URL)
	if err != nil {
		return nil, err
	}
	if p := otlpEnv("PROTOCOL"); p == "grpc" {
		return nil, errors.New("OTEL_EXPORTER_OTLP_PROTOCOL is grpc, which is not supported: use http/protobuf and the port of OTLP/HTTP, usually 4318")
	}
	transport := cfg.Transport
	if transport == nil {
		tlsConfig, err := otlpTLS()
		if err != nil {
			return nil, err
		}
		transport = delivery.NewTransport(tlsConfig)
	}
	c := newConfig("otlp "+endpoint.Host, options)
	limits := c.engine()
	if limits.Timeout == 0 {
		limits.Timeout = otlpTimeout()
	}
	bucketKeys := cfg.BucketKeys || strings.HasSuffix(endpoint.Path, "/opentelemetry/v1/traces")
	if c.spoolDir != "" {
		return newSpooledOTLP(c, limits, endpoint, otlpHeaders(cfg), transport, bucketKeys)
	}
	hide := delivery.NewSecrets("", otlpHeaders(cfg))
	client := &http.Client{Transport: observer{transport, hide}, CheckRedirect: delivery.NoRedirect}
	settings := []otlptracehttp.Option{
		otlptracehttp.WithHTTPClient(client),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}), // the queue retries
	}
	if cfg.URL != "" {
		settings = append(settings, otlptracehttp.WithEndpointURL(endpoint.String()))
	}
	if headers := otlpHeaders(cfg); cfg.Key != "" || len(cfg.Headers) > 0 {
		settings = append(settings, otlptracehttp.WithHeaders(headers))
	}
	limits.InFlight = 1 // SpanExporter.ExportSpans is not called concurrently
	exp := otlptrace.NewUnstarted(otlptracehttp.NewClient(settings...))
	if err := exp.Start(context.Background()); err != nil {
		return nil, err
	}
	d := &collector{exporter: exp, privacy: c.privacy, bucketKeys: bucketKeys, hide: hide, cut: c.cutter()}
	return &Exporter{
		engine: delivery.New(limits, d), privacy: c.privacy,
		close: func(ctx context.Context) error {
			client.CloseIdleConnections()
			return exp.Shutdown(ctx)
		},
	}, nil
}

// otlpEndpoint returns the URL that requests go to.
func otlpEndpoint(configured string) (*url.URL, error) {
	raw, signal := configured, true
	if raw == "" {
		raw = os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	}
	if raw == "" {
		raw, signal = os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), false
	}
	if raw == "" {
		raw = "https://localhost:4318"
	}
	// A scheme of http is how OpenTelemetry says that plain text is meant.
	u, err := delivery.CheckURL(strings.TrimSpace(raw), true)
	if err != nil {
		return nil, err
	}
	if !signal || configured != "" && u.Path == "" {
		u.Path += "/v1/traces"
	}
	return u, nil
}

func otlpHeaders(cfg OTLPConfig) map[string]string {
	headers := make(map[string]string)
	if cfg.Key != "" {
		headers["Authorization"] = "Bearer " + strings.TrimSpace(cfg.Key)
	}
	maps.Copy(headers, cfg.Headers)
	for name, value := range envHeaders() {
		if _, ok := headers[name]; !ok {
			headers[name] = value
		}
	}
	return headers
}

// envHeaders reads OTEL_EXPORTER_OTLP_HEADERS: key=value pairs, percent-encoded
// and separated by commas.
func envHeaders() map[string]string {
	headers := make(map[string]string)
	for pair := range strings.SplitSeq(otlpEnv("HEADERS"), ",") {
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if ok && err == nil && name != "" {
			headers[name] = decoded
		}
	}
	return headers
}

// otlpEnv returns the value of a variable for traces, or for all signals.
func otlpEnv(name string) string {
	if v := strings.TrimSpace(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_" + name)); v != "" {
		return v
	}
	return strings.TrimSpace(os.Getenv("OTEL_EXPORTER_OTLP_" + name))
}

// otlpTimeout returns the time of one request: in milliseconds in the variable,
// and 10 s by the specification.
func otlpTimeout() time.Duration {
	if ms, err := strconv.Atoi(otlpEnv("TIMEOUT")); err == nil && ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return 10 * time.Second
}

// collector is the destination of spans that go to a collector.
type collector struct {
	exporter   sdktrace.SpanExporter
	privacy    privacy
	cut        cutter
	bucketKeys bool
	hide       delivery.Secrets
	spansOnly
}

// Encode prepares the copy of the span that the endpoint gets.
func (o *collector) Encode(r *delivery.Record) error {
	r.Value = collectorSpan(o.cut.span(o.privacy.span(r.Value.(sdktrace.ReadOnlySpan))), o.bucketKeys)
	return nil
}

// Send exports a batch and judges the answer of the server, which the exporter
// itself tells as text alone.
func (o *collector) Send(ctx context.Context, batch []*delivery.Record) delivery.Result {
	var seen delivery.Answer
	ctx = context.WithValue(ctx, observedKey{}, &seen)
	err := o.hide.Error(o.exporter.ExportSpans(ctx, spansOf(batch)))
	switch {
	case err == nil:
		return delivery.Result{Outcome: delivery.Delivered}
	case seen.Status == 0 && seen.Err == nil && ctx.Err() == nil:
		// Nothing was sent: the batch could not be encoded.
		return delivery.Result{Outcome: delivery.Bad, Err: err}
	case seen.Status >= 200 && seen.Status < 300:
		return delivery.Result{Outcome: delivery.Delivered, Refused: rejected(&seen, len(batch)), Err: err}
	case seen.Status == 0:
		return delivery.Result{Outcome: delivery.Retry, Err: err}
	}
	result := seen.Result()
	result.Err = wrap("send spans", result.Err)
	return result
}

func spansOf(batch []*delivery.Record) []sdktrace.ReadOnlySpan {
	spans := make([]sdktrace.ReadOnlySpan, len(batch))
	for i, r := range batch {
		spans[i] = r.Value.(sdktrace.ReadOnlySpan)
	}
	return spans
}

// rejected reads how many spans a partial success left out.
func rejected(a *delivery.Answer, most int) int {
	var response coltracepb.ExportTraceServiceResponse
	var err error
	if strings.Contains(a.Header.Get("Content-Type"), "json") {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(a.Body, &response)
	} else {
		err = proto.Unmarshal(a.Body, &response)
	}
	if err != nil {
		return 0
	}
	return int(min(max(0, response.GetPartialSuccess().GetRejectedSpans()), int64(most)))
}

// observer keeps the answer to a request for the one who sent it.
type observer struct {
	next http.RoundTripper
	hide delivery.Secrets
}

type observedKey struct{}

func (o observer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := o.next.RoundTrip(req)
	seen, ok := req.Context().Value(observedKey{}).(*delivery.Answer)
	if !ok {
		return resp, err
	}
	if err != nil {
		*seen = delivery.Answer{Err: err}
		return resp, err
	}
	*seen = delivery.ReadAnswer(resp)
	seen.Hide = o.hide
	if seen.Err != nil {
		return nil, seen.Err
	}
	resp.Body = seen.Reader()
	return resp, nil
}
