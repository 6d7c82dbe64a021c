package llmhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file writes what was read of a call to its event: in the buckets of this
// library, and as attributes of the GenAI conventions. A span that the client
// made gets the attributes alone.

// recordRequest records what is asked as soon as it is known, so that a running
// session shows it.
func (c *call) recordRequest() {
	x := &c.x
	if x.asked == "" {
		x.asked = x.route.model
	}
	list := append(slices.Clip(x.attributes), genai.ProviderName.String(x.provider), genai.OperationName.String(x.operation))
	if x.asked != "" {
		list = append(list, genai.RequestModel.String(x.asked))
	}
	if c.streamAsked() {
		list = append(list, attrStream.Bool(true))
	}
	list = c.appendAddress(list)
	var attempt int
	if n, ok := resends(c.request.Header); ok {
		attempt = n + 1
		list = append(list, attrResendCount.Int(n))
	}
	c.span.SetAttributes(list...)
	if !x.blind {
		c.recordInput()
	}
	if c.event == nil {
		return
	}
	c.event.SetName(c.name())
	x.config = append(fields{{"provider", quote(x.provider)}}, x.config...)
	x.config.text("model", x.asked)
	if len(x.tools) > 0 {
		x.config.json("tools", "["+strings.Join(x.tools, ",")+"]")
	}
	c.event.SetConfig(x.config.object())
	var meta fields
	if attempt > 0 {
		meta.count("attempt", int64(attempt))
	}
	if c.sent.cut {
		meta.json("request_truncated", "true")
	}
	if len(meta) > 0 {
		c.event.SetMetadata(meta.object())
	}
}

// name returns the name of the event.
func (c *call) name() (name string) {
	x := &c.x
	if c.t.name != nil {
		func() {
			defer func() { _ = recover() }()
			name = c.t.name(Call{Operation: x.operation, Provider: x.provider, Model: x.asked, Stream: c.streamAsked(), Request: c.request})
		}()
	}
	switch {
	case name != "":
		return name
	case x.asked != "":
		return x.operation + " " + x.asked
	}
	return x.operation
}

func (c *call) recordInput() {
	x := &c.x
	var list []attribute.KeyValue
	if len(x.system) > 0 {
		list = append(list, attrSystem.String(string(appendParts(nil, x.system))))
	}
	if len(x.input) > 0 {
		list = append(list, genai.InputMessages.String(string(appendMessages(nil, x.input))))
	}
	if len(x.tools) > 0 {
		list = append(list, attrTools.String("["+strings.Join(x.tools, ",")+"]"))
	}
	c.setContent(list)
	if c.event == nil {
		return
	}
	if len(x.system)+len(x.input) > 0 {
		messages := x.input
		if len(x.system) > 0 {
			messages = append([]message{{role: "system", parts: x.system}}, messages...)
		}
		x.inputs.json("chat_history", string(appendChat(nil, messages)))
	}
	if len(x.inputs) > 0 {
		c.event.SetInputs(x.inputs.object())
	}
}

// setContent sets attributes that hold content. An event may keep them off its
// span.
func (c *call) setContent(list []attribute.KeyValue) {
	if len(list) == 0 {
		return
	}
	if e, ok := any(c.event).(interface {
		SetAttributes(list ...attribute.KeyValue)
	}); ok && c.event != nil {
		e.SetAttributes(list...)
		return
	}
	c.span.SetAttributes(list...)
}

// readAnswer reads an answer that came whole. What is no JSON is the message of
// an error, where the status is one.
func (c *call) readAnswer(raw string) {
	x := &c.x
	body, err := rawjson.Parse(raw)
	switch {
	case err == nil && rawjson.KindOf(body) == rawjson.Object, err == nil && rawjson.KindOf(body) == rawjson.Array:
		x.format.answer(x, body)
		x.done = c.status < http.StatusBadRequest
	case c.status >= http.StatusBadRequest:
		const most = 1 << 10
		if message := strings.ToValidUTF8(strings.TrimSpace(raw[:min(len(raw), most)]), ""); message != "" {
			x.fail("", message)
		}
	}
}

// record writes what was answered.
func (c *call) record(err error, how string) {
	x := &c.x
	kind, text := c.failure(err, how)
	if kind != "" {
		for _, choice := range x.choices {
			if choice.finish == "" {
				choice.finish, choice.ended = "error", "error"
			}
		}
	}
	list := x.noted
	if x.id != "" {
		list = append(list, attrResponseID.String(x.id))
		x.metadata.text("response_id", x.id)
	}
	if x.model != "" {
		list = append(list, attrResponseModel.String(x.model))
		x.metadata.text("response_model", x.model)
	}
	var reasons []string
	for _, choice := range x.choices {
		if choice.finish != "" {
			reasons = append(reasons, choice.finish)
		}
	}
	if len(reasons) > 0 {
		list = append(list, genai.FinishReasons.StringSlice(reasons))
		text, _ := rawjson.Append(nil, reasons)
		x.metadata.json("finish_reasons", string(text))
	}
	if c.status != 0 {
		list = append(list, attrStatusCode.Int(c.status))
		x.metadata.count("status_code", int64(c.status))
	}
	list = c.appendTiming(list)
	if x.usage.known {
		list = c.appendUsage(list)
	}
	if kind != "" {
		list = append(list, genai.ErrorType.String(kind))
	}
	c.span.SetAttributes(list...)
	if len(x.choices) > 0 && !x.blind {
		c.recordOutput()
	}
	if how == endClosed && !x.done && c.status < http.StatusBadRequest {
		x.metadata.text("stream_end", endClosed)
	}
	if x.cut {
		x.metadata.json("answer_truncated", "true")
	}
	if x.skipped > 0 {
		x.metadata.count("chunks_skipped", int64(x.skipped))
	}
	if c.encoding != "" {
		x.metadata.text("content_encoding", c.encoding)
	}
	if c.event == nil {
		if text != "" {
			c.span.SetStatus(codes.Error, text)
		}
		return
	}
	if len(x.outputs) > 0 && !x.blind {
		c.event.SetOutputs(x.outputs.object())
	}
	if len(x.metadata) > 0 {
		c.event.SetMetadata(x.metadata.object())
	}
	c.event.SetError(text)
}

func (c *call) recordOutput() {
	messages := c.x.messages()
	c.setContent([]attribute.KeyValue{genai.OutputMessages.String(string(appendMessages(nil, messages)))})
	if c.event == nil {
		return
	}
	// The first message is the outputs; all of them are the choices.
	all := appendChat(nil, messages)
	first := messages[0].appendChat(nil)
	o := object{b: first[:len(first)-1]}
	if len(messages) > 1 {
		o.json("choices", string(all))
	}
	c.event.SetOutputs(honeyhive.TrustedObject(string(o.bytes())))
}

// appendTiming adds the time to the first content of a stream, and how fast the
// model wrote.
func (c *call) appendTiming(list []attribute.KeyValue) []attribute.KeyValue {
	wrote := c.arrived.Sub(c.started)
	if c.streams {
		if c.first.IsZero() {
			return list
		}
		toFirst := c.first.Sub(c.started)
		list = append(list, attrFirstChunk.Float64(toFirst.Seconds()))
		c.x.metadata.decimal("time_to_first_token_ms", float64(toFirst)/float64(time.Millisecond))
		wrote = c.newest.Sub(c.first)
	}
	if n := c.x.usage.OutputTokens; n > 0 && wrote > 0 {
		c.x.metadata.decimal("tokens_per_second", float64(n)/wrote.Seconds())
	}
	return list
}

func (c *call) appendUsage(list []attribute.KeyValue) []attribute.KeyValue {
	u := c.x.usage.Usage
	if c.event != nil {
		c.event.SetUsage(u)
		return list
	}
	list = append(list, genai.UsageInputTokens.Int64(u.InputTokens), genai.UsageOutputTokens.Int64(u.OutputTokens))
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

// failure returns what went wrong: a word for error.type, and a text.
func (c *call) failure(err error, how string) (kind, text string) {
	x := &c.x
	switch {
	case c.status >= http.StatusBadRequest:
		kind = strconv.Itoa(c.status)
		text = kind
		if x.problem != nil && *x.problem != (problem{}) {
			text += " " + x.problemText()
			if x.problem.kind != "" {
				kind = x.problem.kind
			}
		} else if status := http.StatusText(c.status); status != "" {
			text += " " + status
		}
		return kind, text
	case x.problem != nil:
		kind = x.problem.kind
		if kind == "" {
			kind = "provider_error"
		}
		return kind, x.problemText()
	case err != nil:
		return errorKind(err), errorText(err)
	case how == endEOF && c.streams && !x.done && !x.complete() && c.encoding == "" && !c.broken:
		if _, ok := x.format.(terminated); ok || len(x.choices) > 0 {
			return "stream_interrupted", "the stream ended before the answer was complete"
		}
	}
	return "", ""
}

// problemText returns what the provider says. Its message may quote what it was
// sent.
func (x *exchange) problemText() string {
	if x.blind {
		return cmp.Or(x.problem.kind, "error")
	}
	return x.problem.text()
}

func errorKind(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "unexpected_eof"
	}
	return fmt.Sprintf("%T", inner(err))
}

// errorText returns the message of an error without the URL of the request,
// which may hold a key.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%T", err)
		}
	}()
	return inner(err).Error()
}

func inner(err error) error {
	for {
		var withURL *url.Error
		if !errors.As(err, &withURL) || withURL.Err == nil {
			return err
		}
		err = withURL.Err
	}
}

// appendAddress adds the host and the port of the server.
func (c *call) appendAddress(list []attribute.KeyValue) []attribute.KeyValue {
	u := c.request.URL
	list = append(list, attrServerAddress.String(u.Hostname()))
	port, err := strconv.Atoi(u.Port())
	switch {
	case err == nil:
	case u.Scheme == "https":
		port = 443
	case u.Scheme == "http":
		port = 80
	default:
		return list
	}
	return append(list, attrServerPort.Int(port))
}

// resends returns how many attempts came before this one, where the client tells
// it: those made from OpenAI's and Anthropic's specifications, and AWS's.
func resends(h http.Header) (int, bool) {
	if n, err := strconv.Atoi(h.Get("X-Stainless-Retry-Count")); err == nil && n >= 0 {
		return n, true
	}
	for field := range strings.SplitSeq(h.Get("Amz-Sdk-Request"), ";") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(field), "attempt="); ok {
			if n, err := strconv.Atoi(v); err == nil && n > 0 {
				return n - 1, true
			}
		}
	}
	return 0, false
}
