package sessionspan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/internal/discards"
	"github.com/sessionspan/sessionspan/internal/measure"
	"github.com/sessionspan/sessionspan/internal/page"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/report"
	"github.com/sessionspan/sessionspan/internal/tree"
	"github.com/sessionspan/sessionspan/internal/version"
)

// defaultSource is where sessions run that nobody told of.
const defaultSource = "production"

// A Tracer records sessions and delivers them. Make one with [New] and end it
// with [Tracer.Shutdown]. All methods are safe for concurrent use; a nil or zero Tracer
// records nothing.
//
// A program may have several, on one provider or on several. What is started in
// a session belongs to the tracer of the session, whichever tracer it is started
// with, and goes to the destinations of that tracer alone. That holds for spans
// of the plain OpenTelemetry API too, unless they run on another provider: then
// they are no part of the session. A session that was made by the plain API
// belongs to nobody, so every tracer of its provider delivers it, each with its
// own project and source where the session names none. Destinations that take
// spans rather than sessions get every span of the provider.
type Tracer struct {
	provider  trace.TracerProvider
	own       *sdktrace.TracerProvider // the provider, where New made it
	tracer    trace.Tracer
	processor *processor
	tree      *tree.Tree
	exporters []*exporter.Exporter
	queues    []pipeline.Destination // of the exporters
	reports   report.Reporter
	started   tree.Started
	discards  discards.Set

	project, source, sessionName string
	signing                      []byte        // the key by which identities are signed; nil for none
	labels                       []FieldOption // of all sessions

	filter      func(name string, attributes []attribute.KeyValue) bool
	spoke       tree.Recent
	tail        *tailing // nil where all sessions are delivered
	allChildren bool
	newTraces   bool
	onSpans     bool // others read the spans, so what is known of them is written there
	offSpans    bool // content is not
	valueLimit  int  // of the spans of a provider that New made; see span.Span
	forViewers  bool // somebody reads spans, so GenAI content is worth writing
	disabled    bool

	unmarked sync.Map // keys of spans of other tracers that closedSource is for

	models [8]atomic.Pointer[string] // of modelText

	stopMetrics func() error   // nil without metrics
	meter       *measure.Meter // of events; nil where no provider was given
	page        *page.Pages    // nil where no server can have one

	shutdown sync.Once
	closed   atomic.Bool
	detached atomic.Bool // the destinations are shut down, and the provider is about to be left
}

// registrar is what New needs of a provider.
type registrar interface {
	RegisterSpanProcessor(sdktrace.SpanProcessor)
	UnregisterSpanProcessor(sdktrace.SpanProcessor)
}

// New returns a tracer. New does no network. All that is wrong with the options
// and the environment is joined in the error; what the caller made, the provider,
// its processors and exporters, is then as it was.
//
// Where to deliver to is taken from options or else from the environment:
//
//   - HH_INGESTION_API_KEY, or else HH_API_KEY or HH_PROJECT_API_KEY, and HH_API_URL,
//     or else HH_DATA_PLANE_URL: a server of the HoneyHive HTTP API; see [WithHTTP].
//     The key may be missing where the URL is a loopback address. An ingestion key
//     goes to the routes under /v1; see [exporter.HTTPConfig]. HH_DATA_PLANE_API_KEY
//     is not read: such a key writes no events.
//   - OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or
//     OTEL_TRACES_EXPORTER=otlp: a collector; see [WithOTLP]. OTEL_TRACES_EXPORTER
//     can be "none", and "console" for JSON lines on standard output. Where the
//     collector is HoneyHive's own, at HH_API_URL (or its default) followed by
//     /opentelemetry/v1/traces, and has no credentials of its own, it is sent the
//     HoneyHive key; no other collector is.
//
// HH_PROJECT, HH_SOURCE and HH_SESSION_NAME are defaults of sessions.
// OTEL_TRACES_SAMPLER decides for a session as a whole; see [SessionSampler].
// OTEL_SDK_DISABLED=true switches everything off.
// OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=NO_CONTENT (or false) keeps
// what users and models say out of every destination that New makes, and EVENT_ONLY out of
// those that take spans, since it wants content in log records alone; SPAN_ONLY,
// SPAN_AND_EVENT, true and none change nothing. An option wins over a variable, such as
// [exporter.WithContent] of one destination.
//
// Without any destination, nor a provider from [WithTracerProvider], the tracer
// records nothing and says so once.
func New(options ...Option) (*Tracer, error) {
	c := config{handle: otel.Handle, logger: slog.Default()}
	for _, o := range options {
		if o != nil {
			o.apply(&c)
		}
	}
	c.environment()
	t := &Tracer{
		project: c.project, source: c.source, sessionName: c.sessionName, labels: c.labels,
		signing: c.signing, filter: c.filter, allChildren: c.allChildren, newTraces: c.newTraces, offSpans: c.offSpans,
		reports: report.Reporter{Handle: c.handle},
	}
	if t.source == "" {
		t.source = defaultSource
	}
	if c.disabled() {
		t.disable()
		return t, errors.Join(c.problems...)
	}
	made := c.exporters(t)
	if c.http != nil && !c.http.cfg.V1 && c.http.cfg.Project == "" && t.project == "" {
		c.problems = append(c.problems, errors.New("no project is named, and the HTTP API asks for one: use WithProject or HH_PROJECT"))
	}
	register := t.record(&c)
	t.measureEvents(&c)
	if len(c.problems) == 0 && len(t.exporters) > 0 {
		var err error
		if t.stopMetrics, err = t.measure(c.meters); err != nil {
			c.problems = append(c.problems, err)
		}
	}
	if len(c.problems) > 0 {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		for _, e := range made { // some hold a spool
			_ = e.Shutdown(now)
		}
		return nil, fmt.Errorf("sessionspan: %w", errors.Join(c.problems...))
	}
	t.page = page.New(t.queues, c.logger)
	register() // nothing fails any more
	return t, nil
}

// exporters makes the destinations, and returns those that nobody else has a part
// of.
func (c *config) exporters(t *Tracer) (made []*exporter.Exporter) {
	var all []destination
	if c.http != nil {
		cfg := c.http.cfg
		fill(&cfg.Project, c.project)
		fill(&cfg.Source, c.source)
		all = append(all, destination{make: func(shared []exporter.Option) (*exporter.Exporter, error) {
			e, err := exporter.NewHTTP(cfg, slices.Concat(shared, c.spool, c.http.options)...)
			return e, c.http.named(err)
		}})
	}
	if c.otlp != nil {
		all = append(all, destination{spans: true, make: func(shared []exporter.Option) (*exporter.Exporter, error) {
			return exporter.NewOTLP(c.otlp.cfg, slices.Concat(shared, c.spool, c.otlp.options)...)
		}})
	}
	shared := slices.Clip(append([]exporter.Option{exporter.WithErrorHandler(c.handle)}, c.shared...))
	for _, d := range append(all, c.destinations...) {
		options := shared
		if d.spans {
			options = slices.Concat(c.forSpans, shared)
		}
		e, err := d.make(options)
		if err != nil {
			c.problems = append(c.problems, err)
			continue
		}
		t.exporters = append(t.exporters, e)
		if !d.callers {
			made = append(made, e)
		}
	}
	return made
}

func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// record gives the tracer its provider. The function that it returns registers the
// processor of the tracer there.
func (t *Tracer) record(c *config) (register func()) {
	register = func() {}
	if c.provider == nil && len(t.exporters) == 0 {
		t.disable()
		if len(c.problems) == 0 {
			t.reports.Report("nowhere", errNowhere)
		}
		return register
	}
	t.processor, t.tree = &processor{tracer: t}, t.newTree(c.openSpans)
	t.onSpans, t.forViewers = c.provider != nil, c.provider != nil
	for _, e := range t.exporters {
		q := pipeline.Of(e)
		t.queues = append(t.queues, q)
		t.forViewers = t.forViewers || q.TakesSpans()
	}
	t.tail = t.newTailing(c.tail)
	if c.provider == nil {
		t.valueLimit = max(0, sdktrace.NewSpanLimits().AttributeValueLengthLimit)
		options := []sdktrace.TracerProviderOption{sdktrace.WithSampler(SessionSampler(c.sampler)), sdktrace.WithSpanProcessor(t.processor)}
		if r := c.versioned(); r != nil {
			options = append(options, sdktrace.WithResource(r))
		}
		t.own = sdktrace.NewTracerProvider(options...)
		t.provider = t.own
	} else {
		if c.resource != nil {
			c.problems = append(c.problems, errors.New("WithResource: the provider of WithTracerProvider has a resource of its own"))
		}
		t.provider = c.provider
		if r, ok := c.provider.(registrar); !ok {
			c.problems = append(c.problems, fmt.Errorf("WithTracerProvider: %T has no method RegisterSpanProcessor", c.provider))
		} else {
			register = func() { r.RegisterSpanProcessor(t.processor) }
		}
	}
	t.tracer = t.provider.Tracer(scopeName, trace.WithInstrumentationVersion(version.Version()))
	return register
}

// disable makes a tracer that records nothing.
func (t *Tracer) disable() {
	t.disabled = true
	t.provider = noop.NewTracerProvider()
	t.tracer = t.provider.Tracer(scopeName)
}

// TracerProvider returns the provider that the tracer records on: the one from
// [WithTracerProvider], or the one that New made. Spans that other tracers of it
// start in the context of a session belong to the session. It is a no-op
// provider where nothing is recorded.
//
// On a provider that New made, the spans of sessions and events say nothing of what
// is set on them: their names, times, errors and status are there, and what the
// program itself writes on them. Destinations get all of it past the span. Who wants
// to see it in another processor gives New a provider.
func (t *Tracer) TracerProvider() trace.TracerProvider {
	return t.orNothing().provider
}

// ForgottenSpans returns how many spans were forgotten because they did not end; see
// [WithOpenSpans].
func (t *Tracer) ForgottenSpans() int64 {
	if t == nil || t.tree == nil {
		return 0
	}
	return t.tree.Forgotten()
}

// SpanProcessor returns the processor that feeds the destinations. New registers
// it; it is of use for providers that are built elsewhere. Registering it twice
// is the same as once. It is nil where nothing is recorded.
func (t *Tracer) SpanProcessor() sdktrace.SpanProcessor {
	if t == nil || t.processor == nil {
		return nil
	}
	return t.processor
}

// ForceFlush waits until all that ended before is delivered everywhere, or ctx
// ends; a nil ctx does not end. Sessions that run and have finished events are announced for it. The
// error counts what waits and where, and what was dropped since the last flush. What
// [WithTailSampling] has not decided is neither sent nor waited for.
func (t *Tracer) ForceFlush(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.each(orBackground(ctx), (*exporter.Exporter).ForceFlush)
}

// each calls a method of all destinations at once, so that one that hangs does
// not use up the time of the others.
func (t *Tracer) each(ctx context.Context, call func(*exporter.Exporter, context.Context) error) error {
	errs := make([]error, len(t.exporters))
	var wg sync.WaitGroup
	for i, e := range t.exporters {
		wg.Go(func() { errs[i] = call(e, ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Shutdown delivers what there is until ctx ends, and stops. What could not be
// delivered by then stays in the spool, or is dropped where there is none; the
// error counts both. Sessions that still run
// are sent as incomplete. Afterwards nothing is recorded, and calling Shutdown
// again changes nothing. Call it before the Shutdown of a provider of your own,
// which it does not shut down.
//
// A context without a deadline, or a nil one, waits for as long as the
// destinations take.
func (t *Tracer) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx = orBackground(ctx)
	err := t.close(ctx)
	t.page.Close(ctx)
	t.detached.Store(true)
	t.shutdown.Do(func() {
		err = errors.Join(err, t.leave(ctx))
		if t.stopMetrics != nil {
			err = errors.Join(err, t.stopMetrics())
		}
	})
	return err
}

// close shuts the destinations down.
func (t *Tracer) close(ctx context.Context) error {
	t.closed.Store(true)
	if t.tail != nil {
		t.tail.sampler.Close(ctx)
	}
	return t.each(ctx, (*exporter.Exporter).Shutdown)
}

// leaveGrace is how long leaving the provider may take when the context of
// Shutdown was used up by the destinations.
const leaveGrace = 100 * time.Millisecond

// leave takes the processor, which is closed by now, off the provider. That
// takes no time unless the lock of the provider is held by a processor that is
// stuck.
func (t *Tracer) leave(ctx context.Context) error {
	done := make(chan error, 1)
	go func() {
		switch p := t.provider.(type) {
		case *sdktrace.TracerProvider:
			if p == t.own {
				done <- p.Shutdown(context.WithoutCancel(ctx))
				return
			}
			p.UnregisterSpanProcessor(t.processor)
		case registrar:
			p.UnregisterSpanProcessor(t.processor)
		}
		done <- nil
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace := time.NewTimer(leaveGrace)
	defer grace.Stop()
	select {
	case err := <-done:
		return err
	case <-grace.C:
		return fmt.Errorf("sessionspan: the tracer provider did not let go of the span processor: %w", context.Cause(ctx))
	}
}

// orBackground returns ctx, or one that never ends in place of nil.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// Stats returns the account of each destination: at any moment, what was created
// and adopted is the sum of what was delivered, waits, was set aside and was
// dropped. See [WithMeterProvider] for the same as metrics.
func (t *Tracer) Stats() []exporter.Stats {
	if t == nil {
		return nil
	}
	stats := make([]exporter.Stats, len(t.exporters))
	for i, e := range t.exporters {
		stats[i] = e.Stats()
	}
	return stats
}

// Format prints the names of the destinations, for every verb: nothing of a
// tracer can be printed that holds a key.
func (t *Tracer) Format(f fmt.State, _ rune) {
	var names []string
	for _, s := range t.Stats() {
		names = append(names, s.Destination)
	}
	_, _ = fmt.Fprintf(f, "tracer to %q", names)
}

// guard keeps a panic of foreign code, or of our own, from the host.
func (t *Tracer) guard(where string) {
	if r := recover(); r != nil {
		t.reports.Report("panic "+where, fmt.Errorf("sessionspan: %s: panic: %v", where, r))
	}
}

var defaultTracer atomic.Pointer[Tracer]

// nothing is the tracer where there is none.
var nothing = func() *Tracer { t := new(Tracer); t.disable(); return t }()

// orNothing returns the tracer, or one that records nothing in place of a nil or zero
// one.
func (t *Tracer) orNothing() *Tracer {
	if t == nil || t.tracer == nil {
		return nothing
	}
	return t
}

var sayNoDefault sync.Once

// SetDefault makes t the tracer of the functions of this package where the
// context names no other. A nil t records nothing.
func SetDefault(t *Tracer) {
	defaultTracer.Store(t.orNothing())
}

// Default returns the tracer that was given to [SetDefault], or one that records
// nothing.
func Default() *Tracer {
	if t := defaultTracer.Load(); t != nil {
		return t
	}
	return nothing
}

// tracerOf returns the tracer of a context.
func tracerOf(ctx context.Context) *Tracer {
	if r := recordingFrom(ctx); r != nil && r.tracer != nil {
		return r.tracer
	}
	if ctx != nil {
		if t, ok := ctx.Value(tracerKey{}).(*Tracer); ok {
			return t
		}
	}
	t := defaultTracer.Load()
	if t == nil {
		sayNoDefault.Do(func() {
			otel.Handle(errors.New("sessionspan: a session was used without a tracer, so nothing is recorded: call New and SetDefault"))
		})
		return nothing
	}
	return t
}
