package llmhttp

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/genai"
)

// This file writes what was read of a call to its event: in the buckets of this
// library, and as attributes of the GenAI conventions, those with content only
// where somebody reads them. A span that the client made gets the attributes
// alone; whether the call failed, after all attempts, its client says itself.

// recordRequest records what is asked.
func (c *call) recordRequest() {
	x := c.x
	if x.retrieves { // which event it belongs to shows in the answer
		return
	}
	if x.asked == "" {
		x.asked = x.route.model
	}
	x.recordFinding(c.event == nil || c.exports)
	list := x.attributes
	list = append(list, genai.ProviderName.String(x.provider))
	if c.event == nil || x.operation == genai.TextCompletion || x.operation == genai.GenerateContent || x.operation == genai.FetchResponse { // which the event says itself
		list = append(list, genai.OperationName.String(x.operation))
	}
	if x.asked != "" {
		list = append(list, genai.RequestModel.String(x.asked))
	}
	if c.streamAsked() {
		list = append(list, genai.RequestStream.Bool(true))
	}
	list = c.appendAddress(list)
	if n, ok := resends(c.request.Header); ok {
		list = append(list, attrResendCount.Int(n))
		x.metadata.count("attempt", int64(n)+1)
	}
	if c.sent.cut {
		x.metadata.json("request_truncated", "true")
	}
	c.set(list)
	x.attributes = list[:0]
	c.set(c.appendInput(list[:0]))
	if c.event == nil {
		return
	}
	c.event.SetName(c.name())
	for i := range x.config {
		if f := &x.config[i]; !f.plain && !plainValue(f.value) {
			f.value = x.withoutSecrets(f.value)
		}
	}
	x.config.text("model", x.asked)
	if len(x.tools) > 0 {
		x.config.json("tools", x.definitions())
	}
	c.event.SetConfig(x.config.object())
	if x.blind {
		return
	}
	if chat := len(x.system)+len(x.input) > 0; chat || len(x.inputs) > 0 {
		c.event.SetInputs(canonical.Object(build(x.inputs.bytes()+bytesOf(x.input), func(b []byte) []byte {
			o := object{b: b}
			o.fields(x.inputs)
			if chat {
				o.key("chat_history")
				o.b = appendChat(o.b, x.system, x.input)
			}
			return o.bytes()
		})))
	}
}

// set sets attributes: by way of the event, which may keep content off its span
// and mostly needs no span of the SDK for them.
func (c *call) set(list []attribute.KeyValue) {
	switch {
	case len(list) == 0:
	case c.event != nil:
		c.event.SetAttributes(list...)
	default:
		c.span.SetAttributes(list...)
		c.measured.SetAttributes(list...)
	}
}

// name returns the name of the event.
func (c *call) name() (name string) {
	x := c.x
	collection := ""
	if x.finding != nil {
		collection = strings.Join(x.finding.collections, ",")
	}
	if c.t.name != nil {
		func() {
			defer func() { _ = recover() }()
			name = c.t.name(Call{Operation: x.operation, Provider: x.provider, Model: x.asked, Collection: collection, Stream: c.streamAsked(), Request: c.request})
		}()
	}
	switch {
	case name != "":
		return name
	case collection != "":
		return x.operation + " " + collection
	case x.asked != "":
		return x.operation + " " + x.asked
	}
	return x.operation
}

// appendInput adds what is said to the model, where attributes may hold content.
func (c *call) appendInput(list []attribute.KeyValue) []attribute.KeyValue {
	x := c.x
	if !c.exports {
		return list
	}
	if len(x.system) > 0 {
		list = append(list, genai.SystemInstructions.String(build(0, func(b []byte) []byte { return appendParts(b, x.system) })))
	}
	if len(x.input) > 0 {
		list = append(list, genai.InputMessages.String(build(bytesOf(x.input), func(b []byte) []byte { return appendMessages(b, x.input) })))
	}
	list = append(list, x.said...)
	if len(x.tools) > 0 {
		list = append(list, genai.ToolDefinitions.String(x.definitions()))
	}
	return list
}

// record writes what was answered.
func (c *call) record(err error, how string) {
	x := c.x
	if x.retrieves && !c.adopt() {
		return
	}
	kind, text := c.failure(err, how)
	if kind != "" {
		for _, choice := range x.choices {
			if choice.finish == "" {
				choice.finish, choice.ended = "error", "error"
			}
		}
	}
	documents := x.recordHits()
	c.hideAnswer()
	list := x.attributes
	if x.id != "" {
		list = append(list, genai.ResponseID.String(x.id))
		x.metadata.text("response_id", x.id)
	}
	if x.model != "" {
		list = append(list, genai.ResponseModel.String(x.model))
		x.metadata.text("response_model", x.model)
	}
	if reasons := x.reasons(); len(reasons) > 0 {
		list = append(list, genai.FinishReasons.StringSlice(reasons))
		x.metadata.json("finish_reasons", build(0, func(b []byte) []byte { return appendTexts(b, reasons) }))
	}
	if c.status != 0 {
		list = append(list, attrStatusCode.Int(c.status))
	}
	list = c.appendTiming(list)
	if how == endClosed && !x.done && c.status < http.StatusBadRequest {
		x.metadata.text("stream_end", endClosed)
	}
	if kind == "" && (x.done || how == endEOF) && !x.cut && !x.answered() && x.id == "" && x.model == "" {
		x.metadata.json("answer_unrecognized", "true")
	}
	switch {
	case c.unterminated:
		x.metadata.text("stream_end", endUnterminated)
	case c.streams && kind == "" && how != endClosed && (x.done || x.complete()) && c.usageAsked && !x.usage.known():
		x.metadata.text("stream_end", endNoUsage)
	}
	if x.cut {
		x.metadata.json("answer_truncated", "true")
	}
	if x.skipped > 0 {
		x.metadata.count("chunks_skipped", int64(x.skipped))
	}
	if c.encoded() && !x.done {
		x.metadata.text("content_encoding", c.hideError(c.encoding[:min(len(c.encoding), mostKind)]))
	}
	var messages []message
	if !x.blind {
		messages = x.messages()
	}
	if c.event == nil {
		list = c.appendUsage(list)
		if kind != "" { // of this attempt, which the span does not say
			c.measured.SetAttributes(genai.ErrorType.String(kind))
			c.measured.SetError(kind)
		}
	} else if kind != "" {
		list = append(list, genai.ErrorType.String(kind))
		if x.retrieves { // an event that has ended takes no attributes
			x.metadata.text("error_type", kind)
		}
	}
	c.set(list)
	if c.exports && len(messages) > 0 {
		c.set(append(list[:0], genai.OutputMessages.String(build(bytesOf(messages), func(b []byte) []byte { return appendMessages(b, messages) }))))
	}
	if c.exports && documents != "" {
		c.set(append(list[:0], genai.RetrievalDocuments.String(documents[len(documentsHead)-1:len(documents)-1])))
	}
	x.attributes = list
	if c.event == nil {
		return
	}
	if len(messages) > 0 {
		c.event.SetOutputs(canonical.Object(build(bytesOf(messages), func(b []byte) []byte { return appendReply(b, messages) })))
	}
	if documents != "" {
		c.event.SetOutputs(canonical.Object(documents))
	}
	if len(x.outputs) > 0 && !x.blind {
		c.event.SetOutputs(x.outputs.object())
	}
	if len(x.metadata) > 0 {
		c.event.SetMetadata(x.metadata.object())
	}
	if x.usage.known() {
		c.event.SetUsage(x.usage.counts())
	}
	if x.priced {
		c.event.SetCost(x.cost, "USD")
	}
	c.event.SetError(text)
	c.remember()
}

// appendTiming adds the time to the first content of a stream, and how fast the
// model wrote.
func (c *call) appendTiming(list []attribute.KeyValue) []attribute.KeyValue {
	if c.x.retrieves { // when the model wrote is not known
		return list
	}
	wrote := c.arrived.Sub(c.started)
	if c.streams {
		if c.first.IsZero() {
			return list
		}
		toFirst := c.first.Sub(c.started)
		list = append(list, genai.ResponseFirstChunk.Float64(toFirst.Seconds()))
		c.x.metadata.decimal("time_to_first_chunk_ms", float64(toFirst)/float64(time.Millisecond))
		wrote = c.newest.Sub(c.first)
	}
	if n := c.x.usage.sum(tokensOutput, tokensThoughts); n > 0 && wrote > 0 {
		c.x.metadata.decimal("tokens_per_second", float64(n)/wrote.Seconds())
	}
	return list
}

// appendUsage adds the tokens. Events have a method for them.
func (c *call) appendUsage(list []attribute.KeyValue) []attribute.KeyValue {
	if !c.x.usage.known() {
		return list
	}
	u := c.x.usage.counts()
	if u.InputTokens >= 0 {
		list = append(list, genai.UsageInputTokens.Int64(u.InputTokens))
	}
	if u.OutputTokens >= 0 {
		list = append(list, genai.UsageOutputTokens.Int64(u.OutputTokens))
	}
	if u.CacheReadTokens > 0 {
		list = append(list, genai.UsageCacheReadTokens.Int64(u.CacheReadTokens))
	}
	if u.CacheWriteTokens > 0 {
		list = append(list, genai.UsageCacheWriteTokens.Int64(u.CacheWriteTokens), genai.UsageCacheCreation.Int64(u.CacheWriteTokens))
	}
	if u.ReasoningTokens > 0 {
		list = append(list, genai.UsageReasoningTokens.Int64(u.ReasoningTokens))
	}
	return list
}

// appendAddress adds the host and the port of the server.
func (c *call) appendAddress(list []attribute.KeyValue) []attribute.KeyValue {
	u := c.request.URL
	list = append(list, attrServerAddress.String(u.Hostname()))
	if text := u.Port(); text != "" {
		if port, err := strconv.Atoi(text); err == nil {
			list = append(list, attrServerPort.Int(port))
		}
		return list
	}
	switch u.Scheme {
	case "https":
		list = append(list, attrServerPort.Int(443))
	case "http":
		list = append(list, attrServerPort.Int(80))
	}
	return list
}

// resends returns how many attempts came before this one, where the client tells
// it: those made from OpenAI's and Anthropic's specifications, and AWS's.
func resends(h http.Header) (int, bool) {
	if text := h.Get("X-Stainless-Retry-Count"); text != "" {
		n, err := strconv.Atoi(text)
		return n, err == nil && n >= 0
	}
	text := h.Get("Amz-Sdk-Request")
	if text == "" {
		return 0, false
	}
	for field := range strings.SplitSeq(text, ";") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(field), "attempt="); ok {
			if n, err := strconv.Atoi(v); err == nil && n > 0 {
				return n - 1, true
			}
		}
	}
	return 0, false
}
