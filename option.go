package sessionspan

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/internal/tree"
	"github.com/sessionspan/sessionspan/redact"
)

// An Option configures a [Tracer]. A [FieldOption] for the project, the source, the
// release or tags of sessions is one too.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// config is what the options of New say.
type config struct {
	provider     trace.TracerProvider
	sampler      sdktrace.Sampler // of a provider that New makes; nil for the default
	project      string
	source       string
	sessionName  string
	labels       []FieldOption // of all sessions
	http         *httpDestination
	otlp         *otlpDestination
	destinations []destination
	shared       []exporter.Option // for every destination that New makes
	policies     []*redact.Policy  // of the metrics
	signing      []byte            // the key of WithSigning
	forSpans     []exporter.Option // for those that take spans, before shared
	spool        []exporter.Option // for those that can have one
	meters       metric.MeterProvider
	noEnv        bool
	offSpans     bool
	allChildren  bool
	newTraces    bool
	resource     *resource.Resource
	openSpans    tree.Limits
	tail         *TailSampling // nil for none
	filter       func(name string, attributes []attribute.KeyValue) bool
	handle       func(error)
	logger       *slog.Logger
	problems     []error
}

// destination makes an exporter from the options for all of them.
type destination struct {
	make func(shared []exporter.Option) (*exporter.Exporter, error)
	// spans is set where it takes spans.
	spans bool
	// callers is set where its Shutdown reaches what the caller made. Such an
	// exporter holds nothing itself before its first span.
	callers bool
}

type httpDestination struct {
	cfg     exporter.HTTPConfig
	options []exporter.Option
	from    []string // what of cfg is from which variable
}

type otlpDestination struct {
	cfg     exporter.OTLPConfig
	options []exporter.Option
}

// WithTracerProvider records on the given provider instead of one that New
// makes. Sessions then keep its sampler, limits, resource and other processors;
// New registers its span processor there, and Shutdown removes it again, but
// neither shuts the provider down. The provider must be one of the SDK, or have its
// method RegisterSpanProcessor. A nil provider is ignored. Several tracers may
// share a provider; [Tracer] says which delivers what.
//
// OTEL_EXPORTER_OTLP_ENDPOINT is then not taken as a destination: such a
// provider usually has an exporter for it already. [WithOTLP] adds one.
//
// For sampling by session, give the provider a [SessionSampler].
func WithTracerProvider(p trace.TracerProvider) Option {
	return optionFunc(func(c *config) {
		if sdk, ok := p.(*sdktrace.TracerProvider); p != nil && (!ok || sdk != nil) {
			c.provider = p
		}
	})
}

// WithHTTP delivers sessions and events to a server of the HoneyHive HTTP API.
// WithHTTP replaces what HH_API_KEY and HH_API_URL ask for; an empty URL or key in cfg
// is still taken from them.
func WithHTTP(cfg exporter.HTTPConfig, options ...exporter.Option) Option {
	return optionFunc(func(c *config) {
		if c.http != nil {
			c.problems = append(c.problems, errors.New("WithHTTP is given twice: use WithDestination for a second server"))
		}
		c.http = &httpDestination{cfg: cfg, options: options}
	})
}

// WithAPIKey delivers sessions to the HoneyHive API with this key, like [WithHTTP]:
// a project key or an ingestion key (hh_ingst_…). The default is
// HH_INGESTION_API_KEY, or else HH_API_KEY or HH_PROJECT_API_KEY.
func WithAPIKey(key string) Option {
	return optionFunc(func(c *config) {
		if c.http == nil {
			c.http = new(httpDestination)
		}
		c.http.cfg.Key = key
	})
}

// WithAPIKeySource is [WithAPIKey] for a key of a variable, a file or a function, which may
// change while the program runs, or one that nothing can print; see [exporter.Key]. The zero
// key is ignored.
func WithAPIKeySource(key exporter.Key) Option {
	return optionFunc(func(c *config) {
		if key.IsZero() {
			return
		}
		if c.http == nil {
			c.http = new(httpDestination)
		}
		c.http.cfg.KeySource = key
	})
}

// WithAPIURL delivers sessions to the server at this base URL, like [WithHTTP].
// The default is HH_API_URL or HH_DATA_PLANE_URL, or else https://api.honeyhive.ai. The scheme must be
// https, or http for a loopback address.
func WithAPIURL(url string) Option {
	return optionFunc(func(c *config) {
		if c.http == nil {
			c.http = new(httpDestination)
		}
		c.http.cfg.URL = url
	})
}

// WithOTLP sends the spans of the provider to a collector. WithOTLP replaces what the
// OTEL_EXPORTER_OTLP_* variables ask for; what cfg leaves empty is still taken
// from them.
func WithOTLP(cfg exporter.OTLPConfig, options ...exporter.Option) Option {
	return optionFunc(func(c *config) {
		if c.otlp != nil {
			c.problems = append(c.problems, errors.New("WithOTLP is given twice: use WithDestination for a second collector"))
		}
		c.otlp = &otlpDestination{cfg, options}
	})
}

// WithWriter writes sessions, events and updates to w as JSON lines; see
// [exporter.NewLines]. Several writers are several destinations.
func WithWriter(w io.Writer, options ...exporter.Option) Option {
	return optionFunc(func(c *config) {
		c.destinations = append(c.destinations, destination{make: func(shared []exporter.Option) (*exporter.Exporter, error) {
			return exporter.NewLines(w, append(shared, options...)...)
		}})
	})
}

// WithSpanExporter gives the spans of the provider to any SpanExporter, such as
// OpenTelemetry's otlptracehttp or otlptracegrpc, behind a queue of its own; see
// [exporter.Wrap]. Shutdown shuts it down, once. A nil exporter is an error of New.
//
// A collector that takes OTLP over HTTP is better served by [WithOTLP], which can
// keep records in a spool, holds encoded bytes rather than spans, and finds a span
// at fault by what the collector answers.
func WithSpanExporter(e sdktrace.SpanExporter, options ...exporter.Option) Option {
	return optionFunc(func(c *config) {
		c.destinations = append(c.destinations, destination{callers: true, spans: true, make: func(shared []exporter.Option) (*exporter.Exporter, error) {
			return exporter.Wrap(e, append(shared, options...)...)
		}})
	})
}

// WithDestination adds an exporter that the caller made. The tracer flushes it
// and shuts it down. A nil exporter is ignored.
func WithDestination(e *exporter.Exporter) Option {
	return optionFunc(func(c *config) {
		if e != nil {
			c.destinations = append(c.destinations, destination{callers: true, make: func([]exporter.Option) (*exporter.Exporter, error) { return e, nil }})
		}
	})
}

// WithDefaults applies options to every destination that New makes, before the
// destination's own: limits, a redactor, live sessions.
func WithDefaults(options ...exporter.Option) Option {
	return optionFunc(func(c *config) { c.shared = append(c.shared, options...) })
}

// WithSpool keeps records in files under dir until they are delivered, for the
// HTTP API and for OTLP; see [exporter.WithSpool]. The default is none, since a spool
// writes prompts to disk.
func WithSpool(dir string, options ...exporter.SpoolOption) Option {
	return optionFunc(func(c *config) {
		if dir == "" {
			c.problems = append(c.problems, errors.New("WithSpool: the directory is empty"))
		}
		c.spool = []exporter.Option{exporter.WithSpool(dir, options...)}
	})
}

// WithoutEnvironment ignores the HH_* and OTEL_* variables, as tests want.
func WithoutEnvironment() Option { return optionFunc(func(c *config) { c.noEnv = true }) }

// WithSpanFilter decides which spans of other tracers on the provider become
// events of the session that they run in, or that they name. The filter is given the name
// and the attributes of the span, is called more than once for a span, and must be fast
// and safe for concurrent use. The default keeps those that speak any dialect of
// package convert, and as chains the steps of the program itself: spans of an internal
// kind that carry no request or query and are made by no instrumentation of a web
// framework, client or database: RoleOf of package convert says it. What hangs on a span that is
// left out hangs on its nearest ancestor that is kept. Collectors get all spans in any
// case. A nil filter stands for the default.
func WithSpanFilter(keep func(name string, attributes []attribute.KeyValue) bool) Option {
	return optionFunc(func(c *config) { c.filter = keep })
}

// WithAllDescendants lists all events of a session in its children_ids. The
// default lists those directly under it.
func WithAllDescendants() Option { return optionFunc(func(c *config) { c.allChildren = true }) }

// WithNewTraces starts each session in a trace of its own, with a link to the
// span that the context carries. By default a session stays in the trace of the
// request that it belongs to.
func WithNewTraces() Option { return optionFunc(func(c *config) { c.newTraces = true }) }

// WithResource says what the program is, such as its service.name, on a provider
// that New makes. WithResource goes before OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES,
// which are taken for what it does not say. Together with [WithTracerProvider] it is
// an error of New, since such a provider has a resource. A nil resource is ignored.
func WithResource(r *resource.Resource) Option {
	return optionFunc(func(c *config) {
		if r == nil {
			return
		}
		merged, err := resource.Merge(resource.Default(), r)
		if err != nil && !errors.Is(err, resource.ErrSchemaURLConflict) { // attributes are merged all the same
			c.problems = append(c.problems, fmt.Errorf("WithResource: %w", err))
		}
		c.resource = merged
	})
}

// OpenSpans bounds the spans of a tracer that run. A zero field stands for its
// default.
type OpenSpans struct {
	Most int           // that run at the same time, those outside of sessions included; 131,072
	Age  time.Duration // after which one is taken for never ending; 24 h
}

// WithOpenSpans bounds what spans take that are never ended, such as those of
// requests whose response body nobody closes. Beyond the bounds the oldest are
// forgotten, when others start; that is reported at most once a minute, and counted
// by [Tracer.ForgottenSpans]. A session or event whose End is called after all is
// delivered like any other. Of any other span that was forgotten the end reaches
// the destinations that take every span (collectors and wrapped exporters) alone.
func WithOpenSpans(o OpenSpans) Option {
	return optionFunc(func(c *config) {
		if o.Most < 0 || o.Age < 0 {
			c.problems = append(c.problems, errors.New("WithOpenSpans: a bound is negative"))
		}
		c.openSpans = tree.Limits{Spans: o.Most, Age: o.Age}
	})
}

// WithErrorHandler passes errors of the background to handle instead of
// otel.Handle, each kind at most once a minute. A nil handler drops them.
//
// The handler must not block: a drop is reported by the goroutine that ends the
// span, so a handler that waits holds up your program there; see
// [exporter.WithErrorHandler]. A panic of the handler goes no further.
func WithErrorHandler(handle func(error)) Option {
	return optionFunc(func(c *config) { c.handle = handle })
}

// A FieldOption sets one field of a session or an event. StartSession, StartEvent, End,
// EndErr, Do, Run and Update take field options, which are plain values and cost no
// allocation. An option that a function cannot use is reported at once, with the names
// of both, or is part of the error that the function returns.
type FieldOption struct {
	field    fieldName
	bucket   convert.Bucket
	value    any
	text     string
	second   string
	number   float64
	time     time.Time
	messages []Message
}

type fieldName uint8

const (
	fieldNone fieldName = iota
	fieldBucket
	fieldProject
	fieldSource
	fieldSessionID
	fieldEventID
	fieldStart
	fieldEnd
	fieldDuration
	fieldError
	fieldModel
	fieldMessages
	fieldQuery
	fieldTopK
	fieldToolCallID
	fieldPrompt
	fieldRelease
	fieldTags
	fieldCost
	fieldContent
)

// name returns the name of the function that made the option, for errors.
func (o FieldOption) name() string {
	switch o.field {
	case fieldBucket:
		return bucketOptions[o.bucket]
	default:
		return fieldOptions[o.field]
	}
}

var (
	fieldOptions = [...]string{
		fieldNone: "FieldOption{}", fieldProject: "WithProject", fieldSource: "WithSource", fieldSessionID: "WithSessionID", fieldEventID: "WithEventID",
		fieldStart: "WithStartTime", fieldEnd: "WithEndTime", fieldDuration: "WithDuration",
		fieldError: "WithError", fieldModel: "WithModel", fieldMessages: "WithMessages", fieldQuery: "WithQuery", fieldTopK: "WithTopK",
		fieldToolCallID: "WithToolCallID", fieldPrompt: "WithPrompt", fieldRelease: "WithRelease", fieldTags: "WithTags", fieldCost: "WithCost",
		fieldContent: "WithoutContent",
	}
	bucketOptions = [...]string{
		convert.Inputs: "WithInputs", convert.Outputs: "WithOutputs", convert.Config: "WithConfig", convert.Metadata: "WithMetadata",
		convert.Metrics: "WithMetrics", convert.Feedback: "WithFeedback", convert.UserProperties: "WithUserProperties",
	}
)

// The functions that take field options.
const (
	opStartSession = "StartSession"
	opStartTurn    = "StartTurn"
	opStartEvent   = "StartEvent"
	opEnd          = "End"
	opEventEnd     = "Event.End"
)

// usedBy are the functions that use an option which others cannot: most of them
// before the span starts.
var usedBy = map[fieldName][]string{
	fieldProject:   {opStartSession, opStartTurn},
	fieldSource:    {opStartSession, opStartTurn},
	fieldSessionID: {opStartSession},
	fieldEventID:   {opStartEvent, opStartTurn},
	fieldStart:     {opStartSession, opStartEvent, opStartTurn},

	fieldToolCallID: {opStartEvent, opEventEnd},
	fieldContent:    {opStartSession, opStartTurn, opStartEvent},
}

// misplaced reports an option that the function op has no use for.
func (r *recording) misplaced(op string, o *FieldOption) {
	if op == opEnd {
		op = map[bool]string{true: "Session.End", false: opEventEnd}[r.kind == nil]
	}
	uses := usedBy[o.field]
	if slices.Contains(uses, op) {
		return
	}
	r.reporter().reports.Report("option "+op+" "+o.name(),
		fmt.Errorf("sessionspan: %s: %s is no option of it, but of %s: it is ignored", op, o.name(), strings.Join(uses, " and of ")))
}

// apply makes a FieldOption an Option.
func (o FieldOption) apply(c *config) {
	switch o.field {
	case fieldNone:
	case fieldProject:
		c.project = o.text
	case fieldSource:
		c.source = o.text
	case fieldRelease, fieldTags:
		c.label(o)
	case fieldContent:
		c.shared = append(c.shared, exporter.WithoutContent())
	default:
		c.problems = append(c.problems, fmt.Errorf("%s is for sessions and events, not for New", o.name()))
	}
}

// WithProject names the project of a session that starts. Given to [New] it is the
// default of all sessions, in place of HH_PROJECT. An empty name sets nothing.
func WithProject(name string) FieldOption { return FieldOption{field: fieldProject, text: name} }

// WithSource says where a session that starts runs: production, staging,
// playground. Given to [New] it is the default of all sessions, in place of
// HH_SOURCE; without either it is "production". An empty source sets nothing.
func WithSource(name string) FieldOption { return FieldOption{field: fieldSource, text: name} }

// WithSessionName names sessions that are started with an empty name, in place
// of HH_SESSION_NAME.
func WithSessionName(name string) Option {
	return optionFunc(func(c *config) { c.sessionName = name })
}

// WithSessionID sets the id of a session that starts, which is to be started once; the
// turns of a conversation are started by [StartTurn]. A UUID is taken as it is. Any
// other string, such as the id of a job, becomes the UUID that
// [honeyhive.SessionID] derives from it and the project, and is kept in the
// metadata as original_session_id. The default is a random UUID.
//
// Whoever knows the id of a session can add to it by a service with [Handler], and
// whoever knows the project and the string can work it out: where callers are
// strangers, give it a string that they cannot guess, or none.
func WithSessionID(id string) FieldOption { return FieldOption{field: fieldSessionID, text: id} }

// WithEventID sets the id of an event that starts, which must be a UUID. The default
// is derived from the trace and span id; see [honeyhive.EventID].
func WithEventID(id string) FieldOption { return FieldOption{field: fieldEventID, text: id} }

// WithStartTime sets when a session or event started. The default is now.
func WithStartTime(t time.Time) FieldOption { return FieldOption{field: fieldStart, time: t} }

// WithEndTime sets when a session or event ended. The default, and the meaning
// of a zero time, is the time of the call of End.
func WithEndTime(t time.Time) FieldOption { return FieldOption{field: fieldEnd, time: t} }

// WithDuration sets how long a session or event took, where that is not the
// time from its start to its end.
func WithDuration(d time.Duration) FieldOption {
	return FieldOption{field: fieldDuration, number: convert.Milliseconds(d)}
}

// WithError says what went wrong. An empty text sets nothing.
func WithError(text string) FieldOption { return FieldOption{field: fieldError, text: text} }

// WithInputs sets inputs: the user's query, context, chat_history. See the
// package documentation on values.
func WithInputs(v any) FieldOption { return bucketOption(convert.Inputs, v) }

// WithOutputs sets outputs. See the package documentation on values.
func WithOutputs(v any) FieldOption { return bucketOption(convert.Outputs, v) }

// WithConfig sets the configuration. See the package documentation on values.
func WithConfig(v any) FieldOption { return bucketOption(convert.Config, v) }

// WithMetadata sets metadata. See the package documentation on values.
func WithMetadata(v any) FieldOption { return bucketOption(convert.Metadata, v) }

// WithMetrics sets metrics: values computed over the output. See the package
// documentation on values.
func WithMetrics(v any) FieldOption { return bucketOption(convert.Metrics, v) }

// WithFeedback sets what users said of the output. See the package documentation
// on values.
func WithFeedback(v any) FieldOption { return bucketOption(convert.Feedback, v) }

// WithUserProperties sets what is known of the user. See the package
// documentation on values.
func WithUserProperties(v any) FieldOption { return bucketOption(convert.UserProperties, v) }

func bucketOption(b convert.Bucket, v any) FieldOption {
	return FieldOption{field: fieldBucket, bucket: b, value: v}
}
