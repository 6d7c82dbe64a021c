package exporter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/otlp"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/version"
)

// OTLPConfig describes an endpoint that takes spans by OTLP/HTTP.
type OTLPConfig struct {
	// URL of the endpoint, such as http://localhost:4318/v1/traces; /v1/traces
	// is added where it has no path. When empty, the OTEL_EXPORTER_OTLP_*
	// variables decide, and their default is https://localhost:4318/v1/traces.
	URL string
	// Headers are sent with each request, beside those of
	// OTEL_EXPORTER_OTLP_HEADERS, which they replace where both are set.
	Headers map[string]string `json:"-" xml:"-" yaml:"-"`
	// Key is sent as a bearer token if it is not empty. Neither it nor the
	// headers are ever logged, printed or quoted in an error.
	//
	// HoneyHive's endpoint takes project keys and ingestion keys. A data plane key
	// (hh_fgdp_), here or in a header, is an error, and so is an ingestion key
	// (hh_ingst_) that is not whole. See [honeyhive.ParseKey].
	Key string `json:"-" xml:"-" yaml:"-"`
	// KeySource is where the key is from, in place of Key: a text that nothing can print, a
	// variable, a file or a function; see [Key]. HoneyHive's data plane keys are an error
	// here too, when they are asked for.
	KeySource Key `json:"-" xml:"-" yaml:"-"`
	// Insecure allows to send a key to any address by http. Without it a key, and headers
	// whose names say that they hold credentials, go to https, and to loopback addresses,
	// alone; spans without such go by http where the URL says so, as the OpenTelemetry
	// specification has it. OTEL_EXPORTER_OTLP_INSECURE=true is the same.
	Insecure bool
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
// over them. Compression may also be zstd. NewOTLP does no network itself.
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
	c := newConfig("", options)
	endpoint := c.otlpEndpoint(cfg.URL)
	if p := otlpEnv("PROTOCOL"); p != "" && p != "http/protobuf" && p != "http/json" {
		c.check("OTEL_EXPORTER_OTLP_PROTOCOL", fmt.Errorf("%q is not supported: use http/protobuf and the port of OTLP/HTTP, usually 4318", p))
	}
	transport := c.transport(cfg.Transport, otlpTLS)
	limits := c.engine()
	if limits.Timeout == 0 {
		limits.Timeout = c.otlpTimeout()
	}
	named := cmp.Or(Compression(strings.ToLower(otlpEnv("COMPRESSION"))), NoCompression)
	compression := c.compressed(named)
	headers, secrets := c.otlpHeaders(cfg)
	c.checkKeySource("OTLPConfig", cfg.Key, cfg.KeySource)
	if endpoint != nil && !cfg.Insecure && (!cfg.KeySource.IsZero() || credentials(headers)) {
		c.check("OTLPConfig.URL", inTheClear(endpoint))
	}
	dir := c.directory()
	if len(c.problems) > 0 {
		return nil, errors.Join(c.problems...)
	}
	c.name = cmp.Or(c.name, "otlp "+endpoint.Host)
	limits.Name = c.name
	bucketKeys := cfg.BucketKeys || strings.HasSuffix(endpoint.Path, "/opentelemetry/v1/traces")
	client, err := delivery.NewClient(delivery.ClientConfig{
		URL: endpoint.String(), Insecure: true, ContentType: "application/x-protobuf", Headers: headers, Parts: secrets,
		Compression: compression, KeySource: cfg.KeySource.is, CheckKey: func(key string) ([]delivery.Secret, error) {
			_, part, err := writingKey(key)
			return []delivery.Secret{part}, err
		},
		UserAgent: "sessionspan-go/" + version.Version(), Transport: transport,
	})
	if err != nil {
		return nil, err
	}
	d := &collector{client: client, view: view{privacy: c.privacy, cut: c.cutter()}, bucketKeys: bucketKeys}
	e := &Exporter{
		engine: delivery.New(limits, d), privacy: c.privacy,
		closing: closing{what: c.name, do: func(context.Context) error { client.CloseIdle(); return nil }},
	}
	client.Report = e.engine.Report
	if path := strings.TrimSuffix(endpoint.Path, "/v1/traces"); cfg.Transport == nil && (path == "" || path == "/opentelemetry") {
		e.local, e.client = localAddress(endpoint), client
	}
	if err := known(named); err != nil { // the specification wants it said, and no compression
		e.engine.Report("environment", fmt.Errorf("OTEL_EXPORTER_OTLP_COMPRESSION: %w", err))
	}
	return e, c.keep(e.engine, dir, endpoint.String(), "otlp")
}

// otlpEndpoint returns the URL that requests go to, if it can be told.
func (c *config) otlpEndpoint(configured string) *url.URL {
	name, raw, signal := "OTLPConfig.URL", configured, true
	if raw == "" {
		name = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
		raw = os.Getenv(name)
	}
	if raw == "" {
		name = "OTEL_EXPORTER_OTLP_ENDPOINT"
		raw, signal = os.Getenv(name), false
	}
	if raw == "" {
		raw = "https://localhost:4318"
	}
	// A scheme of http is how OpenTelemetry says that plain text is meant.
	u, err := delivery.CheckURL(strings.TrimSpace(raw), true)
	if err != nil {
		c.check(name, err)
		return nil
	}
	if !signal || configured != "" && u.Path == "" {
		u.Path += "/v1/traces"
	}
	return u
}

// otlpHeaders returns the headers to send, and which parts of the keys in them are
// secret by themselves.
func (c *config) otlpHeaders(cfg OTLPConfig) (map[string]string, []delivery.Secret) {
	headers := make(map[string]string)
	if key := strings.TrimSpace(cfg.Key); key != "" {
		headers["Authorization"] = "Bearer " + key
	}
	_, part, err := writingKey(strings.TrimSpace(cfg.Key))
	c.check("OTLPConfig.Key", err)
	maps.Copy(headers, cfg.Headers)
	parts, err := writingHeaders(cfg.Headers)
	c.check("OTLPConfig.Headers", err)
	fromEnv, err := envHeaders()
	c.check("OTEL_EXPORTER_OTLP_HEADERS", err)
	more, err := writingHeaders(fromEnv)
	c.check("OTEL_EXPORTER_OTLP_HEADERS", err)
	for name, value := range fromEnv {
		if !hasHeader(headers, name) {
			headers[name] = value
		}
	}
	return headers, append(append(parts, more...), part)
}

// hasHeader reports whether there is a header, whose name is the same in any case.
func hasHeader(headers map[string]string, name string) bool {
	for n := range headers {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// envHeaders reads OTEL_EXPORTER_OTLP_HEADERS: key=value pairs, percent-encoded
// and separated by commas. The error counts what cannot be read, and quotes none of
// it.
func envHeaders() (map[string]string, error) {
	headers := make(map[string]string)
	var errs []error
	at := 0
	for pair := range strings.SplitSeq(otlpEnv("HEADERS"), ",") {
		at++
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || name == "" {
			errs = append(errs, fmt.Errorf("header %d is no name=value, percent-encoded", at))
			continue
		}
		headers[name] = decoded
	}
	return headers, errors.Join(errs...)
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
func (c *config) otlpTimeout() time.Duration {
	value := otlpEnv("TIMEOUT")
	if value == "" {
		return 10 * time.Second
	}
	ms, err := strconv.ParseInt(value, 10, 32)
	if err != nil || ms <= 0 {
		c.check("OTEL_EXPORTER_OTLP_TIMEOUT", fmt.Errorf("%q is no number of milliseconds", value))
	}
	return time.Duration(ms) * time.Millisecond
}

// collector is the destination of spans that go to a collector. From the queue
// on it holds each span as the bytes that are sent.
type collector struct {
	client     *delivery.Client
	bucketKeys bool
	// What Encode, which is called by one goroutine, uses again and again.
	view       view
	attributes []attribute.KeyValue
	spansOnly
}

var _ delivery.Durable = (*collector)(nil)

// unchecked is the Value of a record whose bytes come from a disk.
type unchecked struct{}

// Encode writes the copy of the span that the endpoint gets.
func (o *collector) Encode(r *delivery.Record) error {
	defer o.view.clear()
	s := o.view.show(r.Value.(span.Source))
	o.view.derive()
	o.attributes = s.AppendAttributes(o.attributes[:0])
	list := o.attributes
	if o.bucketKeys {
		list = perKey(list)
	}
	size := otlp.Size(s, list)
	body := r.Body
	if s.Known != nil && len(s.Attributes)+len(s.Events)+len(s.Links) == 0 {
		body = r.Room(size) // of a span of ours alone the size is sure
	}
	r.Body, r.Value = otlp.AppendTraces(slices.Grow(body, size), s, list), nil
	clear(o.attributes)
	return nil
}

// Send posts a batch.
func (o *collector) Send(ctx context.Context, batch []*delivery.Record) delivery.Result {
	join := otlp.JoinOwn
	bodies := make([][]byte, len(batch))
	for i, r := range batch {
		bodies[i] = r.Body
		if r.Value == (unchecked{}) {
			join = otlp.Join
		}
	}
	pieces, err := join(bodies...)
	if err != nil {
		return delivery.Result{Outcome: delivery.Bad, Err: err, Released: true}
	}
	answer := o.client.Do(ctx, http.MethodPost, "", pieces...)
	result := answer.Result()
	if result.Outcome == delivery.Delivered {
		if n, message := otlp.Rejected(answer.Header.Get("Content-Type"), answer.Body); n > 0 {
			result.Refused = int(min(n, int64(len(batch))))
			result.Err = fmt.Errorf("the collector rejected %d spans: %.512q", n, answer.Hide.Hide(message))
		}
	}
	if result.Err != nil {
		result.Err = wrap("send spans", result.Err)
	}
	return result
}

// Store keeps the bytes.
func (o *collector) Store(*delivery.Record) []byte { return nil }

// Restore notes that the bytes, which are all there is, may be damaged. What of them the
// destination may not see is taken away: a process with other options may have written
// them.
func (o *collector) Restore(r *delivery.Record) error {
	r.Value = unchecked{}
	if o.view.privacy.off() {
		return nil
	}
	defer o.view.clear()
	s := &o.view.span
	if err := otlp.Read(s, r.Body); err != nil {
		return err
	}
	o.view.redact()
	r.Body = otlp.AppendTraces(nil, s, s.AppendAttributes(nil))
	return nil
}

// RestoreAnnounced is never called: spans belong to no group.
func (o *collector) RestoreAnnounced([]byte) (any, error) { return nil, nil }

// Incomplete is never called.
func (o *collector) Incomplete([]byte, any) (*delivery.Record, error) { return nil, nil }

// Show returns the span as OTLP/JSON.
func (o *collector) Show(r *delivery.Record) []byte {
	text, err := otlp.JSON(r.Body)
	if err != nil {
		return nil
	}
	return text
}
