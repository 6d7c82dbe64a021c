package traces

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/server/internal/brief"
)

// Logs is what one request of log records holds.
type Logs struct {
	Faults

	walk func(*decoder) error
}

// Records visits the log records in their order, as often as it is called. A record
// comes as the span that it was made in, if any: with the ids of that, the name of
// the event, the time as the start, and as attributes those of the record and the
// members of its body, lists and maps among them as JSON; a body that is no map is
// the attribute [Body]. What is said of [Request.Spans] holds for it.
func (l *Logs) Records(visit func(record *convert.Span) error) error {
	l.Faults = Faults{}
	d := &decoder{faults: &l.Faults, isLog: true}
	d.visit = func(record *convert.Span) error {
		d.finishLog()
		return visit(record)
	}
	return l.walk(d)
}

// Body is the attribute of a body that has no members.
const Body = "body"

// eventName is the attribute that names the event of a record which has no field for
// it, as in versions of the protocol before 1.5.
const eventName = "event.name"

// finishLog makes one list of what a record says.
func (d *decoder) finishLog() {
	s := &d.span
	if s.Start.IsZero() {
		s.Start = s.End // when it was observed
	}
	s.End = time.Time{}
	list := s.Attributes[:0]
	for _, kv := range s.Attributes {
		if kv.Key == eventName {
			if s.Name == "" {
				s.Name = brief.Name(kv.Value.AsString())
			}
			continue
		}
		list = append(list, flat(kv))
	}
	switch d.body.Type() {
	case attribute.EMPTY:
	case attribute.MAP:
		for _, kv := range d.body.AsMap() {
			list = append(list, flat(kv))
		}
	default:
		list = append(list, flat(attribute.KeyValue{Key: Body, Value: d.body}))
	}
	s.Attributes = list
}

// flat returns an attribute whose value is no list of values and no map.
func flat(kv attribute.KeyValue) attribute.KeyValue {
	if t := kv.Value.Type(); t == attribute.SLICE || t == attribute.MAP {
		kv.Value = attribute.StringValue(string(appendValue(nil, kv.Value)))
	}
	return kv
}

// ProtoLogs is [Proto] for log records.
func ProtoLogs(body []byte) *Logs {
	return &Logs{walk: func(d *decoder) error { return d.protoRequest(body, (*decoder).protoLog) }}
}

// JSONLogs is [JSON] for log records.
func JSONLogs(body []byte) *Logs { return &Logs{walk: jsonWalk(body, &logNames, (*decoder).jsonLog)} }

var (
	logNames = jsonNames{
		newMessage("resourceLogs"), newMessage("resource", "scopeLogs"), newMessage("logRecords"), "resource logs", "scope logs",
	}
	logFields  = [...]string{"traceId", "spanId", "timeUnixNano", "observedTimeUnixNano", "eventName", "attributes", "body"}
	logMessage = newMessage(logFields[:]...)
)

func (d *decoder) jsonLog(c *cursor) error {
	s := &d.span
	return c.fields(logMessage, func(field int) error {
		raw, problem, err := c.attempt(func() (err error) {
			switch field {
			case 0:
				d.logID(c, "trace id", s.TraceID[:])
			case 1:
				d.logID(c, "span id", s.SpanID[:])
			case 2:
				s.Start, err = d.jsonTime(c)
			case 3:
				s.End, err = d.jsonTime(c)
			case 4:
				s.Name, err = d.jsonText(c)
				s.Name = brief.Name(s.Name)
			case 5:
				s.Attributes, err = d.jsonAppend(s.Attributes, c, valueDepth)
			case 6:
				d.body, err = d.jsonValue(c, valueDepth)
			}
			return err
		})
		if problem != "" {
			s.Attributes, err = d.keep(s.Attributes, logFields[field], raw, problem)
		}
		return err
	})
}

// logID reads an id of the span that a record was made in, if it was in one.
func (d *decoder) logID(c *cursor, name string, dst []byte) {
	if c.text[c.at:c.at+2] == `""` {
		c.skip()
		return
	}
	d.id(name, c.id(dst))
}

func (d *decoder) protoLog(b []byte) error {
	s := &d.span
	f := fields{rest: b}
	for f.next() {
		var err error
		switch {
		case f.is(1, protowire.Fixed64Type):
			s.Start = instant(f.value)
		case f.is(11, protowire.Fixed64Type): // when it was observed
			s.End = instant(f.value)
		case f.message(5):
			d.body, err = d.protoValue(f.bytes, valueDepth)
		case f.message(6):
			s.Attributes, err = d.protoAppend(s.Attributes, f.bytes, valueDepth)
		case f.message(9) && len(f.bytes) > 0:
			d.id("trace id", copyID(s.TraceID[:], f.bytes))
		case f.message(10) && len(f.bytes) > 0:
			d.id("span id", copyID(s.SpanID[:], f.bytes))
		case f.message(12):
			s.Name, err = d.protoText(&f)
			s.Name = brief.Name(s.Name)
		}
		if err != nil {
			return err
		}
	}
	return f.err
}
