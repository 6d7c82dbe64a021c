package exporter

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/sessionspan/sessionspan/internal/content"
	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/redact"
)

// Limits bound what an exporter holds and how it sends. A zero field stands for
// its default.
type Limits struct {
	QueueBytes    int64         // bytes of records in memory, from the end of a span to its delivery; 64 MiB
	QueueWait     time.Duration // that the end of a span may wait for room in the queue; 100 ms, negative for none
	BatchRecords  int           // records in one request; 512
	BatchBytes    int64         // bytes of records in one request; 1 MiB
	BatchWait     time.Duration // that a record waits for others to share its request; 200 ms
	InFlight      int           // requests at the same time; 8, and always 1 for JSON lines and Wrap
	Timeout       time.Duration // of one request; 30 s, or OTEL_EXPORTER_OTLP_TIMEOUT for OTLP
	AnnounceAfter time.Duration // that a running session with finished events stays unannounced; 30 s
	UpdateFor     time.Duration // that an update is tried for a session the server does not know yet; 10 min
	// ValueBytes bounds one value of a span, such as its inputs; 8 MiB, negative
	// for none. Of a longer one the strings inside are cut, the longest first,
	// and marked with their size and SHA-256; ids, usage and structure stay.
	ValueBytes int64
}

// Option changes an exporter.
type Option func(*config)

// config is what the options of an exporter say.
type config struct {
	name    string
	limits  Limits
	live    bool // said by an option
	notLive bool // likewise
	handle  func(error)
	privacy privacy
	content content.Settings

	tls   *tls.Config                           // nil for that of the environment
	proxy func(*http.Request) (*url.URL, error) // likewise

	compression *Compression // nil for that of the environment or the configuration

	spool *spoolConfig // nil for none

	problems []error // what is wrong with all that
}

// newConfig applies options, for an exporter whose compression is the given one
// unless an option names another.
func newConfig(name string, options []Option) config {
	c := config{name: name, handle: otel.Handle}
	for _, o := range options {
		if o != nil {
			o(&c)
		}
	}
	c.check("WithLimits", c.limits.check())
	c.guard()
	return c
}

// check notes an error in what a name stands for.
func (c *config) check(name string, err error) {
	if err != nil {
		c.problems = append(c.problems, fmt.Errorf("%s: %w", name, err))
	}
}

// check returns an error that names the fields that are negative, for which that
// means nothing.
func (l *Limits) check() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"QueueBytes", l.QueueBytes},
		{"BatchRecords", int64(l.BatchRecords)},
		{"BatchBytes", l.BatchBytes},
		{"BatchWait", int64(l.BatchWait)},
		{"InFlight", int64(l.InFlight)},
		{"Timeout", int64(l.Timeout)},
		{"AnnounceAfter", int64(l.AnnounceAfter)},
		{"UpdateFor", int64(l.UpdateFor)},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s is negative", "Limits."+f.name))
		}
	}
	return errors.Join(errs...)
}

func (c *config) cutter() cutter { return newCutter(c.limits.ValueBytes) }

// engine returns the limits as the delivery engine has them.
func (c *config) engine() delivery.Config {
	return delivery.Config{
		Name: c.name, Live: c.live, Handle: c.handle,
		MaxBytes: c.limits.QueueBytes, MaxWait: c.limits.QueueWait,
		MaxBatch: c.limits.BatchRecords, MaxBatchBytes: c.limits.BatchBytes, Linger: c.limits.BatchWait,
		InFlight: c.limits.InFlight, Timeout: c.limits.Timeout,
		AnnounceAfter: c.limits.AnnounceAfter, UpdateFor: c.limits.UpdateFor,
	}
}

// WithName sets the name of the destination in errors and in [Exporter.Stats].
// The default names the kind of exporter and the host.
func WithName(name string) Option {
	return func(c *config) {
		if name != "" {
			c.name = name
		}
	}
}

// WithLimits sets the limits; zero fields keep their defaults. Negative ones are an
// error where that is not said to mean something.
func WithLimits(l Limits) Option { return func(c *config) { c.limits = l } }

// Compression says how an exporter compresses what it sends, at a fast level.
type Compression string

// The compressions of requests. Zstd takes less time than Gzip and makes smaller
// requests; the OpenTelemetry Collector takes both.
const (
	NoCompression Compression = "none"
	Gzip          Compression = "gzip"
	Zstd          Compression = "zstd"
)

// WithCompression compresses requests of [NewHTTP] and [NewOTLP]. The default of
// the first is [HTTPConfig].Gzip, that of the second the variable
// OTEL_EXPORTER_OTLP_COMPRESSION; this option wins over both. A server that does
// not take a compression (415, or 400 to the first request) is sent the same
// again with gzip instead of zstd, then uncompressed, and so from then on; that
// is reported once. Each request in flight needs one or two megabytes to
// compress, beside Limits.QueueBytes.
func WithCompression(c Compression) Option { return func(f *config) { f.compression = &c } }

// WithTLSClientConfig sets how [NewHTTP] and [NewOTLP] speak TLS: the authorities that they
// trust, certificates of the client. It is copied, and TLS 1.2 is the least. The default,
// and the meaning of nil, is that of the system, and for OTLP what the variables
// OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY say, over which this
// option wins. Together with a Transport of the configuration it is an error; destinations
// without a network ignore it.
func WithTLSClientConfig(cfg *tls.Config) Option { return func(c *config) { c.tls = cfg.Clone() } }

// WithProxy has [NewHTTP] and [NewOTLP] send requests by the proxy that the function
// returns for them; of a nil URL, by none. The default, and the meaning of nil, is the
// variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY; see [http.ProxyFromEnvironment]. Requests
// to https are tunnelled: a proxy does not see their key and content. Together with a
// Transport of the configuration it is an error; destinations without a network ignore it.
func WithProxy(proxy func(*http.Request) (*url.URL, error)) Option {
	return func(c *config) { c.proxy = proxy }
}

// transport returns what sends the requests: the transport of the configuration, or one of
// its own, with the TLS of the environment unless an option says another.
func (c *config) transport(configured http.RoundTripper, environment func() (*tls.Config, error)) http.RoundTripper {
	if configured != nil {
		if c.tls != nil {
			c.check("WithTLSClientConfig", errTransport)
		}
		if c.proxy != nil {
			c.check("WithProxy", errTransport)
		}
		return configured
	}
	cfg := c.tls
	if cfg == nil {
		var err error
		cfg, err = environment()
		c.check("TLS", err)
	}
	return delivery.NewTransport(cfg, c.proxy)
}

var errTransport = errors.New("the configuration has a Transport of its own")

// compressions are the names of what can be asked for.
var compressions = map[Compression]delivery.Compression{
	NoCompression: delivery.NoCompression, Gzip: delivery.Gzip, Zstd: delivery.Zstd,
}

// compressed returns the compression that was asked for, or else the given one. It
// notes one that an option names and that there is not.
func (c *config) compressed(otherwise Compression) delivery.Compression {
	if c.compression == nil {
		return compressions[otherwise]
	}
	c.check("WithCompression", known(*c.compression))
	return compressions[*c.compression]
}

// known returns an error for what is no compression.
func known(name Compression) error {
	if _, ok := compressions[name]; !ok {
		return fmt.Errorf("the compression %q is none of none, gzip and zstd", name)
	}
	return nil
}

// WithLiveSessions announces each session when it starts, so that it can be
// watched while it runs. It costs one more request for each session, and what
// is set after the start as input lands in the session's metadata. A session that
// tail sampling may still leave out is announced when it is certain that it is kept.
//
// For the local server of this project it is the default, from when the server has
// said that it is that: at its usual ports, 4318 and 4317, beside the first session of
// a tracer, at others with its first answer. That server takes all of a session again
// when it ends, so that nothing lands elsewhere. See [WithoutLiveSessions].
func WithLiveSessions() Option { return func(c *config) { c.live, c.notLive = true, false } }

// WithoutLiveSessions announces no session when it starts, to no server.
func WithoutLiveSessions() Option { return func(c *config) { c.live, c.notLive = false, true } }

// WithErrorHandler sends errors of the background to handle: drops, refusals,
// a server that cannot be reached, each kind at most once a minute. The default
// is otel.Handle. A nil handler drops them.
//
// The handler must not block. A drop is reported by the goroutine that ends the
// span, so a handler that waits holds up your program there; all else is reported
// by the goroutine that delivers, which sends nothing in the meantime. It may be
// called by several goroutines at once. A panic of the handler goes no further.
func WithErrorHandler(handle func(error)) Option { return func(c *config) { c.handle = handle } }

// WithRedactor passes every text through redactor before it is written or sent:
// the values and names of attributes, each string and key inside a bucket, names of
// spans, texts of errors and of span events, and those of the resource and the scope.
// See [Redactor]. Redactors run in the order in which they are given; nil is ignored.
func WithRedactor(redactor Redactor) Option {
	return func(c *config) {
		if redactor != nil {
			c.privacy.add(redactor.policy())
		}
	}
}

// WithRedaction redacts by a policy before anything is written or sent: every value,
// name of an attribute and key of JSON, names of spans, texts of errors and of span
// events, and what is said of the resource and the scope. Policies and redactors run in
// the order in which they are given; nil is ignored. See package redact.
//
// A session that is named by a text keeps the id that is derived from the text.
func WithRedaction(policy *redact.Policy) Option {
	return func(c *config) {
		if policy != nil {
			c.privacy.add(policy)
		}
	}
}
