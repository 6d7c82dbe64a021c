package otlp

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

var (
	errNotOneSpan  = errors.New("not the traces of one span")
	errField       = errors.New("unknown field")
	errInvalidText = errors.New("text is not valid UTF-8")
	errTooDeep     = errors.New("values are nested too deeply")
)

// parts are what Join needs of a body. They share its memory.
type parts struct {
	resource, scope frame
	span            []byte // without tag and length
}

// split takes a body of AppendTraces apart and checks all of it.
func split(body []byte) (parts, error) {
	p, err := cutUp(body)
	if err == nil {
		err = p.resource.check(resourceMessage)
	}
	if err == nil {
		err = p.scope.check(scopeMessage)
	}
	if err == nil {
		err = check(p.span, spanMessage, maxDepth)
	}
	if err != nil {
		return parts{}, err
	}
	return p, nil
}

// cutUp takes a body of AppendTraces apart.
func cutUp(body []byte) (p parts, err error) {
	var resourceSpans, scopeSpans []byte
	if _, resourceSpans, body, err = cut(body, tracesResourceSpans); err != nil {
		return parts{}, err
	}
	if p.resource, scopeSpans, err = splitFrame(resourceSpans, resourceSpansScopeSpans); err != nil {
		return parts{}, err
	}
	if p.scope, p.span, err = splitFrame(scopeSpans, scopeSpansSpan); err != nil {
		return parts{}, err
	}
	if len(body) != 0 {
		return parts{}, errNotOneSpan
	}
	return p, nil
}

// splitFrame takes a ResourceSpans or ScopeSpans apart: resource or scope, one
// payload, schema URL. Both messages number these fields 1, 2 and 3.
func splitFrame(b []byte, payloadField protowire.Number) (f frame, payload []byte, err error) {
	if f.head, _, b, err = cut(b, payloadField-1); err != nil {
		return frame{}, nil, err
	}
	if _, payload, b, err = cut(b, payloadField); err != nil {
		return frame{}, nil, err
	}
	if f.tail, _, b, err = cut(b, payloadField+1); err != nil {
		return frame{}, nil, err
	}
	if payload == nil || len(b) != 0 {
		return frame{}, nil, errNotOneSpan
	}
	return f, payload, nil
}

// check reads the resource or scope of a frame, which is about a message of that
// kind, and its schema URL.
func (f frame) check(about message) error {
	if err := check(content(f.head), about, maxDepth); err != nil {
		return err
	}
	if !utf8.Valid(content(f.tail)) {
		return errInvalidText
	}
	return nil
}

// content returns what stands behind the tag and length of a field that was cut
// off, or nil where there was none.
func content(field []byte) []byte {
	_, _, n := protowire.ConsumeTag(field)
	if n < 0 {
		return nil
	}
	b, _ := protowire.ConsumeBytes(field[n:])
	return b
}

// cut takes one length-delimited field off b: the whole field, and its content,
// which is not nil. Both are nil when b does not begin with that field.
func cut(b []byte, field protowire.Number) (whole, content, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, b, nil
	}
	number, wireType, n := protowire.ConsumeTag(b)
	if n < 0 {
		return nil, nil, nil, protowire.ParseError(n)
	}
	if number != field || wireType != protowire.BytesType {
		return nil, nil, b, nil
	}
	content, m := protowire.ConsumeBytes(b[n:])
	if m < 0 {
		return nil, nil, nil, protowire.ParseError(m)
	}
	return b[:n+m], content, b[n+m:], nil
}

// maxDepth is how deep messages may be nested in a span, a resource or a scope.
// Readers in Go refuse more than this, counting from the whole request.
const maxDepth = protowire.DefaultRecursionLimit - 4

// message is a kind of message that check knows.
type message uint8

const (
	noMessage message = iota
	resourceMessage
	scopeMessage
	spanMessage
	eventMessage
	linkMessage
	statusMessageKind
	keyValueMessage
	anyMessage
	arrayMessage
	mapMessage
	messageCount
)

// rule says what a field has to be.
type rule struct {
	known    bool
	wireType protowire.Type
	text     bool    // a string
	message  message // of a nested message
}

var (
	varintRule  = rule{known: true, wireType: protowire.VarintType}
	fixed32Rule = rule{known: true, wireType: protowire.Fixed32Type}
	fixed64Rule = rule{known: true, wireType: protowire.Fixed64Type}
	bytesRule   = rule{known: true, wireType: protowire.BytesType}
	textRule    = rule{known: true, wireType: protowire.BytesType, text: true}
)

func nested(m message) rule {
	return rule{known: true, wireType: protowire.BytesType, message: m}
}

// rules are the fields that AppendTraces writes. It is an array and not a map,
// because it is asked for every field of every span.
var rules = [messageCount][spanFlags + 1]rule{
	resourceMessage: {resourceAttribute: nested(keyValueMessage)},
	scopeMessage: {
		scopeName: textRule, scopeVersion: textRule, scopeAttribute: nested(keyValueMessage),
	},
	spanMessage: {
		spanTraceID: bytesRule, spanSpanID: bytesRule, spanTraceState: textRule, spanParentID: bytesRule,
		spanName: textRule, spanKind: varintRule, spanStart: fixed64Rule, spanEnd: fixed64Rule,
		spanAttribute: nested(keyValueMessage), spanDroppedAttributes: varintRule,
		spanEvent: nested(eventMessage), spanDroppedEvents: varintRule,
		spanLink: nested(linkMessage), spanDroppedLinks: varintRule,
		spanStatus: nested(statusMessageKind), spanFlags: fixed32Rule,
	},
	eventMessage: {
		eventTime: fixed64Rule, eventName: textRule,
		eventAttribute: nested(keyValueMessage), eventDroppedAttributes: varintRule,
	},
	linkMessage: {
		linkTraceID: bytesRule, linkSpanID: bytesRule, linkTraceState: textRule,
		linkAttribute: nested(keyValueMessage), linkDroppedAttributes: varintRule, linkFlags: fixed32Rule,
	},
	statusMessageKind: {statusMessage: textRule, statusCode: varintRule},
	keyValueMessage:   {keyValueKey: textRule, keyValueValue: nested(anyMessage)},
	anyMessage: {
		anyString: textRule, anyBool: varintRule, anyInt: varintRule, anyDouble: fixed64Rule,
		anyArray: nested(arrayMessage), anyMap: nested(mapMessage), anyBytes: bytesRule,
	},
	arrayMessage: {listElement: nested(anyMessage)},
	mapMessage:   {listElement: nested(keyValueMessage)},
}

// check reports whether b is a message of the kind m, down to depth levels.
func check(b []byte, m message, depth int) error {
	if depth == 0 {
		return errTooDeep
	}
	for len(b) > 0 {
		number, wireType, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var field rule
		if int(number) < len(rules[m]) {
			field = rules[m][number]
		}
		if !field.known || field.wireType != wireType {
			return errField
		}
		if wireType != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, wireType, b); n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		content, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if field.text && !utf8.Valid(content) {
			return errInvalidText
		}
		if field.message != noMessage {
			if err := check(content, field.message, depth-1); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}
