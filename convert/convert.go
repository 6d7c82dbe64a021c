// Package convert turns finished spans into the records of the HoneyHive
// contract: the root of a session into a [honeyhive.SessionStartRequest], every
// other span into a [honeyhive.Event].
//
// It is the one conversion of the SDK's exporter, the local server and the
// Collector component: the same span gives the same bytes wherever it is
// converted. It looks at a neutral [Span], so that it depends on neither an SDK
// nor a Collector.
//
// # Dialects
//
// A span is understood by its attributes, and some of its events, in any mix of
// dialects: HoneyHive and this library's own, the OpenTelemetry GenAI conventions,
// OpenInference, Traceloop, and those of frameworks and other viewers. Each has a
// file with the table that says which attribute lands in which field; [Tables]
// returns them all. Where two dialects speak of the same field, the first in the
// order of the tables counts. An attribute that no table names is kept in the
// metadata under its own name, and what the API would refuse under a name such as
// original_event_id. An attribute without a value says nothing.
//
// What a span is to a session, an event or none, says [RoleOf].
//
// Content is never cut. JSON nested deeper than about sixty levels goes on as
// text, and bytes that are no UTF-8 become U+FFFD.
package convert

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Span is what a conversion needs of a span, whoever recorded it.
type Span struct {
	TraceID      [16]byte
	SpanID       [8]byte
	ParentSpanID [8]byte // zero for the root of a trace
	Name         string
	Kind         Kind
	Scope        string // the name of the instrumentation scope
	Start        time.Time
	End          time.Time // zero while the span runs
	Failed       bool      // the status is Error
	Status       string    // the description of the status
	Attributes   []attribute.KeyValue
	Events       []Event
	Links        []Link

	// Project and Source count where the attributes name none. They may be
	// empty. The project is part of the id of a session that is not named by a
	// UUID, so it belongs here rather than into the record afterwards.
	Project, Source string

	// Known is what whoever recorded the span knows of it beside the attributes,
	// or nil. What it sets counts more than any attribute; its times do not count,
	// and a bucket that is no JSON object does not either. The record is the one
	// that Convert makes where each field stands in the attribute of its name.
	Known *Record
}

// Kind is the kind of a span. Its numbers are those of OTLP and of the Go API.
type Kind uint8

// The kinds of spans. OTLP has one that is not specified be taken for internal.
const (
	Unspecified Kind = iota
	Internal
	Server
	Client
	Producer
	Consumer
)

// Event is something that happened during a span.
type Event struct {
	Name       string
	Time       time.Time
	Attributes []attribute.KeyValue
}

// Link points to another span.
type Link struct {
	TraceID    [16]byte
	SpanID     [8]byte
	Attributes []attribute.KeyValue
}

// Record is a converted span.
type Record struct {
	// SessionID is the id of the session that the span belongs to, or the nil
	// UUID where its attributes name none.
	SessionID honeyhive.UUID
	// EventID is the id of the event that the span stands for. For the root of
	// a session it is the session id.
	EventID honeyhive.UUID
	// ParentID is the id of the event above, or of the session; the nil UUID
	// where the span has no parent.
	ParentID honeyhive.UUID
	// IsSession tells the root of a session from every other span.
	IsSession bool
	// Continued is set where another process holds the root of the session.
	Continued bool

	// Name is the session's name or the event's; Type one of the event types of
	// package honeyhive. Project and Source are empty where the span has none.
	Name, Type, Project, Source string
	// Kind says more than the type where the span does: retriever, embedding,
	// reranker, agent, guardrail, evaluator or turn, as metadata.event_kind does. It is
	// empty for what is a model, tool or chain alone.
	Kind string
	// SessionText is how the attributes name the session, where that is no UUID.
	// SessionIsThread is set where they name it as a conversation or a thread alone,
	// which says less surely what is one session than a session id does.
	SessionText     string
	SessionIsThread bool
	// Operation is the span's gen_ai.operation.name, which stands in the metadata
	// too.
	Operation string
	// SessionName is the name of the session that the span belongs to, if known.
	SessionName string
	// Error says what went wrong; it is "error" where the span failed and does
	// not say why, and empty where it did not fail.
	Error  string
	Failed bool
	// Start and End are in milliseconds since the Unix epoch, Duration in
	// milliseconds. Each is absent where the span has none.
	Start, End, Duration honeyhive.Optional[float64]
	// ChildrenIDs are the events directly below, where the span lists them.
	ChildrenIDs honeyhive.Optional[[]string]
	// Buckets are the maps of the payload.
	Buckets Buckets
}

// Bucket names one of the maps of a payload.
type Bucket uint8

// The maps of a payload.
const (
	Config Bucket = iota
	Inputs
	Outputs
	Metadata
	Metrics
	Feedback
	UserProperties
	numBuckets
)

// Buckets holds the maps of a payload, indexed by [Bucket].
type Buckets [numBuckets]honeyhive.Object

// bucketAttrs are the attributes that hold a bucket as a whole.
var bucketAttrs = [numBuckets]string{
	honeyhive.AttrConfig, honeyhive.AttrInputs, honeyhive.AttrOutputs, honeyhive.AttrMetadata,
	honeyhive.AttrMetrics, honeyhive.AttrFeedback, honeyhive.AttrUserProperties,
}

// Attribute returns the name of the attribute that holds the bucket.
func (b Bucket) Attribute() string { return bucketAttrs[b] }

// Field returns the name of the bucket on the wire, such as "user_properties".
func (b Bucket) Field() string { return bucketAttrs[b][len("honeyhive_"):] }

// Wrap returns the key under which a value that is no object stands in the
// bucket: "input" for inputs, "result" for outputs, "value" for the others.
func (b Bucket) Wrap() string {
	switch b {
	case Inputs:
		return "input"
	case Outputs:
		return "result"
	}
	return "value"
}

// AllBuckets lists the buckets in the order of their constants.
func AllBuckets() []Bucket {
	return []Bucket{Config, Inputs, Outputs, Metadata, Metrics, Feedback, UserProperties}
}

// Convert reads a span, and keeps no reference to it. It never fails: what it
// cannot read as the contract has it is kept as text. It may be called from
// many goroutines at once.
func Convert(s *Span) Record {
	r := newReader(s)
	defer r.free()
	if s.Known != nil {
		r.know(s.Known)
	}
	for _, kv := range s.Attributes {
		r.attribute(kv)
	}
	r.events()
	r.links()
	r.finish()
	return r.record()
}

// Session returns the payload that starts the session, for a record of the root
// of one. The maps that the span does not have are absent, as are project and
// source where it has none.
func (r *Record) Session() honeyhive.SessionStartRequest {
	req := honeyhive.SessionStartRequest{
		Project:     some(r.Project),
		SessionName: honeyhive.Some(r.Name),
		Source:      some(r.Source),
		SessionID:   someID(r.SessionID),
		ChildrenIDs: r.ChildrenIDs,
		Error:       some(r.Error),
		Duration:    r.Duration,
		StartTime:   r.Start,
		EndTime:     r.End,
	}
	req.Config, req.Inputs, req.Outputs = r.Buckets[Config], r.Buckets[Inputs], r.Buckets[Outputs]
	req.UserProperties, req.Metrics = r.Buckets[UserProperties], r.Buckets[Metrics]
	req.Feedback, req.Metadata = r.Buckets[Feedback], r.Buckets[Metadata]
	return req
}

// Event returns the payload of an event. Inputs, which the API requires, are
// empty where the span has none.
func (r *Record) Event() honeyhive.Event {
	e := honeyhive.Event{
		EventID:     someID(r.EventID),
		SessionID:   someID(r.SessionID),
		ParentID:    someID(r.ParentID),
		EventName:   honeyhive.Some(r.Name),
		EventType:   honeyhive.Some(r.Type),
		ChildrenIDs: r.ChildrenIDs,
		Project:     some(r.Project),
		Source:      some(r.Source),
		Error:       some(r.Error),
		Duration:    r.Duration,
		StartTime:   r.Start,
		EndTime:     r.End,
	}
	e.Config, e.Inputs, e.Outputs = r.Buckets[Config], r.Buckets[Inputs], r.Buckets[Outputs]
	e.UserProperties, e.Metrics = r.Buckets[UserProperties], r.Buckets[Metrics]
	e.Feedback, e.Metadata = r.Buckets[Feedback], r.Buckets[Metadata]
	if e.Inputs.IsZero() {
		e.Inputs = honeyhive.EmptyObject()
	}
	return e
}

func some(s string) honeyhive.Optional[string] {
	if s == "" {
		return honeyhive.Optional[string]{}
	}
	return honeyhive.Some(s)
}

func someID(u honeyhive.UUID) honeyhive.Optional[string] {
	if u.IsZero() {
		return honeyhive.Optional[string]{}
	}
	return honeyhive.Some(u.String())
}
