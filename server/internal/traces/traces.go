// Package traces reads what OTLP clients send: an ExportTraceServiceRequest as
// protobuf or as JSON becomes spans that package convert understands, and an
// ExportLogsServiceRequest what spans say in log records. The format is that of the
// OpenTelemetry Protocol, version 1.
//
// A request is read span by span from its body, and nothing is built of it but
// the span at hand, whose texts refer to the body. What the messages of a body
// become is many times larger than it is: two bytes make an empty span. So what
// spans hold is counted while it is read, and bounded.
package traces

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
)

// MaxDepth is how many messages may be nested in each other. A value inside a
// list takes two levels, one inside a map three, so that some ninety lists or
// sixty maps may be open within an attribute.
const MaxDepth = 200

// valueDepth is how many messages are open at the value of an attribute of a
// span or a resource.
const valueDepth = 6

// Faults are what the last walk of a request found that is no OTLP. It costs itself:
// a value is taken as the text that it is, where it says anything; a span without ids,
// or one that is too large, is left out; so is what a broken message has yet to hold.
type Faults struct {
	// Invalid counts the spans, or log records, that were left out: those that are
	// not as the protocol has it, have no valid ids, or are too large. A message that
	// can hold them, and is none, counts as one. Problem says of the first one what is
	// wrong.
	Invalid int
	Problem string
	// Mended counts the values of what was taken that are not as the protocol has it.
	// Mend says of the first one what is wrong.
	Mended int
	Mend   string
}

// Request is what one request holds.
type Request struct {
	Faults

	walk func(*decoder) error
}

// Spans visits the spans in their order, as often as it is called. A span, and
// what it refers to, is valid until visit returns; its texts are as long as the
// body does not change.
//
// The error is that of visit, which ends the walk; a [TooLargeError]; or says
// why the body is no request.
func (r *Request) Spans(visit func(*convert.Span) error) error {
	r.Faults = Faults{}
	return r.walk(&decoder{faults: &r.Faults, visit: visit})
}

// decoder reads spans one after the other, in memory that the next one uses again.
type decoder struct {
	faults *Faults
	visit  func(*convert.Span) error
	budget

	resource resource
	scope    string
	span     convert.Span
	problem  error // with the ids of the span
	// mended counts the values of the span, or of the resource, which are not as the
	// protocol has it.
	mended    int
	firstMend valueError
	// below holds the attributes of events and links. pairs and values hold what
	// the open maps and lists are made of, those of the innermost last.
	below, pairs []attribute.KeyValue
	values       []attribute.Value
	isLog        bool // it reads log records
	body         attribute.Value
}

// begin makes room for a span of so many bytes.
func (d *decoder) begin(size int) error {
	s := &d.span
	*s = convert.Span{
		Project: d.resource.project(), Source: d.resource.source(), Scope: d.scope,
		Attributes: append(emptied(s.Attributes), d.resource.identity...), Events: emptied(s.Events), Links: emptied(s.Links),
	}
	d.below, d.pairs, d.values = emptied(d.below), emptied(d.pairs), emptied(d.values)
	d.problem, d.mended, d.body = nil, 0, attribute.Value{}
	d.open(size)
	return d.count(spanWork + len(d.resource.identity) + len(d.resource.agent))
}

// emptied returns the memory of a list for the next span, unless it is large.
func emptied[T any](list []T) []T {
	const most = 4096
	if cap(list) > most {
		return nil
	}
	return list[:0]
}

// end hands a span over, or notes what is wrong with it. It takes what its reader
// came to.
func (d *decoder) end(err error) error {
	if _, isTooLarge := errors.AsType[*TooLargeError](err); isTooLarge {
		return err
	}
	if err == nil {
		err = d.problem
	}
	if err == nil && !d.isLog {
		err = d.unnamed()
	}
	what := "span"
	if d.isLog {
		what = "log record"
	}
	if err != nil {
		d.leaveOut(fmt.Sprintf("%s %.64q: %v", what, d.span.Name, err))
		return nil
	}
	if d.mended > 0 {
		d.tell(fmt.Sprintf("%s %.64q", what, d.span.Name))
	}
	d.span.Attributes = convert.AppendMainAgent(d.span.Attributes, d.resource.agent)
	return d.visit(&d.span)
}

// unnamed says which id the span does not have.
func (d *decoder) unnamed() error {
	switch {
	case d.span.TraceID == [16]byte{}:
		return errors.New("trace id: is missing or all zeros")
	case d.span.SpanID == [8]byte{}:
		return errors.New("span id: is missing or all zeros")
	}
	return nil
}

// leaveOut counts what is no span.
func (d *decoder) leaveOut(problem string) {
	if d.faults.Invalid++; d.faults.Invalid == 1 {
		d.faults.Problem = problem
	}
}

// mend notes what is wrong with a value.
func (d *decoder) mend(problem valueError) {
	if d.mended++; d.mended == 1 {
		d.firstMend = problem
	}
}

// tell passes on what is wrong with values of something that is taken.
func (d *decoder) tell(of string) {
	if d.faults.Mended == 0 && d.mended > 0 {
		d.faults.Mend = of + ": " + string(d.firstMend)
	}
	d.faults.Mended += d.mended
	d.mended = 0
}

// link adds a link whose attributes are those below from a place on, if its ids
// could be read.
func (d *decoder) link(l convert.Link, from int, traceErr, spanErr error) {
	if err := cmp.Or(traceErr, spanErr); err != nil {
		d.mend(valueError("the id of a link: " + err.Error()))
		return
	}
	l.Attributes = since(d.below, from)
	d.span.Links = append(d.span.Links, l)
}

// errNoID says that an id is not there.
const errNoID = valueError("is missing")

// original names the attribute that keeps the text of a field of a span which could
// not be read.
func original(field string) attribute.Key { return attribute.Key("original_" + field) }

// since returns what was appended to a list from a place on, nil for nothing.
func since(list []attribute.KeyValue, from int) []attribute.KeyValue {
	if len(list) == from {
		return nil
	}
	return list[from:len(list):len(list)]
}

// id notes what came of reading an id of the span.
func (d *decoder) id(name string, err error) {
	if err != nil && d.problem == nil {
		d.problem = fmt.Errorf("%s: %w", name, err)
	}
}

// kindOf returns the kind of a span, whose number anybody may have made up.
func kindOf(n uint64) convert.Kind {
	if n > uint64(convert.Consumer) {
		return convert.Unspecified
	}
	return convert.Kind(n)
}

// instant returns a time in nanoseconds since the Unix epoch, or none where it
// is not set or past the year 2262.
func instant(nanoseconds uint64) time.Time {
	if n := int64(nanoseconds); n > 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}
