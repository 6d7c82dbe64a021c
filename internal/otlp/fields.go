package otlp

import "google.golang.org/protobuf/encoding/protowire"

// Field numbers of the OTLP messages.
const (
	tracesResourceSpans protowire.Number = 1

	resourceSpansResource   protowire.Number = 1
	resourceSpansScopeSpans protowire.Number = 2
	resourceSpansSchemaURL  protowire.Number = 3

	scopeSpansScope     protowire.Number = 1
	scopeSpansSpan      protowire.Number = 2
	scopeSpansSchemaURL protowire.Number = 3

	resourceAttribute protowire.Number = 1

	scopeName      protowire.Number = 1
	scopeVersion   protowire.Number = 2
	scopeAttribute protowire.Number = 3

	spanTraceID           protowire.Number = 1
	spanSpanID            protowire.Number = 2
	spanTraceState        protowire.Number = 3
	spanParentID          protowire.Number = 4
	spanName              protowire.Number = 5
	spanKind              protowire.Number = 6
	spanStart             protowire.Number = 7
	spanEnd               protowire.Number = 8
	spanAttribute         protowire.Number = 9
	spanDroppedAttributes protowire.Number = 10
	spanEvent             protowire.Number = 11
	spanDroppedEvents     protowire.Number = 12
	spanLink              protowire.Number = 13
	spanDroppedLinks      protowire.Number = 14
	spanStatus            protowire.Number = 15
	spanFlags             protowire.Number = 16

	eventTime              protowire.Number = 1
	eventName              protowire.Number = 2
	eventAttribute         protowire.Number = 3
	eventDroppedAttributes protowire.Number = 4

	linkTraceID           protowire.Number = 1
	linkSpanID            protowire.Number = 2
	linkTraceState        protowire.Number = 3
	linkAttribute         protowire.Number = 4
	linkDroppedAttributes protowire.Number = 5
	linkFlags             protowire.Number = 6

	statusMessage protowire.Number = 2
	statusCode    protowire.Number = 3

	keyValueKey   protowire.Number = 1
	keyValueValue protowire.Number = 2

	anyString protowire.Number = 1
	anyBool   protowire.Number = 2
	anyInt    protowire.Number = 3
	anyDouble protowire.Number = 4
	anyArray  protowire.Number = 5
	anyMap    protowire.Number = 6
	anyBytes  protowire.Number = 7

	// ArrayValue and KeyValueList both hold their elements in this field.
	listElement protowire.Number = 1

	responsePartialSuccess protowire.Number = 1
	partialRejectedSpans   protowire.Number = 1
	partialErrorMessage    protowire.Number = 2
)
